"""Tables of the 3D joints for spreadsheets and statistics (CSV), and the same as one JSON file. Metres and seconds."""

import csv
import io
import json
from pathlib import Path

import numpy as np

from mv3d.data.poses import Poses3D
from mv3d.files.writing import write_text

FORMAT_VERSION = 1
# Micrometres.
_DECIMALS = 6
_STATES = ("missing", "measured", "filled")


def write_wide_csv(poses: Poses3D, path: str | Path, person: int = 0) -> None:
    """One row per frame: time, then for each joint <joint>_x, _y, _z (m, world), _score and _state.

    A missing joint has empty coordinates, score 0 and the state "missing"; the others are "measured" or "filled".

    Raises:
        SessionError: the file cannot be written.
    """
    joints = poses.skeleton.keypoints
    header = ["time", *(f"{joint}_{column}" for joint in joints for column in ("x", "y", "z", "score", "state"))]
    rows = []
    for i, time in enumerate(poses.timestamps):
        cells = (_joint_cells(poses, i, person, j) for j in range(len(joints)))
        rows.append([f"{time:.6f}", *(cell for group in cells for cell in group)])
    write_text(path, _csv([header, *rows]))


def write_tidy_csv(poses: Poses3D, path: str | Path) -> None:
    """One row per frame, person and joint, the missing ones included, with the figures of quality.

    Raises:
        SessionError: the file cannot be written.
    """
    header = ["frame", "time", "person", "joint", "x", "y", "z", "score", "state", "n_views", "reprojection_error_px"]
    rows = []
    for i, p, j in np.ndindex(*poses.xyz.shape[:3]):
        error = poses.reprojection_error[i, p, j]
        quality = [int(poses.n_views[i, p, j]), "" if np.isnan(error) else f"{error:.2f}"]
        place = [i, f"{poses.timestamps[i]:.6f}", int(poses.person_id[p]), poses.skeleton.keypoints[j]]
        rows.append([*place, *_joint_cells(poses, i, p, j), *quality])
    write_text(path, _csv([header, *rows]))


def write_json(poses: Poses3D, path: str | Path) -> None:
    """One JSON file: xyz[frame][joint] in m, null where missing, with score and state, for each person.

    Raises:
        SessionError: the file cannot be written.
    """
    people = [
        {
            "person_id": int(poses.person_id[p]),
            "xyz": [[_point(x) for x in frame] for frame in poses.xyz[:, p]],
            "score": np.round(poses.score[:, p].astype(float), 4).tolist(),
            "state": poses.state[:, p].tolist(),
        }
        for p in range(poses.xyz.shape[1])
    ]
    document = {
        "format_version": FORMAT_VERSION,
        "units": {"xyz": "m", "timestamps": "s"},
        "state_values": dict(enumerate(_STATES)),
        "skeleton": poses.skeleton.name,
        "keypoints": poses.skeleton.keypoints,
        "limbs": poses.skeleton.limbs,
        "cameras": poses.cameras,
        "timestamps": poses.timestamps.tolist(),
        "people": people,
    }
    write_text(path, json.dumps(document, separators=(",", ":"), allow_nan=False))


def _joint_cells(poses: Poses3D, frame: int, person: int, joint: int) -> list[str]:
    at = frame, person, joint
    xyz = ["" if np.isnan(value) else f"{value:.{_DECIMALS}f}" for value in poses.xyz[at]]
    return [*xyz, f"{poses.score[at]:.4f}", _STATES[int(poses.state[at])]]


def _point(x_world: np.ndarray) -> list[float] | None:
    return np.round(x_world, _DECIMALS).tolist() if np.isfinite(x_world).all() else None


def _csv(rows: list[list]) -> str:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(rows)
    return text.getvalue()
