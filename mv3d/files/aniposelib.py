"""Rigs of aniposelib and of what writes like it (Anipose, Pose2Sim, FreeMoCap, caliscope): TOML.

One table per camera: name, size [width, height], matrix (3, 3), distortions, rotation (rotation vector, camera from
world), translation, and `fisheye = true` for a Kannala-Brandt lens. Tables `metadata` and `capture_volume` are no
cameras. caliscope's camera_array.toml has its cameras in a table `cameras` by number: [cameras.3] is cam_3.
FreeMoCap writes millimetres, the others metres.
"""

import json
import re
import tomllib
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from mv3d.data.camera import Camera
from mv3d.data.lens import Fisheye, Lens, Pinhole
from mv3d.data.rig import Rig
from mv3d.errors import CalibrationError, FormatError
from mv3d.files.rig_entries import image_size, make_camera, numbers, read_limited
from mv3d.files.writing import write_text
from mv3d.geometry.rotations import rotation_from_vector, vector_from_rotation

UNITS = "m"
FREEMOCAP_UNITS = "mm"
_NO_CAMERAS = ("metadata", "capture_volume")
_OF_FREEMOCAP = {"charuco_square_size", "charuco_board_object", "path_to_recorded_videos_folder"}
_KEYS = ("size", "matrix", "distortions", "rotation", "translation")


def read_aniposelib(path: Path, metres_per_unit: float) -> Rig:
    """Read a TOML rig; the cameras keep the order of the file.

    Args:
        path: the file.
        metres_per_unit: length of the file's unit, which the file does not say.

    Raises:
        CalibrationError: not such a file, or a camera of it cannot be used; names the camera.
    """
    document = _document(path)
    entries = {key: e for key, e in document.items() if isinstance(e, dict) and key not in _NO_CAMERAS}
    if isinstance(by_number := entries.get("cameras"), dict) and "matrix" not in by_number:
        entries = {f"cam_{key}": entry for key, entry in by_number.items() if isinstance(entry, dict)}
    if not entries:
        raise CalibrationError(f"{path}: no camera in it; expected tables [cam_0], [cam_1], ... as aniposelib writes")
    cameras = []
    for key, entry in entries.items():
        name = str(entry.get("name", key))
        try:
            cameras.append(_camera(name, entry, metres_per_unit))
        except ValueError as error:
            raise CalibrationError(f"{path}: camera {name}: {error}") from error
    try:
        return Rig(tuple(cameras))
    except ValueError as error:
        raise CalibrationError(f"{path}: {error}") from error


def is_freemocap(path: Path) -> bool:
    """Whether FreeMoCap wrote a TOML rig, whose lengths are then millimetres."""
    metadata = _document(path).get("metadata")
    return isinstance(metadata, dict) and bool(_OF_FREEMOCAP & set(metadata))


def _document(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(read_limited(path).decode("utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, RecursionError) as error:
        raise CalibrationError(f"{path}: not a TOML rig: {error}") from error


def _camera(name: str, entry: dict[str, object], metres_per_unit: float) -> Camera:
    missing = [key for key in _KEYS if key not in entry]
    if missing:
        posed = "; it has no pose yet: finish the calibration there" if "matrix" not in missing else ""
        raise ValueError(f"it lacks {', '.join(missing)}{posed}")
    R = rotation_from_vector(numbers(entry["rotation"], "rotation", 3).ravel())
    t = numbers(entry["translation"], "translation", 3).ravel() * metres_per_unit
    return make_camera(name, image_size(numbers(entry["size"], "size", 2)), _lens(entry), R, t)


def _lens(entry: dict[str, object]) -> Lens:
    K = numbers(entry["matrix"], "matrix", 9).reshape(3, 3)
    dist = numbers(entry["distortions"], "distortions").ravel()
    if entry.get("fisheye", False):
        return Fisheye(K, dist[:4])
    return Pinhole(K, dist)


def write_aniposelib(rig: Rig, path: str | Path) -> None:
    """Write a TOML rig in metres; numbers keep all their digits.

    Raises:
        FormatError: a lens that aniposelib does not know.
    """
    tables = [_table(f"cam_{i}", _checked(camera, 14, "aniposelib")) for i, camera in enumerate(rig)]
    write_text(path, "\n".join([*tables, '[metadata]\nadjusted = false\nerror = 0.0\nunits = "m"\n']))


def write_pose2sim(rig: Rig, path: str | Path) -> None:
    """Write Pose2Sim's Calib.toml, in metres: a table named as its camera.

    Raises:
        FormatError: a lens that Pose2Sim does not undo.
    """
    tables = [_table(json.dumps(camera.name), _checked(camera, 5, "Pose2Sim")) for camera in rig]
    write_text(path, "\n".join([*tables, "[metadata]\nadjusted = false\nerror = 0.0\n"]))


def write_freemocap(rig: Rig, path: str | Path) -> None:
    """Write FreeMoCap's camera_calibration.toml, in millimetres.

    Raises:
        FormatError: a lens that FreeMoCap does not know.
    """
    tables = [_table(f"cam_{i}", _checked(camera, 5, "FreeMoCap"), 1e3) for i, camera in enumerate(rig)]
    write_text(path, "\n".join([*tables, "[metadata]\nadjusted = false\nerror = 0.0\ncharuco_square_size = 1\n"]))


def write_caliscope(rig: Rig, path: str | Path) -> None:
    """Write caliscope's camera_array.toml, in metres; cameras are numbered as their names end, else in order.

    Raises:
        FormatError: a lens that caliscope does not know.
    """
    ends = [re.search(r"(\d+)$", name) for name in rig.names]
    own = [int(end[1]) for end in ends if end]
    ids = own if len(set(own)) == len(rig) else list(range(len(rig)))
    tables = [
        _table(f"cameras.{i}", _checked(camera, 5, "caliscope"), extra={"cam_id": i, "port": i, "rotation_count": 0})
        for i, camera in zip(ids, rig, strict=True)
    ]
    write_text(path, "\n".join(tables))


def _checked(camera: Camera, most: int, program: str) -> Camera:
    fits = isinstance(camera.lens, Fisheye) or (isinstance(camera.lens, Pinhole) and not camera.lens.dist[most:].any())
    if not fits:
        raise FormatError(
            f"camera {camera.name}: {program} knows pinholes with up to {most} coefficients and fisheyes with 4;"
            f" calibrate with --lens pinhole{most}"
        )
    return replace(camera, lens=replace(camera.lens, dist=camera.lens.dist[:most]))


def _table(key: str, camera: Camera, per_metre: float = 1.0, extra: dict[str, int] | None = None) -> str:
    # Readers built on OpenCV's five coefficients do not expect an empty list.
    dist = camera.lens.dist if len(camera.lens.dist) else np.zeros(5)
    rows = {
        "name": json.dumps(camera.name),
        "size": list(camera.size),
        "matrix": camera.lens.K.tolist(),
        "distortions": dist.tolist(),
        "rotation": vector_from_rotation(camera.R).tolist(),
        "translation": (camera.t * per_metre).tolist(),
        "fisheye": str(isinstance(camera.lens, Fisheye)).lower(),
        **(extra or {}),
    }
    return "\n".join([f"[{key}]", *(f"{key} = {value}" for key, value in rows.items()), ""])
