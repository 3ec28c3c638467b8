"""Result: what a reconstruction hands to those who show it."""

from dataclasses import dataclass, field
from pathlib import Path

from mv3d.data.diagnosis import Diagnosis
from mv3d.data.poses import Poses2D, Poses3D
from mv3d.data.quality import Quality
from mv3d.data.rig import Rig


@dataclass(frozen=True, slots=True, eq=False)
class Result:
    """What a reconstruction gives.

    Attributes:
        rig: the cameras, lenses as used.
        poses2d: the keypoints that the skeleton was made from, by camera.
        poses3d: the skeleton.
        quality: its figures.
        notes: what a user should know, a sentence each.
        outputs: what was written, by what it is.
        diagnosis: what was found out about clocks, cameras and detections.
    """

    rig: Rig
    poses2d: dict[str, Poses2D]
    poses3d: Poses3D
    quality: Quality
    notes: tuple[str, ...]
    outputs: dict[str, Path]
    diagnosis: Diagnosis = field(default_factory=Diagnosis)
