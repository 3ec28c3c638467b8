"""Open3D behind a small door: our meshes as its meshes, a hidden window, a picture of it.

Uses the legacy Visualizer, which draws through EGL where there is no display; the newer OffscreenRenderer is slow on
machines without a GPU and may end the whole process.
"""

import os
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

import cv2
import numpy as np
from jaxtyping import UInt8

from mv3d.data.poses import Poses3D
from mv3d.errors import Mv3dError
from mv3d.viz.mesh import Mesh, shadow
from mv3d.viz.scene import BACKGROUND, SceneGeometry, skeleton_geometry
from mv3d.viz.viewpoint import Viewpoint

# The legacy Visualizer draws through EGL without smoothing edges: it draws this many times larger, then shrinks.
SUPERSAMPLING = 1.5
_SHADOW_RGB = (0.80, 0.81, 0.83)


class SceneError(Mv3dError):
    """The 3D scene cannot be drawn on this machine."""


def has_display() -> bool:
    """Whether a window could be opened at all."""
    return not sys.platform.startswith("linux") or any(os.environ.get(k) for k in ("DISPLAY", "WAYLAND_DISPLAY"))


def open3d() -> Any:
    """The Open3D module, imported when first needed: it takes a second.

    Raises:
        SceneError: it, or a system library that it needs, is missing.
    """
    try:
        import open3d as module
    except (ImportError, OSError) as error:
        reason = " ".join(str(error).split())
        raise SceneError(f"Open3D cannot be loaded ({reason}); install libegl1, libgl1 and libusb-1.0-0") from error
    return module


def open3d_mesh(mesh: Mesh, into: Any = None, *, lit: bool = False) -> Any:
    """An `open3d.geometry.TriangleMesh` of our arrays.

    Args:
        mesh: what to show.
        into: a mesh of an earlier call, which is filled anew: far cheaper than adding another to a window.
        lit: shaded by Open3D's lamps; else the colours are shown as they are.
    """
    o3d = open3d()
    target = o3d.geometry.TriangleMesh() if into is None else into
    vector = o3d.utility.Vector3dVector
    target.vertices = vector(np.ascontiguousarray(mesh.vertices))
    target.vertex_normals = vector(np.ascontiguousarray(mesh.normals))
    target.vertex_colors = vector(np.ascontiguousarray(mesh.rgb))
    target.triangles = o3d.utility.Vector3iVector(np.ascontiguousarray(mesh.triangles))
    if lit:
        target.compute_triangle_normals()  # Open3D shades only meshes that have these as well
    return target


@dataclass(frozen=True, slots=True, eq=False)
class Open3dScene:
    """Open3D meshes of a scene: `fixed` stands still, `shadow` and `body` follow the people."""

    fixed: Any
    shadow: Any
    body: Any

    def add_to(self, window: Any) -> None:
        """Add all to a Visualizer."""
        for mesh in (self.fixed, self.shadow, self.body):
            window.add_geometry(mesh)

    def move(self, window: Any, scene: SceneGeometry, poses3d: Poses3D, frame: int) -> None:
        """Show another frame: the vertices change, the meshes stay."""
        body = skeleton_geometry(poses3d, frame).mesh()
        open3d_mesh(body, into=self.body, lit=True)
        open3d_mesh(shadow(body, scene.floor_height, scene.up, _SHADOW_RGB), into=self.shadow)
        window.update_geometry(self.shadow)
        window.update_geometry(self.body)


def open3d_geometries(scene: SceneGeometry, poses3d: Poses3D, frame: int) -> Open3dScene:
    """Meshes of the scene and of the people in one frame."""
    body = skeleton_geometry(poses3d, frame).mesh()
    flat = shadow(body, scene.floor_height, scene.up, _SHADOW_RGB)
    return Open3dScene(open3d_mesh(scene.mesh()), open3d_mesh(flat), open3d_mesh(body, lit=True))


@contextmanager
def hidden_window(size: tuple[int, int]) -> Iterator[Any]:
    """A legacy Visualizer that shows nothing on a screen; it is SUPERSAMPLING times `size` (width, height) px.

    Raises:
        SceneError: no way to draw was found.
    """
    o3d = open3d()
    window = o3d.visualization.Visualizer()
    with quiet_start():
        width, height = _scaled(size, SUPERSAMPLING)
        opened = window.create_window(width=width, height=height, visible=False)
    if not opened or window.get_render_option() is None:
        raise SceneError("Open3D cannot draw here (no EGL); install libegl1 and libgl1-mesa-dri, or skip the 3D scene")
    try:
        style_window(window)
        yield window
    finally:
        window.destroy_window()


def style_window(window: Any) -> None:
    """Light background; colours as they are, smoothly shaded."""
    options = window.get_render_option()
    options.background_color = np.array(BACKGROUND)
    options.mesh_show_back_face = True
    options.light_on = True


def look_from(window: Any, view: Viewpoint, scale: float = 1.0) -> None:
    """Put the eye of a window at a viewpoint; the window is `scale` times as large as the viewpoint's size."""
    o3d = open3d()
    view = replace(view, size=_scaled(view.size, scale))
    parameters = o3d.camera.PinholeCameraParameters()
    parameters.intrinsic = o3d.camera.PinholeCameraIntrinsic(view.size[0], view.size[1], view.K)
    parameters.extrinsic = view.eye_from_world
    window.get_view_control().convert_from_pinhole_camera_parameters(parameters, True)


def captured(window: Any, size: tuple[int, int]) -> UInt8[np.ndarray, "height width 3"]:
    """BGR picture of what the window shows now, at `size` (width, height) px."""
    window.poll_events()
    window.update_renderer()
    rgb = np.asarray(window.capture_screen_float_buffer(False))
    if (rgb.shape[1], rgb.shape[0]) != size:
        rgb = cv2.resize(rgb, size, interpolation=cv2.INTER_AREA)
    return cv2.convertScaleAbs(cv2.cvtColor(rgb, cv2.COLOR_RGB2BGR), alpha=255)


def _scaled(size: tuple[int, int], scale: float) -> tuple[int, int]:
    return round(scale * size[0]), round(scale * size[1])


@contextmanager
def quiet_start() -> Iterator[None]:
    """While a window is made: errors only, and an XDG_RUNTIME_DIR, whose lack puzzles users with a complaint."""
    o3d = open3d()
    with tempfile.TemporaryDirectory() as folder, o3d.utility.VerbosityContextManager(o3d.utility.VerbosityLevel.Error):
        is_missing = sys.platform.startswith("linux") and not os.environ.get("XDG_RUNTIME_DIR")
        if is_missing:
            os.environ["XDG_RUNTIME_DIR"] = folder
        try:
            yield
        finally:
            if is_missing:
                os.environ.pop("XDG_RUNTIME_DIR", None)
