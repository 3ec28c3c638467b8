"""Text on images: sized in pixels, measured before it is drawn, kept inside the image and off other text."""

from dataclasses import dataclass

import cv2
import numpy as np
from jaxtyping import UInt8

from mv3d.viz.colors import Rgb, bgr

_FONT = cv2.FONT_HERSHEY_SIMPLEX
# Height of a capital letter of this font at scale 1, in px.
_CAPITAL_PX = 21.0
# Names come from files: a long one is cut rather than drawn across the picture.
_LONGEST = 40


@dataclass(frozen=True, slots=True)
class Box:
    """A rectangle in px: left, top, width, height."""

    left: int
    top: int
    width: int
    height: int

    def overlaps(self, other: "Box") -> bool:
        """Whether the two share any pixel."""
        apart_x = self.left + self.width <= other.left or other.left + other.width <= self.left
        apart_y = self.top + self.height <= other.top or other.top + other.height <= self.top
        return not (apart_x or apart_y)


def shortened(text: str) -> str:
    """One line of at most 40 characters; the middle of a longer text is left out."""
    text = " ".join(text.split())
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 12]}...{text[-9:]}"


def text_size(text: str, capital_px: float) -> tuple[int, int]:
    """Width and height (px) of a line whose capitals are `capital_px` tall, descenders included."""
    scale, thickness = _scale(capital_px)
    (width, _), _ = cv2.getTextSize(text, _FONT, scale, thickness)
    return int(width), int(np.ceil(1.45 * capital_px))


def draw_text(
    image: UInt8[np.ndarray, "height width 3"], text: str, corner: tuple[int, int], capital_px: float, rgb: Rgb
) -> None:
    """Draw one line in place with its top left corner at `corner` (x, y)."""
    scale, thickness = _scale(capital_px)
    at = (int(corner[0]), round(corner[1] + 1.12 * capital_px))
    cv2.putText(image, text, at, _FONT, scale, bgr(rgb), thickness, cv2.LINE_AA)


def draw_label(
    image: UInt8[np.ndarray, "height width 3"],
    text: str,
    corner: tuple[int, int],
    capital_px: float,
    rgb: Rgb,
    plate_rgb: Rgb,
    opacity: float = 0.65,
) -> Box:
    """Draw one line on a translucent plate, in place, smaller where it would not fit; returns the plate."""
    text = shortened(text)
    room = max(image.shape[1] - round(2 * capital_px), 8)
    capital_px = min(capital_px, capital_px * room / max(text_size(text, capital_px)[0], 1))
    box = label_box(text, corner, capital_px)
    plate = image[max(box.top, 0) : box.top + box.height, max(box.left, 0) : box.left + box.width]
    plate[:] = np.rint(plate * (1 - opacity) + np.array(bgr(plate_rgb)) * opacity).astype(np.uint8)
    padding = round(0.5 * capital_px)
    draw_text(image, text, (box.left + padding, box.top + round(0.35 * capital_px)), capital_px, rgb)
    return box


def label_box(text: str, corner: tuple[int, int], capital_px: float) -> Box:
    """Plate of a label whose top left corner is at `corner`."""
    width, height = text_size(text, capital_px)
    return Box(int(corner[0]), int(corner[1]), width + round(capital_px), height + round(0.5 * capital_px))


def place_labels(
    wanted: list[Box], taken: list[Box], size: tuple[int, int], step: int = 4, tries: int = 120
) -> list[Box]:
    """Move label plates up or down until none overlaps another, and into the image.

    Args:
        wanted: plates where they would like to be, in order of precedence.
        taken: plates that stay.
        size: (width, height) of the image.
        step: px by which a plate is moved.
        tries: how many places are tried before an overlap is put up with.
    """
    placed: list[Box] = []
    for box in wanted:
        inside = _inside(box, size)
        offsets = (step * ((k + 1) // 2) * (1 if k % 2 else -1) for k in range(tries))
        candidates = (_inside(Box(inside.left, inside.top + d, box.width, box.height), size) for d in offsets)
        free = (c for c in candidates if not any(c.overlaps(other) for other in (*taken, *placed)))
        placed.append(next(free, inside))
    return placed


def _inside(box: Box, size: tuple[int, int]) -> Box:
    left = min(max(box.left, 0), max(size[0] - box.width, 0))
    top = min(max(box.top, 0), max(size[1] - box.height, 0))
    return Box(left, top, box.width, box.height)


def _scale(capital_px: float) -> tuple[float, int]:
    return capital_px / _CAPITAL_PX, max(1, round(capital_px / 12))
