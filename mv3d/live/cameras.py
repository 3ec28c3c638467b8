"""The cameras of a live run, read for it alone or recorded at the same time."""

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, runtime_checkable

from mv3d.capture.addresses import CameraAddress
from mv3d.capture.frames import Source
from mv3d.capture.live_camera import LiveCamera
from mv3d.capture.live_frames import LiveFrames
from mv3d.capture.live_readers import FileReader, LiveReader, Reader, WatchedSource
from mv3d.capture.playback import PlaybackSource
from mv3d.capture.recorder import Recorder, RecorderConfig, open_all, open_recorder
from mv3d.capture.sources import open_source
from mv3d.capture.summary import Recorded
from mv3d.data.camera import Camera
from mv3d.data.rig import Rig
from mv3d.errors import CaptureError, ConfigError
from mv3d.live.config import LiveConfig

# Sizes of one shape differ by rounding to whole pixels.
_SAME_ASPECT = 0.01


@runtime_checkable
class Feed(Protocol):
    """Reads the cameras, whose frames then show in the live cameras."""

    def start(self) -> float:
        """Start all at the same instant; returns it, on `time.monotonic()`'s clock."""
        ...

    def stop(self) -> None:
        """Let go of the cameras."""
        ...

    @property
    def active(self) -> bool:
        """Whether frames may still come."""
        ...


class Readers:
    """Reads the cameras for the run alone."""

    def __init__(self, readers: Sequence[Reader]) -> None:
        """Nothing is read before `start`."""
        self._readers = tuple(readers)

    def start(self) -> float:
        """Start all at the same instant."""
        at = time.monotonic()
        for reader in self._readers:
            reader.start(at)
        return at

    def stop(self) -> None:
        """Ask all to end."""
        for reader in self._readers:
            reader.stop()

    @property
    def active(self) -> bool:
        """Whether frames may still come."""
        return any(reader.active for reader in self._readers)


class Recording:
    """Reads the cameras for a recorder, which writes every frame, however slow the run is."""

    def __init__(self, recorder: Recorder) -> None:
        """Nothing is recorded before `start`."""
        self._recorder = recorder
        self.recorded: Recorded | None = None

    def start(self) -> float:
        """Start all at the same instant."""
        self._recorder.start()
        return self._recorder.started_at

    def stop(self) -> None:
        """Finish the files; what was recorded is in `recorded` from then on."""
        if self.recorded is None:
            self.recorded = self._recorder.stop()

    @property
    def active(self) -> bool:
        """Whether frames may still come."""
        return any(camera.active for camera in self._recorder.cameras)


@dataclass(frozen=True, slots=True, eq=False)
class OpenCameras:
    """Cameras that are open.

    Attributes:
        rig: of those that were named, each for the size of its pictures.
        frames: their newest frames.
        feed: who reads them.
    """

    rig: Rig
    frames: LiveFrames
    feed: Readers | Recording


@contextmanager
def open_cameras(
    rig: Rig, addresses: Sequence[CameraAddress], live: LiveConfig, record: Path | None = None, overwrite: bool = False
) -> Iterator[OpenCameras]:
    """Open all cameras.

    Args:
        rig: holds at least the cameras that are named.
        addresses: where they are.
        live: what is asked of them.
        record: session folder to record into; None records nothing.
        overwrite: replace the videos of that session.

    Raises:
        ConfigError: a camera that the rig does not hold, or fewer than two.
        CaptureError: a camera cannot be opened, or gives pictures of another shape.
        SessionError: the session cannot be recorded into.
    """
    ordered = _in_rig_order(rig, addresses)
    shown: dict[str, LiveCamera] = {}

    def watched(name: str, source: Source) -> Source:
        if name not in shown:
            shown[name] = LiveCamera(name, source.info, live.frames.held)
        return WatchedSource(source, shown[name])

    if record is not None:
        with (
            open_recorder(record, ordered, RecorderConfig(live.source), overwrite, watched) as recorder,
            _opened(rig, ordered, shown, live, Recording(recorder)) as opened,
        ):
            yield opened
        return
    sources = open_all(ordered, live.source)
    readers = []
    for address, source in zip(ordered, sources, strict=True):
        own = watched(address.name, source)
        if isinstance(source, PlaybackSource):
            source.close()
            readers.append(FileReader(source.video, shown[address.name]))
        else:
            readers.append(LiveReader(own, _reopening(address, live, watched), address.name))
    feed = Readers(readers)
    try:
        with _opened(rig, ordered, shown, live, feed) as opened:
            yield opened
    finally:
        feed.stop()


def _in_rig_order(rig: Rig, addresses: Sequence[CameraAddress]) -> list[CameraAddress]:
    by_name = {address.name: address for address in addresses}
    unknown = [name for name in by_name if name not in rig.names]
    if unknown:
        raise ConfigError(f"--camera {unknown[0]}: the rig has no such camera; it holds {', '.join(rig.names)}")
    if len(by_name) < 2:
        raise ConfigError("--camera: 3D needs two cameras or more")
    return [by_name[name] for name in rig.names if name in by_name]


def _reopening(
    address: CameraAddress, live: LiveConfig, watched: Callable[[str, Source], Source]
) -> Callable[[], Source]:
    return lambda: watched(address.name, open_source(address.source, live.source))


@contextmanager
def _opened(
    rig: Rig,
    addresses: Sequence[CameraAddress],
    shown: dict[str, LiveCamera],
    live: LiveConfig,
    feed: Readers | Recording,
) -> Iterator[OpenCameras]:
    cameras = [shown[address.name] for address in addresses]
    fitted = Rig(tuple(_fitted(rig[camera.name], camera.info.size) for camera in cameras))
    frames = LiveFrames(cameras, live.frames)
    try:
        yield OpenCameras(fitted, frames, feed)
    finally:
        frames.close()


def _fitted(camera: Camera, size: tuple[int, int]) -> Camera:
    """The camera for pictures of this size, which must have the shape that it was calibrated for."""
    factors = [a / b for a, b in zip(size, camera.size, strict=True)]
    if abs(factors[0] / factors[1] - 1) > _SAME_ASPECT:
        shown, calibrated = (f"{w}x{h}" for w, h in (size, camera.size))
        raise CaptureError(
            f"camera {camera.name}: gives {shown}, but was calibrated at {calibrated}, another shape; set its size"
        )
    return camera if size == camera.size else camera.resized(size)
