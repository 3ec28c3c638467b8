"""Who reads the cameras of a live run that records nothing."""

import threading
import time
from collections.abc import Callable
from typing import Protocol, runtime_checkable

from mv3d.capture.frames import CapturedFrame, DamagedFrame, Source, SourceInfo
from mv3d.capture.live_camera import LiveCamera
from mv3d.capture.reopening import reopened
from mv3d.errors import Mv3dError
from mv3d.files.video import VideoInfo, read_pictures

AT_ITS_END = "at its end"


class WatchedSource:
    """A source that shows a live camera what its reader takes."""

    def __init__(self, source: Source, camera: LiveCamera) -> None:
        """Stand between `source` and its reader."""
        self._source, self._camera = source, camera

    @property
    def info(self) -> SourceInfo:
        """What it delivers."""
        return self._source.info

    def start(self, at: float) -> None:
        """Hand on."""
        self._camera.start(at)
        self._source.start(at)

    def read(self) -> CapturedFrame | DamagedFrame | None:
        """The next frame, which the camera gets too."""
        try:
            got = self._source.read()
        except Mv3dError as error:
            self._camera.lost(str(error))
            raise
        if got is None:
            self._camera.lost(AT_ITS_END)
        else:
            self._camera.take(got)
        return got

    def close(self) -> None:
        """Let go of the source."""
        self._source.close()


@runtime_checkable
class Reader(Protocol):
    """Reads one camera in a thread of its own."""

    def start(self, at: float) -> None:
        """Frames from `time.monotonic()` = `at` on."""
        ...

    def stop(self) -> None:
        """Ask it to end."""
        ...

    @property
    def active(self) -> bool:
        """Whether frames may still come."""
        ...


class LiveReader:
    """Reads a camera; opens it again when it is lost."""

    def __init__(self, source: Source, reopen: Callable[[], Source] | None, name: str) -> None:
        """Take over an open source.

        Args:
            source: the camera, open; who wants its frames watches it.
            reopen: opens it again; None not to try.
            name: of the camera.
        """
        self._source, self._reopen = source, reopen
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, name=f"live {name}", daemon=True)

    def start(self, at: float) -> None:
        """Frames from `time.monotonic()` = `at` on."""
        self._source.start(at)
        self._thread.start()

    def stop(self) -> None:
        """Ask the thread to end; it closes the camera."""
        self._stopped.set()
        if self._thread.ident is None:
            self._source.close()

    @property
    def active(self) -> bool:
        """Whether frames may still come."""
        return self._thread.is_alive()

    def _run(self) -> None:
        try:
            while not self._stopped.is_set():
                try:
                    if self._source.read() is None:
                        return
                except Mv3dError:
                    if not self._found_again():
                        return
        finally:
            self._source.close()

    def _found_again(self) -> bool:
        """Look for a lost camera until it is back; False if that is not to be."""
        self._source.close()
        again = reopened(self._reopen, self._stopped) if self._reopen else None
        self._source = again or self._source
        return again is not None


class FileReader:
    """Plays a file at its own pace; of its pictures only those that are looked at are made."""

    def __init__(self, video: VideoInfo, camera: LiveCamera) -> None:
        """Nothing is played before `start`."""
        self._video, self._camera = video, camera
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, name=f"live {camera.name}", daemon=True)

    def start(self, at: float) -> None:
        """The first frame is shown at `at`."""
        self._camera.start(at)
        self._thread.start()

    def stop(self) -> None:
        """Ask the thread to end."""
        self._stopped.set()

    @property
    def active(self) -> bool:
        """Whether frames may still come."""
        return self._thread.is_alive()

    def _run(self) -> None:
        try:
            for timestamp, picture in read_pictures(self._video):
                due = self._camera.since + timestamp - float(self._video.timestamps[0])
                if self._stopped.wait(max(0.0, due - time.monotonic())):
                    return
                self._camera.show(due, picture)
        except Mv3dError as error:
            self._camera.lost(str(error))
            return
        self._camera.lost(AT_ITS_END)
