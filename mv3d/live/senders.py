"""Skeletons out of a live run: JSON over UDP and WebSocket, the newest to whoever listens."""

import re
import socket
import threading
from contextlib import suppress
from typing import Any, Protocol, runtime_checkable

from mv3d.errors import CaptureError, ConfigError

# Pages of other sites must not read along: a browser lets them connect to this machine.
_OWN_PAGES = re.compile(r"https?://(localhost|127\.0\.0\.1|\[::1\])(:\d+)?")
_LOOPBACK = ("localhost", "127.0.0.1", "::1")


@runtime_checkable
class Sender(Protocol):
    """Sends messages; never waits for who receives them."""

    def send(self, message: str) -> None:
        """Send a line of JSON."""
        ...

    def close(self) -> None:
        """Stop sending."""
        ...


class UdpSender:
    """One datagram a skeleton."""

    def __init__(self, target: str) -> None:
        """Open.

        Args:
            target: HOST:PORT.

        Raises:
            ConfigError: it is none, or the host is unknown.
        """
        host, separator, port = target.rpartition(":")
        if not separator or not host or not port.isdecimal() or not 0 < int(port) < 65536:
            raise ConfigError(f"--udp {target}: HOST:PORT is wanted, e.g. 127.0.0.1:9000")
        try:
            found = socket.getaddrinfo(host.strip("[]"), int(port), type=socket.SOCK_DGRAM)[0]
        except OSError as error:
            raise ConfigError(f"--udp {target}: no such host ({error.strerror or error}); check the name") from error
        self._socket, self._address = socket.socket(found[0], found[1]), found[4]
        self._socket.setblocking(False)

    def send(self, message: str) -> None:
        """Send; what cannot be sent at once is dropped, as a skeleton that comes late is of no use."""
        with suppress(OSError):
            self._socket.sendto(message.encode() + b"\n", self._address)

    def close(self) -> None:
        """Close the socket."""
        self._socket.close()


class WebSocketSender:
    """A server that gives each listener the newest skeleton when it is ready for one."""

    def __init__(self, host: str, port: int) -> None:
        """Listen.

        Raises:
            ConfigError: the package websockets is missing.
            CaptureError: the port cannot be had.
        """
        try:
            from websockets.sync.server import serve
        except ImportError as error:
            raise ConfigError("--websocket needs the package websockets; pip install 'mv3d[live]'") from error
        self._changed, self._message, self._number, self._closed = threading.Condition(), "", 0, False
        origins = [None, _OWN_PAGES] if host in _LOOPBACK else None
        try:
            self._server = serve(self._give, host, port, origins=origins)
        except OSError as error:
            raise CaptureError(
                f"--websocket {port}: cannot listen on {host} ({error.strerror or error}); take another port"
            ) from error
        self.port = int(self._server.socket.getsockname()[1])
        threading.Thread(target=self._server.serve_forever, name="websocket", daemon=True).start()

    def send(self, message: str) -> None:
        """Lay the message out for all listeners; one that was not taken yet is replaced."""
        with self._changed:
            self._message, self._number = message, self._number + 1
            self._changed.notify_all()

    def close(self) -> None:
        """Let go of the port and the listeners."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()
        self._server.shutdown()

    def _give(self, connection: Any) -> None:
        from websockets.exceptions import ConnectionClosed

        given = 0
        try:
            while True:
                with self._changed:
                    if self._number == given and not self._closed:
                        self._changed.wait(1.0)
                    if self._closed:
                        return
                    message, number = self._message, self._number
                if number > given:
                    connection.send(message)
                    given = number
        except ConnectionClosed:
            return
