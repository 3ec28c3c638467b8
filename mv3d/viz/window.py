"""The 3D scene in a window: plays, stops, steps, and turns with the mouse."""

import time
from typing import Any

import numpy as np

from mv3d.data.poses import Poses3D
from mv3d.data.rig import Rig
from mv3d.viz.renderer import SceneError, has_display, look_from, open3d, open3d_geometries, quiet_start, style_window
from mv3d.viz.scene import SceneGeometry, scene_geometry
from mv3d.viz.text import shortened
from mv3d.viz.viewpoint import Viewpoint, default_viewpoint

_SIZE = (1280, 720)
_TITLE = "mv3d   space: play, stop   left, right: step   drag: turn   wheel: nearer, further   q: close"
# Key codes of GLFW, the window library of Open3D.
_KEY_SPACE, _KEY_RIGHT, _KEY_LEFT = 32, 262, 263
_PAUSE_AT_END_S = 0.5
_NAME_HEIGHT_M = 0.12
_NAME_RGB = (0.18, 0.19, 0.22)


def show(rig: Rig, poses3d: Poses3D) -> None:
    """Play the scene in a window until it is closed: space plays and stops, left and right step, drag turns.

    Raises:
        SceneError: nothing to show, no display, or Open3D cannot open a window on it.
    """
    if not len(poses3d):
        raise SceneError("the reconstruction holds no frames to show")
    if not has_display():
        raise SceneError("there is no display to open a window on; play the session's scene.mp4 instead")
    window = open3d().visualization.VisualizerWithKeyCallback()
    with quiet_start():
        opened = window.create_window(window_name=_TITLE, width=_SIZE[0], height=_SIZE[1])
    if not opened:
        raise SceneError("Open3D cannot open a window on this display; play the session's scene.mp4 instead")
    try:
        style_window(window)
        Player(window, rig, poses3d).run()
    finally:
        window.destroy_window()


class Player:
    """The state of a playing window: which frame it shows, and since when it plays."""

    def __init__(self, window: Any, rig: Rig, poses3d: Poses3D) -> None:
        self._window, self._poses3d = window, poses3d
        self._scene = scene_geometry(rig, poses3d)
        self._meshes = open3d_geometries(self._scene, poses3d, 0)
        self._frame, self._is_playing = 0, True
        self._clock_at_zero = time.monotonic()

    def run(self) -> None:
        """Show everything and hand over to the window until it is closed."""
        self._meshes.add_to(self._window)
        view = default_viewpoint(self._scene, _SIZE)
        for name in _camera_names(self._scene, view):
            self._window.add_geometry(name)
        look_from(self._window, view)
        self._window.register_key_callback(_KEY_SPACE, lambda _: self._toggle())
        self._window.register_key_callback(_KEY_LEFT, lambda _: self._step(-1))
        self._window.register_key_callback(_KEY_RIGHT, lambda _: self._step(1))
        self._window.register_animation_callback(lambda _: self._tick())
        self._window.run()

    def _toggle(self) -> bool:
        self._is_playing = not self._is_playing
        self._clock_at_zero = time.monotonic() - self._elapsed(self._frame)
        return False

    def _step(self, by: int) -> bool:
        self._is_playing = False
        return self._move_to((self._frame + by) % len(self._poses3d))

    def _tick(self) -> bool:
        """Show the frame of this moment; begin again after the last."""
        if not self._is_playing:
            return False
        now = time.monotonic() - self._clock_at_zero
        times = self._poses3d.timestamps - self._poses3d.timestamps[0]
        if now > times[-1] + _PAUSE_AT_END_S:
            self._clock_at_zero, now = time.monotonic(), 0.0
        return self._move_to(max(int(np.searchsorted(times, now, side="right")) - 1, 0))

    def _move_to(self, frame: int) -> bool:
        if frame == self._frame:
            return False
        self._frame = frame
        self._meshes.move(self._window, self._scene, self._poses3d, frame)
        return True

    def _elapsed(self, frame: int) -> float:
        return float(self._poses3d.timestamps[frame] - self._poses3d.timestamps[0])


def _camera_names(scene: SceneGeometry, view: Viewpoint) -> list[Any]:
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
