"""What the chain needs of a 2D stage; networks of mv3d and other detectors alike."""

from collections.abc import Sequence
from typing import Protocol, runtime_checkable

import numpy as np

from mv3d.data.skeleton import Skeleton
from mv3d.pose2d.crops import VirtualCamera
from mv3d.pose2d.detections import Detections


@runtime_checkable
class WholeImageDetector(Protocol):
    """Finds people in whole images."""

    @property
    def skeleton(self) -> Skeleton:
        """The joints of every detection."""
        ...

    def detect(self, images: Sequence[np.ndarray], /) -> list[Detections]:
        """People in whole images (BGR), one result per image."""
        ...


@runtime_checkable
class Detector(WholeImageDetector, Protocol):
    """What the loop of guidance needs; `mv3d.pose2d.estimator.PoseEstimator` is one."""

    def detect_in_crops(
        self, images: Sequence[np.ndarray], crops: Sequence[Sequence[VirtualCamera]], /
    ) -> list[Detections]:
        """People in crops of each image, in source pixels; nobody where an image has no crops."""
        ...


@runtime_checkable
class ExpectingDetector(Protocol):
    """A detector that wants to know where the skeleton was last."""

    def expect(self, projections: Sequence[np.ndarray | None], /) -> None:
        """The last skeleton's joints (joint, 2) in each image of the next call, source px; NaN where unknown."""
        ...


@runtime_checkable
class PeakDetector(Detector, Protocol):
    """A detector that also tells what it saw of single joints, where a crop shows part of a person."""

    def peaks_in_crops(
        self, images: Sequence[np.ndarray], crops: Sequence[VirtualCamera], /
    ) -> tuple[np.ndarray, np.ndarray]:
        """Candidates (crop, joint, candidate, 2) source px and scores in one crop of each image; NaN and 0 for none."""
        ...
