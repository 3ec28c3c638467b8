"""The command that follows people while the cameras run."""

import math
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

import tyro

from mv3d.commands.arguments import Lines
from mv3d.commands.settings import Settings
from mv3d.errors import ConfigError

if TYPE_CHECKING:
    from mv3d.live.cameras import OpenCameras
    from mv3d.live.senders import Sender
    from mv3d.live.timing import LiveStatus, LiveSummary

_DEFAULTS = Settings()
_TOLD_EVERY = 1.0


def live(
    rig: Path,
    camera: tyro.conf.UseAppendAction[tuple[str, ...]] = (),
    record: Path | None = None,
    window: bool = False,
    picture: Path | None = None,
    browser: str | None = None,
    udp: str | None = None,
    websocket: int | None = None,
    host: str = "127.0.0.1",
    seconds: float | None = None,
    json: Path | None = None,
    overwrite: bool = False,
    settings: Settings = _DEFAULTS,
) -> Lines:
    """3D of people while the cameras run, as JSON over UDP and WebSocket. Ctrl-C ends it.

    Frames are dropped when they come faster than the network looks. Video files play at their own pace.

    Args:
        rig: the cameras, of any known format.
        camera: NAME=SOURCE of each, as in `mv3d record`; names are those of the rig.
        record: session folder to record all frames into at the same time.
        window: show people, cameras, floor, thumbnails, rate and latency in a window; closing it ends the run.
        picture: PNG of that window at the end; drawn without a display too.
        browser: [HOST:]PORT of a page that shows the same as the window; this machine alone is let in unless a host is
            given; needs the package viser (mv3d[web]).
        udp: HOST:PORT that gets a datagram of JSON for every skeleton.
        websocket: port of a WebSocket server that gives the same; needs the package websockets (mv3d[live]).
        host: where servers listen; this machine alone unless told otherwise.
        seconds: how long; until Ctrl-C or the end of the files if not given.
        json: file for the figures at the end: rate, latency, what was dropped.
        overwrite: replace the videos of the session that is recorded into, the file of figures and the picture.
        settings: shared settings.
    """
    from mv3d.capture.addresses import parse_cameras
    from mv3d.detection import make_estimator
    from mv3d.files.rigs import read_rig
    from mv3d.files.writing import refuse_overwriting
    from mv3d.live.browser import browser_address, show_in_browser
    from mv3d.live.cameras import open_cameras
    from mv3d.live.config import LiveConfig
    from mv3d.live.following import make_follower
    from mv3d.live.run import LiveRun

    if seconds is not None and not 0 < seconds < math.inf:
        raise ConfigError(f"--seconds is {seconds:g}; a positive number is wanted")
    if browser is not None and (window or picture is not None):
        raise ConfigError("--browser shows what --window and --picture do; leave them out, or --browser")
    page = None if browser is None else browser_address(browser)
    for path in (json, picture):
        if path is not None:
            refuse_overwriting(path, overwrite)
    config, how, addresses = settings.load(), LiveConfig(), parse_cameras(camera)
    cameras, estimator = read_rig(rig), make_estimator(config.pose2d)
    with _senders(udp, websocket, host) as senders, open_cameras(cameras, addresses, how, record, overwrite) as opened:
        follower = make_follower(opened.rig, estimator, config)
        run = LiveRun(opened.rig, follower, opened.frames, opened.feed, senders, how)
        look = _Screen(settings.quiet).look
        with suppress(KeyboardInterrupt):
            if page is not None:
                show_in_browser(run, opened.rig, follower.skeleton, look, seconds, page)
            elif window or picture is not None:
                from mv3d.live.showing import show_live

                show_live(run, opened.rig, follower.skeleton, look, seconds, picture)
            else:
                run.run(look, seconds)
    if json is not None:
        run.summary.save(json)
    return settings.unless_quiet([*summary_lines(run.summary), *_recorded_lines(opened, record)])


@contextmanager
def _senders(udp: str | None, websocket: int | None, host: str) -> Iterator[list["Sender"]]:
    from mv3d.live.senders import UdpSender, WebSocketSender

    if websocket is not None and not 0 < websocket < 65536:
        raise ConfigError(f"--websocket {websocket}: a port from 1 to 65535 is wanted")
    with ExitStack() as stack:
        senders: list[Sender] = []
        if udp is not None:
            senders.append(UdpSender(udp))
            stack.callback(senders[-1].close)
        if websocket is not None:
            senders.append(WebSocketSender(host, websocket))
            stack.callback(senders[-1].close)
        yield senders


class _Screen:
    """Says once a second on standard error how it goes."""

    def __init__(self, quiet: bool) -> None:
        self._quiet, self._next = quiet, 0.0

    def look(self, status: "LiveStatus") -> bool:
        """Show it if it is time; never ends the run."""
        if not self._quiet and time.monotonic() >= self._next:
            self._next = time.monotonic() + _TOLD_EVERY
            sys.stderr.write(status_line(status) + "\n")
            sys.stderr.flush()
        return False


def status_line(status: "LiveStatus") -> str:
    """Counts, rate, latency and trouble in a line."""
    trouble = "".join(f"; {name}: {why}" for name, why in status.trouble.items())
    people = f"{status.people} people, " if status.people > 1 else ""
    found = f"{people}{status.joints} joints" if status.joints else "nobody"
    return (
        f"{status.sets} sets, {status.dropped} dropped, {status.fps:.1f} fps, latency {1e3 * status.latency:.0f} ms"
        f" (2D {1e3 * status.network:.0f}, 3D {1e3 * status.reconstruction:.1f}), {found}{trouble}"
    )


def summary_lines(summary: "LiveSummary") -> Lines:
    """What is told at the end."""
    lines = [
        f"{summary.sets} sets in {summary.seconds:.1f} s, {summary.fps:.1f} a second, {summary.dropped} dropped,"
        f" people in {summary.with_people}"
    ]
    for name, spread in (
        ("latency", summary.latency),
        ("  network", summary.network),
        ("  beyond it", summary.beyond_network),
        ("  3D", summary.reconstruction),
    ):
        lines.append(
            f"{name:<12} median {spread.median_ms:.1f} ms, p95 {spread.p95_ms:.1f}, largest {spread.largest_ms:.1f}"
        )
    return lines + [f"warning: {name} had no picture in {n} sets" for name, n in summary.without.items()]


def _recorded_lines(opened: "OpenCameras", record: Path | None) -> Lines:
    from mv3d.commands.capture import recorded_lines

    recorded = getattr(opened.feed, "recorded", None)
    return recorded_lines(record, recorded) if record is not None and recorded is not None else []
