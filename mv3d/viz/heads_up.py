"""What is written over the scene: the list of keys, and the line with frame, time and speed."""

import numpy as np
from jaxtyping import UInt8

from mv3d.viz.colors import Rgb
from mv3d.viz.playback import HELP, Playback
from mv3d.viz.text import draw_text, text_size

_INK: Rgb = (45, 48, 56)
_FAINT: Rgb = (105, 110, 120)
_PLATE: Rgb = (250, 250, 252)
_LINE = 1.9  # line height by capital height


def status_line(state: Playback, frame: int, timestamps: np.ndarray) -> str:
    """Frame, time, and what else one must know to read the picture."""
    speed = "" if state.speed == 1 else f"   {_speed(state.speed)}"
    stopped = "" if state.is_playing else "   stopped"
    return f"frame {frame} of {len(timestamps)}, {timestamps[frame]:.3f} s{speed}{stopped}"


def help_picture(capital_px: float = 11.0) -> UInt8[np.ndarray, "height width 3"]:
    """The keys and what they do, BGR on a light plate."""
    left = max(text_size(key, capital_px)[0] for key, _ in HELP)
    right = max(text_size(what, capital_px)[0] for _, what in HELP)
    margin, line = round(1.2 * capital_px), round(_LINE * capital_px)
    plate = np.full((2 * margin + line * len(HELP), left + right + 4 * margin, 3), _PLATE[::-1], np.uint8)
    for row, (key, what) in enumerate(HELP):
        y = margin + row * line
        draw_text(plate, key, (margin, y), capital_px, _INK)
        draw_text(plate, what, (2 * margin + left, y), capital_px, _FAINT)
    return plate


def status_picture(lines: list[tuple[str, Rgb]], capital_px: float = 11.0) -> UInt8[np.ndarray, "height width 3"]:
    """Lines of text, each in its colour, BGR on a light plate."""
    margin, line = round(0.7 * capital_px), round(_LINE * capital_px)
    width = max(text_size(text, capital_px)[0] for text, _ in lines) + 2 * margin
    plate = np.full((2 * margin + line * len(lines), width, 3), _PLATE[::-1], np.uint8)
    for row, (text, rgb) in enumerate(lines):
        draw_text(plate, text, (margin, margin + row * line), capital_px, rgb)
    return plate


def paste(image: UInt8[np.ndarray, "height width 3"], plate: UInt8[np.ndarray, "rows columns 3"], top: int) -> None:
    """Lay a plate onto a picture, in place, against its right edge, `top` px down; cut off where it is too large."""
    rows, columns = min(len(plate), max(len(image) - top, 0)), min(plate.shape[1], image.shape[1])
    image[top : top + rows, image.shape[1] - columns :] = plate[:rows, :columns]


def _speed(speed: float) -> str:
    return f"x{speed:g}" if speed >= 1 else f"x1/{round(1 / speed)}"
