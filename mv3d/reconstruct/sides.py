"""Left and right: detectors swap the legs or the arms of a person in one view for a while, and the sequence tells.

For every view and every group of paired joints (legs, arms, eyes and ears) a hidden state says whether the view has
them swapped. The evidence is how well its detections fit the trajectories as they are against how well they fit those
of the other side; the state persists. A swapped view is repaired, not averaged in.
"""

from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Bool, Float

from mv3d.data.skeleton import Skeleton
from mv3d.reconstruct import state_kernels
from mv3d.reconstruct.observations import Observations
from mv3d.reconstruct.trajectories import JointRays


@dataclass(frozen=True, slots=True)
class SidesConfig:
    """Finding swapped sides.

    Attributes:
        enabled: look for them at all.
        enter: probability that a view swaps a group from one frame to the next.
        leave: probability that it swaps back.
        widening: factor on the variance, since trajectories are uncertain too.
        blunder_share: of observations that fit neither side; a single one must not decide.
    """

    enabled: bool = True
    enter: float = 0.002
    leave: float = 0.05
    widening: float = 4.0
    blunder_share: float = 0.05


def paired_groups(skeleton: Skeleton) -> list[list[tuple[int, int]]]:
    """Groups of (joint, its mirror) that bones of one side connect: a detector swaps a limb, not a joint."""
    mirror = skeleton.mirror
    pairs = [(j, int(m)) for j, m in enumerate(mirror) if j < m]
    number = {j: i for i, pair in enumerate(pairs) for j in pair}
    group = list(range(len(pairs)))
    for a, b in skeleton.bones:
        if a in number and b in number and number[a] != number[b]:
            old, new = group[number[b]], group[number[a]]
            group = [new if g == old else g for g in group]
    return [[pairs[i] for i in range(len(pairs)) if group[i] == g] for g in sorted(set(group))]


def swapped_sides(
    rays: JointRays, x: Float[np.ndarray, "joint frame 3"], groups: list[list[tuple[int, int]]], config: SidesConfig
) -> Bool[np.ndarray, "joint frame view"]:
    """Where a joint's observation belongs to its mirror joint.

    Args:
        rays: observations.
        x: trajectories, m.
        groups: pairs of the solver's joints.
    """
    out = np.zeros(rays.weight.shape, bool)
    if not config.enabled or not any(groups):
        return out
    other = np.arange(len(x))
    for a, b in (pair for group in groups for pair in group):
        other[a], other[b] = b, a
    gain = _log_likelihood(rays, x, config) - _log_likelihood(rays, np.ascontiguousarray(x[other]), config)
    for group in filter(None, groups):
        joints = [j for pair in group for j in pair]
        evidence, usual = np.ascontiguousarray(gain[joints].sum(0).T), np.empty(len(rays.times))
        for v in range(len(rays.centers)):
            state_kernels.smooth_chain(evidence[v], config.enter, config.leave, usual, np.zeros(4))
            out[joints, :, v] = usual < 0.5
    return out


def _log_likelihood(rays: JointRays, x: np.ndarray, config: SidesConfig) -> Float[np.ndarray, "joint frame view"]:
    """Of each observation under its joint's trajectory; 0 where unseen. A share of blunders bounds it from below."""
    square = (rays.residuals(x) ** 2).sum(-1) / (config.widening * rays.variance)
    density = (1 - config.blunder_share) * np.exp(-0.5 * square) + config.blunder_share * 1e-2
    return np.where(np.isnan(square), 0.0, np.log(density))


def repaired_rays(rays: JointRays, swapped: Bool[np.ndarray, "joint frame view"], other: np.ndarray) -> JointRays:
    """The rays with swapped observations given to the joint that they belong to; `other` is each joint's mirror."""

    def exchange(array: np.ndarray) -> np.ndarray:
        where = np.expand_dims(swapped, tuple(range(3, array.ndim)))
        return np.where(where, array[other], array)

    return replace(
        rays, bearings=exchange(rays.bearings), jacobians=exchange(rays.jacobians), weight=exchange(rays.weight)
    )


def repaired_observations(
    observations: Observations, swapped: Bool[np.ndarray, "frame view joint"], mirror: np.ndarray
) -> Observations:
    """The same for observations."""
    if not swapped.any():
        return observations
    wide = swapped[..., None]
    jacobians = observations.pixel_jacobians
    return replace(
        observations,
        xy=np.where(wide, observations.xy[:, :, mirror], observations.xy),
        score=np.where(swapped, observations.score[:, :, mirror], observations.score),
        bearings=np.where(wide, observations.bearings[:, :, mirror], observations.bearings),
        pixel_jacobians=np.where(wide[..., None], jacobians[:, :, mirror], jacobians),
    )
