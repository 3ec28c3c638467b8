"""What one camera leaves on the disk: a video, its frame times, and videos of other sizes if it changes its size."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from mv3d.capture.encoder import FrameEncoder
from mv3d.capture.frames import CapturedFrame, SourceInfo
from mv3d.files.frame_times import FrameTimes, timestamps_path
from mv3d.files.matroska import MatroskaWriter, VideoTrack

RecordedCodec = Literal["auto", "h264", "ffv1", "mjpeg"]
# For encoders, where the source states no rate.
_LIKELY_FPS = 30.0
_PACKED = ("mjpeg", "h264")


@dataclass(frozen=True, slots=True)
class Written:
    """What became of a frame.

    Attributes:
        frames: how many frames were written; 0 if it could not be decoded.
        bytes: how many bytes.
        main: whether it went into the camera's own video, not into one of another size.
    """

    frames: int
    bytes: int
    main: bool


class CameraFiles:
    """Writes the frames of one camera."""

    def __init__(
        self, folder: Path, other: Path, name: str, info: SourceInfo, codec: RecordedCodec, threads: int
    ) -> None:
        """Nothing is written before the first frame.

        Args:
            folder: where the video goes.
            other: where videos of other sizes go.
            name: of the camera.
            info: what the source delivers.
            codec: auto keeps packed frames as they are and encodes images as h264.
            threads: that an encoder may use.
        """
        self._folder, self._other, self._name, self._info = folder, other, name, info
        packed = info.codec in _PACKED and codec in ("auto", info.codec)
        self.codec = info.codec if packed else "h264" if codec == "auto" else codec
        self.passed_through = packed
        self._threads = threads
        self._size: tuple[int, int] | None = None
        self._videos: dict[tuple[int, int], _Video] = {}

    @property
    def paths(self) -> list[Path]:
        """The videos, the camera's own first."""
        return [video.path for video in self._videos.values()]

    @property
    def size(self) -> tuple[int, int] | None:
        """(width, height) px of the camera's own video; None before the first frame."""
        return self._size

    def write(self, frame: CapturedFrame, since_start: float) -> Written:
        """Write a frame, `since_start` s after the start.

        Raises:
            SessionError: the disk does not take it.
            CaptureError: it cannot be encoded.
        """
        if frame.size not in self._videos:
            self._videos[frame.size] = self._new_video(frame)
        self._size = self._size or frame.size
        frames, size = self._videos[frame.size].write(frame, since_start)
        return Written(frames, size, frame.size == self._size)

    def close(self) -> None:
        """Close the files."""
        for video in self._videos.values():
            video.close()

    def _new_video(self, frame: CapturedFrame) -> "_Video":
        main = not self._videos
        width, height = frame.size
        path = self._folder / f"{self._name}.mkv" if main else self._other / f"{self._name}_{width}x{height}.mkv"
        encoder = None
        fps = self._info.fps or _LIKELY_FPS
        private = frame.private or self._info.private
        if not self.passed_through:
            encoder = FrameEncoder(self.codec, frame.size, fps, isinstance(frame.data, bytes), self._threads)
            private = encoder.private
        size = encoder.size if encoder else frame.size
        return _Video(path, VideoTrack(self.codec, size, self._info.fps, private), encoder)


class _Video:
    """A video with its frame times."""

    def __init__(self, path: Path, track: VideoTrack, encoder: FrameEncoder | None) -> None:
        self.path, self._encoder = path, encoder
        self._writer = MatroskaWriter(path, track)
        self._times = FrameTimes(timestamps_path(path))

    def write(self, frame: CapturedFrame, since_start: float) -> tuple[int, int]:
        time_us = max(round(since_start * 1e6), self._writer.last_time + 1)
        if self._encoder is not None:
            packets = self._encoder.encode(frame, time_us)
        else:
            assert isinstance(frame.data, bytes)
            packets = [(frame.data, frame.key)]
        size = 0
        for data, key in packets:
            # The video first: it holds the time too, so that a row lost between the two can be made again.
            written_us = self._writer.append(time_us, data, key)
            self._times.append(written_us / 1e6, frame.device_time)
            size += len(data)
        return len(packets), size

    def close(self) -> None:
        self._writer.close()
        self._times.close()
