"""A recording as lines of text, to be looked at while it runs."""

import shutil
import time

from mv3d.capture.camera_recorder import CameraRecorder
from mv3d.capture.recorder import Recorder

_COLUMNS = (
    f"{'camera':<12}{'state':<13}{'frames':>7}{'fps':>6}{'MB/s':>6}{'lost':>6}{'repeats':>8}{'damaged':>8}{'queue':>6}"
)
# Rates are those of about the last two seconds.
_RATE_OVER = 2.0
# A queue that is half full is on its way to drop frames; a camera is silent after so long, s.
_BEHIND, _SILENT = 0.5, 1.0


class RecordingStatus:
    """Remembers the counts of a moment ago, to tell rates."""

    def __init__(self) -> None:
        self._before: list[tuple[float, dict[str, tuple[int, int]]]] = []

    def lines(self, recorder: Recorder, width: int = 79) -> list[str]:
        """A heading and one or two lines for each camera, none longer than `width`."""
        now = time.monotonic()
        counts = {c.address.name: (c.counts.received, c.counts.bytes) for c in recorder.cameras}
        self._before = [b for b in self._before if now - b[0] <= _RATE_OVER] + [(now, counts)]
        since, before = self._before[0]
        seconds = max(now - since, 1e-3) if now > since else float("inf")
        rows, rate = [], 0.0
        for camera in recorder.cameras:
            received, written = (
                a - b for a, b in zip(counts[camera.address.name], before[camera.address.name], strict=True)
            )
            rate += written / seconds
            rows.extend(_rows(camera, received / seconds, written / seconds))
        heading = f"REC {clock(recorder.elapsed)}   {_room(recorder, rate)}   q stops"
        return [line[:width] for line in (heading, _COLUMNS, *rows)]


def _rows(camera: CameraRecorder, fps: float, rate: float) -> list[str]:
    """The figures of a camera, and below them what went wrong last."""
    counts, state = camera.counts, camera.state
    if state == "recording" and camera.silence > _SILENT:
        state = f"silent {camera.silence:.0f} s"
    elif state == "recording" and camera.queue_fill > _BEHIND:
        state = "behind"
    row = f"{camera.address.name[:11]:<12}{state:<13}{counts.written:>7}{fps:>6.1f}{rate / 1e6:>6.1f}"
    row += f"{counts.dropped + counts.missing:>6}{counts.repeated:>8}{counts.damaged:>8}"
    row += f"{min(camera.queue_fill, 1.0):>6.0%}"
    return [row, f"  ! {camera.trouble}"] if camera.trouble else [row]


def _room(recorder: Recorder, rate: float) -> str:
    """How much the disk still takes."""
    try:
        free = shutil.disk_usage(recorder.session.root).free
    except OSError:
        return "disk unknown"
    left = f", {_spoken(free / rate)} at this rate" if rate > 0 else ""
    return f"disk {free / 1e9:.1f} GB free{left}"


def _spoken(seconds: float) -> str:
    if seconds < 120:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 7200 else f"{seconds / 3600:.0f} h"


def clock(seconds: float) -> str:
    """Minutes and seconds."""
    return f"{int(seconds // 60):02d}:{seconds % 60:04.1f}"
