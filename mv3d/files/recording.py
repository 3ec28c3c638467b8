"""A session's videos with their cameras, checked against each other: the start of every stage that looks at images."""

import dataclasses
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from mv3d.data.camera import Camera
from mv3d.data.rig import Rig
from mv3d.data.session import Session
from mv3d.errors import CalibrationError, SessionError, VideoError
from mv3d.files.frame_times import timestamps_path
from mv3d.files.multiview import Timeline, check_same_length, match_times, read_together
from mv3d.files.sessions import find_sources, match_names
from mv3d.files.time_offsets import OffsetSource, session_offsets
from mv3d.files.video import VideoInfo, probe_video

# Encoders want sides in multiples of 16 and recorders crop or pad to them: so much difference is no other resolution.
_CODEC_PADDING_PX = 15
# Sides that differ by less than this share keep the aspect of the picture.
_SAME_ASPECT = 0.005


@dataclass(frozen=True, slots=True, eq=False)
class Recording:
    """Videos of a calibrated rig.

    Attributes:
        session: the folder.
        rig: the cameras, their lenses scaled to the size of the videos.
        videos: in the order of the rig.
        timeline: which frames show the same instant, by timestamps with the time offsets added.
        time_offsets: (view,) s: what camera v stamps t is the world at t + time_offsets[v].
        notes: what was unusual but could be dealt with, a sentence each.
    """

    session: Session
    rig: Rig
    videos: tuple[VideoInfo, ...]
    timeline: Timeline
    time_offsets: np.ndarray
    notes: tuple[str, ...]

    def images(self) -> Iterator[list[np.ndarray | None]]:
        """The image of each view at each instant of the timeline."""
        return read_together(self.videos, self.timeline)


def open_recording(root: str | Path, common_time: bool = False, time_offsets: OffsetSource = "none") -> Recording:
    """Find videos and rig of a session and check that they fit.

    Args:
        root: the session folder: videos/ and cameras.yaml.
        common_time: accept videos of unequal length and use the time that all of them cover.
        time_offsets: which offsets of the cameras' clocks the frames are matched with.

    Raises:
        SessionError: a folder or file is missing, or videos and cameras do not match.
        VideoError: a video cannot be read, or lengths differ.
        CalibrationError: the rig cannot be read, or a video has another shape than its camera.
    """
    session = Session(Path(root))
    if not session.root.is_dir():
        raise SessionError(f"{session.root}: no such session folder")
    rig, videos, notes = _fitted_rig(session)
    offsets = session_offsets(session, rig.names, time_offsets)
    shift = offsets.array(rig.names)
    timeline = match_times([video.timestamps + s for video, s in zip(videos, shift, strict=True)])
    if common_time:
        timeline = _shared(timeline, len(videos))
    elif all(timestamps_path(video.path).is_file() for video in videos):
        # One clock for all: where a camera came later, or was lost, is known, and the others go on without it.
        timeline = _shared(timeline, min(2, len(videos)))
    else:
        check_same_length(videos)
    return Recording(session, rig, videos, timeline, shift, (*notes, *offsets.notes))


def session_rig(session: Session) -> Rig:
    """The rig of a session, lenses scaled to its videos where they still lie there.

    Raises:
        SessionError: no rig.
        CalibrationError: it cannot be read, or a video has another shape than its camera.
    """
    return _fitted_rig(session)[0] if session.videos.is_dir() else _rig_of(session)


def _rig_of(session: Session) -> Rig:
    if not session.rig.is_file():
        raise SessionError(
            f"{session.rig}: no such file; bring a calibrated rig with `mv3d rig convert FILE {session.rig}`"
        )
    return Rig.load(session.rig)


def _fitted_rig(session: Session) -> tuple[Rig, tuple[VideoInfo, ...], tuple[str, ...]]:
    rig = _rig_of(session)
    sources = find_sources(session.videos)
    matched = match_names(rig.names, tuple(sources))
    videos = tuple(probe_video(sources[matched[name]]) for name in rig.names)
    fitted = [fitted_camera(camera, video) for camera, video in zip(rig, videos, strict=True)]
    return Rig(tuple(c for c, _ in fitted)), videos, tuple(note for _, note in fitted if note)


def fitted_camera(camera: Camera, video: VideoInfo) -> tuple[Camera, str]:
    """The camera for images of the video's size, and what was done to make it so.

    Raises:
        CalibrationError: the video has another shape than the camera was calibrated for.
    """
    if camera.size == video.size:
        return camera, ""
    shown, calibrated = (f"{w}x{h}" for w, h in (video.size, camera.size))
    if max(abs(a - b) for a, b in zip(camera.size, video.size, strict=True)) <= _CODEC_PADDING_PX:
        note = (
            f"{camera.name}: the video is {shown}, the calibration {calibrated}; taken as cropped at right and bottom"
        )
        return dataclasses.replace(camera, size=video.size), note
    factors = [a / b for a, b in zip(video.size, camera.size, strict=True)]
    if abs(factors[0] / factors[1] - 1) < _SAME_ASPECT:
        return camera.resized(video.size), f"{camera.name}: calibration scaled from {calibrated} to the video's {shown}"
    raise CalibrationError(
        f"{video.path}: the video is {shown}, but camera {camera.name} was calibrated at {calibrated}, another shape;"
        " record and calibrate with the same settings"
    )


def _shared(timeline: Timeline, least_views: int) -> Timeline:
    """From the first to the last instant that so many views have."""
    everywhere = np.flatnonzero(timeline.present.sum(1) >= least_views)
    if not len(everywhere):
        raise VideoError("the videos have no moment in common; check their timestamps")
    return timeline.only(slice(everywhere[0], everywhere[-1] + 1))
