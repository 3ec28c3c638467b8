"""Joint angles as a table: one row per frame, degrees."""

from pathlib import Path

import numpy as np

from mv3d.files.writing import whole_file
from mv3d.motion.angles import JointAngles

_DECIMALS = 4


def write_angles_csv(path: str | Path, angles: JointAngles) -> None:
    """Write `time` (s) and a column for each angle (degrees); an angle that is missing is an empty cell.

    Raises:
        SessionError: the file cannot be written.
    """
    with whole_file(path) as part, part.open("w", encoding="utf-8", newline="\n") as file:
        file.write(",".join(["time", *angles.names]) + "\n")
        for time, row in zip(angles.timestamps, np.degrees(angles.values), strict=True):
            cells = ("" if np.isnan(value) else f"{value:.{_DECIMALS}f}" for value in row)
            file.write(",".join([f"{time:.6f}", *cells]) + "\n")
