"""Correction: what a person knows better than the detector, for some frames of one camera."""

from dataclasses import dataclass
from typing import Literal

Side = Literal["all", "legs", "arms"]


@dataclass(frozen=True, slots=True)
class Ignore:
    """The camera sees nothing of use."""


@dataclass(frozen=True, slots=True)
class Swap:
    """Left and right are mixed up.

    Attributes:
        what: all joints, or only those of the legs or of the arms.
    """

    what: Side


@dataclass(frozen=True, slots=True)
class Drop:
    """Joints that are wrong.

    Attributes:
        joints: their names.
    """

    joints: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Point:
    """Where a joint is.

    Attributes:
        joint: its name.
        xy: px of the source image.
    """

    joint: str
    xy: tuple[float, float]


@dataclass(frozen=True, slots=True)
class Correction:
    """One change to the keypoints of one camera.

    Attributes:
        frames: first and last frame, both included, counted from 0 in the camera's own video.
        camera: its name in the rig.
        change: what to do there.
    """

    frames: tuple[int, int]
    camera: str
    change: Ignore | Swap | Drop | Point
