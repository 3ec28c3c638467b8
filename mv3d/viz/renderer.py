"""Open3D behind a small door: our meshes as its meshes, a hidden window, a picture of it.

Uses the legacy Visualizer, which draws through EGL where there is no display; the newer OffscreenRenderer is slow on
machines without a GPU and may end the whole process.
"""

import os
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import cv2
import numpy as np
from jaxtyping import UInt8

from mv3d.errors import Mv3dError
from mv3d.viz.colors import BACKGROUND
from mv3d.viz.content import Content
from mv3d.viz.display import Display
from mv3d.viz.frame_meshes import Plane, fixed_lines, frame_meshes, planes
from mv3d.viz.mesh import Mesh, merged
from mv3d.viz.scene import SceneGeometry
from mv3d.viz.viewpoint import Viewpoint

# The legacy Visualizer draws through EGL without smoothing edges: it draws this many times larger, then shrinks.
SUPERSAMPLING = 1.5
# What the Visualizer shows, m: nearer and further than any scene, whose size it does not know while it changes.
_NEAR_M, _FAR_M = 0.02, 2000.0
# Where there is nothing to draw stands a triangle without area: Open3D warns of meshes without vertices.
_NOTHING = Mesh(np.zeros((1, 3)), np.array([[0.0, 0.0, 1.0]]), np.zeros((1, 3), np.int32), np.zeros((1, 3)))


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
    mesh = mesh if len(mesh.vertices) else _NOTHING
    target = o3d.geometry.TriangleMesh() if into is None else into
    vector = o3d.utility.Vector3dVector
    target.vertices = vector(np.ascontiguousarray(mesh.vertices))
    target.vertex_normals = vector(np.ascontiguousarray(mesh.normals))
    target.vertex_colors = vector(np.ascontiguousarray(mesh.rgb))
    target.triangles = o3d.utility.Vector3iVector(np.ascontiguousarray(mesh.triangles))
    if lit:
        target.compute_triangle_normals()  # Open3D shades only meshes that have these as well
    return target


class Open3dScene:
    """The scene in a Visualizer: meshes that stay, whose vertices and pictures change from frame to frame.

    `content` and `scene` may be exchanged for others of the same rig between two frames.
    """

    def __init__(self, window: Any, content: Content, scene: SceneGeometry) -> None:
        """Nothing is shown before `show`.

        Args:
            window: an Open3D Visualizer that was created.
            content: what there is to show.
            scene: what stands still in it.
        """
        self._window = window
        self.content, self.scene = content, scene
        # The Visualizer takes the size of the world from what is added first, and cannot look at one without extent.
        self._fixed = open3d_mesh(fixed_lines(content, scene, Display()).mesh())
        window.add_geometry(self._fixed)
        self._shadow, self._marks, self._body = (open3d_mesh(merged([])) for _ in range(3))
        for mesh in (self._shadow, self._marks, self._body):
            window.add_geometry(mesh, False)
        self._planes: dict[str, Any] = {}
        self._display: Display | None = None

    def show(self, frame: int, display: Display) -> None:
        """Show a frame."""
        if display != self._display:
            self._fill(self._fixed, fixed_lines(self.content, self.scene, display).mesh())
        meshes = frame_meshes(self.content, self.scene, frame, display)
        self._fill(self._shadow, meshes.shadow)
        self._fill(self._marks, meshes.marks)
        self._fill(self._body, meshes.body, lit=True)
        self._show_planes(planes(self.content, self.scene, frame, display), moved=display != self._display)
        self._display = display

    def refresh(self) -> None:
        """Draw anew what stands still, after `scene` was exchanged."""
        self._display = None

    def _fill(self, target: Any, mesh: Mesh, *, lit: bool = False) -> None:
        open3d_mesh(mesh, into=target, lit=lit)
        self._window.update_geometry(target)

    def _show_planes(self, shown: dict[str, Plane], *, moved: bool) -> None:
        for name in set(self._planes) - set(shown) if not moved else set(self._planes):
            self._window.remove_geometry(self._planes.pop(name), False)
        for name, plane in shown.items():
            if name in self._planes:
                self._planes[name].textures = [open3d().geometry.Image(np.ascontiguousarray(plane.rgb))]
                self._window.update_geometry(self._planes[name])
            else:
                self._planes[name] = open3d_plane(plane)
                self._window.add_geometry(self._planes[name], False)


def open3d_plane(plane: Plane) -> Any:
    """A picture in the world, its colours as they are."""
    o3d = open3d()
    mesh = o3d.geometry.TriangleMesh()
    mesh.vertices = o3d.utility.Vector3dVector(plane.corners)
    mesh.triangles = o3d.utility.Vector3iVector(np.array([[0, 1, 2], [0, 2, 3]], np.int32))
    uv = np.array([[0, 0], [1, 0], [1, 1], [0, 0], [1, 1], [0, 1]], float)
    mesh.triangle_uvs = o3d.utility.Vector2dVector(uv)
    mesh.triangle_material_ids = o3d.utility.IntVector([0, 0])
    mesh.textures = [o3d.geometry.Image(np.ascontiguousarray(plane.rgb))]
    return mesh


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
    control = window.get_view_control()
    control.set_constant_z_near(_NEAR_M)
    control.set_constant_z_far(_FAR_M)
    control.convert_from_pinhole_camera_parameters(parameters, True)


def eye_of(window: Any) -> Viewpoint:
    """Where a window looks from now, after its user has turned it."""
    parameters = window.get_view_control().convert_to_pinhole_camera_parameters()
    transform, intrinsic = np.asarray(parameters.extrinsic), parameters.intrinsic
    R, size = transform[:3, :3], (int(intrinsic.width), int(intrinsic.height))
    eye = -R.T @ transform[:3, 3]
    tangent = 0.5 * size[1] / float(intrinsic.intrinsic_matrix[1, 1])
    return Viewpoint(eye, eye + R[2], -R[1], size, tangent)


def captured(window: Any, size: tuple[int, int]) -> UInt8[np.ndarray, "height width 3"]:
    """BGR picture of what the window shows now, at `size` (width, height) px."""
    window.poll_events()
    image = cv2.convertScaleAbs(np.asarray(window.capture_screen_float_buffer(True)), alpha=255)
    if (image.shape[1], image.shape[0]) != size:
        image = cv2.resize(image, size, interpolation=cv2.INTER_AREA)
    return cv2.cvtColor(image, cv2.COLOR_RGB2BGR)


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
