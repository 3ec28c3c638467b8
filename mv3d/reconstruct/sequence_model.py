"""What a sequence is like: how fast joints move, how constant bones are, how noisy views, how lasting blunders.

All of it is learnt from the recording itself, by evidence, and then held fixed while trajectories are solved, so that
an hour can be solved in windows that agree.
"""

import warnings
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from mv3d.reconstruct import sequence_kernels
from mv3d.reconstruct.trajectories import Bones, JointRays, Motion

# Strengths tried per joint, as rms of the k-th derivative times the frame interval to the power k - 1/2, m.
# From a statue's (0.1 mm) to a fast wrist's.
STRENGTHS_M = np.geomspace(1e-4, 0.1, 25)
# A joint's noise counts as known from so many frames on; below, that of all joints is mixed in.
_KNOWN_FROM = 50
# Autocorrelation of residuals is followed over at most this many frames, and until it falls below that.
_LONGEST_MEMORY = 30
_LEAST_CORRELATION = 0.05
# Keeps the logarithm of exact data finite.
_TINY = 1e-12


@dataclass(frozen=True, slots=True, eq=False)
class SequenceModel:
    """Parameters of a recording.

    Attributes:
        joints: (usable,) indices of the joints that are solved.
        strength: (usable,) of the motion prior.
        bones: between usable joints, by their place in `joints`.
        noise: (usable,) factor on the standard deviation of each joint's observations.
        memory: (view,) factor on the variance for errors that last from frame to frame: one plus twice the sum of
            their autocorrelations; 1 for independent ones.
        enter: probability that a good observation is followed by a blunder.
        leave: probability that a blunder is followed by a good one.
    """

    joints: np.ndarray
    strength: np.ndarray
    bones: Bones
    noise: np.ndarray
    memory: np.ndarray
    enter: float
    leave: float


def strengths_of(
    rms_m: Float[np.ndarray, " candidate"], times: Float[np.ndarray, " frame"], order: int
) -> Float[np.ndarray, " candidate"]:
    """Strengths of the prior for an rms k-th difference of `rms_m` between frames at the median interval."""
    interval = float(np.median(np.diff(times)))
    return interval ** (2 * order - 1) / rms_m**2


def difference_prior(
    times: Float[np.ndarray, " frame"], order: int, starts: tuple[int, ...] = ()
) -> Float[np.ndarray, "frame width"]:
    """Lower band of D^T W D, with D the divided differences that estimate the derivative of this order.

    The rows of D are weighted by the time they stand for, so that irregular frames weigh as regular ones do.

    Args:
        times: s.
        order: of the derivative.
        starts: frames at which a new piece begins that nothing ties to the frame before.
    """
    count = len(times) - order
    band = np.zeros((len(times), order + 1))
    t = np.stack([times[k : k + count] for k in range(order + 1)], axis=1)
    gaps = t[:, :, None] - t[:, None, :] + np.eye(order + 1)
    row = np.prod(np.arange(1, order + 1)) / gaps.prod(2)
    weight = (t[:, -1] - t[:, 0]) / order
    for start in starts:
        weight[max(start - order, 0) : start] = 0.0
    for k in range(order + 1):
        for m in range(order + 1 - k):
            band[k + m : k + m + count, k] += weight * row[:, m] * row[:, k + m]
    return band


def best_motion(
    motion: Motion, H: np.ndarray, g: np.ndarray, x: np.ndarray, times: np.ndarray, order: int, ridge: float
) -> Motion:
    """The motion prior of greatest evidence for each joint (MacKay, Bayesian Interpolation, 1992)."""
    b = np.einsum("jfrs,jfs->jfr", H, x) - g
    strength = motion.strength.copy()
    candidates = strengths_of(STRENGTHS_M, times, order)
    sequence_kernels.best_strengths(H, b, motion.band, motion.rows, candidates, ridge, strength)
    return Motion(motion.band, motion.rows, strength)


def noise_factors(
    rays: JointRays,
    residual: Float[np.ndarray, "joint frame view 2"],
    good: Float[np.ndarray, "joint frame view"],
) -> Float[np.ndarray, " joint"]:
    """Factor on the standard deviation of each joint, from the residuals of points fitted frame by frame.

    The views' squares together have 2 n - 3 degrees of freedom, however the views are weighted; view by view they
    would not: a view that is trusted more is fitted better, and would be trusted still more. The median resists
    blunders that are left (Wilson and Hilferty, The Distribution of Chi-square, 1931, for the median).
    """
    use = good > 0.5
    freedom = 2.0 * use.sum(2) - 3.0
    total = np.where(use, (residual**2).sum(-1) / rays.variance, 0.0).sum(2)
    k = np.maximum(freedom, 1.0)
    ratio = np.where(freedom >= 3, total / (k * (1 - 2 / (9 * k)) ** 3), np.nan)
    told = np.isfinite(ratio).sum(1)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)
        of_all = np.nan_to_num(np.nanmedian(ratio), nan=1.0)
        by_joint = np.where(told > 0, np.nanmedian(ratio, axis=1), of_all)
    share = told / (told + _KNOWN_FROM)
    return np.sqrt(np.maximum(by_joint, _TINY) ** share * np.maximum(of_all, _TINY) ** (1 - share))


def memory_of(
    residual: Float[np.ndarray, "joint frame view 2"], good: Float[np.ndarray, "joint frame view"]
) -> Float[np.ndarray, " view"]:
    """Factor on the variance of errors that last: 1 + 2 sum of their autocorrelations, each joint's mean taken off."""
    use = good > 0.5
    r = np.where(use[..., None], np.nan_to_num(residual, posinf=0.0), 0.0)
    count = np.maximum(use.sum(1), 1)[:, None, :, None]
    r = np.where(use[..., None], r - r.sum(1, keepdims=True) / count, 0.0)
    scale = np.sqrt((r**2).sum((1, 3), keepdims=True) / count)
    r = np.clip(r / np.maximum(scale, 1e-12), -3, 3)
    power = (r**2).sum((0, 1, 3)) / np.maximum(use.sum((0, 1)), 1)
    memory, open_ = np.ones(r.shape[2]), np.ones(r.shape[2], bool)
    for lag in range(1, min(_LONGEST_MEMORY, r.shape[1] - 1) + 1):
        pairs = (use[:, lag:] & use[:, :-lag]).sum((0, 1))
        correlation = (r[:, lag:] * r[:, :-lag]).sum((0, 1, 3)) / np.maximum(pairs, 1) / np.maximum(power, 1e-12)
        open_ &= (correlation > _LEAST_CORRELATION) & (pairs > _KNOWN_FROM)
        memory += np.where(open_, 2 * correlation, 0.0)
        if not open_.any():
            break
    return memory
