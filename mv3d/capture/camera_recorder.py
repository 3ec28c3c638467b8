"""One camera being recorded: a thread that takes its frames, a queue, and a thread that writes them."""

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from mv3d.capture.addresses import CameraAddress
from mv3d.capture.frame_queue import FrameQueue
from mv3d.capture.frames import CapturedFrame, DamagedFrame, Source
from mv3d.capture.reopening import reopened
from mv3d.capture.video_files import CameraFiles
from mv3d.errors import Mv3dError
from mv3d.files.arrival_clock import GapCounter

# Frames since the last that needs no other, beyond which none is shown: ten seconds and more.
_MOST_RECENT = 600
# A thread that hangs in a driver is left behind after so long, s.
_PATIENCE = 2.0


@dataclass(slots=True)
class Counts:
    """What happened to the frames of a camera so far.

    Attributes:
        received: frames that came since the start.
        written: frames that are in the camera's video.
        bytes: their size.
        dropped: frames thrown away because disk or encoder were too slow.
        missing: frames that the camera or the network left out, judged by the times.
        repeated: frames equal to the one before, byte by byte; they are written.
        damaged: what came in the place of a frame, or could not be decoded to be encoded.
        other_size: frames of another size, written to a video of their own.
        reconnects: how often the camera was lost and found again.
    """

    received: int = 0
    written: int = 0
    bytes: int = 0
    dropped: int = 0
    missing: int = 0
    repeated: int = 0
    damaged: int = 0
    other_size: int = 0
    reconnects: int = 0


@dataclass(slots=True)
class _State:
    """What the threads tell each other and the view."""

    text: str = "ready"
    trouble: str = ""
    last_frame: float = field(default_factory=time.monotonic)


