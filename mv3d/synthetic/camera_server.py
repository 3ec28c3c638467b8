"""A simulated network camera: numbered JPEG pictures over HTTP, on schedule, with faults on request."""

import socket
import threading
import time
from base64 import b64encode
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Literal

Fault = Literal["stall", "close", "garbage", "truncated", "resize", "wrong-length", "repeat", "skip", "no-length"]

_BOUNDARY = "mv3dframe"
_STALL_SECONDS = 1.0


@dataclass(frozen=True, slots=True, eq=False)
class SimulatedCamera:
    """What a simulated camera sends.

    Attributes:
        picture: JPEG of a frame number.
        fps: frames per second.
        frames: how many there are; the camera ends the stream after the last one. None without end.
        faults: what goes wrong at a frame number.
        other_picture: JPEG of another size, from a "resize" on.
        login: "user:password" that is asked for; empty for none.
        timestamps: whether each picture comes with its time (X-Timestamp).
        held: so many pictures wait for a taker that is slow; then the camera goes on with the newest.
    """

    picture: Callable[[int], bytes]
    fps: float
    frames: int | None = None
    faults: Mapping[int, Fault] = field(default_factory=dict)
    other_picture: Callable[[int], bytes] | None = None
    login: str = ""
    timestamps: bool = False
    held: int = 8


class CameraServer:
    """Serves one simulated camera on a free port of this machine; every client gets the frames of the same clock.

    Frame n is due at `epoch + n / fps` on `time.monotonic()`, and sent to the clients that are there then. A client
    that does not take its frames loses some, as with a camera; `skipped` counts them.
    """

    def __init__(self, camera: SimulatedCamera, epoch: float | None = None) -> None:
        self.camera = camera
        self.epoch = time.monotonic() if epoch is None else epoch
        self.sent, self.skipped = 0, 0
        self._closed = threading.Event()
        self._done: set[int] = set()
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._socket.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    @property
    def url(self) -> str:
        """Where it is."""
        return f"http://127.0.0.1:{self.port}/stream.mjpg"

    def __enter__(self) -> "CameraServer":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """End all streams."""
        self._closed.set()
        self._socket.close()

    def due(self, number: int) -> float:
        """When a frame is sent, `time.monotonic()`."""
        return self.epoch + number / self.camera.fps

    def _accept(self) -> None:
        while not self._closed.is_set():
            try:
                client, _ = self._socket.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client: socket.socket) -> None:
        with client:
            try:
                client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                request = client.recv(65536).decode("latin-1")
                if self.camera.login and b64encode(self.camera.login.encode()).decode() not in request:
                    client.sendall(b'HTTP/1.0 401 No\r\nWWW-Authenticate: Basic realm="camera"\r\n\r\n')
                    return
                client.sendall(
                    b"HTTP/1.0 200 OK\r\nContent-Type: multipart/x-mixed-replace;boundary="
                    + _BOUNDARY.encode()
                    + b"\r\n\r\n"
                )
                self._send_frames(client)
            except OSError:
                return

    def _send_frames(self, client: socket.socket) -> None:
        camera = self.camera
        number = max(0, int((time.monotonic() - self.epoch) * camera.fps) + 1)
        while not self._closed.is_set() and (camera.frames is None or number < camera.frames):
            time.sleep(max(0.0, self.due(number) - time.monotonic()))
            late = int((time.monotonic() - self.due(number)) * camera.fps)
            if late > camera.held:
                self.skipped += late
                number += late
            # A fault happens once, not again to the client that comes back.
            fault = camera.faults.get(number) if number not in self._done else None
            self._done.add(number) if fault else None
            if fault == "close":
                return
            if fault == "stall":
                time.sleep(_STALL_SECONDS)
                number = int((time.monotonic() - self.epoch) * camera.fps) + 1
                continue
            if fault != "skip":
                client.sendall(self._part(number, fault))
                self.sent += fault not in ("garbage", "truncated")
            number += 1

    def _part(self, number: int, fault: Fault | None) -> bytes:
        camera = self.camera
        resized = any(at <= number for at, kind in camera.faults.items() if kind == "resize")
        source = camera.other_picture if resized and camera.other_picture else camera.picture
        data = source(number - 1 if fault == "repeat" else number)
        if fault == "garbage":
            return bytes((number * 7 + k * 31) % 256 for k in range(len(data)))
        if fault == "truncated":
            data = data[: len(data) // 2]
        head = f"--{_BOUNDARY}\r\nContent-Type: image/jpeg\r\n"
        if fault != "no-length":
            head += f"Content-Length: {len(data) * 2 if fault == 'wrong-length' else len(data)}\r\n"
        if camera.timestamps:
            head += f"X-Timestamp: {self.due(number) - self.epoch + 1000:.6f}\r\n"
        return head.encode() + b"\r\n" + data + b"\r\n"
