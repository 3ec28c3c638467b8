"""From candidates and part affinity fields to people, by OpenPose's rules."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from jaxtyping import Float

from mv3d.data.skeleton import Skeleton
from mv3d.pose2d import assembly_kernels
from mv3d.pose2d.peaks import Peaks

_FEET = ("BigToe", "SmallToe", "Heel")
# OpenPose drops a person who has feet but no more than this many other parts: a chair's legs, mostly.
_FEW_WITHOUT_FEET = 4
# Nearness of two parts that may coincide in the image (eye and ear in profile): sqrt(W H) / 150 of the input.
_COINCIDENCE = 1 / 150
_COINCIDENCE_BONUS = 1e-6


@dataclass(frozen=True, slots=True)
class AssemblyConfig:
    """Thresholds of peaks and people; OpenPose's defaults.

    Attributes:
        peak_threshold: least heatmap value of a candidate.
        paf_threshold: least agreement of a PAF sample with the limb's direction.
        paf_share: share of a limb's samples that must be above it.
        min_parts: least number of joints of a person; feet do not count.
        min_score: least score of a person per joint.
        max_people: the most prominent people that are kept.
        order: all_limbs takes the limbs of all kinds in one falling order of score (OpenPose on a GPU), limb_by_limb
            one kind after the other, pairs one to one (OpenPose on a CPU).
    """

    peak_threshold: float = 0.05
    paf_threshold: float = 0.05
    paf_share: float = 0.95
    min_parts: int = 3
    min_score: float = 0.4
    max_people: int = 64
    order: Literal["all_limbs", "limb_by_limb"] = "all_limbs"

    def __post_init__(self) -> None:
        if not 0 < self.peak_threshold < 1:
            raise ValueError(f"peak_threshold {self.peak_threshold} is not between 0 and 1")
        if not 0 <= self.paf_share < 1:
            raise ValueError(f"paf_share {self.paf_share} is not in [0, 1)")
        if self.min_parts < 1 or self.max_people < 1:
            raise ValueError("min_parts and max_people are at least 1")


def openpose_thresholds(model: str, *, maximize_positives: bool = False) -> AssemblyConfig:
    """OpenPose's thresholds of a model, or its laxer ones that find more people and more that is none."""
    config = AssemblyConfig()
    if maximize_positives:
        config = AssemblyConfig(0.02, 0.01, 0.75, 2, 0.05)
    if model.startswith("mpi_15"):
        peak = 0.3 if model.endswith("fast") else 0.6
        config = replace(config, peak_threshold=peak, paf_threshold=0.01)
    return config


@dataclass(frozen=True, slots=True)
class People:
    """The people in one network input, the most prominent first.

    Attributes:
        xy: (person, joint, 2) px of the input; NaN where missing.
        score: (person, joint) in [0, 1]; 0 where missing.
        person_score: (person,) mean of the part and limb scores.
    """

    xy: Float[np.ndarray, "person joint 2"]
    score: Float[np.ndarray, "person joint"]
    person_score: Float[np.ndarray, " person"]


def limb_rules(config: AssemblyConfig, shape: Sequence[int], stride: int) -> Float[np.ndarray, "4"]:
    """What a limb is judged by, for maps of (h, w) cells; see `assembly_kernels.limb_score`."""
    size = stride * np.sqrt(shape[0] * shape[1])
    coincident = config.peak_threshold + _COINCIDENCE_BONUS
    return np.array((config.paf_threshold, config.paf_share, coincident, _COINCIDENCE * size))


def assemble(
    peaks: Peaks,
    pafs: Float[np.ndarray, "channel h w"],
    skeleton: Skeleton,
    config: AssemblyConfig,
    stride: int,
    cell_offset: tuple[float, float],
) -> People:
    """Join candidates to people.

    Each pair of candidates of a limb is scored by the mean of PAF samples along it, and people grow from the limbs in
    one of OpenPose's two orders (`AssemblyConfig.order`). Cao et al. 2019, section 3.

    Args:
        peaks: candidates in px of the network input.
        pafs: the fields at the network's stride.
        skeleton: limbs and their PAF channels.
        config: thresholds.
        stride: input px per cell.
        cell_offset: (x, y) input px of cell (0, 0).
    """
    limbs = np.array(skeleton.limbs, np.int64)
    channels = np.array(skeleton.paf_channels, np.int64)
    fields = np.ascontiguousarray(pafs, dtype=np.float32)
    cells = (peaks.xy - np.array(cell_offset, np.float32)) / np.float32(stride)
    rules = limb_rules(config, pafs.shape[1:], stride)
    which, values = assembly_kernels.score_limbs(
        cells, peaks.score, peaks.count, fields, limbs, channels, float(stride), rules
    )
    return _joined(peaks, which, values, skeleton, config)


