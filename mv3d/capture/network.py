"""Network cameras by FFmpeg (PyAV): RTSP, RTMP, MPEG-TS and the like."""

import time
from collections import deque
from collections.abc import Iterator

import av
import av.error
from av.container import InputContainer
from av.packet import Packet
from av.video.stream import VideoStream

from mv3d.capture import h264
from mv3d.capture.addresses import without_password
from mv3d.capture.frames import CapturedFrame, DamagedFrame, SourceInfo, SourceSettings
from mv3d.capture.running_camera import RunningCamera
from mv3d.errors import CaptureError

# Nothing but streams: an address must not make FFmpeg open files of this machine.
_PROTOCOLS = "rtsp,rtsps,rtp,udp,tcp,tls,srt,rtmp,rtmps,http,https,httpproxy,crypto,srtp"
_OPTIONS = {
    "protocol_whitelist": _PROTOCOLS,
    "rtsp_transport": "tcp",  # over UDP packets are lost without a word
    "fflags": "nobuffer",
    "analyzeduration": "1000000",
}


class NetworkSource(RunningCamera):
    """A stream of packets; MJPEG and H.264 are handed on as they are, anything else is decoded."""

    def __init__(self, url: str, settings: SourceSettings) -> None:
        """Connect, and wait for the first frame.

        Raises:
            CaptureError: unreachable, without video, or nothing comes within the timeout.
        """
        self._shown, self._timeout = without_password(url), settings.timeout
        self._container, self._stream = self._open(url)
        self._packets = self._container.demux(self._stream)
        self._decoded: deque[CapturedFrame] = deque()
        self._waits_for_key = True
        context = self._stream.codec_context
        # Frames with B frames come in another order than they are shown; those streams are decoded.
        packed = context.name == "mjpeg" or (context.name == "h264" and not context.has_b_frames)
        self._codec = context.name if packed else "image"
        self._private = h264.configuration(bytes(context.extradata or b"")) if self._codec == "h264" else b""
        self._first = self._awaited(
            self._timeout,
            f"{self._shown}: answers, but sends no video within {self._timeout:g} s; check the camera",
        )
        rate = self._stream.guessed_rate or self._stream.average_rate
        fps = float(rate) if rate and rate < 1000 else None
        self._info = SourceInfo(self._codec, self._first.size, fps, self._private)  # type: ignore[arg-type]

    def close(self) -> None:
        """End the connection."""
        self._container.close()

    def _open(self, url: str) -> tuple[InputContainer, VideoStream]:
        try:
            container = av.open(url, options=_OPTIONS, timeout=(self._timeout, self._timeout))
        except (av.error.FFmpegError, OSError, ValueError) as error:
            reason = _reason(error)
            raise CaptureError(f"{self._shown}: cannot be reached ({reason}); check address and network") from None
        if not container.streams.video:
            container.close()
            raise CaptureError(f"{self._shown}: a stream without video; check the path")
        return container, container.streams.video[0]

    def _next(self) -> CapturedFrame | DamagedFrame:
        if self._decoded:
            return self._decoded.popleft()
        while True:
            packet = self._next_packet()
            arrival = time.monotonic()
            if packet.is_corrupt:
                return DamagedFrame(arrival, "a packet that FFmpeg calls corrupt")
            if self._waits_for_key and not packet.is_keyframe and self._codec != "mjpeg":
                continue
            self._waits_for_key = False
            if self._codec != "image":
                return self._packed(packet, arrival)
            try:
                self._decoded.extend(self._images(packet, arrival))
            except av.error.FFmpegError as error:
                return DamagedFrame(arrival, _reason(error))
            if self._decoded:
                return self._decoded.popleft()

    def _next_packet(self) -> Packet:
        try:
            for packet in self._packets:
                if packet.size:
                    return packet
        except (av.error.FFmpegError, OSError) as error:
            raise CaptureError(f"{self._shown}: the connection broke ({_reason(error)})") from None
        raise CaptureError(f"{self._shown}: the camera ended the stream")

    def _packed(self, packet: Packet, arrival: float) -> CapturedFrame | DamagedFrame:
        data, device_time = bytes(packet), _seconds(packet)
        size = self._stream.codec_context.width, self._stream.codec_context.height
        if self._codec == "mjpeg":
            return CapturedFrame(arrival, data, size, device_time=device_time)
        private = h264.configuration(data) if packet.is_keyframe and h264.is_annex_b(data) else b""
        if private and private != self._private:
            size = _size_of(data) or size
        self._private = self._private or private
        frame = h264.with_lengths(data)
        return CapturedFrame(arrival, frame, size, packet.is_keyframe, device_time, private=private)

    def _images(self, packet: Packet, arrival: float) -> Iterator[CapturedFrame]:
        for frame in packet.decode():
            if isinstance(frame, av.VideoFrame):
                image = frame.to_ndarray(format="bgr24")
                yield CapturedFrame(arrival, image, (frame.width, frame.height), device_time=frame.time)


def _seconds(packet: Packet) -> float | None:
    if packet.pts is None or packet.time_base is None:
        return None
    return float(packet.pts * packet.time_base)


def _size_of(key_frame: bytes) -> tuple[int, int] | None:
    """(width, height) px of a key frame that carries its parameter sets."""
    decoder = av.CodecContext.create("h264", "r")
    try:
        frames = [*decoder.decode(Packet(key_frame)), *decoder.decode(None)]  # type: ignore[attr-defined]
    except av.error.FFmpegError:
        return None
    return (frames[0].width, frames[0].height) if frames else None


def _reason(error: Exception) -> str:
    """What went wrong, without the address, which PyAV puts into its messages."""
    return (getattr(error, "strerror", None) or type(error).__name__).lower()
