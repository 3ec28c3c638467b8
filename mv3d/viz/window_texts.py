"""Text in the 3D window, which has none of its own: pictures of it before the eye, and names as flat meshes."""

from typing import Any, Literal

import numpy as np
from jaxtyping import Float, UInt8

from mv3d.viz.frame_meshes import Plane
from mv3d.viz.renderer import eye_of, open3d, open3d_plane
from mv3d.viz.scene import SceneGeometry
from mv3d.viz.text import shortened
from mv3d.viz.viewpoint import Viewpoint

_NAME_HEIGHT_M = 0.12
_NAME_RGB = (0.18, 0.19, 0.22)
# Text stands this far in front of the eye, m: nearer than anything else.
_DEPTH_M = 0.05
_MARGIN_PX = 8
_Side = Literal["left", "right", "bottom"]


class Texts:
    """Plates in the upper corners and the lower left one of a window, wherever its eye is."""

    def __init__(self, window: Any) -> None:
        """Nothing is written before `show`."""
        self._window = window
        self._plates: dict[_Side, Any] = {}

    def show(
        self,
        left: UInt8[np.ndarray, "_ _ 3"] | None,
        right: UInt8[np.ndarray, "_ _ 3"] | None,
        bottom: UInt8[np.ndarray, "_ _ 3"] | None = None,
    ) -> None:
        """Show BGR pictures in the corners; None takes one away."""
        eye = eye_of(self._window)
        pictures: dict[_Side, np.ndarray | None] = {"left": left, "right": right, "bottom": bottom}
        for side, picture in pictures.items():
            if picture is not None:
                size = picture.shape[1], picture.shape[0]
                self._place(side, Plane(plate_corners(eye, size, side), picture[..., ::-1]))
            elif side in self._plates:
                self._window.remove_geometry(self._plates.pop(side), False)

    def _place(self, side: _Side, plane: Plane) -> None:
        if side not in self._plates:
            self._plates[side] = open3d_plane(plane)
            self._window.add_geometry(self._plates[side], False)
            return
        mesh = self._plates[side]
        mesh.vertices = open3d().utility.Vector3dVector(plane.corners)
        mesh.textures = [open3d().geometry.Image(np.ascontiguousarray(plane.rgb))]
        self._window.update_geometry(mesh)


def plate_corners(eye: Viewpoint, size: tuple[int, int], side: _Side) -> Float[np.ndarray, "4 3"]:
    """Corners of a plate of `size` (width, height) px in a corner of what the eye sees, in the world, m."""
    left = eye.size[0] - _MARGIN_PX - size[0] if side == "right" else _MARGIN_PX
    top = eye.size[1] - _MARGIN_PX - size[1] if side == "bottom" else _MARGIN_PX
    x, y = np.array([left, left + size[0]]) - 0.5, np.array([top, top + size[1]]) - 0.5
    x_image = np.array([[x[0], y[0], 1], [x[1], y[0], 1], [x[1], y[1], 1], [x[0], y[1], 1]])
    transform = eye.eye_from_world
    x_eye = _DEPTH_M * x_image @ np.linalg.inv(eye.K).T
    return (x_eye - transform[:3, 3]) @ transform[:3, :3]


def camera_names(scene: SceneGeometry, view: Viewpoint) -> list[Any]:
    """The names as flat meshes above the cameras that face the first viewpoint: this kind of window has no text."""
    o3d, meshes = open3d(), []
    right, down, _ = view.eye_from_world[:3, :3]
    for name, at in zip(scene.camera_names, scene.camera_xyz, strict=True):
        mesh = o3d.t.geometry.TriangleMesh.create_text(shortened(name)).to_legacy()
        vertices = np.asarray(mesh.vertices)
        if not len(vertices):
            continue
        low, high = vertices.min(0), vertices.max(0)
        scale = _NAME_HEIGHT_M / max(float(high[1] - low[1]), 1e-6)
        flat = (vertices[:, :2] - [(low[0] + high[0]) / 2, low[1]]) * scale
        mesh.vertices = o3d.utility.Vector3dVector(at + flat[:, :1] * right - flat[:, 1:] * down)
        mesh.paint_uniform_color(_NAME_RGB)
        meshes.append(mesh)
    return meshes
