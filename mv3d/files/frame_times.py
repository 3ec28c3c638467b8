"""When each frame of a video was taken: `<camera>.timestamps.csv` beside the video."""

import csv
import os
from itertools import islice
from pathlib import Path

import numpy as np
from jaxtyping import Float

from mv3d.errors import FormatError, SessionError
from mv3d.files.writing import why_not_written, write_text

# Two days at 240 frames a second; a longer file is not a list of frame times.
_MAX_ROWS = 50_000_000


def timestamps_path(source: Path) -> Path:
    """Where the frame times of a video or an image folder lie if something recorded them."""
    stem = source.name if source.is_dir() else source.stem
    return source.with_name(f"{stem}.timestamps.csv")


def recorded_timestamps(source: Path, frame_count: int) -> Float[np.ndarray, " frame"] | None:
    """Frame times recorded beside a video, on the clock that its recorder shared between cameras.

    Args:
        source: the video or image folder.
        frame_count: how many frames it holds.

    Returns:
        (frame,) s as written, not shifted to start at 0; None where there is no such file.

    Raises:
        FormatError: not two columns of numbers, another number of frames, or times that do not increase.
    """
    path = timestamps_path(source)
    if not path.is_file():
        return None
    times = _read_column(path)
    if len(times) != frame_count:
        raise FormatError(
            f"{path}: lists {len(times)} frames but {source.name} has {frame_count}; "
            "run `mv3d session repair` if it was recorded here, or remove the file to use the times in the video"
        )
    if not np.isfinite(times).all() or np.any(np.diff(times) <= 0):
        raise FormatError(f"{path}: the times do not increase from frame to frame")
    return times


def _read_column(path: Path) -> np.ndarray:
    try:
        with path.open(newline="", encoding="utf-8") as file:
            rows = [row for row in islice(csv.reader(file), _MAX_ROWS) if row]
        if rows and not _is_number(rows[0][0]):
            rows = rows[1:]
        return np.array([float(row[1]) for row in rows])
    except (OSError, UnicodeDecodeError, csv.Error, ValueError, IndexError) as error:
        raise FormatError(f"{path}: not a table of frame and seconds: {' '.join(str(error).split())}") from error


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


class FrameTimes:
    """Rows of a `<camera>.timestamps.csv` that grows with the recording, each written at once.

    Columns: frame, seconds (the frame's time on the clock that all cameras share), arrival (when it had come, on the
    same clock), device (what the camera's own clock said, empty if nothing).
    """

    HEADER = "frame,seconds,arrival,device\n"

    def __init__(self, path: Path) -> None:
        """Make the file; SessionError if it cannot be made."""
        self._path, self._count, self._size = path, 0, 0
        try:
            self._descriptor = os.open(path, os.O_CREAT | os.O_TRUNC | os.O_WRONLY, 0o644)
        except OSError as error:
            raise SessionError(f"{path}: cannot be written, {why_not_written(error)}") from error
        self._write(self.HEADER)

    def append(self, arrival: float, device: float | None) -> None:
        """Write the row of the next frame; SessionError if the disk does not take it."""
        self._write(_row(self._count, arrival, arrival, float("nan") if device is None else device))
        self._count += 1

    def close(self) -> None:
        """Close the file."""
        os.close(self._descriptor)

    def _write(self, row: str) -> None:
        data = row.encode()
        try:
            written = os.write(self._descriptor, data)
            if written < len(data):
                os.write(self._descriptor, data[written:])
        except OSError as error:
            os.ftruncate(self._descriptor, self._size)
            os.lseek(self._descriptor, self._size, os.SEEK_SET)
            raise SessionError(f"{self._path}: cannot be written, {why_not_written(error)}") from error
        self._size += len(data)


def read_frame_times(path: Path) -> tuple[Float[np.ndarray, "frame 3"], bool]:
    """Seconds, arrival and device time of each whole row of a file that a recording left, and whether all are whole.

    A file without the last two columns has its seconds as arrivals and NaN for the device. No file has no rows.
    """
    if not path.is_file():
        return np.empty((0, 3)), False
    text = path.read_text(encoding="utf-8", errors="replace")
    rows, whole = [], text.endswith("\n")
    for line in text.splitlines()[1:] if whole else text.splitlines()[1:-1]:
        cells = line.split(",")
        try:
            seconds = float(cells[1])
            arrival = float(cells[2]) if len(cells) > 2 and cells[2] else seconds
            rows.append((seconds, arrival, float(cells[3]) if len(cells) > 3 and cells[3] else np.nan))
        except (ValueError, IndexError):
            whole = False
            break
    return np.array(rows, float).reshape(-1, 3), whole


def write_frame_times(path: Path, times: Float[np.ndarray, "frame 3"]) -> None:
    """Write seconds, arrivals and device times as a whole file; SessionError if it cannot be written."""
    write_text(path, FrameTimes.HEADER + "".join(_row(i, *row) for i, row in enumerate(times)))


def _row(frame: int, seconds: float, arrival: float, device: float) -> str:
    return f"{frame},{seconds:.6f},{arrival:.6f},{'' if np.isnan(device) else f'{device:.6f}'}\n"
