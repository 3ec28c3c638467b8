"""From the detections of all views to the performer's skeleton, with clocks and cameras held against each other."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Float

from mv3d.data.correction import Correction
from mv3d.data.diagnosis import Diagnosis, RigCheck, Sync
from mv3d.data.poses import Poses2D, Poses3D
from mv3d.data.quality import Quality
from mv3d.data.rig import Rig
from mv3d.data.skeletons import judged_joints
from mv3d.files.multiview import Timeline, match_times
from mv3d.reconstruct.corrections import apply_corrections
from mv3d.reconstruct.keypoints import Keypoints, reconstruct_keypoints
from mv3d.reconstruct.people_selection import reconstruct_other, select_people
from mv3d.reconstruct.quality import measure_quality
from mv3d.reconstruct.reconstruction import ReconstructConfig
from mv3d.reconstruct.rig_check import RigCheckConfig, check_rig, refine_by_keypoints
from mv3d.reconstruct.spans import swapped_spans, unseen_spans
from mv3d.reconstruct.sync import estimate_sync
from mv3d.reconstruct.sync_refinement import SyncConfig


@dataclass(frozen=True, slots=True, eq=False)
class ViewsConfig:
    """Settings of the whole way from detections to the skeleton.

    Attributes:
        reconstruct: triangulation and smoothing.
        sync: time offsets from motion.
        rig_check: does the rig fit, and is it to be corrected?
    """

    reconstruct: ReconstructConfig
    sync: SyncConfig
    rig_check: RigCheckConfig


@dataclass(frozen=True, slots=True, eq=False)
class Reconstruction:
    """The skeleton and all that was found out on the way.

    Attributes:
        rig: the cameras as used: corrected, if that was asked for.
        poses3d: the skeleton.
        quality: its figures.
        diagnosis: clocks, cameras and detections.
        timeline: which frames were looked at together.
    """

    rig: Rig
    poses3d: Poses3D
    quality: Quality
    diagnosis: Diagnosis
    timeline: Timeline


def reconstruct_views(
    rig: Rig,
    poses: Sequence[Poses2D],
    timeline: Timeline,
    config: ViewsConfig,
    corrections: Sequence[Correction] = (),
    covariance: Float[np.ndarray, "unknown unknown"] | None = None,
    clocks: Float[np.ndarray, " view"] | None = None,
) -> Reconstruction:
    """Choose the performer, synchronise, check the rig, reconstruct and judge.

    Args:
        rig: cameras in view order.
        poses: detections of each view on its own frames.
        timeline: by the cameras' own stamps and what is known of their clocks.
        config: settings.
        corrections: by hand.
        covariance: of the parameters that may be refined, from the calibration.
        clocks: known offsets of the cameras' clocks, s: what camera v stamps t is the world at t + clocks[v].

    Raises:
        ReconstructionError: nobody is seen by two views.
    """
    triangulation = config.reconstruct.triangulation
    clocks = np.zeros(len(rig)) if clocks is None else clocks
    seen = seen_people(rig, poses, timeline, config, corrections, clocks)
    keypoints, sync, timeline = seen.performer, seen.sync, seen.timeline
    limbs = judged_joints(poses[0].skeleton)
    check = check_rig(rig, keypoints, limbs, triangulation, config.rig_check) if config.rig_check.enabled else None
    kind = config.rig_check.refine
    if kind is not None:
        rig = refine_by_keypoints(rig, keypoints, limbs, kind, triangulation, config.rig_check, covariance).rig
        check = replace(check, refined=kind) if check is not None else None
    poses3d, used = reconstruct_keypoints(rig, keypoints, config.reconstruct)
    found = sync.time_offsets if sync is not None and sync.applied else np.zeros(len(rig))
    poses3d = replace(poses3d, time_offsets=clocks + found)
    beside = (reconstruct_other(rig, other, config.reconstruct) for other in seen.others)
    poses3d = poses3d.joined_with([other for other in beside if other is not None])
    quality = measure_quality(rig, used.xy, used.score, poses3d, triangulation)
    diagnosis = _diagnosis(rig, sync, check, keypoints, poses3d)
    return Reconstruction(rig, poses3d, quality, diagnosis, timeline)


@dataclass(frozen=True, slots=True, eq=False)
class SeenPeople:
    """Who was chosen across the views, on synchronised clocks.

    Attributes:
        performer: keypoints on the timeline, corrected by hand.
        others: the other people's.
        sync: what the movement tells of the clocks; None where it was not looked at or cannot be told.
        timeline: which frames were looked at together.
    """

    performer: Keypoints
    others: tuple[Keypoints, ...]
    sync: Sync | None
    timeline: Timeline


def seen_people(
    rig: Rig,
    poses: Sequence[Poses2D],
    timeline: Timeline,
    config: ViewsConfig,
    corrections: Sequence[Correction],
    clocks: Float[np.ndarray, " view"],
) -> SeenPeople:
    """Choose the people across the views and synchronise; arguments as of `reconstruct_views`.

    Raises:
        ReconstructionError: nobody is seen by two views.
    """
    if np.any(clocks):
        poses = [replace(p, timestamps=p.timestamps + clock) for p, clock in zip(poses, clocks, strict=True)]

    def chosen_at(instants: Timeline) -> tuple[Keypoints, tuple[Keypoints, ...]]:
        people = select_people(rig, poses, instants.timestamps, instants.index, instants.present, config.reconstruct)
        # Where every frame is at its instant the sequence need not look at times view by view.
        shifted = instants.time_shift if np.any(instants.time_shift) else None
        performer, *others = [replace(chosen, time_shift=shifted) for chosen in people]
        return apply_corrections(performer, rig.names, instants, corrections), tuple(others)

    performer, others = chosen_at(timeline)
    limbs = judged_joints(poses[0].skeleton)
    sync = estimate_sync(rig, performer, limbs, config.sync) if config.sync.enabled else None
    if sync is not None and sync.applied:
        timeline = _matched_again(timeline, poses, sync)
        performer, others = chosen_at(timeline)
    return SeenPeople(performer, others, sync, timeline)


def _matched_again(timeline: Timeline, poses: Sequence[Poses2D], sync: Sync) -> Timeline:
    """The same instants of the view that leads the timeline, the others' frames matched with the offsets added."""
    stamps = [p.timestamps for p in poses]
    again = match_times(stamps, [sync.shift_at(own, v) for v, own in enumerate(stamps)])
    leader = max(range(len(stamps)), key=lambda v: len(stamps[v]))
    return again.only(np.isin(again.index[:, leader], timeline.index[:, leader]))


def _diagnosis(
    rig: Rig, sync: Sync | None, check: RigCheck | None, keypoints: Keypoints, poses3d: Poses3D
) -> Diagnosis:
    return Diagnosis(sync, check, unseen_spans(poses3d), swapped_spans(rig, keypoints.xy, poses3d))
