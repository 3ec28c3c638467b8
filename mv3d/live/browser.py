"""A live run in the browser: the run in a thread of its own, the page at its own pace, so that neither waits."""

from collections.abc import Callable

from mv3d.data.rig import Rig
from mv3d.data.skeleton import Skeleton
from mv3d.errors import ConfigError
from mv3d.live.run import LiveRun
from mv3d.live.showing import beside, content_of, newest, poses3d_of
from mv3d.live.timing import LiveStatus
from mv3d.viz.live_page import LivePage
from mv3d.viz.web import LOOPBACK, open_server

# Pages a second: thumbnails are pictures, and go to every visitor.
_RATE = 15.0


def browser_address(text: str) -> tuple[str, int]:
    """Host and port of [HOST:]PORT; without a host this machine alone is let in.

    Raises:
        ConfigError: it is none.
    """
    host, _, port = text.rpartition(":")
    if not port.isdecimal() or not 0 < int(port) < 65536:
        raise ConfigError(f"--browser {text}: PORT or HOST:PORT is wanted, e.g. 8080")
    return host.strip("[]") or LOOPBACK, int(port)


def show_in_browser(
    run: LiveRun,
    rig: Rig,
    skeleton: Skeleton,
    look: Callable[[LiveStatus], bool],
    seconds: float | None,
    address: tuple[str, int],
) -> None:
    """Run as `LiveRun.run` does, with a page for everybody who opens it.

    Args:
        run: not started.
        rig: the cameras in the views' order.
        skeleton: the joints.
        look: as for `LiveRun.run`.
        seconds: how long; None without end.
        address: host and port to listen on.

    Raises:
        WebError: viser is not installed, or the port is taken.
    """
    server = open_server(*address, "--browser")
    try:
        page = LivePage(server, rig, poses3d_of(None, skeleton, rig))
        with beside(run, look, seconds) as thread:
            for moment in newest(run, thread, _RATE):
                if moment is not None:
                    page.show(content_of(moment, rig, skeleton))
    finally:
        server.stop()
