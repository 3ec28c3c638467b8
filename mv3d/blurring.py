"""Videos of a session with the faces made unrecognisable, to be given away."""

import shutil
from pathlib import Path

import numpy as np

from mv3d.data.poses import Poses2D
from mv3d.data.session import Session
from mv3d.errors import SessionError
from mv3d.files.frame_times import timestamps_path, write_frame_times
from mv3d.files.keypoints import read_keypoints
from mv3d.files.progress import Progress, silent
from mv3d.files.session_trim import Trimmed, spans_of
from mv3d.files.staging import written_together
from mv3d.files.video import VideoInfo, VideoWriter, read_frames
from mv3d.files.writing import refuse_overwriting
from mv3d.viz.faces import blurred, face_regions


def blur_session(
    root: Path, out: Path, start: float, end: float | None, overwrite: bool = False, progress: Progress = silent
) -> list[Trimmed]:
    """A span of time of a session as a new one, faces blurred by the keypoints of pose2d/; encoded anew as H.264.

    Raises:
        SessionError: no keypoints of a camera, nothing in the span, or `out` is not empty.
        VideoError: a video cannot be read.
    """
    session = Session(root)
    refuse_overwriting(out, overwrite)
    spans = spans_of(root, start, end)
    if not session.pose2d.is_dir():
        raise SessionError(f"{session.pose2d}: no keypoints to find faces by; run `mv3d pose2d {root}` first")
    poses2d = read_keypoints(session.pose2d, list(spans))
    with written_together(out) as folder:
        videos = Session(folder).videos
        trimmed = [
            _blur(video, poses2d[name], videos, name, range(first, stop), start, progress)
            for name, (video, first, stop) in spans.items()
        ]
        if session.rig.is_file():
            shutil.copyfile(session.rig, Session(folder).rig)
    return trimmed


def _blur(
    video: VideoInfo, poses: Poses2D, folder: Path, name: str, frames: range, start: float, progress: Progress
) -> Trimmed:
    if len(poses) != video.frame_count:
        raise SessionError(
            f"{video.path}: {video.frame_count} frames, but {len(poses)} of keypoints; run `mv3d pose2d`"
        )
    regions = face_regions(poses, video.size[1])
    times = video.timestamps[frames.start : frames.stop] - start
    target = folder / f"{name}.mp4"
    images = read_frames(video.path, frames.start, frames.stop, video)
    with VideoWriter(target, video.fps) as writer:
        for frame, (_, image) in zip(progress(frames, len(frames), f"blurring {name}"), images, strict=True):
            writer.write(
                blurred(image, regions[frame]), float(video.timestamps[frame] - video.timestamps[frames.start])
            )
    write_frame_times(timestamps_path(target), np.column_stack([times, times, np.full(len(times), np.nan)]))
    return Trimmed(name, len(times), float(times[0]), float(times[-1]))
