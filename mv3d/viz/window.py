"""The 3D scene in a window: plays, scrubs, looks through cameras, and turns with the mouse."""

import itertools
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from mv3d.errors import Mv3dError
from mv3d.files.writing import whole_file
from mv3d.viz.colors import Rgb
from mv3d.viz.content import Content
from mv3d.viz.display import Display
from mv3d.viz.heads_up import help_picture, status_line, status_picture
from mv3d.viz.movie import write_movie
from mv3d.viz.playback import Playback, advanced, at_frame, frame_of, pressed
from mv3d.viz.renderer import Open3dScene, SceneError, has_display, look_from, open3d, quiet_start, style_window
from mv3d.viz.scene import scene_geometry
from mv3d.viz.viewer import legend, viewpoint_of
from mv3d.viz.viewpoint import default_viewpoint
from mv3d.viz.window_texts import Texts, camera_names

_SIZE = (1280, 720)
_TITLE = "mv3d   space: play, stop   left, right: step   h: all keys   drag: turn   wheel: nearer, further   q: close"
# Key codes of GLFW, the window library of Open3D; letters, digits and signs have those of their capitals.
_ARROWS = ("right", "left", "down", "up", "page up", "page down", "home", "end")
_NAMED_KEYS = {"space": 32, **{key: 262 + k for k, key in enumerate(_ARROWS)}}
_SIGN_KEYS = "-=cituhgfkd0123456789"
_INK: Rgb = (45, 48, 56)


def show(content: Content, display: Display, folder: Path) -> None:
    """Play the scene in a window until it is closed.

    Args:
        content: what there is to show.
        display: the layers at the start.
        folder: where pictures and videos asked for by keys go.

    Raises:
        SceneError: nothing to show, no display, or Open3D cannot open a window on it.
    """
    if not len(content.poses3d):
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
        Player(window, content, display, folder).run()
    finally:
        window.destroy_window()


class Player:
    """A playing window: what it shows is in `state`, which keys and the clock change."""

    def __init__(self, window: Any, content: Content, display: Display, folder: Path) -> None:
        """Nothing is drawn before `run`; see `show` for the arguments."""
        self.state = Playback(display)
        self._window, self._content, self._folder = window, content, folder
        self._scene = scene_geometry(content.rig, content.poses3d)
        self._meshes = Open3dScene(window, content, self._scene)
        self._names: list[Any] = []
        self._texts = Texts(window)
        self._shown: tuple[int, Display] | None = None
        self._message, self._is_filming = "", False
        self._clock = time.monotonic()

    def run(self) -> None:
        """Show everything and hand over to the window until it is closed."""
        self.start()
        self._window.run()

    def start(self) -> None:
        """Show the first frame and listen to keys."""
        self._names = camera_names(self._scene, default_viewpoint(self._scene, _SIZE))
        for name in self._names if self.state.display.cameras else []:
            self._window.add_geometry(name, False)
        for key, code in [*_NAMED_KEYS.items(), *((key, ord(key.upper())) for key in _SIGN_KEYS)]:
            self._window.register_key_callback(code, lambda _, key=key: self.press(key))
        for key, act in (("s", self._picture), ("v", self._video), ("r", self._look)):
            self._window.register_key_callback(ord(key.upper()), lambda _, act=act: act())
        self._window.register_animation_callback(lambda _: self.tick())
        self._draw()
        self._look()
        self._write_texts()

    def press(self, key: str) -> bool:
        """What a key does; returns whether the picture changed."""
        before = self.state.display
        self.state = pressed(self.state, key, self._content.poses3d.timestamps, self._content.rig.names)
        self._message = ""
        changed = self._draw()
        if self.state.display.camera != before.camera:
            self._look()
        self._write_texts()
        return changed or self.state.display != before

    def tick(self) -> bool:
        """Show the frame of this moment."""
        if self._is_filming:
            return False
        now = time.monotonic()
        self.state = advanced(self.state, now - self._clock, self._content.poses3d.timestamps)
        self._clock = now
        changed = self._draw()
        self._write_texts()
        return changed

    def _draw(self) -> bool:
        display = self.state.display
        frame = frame_of(self.state, self._content.poses3d.timestamps)
        if self._shown == (frame, display):
            return False
        had_names = self._shown is None or _has_names(self._shown[1])
        self._meshes.show(frame, display)
        if _has_names(display) != had_names:
            change = self._window.add_geometry if _has_names(display) else self._window.remove_geometry
            for name in self._names:
                change(name, False)
        self._shown = (frame, display)
        return True

    def _look(self) -> bool:
        look_from(self._window, viewpoint_of(self._content, self._scene, self.state.display, _SIZE))
        return True

    def _write_texts(self) -> None:
        frame = frame_of(self.state, self._content.poses3d.timestamps)
        lines = [(status_line(self.state, frame, self._content.poses3d.timestamps), _INK)]
        lines += [(self._message, _INK)] if self._message else []
        lines += legend(self._content, self.state.display)
        self._texts.show(status_picture(lines), help_picture() if self.state.display.help else None)

    def _picture(self) -> bool:
        bgr = self._captured()
        self._write(".png", lambda path: path.write_bytes(cv2.imencode(".png", bgr)[1].tobytes()))
        return True

    def _video(self) -> bool:
        """All frames from where the eye is now, up to where the key is pressed again."""
        if self._is_filming:
            self._is_filming = False
            return False
        self._is_filming, stopped = True, self.state
        fps = self._content.poses3d.fps or 1.0
        self._write(".mp4", lambda path: write_movie(path, self._all_frames(), fps))
        self._is_filming, self.state = False, stopped
        self._clock = time.monotonic()
        self._draw()
        return True

    def _all_frames(self) -> Iterator[np.ndarray]:
        times = self._content.poses3d.timestamps
        for frame in range(len(times)):
            self.state = at_frame(self.state, frame, times)
            self._draw()
            self._write_texts()
            self._window.poll_events()
            yield self._captured()
            if not self._is_filming:
                return

    def _captured(self) -> np.ndarray:
        """BGR of what the window shows."""
        rgb = np.asarray(self._window.capture_screen_float_buffer(True))
        return cv2.convertScaleAbs(rgb[..., ::-1], alpha=255)

    def _write(self, suffix: str, write: Callable[[Path], object]) -> None:
        path = next(p for n in itertools.count(1) if not (p := self._folder / f"view_{n:03d}{suffix}").exists())
        try:
            with whole_file(path) as part:
                write(part)
            self._message = f"saved {path.name}"
        except Mv3dError as error:
            self._message = str(error)
        self._write_texts()


def _has_names(display: Display) -> bool:
    return display.cameras and display.camera is None
