"""The state of a viewer and what keys do to it, without any window: a pure function of state and key.

The window and the browser show what this says; tests press keys here.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from jaxtyping import Float

from mv3d.viz.display import Display

# The last frame stays for a moment before the recording begins again.
_PAUSE_AT_END_S = 0.5
_SLOWEST, _FASTEST = 1 / 16, 16.0
_JUMP_S = 1.0
# Page up and down scrub by this share of the recording.
_PAGE = 0.1
# True to scale first; then large enough to see the shape of millimetres.
_ELLIPSOIDS = (0.0, 1.0, 5.0)

HELP: tuple[tuple[str, str], ...] = (
    ("space", "play, stop"),
    ("left, right", "a frame back, on"),
    ("down, up", "a second back, on"),
    ("page down, page up", "a tenth of the recording"),
    ("home, end", "first, last frame"),
    ("-, =", "half, double speed"),
    ("c, 1 to 9", "through a camera"),
    ("0", "free eye again"),
    ("r", "eye back to the start"),
    ("i", "video images"),
    ("d", "2D on the images"),
    ("t", "trails"),
    ("u", "uncertainty x1, x5, off"),
    ("g", "the other run"),
    ("f", "floor"),
    ("k", "cameras"),
    ("s", "picture to a PNG"),
    ("v", "film to an MP4; again: stop"),
    ("h", "these keys"),
    ("q", "close"),
)
"""Keys and what they do, as the help lists them."""


@dataclass(frozen=True, slots=True)
class Playback:
    """What a viewer shows.

    Attributes:
        display: the layers, and the camera that is looked through.
        elapsed: s from the first frame, on the recording's own clock.
        is_playing: whether it goes on by itself.
        speed: s of the recording a second.
    """

    display: Display = field(default_factory=Display)
    elapsed: float = 0.0
    is_playing: bool = True
    speed: float = 1.0


def frame_of(state: Playback, timestamps: Float[np.ndarray, " frame"]) -> int:
    """The frame shown: the last that is not in the future."""
    # A nanosecond of tolerance: the difference of two times must find the frame that it was made from.
    return max(int(np.searchsorted(timestamps - timestamps[0], state.elapsed + 1e-9, side="right")) - 1, 0)


def advanced(state: Playback, seconds: float, timestamps: Float[np.ndarray, " frame"]) -> Playback:
    """The state after so much time of the viewer's clock; the recording begins again after its end."""
    if not state.is_playing:
        return state
    elapsed = state.elapsed + seconds * state.speed
    end = float(timestamps[-1] - timestamps[0])
    return replace(state, elapsed=0.0 if elapsed > end + _PAUSE_AT_END_S * state.speed else elapsed)


def at_frame(state: Playback, frame: int, timestamps: Float[np.ndarray, " frame"]) -> Playback:
    """The state stopped at a frame; beyond the ends it goes round."""
    return replace(state, is_playing=False, elapsed=float(timestamps[frame % len(timestamps)] - timestamps[0]))


def pressed(
    state: Playback, key: str, timestamps: Float[np.ndarray, " frame"], cameras: Sequence[str] = ()
) -> Playback:
    """The state after a key; unknown keys change nothing.

    Args:
        state: before.
        key: as in `HELP`: a letter or digit, "space", "left", "page up", ...
        timestamps: of the recording, s.
        cameras: names of the rig; digits count from 1.
    """
    frame, display = frame_of(state, timestamps), state.display
    if key in _STEPS:
        return at_frame(state, frame + _STEPS[key], timestamps)
    if key in _JUMPS:
        return _scrubbed(state, _JUMPS[key](timestamps), timestamps)
    if key in _SWITCHES:
        name = _SWITCHES[key]
        return replace(state, display=replace(display, **{name: not getattr(display, name)}))
    if key in _SPEEDS:
        return replace(state, speed=float(np.clip(state.speed * _SPEEDS[key], _SLOWEST, _FASTEST)))
    if key == "u":
        later = [scale for scale in _ELLIPSOIDS if scale > display.ellipsoids]
        return replace(state, display=replace(display, ellipsoids=later[0] if later else _ELLIPSOIDS[0]))
    if key == "c" or (len(key) == 1 and key.isdigit()):
        return replace(state, display=replace(display, camera=_camera_after(key, display.camera, cameras)))
    return _played(state, key, timestamps)


def _played(state: Playback, key: str, timestamps: np.ndarray) -> Playback:
    if key == "space":
        return replace(state, is_playing=not state.is_playing)
    if key in ("home", "end"):
        return at_frame(state, 0 if key == "home" else -1, timestamps)
    return state


def _scrubbed(state: Playback, by: float, timestamps: np.ndarray) -> Playback:
    """So many seconds on, to the ends at most; goes on playing if it was."""
    end = float(timestamps[-1] - timestamps[0])
    return replace(state, elapsed=float(np.clip(min(state.elapsed, end) + by, 0.0, end)))


def _camera_after(key: str, camera: str | None, cameras: Sequence[str]) -> str | None:
    """The camera of a digit, or the next one; None, the free eye, comes after the last."""
    if key == "c":
        following = cameras.index(camera) + 1 if camera in cameras else 0
        return cameras[following] if following < len(cameras) else None
    if key == "0":
        return None
    return cameras[int(key) - 1] if int(key) <= len(cameras) else camera


_STEPS = {"left": -1, "right": 1}
_JUMPS: dict[str, Callable[[np.ndarray], float]] = {
    "down": lambda _: -_JUMP_S,
    "up": lambda _: _JUMP_S,
    "page down": lambda times: -_PAGE * float(times[-1] - times[0]),
    "page up": lambda times: _PAGE * float(times[-1] - times[0]),
}
_SPEEDS = {"-": 0.5, "=": 2.0}
_SWITCHES = {
    "i": "images",
    "d": "detections",
    "t": "trails",
    "g": "ghost",
    "f": "floor",
    "k": "cameras",
    "h": "help",
}
