"""A live run in a window of Open3D: people, cameras and floor, thumbnails with overlays, lines of text."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import cv2
import numpy as np
from jaxtyping import UInt8

from mv3d.data.poses import Poses2D, Poses3D
from mv3d.data.rig import Rig
from mv3d.viz.colors import Rgb
from mv3d.viz.content import content
from mv3d.viz.display import Display
from mv3d.viz.grid import drawn_tile
from mv3d.viz.heads_up import status_picture
from mv3d.viz.people import trunk_lengths
from mv3d.viz.renderer import Open3dScene, look_from
from mv3d.viz.scene import SceneGeometry, scene_geometry
from mv3d.viz.viewpoint import default_viewpoint
from mv3d.viz.window_texts import Texts

_INK: Rgb = (45, 48, 56)
_TROUBLE: Rgb = (180, 40, 30)
# Thumbnails together are this wide, as a share of the window, and this high at most.
_STRIP_WIDTH, _STRIP_HEIGHT = 0.96, 0.26
_GAP_PX = 4
# The floor is drawn anew around people once so many of their joints are known.
ENOUGH_JOINTS = 8


@dataclass(frozen=True, slots=True, eq=False)
class LiveContent:
    """What is shown of one frame set.

    Attributes:
        images: (view,) BGR; None where a camera has none.
        poses2d: by camera, the detections as one frame.
        poses3d: everybody as one frame.
        lines: text, a line each.
        trouble: the same, in red.
    """

    images: Sequence[np.ndarray | None]
    poses2d: Mapping[str, Poses2D]
    poses3d: Poses3D
    lines: Sequence[str]
    trouble: Sequence[str] = ()


class LiveView:
    """Draws into a window, which may be hidden."""

    def __init__(self, window: Any, rig: Rig, nobody: Poses3D, size: tuple[int, int]) -> None:
        """Show the cameras and the floor.

        Args:
            window: an Open3D Visualizer that was created.
            rig: the cameras.
            nobody: a frame without anybody.
            size: (width, height) px of the window.
        """
        self._window, self._rig, self._size = window, rig, size
        self._scene = scene_geometry(rig, nobody)
        self._placed = False
        self._meshes = Open3dScene(window, content(rig, nobody), self._scene)
        self._texts = Texts(window)
        look_from(window, default_viewpoint(self._scene, size))

    def show(self, shown: LiveContent) -> None:
        """Show a frame set."""
        poses3d, display = shown.poses3d, Display()
        if not self._placed and np.isfinite(poses3d.xyz[..., 0]).sum() >= ENOUGH_JOINTS:
            self._place(poses3d)
        self._meshes.content = content(self._rig, poses3d)
        self._meshes.scene = replace(self._scene, trunks=trunk_lengths(poses3d))
        self._meshes.show(0, display)
        lines = [(line, _INK) for line in shown.lines] + [(line, _TROUBLE) for line in shown.trouble]
        self._texts.show(status_picture(lines), None, thumbnails(self._rig, shown, self._size))

    def _place(self, poses3d: Poses3D) -> None:
        """The floor and the eye around the first people."""
        self._scene: SceneGeometry = scene_geometry(self._rig, poses3d)
        self._meshes.scene, self._placed = self._scene, True
        self._meshes.refresh()
        look_from(self._window, default_viewpoint(self._scene, self._size))


def thumbnails(rig: Rig, shown: LiveContent, size: tuple[int, int]) -> UInt8[np.ndarray, "height width 3"]:
    """All cameras side by side with what was found in them, BGR, for a window of `size` (width, height) px."""
    shapes = np.array([camera.size for camera in rig], float)
    ratio = shapes[:, 0] / shapes[:, 1]
    room = _STRIP_WIDTH * size[0] - _GAP_PX * (len(rig) - 1)
    height = max(int(min(room / ratio.sum(), _STRIP_HEIGHT * size[1])), 8)
    tiles = []
    for camera, image, own in zip(rig, shown.images, ratio, strict=True):
        tile = max(round(height * own), 8), height
        label = camera.name if image is not None else f"{camera.name}: no image"
        small = None if image is None else cv2.resize(image, tile, interpolation=cv2.INTER_AREA)
        poses2d = shown.poses2d.get(camera.name)
        scaled = None if poses2d is None else _rescaled(poses2d, camera.size, tile)
        tiles.append(drawn_tile(small, tile, camera.resized(tile), 0, scaled, shown.poses3d, None, label))
        tiles.append(np.full((height, _GAP_PX, 3), 255, np.uint8))
    return np.concatenate(tiles[:-1], axis=1)


def _rescaled(poses: Poses2D, source: tuple[int, int], target: tuple[int, int]) -> Poses2D:
    factor = np.array(target) / np.array(source)
    return replace(poses, xy=(poses.xy + 0.5) * factor - 0.5)
