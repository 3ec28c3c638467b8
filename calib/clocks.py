"""Whose instant a frame is, and the mean offsets of the cameras that fit the offsets of their views."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Bool, Float

from calib.offset_statistics import offset_slopes, offset_variances

if TYPE_CHECKING:
    from calib.bundle import Bundle
    from calib.joint import Joint

_SWEEPS = 6


def set_clocks(joint: "Joint", there: Bool[np.ndarray, "camera frame"]) -> None:
    """One view of each frame sets its clock: that of the camera that meets others most often.

    An offset that all views of a frame share is the board's motion, and only noise would tell it.

    Args:
        joint: the state.
        there: views that have a say in their frame's pose, also where none other has.
    """
    rank = np.argsort(np.argsort(-joint.meets.sum(1), kind="stable"))
    order = np.where(there, rank[:, None], len(rank))
    joint.sets_clock = joint.meets & (order == order.min(0))
    joint.clock = np.where(there.any(0), np.argmin(order, axis=0), -1)
    joint.s[~joint.meets | joint.sets_clock] = 0.0


def clock_offsets(joint: "Joint") -> Float[np.ndarray, "camera frame"]:
    """Offset of every view: that of its frame's clock, plus how much later it was taken; alone, its camera's mean."""
    clock = np.argmax(joint.sets_clock, axis=0)
    return np.where(joint.meets, joint.s + joint.mean[clock], joint.mean[:, None])


def fit_means(joint: "Joint") -> None:
    """Mean offsets by robust least squares over s = mean + instant of the frame.

    The reference camera has none. A camera that meets no other keeps what it has.
    """
    if joint.meets.any():
        fit = _fit(joint)
        joint.mean = fit.mean - fit.mean[joint.reference]


def mean_offset_covariance(
    joint: "Joint", bundle: "Bundle", covariance: Float[np.ndarray, "unknown unknown"] | None
) -> Float[np.ndarray, "camera camera"]:
    """Covariance (s2) of the mean offsets against the reference camera's, which has none.

    What the views' offsets scatter, and what is not known of the cameras, with which all offsets move together. Each
    offset is drawn towards its mean as far as the corners leave it open, and the means follow the offsets: their errors
    are larger than one round of that shows.

    Args:
        joint: the state.
        bundle: its last problem, solved.
        covariance: of the cameras' unknowns; None where the views do not tell every one, which is then passed over.
    """
    if not joint.meets.any():
        return np.zeros((len(joint.mean), len(joint.mean)))
    fit, views = _fit(joint), bundle.views
    by_offset = fit.by_offset[:, views.camera, views.frame]
    free = (joint.meets & ~joint.sets_clock)[views.camera, views.frame]
    drawn = np.where(free, np.clip(offset_variances(bundle) * bundle.precision, 0.0, 1.0), 0.0) * by_offset
    follows = np.zeros((len(joint.mean), len(joint.mean)))
    np.add.at(follows.T, views.camera, drawn.T)
    np.add.at(follows.T, joint.clock[views.frame], -drawn.T)
    settled = np.linalg.pinv(np.eye(len(follows)) - follows)
    one_round = fit.scatter**2 * fit.inverse
    if covariance is not None:
        slopes = offset_slopes(bundle, np.where(free, by_offset, 0.0))
        one_round = one_round + slopes @ covariance @ slopes.T
    return settled @ one_round @ settled.T


@dataclass(frozen=True, slots=True, eq=False)
class _MeanFit:
    """Mean offsets (s), the inverse of their normal matrix, the scatter of one offset (s), and d mean / d offset."""

    mean: np.ndarray
    inverse: np.ndarray
    scatter: float
    by_offset: np.ndarray


def _fit(joint: "Joint") -> _MeanFit:
    camera, frame = np.nonzero(joint.meets)
    s, count, frames = joint.s[camera, frame], len(joint.mean), joint.s.shape[1]
    weight, scatter = np.ones(len(s)), 1.0
    inverse, mean, share, total = np.eye(count), joint.mean, np.zeros((frames, count)), np.ones(frames)
    for _ in range(_SWEEPS):
        share = np.zeros((frames, count))
        share[frame, camera] = weight
        total = np.maximum(share.sum(1), 1e-12)
        level = np.bincount(frame, weight * s, frames) / total
        A = np.diag(share.sum(0)) - share.T @ (share / total[:, None])
        A[joint.reference, joint.reference] += 1e6 * share.sum()
        inverse = np.linalg.pinv(A, hermitian=True)
        mean = inverse @ np.bincount(camera, weight * (s - level[frame]), count)
        instant = np.bincount(frame, weight * (s - mean[camera]), frames) / total
        apart = s - mean[camera] - instant[frame]
        # Of n offsets in a frame n - 1 are free; and no offset is told better than by the motion.
        scatter = max(1.4826 * float(np.median(np.abs(apart))) * np.sqrt(2.0), 1e-6)
        weight = 1 / (1 + (apart / (2 * max(scatter, 0.7 * joint.spread))) ** 2)
    by_offset = share.T * (inverse[:, :, None] - ((share @ inverse.T) / total[:, None]).T[:, None])
    return _MeanFit(mean, inverse, scatter, by_offset)
