"""The terminal while a recording runs: lines that are drawn over, and the key that stops it."""

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from shutil import get_terminal_size
from types import TracebackType

from mv3d.capture.recorder import Recorder
from mv3d.capture.status import RecordingStatus, clock

_STOP_KEYS = frozenset("qQ\r\n\x1b ")
# Where nobody looks at a screen, a log wants fewer lines.
_REDRAW, _LOG_EVERY = 0.5, 10.0
_UP_AND_CLEAR = "\x1b[{}F\x1b[J"


class RecordingScreen:
    """Shows a recording on standard error and listens for the stop key.

    Attributes:
        below: gives further lines for below those of the cameras.
    """

    def __init__(self, quiet: bool) -> None:
        """Show nothing if quiet; on a terminal draw over, elsewhere write a line now and then."""
        self.below: Callable[[], list[str]] = list
        self._out = sys.stderr
        self._quiet, self._live = quiet, self._out.isatty()
        self._status, self._drawn, self._next = RecordingStatus(), 0, 0.0
        self._keys = _stop_keys()

    def __enter__(self) -> "RecordingScreen":
        self._pressed = self._keys.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._keys.__exit__(kind, error, trace)

    def say(self, text: str) -> None:
        """A line that stays."""
        if not self._quiet:
            self._out.write(text + "\n")
            self._out.flush()

    def look(self, recorder: Recorder) -> bool:
        """Show how it goes; whether the stop key was pressed."""
        if not self._quiet and time.monotonic() >= self._next:
            self._next = time.monotonic() + (_REDRAW if self._live else _LOG_EVERY)
            self._draw(recorder)
        return next(self._pressed)

    def finish(self, recorder: Recorder) -> None:
        """Show the last figures; they stay."""
        if not self._quiet:
            self._draw(recorder)

    def _draw(self, recorder: Recorder) -> None:
        width = get_terminal_size().columns - 1 if self._live else 200
        lines = [*self._status.lines(recorder, width), *(line[:width] for line in self.below())]
        if self._live:
            text = (_UP_AND_CLEAR.format(self._drawn) if self._drawn else "") + "\n".join(lines) + "\n"
            self._drawn = len(lines)
        else:
            text = "".join(f"{clock(recorder.elapsed)}  {' '.join(line.split())}\n" for line in lines[2:])
        self._out.write(text)
        self._out.flush()


@contextmanager
def _stop_keys() -> Iterator[Iterator[bool]]:
    """Give an endless series of answers whether a stop key was pressed since the last one."""
    if not sys.stdin or not sys.stdin.isatty():
        yield iter(lambda: False, None)
        return
    if sys.platform == "win32":
        yield _windows_keys()
        return
    import termios
    import tty

    before = termios.tcgetattr(sys.stdin)
    try:
        tty.setcbreak(sys.stdin)
        yield _terminal_keys()
    finally:
        with suppress(termios.error):
            termios.tcsetattr(sys.stdin, termios.TCSADRAIN, before)


def _terminal_keys() -> Iterator[bool]:
    import os
    import select

    while True:
        ready = select.select([sys.stdin], [], [], 0)[0]
        pressed = os.read(sys.stdin.fileno(), 100).decode(errors="replace") if ready else ""
        yield bool(_STOP_KEYS & set(pressed))


def _windows_keys() -> Iterator[bool]:
    import msvcrt

    while True:
        yield bool(msvcrt.kbhit() and msvcrt.getwch() in _STOP_KEYS)  # type: ignore[attr-defined]