class CameraRecorder:
    """Records one camera from a start to a stop that it shares with others; looks for it until then if it is lost."""

    def __init__(
        self,
        address: CameraAddress,
        source: Source,
        files: CameraFiles,
        queue_bytes: int,
        reopen: Callable[[], Source] | None,
    ) -> None:
        """Take over an open camera; its frames are thrown away until the start.

        Args:
            address: name and source.
            source: the camera, open.
            files: where frames go.
            queue_bytes: room between camera and disk.
            reopen: opens it again when it is lost; None not to try.
        """
        self.address, self.info, self.files, self.counts = address, source.info, files, Counts()
        self._source: Source | None = source
        self._reopen = reopen
        self._queue = FrameQueue(queue_bytes)
        self._recent: tuple[CapturedFrame, ...] = ()
        self._state = _State()
        self._started, self._stopped = threading.Event(), threading.Event()
        self._start_at = self._stop_at = float("inf")
        self._gaps = GapCounter()
        self._last: bytes | np.ndarray | None = None
        # What is packed with its neighbours is of no use without the key frame that it builds on.
        self._waits_for_key = self.info.codec == "h264"
        self._reader = threading.Thread(target=self._read_all, name=f"read {address.name}", daemon=True)
        self._writer = threading.Thread(target=self._write_all, name=f"write {address.name}", daemon=True)
        self._reader.start()
        self._writer.start()

    @property
    def state(self) -> str:
        """What it is doing: ready, recording, reconnecting, ended or failed."""
        return self._state.text

    @property
    def trouble(self) -> str:
        """The last thing that went wrong; empty if nothing."""
        return self._state.trouble

    @property
    def queue_fill(self) -> float:
        """Share of the room between camera and disk that is taken."""
        return self._queue.fill

    @property
    def recent(self) -> tuple[CapturedFrame, ...]:
        """The newest frame, after those that it is decoded from: for who wants to see what is recorded."""
        return self._recent

    @property
    def silence(self) -> float:
        """Seconds since the last frame."""
        return time.monotonic() - self._state.last_frame

    @property
    def active(self) -> bool:
        """Whether frames may still come."""
        return self._writer.is_alive()

    def start(self, at: float) -> None:
        """Keep the frames from `time.monotonic()` = `at` on."""
        self._start_at = at
        if self._source is not None:
            self._source.start(at)
        self._state.text = "recording" if self._state.text == "ready" else self._state.text
        self._started.set()

    def ask_to_stop(self, at: float) -> None:
        """Keep no frames from `time.monotonic()` = `at` on."""
        self._stop_at = at
        self._stopped.set()
        self._started.set()

    def finish(self) -> None:
        """Wait until the frames that are there are written and the files are closed."""
        self._reader.join(_PATIENCE)
        # A driver that never returns must not keep the rest from being written.
        self._queue.close()
        self._writer.join()

    def _read_all(self) -> None:
        try:
            if self._source is not None and not self._source.info.live:
                self._started.wait()
            while not self._stopped.is_set() and self._read_one():
                pass
        finally:
            if self._source is not None:
                self._source.close()
            self._queue.close()

    def _read_one(self) -> bool:
        """Take one frame; False when there will be no more."""
        assert self._source is not None
        try:
            got = self._source.read()
        except Mv3dError as error:
            return self._lost(str(error))
        if got is None:
            self._state.text = "ended"
            return False
        self._state.last_frame = time.monotonic()
        if got.arrival < self._start_at:
            return True
        if got.arrival >= self._stop_at:
            return False
        self._keep(got)
        return self._state.text != "failed"

    def _keep(self, got: CapturedFrame | DamagedFrame) -> None:
        if isinstance(got, DamagedFrame):
            self.counts.damaged += 1
            self._state.trouble = got.reason
            return
        if self._waits_for_key and not got.key:
            self.counts.dropped += self.counts.received > 0
            return
        self._waits_for_key = False
        self.counts.received += 1
        self.counts.repeated += _same(got.data, self._last)
        self._last = got.data
        # One assignment: whoever looks takes a tuple that no longer changes, and nobody waits for anybody.
        self._recent = (got,) if got.key or len(self._recent) >= _MOST_RECENT else (*self._recent, got)
        self._gaps.add(got.arrival if got.device_time is None else got.device_time)
        self.counts.missing = self._gaps.missing
        if not self._queue.put(got, wait=not self.info.live) and self._state.text != "failed":
            self.counts.dropped += 1
            self._waits_for_key = self.info.codec == "h264"
            self._state.trouble = "disk or encoder too slow"

    def _lost(self, reason: str) -> bool:
        """Look for a lost camera until it is back; False if that is not to be."""
        self._state.trouble = reason
        assert self._source is not None
        self._source.close()
        self._source = None
        if self._reopen is None or not self.info.live:
            self._state.text = "failed"
            return False
        self._state.text = "reconnecting"
        self._source = reopened(self._reopen, self._stopped, self._still_lost)
        if self._source is None:
            return False
        if self._source.info.codec != self.info.codec:
            self._state.trouble = f"came back with {self._source.info.codec} in the place of {self.info.codec}"
            self._state.text = "failed"
            return False
        self.counts.reconnects += 1
        self._state.text = "recording" if self._started.is_set() else "ready"
        return True

    def _still_lost(self, reason: str) -> None:
        self._state.trouble = reason

    def _write_all(self) -> None:
        try:
            while (frame := self._queue.take()) is not None:
                written = self.files.write(frame, frame.arrival - self._start_at)
                self.counts.damaged += not written.frames
                self.counts.bytes += written.bytes
                if written.main:
                    self.counts.written += written.frames
                else:
                    self.counts.other_size += written.frames
                    self._state.trouble = f"changed its size to {frame.size[0]}x{frame.size[1]}"
        except Mv3dError as error:
            self._state.trouble, self._state.text = str(error), "failed"
            self._queue.close()
        finally:
            self.files.close()


def _same(data: bytes | np.ndarray, last: bytes | np.ndarray | None) -> bool:
    if isinstance(data, bytes) or isinstance(last, bytes) or last is None:
        return isinstance(last, bytes) and data == last
    return data.shape == last.shape and bool(np.array_equal(data, last))
