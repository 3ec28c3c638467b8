"""The whole sequence at once: observations of all views, smooth motion and soft bones, joint by joint.

A joint's trajectory x(t) minimises

    sum_tv  w rho(r_tv(x_t))  +  s sum_t |d^k x / dt^k|^2 h_t  +  sum_bones  rho_b(|x - x_other| - length)

with the tangent-plane residuals of `mv3d.geometry.triangulation`, a derivative of order k whose strength s is the one
of greatest evidence for the joint (MacKay, Bayesian Interpolation, 1992), and bones that give way. Given its
neighbours a joint is a banded system, linear in frames; the joints are swept in turn (Gauss-Seidel) while the robust
weights settle.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from mv3d.data.skeleton import Skeleton
from mv3d.reconstruct import sequence_kernels as kernels
from mv3d.reconstruct.observations import Observations
from mv3d.reconstruct.per_frame import PerFrame

# Strengths tried per joint, as rms of the k-th derivative times the frame interval to the power k - 1/2, m.
# From a statue's (0.1 mm) to a fast wrist's.
_STRENGTHS_M = np.geomspace(1e-4, 0.1, 25)
# Weak pull to the start, 1/m^2 (a sigma of 30 m): only keeps a joint without data from being singular.
_RIDGE = 1e-3


@dataclass(frozen=True, slots=True)
class SequenceConfig:
    """Smoothing over the sequence.

    Attributes:
        derivative: order k of the derivative that is held small: 2 acceleration, 3 jerk.
        scale_sigmas: residual, in standard deviations, at which an observation loses half of its support.
        first_widening: factor on that scale in the first sweep, so that a wrong start can be left; it shrinks to 1.
        sweeps: how often all joints are solved in turn.
        least_bone_sigma_m: bones are held at least this softly: detectors do not mark the centres of joints.
        bone_sigma_spread: a bone's standard deviation as a multiple of its measured spread.
        bone_share: a bone is used if both its ends are measured in this share of the frames.
    """

    derivative: int = 3
    scale_sigmas: float = 4.0
    first_widening: float = 3.0
    sweeps: int = 8
    least_bone_sigma_m: float = 0.01
    bone_sigma_spread: float = 1.0
    bone_share: float = 0.3


@dataclass(frozen=True, slots=True, eq=False)
class Smoothed:
    """Trajectories without gaps; which frames deserve to be kept is decided by the caller.

    Attributes:
        xyz: (frame, joint, 3) m; NaN for joints that were never triangulated.
        covariance: (frame, joint, 3, 3) m2, of observations and motion, without the bones.
    """

    xyz: np.ndarray
    covariance: np.ndarray


def smooth_sequence(
    observations: Observations,
    per_frame: PerFrame,
    skeleton: Skeleton,
    timestamps: Float[np.ndarray, " frame"],
    config: SequenceConfig,
) -> Smoothed:
    """Smooth every joint that was triangulated in at least two frames."""
    frames, _, joints = observations.score.shape
    found = np.all(np.isfinite(per_frame.xyz), axis=-1)
    usable = [j for j in range(joints) if found[:, j].sum() >= 2]
    result = Smoothed(np.full((frames, joints, 3), np.nan), np.full((frames, joints, 3, 3), np.nan))
    order = min(config.derivative, frames - 1)
    if order < 1 or not usable:
        result.xyz[:] = per_frame.xyz
        result.covariance[:] = per_frame.covariance
        return result
    prior = difference_prior(timestamps, order)
    data = _JointData(observations, per_frame)
    x = {j: _start(per_frame.xyz[:, j]) for j in usable}
    strength = dict.fromkeys(x, _strength(_STRENGTHS_M[len(_STRENGTHS_M) // 2], timestamps, order))
    share = found.mean(0)
    used = [(a, b) for a, b in skeleton.bones if min(share[a], share[b]) >= config.bone_share]
    for sweep in range(config.sweeps):
        widening = max(1.0, config.first_widening * (1 - sweep / max(config.sweeps // 2, 1)))
        bones = _bones(used, x, config) if sweep >= config.sweeps // 2 else {}
        for j in x:
            H, b = data.terms(j, x[j], widening * config.scale_sigmas)
            if sweep in (1, config.sweeps // 2):
                strength[j] = _best_strength(H, b, prior, order, timestamps, x[j])
            for other, length, sigma in bones.get(j, ()):
                kernels.bone_term(x[j], x[other], length, sigma**-2, (3 * sigma) ** 2, H, b)
            kernels.smooth(H, b, prior, strength[j], _RIDGE, x[j])
    for j in x:
        result.xyz[:, j] = x[j]
        H, _ = data.terms(j, x[j], config.scale_sigmas)
        kernels.covariance(H, prior, strength[j], _RIDGE, result.covariance[:, j])
    return result


def difference_prior(timestamps: Float[np.ndarray, " frame"], order: int) -> Float[np.ndarray, "frame width"]:
    """Lower band of D^T W D, with D the divided differences that estimate the derivative of this order.

    The rows of D are weighted by the time they stand for, so that irregular frames weigh as regular ones do.
    """
    frames = len(timestamps)
    band = np.zeros((frames, order + 1))
    for first in range(frames - order):
        t = timestamps[first : first + order + 1]
        gaps = t[:, None] - t[None, :] + np.eye(order + 1)
        row = np.prod(np.arange(1, order + 1)) / gaps.prod(1)
        weight = (t[-1] - t[0]) / order
        for k in range(order + 1):
            band[first + k : first + order + 1, :][np.arange(order + 1 - k), np.arange(order + 1 - k)] += (
                weight * row[k] * row[k:]
            )
    return band


class _JointData:
    """Observations laid out joint by joint for the kernels."""

    def __init__(self, observations: Observations, per_frame: PerFrame) -> None:
        def by_joint(array: np.ndarray) -> np.ndarray:
            return np.ascontiguousarray(np.moveaxis(array, 2, 0))

        seen = observations.seen
        self._centers = np.ascontiguousarray(observations.rig.centers)
        self._weight = by_joint(observations.precision(per_frame.noise_px))
        self._noise2 = by_joint(np.where(seen, per_frame.noise_px, 1.0) ** 2)
        self._bearings = by_joint(np.where(seen[..., None], observations.bearings, 0.0))
        self._jacobians = by_joint(np.where(seen[..., None, None], observations.pixel_jacobians, 0.0))

    def terms(self, joint: int, x: np.ndarray, scale_sigmas: float) -> tuple[np.ndarray, np.ndarray]:
        """Normal equations H (frame, 3, 3) and b (frame, 3) of a joint's observations around x."""
        H, b = np.zeros((len(x), 3, 3)), np.zeros((len(x), 3))
        kernels.data_term(
            x,
            self._centers,
            self._bearings[joint],
            self._jacobians[joint],
            self._weight[joint],
            scale_sigmas**2 * self._noise2[joint],
            H,
            b,
        )
        return H, b


