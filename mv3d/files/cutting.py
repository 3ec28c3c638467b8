"""Part of a video into a file of its own, without encoding it anew."""

from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from av.container import OutputContainer
from av.video.stream import VideoStream
from jaxtyping import Int

from mv3d.errors import VideoError
from mv3d.files.container import open_video
from mv3d.files.video import VideoInfo
from mv3d.files.writing import whole_file


def cut_video(video: VideoInfo, target: Path, first: int, stop: int) -> Int[np.ndarray, " kept"]:
    """Copy frames `first` to `stop` - 1, and those before that they build on, to a Matroska file.

    Args:
        video: what to cut.
        target: .mkv to make.
        first: frame number, from 0.
        stop: frame number after the last.

    Returns:
        The numbers of the frames that are in the new file, increasing; some before `first` as far as the key frame.

    Raises:
        VideoError: the container does not tell the times of its frames.
        SessionError: the file cannot be written.
    """
    if video.contents is None or not video.contents.has_times:
        raise VideoError(f"{video.path}: its frames cannot be told apart without decoding; convert it to .mp4 first")
    pts = video.contents.pts
    packets = _packets(video.path)
    begin = max(k for k, (time, key) in enumerate(packets) if key and (time <= pts[first] or k == 0))
    end = max(k for k, (time, _) in enumerate(packets) if time < (pts[stop] if stop < len(pts) else np.inf)) + 1
    # Frames that come after a key frame and are shown before it build on what was cut away.
    start = packets[begin][0]
    wanted = {k for k in range(begin, end) if packets[k][0] >= start}
    with whole_file(target) as part:
        _copy(video.path, part, wanted, start)
    kept = np.sort([packets[k][0] for k in wanted])
    return np.flatnonzero(np.isin(pts, kept))


def _copy(source: Path, target: Path, wanted: set[int], start: int) -> None:
    """Copy packets by their number, times counted from `start`."""
    with open_video(source) as (container, stream), av.open(str(target), "w", format="matroska") as out:
        copy = _copied_stream(out, stream)
        packets = (p for p in container.demux(stream) if p.size and p.pts is not None)
        for count, packet in enumerate(packets):
            if count in wanted:
                packet.pts = (packet.pts or 0) - start
                packet.dts = None if packet.dts is None else packet.dts - start
                packet.stream = copy
                out.mux(packet)


def _packets(path: Path) -> list[tuple[int, bool]]:
    """Display time and key mark of every packet, in the order of decoding."""
    with open_video(path) as (container, stream):
        return [(p.pts, p.is_keyframe) for p in container.demux(stream) if p.size and p.pts is not None]


def _copied_stream(out: OutputContainer, stream: VideoStream) -> VideoStream:
    copy = out.add_stream_from_template(stream)
    assert isinstance(copy, VideoStream)
    copy.time_base = stream.time_base or Fraction(1, 1000)
    return copy
