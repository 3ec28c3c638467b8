"""One palette for every picture: the side of the body, the state of a joint, the camera.

Colours are those of Okabe and Ito (Color Universal Design, 2008), which stay apart for every kind of colour
blindness: blue is the person's left, vermilion or orange the right, grey the midline.
"""

from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from jaxtyping import UInt8

from mv3d.data.poses import FILLED, MEASURED, MISSING
from mv3d.data.skeleton import Skeleton, name_side

Side = Literal["left", "right", "middle"]
Rgb = tuple[int, int, int]


@dataclass(frozen=True, slots=True)
class Palette:
    """RGB of the sides of the body."""

    left: Rgb
    right: Rgb
    middle: Rgb

    def of(self, side: Side) -> Rgb:
        """Colour of one side."""
        return getattr(self, side)


PAPER = Palette(left=(0, 114, 178), right=(213, 94, 0), middle=(90, 90, 98))
"""For light backgrounds: plots and the 3D scene."""

VIDEO = Palette(left=(86, 190, 255), right=(255, 160, 20), middle=(235, 235, 235))
"""The same hues, brighter, for video images, which are darker than paper."""

STATE_RGB: dict[int, Rgb] = {
    int(MISSING): (224, 224, 228),
    int(MEASURED): (0, 158, 115),
    int(FILLED): (240, 200, 60),
}
"""Colour of a joint's state; they also differ in lightness, for a black and white print."""

STATE_NAMES: dict[int, str] = {int(MISSING): "missing", int(MEASURED): "measured", int(FILLED): "filled"}

BACKGROUND = (0.96, 0.965, 0.975)
"""RGB behind the 3D scene, in [0, 1]."""

# What is in the middle of the body tells people apart; the performer's is grey.
_PEOPLE: tuple[Rgb, ...] = (PAPER.middle, (0, 158, 115), (204, 121, 167), (230, 159, 0), (86, 180, 233), (150, 110, 60))

_CAMERAS: tuple[Rgb, ...] = (
    *((0, 114, 178), (213, 94, 0), (0, 158, 115), (204, 121, 167)),
    *((230, 159, 0), (86, 180, 233), (70, 70, 70), (150, 110, 60)),
)


def side_of(keypoint: str) -> Side:
    """Side of the body that a joint name tells: "RKnee" and "right_hock" are right, "Nose" is in the middle."""
    sides: dict[str, Side] = {"L": "left", "R": "right"}
    return sides.get(name_side(keypoint), "middle")


def bone_side(a: str, b: str) -> Side:
    """Side of a bone: that of its joint off the midline; a bone across the body is in the middle."""
    sides: set[Side] = {side for side in (side_of(a), side_of(b)) if side != "middle"}
    return sides.pop() if len(sides) == 1 else "middle"


def joint_colors(skeleton: Skeleton, palette: Palette = PAPER) -> UInt8[np.ndarray, "joint 3"]:
    """RGB of each joint."""
    return _table([palette.of(side_of(name)) for name in skeleton.keypoints])


def bone_colors(skeleton: Skeleton, palette: Palette = PAPER) -> UInt8[np.ndarray, "bone 3"]:
    """RGB of each of `skeleton.bones`."""
    names = skeleton.keypoints
    return _table([palette.of(bone_side(names[a], names[b])) for a, b in skeleton.bones])


def person_color(person: int) -> Palette:
    """Palette of a person on paper: left and right as everybody's, the midline its own; repeats after six."""
    return replace(PAPER, middle=_PEOPLE[person % len(_PEOPLE)])


def camera_color(view: int) -> Rgb:
    """RGB of a camera's lines in plots; repeats after eight."""
    return _CAMERAS[view % len(_CAMERAS)]


def mixed(rgb: Rgb, other: Rgb, share: float) -> Rgb:
    """`rgb` with `share` of it replaced by `other`."""
    return tuple(round(a + (b - a) * share) for a, b in zip(rgb, other, strict=True))  # pyright: ignore[reportReturnType]


def bgr(rgb: Rgb | np.ndarray) -> tuple[int, int, int]:
    """The colour in OpenCV's order, as plain ints."""
    r, g, b = (int(c) for c in rgb)
    return b, g, r


def unit(rgb: Rgb) -> tuple[float, float, float]:
    """The colour with components in [0, 1], as matplotlib takes it."""
    r, g, b = rgb
    return r / 255, g / 255, b / 255


def _table(colors: list[Rgb]) -> np.ndarray:
    return np.array(colors, dtype=np.uint8).reshape(len(colors), 3)
