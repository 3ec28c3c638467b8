"""What cameras have in common, whatever brings their pictures: they run by themselves, and one picture shows them."""

import time

from mv3d.capture.frames import CapturedFrame, DamagedFrame, SourceInfo
from mv3d.errors import CaptureError


class RunningCamera:
    """A camera that was looked at by its first frame, which is handed out as the first one.

    A subclass sets `_first` and `_info` when it is made, and fetches frames in `_next`.
    """

    _first: CapturedFrame | None
    _info: SourceInfo

    @property
    def info(self) -> SourceInfo:
        """What the camera does, which need not be what was asked."""
        return self._info

    def start(self, at: float) -> None:
        """Nothing to do: a camera runs by itself."""

    def read(self) -> CapturedFrame | DamagedFrame | None:
        """The next frame; raises CaptureError when the camera is gone, ends or stalls."""
        if self._first is not None:
            frame, self._first = self._first, None
            return frame
        return self._next()

    def close(self) -> None:
        """Let go of the camera."""
        raise NotImplementedError

    def _next(self) -> CapturedFrame | DamagedFrame:
        raise NotImplementedError

    def _awaited(self, timeout: float, silent: str) -> CapturedFrame:
        """The first whole frame; closes the camera and raises CaptureError with `silent` where none comes in time."""
        deadline = time.monotonic() + timeout
        try:
            while time.monotonic() < deadline:
                if isinstance(frame := self._next(), CapturedFrame):
                    return frame
        except CaptureError:
            pass
        self.close()
        raise CaptureError(silent)
