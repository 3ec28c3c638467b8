"""Commands around cameras and recordings."""

import math
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import tyro

from mv3d.commands.arguments import Lines, Session
from mv3d.errors import CaptureError, ConfigError

if TYPE_CHECKING:
    from calib.boards import Target
    from mv3d.capture.frames import SourceSettings
    from mv3d.capture.recorder import Recorder
    from mv3d.capture.summary import CameraSummary, Recorded
    from mv3d.commands.recording_screen import RecordingScreen


def record(
    session: Session,
    camera: tyro.conf.UseAppendAction[tuple[str, ...]] = (),
    seconds: float | None = None,
    countdown: int = 0,
    size: str | None = None,
    fps: float | None = None,
    exposure: float | None = None,
    focus: float | None = None,
    white_balance: float | None = None,
    auto: bool = False,
    codec: Literal["auto", "h264", "ffv1", "mjpeg"] = "auto",
    pace: Literal["own", "fast"] = "own",
    timeout: float = 5.0,
    board: str | None = None,
    overwrite: bool = False,
    quiet: bool = False,
) -> Lines:
    """Record cameras into a session, all on one clock: videos/<camera>.mkv with the time of every frame beside it.

    Stops after --seconds, when a stop key (q, space, Enter, Esc) or Ctrl-C is pressed, or when no camera is left. A
    camera that is lost is looked for until then, and the others go on. Whatever stops it, the frames that were written
    are there; `mv3d session repair` finishes what was cut off.

    Args:
        session: the session folder; may hold cameras.yaml, but no videos.
        camera: NAME=SOURCE, given once per camera. SOURCE is a number or path of a device (0, /dev/video2), a URL
            (http, rtsp, ...), a video or folder of images, or PLUGIN:ADDRESS. Devices take settings of their own:
            front=0?size=1280x720&fps=30&exposure=-6&focus=10&white_balance=4500.
        seconds: how long; until stopped by default.
        countdown: seconds to count before the start.
        size: of all devices, WIDTHxHEIGHT.
        fps: frames per second of all devices.
        exposure: of all devices, in the driver's unit.
        focus: of all devices, in the driver's unit.
        white_balance: of all devices, K.
        auto: leave exposure, focus and white balance to the devices; they are locked as they are otherwise.
        codec: auto keeps what a camera packs (MJPEG, H.264) as it is and encodes images as H.264; ffv1 is lossless.
        pace: own plays files at their frame rate, fast as fast as they can be read.
        timeout: seconds without a frame after which a camera counts as lost.
        board: YAML file or name of a board that is filmed for a calibration: says all the time what to show next, and
            when it is enough; calibration/guidance.png shows it.
        overwrite: replace the videos of the session.
        quiet: show nothing while it runs.
    """
    from mv3d.capture.addresses import parse_cameras
    from mv3d.capture.recorder import RecorderConfig, open_recorder
    from mv3d.commands.recording_screen import RecordingScreen

    for name, value in (("--seconds", seconds), ("--fps", fps), ("--timeout", timeout)):
        if value is not None and not 0 < value < math.inf:
            raise ConfigError(f"{name} is {value:g}; a positive number is wanted")
    addresses = parse_cameras(camera)
    settings = _settings(size, fps, exposure, focus, white_balance, auto, timeout, pace)
    opened = open_recorder(session, addresses, RecorderConfig(settings, codec), overwrite)
    pattern = _board(board) if board else None
    with RecordingScreen(quiet) as screen, _signals_stop(), opened as recorder:
        if pattern is None:
            recorded, shown = _record(recorder, screen, seconds, countdown), []
        else:
            recorded, shown = _record_board(recorder, screen, seconds, countdown, pattern)
            shown = [*shown, f"now       mv3d calibrate {session} --board {board}"]
    return [] if quiet else [*recorded_lines(session, recorded), *shown]


def cameras() -> Lines:
    """List cameras with the sizes and rates that they offer, and warn where they share a USB bus that is too slow.

    Network cameras are not looked for: give their address to `mv3d record`.
    """
    from mv3d.capture.listing import list_cameras
    from mv3d.capture.v4l2 import bus_warnings

    found = list_cameras()
    if not found:
        return ["no cameras here; network cameras are given to `mv3d record` by their address"]
    lines = []
    for device in found:
        bus = f", USB bus {device.bus.number} at {device.bus.megabits:g} Mb/s" if device.bus else ""
        lines.append(f"{device.address:<4}{device.description}{bus}")
        modes = sorted({(m.format, m.size, m.fps) for m in device.modes}, key=lambda m: (m[0], -m[1][0], -m[2]))
        lines += [f"      {code:<5}{width}x{height} at {fps:g} fps" for code, (width, height), fps in modes]
        if device.problem:
            lines.append(f"      cannot be asked: {device.problem}")
        elif not modes and ":" not in device.address:
            lines.append("      lists no modes; it may still record as it is")
    return lines + [f"warning: {text}" for text in bus_warnings(found)]


