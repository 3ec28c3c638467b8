"""The whole sequence at once: observations of all views, smooth motion, bones of constant length, hidden states.

The trajectories x(t) of all joints minimise

    sum_tv  g w |r_tv(x_t)|^2  +  s sum_t |d^k x / dt^k|^2 h_t  +  sum_bones  rho(|x_a - x_b| - length) / sigma^2

with the tangent-plane residuals r of `mv3d.geometry.triangulation`, g the probability that an observation is good, by a
hidden state that lasts (`state_kernels`), sides that are swapped in a view for a while put right (`sides`), and
strengths s, lengths, sigmas and noise learnt from the recording by evidence (`sequence_model`). docs/reconstruction.md
derives it. A first stage with a robust loss whose width shrinks brings the trajectories near enough for the states.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from mv3d.data.skeleton import Skeleton
from mv3d.reconstruct.observations import Observations
from mv3d.reconstruct.per_frame import PerFrame
from mv3d.reconstruct.sequence_fit import ENTER, LEAVE, Fit, SequenceConfig
from mv3d.reconstruct.sequence_model import STRENGTHS_M, SequenceModel, strengths_of
from mv3d.reconstruct.trajectories import no_bones


@dataclass(frozen=True, slots=True, eq=False)
class Smoothed:
    """Trajectories without gaps; which frames deserve to be kept is decided by the caller.

    Attributes:
        xyz: (frame, joint, 3) m; NaN for joints that were never triangulated.
        covariance: (frame, joint, 3, 3) m2.
        good: (frame, view, joint) probability that an observation is no blunder, after sides were put right.
        swapped: (frame, view, joint) where the observation of a joint was taken from its mirror joint.
        noise_px: (frame, view, joint) standard deviation of good observations as measured; inf where unseen.
    """

    xyz: np.ndarray
    covariance: np.ndarray
    good: np.ndarray
    swapped: np.ndarray
    noise_px: np.ndarray


def learn_model(
    observations: Observations,
    per_frame: PerFrame,
    skeleton: Skeleton,
    times: Float[np.ndarray, " frame"],
    config: SequenceConfig,
    *,
    delay: Float[np.ndarray, "frame view"] | None = None,
    starts: tuple[int, ...] = (),
) -> SequenceModel | None:
    """Learn what the recording is like; None if there are too few frames or points.

    Args:
        observations: of all frames or a sample of them.
        per_frame: their triangulation.
        skeleton: joints and bones.
        times: s.
        config: settings.
        delay: s by which each view's picture is later than its frame's instant.
        starts: frames at which a new piece of the recording begins.
    """
    found = np.all(np.isfinite(per_frame.xyz), axis=-1)
    joints = np.flatnonzero(found.sum(0) >= 2)
    order = min(config.derivative, len(times) - 1)
    if order < 1 or not len(joints):
        return None
    blank = SequenceModel(
        joints,
        np.full(len(joints), np.median(strengths_of(STRENGTHS_M, times, order))),
        no_bones(),
        np.ones(len(joints)),
        1.0,
        np.zeros(len(joints)),
        np.ones(len(joints)),
        ENTER,
        LEAVE,
    )
    fit = Fit(observations, per_frame, skeleton, times, config, blank, delay, starts)
    share = found.mean(0)
    place = {int(j): i for i, j in enumerate(joints)}
    used = [(place[a], place[b]) for a, b in skeleton.bones if min(share[a], share[b]) >= config.bone_share]
    for step in range(config.robust_steps):
        fit.robust_step(step)
        if step % 2:
            fit.learn_motion()
    for step in range(config.state_steps):
        fit.state_step(step)
        fit.learn_noise()
        fit.learn_motion()
    fit.learn_pull()
    # Last: trajectories that bones have pulled at would say that bones are constant.
    fit.learn_bones(used)
    return fit.model


def smooth_sequence(
    observations: Observations,
    per_frame: PerFrame,
    skeleton: Skeleton,
    times: Float[np.ndarray, " frame"],
    config: SequenceConfig,
    model: SequenceModel | None = None,
    *,
    delay: Float[np.ndarray, "frame view"] | None = None,
) -> Smoothed:
    """Trajectories of every joint that the model holds.

    Args:
        observations: of consecutive frames.
        per_frame: their triangulation, where trajectories start from.
        skeleton: joints and bones.
        times: s.
        config: settings.
        model: of the recording; learnt from these frames if not given.
        delay: s by which each view's picture is later than its frame's instant.
    """
    model = model or learn_model(observations, per_frame, skeleton, times, config, delay=delay)
    if model is None or len(times) < 2:
        return _unsmoothed(observations, per_frame)
    fit = Fit(observations, per_frame, skeleton, times, config, model, delay)
    for step in range(config.robust_steps):
        fit.robust_step(step)
    for step in range(config.state_steps):
        fit.state_step(step)
    return _smoothed(fit, observations)


def _smoothed(fit: Fit, observations: Observations) -> Smoothed:
    """The fit's trajectories in the order of the observations."""
    shape, joints = observations.seen.shape, fit.model.joints
    out = Smoothed(
        np.full((shape[0], shape[2], 3), np.nan),
        np.full((shape[0], shape[2], 3, 3), np.nan),
        np.zeros(shape),
        np.zeros(shape, bool),
        np.full(shape, np.inf),
    )
    out.xyz[:, joints] = np.moveaxis(fit.x, 0, 1)
    out.covariance[:, joints] = np.moveaxis(fit.honest_covariance(), 0, 1)
    out.good[:, :, joints] = np.moveaxis(fit.good, 0, 2)
    out.swapped[:, :, joints] = np.moveaxis(fit.swapped, 0, 2)
    noise = np.sqrt(np.moveaxis(fit.rays.variance, 0, 2))
    seen = np.moveaxis(fit.rays.weight, 0, 2) > 0
    out.noise_px[:, :, joints] = np.where(seen, noise, np.inf)
    return out


def _unsmoothed(observations: Observations, per_frame: PerFrame) -> Smoothed:
    return Smoothed(
        per_frame.xyz.copy(),
        per_frame.covariance.copy(),
        per_frame.inlier.astype(float),
        np.zeros(observations.seen.shape, bool),
        per_frame.noise_px.copy(),
    )