def assemble_scored(
    peaks: Peaks, limb_scores: Float[np.ndarray, "limb a b"], skeleton: Skeleton, config: AssemblyConfig
) -> People:
    """Join candidates to people by limb scores that are known already (negative: not joined); see `assemble`."""
    which = np.argwhere(limb_scores > 0).astype(np.int64)
    limb, a, b = which.T
    ends = np.array(skeleton.limbs, np.int64)[limb]
    paf = limb_scores[limb, a, b].astype(np.float64)
    rank = paf + assembly_kernels.END_WEIGHT * (peaks.score[ends[:, 0], a] + peaks.score[ends[:, 1], b])
    return _joined(peaks, which, np.stack([paf, rank], axis=1), skeleton, config)


def _joined(peaks: Peaks, which: np.ndarray, values: np.ndarray, skeleton: Skeleton, config: AssemblyConfig) -> People:
    limbs = np.array(skeleton.limbs, np.int64)
    score = np.ascontiguousarray(peaks.score, np.float32)
    if config.order == "all_limbs":
        parts, totals = assembly_kernels.join_people(score, peaks.count, limbs, which, values)
    else:
        redundant = np.array([i in skeleton.redundant_limbs for i in range(len(limbs))])
        parts, totals = assembly_kernels.join_limb_by_limb(score, peaks.count, limbs, redundant, which, values)
    kept = _believable(parts, totals, skeleton, config)
    return _people(peaks, parts[kept], totals[kept], config.max_people)


def _believable(parts: np.ndarray, totals: np.ndarray, skeleton: Skeleton, config: AssemblyConfig) -> np.ndarray:
    """Which rows are people; the rule about feet is dropped if it leaves nobody."""
    is_foot = np.array([name.endswith(_FEET) for name in skeleton.keypoints])
    has_part = parts >= 0
    body = has_part[:, ~is_foot].sum(1)
    feet = has_part[:, is_foot].sum(1)
    mean = totals[:, 0] / np.maximum(totals[:, 1], 1)
    good = (totals[:, 1] > 0) & (mean >= config.min_score)
    strict = good & (body >= config.min_parts) & ~((feet > 0) & (body <= _FEW_WITHOUT_FEET))
    return strict if strict.any() else good & (body + feet >= config.min_parts)


def _people(peaks: Peaks, parts: np.ndarray, totals: np.ndarray, max_people: int) -> People:
    joints = np.arange(parts.shape[1])
    missing = parts < 0
    if peaks.xy.shape[1] == 0:
        xy, score = np.full((*parts.shape, 2), np.nan), np.zeros(parts.shape)
    else:
        xy = np.where(missing[..., None], np.nan, peaks.xy[joints, parts].astype(np.float64))
        score = np.where(missing, 0.0, np.clip(peaks.score[joints, parts], 0, 1).astype(np.float64))
    person_score = totals[:, 0] / np.maximum(totals[:, 1] + totals[:, 2], 1)
    order = np.argsort(-person_score * _extent(xy), kind="stable")[:max_people]
    return People(xy[order], score[order], person_score[order])


def _extent(xy: Float[np.ndarray, "person joint 2"]) -> Float[np.ndarray, " person"]:
    """Square root of the area of each person's bounding box, px; OpenPose ranks people by it times their score."""
    low = np.where(np.isnan(xy), np.inf, xy).min(1, initial=np.inf)
    high = np.where(np.isnan(xy), -np.inf, xy).max(1, initial=-np.inf)
    return np.sqrt(np.prod(np.maximum(high - low, 0), axis=1))
