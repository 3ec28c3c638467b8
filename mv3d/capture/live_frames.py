"""The newest frames of several cameras, matched by time: what is not taken in time is dropped, so nothing piles up."""

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np

from mv3d.capture.live_camera import LiveCamera, LiveFrame

# The next frames may come so many intervals after the last before these are taken instead.
_LATER = 1.5


@dataclass(frozen=True, slots=True)
class LiveFramesConfig:
    """Matching the newest frames.

    Attributes:
        held: frames of each camera that are kept to choose from.
        late_s: a camera whose newest frame is this much older than the newest of all is left out until it is back.
        apart_s: frames farther than this from the instant are not of it.
        fresh_s: a set that has been there for longer when it is asked for is passed over for the next one: a skeleton
            is then as old as the network is slow, not up to a frame older.
    """

    held: int = 8
    late_s: float = 0.15
    apart_s: float = 0.05
    fresh_s: float = 0.006


@dataclass(frozen=True, slots=True, eq=False)
class FrameSet:
    """The frames of one instant.

    Attributes:
        time: the instant on `time.monotonic()`'s clock, s.
        complete: when the last of its frames came, s.
        images: (view,) BGR; None where a camera has none.
        delay: (view,) s by which each picture is later than `time`; 0 where there is none.
        trouble: by camera, why it has no picture.
    """

    time: float
    complete: float
    images: tuple[np.ndarray | None, ...]
    delay: np.ndarray
    trouble: Mapping[str, str]


@dataclass(frozen=True, slots=True, eq=False)
class _Match:
    """Frames of one instant: those chosen, their times and the newest of each camera, and how often frames come, s."""

    instant: float
    chosen: tuple[LiveFrame | None, ...]
    stamps: np.ndarray
    last: np.ndarray
    interval: float

    @property
    def complete(self) -> float:
        return max(frame.came for frame in self.chosen if frame is not None)


class LiveFrames:
    """Frame sets of several cameras, always the newest."""

    def __init__(
        self, cameras: Sequence[LiveCamera], config: LiveFramesConfig, clock: Callable[[], float] = time.monotonic
    ) -> None:
        """Listen to the cameras, given in view order.

        Args:
            cameras: who show their frames.
            config: how frames are matched.
            clock: of the frames' arrivals, s.
        """
        self.cameras, self._config, self._clock = tuple(cameras), config, clock
        self._used = np.full(len(cameras), -np.inf)
        self._time = -np.inf
        self._arrival = threading.Condition()
        for camera in self.cameras:
            camera.listener = self.arrived
        self._pool = ThreadPoolExecutor(len(cameras), "pictures")

    def close(self) -> None:
        """Let go of the threads that make pictures, once nobody puts frames in any more."""
        for camera in self.cameras:
            camera.close()
        self._pool.shutdown(wait=False)

    def arrived(self) -> None:
        """Something came, or will come no more."""
        with self._arrival:
            self._arrival.notify_all()

    def next(self, timeout: float, is_over: Callable[[], bool] = lambda: False) -> FrameSet | None:
        """The newest set that was not given yet, waiting for it and passing over one that is no longer fresh.

        Args:
            timeout: s; None is returned after it.
            is_over: whether no more frames will come.
        """
        asked = self._clock()
        while True:
            over, now = is_over(), self._clock()
            match = self._newest()
            if match is not None and (over or self._is_to_be_taken(match, asked, now)):
                return self._set(match)
            if over or now - asked >= timeout:
                return None
            with self._arrival:
                self._arrival.wait(0.005 if match is None else 0.001)

    def trouble(self) -> dict[str, str]:
        """By camera, what keeps frames from coming, as far as is known."""
        last = self._last()
        return self._trouble(last, last >= self._clock() - self._config.late_s, self._clock())

    def _is_to_be_taken(self, match: _Match, asked: float, now: float) -> bool:
        """Fresh, or the last for a while: the next one has not come when it should have."""
        if now - match.complete <= self._config.fresh_s:
            return True
        return now - max(match.complete, asked) > _LATER * min(match.interval, self._config.late_s)

    def _last(self) -> np.ndarray:
        return np.array([f[-1].stamp if (f := c.frames()) else -np.inf for c in self.cameras])

    def _newest(self) -> _Match | None:
        held = [camera.frames() for camera in self.cameras]
        last = np.array([frames[-1].stamp if frames else -np.inf for frames in held])
        # At the start all are waited for, as long as one that is late would be.
        start = np.where(np.isfinite(last), last, max(camera.since for camera in self.cameras))
        current = start > last.max() - self._config.late_s
        if not np.isfinite(last).any() or not np.isfinite(last[current]).all():
            return None
        # All current cameras have reached this instant, so it will not get any better.
        instant = float(last[current].min())
        chosen = tuple(
            _nearest(frames, instant, self._config.apart_s) if now else None
            for frames, now in zip(held, current, strict=True)
        )
        stamps = np.array([frame.stamp if frame is not None else -np.inf for frame in chosen])
        fresh = stamps > self._used
        if not instant > self._time or 2 * fresh.sum() <= np.isfinite(stamps).sum():
            return None
        gaps = [np.diff([frame.stamp for frame in frames]) for frames in held]
        return _Match(instant, chosen, stamps, last, float(np.median(np.concatenate([*gaps, [0.0]]))))

    def _set(self, match: _Match) -> FrameSet:
        self._used, self._time = np.maximum(self._used, match.stamps), match.instant
        images = tuple(self._pool.map(lambda frame: None if frame is None else frame.picture(), match.chosen))
        there = np.array([image is not None for image in images])
        delay = np.where(there, match.stamps, match.instant) - match.instant
        trouble = self._trouble(match.last, there, float(match.last.max()))
        return FrameSet(match.instant, match.complete, images, delay, trouble)

    def _trouble(self, last: np.ndarray, there: np.ndarray, now: float) -> dict[str, str]:
        trouble = {}
        for camera, at, is_there in zip(self.cameras, last, there, strict=True):
            if not is_there:
                late = f"no frame for {now - at:.1f} s" if np.isfinite(at) else "no frame yet"
                trouble[camera.name] = camera.trouble or late
        return trouble


def _nearest(frames: Sequence[LiveFrame], instant: float, apart_s: float) -> LiveFrame | None:
    if not frames:
        return None
    best = min(frames, key=lambda frame: abs(frame.stamp - instant))
    return best if abs(best.stamp - instant) <= apart_s else None
