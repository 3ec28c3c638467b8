"""Everybody in a recording of keypoints: each person's keypoints in all views over time, the clearest first."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Int

from mv3d.data.poses import Poses2D, Poses3D
from mv3d.data.rig import Rig
from mv3d.data.skeleton import Skeleton
from mv3d.errors import ReconstructionError
from mv3d.reconstruct.keypoints import Keypoints, detections_by_frame, reconstruct_keypoints, select_performer
from mv3d.reconstruct.people import PeopleConfig, PeopleTracker
from mv3d.reconstruct.reconstruction import ReconstructConfig
from mv3d.reconstruct.tracking import Frame


@dataclass(frozen=True, slots=True, eq=False)
class PersonTrack:
    """One person through a recording.

    Attributes:
        detections: (frame, view) index of the detection in each view's list; -1 where none is theirs.
    """

    detections: Int[np.ndarray, "frame view"]

    @property
    def seen(self) -> int:
        """Frames in which two views or more see the person."""
        return int((np.sum(self.detections >= 0, axis=1) >= 2).sum())

    @property
    def clarity(self) -> float:
        """Views beyond the one and a half that agree by themselves, summed over frames: a bystander has few."""
        return float(np.maximum(np.sum(self.detections >= 0, axis=1) - 1.5, 0).sum())


def select_people(
    rig: Rig,
    poses: Sequence[Poses2D],
    timestamps: np.ndarray,
    index: np.ndarray,
    present: np.ndarray,
    config: ReconstructConfig,
) -> list[Keypoints]:
    """The keypoints of everybody who is wanted, the performer first; the arguments are those of `select_performer`.

    Raises:
        ReconstructionError: no person is seen by two views.
    """
    if config.people.count == 1 or all(p.xy.shape[1] == 1 for p in poses):
        return [select_performer(rig, poses, timestamps, index, present, config)]
    skeleton, frames = poses[0].skeleton, detections_by_frame(poses, index, present)
    tracks = track_people(rig, skeleton, frames, timestamps, config.people)
    return [keypoints_of(track, frames, timestamps, skeleton) for track in tracks]


def track_people(
    rig: Rig, skeleton: Skeleton, frames: Sequence[Frame], timestamps: np.ndarray, config: PeopleConfig
) -> list[PersonTrack]:
    """Follow everybody through the frames.

    Returns:
        At most `config.count` people, those whom most views see for longest first.

    Raises:
        ReconstructionError: nobody is seen by two views for long enough.
    """
    tracker = PeopleTracker(rig, skeleton, config)
    sightings: dict[int, dict[int, np.ndarray]] = {}
    confirmed: set[int] = set()
    for f, (xy, score) in enumerate(frames):
        for seen in tracker.step(xy, score, float(timestamps[f])):
            sightings.setdefault(seen.person, {})[f] = seen.detections
            if seen.confirmed:
                confirmed.add(seen.person)
    for new, old in tracker.take_renamed().items():
        sightings[old] = sightings.pop(new, {}) | sightings[old]
    tracks = (_track(sightings[person], len(frames), len(rig)) for person in sorted(confirmed & sightings.keys()))
    people = sorted(tracks, key=lambda track: -track.clarity)
    if not people:
        raise ReconstructionError(
            "no person is seen by two cameras at once; check the videos and the rig's calibration"
        )
    return people[: config.count]


def _track(sightings: dict[int, np.ndarray], frames: int, views: int) -> PersonTrack:
    detections = np.full((frames, views), -1)
    for frame, own in sightings.items():
        detections[frame] = own
    return PersonTrack(detections)


def keypoints_of(track: PersonTrack, frames: Sequence[Frame], timestamps: np.ndarray, skeleton: Skeleton) -> Keypoints:
    """The detections of one person as keypoints."""
    shape = (*track.detections.shape, len(skeleton))
    xy, score = np.full((*shape, 2), np.nan), np.zeros(shape)
    for f, v in np.argwhere(track.detections >= 0):
        xy[f, v], score[f, v] = (values[v][track.detections[f, v]] for values in frames[f])
    return Keypoints(skeleton, timestamps, xy, score)


def reconstruct_other(rig: Rig, keypoints: Keypoints, config: ReconstructConfig) -> Poses3D | None:
    """Somebody besides the performer, on the whole timeline; missing before the first and after the last sight.

    Returns:
        None if no two views agree on a joint.
    """
    seen = np.flatnonzero((keypoints.score > 0).any((1, 2)))
    span = slice(seen[0], seen[-1] + 1)
    shift = None if keypoints.time_shift is None else keypoints.time_shift[span]
    part = replace(
        keypoints,
        timestamps=keypoints.timestamps[span],
        xy=keypoints.xy[span],
        score=keypoints.score[span],
        time_shift=shift,
    )
    try:
        poses, _ = reconstruct_keypoints(rig, part, replace(config, allow_empty_views=True))
    except ReconstructionError:
        return None
    return poses.within(keypoints.timestamps, int(seen[0]))
