"""Detectors that look at one person in a square: who finds the people, and how squares become source pixels."""

from collections.abc import Sequence
from typing import Protocol, runtime_checkable

import numpy as np
from jaxtyping import Float, UInt8

from mv3d.data.skeleton import Skeleton
from mv3d.pose2d.crops import VirtualCamera, render, to_source
from mv3d.pose2d.detections import Detections, no_detections
from mv3d.pose2d.detector import WholeImageDetector
from mv3d.pose2d.part_boxes import PartBox
from mv3d.pose2d.part_estimator import crop_square, square_to_source
from mv3d.pose2d.preprocess import as_bgr

# The square is this much larger than the joints that were found: heads and feet reach beyond them.
_MARGIN = 1.5
_SIDE = 384
# A person whose joints score less in the mean is none.
_LEAST_MEAN_SCORE = 0.2
_CANDIDATES = 6
_LEAST_JOINTS = 4


@runtime_checkable
class PersonModel(Protocol):
    """A detector of the joints of the one person in the middle of a square picture."""

    @property
    def skeleton(self) -> Skeleton:
        """The joints that it finds."""
        ...

    def look(
        self, crops: Sequence[UInt8[np.ndarray, "size size 3"]], /
    ) -> tuple[Float[np.ndarray, "crop joint 2"], Float[np.ndarray, "crop joint"]]:
        """Joints in px of each crop, NaN where there are none, and scores."""
        ...


class TopDownEstimator:
    """A model of one person as a detector: whole images by way of another detector, guided crops directly."""

    def __init__(self, model: PersonModel, finder: WholeImageDetector) -> None:
        """Put model and finder of people together."""
        self._model, self._finder = model, finder

    @property
    def skeleton(self) -> Skeleton:
        """The joints of every detection."""
        return self._model.skeleton

    def detect(self, images: Sequence[np.ndarray]) -> list[Detections]:
        """People in whole images, in the order in which the other detector found them."""
        images = [as_bgr(image) for image in images]
        squares = [person_squares(found) for found in self._finder.detect(images)]
        crops = [crop_square(i, box, _SIDE) for i, own in zip(images, squares, strict=True) for box in own]
        xy, score = self._look(crops)
        out, at = [], 0
        for own in squares:
            people = [square_to_source(xy[at + k], box, _SIDE) for k, box in enumerate(own)]
            out.append(self._detections(np.array(people).reshape(-1, *xy.shape[1:]), score[at : at + len(own)]))
            at += len(own)
        return out

    def detect_in_crops(
        self, images: Sequence[np.ndarray], crops: Sequence[Sequence[VirtualCamera]]
    ) -> list[Detections]:
        """The person in the first crop of each image, in source pixels."""
        own = [c[0] for c in crops if c]
        seen = [render(image, c[0]) for image, c in zip(images, crops, strict=True) if c]
        xy, score = self._look(seen)
        found = iter(self._detections(to_source(c, xy[i : i + 1]), score[i : i + 1]) for i, c in enumerate(own))
        return [next(found) if c else no_detections(len(self.skeleton), _CANDIDATES) for c in crops]

    def _look(self, crops: list[np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
        if not crops:
            return np.zeros((0, len(self.skeleton), 2)), np.zeros((0, len(self.skeleton)))
        return self._model.look(crops)

    def _detections(self, xy: np.ndarray, score: np.ndarray) -> Detections:
        score = np.where(np.isfinite(xy).all(-1), np.clip(score, 0, 1), 0.0)
        xy = np.where(score[..., None] > 0, xy, np.nan)
        kept = score.mean(1) >= _LEAST_MEAN_SCORE
        xy, score = xy[kept], score[kept]
        count = min(len(xy), _CANDIDATES)
        peaks_xy = np.full((len(self.skeleton), _CANDIDATES, 2), np.nan)
        peaks_score = np.zeros((len(self.skeleton), _CANDIDATES))
        order = np.argsort(-score, axis=0, kind="stable")[:count]
        peaks_xy[:, :count] = np.take_along_axis(xy, order[..., None], axis=0).swapaxes(0, 1)
        peaks_score[:, :count] = np.take_along_axis(score, order, axis=0).T
        return Detections(xy, score, score.mean(1), peaks_xy, peaks_score)


def person_squares(found: Detections) -> list[PartBox]:
    """A square around each person of a few joints or more."""
    boxes = []
    for xy in found.xy:
        known = xy[np.isfinite(xy).all(-1)]
        if len(known) >= _LEAST_JOINTS:
            low, high = known.min(0), known.max(0)
            middle = (low + high) / 2
            boxes.append(PartBox((float(middle[0]), float(middle[1])), float(_MARGIN * max(8.0, (high - low).max()))))
    return boxes
