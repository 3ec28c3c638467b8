"""Between the thread that takes frames from a camera and the one that writes them: bounded in bytes."""

import threading
from collections import deque

from mv3d.capture.frames import CapturedFrame


class FrameQueue:
    """Frames in order, as many as fit into so many bytes. One thread puts, one takes."""

    def __init__(self, capacity_bytes: int) -> None:
        self._capacity = capacity_bytes
        self._frames: deque[CapturedFrame] = deque()
        self._bytes, self._closed = 0, False
        self._changed = threading.Condition()

    @property
    def fill(self) -> float:
        """Share of its room that is taken; may exceed 1 by a frame."""
        return self._bytes / self._capacity

    def put(self, frame: CapturedFrame, wait: bool) -> bool:
        """Add a frame; where there is no room, wait for it or give up.

        Returns:
            Whether the frame was taken.
        """
        with self._changed:
            while self._bytes >= self._capacity and not self._closed:
                if not wait:
                    return False
                self._changed.wait()
            if self._closed:
                return False
            self._frames.append(frame)
            self._bytes += _size(frame)
            self._changed.notify_all()
        return True

    def take(self) -> CapturedFrame | None:
        """The next frame, waiting for it; None when the queue is closed and empty."""
        with self._changed:
            while not self._frames and not self._closed:
                self._changed.wait()
            if not self._frames:
                return None
            frame = self._frames.popleft()
            self._bytes -= _size(frame)
            self._changed.notify_all()
            return frame

    def close(self) -> None:
        """No more frames will come; those that are there can still be taken."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()


def _size(frame: CapturedFrame) -> int:
    return len(frame.data) if isinstance(frame.data, bytes) else frame.data.nbytes
