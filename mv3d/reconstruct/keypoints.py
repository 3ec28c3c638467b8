"""The performer's keypoints in all views, and the turns between them and the 3D skeleton."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Float

from mv3d.data.poses import Poses2D, Poses3D
from mv3d.data.rig import Rig
from mv3d.data.skeleton import Skeleton
from mv3d.reconstruct.reassociation import reassociate
from mv3d.reconstruct.reconstruction import ReconstructConfig, reconstruct_person
from mv3d.reconstruct.tracking import Frame, track_performer
from mv3d.reconstruct.view_checks import check_views


@dataclass(frozen=True, slots=True, eq=False)
class Keypoints:
    """One person in every view over a common timeline.

    Attributes:
        skeleton: which joints.
        timestamps: (frame,) s.
        xy: (frame, view, joint, 2) source px; NaN where missing.
        score: (frame, view, joint); 0 where missing.
        peaks_xy: (frame, view, joint, candidate, 2) what else the network saw, or None.
        peaks_score: (frame, view, joint, candidate), or None.
        by_hand: (frame, view, joint) whether a person decided on it, for good; None where nobody did.
        time_shift: (frame, view) s, the instant of the view's own frame minus the timeline's; None means zeros.
    """

    skeleton: Skeleton
    timestamps: np.ndarray
    xy: np.ndarray
    score: np.ndarray
    peaks_xy: np.ndarray | None = None
    peaks_score: np.ndarray | None = None
    by_hand: np.ndarray | None = None
    time_shift: np.ndarray | None = None


def select_performer(
    rig: Rig,
    poses: Sequence[Poses2D],
    timestamps: Float[np.ndarray, " frame"],
    index: np.ndarray,
    present: np.ndarray,
    config: ReconstructConfig,
) -> Keypoints:
    """The performer's keypoints from the detections of every view.

    Args:
        rig: cameras in view order.
        poses: detections of each view on its own frames.
        timestamps: the common timeline, s.
        index: (frame, view) number of each view's own frame.
        present: (frame, view) whether it has one.

    Raises:
        ReconstructionError: no person is seen by two views.
    """

    def on_timeline(view: int, values: np.ndarray, missing: float) -> np.ndarray:
        return _at(index[:, view], present[:, view], values, missing)

    if all(p.xy.shape[1] == 1 for p in poses):
        # As they come, in single precision: an hour of eight cameras is not to lie in memory twice.
        chosen_xy = np.stack([on_timeline(v, p.xy[:, 0], np.nan) for v, p in enumerate(poses)], 1)
        chosen_score = np.stack([on_timeline(v, p.score[:, 0], 0.0) for v, p in enumerate(poses)], 1)
    else:
        frames = detections_by_frame(poses, index, present)
        chosen_xy, chosen_score = track_performer(rig, frames, timestamps, config.association)
    keypoints = Keypoints(poses[0].skeleton, timestamps, chosen_xy, chosen_score)
    peaks = [(p.peaks_xy, p.peaks_score) for p in poses if p.peaks_xy is not None and p.peaks_score is not None]
    if len(peaks) < len(poses) or len({score.shape[2] for _, score in peaks}) != 1:
        return keypoints
    return replace(
        keypoints,
        peaks_xy=np.stack([on_timeline(v, xy, np.nan) for v, (xy, _) in enumerate(peaks)], 1).astype(float),
        peaks_score=np.stack([on_timeline(v, score, 0.0) for v, (_, score) in enumerate(peaks)], 1).astype(float),
    )


def detections_by_frame(poses: Sequence[Poses2D], index: np.ndarray, present: np.ndarray) -> list[Frame]:
    """Everybody's detections of each instant of a timeline, empty slots left out.

    Args:
        poses: detections of each view on its own frames.
        index: (frame, view) number of each view's own frame.
        present: (frame, view) whether it has one.
    """
    xy = [_at(index[:, v], present[:, v], p.xy, np.nan).astype(float) for v, p in enumerate(poses)]
    score = [_at(index[:, v], present[:, v], p.score, 0.0).astype(float) for v, p in enumerate(poses)]
    return [_people_at(xy, score, f) for f in range(len(index))]


def _at(index: np.ndarray, present: np.ndarray, values: np.ndarray, missing: float) -> np.ndarray:
    """A view's values by frame at the instants of the timeline."""
    there = present.reshape(-1, *([1] * (values.ndim - 1)))
    return np.where(there, values[index], values.dtype.type(missing))


def _people_at(
    xy: Sequence[np.ndarray], score: Sequence[np.ndarray], frame: int
) -> tuple[list[np.ndarray], list[np.ndarray]]:
    """Detections of one instant, empty slots left out."""
    there = [s[frame].max(-1, initial=0.0) > 0 for s in score]
    return [x[frame][t] for x, t in zip(xy, there, strict=True)], [
        s[frame][t] for s, t in zip(score, there, strict=True)
    ]


def reconstruct_keypoints(rig: Rig, keypoints: Keypoints, config: ReconstructConfig) -> tuple[Poses3D, Keypoints]:
    """The 3D skeleton, and the keypoints that it was made from in the end.

    Where candidate peaks are known, each joint takes the one that the skeleton explains best, unless it was set by
    hand, and the skeleton is solved again. `xyz_per_frame` stays that of the first choice, which knew nothing of the
    sequence.

    Raises:
        ReconstructionError: a view sees nobody, two show the same, or no two agree on a joint.
    """
    check_views(rig, keypoints.xy, keypoints.score, keypoints.by_hand, config.allow_empty_views)
    poses = _reconstruct(rig, keypoints, config)
    peaks_xy, peaks_score = keypoints.peaks_xy, keypoints.peaks_score
    if peaks_xy is None or peaks_score is None or config.mode != "sequence":
        return poses, keypoints
    first = poses
    for _ in range(config.reassociation_rounds):
        xy, score = reassociate(rig, peaks_xy, peaks_score, poses.xyz[:, 0], config.reassociation_tolerance_m)
        kept = np.isnan(poses.xyz[:, 0, :, 0])[:, None]
        if keypoints.by_hand is not None:
            kept = kept | keypoints.by_hand
        xy = np.where(kept[..., None], keypoints.xy, xy)
        score = np.where(kept, keypoints.score, score)
        keypoints = replace(keypoints, xy=xy, score=score)
        poses = _reconstruct(rig, keypoints, config)
    return replace(poses, xyz_per_frame=first.xyz_per_frame), keypoints


def _reconstruct(rig: Rig, keypoints: Keypoints, config: ReconstructConfig) -> Poses3D:
    return reconstruct_person(
        rig,
        keypoints.skeleton,
        keypoints.xy,
        keypoints.score,
        keypoints.timestamps,
        config,
        delay=keypoints.time_shift,
    )
