"""Where to look next: the last 3D skeleton, projected into every view, tells the 2D stage where to crop.

This is the one loop of the chain. It joins pose2d and reconstruct, so it lives on the pipeline's floor.
"""

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from jaxtyping import Float

from mv3d.close_looks import CloseLookConfig, look_closer
from mv3d.data.camera import Camera
from mv3d.data.rig import Rig
from mv3d.data.skeleton import Skeleton
from mv3d.pose2d.crops import VirtualCamera, make_crop, outline, source_pixels_per_metre
from mv3d.pose2d.detections import Detections
from mv3d.pose2d.detector import Detector, ExpectingDetector, PeakDetector
from mv3d.reconstruct.association import AssociationConfig, chosen_keypoints, find_performer, follow
from mv3d.reconstruct.gravity import up_direction
from mv3d.reconstruct.tracking import Expectation

# Length of a segment as a share of stature (Winter, Biomechanics and Motor Control of Human Movement, table 4.1).
_SEGMENT_SHARES = (
    ("RHip", "RKnee", 0.245),
    ("RKnee", "RAnkle", 0.246),
    ("LHip", "LKnee", 0.245),
    ("LKnee", "LAnkle", 0.246),
    ("RShoulder", "RElbow", 0.186),
    ("LShoulder", "LElbow", 0.186),
)
_TYPICAL_STATURE_M = 1.7
_STATURE_RANGE_M = (0.7, 2.3)
# Frames whose measured statures are remembered.
REMEMBERED = 200
# A person of fewer joints says too little of where to look.
_LEAST_JOINTS = 3
# Stands in for the image of a view that has none at an instant.
_NO_IMAGE = np.zeros((1, 1, 3), np.uint8)


@dataclass(frozen=True, slots=True)
class GuidanceConfig:
    """Crops around the performer.

    Attributes:
        person_px: height of the standing person in the crop; the network is at its best near 280.
        crop_px: side of the square crop, a multiple of 8.
        trunk_crop: look a second time with the trunk upright and average the maps; for people who lean.
        least_lean_deg: the second look is left out in views where the trunk is closer to upright than this.
        margin_m: room left around the expected joints.
        settling_looks: extra looks at the first frame, each with a better idea of where the person is.
        fill_m: a joint that the person lacks takes a loose peak within this distance of where it is expected.
        live_search_s: while several people are followed live, whole images are looked at for others every so often.
        wrists: a closer look at the wrists.
    """

    person_px: int = 280
    crop_px: int = 352
    trunk_crop: bool = True
    least_lean_deg: float = 4.0
    margin_m: float = 0.2
    settling_looks: int = 2
    fill_m: float = 0.2
    live_search_s: float = 1.0
    wrists: CloseLookConfig = field(default_factory=CloseLookConfig)

    def __post_init__(self) -> None:
        if self.crop_px <= 0 or self.crop_px % 8:
            raise ValueError(f"crop_px is {self.crop_px}; a positive multiple of 8 is wanted")
        if self.person_px <= 0:
            raise ValueError(f"person_px is {self.person_px}; a positive number is wanted")


@dataclass(frozen=True, slots=True, eq=False)
class Look:
    """What one instant showed of the performer.

    Attributes:
        xy: (view, joint, 2) source px; NaN where missing.
        score: (view, joint).
        peaks_xy: (view, joint, candidate, 2).
        peaks_score: (view, joint, candidate).
        outlines: for each view the polygon (corner, 2) of its crop in source px; None without a crop.
    """

    xy: np.ndarray
    score: np.ndarray
    peaks_xy: np.ndarray
    peaks_score: np.ndarray
    outlines: tuple[np.ndarray | None, ...]


