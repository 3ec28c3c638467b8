"""Strict readers of the text tables that mv3d writes: they take nothing on trust that the file itself says."""

import csv

import numpy as np

from mv3d.errors import FormatError
from mv3d.export.formats import Job
from mv3d.export.labels import plain_name
from mv3d.export.readback import PointsRead

_TRC_HEADER_LINES = 6


def read_trc(job: Job) -> PointsRead:
    """Points of a TRC file, whose header must name the joints, the unit and the number of rows."""
    with job.path.open(encoding="utf-8", newline="\n") as file:
        head = [file.readline().rstrip("\n").split("\t") for _ in range(_TRC_HEADER_LINES)]
        fields = dict(zip(head[1], head[2], strict=True))
        names = [cell for cell in head[3][2:] if cell]
        joints = [plain_name(joint) for joint in job.poses.skeleton.keypoints]
        _expect(job, "joints", names, joints)
        _expect(job, "unit", fields["Units"], job.placement.units)
        _expect(job, "number of frames", fields["NumFrames"], str(len(job.poses)))
        table = _numbers(job, (line.rstrip("\n").split("\t")[:-1] for line in file), 2 + 3 * len(joints))
    _expect(job, "frame numbers", table[:, 0].tolist(), list(range(1, len(table) + 1)))
    return PointsRead(table[:, 2:].reshape(len(table), 1, len(joints), 3), (job.person,), table[:, 1])


def read_wide_csv(job: Job) -> PointsRead:
    """Points of a CSV file with a row per frame, found by the names of their columns."""
    with job.path.open(encoding="utf-8", newline="") as file:
        rows = csv.reader(file)
        header = next(rows)
        joints = job.poses.skeleton.keypoints
        wanted = ["time", *(f"{joint}_{axis}" for joint in joints for axis in "xyz")]
        _expect(job, "missing columns", [name for name in wanted if name not in header], [])
        at = [header.index(name) for name in wanted]
        table = _numbers(job, ([row[i] for i in at] for row in rows), len(wanted))
    return PointsRead(table[:, 1:].reshape(len(table), 1, len(joints), 3), (job.person,), table[:, 0])


def read_tidy_csv(job: Job) -> PointsRead:
    """Points of a CSV file with a row per frame, person and joint, put in place by what each row says of itself."""
    poses, joints = job.poses, job.poses.skeleton.keypoints
    index = {joint: j for j, joint in enumerate(joints)}
    people = {str(identity): p for p, identity in enumerate(poses.person_id)}
    points = np.full(poses.xyz.shape, np.inf)
    times = np.full(len(poses), np.nan)
    with job.path.open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            frame = int(row["frame"])
            times[frame] = float(row["time"])
            place = frame, people[row["person"]], index[row["joint"]]
            points[place] = [float(row[axis]) if row[axis] else np.nan for axis in "xyz"]
    _expect(job, "points without a row", int(np.isinf(points).sum()), 0)
    return PointsRead(points, tuple(range(len(poses.person_id))), times)


def _numbers(job: Job, rows, columns: int) -> np.ndarray:
    """A table of floats; an empty cell is NaN."""
    out = np.empty((len(job.poses), columns))
    count = 0
    for count, row in enumerate(rows, start=1):
        if count > len(out) or len(row) != columns:
            raise FormatError(f"{job.path}: row {count} has {len(row)} cells or is one too many; export it again")
        out[count - 1] = [float(cell) if cell else np.nan for cell in row]
    _expect(job, "number of rows", count, len(out))
    return out


def _expect(job: Job, what: str, found: object, wanted: object) -> None:
    if found != wanted:
        raise FormatError(f"{job.path}: {what} read back as {str(found)[:80]}, not {str(wanted)[:80]}; export it again")