def _settings(
    size: str | None,
    fps: float | None,
    exposure: float | None,
    focus: float | None,
    white_balance: float | None,
    auto: bool,
    timeout: float,
    pace: Literal["own", "fast"],
) -> "SourceSettings":
    from mv3d.capture.frames import SourceSettings
    from mv3d.capture.sources import parse_size

    try:
        picture = parse_size(size) if size else None
    except ValueError as error:
        raise ConfigError(f"--size {size}: WIDTHxHEIGHT is wanted, e.g. 1280x720") from error
    return SourceSettings(picture, fps, exposure, focus, white_balance, not auto, timeout, pace)


def _record(recorder: "Recorder", screen: "RecordingScreen", seconds: float | None, countdown: int) -> "Recorded":
    for camera in recorder.cameras:
        width, height = camera.info.size
        rate = f" at {camera.info.fps:g} fps" if camera.info.fps else ""
        kept = "kept as it comes" if camera.files.passed_through else f"encoded as {camera.files.codec}"
        screen.say(
            f"{camera.address.name}: {camera.address.shown}, {width}x{height}{rate}, {camera.info.codec}, {kept}"
        )
        for note in camera.info.notes:
            screen.say(f"note: {note}")
    try:
        for left in range(countdown, 0, -1):
            screen.say(f"{left} ...")
            time.sleep(1)
        recorder.start()
        recorder.wait(seconds, screen.look)
    except KeyboardInterrupt:
        if not recorder.elapsed:
            raise
    recorded = recorder.stop()
    screen.finish(recorder)
    ended = [c for c in recorded.cameras if c.ended]
    if ended and len(ended) == len(recorded.cameras):
        frames = sum(c.frames for c in recorded.cameras)
        raise CaptureError(f"{ended[0].ended}; no camera is left, {frames} frames were written and are kept")
    return recorded


def _board(name: str) -> "Target":
    from calib.boards import load_board

    return load_board(name)


def _record_board(
    recorder: "Recorder", screen: "RecordingScreen", seconds: float | None, countdown: int, board: "Target"
) -> tuple["Recorded", Lines]:
    """A recording that a board is shown in; also what is still missing at its end."""
    from mv3d.board_watch import BoardWatch

    with BoardWatch(board, recorder.cameras, recorder.session.root / "calibration" / "guidance.png") as watch:
        screen.say(f"board: {board.describe()}; {watch.picture} shows what to show next")
        screen.below = watch.lines
        recorded = _record(recorder, screen, seconds, countdown)
    return recorded, ["board", *(f"  {line}" for line in watch.lines())]


@contextmanager
def _signals_stop() -> Iterator[None]:
    """End a recording as Ctrl-C does when the system asks for it or the terminal is closed."""

    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    names = [name for name in ("SIGTERM", "SIGHUP") if hasattr(signal, name)]
    before = {name: signal.signal(getattr(signal, name), interrupt) for name in names}
    try:
        yield
    finally:
        for name, handler in before.items():
            signal.signal(getattr(signal, name), handler)


def recorded_lines(session: Path, recorded: "Recorded") -> Lines:
    """What is told of a recording at its end."""
    lines = [f"{recorded.seconds:.1f} s recorded", *(_camera_line(c) for c in recorded.cameras)]
    lines += [f"warning: {c.name} was lost: {c.ended}" for c in recorded.cameras if c.ended]
    lines += [f"note: {note}" for note in recorded.notes]
    return [*lines, f"session   {session}"]


def _camera_line(camera: "CameraSummary") -> str:
    counts = camera.counts
    lost = counts["dropped"] + counts["missing"]
    rate = f", {camera.fps:.2f} fps" if camera.fps else ""
    jitter = f", {camera.times} times" + (f" within {camera.jitter * 1e3:.1f} ms" if camera.jitter is not None else "")
    odd = [
        f"{counts[k]} {k.replace('_', ' ')}" for k in ("repeated", "damaged", "other_size", "reconnects") if counts[k]
    ]
    return f"  {camera.name}: {camera.frames} frames{rate}{jitter}, {lost} lost{''.join(', ' + o for o in odd)}"
