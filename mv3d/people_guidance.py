"""Where to look next for several people: each one's last skeleton is a crop a view; whole images find the others.

What several looks at one image find is one person where the joints lie at the same places; the clearest finding stays.
"""

from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from mv3d.data.rig import Rig
from mv3d.guidance import (
    REMEMBERED,
    GuidanceConfig,
    crops_around,
    fill_joints,
    stature_of,
    typical_stature,
)
from mv3d.pose2d.crops import VirtualCamera, source_pixels_per_metre
from mv3d.pose2d.detections import Detections, no_detections
from mv3d.pose2d.detector import Detector, ExpectingDetector
from mv3d.reconstruct.gravity import up_direction

# Of a person at least so many joints must lie in a picture to be looked for there.
_LEAST_JOINTS = 3
# The finding in a crop is the expected person where its joints lie within so many m of theirs, in the median.
_SAME_M = 0.3
# Findings of two looks are one person where their common joints lie within so much of its size, in the median.
_SAME_SHARE = 0.15


@dataclass(frozen=True, slots=True, eq=False)
class PeopleLook:
    """What one instant showed.

    Attributes:
        xy: for each view (detection, joint, 2) source px; NaN where missing.
        score: for each view (detection, joint).
    """

    xy: tuple[np.ndarray, ...]
    score: tuple[np.ndarray, ...]


class PeopleGuide:
    """Looks at the images of one instant after the other."""

    def __init__(self, rig: Rig, estimator: Detector, config: GuidanceConfig, search_s: float) -> None:
        """Whole images are looked at where nobody is expected, and again after `search_s`; 0 is in every frame."""
        self._rig, self._estimator, self._config, self._search_s = rig, estimator, config, search_s
        self._up, self._searched = up_direction(rig), -np.inf
        self._statures: dict[int, deque[float]] = {}

    def look(
        self,
        images: Sequence[np.ndarray | None],
        time: float,
        expected: Mapping[int, Float[np.ndarray, "joint 3"]],
    ) -> PeopleLook:
        """Find people in the images of one instant.

        Args:
            images: (view,) BGR; None where a view has none.
            time: s.
            expected: joints of those who are known, by number, m; NaN where unknown.
        """
        found: list[list[Detections]] = [[] for _ in self._rig]
        self._statures = {number: self._statures.get(number, deque(maxlen=REMEMBERED)) for number in expected}
        for number, predicted in expected.items():
            for view, detections in self._look_at(images, number, predicted):
                found[view].append(detections)
        if not expected or time - self._searched >= self._search_s:
            self._searched = time
            for view, detections in self._search(images):
                found[view].append(detections)
        everybody = [one_each(own, len(self._estimator.skeleton)) for own in found]
        return PeopleLook(tuple(xy for xy, _ in everybody), tuple(score for _, score in everybody))

    def _search(self, images: Sequence[np.ndarray | None]) -> list[tuple[int, Detections]]:
        there = [(view, image) for view, image in enumerate(images) if image is not None]
        found = self._estimator.detect([image for _, image in there])
        return [(view, detections) for (view, _), detections in zip(there, found, strict=True)]

    def _look_at(
        self, images: Sequence[np.ndarray | None], number: int, predicted: np.ndarray
    ) -> list[tuple[int, Detections]]:
        """Everybody in the crops around one person, by view, whose own joints are filled."""
        stature = stature_of(predicted, self._estimator.skeleton)
        if stature is not None:
            self._statures[number].append(stature)
        looks: list[tuple[int, np.ndarray, np.ndarray, list[VirtualCamera]]] = []
        for view, (camera, image) in enumerate(zip(self._rig, images, strict=True)):
            projected = camera.project(predicted)
            if image is None or _inside(projected, camera.size) < _LEAST_JOINTS:
                continue
            usual = typical_stature(self._statures[number])
            crops = crops_around(camera, predicted, self._estimator.skeleton, self._up, usual, self._config)
            looks.append((view, image, projected, crops))
        if isinstance(self._estimator, ExpectingDetector):
            self._estimator.expect([projected for _, _, projected, _ in looks])
        found = self._estimator.detect_in_crops([image for _, image, _, _ in looks], [crops for *_, crops in looks])
        return [
            (view, self._filled(detections, projected, crops[0]))
            for (view, _, projected, crops), detections in zip(looks, found, strict=True)
        ]

    def _filled(self, found: Detections, projected: np.ndarray, crop: VirtualCamera) -> Detections:
        """With what the expected person lacks taken from loose peaks, as for the performer."""
        per_metre = source_pixels_per_metre(crop)
        distance = np.linalg.norm(found.xy - projected, axis=-1)
        common = np.isfinite(distance).sum(1) >= _LEAST_JOINTS
        median = np.array([np.nanmedian(own) if ok else np.inf for own, ok in zip(distance, common, strict=True)])
        if not len(median) or median.min() > _SAME_M * per_metre:
            return found
        who, xy, score = int(median.argmin()), found.xy.copy(), found.score.copy()
        fill_joints(xy[who], score[who], found, projected, self._config.fill_m * per_metre)
        return Detections(xy, score, found.person_score, found.peaks_xy, found.peaks_score)


def one_each(
    looks: Sequence[Detections], joints: int
) -> tuple[Float[np.ndarray, "detection joint 2"], Float[np.ndarray, "detection joint"]]:
    """Everybody of several looks at one image once; two of the same look are two people, however near.

    Args:
        looks: at one image.
        joints: of the skeleton.
    """
    looks = looks or [no_detections(joints, 0)]
    xy, score = np.concatenate([own.xy for own in looks]), np.concatenate([own.score for own in looks])
    source = np.repeat(np.arange(len(looks)), [len(own) for own in looks])
    kept: list[int] = []
    for i in np.argsort(-score.sum(1), kind="stable"):
        if not any(source[i] != source[k] and _is_same(xy[i], xy[k]) for k in kept):
            kept.append(int(i))
    return xy[kept], score[kept]


def _is_same(own: Float[np.ndarray, "joint 2"], kept: Float[np.ndarray, "joint 2"]) -> bool:
    """Whether a finding is the one that was kept, or a part of it."""
    distance = np.linalg.norm(own - kept, axis=-1)
    common = np.isfinite(distance)
    if not common.any():
        return False
    size = np.ptp(kept[np.isfinite(kept).all(-1)], axis=0).max()
    return bool(np.median(distance[common]) < _SAME_SHARE * size)


def _inside(projected: Float[np.ndarray, "joint 2"], size: tuple[int, int]) -> int:
    """How many joints lie in the picture."""
    return int(((projected >= 0) & (projected < np.array(size))).all(-1).sum())
