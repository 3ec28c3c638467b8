"""What a source of frames is: the contract between cameras of any kind and the recorder."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, Protocol, runtime_checkable

import numpy as np

from mv3d.capture.jpeg import jpeg_size

Codec = Literal["mjpeg", "h264", "image"]


@dataclass(frozen=True, slots=True)
class SourceSettings:
    """What is asked of a camera; None leaves it as the camera has it.

    Attributes:
        size: (width, height) px.
        fps: frames per second.
        exposure: in the driver's unit (V4L2: 100 us; Media Foundation: a power of two of seconds).
        focus: in the driver's unit.
        white_balance: K.
        lock: switch the automatics of exposure, focus and white balance off, so that they stay as they are.
        timeout: s without a frame after which a camera counts as gone; also the longest wait for its first one.
        pace: own plays files at their frame rate, fast as fast as they can be read.
    """

    size: tuple[int, int] | None = None
    fps: float | None = None
    exposure: float | None = None
    focus: float | None = None
    white_balance: float | None = None
    lock: bool = True
    timeout: float = 5.0
    pace: Literal["own", "fast"] = "own"


@dataclass(frozen=True, slots=True)
class SourceInfo:
    """What a source delivers.

    Attributes:
        codec: how frames come: mjpeg and h264 packed (h264 as NAL units with their length in front), or images.
        size: (width, height) px.
        fps: frames per second as the source says; None where it does not.
        private: header of the codec (avcC for h264).
        live: whether frames are lost if nobody takes them; files wait.
        settings: settings read back from the device, by name.
        notes: what was asked for and is not so, a sentence each.
    """

    codec: Codec
    size: tuple[int, int]
    fps: float | None = None
    private: bytes = b""
    live: bool = True
    settings: Mapping[str, str] = field(default_factory=dict)
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, eq=False)
class CapturedFrame:
    """A frame as it came.

    Attributes:
        arrival: `time.monotonic()` when it was there as a whole, s.
        data: packed frame, or BGR image (height, width, 3) uint8.
        size: (width, height) px.
        key: whether it can be decoded without those before it.
        device_time: when the device says it was taken, s on its own clock; None where it does not say.
        number: the device's count of frames; None where it does not say.
        private: header of the codec if it is not the one of `SourceInfo`.
    """

    arrival: float
    data: bytes | np.ndarray
    size: tuple[int, int]
    key: bool = True
    device_time: float | None = None
    number: int | None = None
    private: bytes = b""


@dataclass(frozen=True, slots=True)
class DamagedFrame:
    """Something that came in the place of a frame.

    Attributes:
        arrival: `time.monotonic()`, s.
        reason: what was wrong with it.
    """

    arrival: float
    reason: str


def jpeg_frame(arrival: float, data: bytes, device_time: float | None) -> CapturedFrame | DamagedFrame:
    """A JPEG as a frame, or as damage where it is none or cut short."""
    size = jpeg_size(data)
    if size is None:
        return DamagedFrame(arrival, f"{len(data)} bytes that are no whole JPEG")
    return CapturedFrame(arrival, data, size, device_time=device_time)


@runtime_checkable
class Source(Protocol):
    """A camera or a file that is open."""

    @property
    def info(self) -> SourceInfo:
        """What it delivers."""
        ...

    def start(self, at: float) -> None:
        """The recording starts at `time.monotonic()` = `at`; called before the first frame is kept."""
        ...

    def read(self) -> CapturedFrame | DamagedFrame | None:
        """Wait for the next frame, for the timeout at most; None at the end of a file.

        Raises:
            CaptureError: the camera is gone.
        """
        ...

    def close(self) -> None:
        """Let go of the device."""
        ...
