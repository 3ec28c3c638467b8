"""A video file by PyAV: its frame times from the packets, its frames, its rotation.

Frame times come from the packets (pts * time_base), so that nothing but the first frame is decoded to learn them.
"""

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from fractions import Fraction
from functools import partial
from pathlib import Path

import av
import av.error
import numpy as np
from av.container import InputContainer
from av.sidedata.sidedata import SideData
from av.sidedata.sidedata import Type as SideDataType
from av.video.frame import VideoFrame
from av.video.stream import VideoStream
from jaxtyping import Float, UInt8

from mv3d.errors import VideoError

_log = logging.getLogger(__name__)

# Only files, and only formats that hold their own frames: a playlist named .mp4 must not open other files or hosts.
_OPEN_OPTIONS = {
    "protocol_whitelist": "file",
    "format_whitelist": "mov,mp4,m4a,3gp,3g2,mj2,matroska,webm,avi,mpegts,mpeg,asf,flv,ogg,mxf,gif,h264,hevc,mjpeg",
}
# How much earlier than promised a video may end, in frames: encoders round the duration by up to one frame.
_END_TOLERANCE_FRAMES = 1.75
# Containers whose packets carry no display times that can be trusted, only their order.
_ORDER_ONLY = frozenset({"avi", "h264", "hevc", "mjpeg"})
# Containers with an index, where a seek lands on the key frame before the time asked; others are read from the start.
_INDEXED = frozenset({"mov,mp4,m4a,3gp,3g2,mj2", "matroska,webm"})
_DEFAULT_FPS = 30.0
# FFmpeg's AVColorRange: limited, full; and the AVColorSpace values that every PyAV can be told: BT.709, FCC, BT.601,
# SMPTE 240M. The others are left to PyAV.
_FULL_RANGE = 2
_RANGES = frozenset({1, _FULL_RANGE})
_MATRICES = frozenset({1, 4, 5, 7})


@dataclass(frozen=True, slots=True)
class Contents:
    """What the packets of a video promise.

    Attributes:
        pts: (frame,) int64 display times in units of `time_base`, increasing.
        timestamps: (frame,) s, the first at 0.
        size: (width, height) px after rotation.
        fps: mean frames per second.
        has_times: whether a decoded frame can be found in `pts`; if not, frames are counted.
    """

    pts: np.ndarray
    timestamps: np.ndarray
    size: tuple[int, int]
    fps: float
    has_times: bool


