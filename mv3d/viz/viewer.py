"""The 3D scene rendered to pictures, without a display; Open3D draws, the text is written on top."""

from collections.abc import Iterator

import numpy as np
from jaxtyping import UInt8

from mv3d.data.poses import Poses3D
from mv3d.data.rig import Rig
from mv3d.viz.colors import PAPER, Rgb
from mv3d.viz.renderer import SUPERSAMPLING, captured, hidden_window, look_from, open3d_geometries
from mv3d.viz.scene import SceneGeometry, scene_geometry
from mv3d.viz.text import Box, draw_label, label_box, place_labels, shortened
from mv3d.viz.viewpoint import Viewpoint, default_viewpoint

_INK: Rgb = (45, 48, 56)
_FAINT: Rgb = (105, 110, 120)
_PLATE: Rgb = (250, 250, 252)


def render_scene(
    rig: Rig, poses3d: Poses3D, size: tuple[int, int] = (1280, 720), orbit_deg_per_second: float = 0.0
) -> Iterator[UInt8[np.ndarray, "height width 3"]]:
    """Draw each frame of the skeletons among the cameras; needs no display.

    Args:
        rig: the cameras.
        poses3d: the people.
        size: (width, height) px of the pictures.
        orbit_deg_per_second: how fast the eye walks around the person.

    Yields:
        BGR pictures, one a frame.

    Raises:
        SceneError: Open3D or the graphics libraries it needs are missing.
    """
    if not len(poses3d):
        return
    scene = scene_geometry(rig, poses3d)
    start = default_viewpoint(scene, size)
    with hidden_window(size) as window:
        meshes = open3d_geometries(scene, poses3d, 0)
        meshes.add_to(window)
        for frame in range(len(poses3d)):
            meshes.move(window, scene, poses3d, frame)
            elapsed = float(poses3d.timestamps[frame] - poses3d.timestamps[0])
            view = start.turned(np.deg2rad(orbit_deg_per_second * elapsed))
            look_from(window, view, SUPERSAMPLING)
            image = captured(window, size)
            annotate(image, scene, view, frame_line(poses3d, frame))
            yield image


def frame_line(poses3d: Poses3D, frame: int) -> str:
    """Frame number and time."""
    return f"frame {frame} of {len(poses3d)}, {poses3d.timestamps[frame]:.3f} s"


def annotate(image: UInt8[np.ndarray, "height width 3"], scene: SceneGeometry, view: Viewpoint, title: str) -> None:
    """Write title, legend and the cameras' names onto a picture of the scene, in place."""
    capital = max(image.shape[0] / 60, 7.0)
    margin = round(1.2 * capital)
    bars = [draw_label(image, title, (margin, margin), capital, _INK, _PLATE)]
    if scene.note:
        below = bars[0].top + bars[0].height + round(0.4 * capital)
        bars.append(draw_label(image, scene.note, (margin, below), 0.8 * capital, _FAINT, _PLATE))
    _draw_legend(image, margin, 0.8 * capital)
    _draw_names(image, scene, view, 0.9 * capital, bars)


def _draw_names(image: np.ndarray, scene: SceneGeometry, view: Viewpoint, capital: float, taken: list[Box]) -> None:
    """Write the name of each camera that is in the picture above it, clear of other text."""
    xy = view.project(scene.camera_xyz)
    shown = [k for k in range(len(xy)) if _is_near(xy[k], view.size)]
    names, wanted = [shortened(scene.camera_names[k]) for k in shown], []
    for name, k in zip(names, shown, strict=True):
        box = label_box(name, (0, 0), capital)
        left, top = round(float(xy[k, 0]) - box.width / 2), round(float(xy[k, 1])) - box.height
        wanted.append(label_box(name, (left, top), capital))
    for name, box in zip(names, place_labels(wanted, taken, view.size), strict=True):
        draw_label(image, name, (box.left, box.top), capital, _INK, _PLATE)


def _draw_legend(image: np.ndarray, margin: int, capital: float) -> None:
    x, y = margin, image.shape[0] - margin - round(2 * capital)
    for text, rgb in (("person's left", PAPER.left), ("person's right", PAPER.right), ("pale: filled", _FAINT)):
        box = draw_label(image, text, (x, y), capital, rgb, _PLATE)
        x += box.width + round(0.6 * capital)


def _is_near(xy: np.ndarray, size: tuple[int, int]) -> bool:
    """Whether a point is in the picture or so little outside that a part of the camera shows."""
    margin = 0.05 * np.array(size)
    return bool(np.isfinite(xy).all() and (xy >= -margin).all() and (xy < np.array(size) + margin).all())
