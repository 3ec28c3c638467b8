"""The loop of a live run: newest frames in, 2D guided by the last skeletons, causal 3D, skeletons out."""

import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from mv3d.capture.live_frames import FrameSet, LiveFrames
from mv3d.data.rig import Rig
from mv3d.live.cameras import Feed
from mv3d.live.config import LiveConfig
from mv3d.live.following import Follower, LivePerson, Seen2D
from mv3d.live.message import message_of
from mv3d.live.senders import Sender
from mv3d.live.timing import LiveStatus, LiveSummary, Timing, Timings

# Sets whose arrival is remembered for a skeleton that comes with a lag; no lag is longer.
_LONGEST_LAG = 256


@dataclass(frozen=True, slots=True, eq=False)
class LiveMoment:
    """What one frame set brought.

    Attributes:
        time: s since the start.
        images: (view,) BGR; None where a camera has none.
        seen: the 2D detections.
        people: who was found; with a lag, as they were that many sets before.
        status: how it goes.
    """

    time: float
    images: tuple[np.ndarray | None, ...]
    seen: Seen2D
    people: tuple[LivePerson, ...]
    status: LiveStatus


class LiveRun:
    """Everything between the cameras and who receives skeletons."""

    def __init__(
        self,
        rig: Rig,
        follower: Follower,
        frames: LiveFrames,
        feed: Feed,
        senders: Sequence[Sender],
        live: LiveConfig,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Put the stages together; nothing is started yet.

        Args:
            rig: the cameras, in the views' order, for the size of their pictures.
            follower: finds the people.
            frames: the newest frames.
            feed: who reads the cameras.
            senders: get a message for every set.
            live: settings.
            clock: that of the frames' arrivals, s.
        """
        self._rig, self._follower, self._frames, self._feed = rig, follower, frames, feed
        self._senders, self._patience, self._clock = tuple(senders), live.patience_s, clock
        self._timings = Timings(live.remembered, live.summarised)
        self._arrivals: deque[tuple[float, float]] = deque(maxlen=_LONGEST_LAG)
        self._people: tuple[LivePerson, ...] = ()
        self._started = 0.0
        self._trouble: Mapping[str, str] = {}
        self.newest: LiveMoment | None = None

    def run(self, look: Callable[[LiveStatus], bool], seconds: float | None = None) -> LiveSummary:
        """Run until `look` says so, for so many seconds, or until the files are at their end.

        Args:
            look: called after every set, and every second without one; true ends the run.
            seconds: how long; None without end.
        """
        self._follower.prepare()
        self._started = self._feed.start()
        try:
            while seconds is None or self._clock() - self._started < seconds:
                found = self._frames.next(self._patience, lambda: not self._feed.active)
                if found is not None:
                    status = self.take(found).status
                elif not self._feed.active:
                    break
                else:
                    self._trouble = self._frames.trouble()
                    status = self.status
                if look(status):
                    break
        finally:
            self._feed.stop()
        return self.summary

    def take(self, found: FrameSet) -> LiveMoment:
        """Everything that is done with one frame set."""
        begun, instant = self._clock(), found.time - self._started
        images = tuple(self._fitting(v, image) for v, image in enumerate(found.images))
        seen = self._follower.look(images, instant)
        looked = self._clock()
        people = self._follower.step(seen, instant, found.delay)
        done = self._clock()
        self._arrivals.append((instant, found.complete))
        self._people, self._trouble = tuple(people), found.trouble
        timing = Timing(done, done - self._arrival_of(people, found), looked - begun, done - looked)
        self._timings.add(timing, _in_view(people), found.trouble)
        self._send(instant)
        self.newest = LiveMoment(instant, images, seen, self._people, self.status)
        return self.newest

    @property
    def status(self) -> LiveStatus:
        """How it goes."""
        joints = sum(person.joints for person in self._people)
        recent = self._timings.recent()
        return LiveStatus(self._timings.sets, self._dropped, *recent, _in_view(self._people), joints, self._trouble)

    @property
    def summary(self) -> LiveSummary:
        """How it went so far."""
        return self._timings.summary(self._dropped)

    @property
    def _dropped(self) -> int:
        received = max((camera.received for camera in self._frames.cameras), default=0)
        return max(0, received - self._timings.sets)

    def _arrival_of(self, people: Sequence[LivePerson], found: FrameSet) -> float:
        """When the set that the skeletons are of was complete: this one, or with a lag an earlier one."""
        instant = people[0].skeleton.time if people else found.time - self._started
        return next((complete for own, complete in self._arrivals if own >= instant), found.complete)

    def _send(self, instant: float) -> None:
        if not self._senders:
            return
        latency = self._timings.last.latency
        message = message_of(
            self._people, self._follower.skeleton, instant, self._timings.sets - 1, latency, self._trouble
        )
        for sender in self._senders:
            sender.send(message)

    def _fitting(self, view: int, image: np.ndarray | None) -> np.ndarray | None:
        """The image where it has the calibrated size; None, and so no view, where a camera changed it."""
        size = self._rig[view].size
        return image if image is not None and (image.shape[1], image.shape[0]) == size else None


def _in_view(people: Sequence[LivePerson]) -> int:
    return sum(person.joints > 0 for person in people)
