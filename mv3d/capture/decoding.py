"""Frames of cameras as images, and the newest one of a camera, to look at while it is recorded."""

from collections.abc import Sequence

import av
import av.error
import cv2
import numpy as np
from av.codec.context import Flags, ThreadType
from av.video.codeccontext import VideoCodecContext
from jaxtyping import UInt8

from mv3d.capture.frames import CapturedFrame, SourceInfo


class NewestPicture:
    """Decodes the last of a camera's frames; of a packed stream only those that were not decoded before."""

    def __init__(self, info: SourceInfo) -> None:
        """Of a source that delivers what `info` says."""
        self._info = info
        self._decoder: VideoCodecContext | None = None
        self._fed: CapturedFrame | None = None

    def decode(self, frames: Sequence[CapturedFrame]) -> UInt8[np.ndarray, "height width 3"] | None:
        """BGR image of the last frame.

        Args:
            frames: from one that can be decoded without others up to the newest.

        Returns:
            None where it is damaged, or there is no frame.
        """
        if not frames:
            return None
        return self._decoded(frames) if self._info.codec == "h264" else image_of(frames[-1].data)

    def _decoded(self, frames: Sequence[CapturedFrame]) -> np.ndarray | None:
        fed = next((i + 1 for i, frame in enumerate(frames) if frame is self._fed), 0)
        if self._decoder is None or not fed:
            self._decoder, fed = h264_decoder(frames[0].private or self._info.private), 0
        self._fed = frames[-1]
        picture = None
        try:
            for frame in frames[fed:]:
                assert isinstance(frame.data, bytes)
                pictures = self._decoder.decode(av.Packet(frame.data))
                picture = pictures[-1] if pictures else picture
        except av.error.FFmpegError:
            self._decoder = None
        return None if picture is None else picture.to_ndarray(format="bgr24")


def image_of(data: bytes | UInt8[np.ndarray, "height width 3"]) -> UInt8[np.ndarray, "height width 3"] | None:
    """BGR image of a frame that needs no other: of a JPEG, or the image itself; None where it is damaged."""
    return data if isinstance(data, np.ndarray) else cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)


def h264_decoder(private: bytes) -> VideoCodecContext:
    """A decoder that hands out each picture at once.

    Args:
        private: avcC header; empty where the packets carry theirs.
    """
    decoder = av.CodecContext.create("h264", "r")
    assert isinstance(decoder, VideoCodecContext)
    decoder.extradata = private or None
    # Threads that share frames among them hand out pictures some frames late.
    decoder.thread_type, decoder.flags = ThreadType.SLICE, decoder.flags | Flags.low_delay
    return decoder
