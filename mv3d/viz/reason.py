"""A finding: how bad it is, whose fault it is, and a sentence."""

from dataclasses import dataclass
from typing import Literal

Level = Literal["good", "usable", "look at this"]
LEVELS: tuple[Level, ...] = ("good", "usable", "look at this")
Fault = Literal["calibration", "sync", "detection", "result"]


@dataclass(frozen=True, slots=True)
class Reason:
    """One finding.

    Attributes:
        level: how bad.
        text: a sentence with numbers.
        fault: what it is a matter of; "result" where the cause is not told.
        camera: name of the camera that it is a matter of.
    """

    level: Level
    text: str
    fault: Fault = "result"
    camera: str | None = None
