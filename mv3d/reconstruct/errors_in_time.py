"""Errors of detections in time: how large, lasting and constant; from residuals of points fitted frame by frame."""

import warnings

import numpy as np
from jaxtyping import Float, Int

from mv3d.reconstruct.trajectories import JointRays

# A joint's noise counts as known from so many frames on; below, that of all joints is mixed in.
_KNOWN_FROM = 50
# Autocorrelation of residuals is followed over at most this many frames, and until it falls below that.
_LONGEST_MEMORY = 30
_LEAST_CORRELATION = 0.05
# Residuals beyond this many standard deviations count as that many.
_MOST_SIGMAS = 3.0
# Keeps the logarithm of exact data finite.
_TINY = 1e-12


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


def memory_of(residual: Float[np.ndarray, "joint frame view 2"], good: Float[np.ndarray, "joint frame view"]) -> float:
    """Factor on the variance of errors that last: 1 + 2 sum of their autocorrelations, each joint's mean taken off."""
    use = good > 0.5
    r = np.where(use[..., None], np.nan_to_num(residual, posinf=0.0) - _means(residual, use)[:, None], 0.0)
    scale = np.sqrt((r**2).sum((1, 3), keepdims=True) / np.maximum(use.sum(1), 1)[:, None, :, None])
    r = np.clip(r / np.maximum(scale, _TINY), -_MOST_SIGMAS, _MOST_SIGMAS)
    power, memory = (r**2).sum() / max(use.sum(), 1), 1.0
    for lag in range(1, min(_LONGEST_MEMORY, r.shape[1] - 1) + 1):
        pairs = int((use[:, lag:] & use[:, :-lag]).sum())
        correlation = float((r[:, lag:] * r[:, :-lag]).sum() / max(pairs, 1) / max(power, _TINY))
        if not correlation > _LEAST_CORRELATION or pairs < _KNOWN_FROM:
            break
        memory += 2 * correlation
    return memory


def bias_of(
    rays: JointRays,
    residual: Float[np.ndarray, "joint frame view 2"],
    good: Float[np.ndarray, "joint frame view"],
    memory: float,
) -> Float[np.ndarray, " joint"]:
    """Variance of each joint's constant errors in the views, a coordinate, as a share of the noise's variance.

    Means over the recording scatter even without bias, by the noise over the number of independent frames, which is
    taken off; and of n views' errors the fit shows 2 n - 3 of 2 n numbers.
    """
    use = good > 0.5
    scaled = residual / np.sqrt(rays.variance)[..., None]
    count = use.sum(1)
    known = count >= _KNOWN_FROM
    square = (_means(scaled, use) ** 2).sum(-1) / 2 - memory / np.maximum(count, 1)
    views = known.sum(1)
    mean = np.where(known, square, 0.0).sum(1) / np.maximum(views, 1)
    return np.where(views >= 3, np.maximum(mean, 0.0) * 2 * views / np.maximum(2 * views - 3, 1), 0.0)


def single_frame_covariance(
    information: Float[np.ndarray, "joint frame 3 3"], views: Int[np.ndarray, "joint frame"]
) -> Float[np.ndarray, "joint 3 3"]:
    """What a frame alone usually knows of each joint: the middle one, by size, of all frames with two views or more."""
    out = np.zeros((len(information), 3, 3))
    for j in range(len(information)):
        blocks = information[j, views[j] >= 2]
        determinant = np.linalg.det(blocks)
        blocks = blocks[determinant > 0]
        if len(blocks):
            out[j] = np.linalg.inv(blocks[np.argsort(np.linalg.det(blocks))[len(blocks) // 2]])
    return out


def _means(values: np.ndarray, use: np.ndarray) -> Float[np.ndarray, "joint view 2"]:
    total = np.where(use[..., None], np.nan_to_num(values, posinf=0.0), 0.0).sum(1)
    return total / np.maximum(use.sum(1), 1)[..., None]
