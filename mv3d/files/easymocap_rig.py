"""Rigs of EasyMocap: a folder with intri.yml and extri.yml, in OpenCV's YAML.

Both list `names`; then K_<name>, dist_<name> (or D_<name>) and, in newer versions, H_<name> and W_<name>; R_<name>
(rotation vector), Rot_<name> (matrix) and T_<name>, camera from world.
"""

from pathlib import Path
from typing import Any

import numpy as np

from mv3d.data.camera import Camera
from mv3d.data.lens import Pinhole
from mv3d.data.rig import Rig
from mv3d.errors import CalibrationError, FormatError
from mv3d.files.opencv_storage import read_storage, write_storage
from mv3d.files.rig_entries import image_size, make_camera, numbers
from mv3d.files.staging import written_together
from mv3d.geometry.rotations import rotation_from_vector, vector_from_rotation

UNITS = "m"
FILES = ("intri.yml", "extri.yml")
_COEFFICIENTS = 5


def read_easymocap(path: Path, metres_per_unit: float, size: tuple[int, int] | None = None) -> Rig:
    """Read a folder with intri.yml and extri.yml.

    Args:
        path: the folder.
        metres_per_unit: length of the files' unit, which they do not say.
        size: (width, height) px of the images, where intri.yml does not say.

    Raises:
        CalibrationError: not such files, or a camera cannot be used; names the camera.
    """
    intri, extri = (read_storage(path / name) for name in FILES)
    names = intri.get("names")
    if not isinstance(names, list) or not names:
        raise CalibrationError(f"{path / FILES[0]}: no list `names` of cameras in it")
    cameras = []
    for name in map(str, names):
        try:
            cameras.append(_camera(name, intri, extri, metres_per_unit, size))
        except ValueError as error:
            raise CalibrationError(f"{path}: camera {name}: {error}") from error
    return Rig(tuple(cameras))


def _camera(
    name: str, intri: dict[str, Any], extri: dict[str, Any], metres_per_unit: float, size: tuple[int, int] | None
) -> Camera:
    K = numbers(_node(intri, f"K_{name}", FILES[0]), "K", 9).reshape(3, 3)
    dist = intri.get(f"dist_{name}", intri.get(f"D_{name}"))
    dist = np.zeros(0) if dist is None else numbers(dist, "dist").ravel()
    if f"Rot_{name}" in extri:
        R = numbers(extri[f"Rot_{name}"], "Rot", 9).reshape(3, 3)
    else:
        R = rotation_from_vector(numbers(_node(extri, f"R_{name}", FILES[1]), "R", 3).ravel())
    t = numbers(_node(extri, f"T_{name}", FILES[1]), "T", 3).ravel()
    own = [intri.get(f"{side}_{name}") for side in "WH"]
    if all(side is not None for side in own):
        size = image_size(numbers(own, "W and H", 2))
    if size is None:
        raise ValueError(
            f"{FILES[0]} does not say the size of its images (W_{name}, H_{name}); pass --size WIDTHxHEIGHT"
        )
    return make_camera(name, size, Pinhole(K, dist), R, t * metres_per_unit)


def _node(nodes: dict[str, Any], key: str, file: str) -> Any:
    if key not in nodes:
        raise ValueError(f"{file} lacks {key}; do both files hold the same cameras?")
    return nodes[key]


def write_easymocap(rig: Rig, folder: str | Path) -> None:
    """Write intri.yml and extri.yml, both or none, in metres, all digits.

    Raises:
        FormatError: a lens or a name that EasyMocap does not know.
        SessionError: the folder cannot take the files.
    """
    intri: dict[str, Any] = {"names": list(rig.names)}
    extri: dict[str, Any] = {"names": list(rig.names)}
    for camera in rig:
        name, dist = camera.name, camera.lens.dist
        if not isinstance(camera.lens, Pinhole) or np.any(dist[_COEFFICIENTS:]):
            raise FormatError(
                f"camera {name}: EasyMocap knows pinholes with up to {_COEFFICIENTS} coefficients; calibrate with"
                " --lens pinhole5, or undistort the videos"
            )
        if not name.isascii() or not name.replace("_", "").replace("-", "").isalnum():
            raise FormatError(f"camera {name}: names in EasyMocap's files are of letters, digits, _ and -; rename it")
        padded = np.zeros((1, _COEFFICIENTS))
        padded[0, : min(len(dist), _COEFFICIENTS)] = dist[:_COEFFICIENTS]
        intri |= {f"K_{name}": camera.lens.K, f"dist_{name}": padded}
        intri |= {f"H_{name}": camera.size[1], f"W_{name}": camera.size[0]}
        extri |= {
            f"R_{name}": vector_from_rotation(camera.R)[:, None],
            f"Rot_{name}": camera.R,
            f"T_{name}": camera.t[:, None],
        }
    with written_together(folder) as staged:
        for file, nodes in zip(FILES, (intri, extri), strict=True):
            write_storage(staged / file, nodes)
