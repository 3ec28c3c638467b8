"""When each frame of a video was taken: `<camera>.timestamps.csv` beside the video."""

import csv
from itertools import islice
from pathlib import Path

import numpy as np
from jaxtyping import Float

from mv3d.errors import FormatError

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
            "remove the file to use the times in the video"
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
