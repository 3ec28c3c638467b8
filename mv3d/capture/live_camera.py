"""What one camera shows at present: its last few frames, as pictures that are made only where they are looked at."""

import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import numpy as np

from mv3d.capture.decoding import image_of
from mv3d.capture.frames import CapturedFrame, DamagedFrame, SourceInfo
from mv3d.capture.live_decoder import LiveDecoder

Picture = Callable[[], np.ndarray | None]
"""Makes a BGR image; None where the camera's data are broken."""


@dataclass(frozen=True, slots=True, eq=False)
class LiveFrame:
    """A frame to choose from.

    Attributes:
        stamp: when it was taken, as well as that is known, on `time.monotonic()`'s clock, s: when it came from the
            camera, or when a file shows it.
        came: when it could be looked at, s.
        picture: makes the image.
    """

    stamp: float
    came: float
    picture: Picture


class LiveCamera:
    """The last few frames of a camera; whoever reads the camera puts them in."""

    def __init__(self, name: str, info: SourceInfo, held: int, clock: Callable[[], float] = time.monotonic) -> None:
        """Nothing has come yet; `listener` is called whenever something does, and when the camera is lost.

        Args:
            name: of the camera.
            info: what it sends.
            held: how many frames are kept.
            clock: of the frames' arrivals, s.
        """
        self.name, self.info, self.received = name, info, 0
        self.trouble, self.since = "", -np.inf
        self.listener: Callable[[], None] = lambda: None
        self._clock = clock
        self._frames: deque[LiveFrame] = deque(maxlen=held)
        self._decoder = LiveDecoder(info.private, self.show) if info.codec == "h264" else None

    def start(self, at: float) -> None:
        """Frames from `at` on count."""
        self.since = at

    def take(self, got: CapturedFrame | DamagedFrame) -> None:
        """A frame came; what came in the place of one is passed over."""
        if not isinstance(got, CapturedFrame) or got.arrival < self.since:
            return
        if self._decoder is not None:
            self._decoder.put(got)
        else:
            self.show(got.arrival, partial(image_of, got.data))

    def show(self, stamp: float, picture: Picture) -> None:
        """A picture is there, of the instant `stamp`."""
        self.received += 1
        self.trouble = ""
        self._frames.append(LiveFrame(stamp, self._clock(), picture))
        self.listener()

    def lost(self, reason: str) -> None:
        """The camera is gone, for now or for good."""
        self.trouble = reason
        self.listener()

    def close(self) -> None:
        """No more frames will come."""
        if self._decoder is not None:
            self._decoder.close()

    def frames(self) -> list[LiveFrame]:
        """The last few, oldest first."""
        return list(self._frames)