def _start(xyz: np.ndarray) -> np.ndarray:
    """A trajectory without gaps or lone outliers: running median of five, then straight lines over gaps."""
    frames = len(xyz)
    found = np.all(np.isfinite(xyz), axis=-1)
    padded = np.pad(np.where(found[:, None], xyz, np.nan), ((2, 2), (0, 0)), constant_values=np.nan)
    windows = np.lib.stride_tricks.sliding_window_view(padded, 5, axis=0)
    held = np.flatnonzero(found)
    medians = np.nanmedian(windows[held], axis=-1)
    return np.stack([np.interp(np.arange(frames), held, medians[:, k]) for k in range(3)], axis=1)


def _strength(rms_m: float, timestamps: np.ndarray, order: int) -> float:
    """Strength of the prior for an rms k-th difference of `rms_m` between frames at the median interval."""
    interval = float(np.median(np.diff(timestamps)))
    return interval ** (2 * order - 1) / rms_m**2


def _best_strength(
    H: np.ndarray, b: np.ndarray, prior: np.ndarray, order: int, timestamps: np.ndarray, x: np.ndarray
) -> float:
    candidates = [_strength(s, timestamps, order) for s in _STRENGTHS_M]
    rows = len(x) - order
    evidence = [kernels.log_evidence(H, b, prior, rows, s, _RIDGE, x) for s in candidates]
    return candidates[int(np.nanargmax(evidence))] if np.isfinite(evidence).any() else candidates[len(candidates) // 2]


def _bones(
    used: list[tuple[int, int]], x: dict[int, np.ndarray], config: SequenceConfig
) -> dict[int, list[tuple[int, float, float]]]:
    """For each joint its bones as (other joint, length, sigma), lengths and spreads measured on the current x."""
    bones: dict[int, list[tuple[int, float, float]]] = {}
    for a, b in used:
        lengths = np.linalg.norm(x[a] - x[b], axis=1)
        length = float(np.median(lengths))
        # 1.48 turns a median absolute deviation into a standard deviation for normal errors.
        spread = 1.48 * float(np.median(np.abs(lengths - length)))
        sigma = max(config.least_bone_sigma_m, config.bone_sigma_spread * spread)
        bones.setdefault(a, []).append((b, length, sigma))
        bones.setdefault(b, []).append((a, length, sigma))
    return bones
