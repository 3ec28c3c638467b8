"""Frames to packets of H.264 or FFV1: each frame gives its packet at once, so that none waits inside."""

from fractions import Fraction

import av
import av.error
import numpy as np
from av.codec.context import Flags
from av.video.codeccontext import VideoCodecContext
from jaxtyping import UInt8

from mv3d.capture import h264
from mv3d.capture.frames import CapturedFrame
from mv3d.errors import CaptureError

_MICROSECONDS = Fraction(1, 1_000_000)
# x264's fastest preset: recording must keep up; size is made up for by the rate factor, 18 being visually lossless.
_H264_OPTIONS = {"preset": "ultrafast", "tune": "zerolatency", "crf": "18"}
_FFV1_OPTIONS = {"level": "3", "slices": "4", "slicecrc": "1"}
_BT709, _BT601, _LIMITED_RANGE, _FULL_RANGE = 1, 5, 1, 2
_KEY_EVERY = 30


class FrameEncoder:
    """Encodes the frames of one camera."""

    def __init__(self, codec: str, size: tuple[int, int], fps: float, jpeg: bool, threads: int) -> None:
        """Set up the encoder.

        Args:
            codec: h264 or ffv1.
            size: (width, height) px.
            fps: frames per second, about.
            jpeg: whether frames come as JPEG pictures.
            threads: how many the encoder may use.

        Raises:
            CaptureError: this PyAV has no such encoder.
        """
        self._is_h264 = codec == "h264"
        self._format = "yuv420p" if self._is_h264 else "bgr0"
        self._decoder = av.CodecContext.create("mjpeg", "r") if jpeg else None
        # 4:2:0 wants even sides; an odd last row or column is cut off.
        self.size = (size[0] - size[0] % 2, size[1] - size[1] % 2) if self._is_h264 else size
        # A picture of JPEG keeps its matrix and range on the way to H.264: only the chroma is thinned out.
        self._keeps_range = jpeg and self._is_h264 and self.size == size
        self._encoder = self._opened(codec, fps, threads)
        extradata = bytes(self._encoder.extradata or b"")
        self.private = h264.configuration(extradata) if self._is_h264 else extradata

    def encode(self, frame: CapturedFrame, time_us: int) -> list[tuple[bytes, bool]]:
        """The packets of a frame, each with whether it is a key frame; one, unless the frame cannot be decoded.

        Raises:
            CaptureError: the encoder fails.
        """
        packets: list[tuple[bytes, bool]] = []
        try:
            for picture in self._pictures(frame):
                picture.pts, picture.time_base = time_us, _MICROSECONDS
                packets += [(bytes(p), p.is_keyframe) for p in self._encoder.encode(picture)]
        except av.error.FFmpegError as error:
            raise CaptureError(f"a frame cannot be encoded ({error.strerror})") from error
        return [(h264.with_lengths(data), key) for data, key in packets] if self._is_h264 else packets

    def _pictures(self, frame: CapturedFrame) -> list[av.VideoFrame]:
        if not isinstance(frame.data, bytes):
            return [self._converted(_picture(frame.data[: self.size[1], : self.size[0]]))]
        assert self._decoder is not None
        try:
            decoded = self._decoder.decode(av.Packet(frame.data))  # type: ignore[attr-defined]
        except av.error.FFmpegError:
            return []
        if frame.size != self.size:
            decoded = [_picture(p.to_ndarray(format="bgr24")[: self.size[1], : self.size[0]]) for p in decoded]
        return [self._converted(picture) for picture in decoded]

    def _converted(self, picture: av.VideoFrame) -> av.VideoFrame:
        if self._keeps_range:
            return picture.reformat(format=self._format, src_color_range=_FULL_RANGE, dst_color_range=_FULL_RANGE)
        if self._is_h264:
            return picture.reformat(format=self._format, dst_colorspace="ITU709", dst_color_range=_LIMITED_RANGE)
        return picture.reformat(format=self._format)

    def _opened(self, codec: str, fps: float, threads: int) -> VideoCodecContext:
        name = "libx264" if self._is_h264 else codec
        try:
            encoder = av.CodecContext.create(name, "w")
        except (av.error.FFmpegError, ValueError) as error:
            raise CaptureError(f"this PyAV has no encoder {name}; record with --codec mjpeg, or ffv1") from error
        assert isinstance(encoder, VideoCodecContext)
        encoder.width, encoder.height = self.size
        encoder.pix_fmt = self._format
        encoder.time_base = _MICROSECONDS
        encoder.framerate = Fraction(fps).limit_denominator(1001)
        encoder.gop_size = _KEY_EVERY
        encoder.flags |= Flags.global_header
        encoder.thread_count = threads
        encoder.options = dict(_H264_OPTIONS if self._is_h264 else _FFV1_OPTIONS)
        if self._is_h264:
            encoder.color_range = _FULL_RANGE if self._keeps_range else _LIMITED_RANGE
            encoder.colorspace = _BT601 if self._keeps_range else _BT709
            encoder.color_primaries = encoder.color_trc = _BT709
        encoder.open()
        return encoder


def _picture(image: UInt8[np.ndarray, "height width 3"]) -> av.VideoFrame:
    return av.VideoFrame.from_ndarray(np.ascontiguousarray(image), format="bgr24")
