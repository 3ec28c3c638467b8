"""One fit of the sequence model on its way: trajectories, hidden states, and the parameters that they are judged by."""

from dataclasses import dataclass, field, replace

import numpy as np
from jaxtyping import Float

from mv3d.data.skeleton import Skeleton
from mv3d.reconstruct import sequence_kernels, state_kernels
from mv3d.reconstruct.bones import informed, length_variance, measure_bones
from mv3d.reconstruct.errors_in_time import bias_of, memory_of, noise_factors, single_frame_covariance
from mv3d.reconstruct.observations import Observations
from mv3d.reconstruct.per_frame import PerFrame
from mv3d.reconstruct.sequence_model import SequenceModel, best_motion, difference_prior, pull_factor
from mv3d.reconstruct.sides import SidesConfig, paired_groups, repaired_rays, swapped_sides
from mv3d.reconstruct.trajectories import RIDGE, JointRays, Motion, make_rays, newton_step

# Transitions of good observations before they are learnt: one in twenty is a blunder, two frames long.
ENTER, LEAVE = 0.03, 0.5
# Counts that the learnt transitions start from, so that a short clean sequence does not learn certainties.
_PRIOR_COUNTS = 50.0
# What is left of the softening of bones after each step with states.
_HARDENING = 0.3
# Noise below this (px) gains nothing, and exact data would divide by zero.
_LEAST_NOISE_PX = 0.2
# Of a frame's information: keeps a point that one ray alone leaves open along it where it is.
_RELATIVE_RIDGE = 1e-4


@dataclass(frozen=True, slots=True)
class SequenceConfig:
    """Smoothing over the sequence.

    Attributes:
        derivative: order k of the derivative that is held small: 2 acceleration, 3 jerk.
        scale_sigmas: residual, in standard deviations, at which an observation loses half of its support at first.
        first_widening: factor on that scale in the first step, so that a wrong start can be left; it shrinks to 1.
        robust_steps: Newton steps with that loss.
        state_steps: Newton steps with hidden states after it.
        blunder_scale: scale of blunders in standard deviations of good observations.
        bone_share: a bone is used if both its ends are measured in this share of the frames.
        soft_bones_m: added to every bone's sigma at first.
        sides: left and right.
    """

    derivative: int = 3
    scale_sigmas: float = 4.0
    first_widening: float = 3.0
    robust_steps: int = 4
    state_steps: int = 5
    blunder_scale: float = 15.0
    bone_share: float = 0.3
    soft_bones_m: float = 0.03
    sides: SidesConfig = field(default_factory=SidesConfig)


