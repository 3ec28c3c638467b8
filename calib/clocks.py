"""Whose instant a frame is, and the mean offsets of the cameras that fit the offsets of their views."""

from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Bool, Float

if TYPE_CHECKING:
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
    """Mean offsets by robust least squares over s = mean + instant of the frame, and their standard deviations.

    The reference camera has none. A camera that meets no other keeps what it has.
    """
    camera, frame = np.nonzero(joint.meets)
    if not len(camera):
        return
    s, count, frames = joint.s[camera, frame], len(joint.mean), joint.s.shape[1]
    weight, scale = np.ones(len(s)), 1.0
    A, mean = np.eye(count), joint.mean
    for _ in range(_SWEEPS):
        share = np.zeros((frames, count))
        share[frame, camera] = weight
        total = np.maximum(share.sum(1), 1e-12)
        level = np.bincount(frame, weight * s, frames) / total
        A = np.diag(share.sum(0)) - share.T @ (share / total[:, None])
        A[joint.reference, joint.reference] += 1e6 * share.sum()
        mean = np.linalg.pinv(A, hermitian=True) @ np.bincount(camera, weight * (s - level[frame]), count)
        instant = np.bincount(frame, weight * (s - mean[camera]), frames) / total
        apart = s - mean[camera] - instant[frame]
        # Of n offsets in a frame n - 1 are free; and no offset is told better than by the motion.
        scale = max(1.4826 * float(np.median(np.abs(apart))) * np.sqrt(2.0), 0.7 * joint.spread, 1e-6)
        weight = 1 / (1 + (apart / (2 * scale)) ** 2)
    joint.mean = mean - mean[joint.reference]
    joint.mean_sd = scale * np.sqrt(np.maximum(np.diag(np.linalg.pinv(A, hermitian=True)), 0.0))
