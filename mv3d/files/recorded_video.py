"""A recorded video and its frame times, made whole: at the end of a recording, and after one that was cut off."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from mv3d.files.arrival_clock import on_common_clock
from mv3d.files.frame_times import read_frame_times, timestamps_path, write_frame_times
from mv3d.files.matroska_index import finish_matroska, scan_matroska


@dataclass(frozen=True, slots=True, eq=False)
class Finished:
    """What finishing did.

    Attributes:
        path: the video.
        times: (frame,) s on the clock that the cameras shared.
        from_device: whether they are the camera's own, not arrivals.
        torn_bytes: bytes of a frame that was not whole, cut off.
        rows_added: rows of the frame times that were missing.
        rows_removed: rows without a frame.
        was_finished: whether there was nothing to do.
    """

    path: Path
    times: np.ndarray
    from_device: bool
    torn_bytes: int
    rows_added: int
    rows_removed: int
    was_finished: bool


def finish_recorded_video(path: Path) -> Finished:
    """Give a recorded video its index, and its frame times a row for every frame.

    Doing it again changes nothing.

    Raises:
        FormatError: not a video that mv3d recorded.
        SessionError: the disk is full or read-only; nothing that was there is lost.
    """
    table = timestamps_path(path)
    found = scan_matroska(path)
    rows, rows_whole = read_frame_times(table)
    count, kept = len(found.times_us), min(len(found.times_us), len(rows))
    arrivals = found.times_us[kept:] / 1e6
    added = np.column_stack([arrivals, arrivals, np.full(len(arrivals), np.nan)])
    full = np.concatenate([rows[:kept], added])
    own = on_common_clock(_continued(full[:, 2], full[:, 1], kept), full[:, 1])
    wanted = full.copy()
    wanted[:, 0] = full[:, 1] if own is None else own
    was_finished = found.finished and rows_whole and len(rows) == count
    # First what cannot be made again from the video, then the index.
    if not was_finished or not np.allclose(wanted[:, 0], rows[:, 0], rtol=0, atol=1e-5):
        write_frame_times(table, wanted)
    if not found.finished:
        finish_matroska(path)
    return Finished(path, wanted[:, 0], own is not None, found.torn_bytes, count - kept, len(rows) - kept, was_finished)


def _continued(device: np.ndarray, arrivals: np.ndarray, kept: int) -> np.ndarray:
    """The camera's times, going on as the arrivals do over rows at the end that were never written."""
    if not kept or kept == len(device):
        return device
    return np.concatenate([device[:kept], device[kept - 1] + arrivals[kept:] - arrivals[kept - 1]])
