"""TRC, the marker file of OpenSim and of most biomechanics programs.

Layout: five header lines, then one tab-separated row per frame: number from 1, time in s, x y z of each joint. A
missing joint is three empty cells, and every row ends with a tab: OpenSim (4.6) refuses a row whose last cell is
empty without it.
"""

from pathlib import Path
from typing import Literal

import numpy as np
from jaxtyping import Float

from mv3d.data.poses import Poses3D
from mv3d.files.writing import write_text

Axes = Literal["world", "y_up"]
_UNITS_PER_METRE = {"m": 1.0, "mm": 1000.0}
_FIELDS = (
    *("DataRate", "CameraRate", "NumFrames", "NumMarkers", "Units"),
    *("OrigDataRate", "OrigDataStartFrame", "OrigNumFrames"),
)
# A tenth of a micrometre: below what anything here measures.
_DECIMALS = {"m": 7, "mm": 4}


def write_trc(
    poses: Poses3D, path: str | Path, *, units: Literal["m", "mm"] = "mm", axes: Axes = "world", person: int = 0
) -> None:
    """Write one person.

    Args:
        poses: the skeletons.
        path: the file to make.
        units: of length; stated in the file.
        axes: "world" keeps the rig's axes (z up once the rig is aligned to the floor); "y_up" turns z up into the
            y up of OpenSim. The file has no place to state it.
        person: index on the person axis.

    Raises:
        SessionError: the file cannot be written.
    """
    xyz = to_axes(poses.xyz[:, person], axes) * _UNITS_PER_METRE[units]
    rows = [
        _row(i, t, points, _DECIMALS[units]) for i, (t, points) in enumerate(zip(poses.timestamps, xyz, strict=True))
    ]
    write_text(path, "\n".join([*_header(poses, Path(path).name, units), *rows, ""]))


def to_axes(x_world: Float[np.ndarray, "*batch 3"], axes: Axes) -> Float[np.ndarray, "*batch 3"]:
    """Points of a z-up world in the axes asked: "y_up" is (x, z, -y), a turn by -90 degrees about x."""
    if axes == "world":
        return x_world
    return np.stack([x_world[..., 0], x_world[..., 2], -x_world[..., 1]], axis=-1)


def _header(poses: Poses3D, file_name: str, units: str) -> list[str]:
    joints = poses.skeleton.keypoints
    rate = f"{poses.fps:.6f}".rstrip("0").rstrip(".")
    values = [rate, rate, len(poses), len(joints), units, rate, 1, len(poses)]
    axes = [f"{axis}{i}" for i in range(1, len(joints) + 1) for axis in "XYZ"]
    return [
        "\t".join(["PathFileType", "4", "(X/Y/Z)", file_name]),
        "\t".join(_FIELDS),
        "\t".join(map(str, values)),
        "\t".join(["Frame#", "Time", *(cell for joint in joints for cell in (joint, "", ""))]),
        "\t".join(["", "", *axes]),
        "",
    ]


def _row(index: int, time: float, points: np.ndarray, decimals: int) -> str:
    cells = ["" if np.isnan(value) else f"{value:.{decimals}f}" for value in points.ravel()]
    return "\t".join([str(index + 1), f"{time:.6f}", *cells, ""])