class Guide:
    """Follows the performer through the views, one instant after the other."""

    def __init__(self, rig: Rig, estimator: Detector, config: GuidanceConfig, association: AssociationConfig) -> None:
        self._rig, self._estimator = rig, estimator
        self._config, self._association = config, association
        self._up = up_direction(rig)
        self._expected = Expectation(len(estimator.skeleton), association.hold_s)
        self._statures: deque[float] = deque(maxlen=REMEMBERED)

    def look(self, images: Sequence[np.ndarray | None], time: float) -> Look:
        """Find the performer in the images of one instant (None where a view has none)."""
        predicted = self._expected.at(time)
        looks = 1
        if predicted is None:
            predicted = self._search(images)
            looks += self._config.settling_looks
        if predicted is None:
            return self._nothing()
        for _ in range(looks):
            look, xyz, crops = self._look_at(images, predicted)
            found = np.isfinite(xyz[:, 0])
            predicted = np.where(found[:, None], xyz, predicted)
        if self._config.wrists.enabled and isinstance(self._estimator, PeakDetector):
            found = look.xy, look.score, look.peaks_xy
            look_closer(self._estimator, images, crops, predicted, *found, self._config.wrists)
        self._expected.update(xyz, time)
        self._measure_stature(xyz)
        return look

    def _search(self, images: Sequence[np.ndarray | None]) -> Float[np.ndarray, "joint 3"] | None:
        """The performer from whole images."""
        there = [v for v, image in enumerate(images) if image is not None]
        found = self._estimator.detect([image for image in images if image is not None])
        detections = self._estimator.detect_in_crops([_NO_IMAGE] * len(images), [()] * len(images))
        for v, detection in zip(there, found, strict=True):
            detections[v] = detection
        sighting = find_performer(self._rig, *_people(detections), self._association)
        if sighting is None or np.isfinite(sighting.xyz[:, 0]).sum() < _LEAST_JOINTS:
            return None
        return sighting.xyz

    def _look_at(
        self, images: Sequence[np.ndarray | None], predicted: np.ndarray
    ) -> tuple[Look, np.ndarray, list[VirtualCamera]]:
        """What the views show about where the person is expected, the skeleton (joint, 3) by it, each view's crop."""
        crops = [self._crops(view, predicted) for view in range(len(self._rig))]
        if isinstance(self._estimator, ExpectingDetector):
            self._estimator.expect([camera.project(predicted) for camera in self._rig])
        detections = self._estimator.detect_in_crops(
            [_NO_IMAGE if image is None else image for image in images],
            [() if image is None else own for image, own in zip(images, crops, strict=True)],
        )
        people = _people(detections)
        sighting = follow(self._rig, *people, predicted, self._association)
        xy, score = chosen_keypoints(*people, sighting.detections)
        per_metre = [source_pixels_per_metre(crop[0]) for crop in crops]
        for v, camera in enumerate(self._rig):
            fill_joints(xy[v], score[v], detections[v], camera.project(predicted), self._config.fill_m * per_metre[v])
        peaks = np.stack([d.peaks_xy for d in detections]), np.stack([d.peaks_score for d in detections])
        outlines = tuple(None if image is None else outline(crop[0]) for image, crop in zip(images, crops, strict=True))
        return Look(xy, score, *peaks, outlines), sighting.xyz, [crop[0] for crop in crops]

    def _crops(self, view: int, predicted: np.ndarray) -> list[VirtualCamera]:
        return crops_around(self._rig[view], predicted, self._estimator.skeleton, self._up, self._stature, self._config)

    @property
    def _stature(self) -> float:
        return typical_stature(self._statures)

    def _measure_stature(self, xyz: np.ndarray) -> None:
        stature = stature_of(xyz, self._estimator.skeleton)
        if stature is not None:
            self._statures.append(stature)

    def _nothing(self) -> Look:
        """A look at which the performer is nowhere."""
        nobody = self._estimator.detect_in_crops([_NO_IMAGE] * len(self._rig), [()] * len(self._rig))
        xy, score = chosen_keypoints(*_people(nobody), [None] * len(self._rig))
        peaks = np.stack([d.peaks_xy for d in nobody]), np.stack([d.peaks_score for d in nobody])
        return Look(xy, score, *peaks, (None,) * len(self._rig))


def crops_around(
    camera: Camera,
    predicted: Float[np.ndarray, "joint 3"],
    skeleton: Skeleton,
    up: Float[np.ndarray, "3"] | None,
    stature: float,
    config: GuidanceConfig,
) -> list[VirtualCamera]:
    """A crop around a person, and where it differs one with the trunk upright.

    Args:
        camera: the source camera.
        predicted: where the joints are expected, m; NaN where unknown.
        skeleton: the joints.
        up: of the world; None where it is not known.
        stature: of the person, m.
        config: settings.
    """
    known = predicted[np.isfinite(predicted[:, 0])]
    target = (known.min(0) + known.max(0)) / 2
    half = np.linalg.norm(known - target, axis=1).max() + config.margin_m
    per_metre = min(config.person_px / stature, (config.crop_px / 2) / half)
    trunk = _trunk(predicted, skeleton)
    ups = [own for own in (up, trunk if config.trunk_crop or up is None else None) if own is not None]
    crops = [make_crop(camera, target, own, per_metre, config.crop_px) for own in ups or [-camera.R[1]]]
    if len(crops) == 2 and _roll_between(*crops) < np.deg2rad(config.least_lean_deg):
        crops.pop()
    return crops


def stature_of(xyz: Float[np.ndarray, "joint 3"], skeleton: Skeleton) -> float | None:
    """Stature (m) by the lengths of limbs; None where too few are known."""
    have = [(a, b, s) for a, b, s in _SEGMENT_SHARES if a in skeleton.keypoints and b in skeleton.keypoints]
    lengths = np.array([np.linalg.norm(xyz[skeleton.index(a)] - xyz[skeleton.index(b)]) / s for a, b, s in have])
    return float(np.clip(np.nanmedian(lengths), *_STATURE_RANGE_M)) if np.isfinite(lengths).sum() >= 3 else None


def typical_stature(statures: deque[float]) -> float:
    """The usual one of measurements, m; a typical adult's before there are any."""
    return float(np.median(statures)) if statures else _TYPICAL_STATURE_M


def _people(detections: Sequence[Detections]) -> tuple[list[np.ndarray], list[np.ndarray]]:
    return [d.xy for d in detections], [d.score for d in detections]


def _trunk(xyz: np.ndarray, skeleton: Skeleton) -> Float[np.ndarray, "3"] | None:
    """Unit vector from the hips to the neck; None if they are not known."""
    hips = [skeleton.index(name) for name in ("RHip", "LHip")]
    axis = xyz[skeleton.index("Neck")] - np.mean(xyz[hips], axis=0)
    length = np.linalg.norm(axis)
    return axis / length if np.isfinite(length) and length > 0.1 else None


def _roll_between(first: VirtualCamera, second: VirtualCamera) -> float:
    """Angle (rad) between the image tops of two crops that look the same way."""
    return float(np.arccos(np.clip(first.R[1] @ second.R[1], -1, 1)))


def fill_joints(
    xy: np.ndarray, score: np.ndarray, detections: Detections, expected: np.ndarray, reach_px: float
) -> None:
    """Give joints that the person lacks the best loose peak near where they are expected, at half its score."""
    distance = np.linalg.norm(detections.peaks_xy - expected[:, None], axis=-1)
    claim = np.where(distance < reach_px, detections.peaks_score * np.exp(-2 * (distance / reach_px) ** 2), 0.0)
    best = claim.argmax(1)
    joints = np.flatnonzero((score <= 0) & (claim.max(1) > 0))
    xy[joints] = detections.peaks_xy[joints, best[joints]]
    score[joints] = 0.5 * detections.peaks_score[joints, best[joints]]