class Fit:
    """Trajectories on their way to the minimum, and the model that they are judged by."""

    def __init__(
        self,
        observations: Observations,
        per_frame: PerFrame,
        skeleton: Skeleton,
        times: np.ndarray,
        config: SequenceConfig,
        model: SequenceModel,
        delay: np.ndarray | None,
        starts: tuple[int, ...] = (),
    ) -> None:
        self.config, self.model, self.times = config, model, times
        self._order = min(config.derivative, len(times) - 1)
        self._band = difference_prior(times, self._order, starts)
        self._rows = len(times) - self._order * (1 + len(starts))
        delay = np.zeros((len(times), len(observations.rig))) if delay is None else delay
        self._first = self._rays = make_rays(observations, per_frame.noise_px, model.joints, times, delay)
        self.x = np.stack([_start(per_frame.xyz[:, j]) for j in model.joints])
        place = {int(j): i for i, j in enumerate(model.joints)}
        self._groups = [
            [(place[a], place[b]) for a, b in group if a in place and b in place] for group in paired_groups(skeleton)
        ]
        self._mirror = np.arange(len(model.joints))
        for a, b in (pair for group in self._groups for pair in group):
            self._mirror[a], self._mirror[b] = b, a
        self.swapped = np.zeros(self._rays.weight.shape, bool)
        self.good = np.ones(self._rays.weight.shape)

    @property
    def rays(self) -> JointRays:
        """The observations with sides put right and the noise that the model says."""
        return self._with_noise(self._rays)

    def _with_noise(self, rays: JointRays) -> JointRays:
        noise2 = (self.model.noise**2)[:, None, None]
        variance = np.maximum(rays.variance * noise2, _LEAST_NOISE_PX**2)
        return replace(rays, variance=variance, weight=rays.weight * rays.variance / variance)

    @property
    def motion(self) -> Motion:
        """The prior that the model says."""
        return Motion(self._band, self._rows, self.model.strength)

    def robust_step(self, step: int) -> None:
        """Step with Geman-McClure's loss, wide at first."""
        rays, config = self.rays, self.config
        widening = max(1.0, config.first_widening * (1 - step / max(config.robust_steps - 1, 1)))
        square = (rays.residuals(self.x) ** 2).sum(-1) / rays.variance
        scale2 = (widening * config.scale_sigmas) ** 2
        self.good = np.where(np.isfinite(square), (scale2 / (scale2 + square)) ** 2, 0.0)
        newton_step(self.x, rays, self.good, self.motion, self.model.bones, config.soft_bones_m)

    def state_step(self, step: int) -> None:
        """Step with the probabilities of the hidden states; sides are looked at every other time."""
        if step % 2 == 0:
            self.swapped = swapped_sides(self._with_noise(self._first), self.x, self._groups, self.config.sides)
            self._rays = repaired_rays(self._first, self.swapped, self._mirror)
        rays = self.rays
        square = (rays.residuals(self.x) ** 2).sum(-1)
        counts = np.zeros((len(self.x), 4))
        state_kernels.good_observations(
            square, rays.variance, self.config.blunder_scale**2, self.model.enter, self.model.leave, self.good, counts
        )
        self._counts = counts.sum(0)
        softening = self.config.soft_bones_m * _HARDENING ** (step + 1)
        newton_step(self.x, rays, self.good, self.motion, self.model.bones, softening)

    def information(self) -> np.ndarray:
        """Of every joint and frame by its own observations."""
        return self.rays.normal_equations(self.x, self.good)[0]

    def covariance(self, information: np.ndarray) -> np.ndarray:
        """Of every joint and frame, observations and motion, as if errors were independent."""
        out = np.empty_like(information)
        sequence_kernels.marginal_covariances(information, self._band, self.model.strength, RIDGE, out)
        return out

    def honest_covariance(self) -> np.ndarray:
        """Of every joint and frame, with bones, and with what averaging over frames does not take away.

        Errors that last over m frames leave m times the variance after smoothing, but no more than a single frame has;
        a constant one stays as it is in a single frame.
        """
        information = self.information()
        covariance = self.covariance(informed(self.model.bones, self.x, information))
        single = single_frame_covariance(information, (self.good > 0.5).sum(2))[:, None]
        covariance *= self.model.pull[:, None, None, None]
        limit = np.trace(single, axis1=-2, axis2=-1) / np.trace(covariance, axis1=-2, axis2=-1)
        factor = np.clip(limit, 1.0, self.model.memory)
        return factor[..., None, None] * covariance + self.model.bias[:, None, None, None] * single

    def learn_motion(self) -> None:
        """Strengths of greatest evidence."""
        H, g = self.rays.normal_equations(self.x, self.good)
        found = best_motion(self.motion, H, g, self.x, self.times, self._order, RIDGE)
        self.model = replace(self.model, strength=found.strength)

    def learn_noise(self) -> None:
        """Noise and memory of the views, and how blunders come and go.

        Measured around the point that suits each frame's observations best, so that what the motion prior smooths
        away, which all views see alike, does not count as their noise.
        """
        rays = self.rays
        H, g = rays.normal_equations(self.x, self.good)
        ridge = np.maximum(RIDGE, _RELATIVE_RIDGE * np.trace(H, axis1=-2, axis2=-1))
        free = self.x - np.linalg.solve(H + ridge[..., None, None] * np.eye(3), g[..., None])[..., 0]
        residual = rays.residuals(np.ascontiguousarray(free))
        enter = (self._counts[1] + ENTER * _PRIOR_COUNTS) / (self._counts[0] + _PRIOR_COUNTS)
        leave = (self._counts[3] + LEAVE * _PRIOR_COUNTS) / (self._counts[2] + _PRIOR_COUNTS)
        memory = memory_of(residual, self.good)
        self.model = replace(
            self.model,
            noise=self.model.noise * noise_factors(rays, residual, self.good),
            memory=memory,
            bias=bias_of(rays, residual, self.good, memory),
            enter=float(np.clip(enter, 1e-4, 0.5)),
            leave=float(np.clip(leave, 0.02, 0.99)),
        )

    def learn_pull(self) -> None:
        """How the motion prior pulls at these trajectories."""
        H, strength = self.information(), self.model.strength
        bands = np.empty((len(self.x), 3 * self.x.shape[1], 3 * self._band.shape[1]))
        sequence_kernels.factor_joints(H, self._band, strength, RIDGE, bands)
        pulled = np.zeros_like(self.x)
        sequence_kernels.apply_motion(self._band, strength, 0.0, self.x, pulled)
        sequence_kernels.solve_joints(bands, pulled.reshape(len(pulled), -1))
        self.model = replace(self.model, pull=pull_factor(pulled, self.covariance(H), self._order))

    def learn_bones(self, used: list[tuple[int, int]]) -> None:
        """Lengths, and sigmas beyond what independent errors of the views explain.

        Errors that last are a detector's way of marking a joint in this pose: a bone between such marks does vary.
        """
        if not used:
            return
        covariance = self.covariance(self.information())
        self.model = replace(self.model, bones=measure_bones(self.x, used, length_variance(self.x, covariance, used)))


def _start(xyz: Float[np.ndarray, "frame 3"]) -> Float[np.ndarray, "frame 3"]:
    """A trajectory without gaps or lone outliers: running median of five, then straight lines over gaps."""
    frames = len(xyz)
    found = np.all(np.isfinite(xyz), axis=-1)
    if not found.any():
        return np.zeros((frames, 3))
    padded = np.pad(np.where(found[:, None], xyz, np.nan), ((2, 2), (0, 0)), constant_values=np.nan)
    windows = np.lib.stride_tricks.sliding_window_view(padded, 5, axis=0)
    held = np.flatnonzero(found)
    medians = np.nanmedian(windows[held], axis=-1)
    return np.stack([np.interp(np.arange(frames), held, medians[:, k]) for k in range(3)], axis=1)
