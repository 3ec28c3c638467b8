"""What the 2D stage finds in one image, and how findings at several scales become one."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float

from mv3d.data.checks import frozen_array

# Two findings are one person when their shared joints lie within this share of the person's size of each other.
_SAME_PERSON = 0.15
_SAME_CANDIDATE = 0.02


@dataclass(frozen=True, slots=True)
class Detections:
    """People and candidates of one image.

    Attributes:
        xy: (person, joint, 2) source px, the most prominent person first; NaN where missing.
        score: (person, joint) in [0, 1]; 0 where missing.
        person_score: (person,) mean of part and limb scores.
        peaks_xy: (joint, candidate, 2) source px of the best candidates of each joint, NaN-padded.
        peaks_score: (joint, candidate) in [0, 1], falling, 0-padded.
    """

    xy: np.ndarray
    score: np.ndarray
    person_score: np.ndarray
    peaks_xy: np.ndarray
    peaks_score: np.ndarray

    def __post_init__(self) -> None:
        people, joints = np.shape(self.score)
        for name, shape in (
            ("xy", (people, joints, 2)),
            ("score", (people, joints)),
            ("person_score", (people,)),
            ("peaks_xy", (joints, None, 2)),
            ("peaks_score", (joints, None)),
        ):
            object.__setattr__(self, name, frozen_array(name, getattr(self, name), shape, finite=False))

    def __len__(self) -> int:
        return len(self.xy)


def no_detections(joints: int, candidates: int) -> Detections:
    """Nobody and nothing."""
    return Detections(
        np.zeros((0, joints, 2)),
        np.zeros((0, joints)),
        np.zeros(0),
        np.full((joints, candidates, 2), np.nan),
        np.zeros((joints, candidates)),
    )


def merge(found: Sequence[Detections], max_people: int) -> Detections:
    """One set of people from findings in the same image at several scales: the best finding of each person.

    Args:
        found: at least one; a person or candidate found several times is taken from where its score is highest.
        max_people: how many people are kept.
    """
    if len(found) == 1:
        return found[0]
    xy, score, person_score = (
        np.concatenate([getattr(f, name) for f in found]) for name in ("xy", "score", "person_score")
    )
    kept: list[int] = []
    for i in np.argsort(-score.sum(1), kind="stable"):
        if not any(_is_same(xy[i], xy[k]) for k in kept):
            kept.append(int(i))
    kept = kept[:max_people]
    return Detections(xy[kept], score[kept], person_score[kept], *_merge_candidates(found))


def _is_same(a: Float[np.ndarray, "joint 2"], b: Float[np.ndarray, "joint 2"]) -> bool:
    shared = np.isfinite(a).all(-1) & np.isfinite(b).all(-1)
    if not shared.any():
        return False
    size = max(np.nanmax(np.ptp(p[np.isfinite(p).all(-1)], axis=0)) for p in (a, b))
    return bool(np.median(np.linalg.norm((a - b)[shared], axis=-1)) < _SAME_PERSON * size)


def _merge_candidates(found: Sequence[Detections]) -> tuple[np.ndarray, np.ndarray]:
    """The best candidates of each joint over all findings; of near ones the highest."""
    xy = np.concatenate([f.peaks_xy for f in found], axis=1)
    score = np.concatenate([f.peaks_score for f in found], axis=1)
    count = found[0].peaks_xy.shape[1]
    near = _SAME_CANDIDATE * _spread(xy)
    out_xy, out_score = np.full((len(xy), count, 2), np.nan), np.zeros((len(xy), count))
    for joint, (points, scores) in enumerate(zip(xy, score, strict=True)):
        order = np.argsort(-scores, kind="stable")
        kept = order[_is_first_of_near(points[order], near) & (scores[order] > 0)][:count]
        out_xy[joint, : len(kept)], out_score[joint, : len(kept)] = points[kept], scores[kept]
    return out_xy, out_score


def _spread(xy: np.ndarray) -> float:
    finite = xy[np.isfinite(xy).all(-1)]
    return float(np.ptp(finite, axis=0).max()) if len(finite) else 0.0


def _is_first_of_near(points: Float[np.ndarray, "n 2"], near: float) -> Bool[np.ndarray, " n"]:
    distance = np.linalg.norm(points[:, None] - points[None], axis=-1)
    return ~np.tril(distance < near, -1).any(1)
