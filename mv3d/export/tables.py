"""Tables of the 3D joints for spreadsheets and statistics: CSV with one row per frame, or one per frame and joint."""

import csv
import io
from pathlib import Path

import numpy as np

from mv3d.data.poses import Poses3D
from mv3d.export.options import Placement, place
from mv3d.export.person_views import points_in_file
from mv3d.export.text_rows import Number, RowFormat, Word, write_rows

# Micrometres.
DECIMALS = {"m": 6, "cm": 4, "mm": 3}
STATES = ("missing", "measured", "filled")


def write_wide_csv(poses: Poses3D, path: str | Path, placement: Placement | None = None, person: int = 0) -> None:
    """One row per frame: time, then for each joint <joint>_x, _y, _z, _score and _state.

    A missing joint has empty coordinates, score 0 and the state "missing"; the others are "measured" or "filled".

    Args:
        poses: the skeletons.
        path: the file to make.
        placement: axes and unit; by default the world in m. The file has no place to state them.
        person: index on the person axis.

    Raises:
        FormatError: a coordinate that cannot be a length.
        SessionError: the file cannot be written.
    """
    placement, joints = placement or place(), poses.skeleton.keypoints
    header = ["time", *(f"{joint}_{column}" for joint in joints for column in ("x", "y", "z", "score", "state"))]
    coordinate = [",", Number(DECIMALS[placement.units])]
    row = RowFormat([Number(6), *[*coordinate * 3, ",", Number(4), ",", Word(STATES)] * len(joints), "\n"])

    def values(block: slice) -> np.ndarray:
        points = points_in_file(poses, block, person, placement)
        score, state = poses.score[block, person, :, None], poses.state[block, person, :, None]
        cells = np.concatenate([points, score, state], axis=-1).reshape(len(points), -1)
        return np.column_stack([poses.timestamps[block], cells])

    write_rows(path, _csv_row(header), row, values, len(poses))


def write_tidy_csv(poses: Poses3D, path: str | Path, placement: Placement | None = None) -> None:
    """One row per frame, person and joint, the missing ones included, with the figures of quality.

    Args:
        poses: the skeletons.
        path: the file to make.
        placement: axes and unit; by default the world in m. The file has no place to state them.

    Raises:
        FormatError: a coordinate that cannot be a length.
        SessionError: the file cannot be written.
    """
    placement = placement or place()
    people, joints = poses.xyz.shape[1:3]
    header = ["frame", "time", "person", "joint", "x", "y", "z", "score", "state", "n_views", "reprojection_error_px"]
    names = Word(tuple(_csv_row([joint]).rstrip("\n") for joint in poses.skeleton.keypoints))
    coordinate = [",", Number(DECIMALS[placement.units])]
    place_cells = [Number(0), ",", Number(6), ",", Number(0), ",", names]
    row = RowFormat(
        [*place_cells, *coordinate * 3, ",", Number(4), ",", Word(STATES), ",", Number(0), ",", Number(2), "\n"]
    )

    def values(block: slice) -> np.ndarray:
        frames = np.arange(block.start, block.stop)
        table = np.empty((len(frames), people, joints, 11))
        table[..., 0] = frames[:, None, None]
        table[..., 1] = poses.timestamps[block, None, None]
        table[..., 2] = poses.person_id[:, None]
        table[..., 3] = np.arange(joints)
        for p in range(people):
            table[:, p, :, 4:7] = points_in_file(poses, block, p, placement)
        table[..., 7], table[..., 8] = poses.score[block], poses.state[block]
        table[..., 9], table[..., 10] = poses.n_views[block], poses.reprojection_error[block]
        return table.reshape(-1, 11)

    write_rows(path, _csv_row(header), row, values, len(poses))


def _csv_row(cells: list[str]) -> str:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerow(cells)
    return text.getvalue()
