"""Hands and face for whoever a body estimator finds: their squares follow from the body, their joints join its own."""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float

from mv3d.data.skeleton import Skeleton
from mv3d.data.skeletons import with_hands_and_face
from mv3d.pose2d.crops import VirtualCamera
from mv3d.pose2d.detections import Detections
from mv3d.pose2d.detector import Detector, PeakDetector
from mv3d.pose2d.part_boxes import PartBox, face_box, hand_box
from mv3d.pose2d.part_estimator import PartEstimator
from mv3d.pose2d.preprocess import as_bgr

# A person is the expected one where its joints lie within this share of its size of where they were expected.
_NEAR = 0.2
# What the projection of the last skeleton is trusted: enough for the squares of hands and faces.
_EXPECTED_SCORE = 0.3


class WholeBodyEstimator:
    """A body estimator with hand and face networks; body joints stay as they are found."""

    def __init__(self, body: Detector, hand: PartEstimator | None, face: PartEstimator | None) -> None:
        """Put the estimators together; without a hand or face network those joints are left out."""
        self._body, self._hand, self._face = body, hand, face
        self._skeleton = with_hands_and_face(body.skeleton, hand is not None, 70 if face else 0)
        self._groups = {name: joints for name, joints in self._skeleton.groups if name != "body"}
        self._expected: list[np.ndarray | None] = []

    @property
    def skeleton(self) -> Skeleton:
        """The body's joints, then left hand, right hand and face."""
        return self._skeleton

    def expect(self, projections: Sequence[Float[np.ndarray, "joint 2"] | None]) -> None:
        """Say where the last skeleton is in each image of the next call: it fills in for arms that are not found."""
        self._expected = list(projections)

    def detect(self, images: Sequence[np.ndarray]) -> list[Detections]:
        """People in whole images, one result per image."""
        images = [as_bgr(image) for image in images]
        return self._with_parts(images, self._body.detect(images))

    def detect_in_crops(
        self, images: Sequence[np.ndarray], crops: Sequence[Sequence[VirtualCamera]]
    ) -> list[Detections]:
        """People in virtual crops, in source pixels; hands and faces are looked at in the images themselves."""
        return self._with_parts(images, self._body.detect_in_crops(images, crops))

    def peaks_in_crops(
        self, images: Sequence[np.ndarray], crops: Sequence[VirtualCamera]
    ) -> tuple[Float[np.ndarray, "crop joint candidate 2"], Float[np.ndarray, "crop joint candidate"]]:
        """Candidates of the body's joints, which come first; none where its detector does not tell."""
        if isinstance(self._body, PeakDetector):
            return self._body.peaks_in_crops(images, crops)
        score = np.zeros((len(crops), len(self._body.skeleton), 1))
        return np.full((*score.shape, 2), np.nan), score

    def _with_parts(self, images: Sequence[np.ndarray], found: list[Detections]) -> list[Detections]:
        expected = self._expected if len(self._expected) == len(images) else [None] * len(images)
        self._expected = []
        people = [_filled(d, e) for d, e in zip(found, expected, strict=True)]
        parts = [self._look(group, images, people) for group in self._groups]
        return [self._joined(body, own) for body, own in zip(found, zip(*parts, strict=True), strict=True)]

    def _look(
        self, group: str, images: Sequence[np.ndarray], people: list[tuple[np.ndarray, np.ndarray]]
    ) -> list[tuple[np.ndarray, np.ndarray]]:
        """Keypoints of one group of everybody in every image: xy (person, joint, 2) and score."""
        boxes: dict[tuple[int, int], PartBox] = {}
        for i, (xy, score) in enumerate(people):
            for person in range(len(xy)):
                box = self._box(group, xy[person], score[person])
                if box is not None:
                    boxes[i, person] = box
        joints = len(self._groups[group])
        out = [(np.full((len(xy), joints, 2), np.nan), np.zeros((len(xy), joints))) for xy, _ in people]
        estimator = self._face if group == "face" else self._hand
        if boxes and estimator is not None:
            seen = estimator.look([images[i] for i, _ in boxes], list(boxes.values()))
            for (i, person), xy, score in zip(boxes, *seen, strict=True):
                out[i][0][person], out[i][1][person] = xy, score
        return out

    def _box(self, group: str, xy: np.ndarray, score: np.ndarray) -> PartBox | None:
        if group == "face":
            return face_box(xy, score, self._body.skeleton)
        return hand_box(xy, score, self._body.skeleton, "L" if group == "left_hand" else "R")

    def _joined(self, body: Detections, parts: Sequence[tuple[np.ndarray, np.ndarray]]) -> Detections:
        """Body and parts as one; a part's candidates are its finds, the most prominent person's first."""
        candidates = body.peaks_xy.shape[1]
        xy, score = [body.xy], [body.score]
        peaks_xy, peaks_score = [body.peaks_xy], [body.peaks_score]
        for part_xy, part_score in parts:
            xy.append(part_xy)
            score.append(part_score)
            order = np.argsort(-part_score, axis=0, kind="stable")[:candidates]
            padding = ((0, 0), (0, max(0, candidates - len(order))))
            some_xy = np.take_along_axis(part_xy, order[..., None], axis=0).swapaxes(0, 1)
            some_score = np.take_along_axis(part_score, order, axis=0).T
            peaks_xy.append(np.pad(some_xy, (*padding, (0, 0)), constant_values=np.nan))
            peaks_score.append(np.pad(some_score, padding))
        return Detections(
            np.concatenate(xy, axis=1),
            np.concatenate(score, axis=1),
            body.person_score,
            np.concatenate(peaks_xy),
            np.concatenate(peaks_score),
        )


def _filled(detections: Detections, expected: np.ndarray | None) -> tuple[np.ndarray, np.ndarray]:
    """Joints of everybody; those that the expected person lacks are where they were expected."""
    xy, score = detections.xy.copy(), detections.score.copy()
    if expected is None or not len(xy):
        return xy, score
    expected = expected[: xy.shape[1]]
    known = np.isfinite(expected).all(-1)
    distance = np.linalg.norm(xy - expected, axis=-1)
    shared = np.isfinite(distance)
    typical = [np.median(d[s]) if s.any() else np.inf for d, s in zip(distance, shared, strict=True)]
    person = int(np.argmin(typical))
    size = np.ptp(expected[known], axis=0).max() if known.any() else 0.0
    if typical[person] <= _NEAR * size:
        missing = known & (score[person] <= 0)
        xy[person, missing], score[person, missing] = expected[missing], _EXPECTED_SCORE
    return xy, score
