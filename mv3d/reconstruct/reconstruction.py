"""From one person's keypoints in every view to `Poses3D`: triangulate, smooth, fill short gaps, say what is known."""

from dataclasses import dataclass, field, replace
from typing import Literal

import numpy as np
from jaxtyping import Bool, Float

from mv3d.data.poses import FILLED, MEASURED, MISSING, Poses3D
from mv3d.data.rig import Rig
from mv3d.data.skeleton import Skeleton
from mv3d.errors import ReconstructionError
from mv3d.reconstruct.association import AssociationConfig
from mv3d.reconstruct.causal_model import CausalConfig, Learning
from mv3d.reconstruct.causal_recording import filter_recording
from mv3d.reconstruct.noise import Noise, measure_noise
from mv3d.reconstruct.observations import Observations, observe
from mv3d.reconstruct.people import PeopleConfig
from mv3d.reconstruct.per_frame import PerFrame, TriangulationConfig, triangulate_frames
from mv3d.reconstruct.sequence import learn_model, smooth_sequence
from mv3d.reconstruct.sequence_fit import SequenceConfig
from mv3d.reconstruct.sequence_model import SequenceModel
from mv3d.reconstruct.sides import repaired_observations
from mv3d.reconstruct.windows import Window, WindowConfig, joined, sample, windows

Mode = Literal["frame", "sequence", "causal"]


@dataclass(frozen=True, slots=True)
class ReconstructConfig:
    """From keypoints to the 3D skeleton.

    Attributes:
        mode: "sequence" smooths over time; "frame" keeps every frame's own triangulation; "causal" smooths by the past
            alone, as a live run does.
        max_gap_s: joints seen by fewer than two agreeing views are filled over gaps up to this long (sequence mode).
        max_fill_sigma_m: and only where motion and remaining views hold them at least this well.
        reassociation_rounds: how often joints are matched anew to candidate peaks, where the 2D stage kept them.
        reassociation_tolerance_m: distance from the skeleton at which a candidate has lost three quarters of its claim.
        allow_empty_views: go on when a camera never sees the performer.
        association: choosing the performer.
        people: following several people.
        triangulation: robust triangulation.
        sequence: smoothing.
        windows: how long recordings are cut.
        causal: the filter of the mode "causal".
    """

    mode: Mode = "sequence"
    max_gap_s: float = 0.4
    max_fill_sigma_m: float = 0.15
    reassociation_rounds: int = 2
    reassociation_tolerance_m: float = 0.12
    allow_empty_views: bool = False
    association: AssociationConfig = field(default_factory=AssociationConfig)
    people: PeopleConfig = field(default_factory=PeopleConfig)
    triangulation: TriangulationConfig = field(default_factory=TriangulationConfig)
    sequence: SequenceConfig = field(default_factory=SequenceConfig)
    windows: WindowConfig = field(default_factory=WindowConfig)
    causal: CausalConfig = field(default_factory=CausalConfig)

    def of_people(self, count: int | None) -> "ReconstructConfig":
        """The same for so many people; None is everybody."""
        return replace(self, people=replace(self.people, count=count))


def reconstruct_person(
    rig: Rig,
    skeleton: Skeleton,
    xy: Float[np.ndarray, "frame view joint 2"],
    score: Float[np.ndarray, "frame view joint"],
    timestamps: Float[np.ndarray, " frame"],
    config: ReconstructConfig,
    delay: Float[np.ndarray, "frame view"] | None = None,
) -> Poses3D:
    """Reconstruct one person.

    Args:
        rig: cameras in view order.
        skeleton: joints of the keypoints.
        xy: px of the source images; NaN where missing.
        score: confidence; 0 where missing.
        timestamps: s.
        config: settings.
        delay: s by which each view's picture is later than its frame's instant; none if not given.

    Raises:
        ReconstructionError: no joint is ever seen by two agreeing views.
    """
    learnt = _learn(rig, skeleton, xy, score, timestamps, config, delay)

    filtered = None
    if config.mode == "causal":
        learning = Learning(config.triangulation, config.sequence)
        filtered = filter_recording(rig, skeleton, xy, score, timestamps, config.causal, learning, delay)

    def part(window: Window) -> tuple[Poses3D, slice]:
        frames = window.solved
        observations = observe(rig, xy[frames], score[frames], learnt.typical_score)
        if filtered is not None:
            own = filtered.of(frames)
            per_frame = triangulate_frames(observations, config.triangulation, learnt.noise)
            found = own.xyz, own.covariance, own.state, timestamps[frames]
            return _as_poses(observations, per_frame, skeleton, *found, config), window.kept
        late = None if delay is None else delay[frames]
        return _solved(observations, skeleton, timestamps[frames], learnt, config, late), window.kept

    poses = joined(map(part, windows(len(timestamps), config.windows)), len(timestamps))
    if not np.isfinite(poses.xyz_per_frame).any():
        raise ReconstructionError("no joint is seen alike by two cameras; check that the rig belongs to these videos")
    return poses


@dataclass(frozen=True, slots=True, eq=False)
class _Learnt:
    """What a sample tells of the whole recording."""

    typical_score: float
    noise: Noise
    model: SequenceModel | None


