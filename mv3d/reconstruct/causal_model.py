"""What the causal filter believes of a recording: guesses at first, then what the frames so far tell."""

from dataclasses import dataclass, field, replace

import numpy as np
from jaxtyping import Float

from mv3d.data.rig import Rig
from mv3d.data.skeleton import Skeleton
from mv3d.reconstruct.bones import tree_of
from mv3d.reconstruct.noise import Noise, NoiseConfig, measure_noise
from mv3d.reconstruct.observations import observe
from mv3d.reconstruct.per_frame import TriangulationConfig, triangulate_frames
from mv3d.reconstruct.sequence import learn_model
from mv3d.reconstruct.sequence_fit import ENTER, LEAVE, SequenceConfig
from mv3d.reconstruct.sequence_model import SequenceModel
from mv3d.reconstruct.trajectories import Bones, no_bones

# OpenPose's 25 px in an image of 1280 x 1024, which is scaled to each view's size.
_TOLERANCE_PX, _TOLERANCE_AREA = 25.0, 1280 * 1024


@dataclass(frozen=True, slots=True)
class CausalConfig:
    """One frame in, one skeleton out.

    Attributes:
        lag: frames of the future that a skeleton waits for; 0 for none.
        learn_at: numbers of frames after which the model is learnt anew from those before.
        learn_every: and every so many frames after the last of them.
        learn_frames: of the past that it is learnt from, at most.
        in_background: learn in a thread of its own, while the frames go on; results then depend on its speed.
        jerk_density: of every joint until learnt, m^2/s^5: a walk's, so that noise is smoothed from the first frame.
        steps: of the iterated update.
        doubt_frames: a joint is sought anew when so many frames in a row two views show it elsewhere.
        patience_frames: after so many frames without a third view two rays that meet are enough to begin a joint.
        lost_sigma_m: a joint known less well than this is lost.
        max_gap_s: a joint that two views do not agree on is filled for so long at most: half of what a gap with two
            ends is allowed offline.
    """

    lag: int = 0
    learn_at: tuple[int, ...] = (45, 120, 300, 600)
    learn_every: int = 1200
    learn_frames: int = 600
    in_background: bool = False
    jerk_density: float = 1000.0
    steps: int = 4
    doubt_frames: int = 4
    patience_frames: int = 10
    lost_sigma_m: float = 0.5
    max_gap_s: float = 0.2

    def __post_init__(self) -> None:
        if self.lag < 0 or self.learn_every < 1 or self.learn_frames < 1 or self.steps < 1:
            raise ValueError("lag must be 0 or more; learn_every, learn_frames and steps at least 1")

    def is_time_to_learn(self, frames: int) -> bool:
        """Whether the model is learnt after this many frames."""
        last = max(self.learn_at, default=0)
        return frames in self.learn_at or (frames > last and (frames - last) % self.learn_every == 0)


@dataclass(frozen=True, slots=True, eq=False)
class CausalModel:
    """The parameters of `SequenceModel` for every joint, as the filter reads them.

    Attributes:
        noise: of the views.
        noise_factor: (joint,) on its standard deviation.
        typical_score: None where each frame's own median stands in.
        density: (joint,) of the jerk, m^2/s^5: one over the prior's strength.
        bones: of a tree, ends (parent, child).
        bone_order: from the leaves to the roots.
        memory: how many times the variance of independent errors is left after smoothing.
        bias: (joint,) variance of constant errors as a share of a single frame's.
        enter: probability that a good observation is followed by a blunder.
        leave: probability that a blunder is followed by a good one.
    """

    noise: Noise
    noise_factor: np.ndarray
    typical_score: float | None
    density: np.ndarray
    bones: Bones
    bone_order: np.ndarray
    memory: float
    bias: np.ndarray
    enter: float
    leave: float

    def variance(self, size: Float[np.ndarray, " view"], config: NoiseConfig) -> Float[np.ndarray, "view joint"]:
        """Variance of a coordinate, px^2, where a metre at the person has this many px in each view."""
        noise_px = self.noise.pixels(size[None], config)[0].T * self.noise_factor
        return np.maximum(noise_px, config.least_px) ** 2


@dataclass(frozen=True, slots=True, eq=False)
class Past:
    """Frames gone by: xy (frame, view, joint, 2) px, score (frame, view, joint), times and delays (frame, view) s."""

    xy: np.ndarray
    score: np.ndarray
    times: np.ndarray
    delay: np.ndarray


def guessed_model(rig: Rig, joints: int, config: CausalConfig, noise: NoiseConfig) -> CausalModel:
    """Before anything is known: a detector's usual noise, no bones."""
    area = np.array([camera.size for camera in rig], float).prod(1)
    usual = _TOLERANCE_PX * np.sqrt(area / _TOLERANCE_AREA) / noise.first_scale_m
    return CausalModel(
        Noise(np.full((joints, len(rig)), noise.first_scale_m / 3), usual, 1.0),
        np.ones(joints),
        None,
        np.full(joints, config.jerk_density),
        no_bones(),
        np.zeros(0, np.int64),
        1.0,
        np.zeros(joints),
        ENTER,
        LEAVE,
    )


def without_bones(model: CausalModel, joints: int) -> CausalModel:
    """What holds for anybody else before the same cameras."""
    return replace(model, bones=no_bones(), bone_order=np.zeros(0, np.int64), bias=np.zeros(joints))


@dataclass(frozen=True, slots=True)
class Learning:
    """Settings of learning, which are those of the offline way."""

    triangulation: TriangulationConfig = field(default_factory=TriangulationConfig)
    sequence: SequenceConfig = field(default_factory=SequenceConfig)


def learnt_model(rig: Rig, skeleton: Skeleton, past: Past, before: CausalModel, learning: Learning) -> CausalModel:
    """What the past tells; `before` where it tells nothing."""
    observations = observe(rig, past.xy, past.score)
    noise = measure_noise(observations, learning.triangulation.noise)
    per_frame = triangulate_frames(observations, learning.triangulation, noise)
    late = past.delay if past.delay.any() else None
    model = learn_model(observations, per_frame, skeleton, past.times, learning.sequence, delay=late)
    if model is None:
        return before
    return _for_all_joints(model, noise, observations.typical_score, before)


def _for_all_joints(model: SequenceModel, noise: Noise, typical_score: float, before: CausalModel) -> CausalModel:
    """The learnt joints' parameters, and for the others what was believed before."""
    density, factor, bias = before.density.copy(), before.noise_factor.copy(), before.bias.copy()
    density[model.joints], factor[model.joints], bias[model.joints] = 1 / model.strength, model.noise, model.bias
    ends = model.joints[model.bones.ends].reshape(-1, 2).astype(np.int64)
    bones, order = tree_of(Bones(ends, model.bones.length, model.bones.sigma), len(density))
    return CausalModel(
        noise, factor, typical_score, density, bones, order, model.memory, bias, model.enter, model.leave
    )
