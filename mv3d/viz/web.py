"""The browser viewer's server: only this computer is let in unless told otherwise."""

import io
import socket
import time
from collections.abc import Callable
from contextlib import redirect_stdout, suppress
from typing import Any

from mv3d.errors import Mv3dError
from mv3d.viz.content import Content
from mv3d.viz.display import Display
from mv3d.viz.web_page import WebPage

LOOPBACK = "127.0.0.1"
# Pictures a second that are sent: more than a browser shows of a moving scene at ease.
_RATE = 30.0
_LEAST_SLEEP_S = 0.002
_EVERYWHERE = ("0.0.0.0", "::")


class WebError(Mv3dError):
    """The browser viewer cannot be started."""


def serve(
    content: Content,
    display: Display,
    host: str = LOOPBACK,
    port: int = 8080,
    said: Callable[[str], None] = lambda _: None,
    seconds: float = float("inf"),
) -> None:
    """Serve the scene until Ctrl+C.

    Args:
        content: what there is to show.
        display: the layers at the start.
        host: address to listen on; the default lets in nobody but this computer.
        port: to listen on.
        said: told the address once the page can be opened.
        seconds: how long to serve.

    Raises:
        WebError: viser is not installed, or the port is taken.
    """
    server = open_server(host, port)
    try:
        page = WebPage(server, content, display)
        said(f"http://{'localhost' if host in _EVERYWHERE else host}:{port}")
        end = time.monotonic() + seconds
        with suppress(KeyboardInterrupt):
            while time.monotonic() < end:
                started = time.monotonic()
                page.tick()
                time.sleep(max(1 / _RATE - (time.monotonic() - started), _LEAST_SLEEP_S))
    finally:
        server.stop()


def open_server(host: str, port: int, option: str = "--port") -> Any:
    """A viser server; `option` is what the user gave the port by.

    Raises:
        WebError: viser is not installed, or the port is taken.
    """
    try:
        import viser
    except ImportError as error:
        raise WebError("the browser viewer needs viser; install it with `pip install mv3d[web]`") from error
    if not 0 < port < 65536:
        raise WebError(f"{option} is {port}; 1 to 65535 is wanted")
    try:
        # viser would take the next free port without a word; the page is wanted where it was asked for.
        with socket.create_server((host, port), family=socket.AF_INET6 if ":" in host else socket.AF_INET):
            pass
    except OSError as error:
        raise WebError(
            f"{host}:{port}: cannot listen there ({error.strerror or error}); try another {option}"
        ) from error
    with redirect_stdout(io.StringIO()):  # its banner
        return viser.ViserServer(host=host, port=port, label="mv3d", verbose=False)
