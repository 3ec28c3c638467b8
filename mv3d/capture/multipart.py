"""HTTP cameras that push JPEG pictures (multipart/x-mixed-replace): every picture as it was sent, not decoded.

FFmpeg reads such streams too, but looks at the first seconds before it hands anything out and stops at the first
oddity. Here a picture has its arrival to the millisecond, and what is not one is told and passed over.
"""

import re
import time
import urllib.error
import urllib.request
from http.client import HTTPException, HTTPResponse

from mv3d.capture.addresses import credentials, without_password
from mv3d.capture.frames import CapturedFrame, DamagedFrame, SourceInfo, SourceSettings, jpeg_frame
from mv3d.capture.jpeg import jpeg_size
from mv3d.capture.running_camera import RunningCamera
from mv3d.errors import CaptureError

_CHUNK = 1 << 16
# No camera's picture is larger; a stream that shows no end of one by then is none.
_LARGEST_PICTURE = 64_000_000
_HEADERS_END = b"\r\n\r\n"


class NotMultipart(Exception):
    """The address answers, but not with pictures pushed one by one."""


class MultipartSource(RunningCamera):
    """Pictures pushed over HTTP."""

    def __init__(self, url: str, settings: SourceSettings) -> None:
        """Connect and wait for the first picture.

        Raises:
            CaptureError: unreachable, refused, or nothing comes within the timeout.
            NotMultipart: it is another kind of stream.
        """
        self._shown, self._timeout = without_password(url), settings.timeout
        self._response = self._connect(url)
        kind = self._response.headers.get("Content-Type", "")
        if "multipart/" not in kind.lower():
            self._response.close()
            raise NotMultipart(kind)
        found = re.search(r'boundary="?([^";]+)"?', kind, re.IGNORECASE)
        # Some cameras put the dashes into the name of the boundary already, others leave the name out.
        self._marker = b"--" + found.group(1).strip().lstrip("-").encode() if found else b"\r\n--"
        self._buffer = bytearray(b"" if found else b"\r\n")
        self._deadline = time.monotonic() + settings.timeout
        self._first = self._first_frame()
        self._info = SourceInfo("mjpeg", self._first.size)  # the stream states no rate

    def close(self) -> None:
        """End the connection."""
        self._response.close()

    def _connect(self, url: str) -> HTTPResponse:
        bare, user, password = credentials(url)
        handlers: list[urllib.request.BaseHandler] = [urllib.request.ProxyHandler({})]  # cameras are near
        if user:
            passwords = urllib.request.HTTPPasswordMgrWithPriorAuth()
            passwords.add_password(None, bare, user, password)
            handlers += [
                urllib.request.HTTPBasicAuthHandler(passwords),
                urllib.request.HTTPDigestAuthHandler(passwords),
            ]
        try:
            return urllib.request.build_opener(*handlers).open(bare, timeout=self._timeout)
        except urllib.error.HTTPError as error:
            advice = "check user and password" if error.code in (401, 403) else "check the path"
            raise CaptureError(f"{self._shown}: refused ({error.code} {error.reason}); {advice}") from None
        except (OSError, HTTPException, ValueError) as error:
            reason = _reason(getattr(error, "reason", error))
            raise CaptureError(f"{self._shown}: cannot be reached ({reason}); check address and network") from None

    def _first_frame(self) -> CapturedFrame:
        try:
            while True:
                part = self._next_part()
                if isinstance(part, CapturedFrame):
                    return part
        except (OSError, HTTPException, ValueError):
            pass
        self._response.close()
        raise CaptureError(f"{self._shown}: answers, but sends no picture within {self._timeout:g} s; check the camera")

    def _next(self) -> CapturedFrame | DamagedFrame:
        self._deadline = time.monotonic() + self._timeout
        try:
            return self._next_part()
        except TimeoutError as error:
            raise CaptureError(f"{self._shown}: no picture for {self._timeout:g} s") from error
        except (OSError, HTTPException, ValueError) as error:
            raise CaptureError(f"{self._shown}: the connection broke ({_reason(error)})") from error

    def _next_part(self) -> CapturedFrame | DamagedFrame:
        skipped = self._skip_to_marker()
        if skipped.strip():
            return DamagedFrame(time.monotonic(), f"{len(skipped)} bytes that belong to no picture")
        headers = self._take_headers()
        length = re.search(rb"^content-length:\s*(\d+)", headers, re.IGNORECASE | re.MULTILINE)
        stamp = re.search(rb"^x-timestamp:\s*(\d+\.?\d*)", headers, re.IGNORECASE | re.MULTILINE)
        data = self._take_stated(int(length.group(1))) if length else self._take_to_end()
        return jpeg_frame(time.monotonic(), data, float(stamp.group(1)) if stamp else None)

    def _skip_to_marker(self) -> bytes:
        """Drop everything up to the next boundary, which stays; return what was dropped."""
        while (at := self._buffer.find(self._marker)) < 0:
            keep = len(self._marker) - 1
            if len(self._buffer) > _CHUNK + keep:
                return self._take(len(self._buffer) - keep)
            self._receive()
        return self._take(at)

    def _take_headers(self) -> bytes:
        while (at := self._buffer.find(_HEADERS_END)) < 0:
            if len(self._buffer) > _CHUNK:
                return self._take(len(self._marker))
            self._receive()
        return self._take(at + len(_HEADERS_END))

    def _take_stated(self, length: int) -> bytes:
        """A picture of stated length; up to the next boundary where the length is not true."""
        while len(self._buffer) < min(length, _LARGEST_PICTURE):
            if self._marker in self._buffer and not jpeg_size(self._buffer[:length]):
                return self._take_to_end()
            self._receive()
        if jpeg_size(memoryview(self._buffer)[:length].tobytes()):
            return self._take(length)
        return self._take_to_end()

    def _take_to_end(self) -> bytes:
        """A picture whose end is where JPEG says so, or the next boundary."""
        while (at := self._buffer.find(self._marker)) < 0:
            if jpeg_size(self._buffer):
                return self._take(len(self._buffer))
            if len(self._buffer) > _LARGEST_PICTURE:
                return self._take(len(self._buffer))
            self._receive()
        return self._take(at)

    def _receive(self) -> None:
        if time.monotonic() > self._deadline:
            raise TimeoutError
        data = self._response.read1(_CHUNK)
        if not data:
            raise ConnectionError("the camera ended it")
        self._buffer += data

    def _take(self, length: int) -> bytes:
        taken = bytes(self._buffer[:length])
        del self._buffer[:length]
        return taken


def _reason(error: object) -> str:
    if isinstance(error, TimeoutError):
        return "no answer in time"
    return getattr(error, "strerror", None) or str(error) or type(error).__name__
