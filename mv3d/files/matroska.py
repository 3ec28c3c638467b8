"""Writing a Matroska file (RFC 9559) so that no frame is lost, whatever happens to the process or the disk.

FFmpeg's muxers keep the last frame, or the last seconds, in memory. Here every frame is one cluster, given to the
operating system in one call: what `append` returned from is in the file when the process is killed. A frame that does
not fit on the disk is cut off again. The index at the end, which players want for seeking, is made by `finish_matroska`
(`mv3d.files.matroska_index`), for a file that was closed well as for one that was not.
"""

import os
from dataclasses import dataclass
from pathlib import Path

import mv3d
from mv3d.errors import SessionError
from mv3d.files import ebml
from mv3d.files.writing import why_not_written

EBML, SEGMENT, CLUSTER, INFO, TRACKS, CUES, SEEK_HEAD = (
    0x1A45DFA3,
    0x18538067,
    0x1F43B675,
    0x1549A966,
    0x1654AE6B,
    0x1C53BB6B,
    0x114D9B74,
)
DURATION, TIMESTAMP, SIMPLE_BLOCK, VOID = 0x4489, 0xE7, 0xA3, 0xEC
# Room for what `finish_matroska` writes in front: where the index is.
SEEK_HEAD_BYTES = 96
# Times are kept in microseconds (Matroska counts in nanoseconds times this).
_TIMESTAMP_SCALE = 1000
_VIDEO_TRACK, _KEY = 1, 0x80
_CODEC_IDS = {"mjpeg": "V_MJPEG", "h264": "V_MPEG4/ISO/AVC", "ffv1": "V_FFV1"}


@dataclass(frozen=True, slots=True)
class VideoTrack:
    """What is in the file.

    Attributes:
        codec: mjpeg, h264 or ffv1.
        size: (width, height) px.
        fps: frames per second promised; None if not known. Players only; the frames carry their own times.
        private: the codec's header: avcC for h264, FFV1's configuration; empty for mjpeg.
    """

    codec: str
    size: tuple[int, int]
    fps: float | None = None
    private: bytes = b""


class MatroskaWriter:
    """Appends frames to a Matroska file, each at once."""

    def __init__(self, path: Path, track: VideoTrack) -> None:
        """Make the file with its head.

        Raises:
            SessionError: it cannot be made.
        """
        self.path, self.track = path, track
        self.frame_count, self.last_time = 0, -1
        self.size_bytes = 0
        self._descriptor = -1
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._descriptor = os.open(path, os.O_CREAT | os.O_TRUNC | os.O_WRONLY | getattr(os, "O_BINARY", 0), 0o644)
        except OSError as error:
            raise self._failed(error) from error
        self._write(_head(track))

    def append(self, time_us: int, data: bytes, key: bool = True) -> int:
        """Write a frame.

        Args:
            time_us: microseconds since the start of the recording; moved up if it does not come after the last one.
            data: the frame as its codec packs it; h264 with NAL units that carry their length.
            key: whether it can be decoded without the frames before it.

        Returns:
            The time that was written, microseconds.

        Raises:
            SessionError: it cannot be written; the file ends with the frame before it.
        """
        time_us = max(time_us, self.last_time + 1)
        block_head = bytes((0x80 | _VIDEO_TRACK, 0, 0, _KEY if key else 0))
        head = ebml.unsigned(TIMESTAMP, time_us)
        head += ebml.element_head(SIMPLE_BLOCK, len(block_head) + len(data)) + block_head
        self._write(ebml.element_head(CLUSTER, len(head) + len(data)) + head + data)
        self.last_time = time_us
        self.frame_count += 1
        return time_us

    def close(self) -> None:
        """Close the file without an index; it can be read as it is."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1

    def _write(self, data: bytes) -> None:
        left = memoryview(data)
        try:
            while left:
                left = left[os.write(self._descriptor, left) :]
        except OSError as error:
            os.ftruncate(self._descriptor, self.size_bytes)
            os.lseek(self._descriptor, self.size_bytes, os.SEEK_SET)
            raise self._failed(error) from error
        self.size_bytes += len(data)

    def _failed(self, error: OSError) -> SessionError:
        return SessionError(f"{self.path}: cannot be written, {why_not_written(error)}")


def _head(track: VideoTrack) -> bytes:
    document = ebml.text(0x4282, "matroska") + ebml.unsigned(0x4287, 4) + ebml.unsigned(0x4285, 2)
    segment = ebml.identifier_bytes(SEGMENT) + ebml.UNKNOWN_SIZE
    return ebml.element(EBML, document) + segment + ebml.void(SEEK_HEAD_BYTES) + info(None) + _tracks(track)


def info(duration_us: float | None) -> bytes:
    """The Info element; of the same length whether the duration is known or not."""
    name = f"mv3d {mv3d.__version__}"
    known = ebml.void(11) if duration_us is None else ebml.real(DURATION, duration_us)
    scale = ebml.unsigned(0x2AD7B1, _TIMESTAMP_SCALE)
    return ebml.element(INFO, scale + known + ebml.text(0x4D80, name) + ebml.text(0x5741, name))


def _tracks(track: VideoTrack) -> bytes:
    width, height = track.size
    entry = ebml.unsigned(0xD7, _VIDEO_TRACK) + ebml.unsigned(0x73C5, _VIDEO_TRACK)
    entry += ebml.unsigned(0x83, 1) + ebml.unsigned(0x9C, 0) + ebml.text(0x86, _CODEC_IDS[track.codec])
    if track.private:
        entry += ebml.element(0x63A2, track.private)
    if track.fps:
        entry += ebml.unsigned(0x23E383, round(1e9 / track.fps))
    entry += ebml.element(0xE0, ebml.unsigned(0xB0, width) + ebml.unsigned(0xBA, height))
    return ebml.element(TRACKS, ebml.element(0xAE, entry))
