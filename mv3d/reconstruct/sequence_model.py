"""What a sequence is like: how fast joints move, how constant bones are, how noisy views, how lasting blunders.

All of it is learnt from the recording itself, by evidence, and then held fixed while trajectories are solved, so that
an hour can be solved in windows that agree.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from mv3d.reconstruct import sequence_kernels
from mv3d.reconstruct.trajectories import Bones, Motion

# Strengths tried per joint, as rms of the k-th derivative times the frame interval to the power k - 1/2, m.
# From a statue's (0.1 mm) to a fast wrist's.
STRENGTHS_M = np.geomspace(1e-4, 0.1, 25)


@dataclass(frozen=True, slots=True, eq=False)
class SequenceModel:
    """Parameters of a recording.

    Attributes:
        joints: (usable,) indices of the joints that are solved.
        strength: (usable,) of the motion prior.
        bones: between usable joints, by their place in `joints`.
        noise: (usable,) factor on the standard deviation of each joint's observations.
        memory: how many times the variance of independent errors is left after smoothing, where errors last over
            frames: one plus twice the sum of their autocorrelations; 1 for independent ones.
        bias: (usable,) variance of each joint's constant errors, view by view, as a share of the noise's.
        pull: (usable,) factor on the covariance, by how hard the motion prior pulls at the trajectory; 1 for a motion
            that is just as the prior expects.
        enter: probability that a good observation is followed by a blunder.
        leave: probability that a blunder is followed by a good one.
    """

    joints: np.ndarray
    strength: np.ndarray
    bones: Bones
    noise: np.ndarray
    memory: float
    bias: np.ndarray
    pull: np.ndarray
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
    candidates = strengths_of(STRENGTHS_M, times, order)
    at = np.argmin(np.abs(np.log(candidates / motion.strength[:, None])), axis=1)
    sequence_kernels.best_strengths(H, b, motion.band, motion.rows, candidates, ridge, at)
    return Motion(motion.band, motion.rows, candidates[at])


def pull_factor(
    pulled: Float[np.ndarray, "joint frame 3"], covariance: Float[np.ndarray, "joint frame 3 3"], order: int
) -> Float[np.ndarray, " joint"]:
    """Factor that turns the covariance of the prior's motions into that of this motion, by the prior's actual pull.

    A trajectory's error has two parts: noise that passes the smoother, and the bias C Q x by which the prior, of
    information Q, pulls a motion x to itself. The covariance C counts the second as the prior expects it: a share
    a = 1 / (2 order) of itself, for a smoother of gain 1 / (1 + w^(2 order)) at frequency w. Motions that are smoother
    than that at the frequencies where it cuts off are biased less, jerky ones more. The bias of the found trajectory,
    C Q x, is expected to have a (1 - a) / 2 of the covariance's trace (the integrals of the gain's powers).

    Args:
        pulled: C Q x of the found trajectories, m.
        covariance: C, m^2.
        order: of the derivative that the prior holds small.
    """
    share = 1 / (2 * order)
    expected = share * (1 - share) / 2 * np.trace(covariance, axis1=-2, axis2=-1).mean(1)
    return 1 + share * ((pulled**2).sum(-1).mean(1) / np.maximum(expected, 1e-30) - 1)
