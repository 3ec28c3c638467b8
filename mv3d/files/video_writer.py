"""Writing H.264 in MP4 that every player plays: yuv420p, BT.709 limited range, index at the front."""

import errno
import os
from contextlib import suppress
from fractions import Fraction
from pathlib import Path
from types import TracebackType

import av
import av.error
import numpy as np
from av.container import OutputContainer
from av.video.stream import VideoStream
from jaxtyping import UInt8

from mv3d.errors import VideoError

# Divides evenly by 24, 25, 30, 50, 60 and the 1001 rates, so that their frame times are exact.
_TIME_BASE = Fraction(1, 90_000)
# x264's constant rate factor: 18 is visually lossless, 23 its default.
_QUALITY = "20"
_BT709, _LIMITED_RANGE = 1, 1
_ENCODERS = ("libx264", "libopenh264", "h264", "mpeg4")


class VideoWriter:
    """Writes frames to an MP4; the file appears whole when the `with` block ends well, or not at all.

    Example:
        with VideoWriter("out.mp4", fps=30) as writer:
            writer.write(image)
    """

    def __init__(self, path: str | Path, fps: float | int) -> None:
        """Nothing is written before the first frame.

        Args:
            path: the MP4 to make; an older one is replaced.
            fps: frames per second, used for frames written without a timestamp.
        """
        if not fps > 0:
            raise ValueError(f"fps is {fps}, wanted a positive number")
        self.path = Path(path)
        self.fps = float(fps)
        self.frame_count = 0
        self._part = self.path.with_name(self.path.name + ".part")
        self._container: OutputContainer | None = None
        self._stream: VideoStream | None = None
        self._size = (0, 0)
        self._last_pts = -1

    def __enter__(self) -> "VideoWriter":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is None:
            self._finish()
        else:
            self._abandon()

    def write(self, image: UInt8[np.ndarray, "height width 3"], timestamp: float | None = None) -> None:
        """Append a frame.

        Args:
            image: BGR; all frames have the size of the first. An odd side is padded by one row or column.
            timestamp: s from the start of the video, increasing; frame_count / fps if None.

        Raises:
            VideoError: the file cannot be written.
            ValueError: another size, or a time that does not increase.
        """
        seconds = self.frame_count / self.fps if timestamp is None else timestamp
        pts = round(seconds / _TIME_BASE)
        if pts <= self._last_pts:
            raise ValueError(f"timestamp {seconds} s does not come after the frame before it")
        size = image.shape[1], image.shape[0]
        if self.frame_count and size != self._size:
            raise ValueError(f"frame is {size[0]}x{size[1]}, the first was {self._size[0]}x{self._size[1]}")
        try:
            if self._stream is None or self._container is None:
                self._container, self._stream = self._open(size)
            self._container.mux(self._stream.encode(_encoded_frame(image, pts)))
        except (av.error.FFmpegError, OSError) as error:
            raise self._failed(error) from error
        self._size, self._last_pts = size, pts
        self.frame_count += 1

    def _open(self, size: tuple[int, int]) -> tuple[OutputContainer, VideoStream]:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        container = av.open(str(self._part.resolve()), "w", format="mp4", options={"movflags": "+faststart"})
        encoder = next((name for name in _ENCODERS if name in av.codecs_available), "h264")
        stream = container.add_stream(encoder, rate=Fraction(self.fps).limit_denominator(1001))
        assert isinstance(stream, VideoStream)
        stream.width, stream.height = size[0] + size[0] % 2, size[1] + size[1] % 2
        stream.pix_fmt = "yuv420p"
        stream.time_base = _TIME_BASE
        context = stream.codec_context
        context.time_base = _TIME_BASE
        context.color_range, context.colorspace = _LIMITED_RANGE, _BT709
        context.color_primaries, context.color_trc = _BT709, _BT709
        if encoder == "libx264":
            stream.options = {"crf": _QUALITY, "preset": "veryfast"}
        return container, stream

    def _finish(self) -> None:
        if self._container is None or self._stream is None:
            raise VideoError(f"{self.path}: not written, there were no frames to put into it")
        try:
            self._container.mux(self._stream.encode())
            self._container.close()
            os.replace(self._part, self.path)
        except (av.error.FFmpegError, OSError) as error:
            raise self._failed(error) from error

    def _failed(self, error: Exception) -> VideoError:
        self._abandon()
        full = getattr(error, "errno", None) == errno.ENOSPC
        advice = "the disk is full, make room" if full else "check that the folder can be written"
        return VideoError(f"{self.path}: cannot be written ({getattr(error, 'strerror', None) or error}); {advice}")

    def _abandon(self) -> None:
        if self._container is not None:
            with suppress(av.error.FFmpegError, OSError):  # the file is thrown away in any case
                self._container.close()
            self._container = self._stream = None
        with suppress(OSError):  # it may never have been made
            self._part.unlink()


def _encoded_frame(image: np.ndarray, pts: int) -> av.VideoFrame:
    height, width = image.shape[:2]
    if height % 2 or width % 2:
        image = np.pad(image, ((0, height % 2), (0, width % 2), (0, 0)), mode="edge")
    frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(image), format="bgr24")
    frame = frame.reformat(format="yuv420p", dst_colorspace="ITU709", dst_color_range="MPEG")
    frame.pts, frame.time_base = pts, _TIME_BASE
    return frame
