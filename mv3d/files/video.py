"""Videos and image folders as sources of frames with exact times.

`probe_video` and `read_frames` take either; `VideoWriter` writes H.264 in MP4.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
from jaxtyping import UInt8

from mv3d.data.checks import frozen_array
from mv3d.errors import VideoError
from mv3d.files.container import Contents, decode_frames, decode_pictures, read_contents
from mv3d.files.frame_times import recorded_timestamps
from mv3d.files.image_folder import list_images, read_image, read_images
from mv3d.files.video_writer import VideoWriter

__all__ = ["VIDEO_SUFFIXES", "VideoInfo", "VideoWriter", "probe_video", "read_frames", "read_pictures"]

VIDEO_SUFFIXES = frozenset({".mp4", ".mkv", ".avi", ".mov", ".m4v", ".webm"})
# Images carry no rate; a webcam's is the likeliest.
_IMAGE_FPS = 30.0


@dataclass(frozen=True, slots=True, eq=False)
class VideoInfo:
    """What a source holds, known without decoding it.

    Attributes:
        path: the video, or the folder of images.
        size: (width, height) px as shown, after rotation.
        frame_count: frames that reading yields.
        fps: mean frames per second.
        timestamps: (frame,) s, increasing. From the video they start at 0; from a `<camera>.timestamps.csv` beside it
            they are as recorded, on the clock that the cameras shared.
        duration: s, the display time of the last frame included.
        contents: how to find frames in the file; None for images.
    """

    path: Path
    size: tuple[int, int]
    frame_count: int
    fps: float
    timestamps: np.ndarray
    duration: float
    contents: Contents | None = None


def probe_video(path: str | Path, fps: float | int | None = None) -> VideoInfo:
    """Size, frame count and frame times of a video or a folder of images.

    Args:
        path: video file or folder.
        fps: rate of a folder of images, 30 if not given; ignored for videos, which know their times.

    Raises:
        VideoError: missing, not a video, without frames, or cut short.
        FormatError: the timestamps.csv beside it does not fit.
    """
    path = Path(path)
    if path.is_dir():
        return _probe_images(path, float(fps or _IMAGE_FPS))
    contents = read_contents(path)
    count = len(contents.pts)
    recorded = recorded_timestamps(path, count)
    if recorded is None:
        return _info(
            path,
            contents.size,
            contents.timestamps,
            contents.fps,
            float(contents.timestamps[-1]) + 1 / contents.fps,
            contents,
        )
    return _info(path, contents.size, recorded, *_rate_of(recorded, contents.fps), contents)


def read_frames(
    path: str | Path, start: int = 0, stop: int | None = None, info: VideoInfo | None = None
) -> Iterator[tuple[float, UInt8[np.ndarray, "height width 3"]]]:
    """Frames in display order, upright, as (timestamp s, BGR image).

    Yields exactly the frames start..stop-1 that `probe_video` counted, or raises.

    Args:
        path: video file or folder of images.
        start: first frame; reached by seeking.
        stop: frame after the last; all if None.
        info: what `probe_video` returned for this path, to save a second look at the file.

    Raises:
        VideoError: the source cannot be read to the end; says how far it could.
        ValueError: negative start.
    """
    if start < 0:
        raise ValueError(f"start is {start}, wanted 0 or more")
    info = info or probe_video(path)
    stop = info.frame_count if stop is None else min(stop, info.frame_count)
    if start >= stop:
        return
    if info.contents is None:
        images = read_images(list_images(info.path)[start:stop], info.size)
        yield from ((float(t), image) for t, image in zip(info.timestamps[start:stop], images, strict=True))
        return
    for index, image in decode_frames(info.path, info.contents, start, stop):
        yield float(info.timestamps[index]), image


def read_pictures(info: VideoInfo) -> Iterator[tuple[float, Callable[[], UInt8[np.ndarray, "height width 3"]]]]:
    """All frames as (timestamp s, a function that makes the BGR image), for those who look at few of them.

    Args:
        info: what `probe_video` returned.

    Raises:
        VideoError: as `read_frames`; the functions raise it where the size changes within the video.
    """
    if info.contents is None:
        for timestamp, image in read_frames(info.path, info=info):
            yield timestamp, partial(np.asarray, image)
        return
    for index, picture in decode_pictures(info.path, info.contents, 0, info.frame_count):
        yield float(info.timestamps[index]), picture


def _probe_images(folder: Path, fps: float) -> VideoInfo:
    images = list_images(folder)
    if not images:
        raise VideoError(f"{folder}: a folder without images; expected .png or .jpg files")
    height, width = read_image(images[0]).shape[:2]
    recorded = recorded_timestamps(folder, len(images))
    if recorded is None:
        recorded = np.arange(len(images)) / fps
    return _info(folder, (width, height), recorded, *_rate_of(recorded, fps), None)


def _rate_of(timestamps: np.ndarray, fallback: float) -> tuple[float, float]:
    """Mean frames per second, and the duration with the last frame's share."""
    span = float(timestamps[-1] - timestamps[0])
    fps = (len(timestamps) - 1) / span if span > 0 else fallback
    return fps, span + 1 / fps


def _info(
    path: Path, size: tuple[int, int], times: np.ndarray, fps: float, duration: float, contents: Contents | None
) -> VideoInfo:
    return VideoInfo(path, size, len(times), fps, frozen_array("timestamps", times, (None,)), duration, contents)
