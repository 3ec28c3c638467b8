"""TRC, the marker file of OpenSim and of most biomechanics programs.

Layout: five header lines, then one tab-separated row per frame: number from 1, time in s, x y z of each joint. A
missing joint is three empty cells, and every row ends with a tab: OpenSim (4.6) refuses a row whose last cell is
empty without it.
"""

from pathlib import Path

import numpy as np

from mv3d.data.poses import Poses3D
from mv3d.export.labels import plain_name
from mv3d.export.options import Placement, place
from mv3d.export.person_views import points_in_file
from mv3d.export.text_rows import Number, RowFormat, write_rows
from mv3d.export.timing import nominal_rate

_FIELDS = (
    *("DataRate", "CameraRate", "NumFrames", "NumMarkers", "Units"),
    *("OrigDataRate", "OrigDataStartFrame", "OrigNumFrames"),
)
# A tenth of a micrometre: below what anything here measures.
_DECIMALS = {"m": 7, "cm": 5, "mm": 4}


def write_trc(poses: Poses3D, path: str | Path, placement: Placement | None = None, person: int = 0) -> None:
    """Write one person.

    Args:
        poses: the skeletons.
        path: the file to make.
        placement: axes and unit; by default the world in mm. The file states the unit and has no place for the axes.
        person: index on the person axis.

    Raises:
        FormatError: a coordinate that cannot be a length.
        SessionError: the file cannot be written.
    """
    placement = placement or place(units="mm")
    joints = len(poses.skeleton)
    row = RowFormat([Number(0), "\t", Number(6), *["\t", Number(_DECIMALS[placement.units])] * (3 * joints), "\t\n"])

    def values(block: slice) -> np.ndarray:
        points = points_in_file(poses, block, person, placement).reshape(-1, 3 * joints)
        numbers = np.arange(block.start, block.stop) + 1.0
        return np.column_stack([numbers, poses.timestamps[block], points])

    write_rows(path, _header(poses, Path(path).name, placement.units), row, values, len(poses))


def _header(poses: Poses3D, file_name: str, units: str) -> str:
    joints = [plain_name(joint) for joint in poses.skeleton.keypoints]
    rate = f"{nominal_rate(poses.timestamps):.6f}".rstrip("0").rstrip(".")
    values = [rate, rate, len(poses), len(joints), units, rate, 1, len(poses)]
    axes = [f"{axis}{i}" for i in range(1, len(joints) + 1) for axis in "XYZ"]
    lines = [
        "\t".join(["PathFileType", "4", "(X/Y/Z)", plain_name(file_name)]),
        "\t".join(_FIELDS),
        "\t".join(map(str, values)),
        "\t".join(["Frame#", "Time", *(cell for joint in joints for cell in (joint, "", ""))]),
        "\t".join(["", "", *axes]),
        "",
    ]
    return "\n".join([*lines, ""])
