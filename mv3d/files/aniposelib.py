"""Rigs of aniposelib and of what writes like it (Anipose, Pose2Sim, FreeMoCap): TOML.

One table per camera: name, size [width, height], matrix (3, 3), distortions, rotation (rotation vector, camera from
world), translation, and `fisheye = true` for a Kannala-Brandt lens. A table `metadata` is not a camera.
"""

import json
import tomllib
from pathlib import Path

import numpy as np

from mv3d.data.camera import Camera
from mv3d.data.lens import Fisheye, Lens, Pinhole
from mv3d.data.rig import Rig
from mv3d.errors import CalibrationError
from mv3d.files.rig_entries import image_size, make_camera, numbers, read_limited
from mv3d.files.writing import write_text
from mv3d.geometry.rotations import rotation_from_vector, vector_from_rotation

UNITS = "m"
_KEYS = ("size", "matrix", "distortions", "rotation", "translation")


def read_aniposelib(path: Path, metres_per_unit: float) -> Rig:
    """Read a TOML rig; the cameras keep the order of the file.

    Args:
        path: the file.
        metres_per_unit: length of the file's unit, which the file does not say.

    Raises:
        CalibrationError: not such a file, or a camera of it cannot be used; names the camera.
    """
    try:
        document = tomllib.loads(read_limited(path).decode("utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise CalibrationError(f"{path}: not a TOML rig: {error}") from error
    entries = {key: entry for key, entry in document.items() if isinstance(entry, dict) and key != "metadata"}
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


def _camera(name: str, entry: dict[str, object], metres_per_unit: float) -> Camera:
    missing = [key for key in _KEYS if key not in entry]
    if missing:
        raise ValueError(f"it lacks {', '.join(missing)}")
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
    """Write a TOML rig in metres; numbers keep all their digits."""
    tables = [_table(i, camera) for i, camera in enumerate(rig)]
    write_text(path, "\n".join([*tables, '[metadata]\nadjusted = false\nerror = 0.0\nunits = "m"\n']))


def _table(index: int, camera: Camera) -> str:
    # Readers built on OpenCV's five coefficients do not expect an empty list.
    dist = camera.lens.dist if len(camera.lens.dist) else np.zeros(5)
    rows = {
        "name": json.dumps(camera.name),
        "size": list(camera.size),
        "matrix": camera.lens.K.tolist(),
        "distortions": dist.tolist(),
        "rotation": vector_from_rotation(camera.R).tolist(),
        "translation": camera.t.tolist(),
        "fisheye": str(isinstance(camera.lens, Fisheye)).lower(),
    }
    return "\n".join([f"[cam_{index}]", *(f"{key} = {value}" for key, value in rows.items()), ""])
