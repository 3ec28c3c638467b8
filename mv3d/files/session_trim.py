"""A span of time of a session as a session of its own."""

import shutil
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from mv3d.data.session import Session
from mv3d.errors import SessionError
from mv3d.files.cutting import cut_video
from mv3d.files.frame_times import timestamps_path, write_frame_times
from mv3d.files.image_folder import list_images
from mv3d.files.sessions import find_sources
from mv3d.files.staging import written_together
from mv3d.files.video import VideoInfo, probe_video
from mv3d.files.writing import refuse_overwriting


@dataclass(frozen=True, slots=True)
class Trimmed:
    """What is left of one camera: its name, how many frames, and from when to when, s of the new session."""

    camera: str
    frames: int
    start: float
    end: float


def trim_session(root: Path, out: Path, start: float, end: float | None, overwrite: bool = False) -> list[Trimmed]:
    """Cut all cameras to the same span, without encoding anything anew; the rig comes along.

    Args:
        root: session to cut; stays as it is.
        out: session to make.
        start: s, on the clock of the session.
        end: s; the end of the session if None.
        overwrite: whether `out` may hold something already.

    Raises:
        SessionError: no such session, nothing in the span, or `out` is not empty.
        VideoError: a video cannot be read or cut.
    """
    refuse_overwriting(out, overwrite)
    spans = spans_of(root, start, end)
    with written_together(out) as folder:
        videos = Session(folder).videos
        trimmed = [_cut(video, videos, name, first, stop, start) for name, (video, first, stop) in spans.items()]
        if Session(root).rig.is_file():
            shutil.copyfile(Session(root).rig, Session(folder).rig)
    return trimmed


def spans_of(root: Path, start: float, end: float | None) -> dict[str, tuple[VideoInfo, int, int]]:
    """Each camera's video with its first frame in a span of time and the one after the last; none without frames in it.

    Raises:
        SessionError: no such session, or no camera has a frame in the span.
        VideoError: a video cannot be read.
    """
    videos = {name: probe_video(path) for name, path in find_sources(Session(root).videos).items()}
    stop = np.inf if end is None else end
    spans = {name: np.searchsorted(v.timestamps, [start, stop]) for name, v in videos.items()}
    found = {name: (videos[name], int(a), int(b)) for name, (a, b) in spans.items() if b > a}
    if not found:
        covered = min(v.timestamps[0] for v in videos.values()), max(v.timestamps[-1] for v in videos.values())
        raise SessionError(f"{root}: nothing from {start:g} to {stop:g} s; it has {covered[0]:g} to {covered[1]:g} s")
    return found


def _cut(video: VideoInfo, folder: Path, name: str, first: int, last: int, start: float) -> Trimmed:
    folder.mkdir(parents=True, exist_ok=True)
    if video.contents is None:
        kept, target = np.arange(first, last), folder / name
        target.mkdir()
        for path in list_images(video.path)[first:last]:
            shutil.copyfile(path, target / path.name)
    else:
        target = folder / f"{name}.mkv"
        kept = cut_video(video, target, first, last)
    times = video.timestamps[kept] - start
    write_frame_times(timestamps_path(target), np.column_stack([times, times, np.full(len(times), np.nan)]))
    return Trimmed(name, len(times), float(times[0]), float(times[-1]))