def _learn(
    rig: Rig,
    skeleton: Skeleton,
    xy: np.ndarray,
    score: np.ndarray,
    timestamps: np.ndarray,
    config: ReconstructConfig,
    delay: np.ndarray | None,
) -> _Learnt:
    frames, starts = sample(len(timestamps), config.windows)
    observations = observe(rig, xy[frames], score[frames])
    noise = measure_noise(observations, config.triangulation.noise)
    if config.mode != "sequence":
        return _Learnt(observations.typical_score, noise, None)
    per_frame = triangulate_frames(observations, config.triangulation, noise)
    late = None if delay is None else delay[frames]
    model = learn_model(
        observations, per_frame, skeleton, timestamps[frames], config.sequence, delay=late, starts=starts
    )
    return _Learnt(observations.typical_score, noise, model)


def _solved(
    observations: Observations,
    skeleton: Skeleton,
    timestamps: np.ndarray,
    learnt: _Learnt,
    config: ReconstructConfig,
    delay: np.ndarray | None,
) -> Poses3D:
    """One window."""
    per_frame = triangulate_frames(observations, config.triangulation, learnt.noise)
    if learnt.model is None:
        xyz, covariance = per_frame.xyz, per_frame.covariance
        state = np.where(np.isfinite(xyz).all(-1), MEASURED, MISSING)
    else:
        smoothed = smooth_sequence(
            observations, per_frame, skeleton, timestamps, config.sequence, learnt.model, delay=delay
        )
        xyz, covariance = smoothed.xyz, smoothed.covariance
        observations = repaired_observations(observations, smoothed.swapped, skeleton.mirror)
        state = _state(observations, per_frame, xyz, covariance, timestamps, config)
    return _as_poses(observations, per_frame, skeleton, xyz, covariance, state, timestamps, config)


def _state(
    observations: Observations,
    per_frame: PerFrame,
    xyz: np.ndarray,
    covariance: np.ndarray,
    timestamps: np.ndarray,
    config: ReconstructConfig,
) -> np.ndarray:
    """Measured where two views agree with the smoothed point; filled over short gaps that are known well enough."""
    known = np.isfinite(xyz).all(-1)
    agreeing, _ = _agreement(observations, per_frame, xyz, config)
    measured = known & (agreeing.sum(1) >= 2)
    sigma = np.sqrt(np.trace(np.nan_to_num(covariance, nan=np.inf), axis1=-2, axis2=-1) / 3)
    short = np.stack([_short_gaps(measured[:, j], timestamps, config.max_gap_s) for j in range(xyz.shape[1])], axis=1)
    filled = known & ~measured & short & (sigma < config.max_fill_sigma_m)
    return np.where(measured, MEASURED, np.where(filled, FILLED, MISSING))


def _short_gaps(
    measured: Bool[np.ndarray, " frame"], timestamps: np.ndarray, longest_s: float
) -> Bool[np.ndarray, " frame"]:
    """Frames in gaps no longer than allowed: the time between the measured frames on either side.

    A gap at an end has one side only and is allowed half as much.
    """
    held = np.flatnonzero(measured)
    if not len(held):
        return np.zeros(len(measured), bool)
    after = np.searchsorted(held, np.arange(len(measured)))
    previous = held[np.clip(after - 1, 0, None)]
    following = held[np.clip(after, None, len(held) - 1)]
    inner = (after > 0) & (after < len(held))
    span = np.where(inner, timestamps[following] - timestamps[previous], np.inf)
    at_end = np.minimum(np.abs(timestamps - timestamps[held[0]]), np.abs(timestamps - timestamps[held[-1]]))
    span = np.where(inner, span, 2 * at_end)
    return ~measured & (span <= longest_s)


def _agreement(
    observations: Observations, per_frame: PerFrame, xyz: np.ndarray, config: ReconstructConfig
) -> tuple[np.ndarray, np.ndarray]:
    """Views whose detection lies within the noise of the projection, and the distance in px (frame, view, joint)."""
    projected = np.stack([camera.project(xyz) for camera in observations.rig], axis=1)
    distance = np.where(observations.seen, np.linalg.norm(projected - observations.xy, axis=-1), np.nan)
    return distance < config.triangulation.inlier_sigmas * per_frame.noise_px, distance


def _as_poses(
    observations: Observations,
    per_frame: PerFrame,
    skeleton: Skeleton,
    xyz: np.ndarray,
    covariance: np.ndarray,
    state: np.ndarray,
    timestamps: np.ndarray,
    config: ReconstructConfig,
) -> Poses3D:
    kept = state != MISSING
    agreeing, distance = _agreement(observations, per_frame, xyz, config)
    used = agreeing & kept[:, None]
    count = used.sum(1)
    share = 1 / np.maximum(count, 1)
    error = np.where(count > 0, np.where(used, distance, 0.0).sum(1) * share, np.nan)
    return Poses3D(
        skeleton=skeleton,
        xyz=np.where(kept[..., None], xyz, np.nan)[:, None],
        score=(np.where(used, observations.score, 0.0).sum(1) * share)[:, None],
        reprojection_error=error[:, None],
        n_views=count[:, None],
        covariance=np.where(kept[..., None, None], covariance, np.nan)[:, None],
        state=state[:, None],
        xyz_per_frame=per_frame.xyz[:, None],
        timestamps=timestamps,
        cameras=observations.rig.names,
    )
