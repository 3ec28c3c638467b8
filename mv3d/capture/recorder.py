"""Records any number of cameras into a session: open all, start together, write everything down at the end."""

import os
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from mv3d.capture.addresses import CameraAddress
from mv3d.capture.camera_recorder import CameraRecorder
from mv3d.capture.frames import Source, SourceSettings
from mv3d.capture.sources import open_source
from mv3d.capture.summary import CameraSummary, Recorded, summarise
from mv3d.capture.video_files import CameraFiles, RecordedCodec
from mv3d.data.session import Session
from mv3d.errors import CaptureError, Mv3dError, SessionError
from mv3d.files.session_record import give_reserve_back, recording_into, take_reserve, write_session_record
from mv3d.files.writing import check_output_folder

# How long opening may take beyond the source's own timeout, s: drivers look through their modes.
_OPENING = 10.0
_LOOK_EVERY = 0.1


@dataclass(frozen=True, slots=True)
class RecorderConfig:
    """How to record.

    Attributes:
        source: what is asked of the cameras.
        codec: auto keeps what a camera packs (MJPEG, H.264) as it is and encodes images as H.264.
        queue_mb: room between camera and disk, MB a camera.
        reconnect: look for a camera that was lost.
    """

    source: SourceSettings = field(default_factory=SourceSettings)
    codec: RecordedCodec = "auto"
    queue_mb: float = 64.0
    reconnect: bool = True


class Recorder:
    """Cameras that are open and being recorded; see `open_recorder`."""

    def __init__(self, session: Session, cameras: Sequence[CameraRecorder]) -> None:
        self.session, self.cameras = session, tuple(cameras)
        self._started_at = 0.0
        self._clock_started: datetime | None = None
        self._stopped_at = 0.0

    @property
    def started_at(self) -> float:
        """When all cameras started, on `time.monotonic()`'s clock; 0 before."""
        return self._started_at

    @property
    def elapsed(self) -> float:
        """Seconds since the start; 0 before it."""
        return time.monotonic() - self._started_at if self._started_at else 0.0

    def start(self) -> None:
        """All cameras at the same instant; session.yaml says from now on that a recording is on."""
        self._clock_started = datetime.now(UTC)
        self._started_at = time.monotonic()
        for camera in self.cameras:
            camera.start(self._started_at)
        self._note("recording", [])

    def wait(self, seconds: float | None, look: Callable[["Recorder"], bool]) -> None:
        """Record for so many seconds, until `look` says so, or until no camera is left.

        Args:
            seconds: how long; None without end.
            look: called ten times a second; true ends the recording.
        """
        while any(camera.active for camera in self.cameras) and (seconds is None or self.elapsed < seconds):
            if look(self):
                return
            rest = _LOOK_EVERY if seconds is None else min(_LOOK_EVERY, max(0.0, seconds - self.elapsed))
            time.sleep(rest)

    def stop(self) -> Recorded:
        """Stop all cameras at the same instant, finish their files, and write session.yaml.

        Returns:
            What was recorded, with what could not be written at the end as notes.
        """
        self._stopped_at = time.monotonic()
        for camera in self.cameras:
            camera.ask_to_stop(self._stopped_at)
        for camera in self.cameras:
            camera.finish()
        give_reserve_back(self.session.root)
        recorded = summarise(self.cameras, self._stopped_at - self._started_at)
        try:
            self._note("finished", recorded.cameras)
        except Mv3dError as error:
            recorded.notes.append(str(error))
        return recorded

    def _note(self, state: str, cameras: Sequence[CameraSummary]) -> None:
        assert self._clock_started is not None
        listed = [c.as_dict() for c in cameras] or [
            {"name": c.address.name, "source": c.address.shown, "size": list(c.info.size), "fps": c.info.fps}
            for c in self.cameras
        ]
        record = {
            "state": state,
            "started_at": self._clock_started.isoformat(timespec="milliseconds"),
            "clock": "seconds since the common start, monotonic, the same for all cameras",
            "seconds": round(self._stopped_at - self._started_at, 3) if cameras else None,
            "cameras": listed,
        }
        write_session_record(self.session.root, record)


@contextmanager
def open_recorder(
    root: Path,
    addresses: Sequence[CameraAddress],
    config: RecorderConfig,
    overwrite: bool = False,
    watched: Callable[[str, Source], Source] = lambda _, source: source,
) -> Iterator[Recorder]:
    """Open all cameras, each with its first frame, and hold the session.

    Args:
        root: folder of the session.
        addresses: the cameras.
        config: how to record.
        overwrite: replace the videos that are there.
        watched: given a camera's name and its source whenever that was opened, what is read in its place: for those who
            look on.

    Raises:
        CaptureError: a camera cannot be opened; names it.
        SessionError: the session is in use, holds a recording already, or cannot be written.
    """
    session = Session(root)
    with recording_into(root):
        _check_empty(session, overwrite)
        check_output_folder(root)
        sources = open_all(addresses, config.source)
        if overwrite:
            _remove_videos(session)
        take_reserve(root)
        threads = max(1, (os.cpu_count() or 1) // len(addresses))
        recorder = Recorder(
            session, [_camera(session, a, s, config, threads, watched) for a, s in zip(addresses, sources, strict=True)]
        )
        try:
            yield recorder
        finally:
            for camera in recorder.cameras:
                camera.ask_to_stop(0.0)
            give_reserve_back(root)


def _camera(
    session: Session,
    address: CameraAddress,
    source: Source,
    config: RecorderConfig,
    threads: int,
    watched: Callable[[str, Source], Source],
) -> CameraRecorder:
    other = session.root / "other_sizes"
    files = CameraFiles(session.videos, other, address.name, source.info, config.codec, threads)

    def reopen() -> Source:
        return watched(address.name, open_source(address.source, config.source))

    room = round(config.queue_mb * 1e6)
    return CameraRecorder(address, watched(address.name, source), files, room, reopen if config.reconnect else None)


def _check_empty(session: Session, overwrite: bool) -> None:
    for path in (session.videos, session.root / "other_sizes", session.pose2d, session.pose3d):
        occupied = path.exists() and (not path.is_dir() or any(path.iterdir()))
        if occupied and not overwrite:
            raise SessionError(
                f"{path}: not empty, the session holds a recording or results; take another session folder, or pass"
                " --overwrite to replace its videos"
            )


def _remove_videos(session: Session) -> None:
    for folder in (session.videos, session.root / "other_sizes"):
        for path in folder.glob("*") if folder.is_dir() else ():
            if path.is_file():
                path.unlink()


def open_all(addresses: Sequence[CameraAddress], settings: SourceSettings) -> list[Source]:
    """Open all at the same time, since each may take seconds; the first that fails closes the others."""
    opened: dict[int, Source] = {}
    failed: dict[int, Mv3dError] = {}

    def open_one(index: int) -> None:
        try:
            opened[index] = open_source(addresses[index].source, settings)
        except Mv3dError as error:
            failed[index] = error

    threads = [threading.Thread(target=open_one, args=(i,), daemon=True) for i in range(len(addresses))]
    deadline = time.monotonic() + settings.timeout + _OPENING
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(max(0.0, deadline - time.monotonic()))
    for index, address in enumerate(addresses):
        if index in opened:
            continue
        for source in opened.values():
            source.close()
        if index in failed:
            raise type(failed[index])(f"camera {address.name}: {failed[index]}") from failed[index]
        raise CaptureError(f"camera {address.name}: {address.shown} did not open in {settings.timeout + _OPENING:g} s")
    return [opened[i] for i in range(len(addresses))]
