"""Exports read back from their files and compared with what they were to hold (`mv3d export --check`)."""

from collections.abc import Callable

import numpy as np

from mv3d.errors import FormatError
from mv3d.export.check_motion import MOTION_FORMATS, check_motions
from mv3d.export.formats import Job
from mv3d.export.person_views import points_in_file
from mv3d.export.readback import PointsRead
from mv3d.export.readback_c3d import read_c3d
from mv3d.export.readback_json import read_json, read_npz, read_openpose
from mv3d.export.readback_tables import read_tidy_csv, read_trc, read_wide_csv
from mv3d.export.text_rows import blocks

_READERS: dict[str, Callable[[Job], PointsRead]] = {
    "trc": read_trc,
    "c3d": read_c3d,
    "csv": read_wide_csv,
    "csv_tidy": read_tidy_csv,
    "json": read_json,
    "npz": read_npz,
    "openpose": read_openpose,
}
# m; what a file may lose by its digits. Half of it is below what any reader shows.
_LARGEST_DIFFERENCE = 1e-4
# s; half of the last digit that any format prints.
_LARGEST_DELAY = 1e-6


def check_export(format: str, job: Job) -> str:
    """Read an export back and compare every point, gap and time; returns one line with the largest difference.

    Raises:
        FormatError: the file cannot be read, or says something else than it should.
    """
    try:
        if format in MOTION_FORMATS:
            return check_motions(format, job)
        if format not in _READERS:
            return f"{job.path}: written, not checked; mv3d has no reader of {format}"
        return _check_points(job, _READERS[format](job))
    except (ValueError, KeyError, IndexError, OSError) as error:
        problem = " ".join(str(error).split())[:200]
        raise FormatError(
            f"{job.path}: cannot be read back ({type(error).__name__}: {problem}); export it again"
        ) from error


def _check_points(job: Job, read: PointsRead) -> str:
    difference = _largest_difference(job, read)
    if difference > _LARGEST_DIFFERENCE:
        raise FormatError(f"{job.path}: differs by up to {difference * 1000:.3g} mm from the skeleton; export it again")
    frames, people, joints = read.points.shape[:3]
    gaps = int(np.isnan(read.points[..., 0]).sum())
    return (
        f"{job.path}: read back, {frames} frames x {people * joints} points, {gaps} gaps as they should be, "
        f"largest difference {difference * 1000:.2g} mm"
    )


def _largest_difference(job: Job, read: PointsRead) -> float:
    """m, over all points; FormatError where the names, the times or the gaps are not those of the skeleton."""
    poses, people = job.poses, read.people
    shape = (len(poses), len(people), len(poses.skeleton), 3)
    if read.points.shape != shape:
        raise FormatError(f"{job.path}: holds points of shape {read.points.shape}, wanted {shape}; export it again")
    if read.times is not None:
        delay = np.abs(read.times - poses.timestamps)
        if read.constant_rate:
            delay = np.abs((read.times - read.times[0]) - (poses.timestamps - poses.timestamps[0]))
        allowed = 0.2 * float(np.median(np.diff(poses.timestamps))) if read.constant_rate and len(poses) > 1 else 0
        if np.any(delay > max(allowed, _LARGEST_DELAY)):
            raise FormatError(f"{job.path}: its times are off by up to {delay.max():.3g} s; export it again")
    largest = 0.0
    for block in blocks(len(poses)):
        for index, person in enumerate(people):
            wanted = points_in_file(poses, block, person, job.placement)
            found = read.points[block, index]
            if not np.array_equal(np.isnan(wanted), np.isnan(found)):
                raise FormatError(f"{job.path}: its gaps are not those of the skeleton; export it again")
            largest = max(largest, float(np.nanmax(np.abs(found - wanted), initial=0.0)))
    return largest / job.placement.scale