@contextmanager
def open_video(path: Path) -> Iterator[tuple[InputContainer, VideoStream]]:
    """The container and its first video stream; any failure to read becomes a VideoError."""
    if not path.is_file():
        raise VideoError(f"{path}: no such video")
    try:
        with av.open(str(path.resolve()), mode="r", options=_OPEN_OPTIONS) as container:
            if not container.streams.video:
                raise VideoError(f"{path}: no video stream in it; the file is cut short or not a video")
            stream = container.streams.video[0]
            stream.thread_type = "AUTO"
            yield container, stream
    except (av.error.FFmpegError, OSError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise VideoError(f"{path}: cannot be read as a video ({reason}); it may be cut short, copy it again") from error


def read_contents(path: Path) -> Contents:
    """Frame times, size and rate of a video file.

    Raises:
        VideoError: missing, not a video, without frames, or cut short.
    """
    with open_video(path) as (container, stream):
        pts, end, whole = _scan(container, stream)
        if not len(pts):
            raise VideoError(f"{path}: the video has no frames; it may be cut short, copy it again")
        _check_end(path, container, stream, len(pts), end, whole)
        time_base = stream.time_base or Fraction(1, 1)
        rate = float(stream.average_rate or stream.guessed_rate or _DEFAULT_FPS)
        order_only = container.format.name in _ORDER_ONLY
    if np.any(np.diff(pts) <= 0):
        _log.warning("%s: frames share display times; they are taken as %.3f frames per second", path, rate)
        timestamps, order_only = np.arange(len(pts)) / rate, True
    else:
        timestamps = (pts - pts[0]) * float(time_base)
    fps = (len(pts) - 1) / float(timestamps[-1]) if len(pts) > 1 else rate
    return Contents(pts, timestamps, _first_size(path), fps, not order_only)


def _scan(container: InputContainer, stream: VideoStream) -> tuple[np.ndarray, float, bool]:
    """Display times of the packets to be shown, the end (s) of the last of any stream, whether the last is whole."""
    found: list[int] = []
    end, whole, has_key = 0.0, True, False
    # Without a duration of its own (Matroska), a video's end is judged by the file's, to which sound counts too.
    chosen = container.demux(stream) if stream.duration is not None else container.demux()
    for packet in chosen:
        time = packet.pts if packet.pts is not None else packet.dts
        if time is None or packet.size == 0:
            continue
        if packet.time_base is not None:
            end = max(end, float((time + (packet.duration or 0)) * packet.time_base))
        if packet.stream_index != stream.index:
            continue
        has_key = has_key or packet.is_keyframe
        if packet.is_discard or not has_key:  # cut off by an edit list, or not to be decoded
            continue
        found.append(time)
        whole = not packet.is_corrupt
    return np.sort(np.array(found, np.int64)), end, whole


def _check_end(path: Path, container: InputContainer, stream: VideoStream, count: int, end: float, whole: bool) -> None:
    rate = float(stream.average_rate or _DEFAULT_FPS)
    if stream.duration is not None and stream.time_base is not None:
        promised_end = float((stream.duration + (stream.start_time or 0)) * stream.time_base)
    else:
        promised_end = (container.duration or 0) / av.time_base
    promised = round(promised_end * rate)
    if container.format.name == "avi" and stream.frames:
        promised, promised_end = stream.frames, stream.frames / rate
        end = count / rate
    if whole and promised_end - end < _END_TOLERANCE_FRAMES / rate:
        return
    readable = count if whole else count - 1
    raise VideoError(
        f"{path}: cut short, about {readable} of the {max(promised, count)} promised frames can be read; "
        f"copy it again, or re-encode what is there"
    )


def _first_size(path: Path) -> tuple[int, int]:
    with open_video(path) as (container, stream):
        for frame in container.decode(stream):
            turned = _is_transposed(display_matrix(frame))
            return (frame.height, frame.width) if turned else (frame.width, frame.height)
    raise VideoError(f"{path}: no frame of the video can be decoded")


def decode_frames(
    path: Path, contents: Contents, start: int, stop: int
) -> Iterator[tuple[int, UInt8[np.ndarray, "height width 3"]]]:
    """Frames start..stop-1 as (index, upright BGR image), none left out.

    Raises:
        VideoError: a frame cannot be decoded or has another size; says how many frames were read.
    """
    for index, picture in decode_pictures(path, contents, start, stop):
        yield index, picture()


def decode_pictures(
    path: Path, contents: Contents, start: int, stop: int
) -> Iterator[tuple[int, Callable[[], UInt8[np.ndarray, "height width 3"]]]]:
    """As `decode_frames`, but a function in the place of an image: making it takes longer than decoding."""
    done = start
    with open_video(path) as (container, stream):
        frames = _frames_from(container, stream, contents, start)
        while done < stop:
            try:
                index, frame = next(frames, (stop, None))
            except av.error.FFmpegError as error:
                raise VideoError(_damaged(path, done, contents)) from error
            if index < done:
                continue
            if index > done or frame is None:
                raise VideoError(_damaged(path, done, contents))
            yield index, partial(_upright, frame, contents.size, path)
            done += 1


def _damaged(path: Path, done: int, contents: Contents) -> str:
    count = len(contents.pts)
    return f"{path}: damaged, frame {done} of {count} cannot be decoded; copy the file again, or cut it before there"


def _frames_from(
    container: InputContainer, stream: VideoStream, contents: Contents, start: int
) -> Iterator[tuple[int, VideoFrame]]:
    """Decoded frames with their index, from `start` or earlier."""
    if start and contents.has_times and container.format.name in _INDEXED:
        container.seek(int(contents.pts[start]), stream=stream)
    for count, frame in enumerate(container.decode(stream)):
        if not contents.has_times or frame.pts is None:
            yield count, frame
            continue
        at = int(np.searchsorted(contents.pts, frame.pts))
        if at < len(contents.pts) and contents.pts[at] == frame.pts:
            yield at, frame


def _upright(frame: VideoFrame, size: tuple[int, int], path: Path) -> np.ndarray:
    image = turn_upright(_to_bgr(frame), display_matrix(frame))
    if (image.shape[1], image.shape[0]) != size:
        raise VideoError(f"{path}: the image size changes within the video, which is not supported; re-encode it")
    return image


def _to_bgr(frame: VideoFrame) -> np.ndarray:
    """BGR in full range, by the matrix and range that the video states; PyAV before 14 does not look at them itself."""
    stated: dict[str, int] = {}
    if frame.color_range in _RANGES and not frame.format.is_rgb:
        stated |= {"src_color_range": frame.color_range, "dst_color_range": _FULL_RANGE}
    if frame.colorspace in _MATRICES:
        stated["src_colorspace"] = frame.colorspace
    return frame.reformat(format="bgr24", **stated).to_ndarray()


def display_matrix(frame: VideoFrame) -> Float[np.ndarray, "2 2"]:
    """Linear part of the frame's display matrix: (x, y) of the stored image times it gives the shown one's."""
    for data in frame.side_data:
        if isinstance(data, SideData) and data.type == SideDataType.DISPLAYMATRIX:
            values = np.frombuffer(bytes(data), np.int32)[[0, 1, 3, 4]]
            return values.reshape(2, 2) / 65536.0  # 16.16 fixed point (ISO 14496-12, 8.3.2)
    return np.eye(2)


def _is_transposed(matrix: np.ndarray) -> bool:
    return bool(np.abs(np.diag(matrix)).sum() < np.abs(np.diag(matrix[::-1])).sum())


def turn_upright(
    image: UInt8[np.ndarray, "height width 3"], matrix: Float[np.ndarray, "2 2"]
) -> UInt8[np.ndarray, "turned_height turned_width 3"]:
    """The image as a player shows it: turned by the nearest multiple of 90 degrees and mirrored if asked."""
    if _is_transposed(matrix):
        image, along_x, along_y = image.transpose(1, 0, 2), matrix[1, 0], matrix[0, 1]
    else:
        along_x, along_y = matrix[0, 0], matrix[1, 1]
    image = image[:, ::-1] if along_x < 0 else image
    image = image[::-1] if along_y < 0 else image
    return np.ascontiguousarray(image)
