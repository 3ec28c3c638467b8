"""Rigs in files of OpenCV's: what its multi-view calibration saves, and a folder of what its calibration samples save.

One file: Ks (camera, 3, 3), distortions, rvecs and Ts (camera from world), image_sizes, is_fisheye, cam_ids (names with
commas between). A folder: a file a camera with camera_matrix, distortion_coefficients, image_width and image_height,
and the pose as R or rvec with T or tvec, camera from world. OpenPose's folders look alike: Intrinsics, Distortion,
CameraMatrix [R | t], without the size of the images.
"""

from pathlib import Path
from typing import Any

import numpy as np

from mv3d.data.camera import Camera
from mv3d.data.lens import Fisheye, Lens, Pinhole
from mv3d.data.rig import Rig
from mv3d.errors import CalibrationError, FormatError
from mv3d.files.natural import natural_key
from mv3d.files.opencv_storage import read_storage, write_storage
from mv3d.files.rig_entries import image_size, make_camera, numbers
from mv3d.geometry.rotations import rotation_from_vector, vector_from_rotation

UNITS = "m"
SUFFIXES = (".yml", ".yaml", ".xml")
# Names under which OpenCV's samples and what is built on them keep a thing.
_K = ("camera_matrix", "cameraMatrix", "Intrinsics", "K", "M")
_DIST = ("distortion_coefficients", "distCoeffs", "dist_coeffs", "Distortion", "D")
_ROTATION, _TRANSLATION = ("R", "rotation_matrix", "rvec", "rotation_vector"), ("T", "t", "tvec", "translation_vector")
_NO_SIZE = "it does not say the size of the images; pass --size WIDTHxHEIGHT"
# OpenCV's own counts; its files are padded to the longest lens of the rig.
_COUNTS = (0, 4, 5, 8, 12, 14)


def read_opencv(path: Path, metres_per_unit: float, size: tuple[int, int] | None = None) -> Rig:
    """Read a file of the whole rig, or a folder of one file a camera.

    Args:
        path: the file or folder.
        metres_per_unit: length of the files' unit, which they do not say.
        size: (width, height) px of the images, where the files do not say.

    Raises:
        CalibrationError: not such files, or a camera cannot be used; names the camera.
    """
    if not path.is_dir():
        return _whole(path, read_storage(path), metres_per_unit, size)
    files = sorted((p for p in path.iterdir() if p.suffix.lower() in SUFFIXES), key=natural_key)
    if not files:
        raise CalibrationError(f"{path}: no .yml or .xml file of a camera in it")
    cameras = []
    for file in files:
        nodes = read_storage(file)
        try:
            cameras.append(_single(file.stem, nodes, metres_per_unit, size))
        except ValueError as error:
            raise CalibrationError(f"{file}: {error}") from error
    return Rig(tuple(cameras))


def _whole(path: Path, nodes: dict[str, Any], metres_per_unit: float, size: tuple[int, int] | None) -> Rig:
    if not {"Ks", "rvecs", "Ts"} <= set(nodes):
        raise CalibrationError(
            f"{path}: not a rig of OpenCV's multi-view calibration (no Ks, rvecs, Ts); of files with one camera each,"
            " name the folder"
        )
    K = numbers(nodes["Ks"], "Ks").reshape(-1, 3, 3)
    count = len(K)
    dist = numbers(nodes.get("distortions", np.zeros((count, 0))), "distortions").reshape(count, -1)
    rvecs, t = (numbers(nodes[key], key, 3 * count).reshape(count, 3) for key in ("rvecs", "Ts"))
    names = str(nodes.get("cam_ids") or ",".join(str(c) for c in range(count))).split(",")
    if len(names) != count:
        raise CalibrationError(f"{path}: {len(names)} cam_ids for {count} cameras")
    fisheye = numbers(nodes.get("is_fisheye", np.zeros(count)), "is_fisheye", count).ravel()
    if "image_sizes" not in nodes and size is None:
        raise CalibrationError(f"{path}: {_NO_SIZE}")
    sizes = numbers(nodes.get("image_sizes", [size] * count), "image_sizes", 2 * count).reshape(count, 2)
    cameras = []
    for c, name in enumerate(names):
        try:
            lens, R = _lens(K[c], dist[c], bool(fisheye[c])), rotation_from_vector(rvecs[c])
            cameras.append(make_camera(name, image_size(sizes[c]), lens, R, t[c] * metres_per_unit))
        except ValueError as error:
            raise CalibrationError(f"{path}: camera {name}: {error}") from error
    return Rig(tuple(cameras))


def _lens(K: np.ndarray, dist: np.ndarray, fisheye: bool) -> Lens:
    if fisheye:
        return Fisheye(K, dist[:4])
    used = int(np.flatnonzero(dist).max(initial=-1)) + 1
    # Zeros at the end are padding, but OpenCV's programs expect four coefficients at least.
    count = next((n for n in _COUNTS if n >= used and (n == len(dist) or n >= 4)), len(dist))
    return Pinhole(K, dist[: min(count, len(dist))])


def _single(name: str, nodes: dict[str, Any], metres_per_unit: float, size: tuple[int, int] | None) -> Camera:
    K = numbers(_first(nodes, _K), "camera_matrix", 9).reshape(3, 3)
    dist = numbers(_first(nodes, _DIST), "distortion_coefficients").ravel()
    if "CameraMatrix" in nodes:
        pose = numbers(nodes["CameraMatrix"], "CameraMatrix", 12).reshape(3, 4)
        R, t = pose[:, :3], pose[:, 3]
    else:
        R = numbers(_first(nodes, _ROTATION), "R").ravel()
        R = R.reshape(3, 3) if R.size == 9 else rotation_from_vector(numbers(R, "R", 3))
        t = numbers(_first(nodes, _TRANSLATION), "T", 3).ravel()
    fisheye = nodes.get("fisheye_model", 0) in (1, "1", True)
    own = _size(nodes) or size
    if own is None:
        raise ValueError(_NO_SIZE)
    return make_camera(name, own, Fisheye(K, dist[:4]) if fisheye else Pinhole(K, dist), R, t * metres_per_unit)


def _first(nodes: dict[str, Any], names: tuple[str, ...]) -> Any:
    found = next((nodes[name] for name in names if name in nodes), None)
    if found is None:
        raise ValueError(f"it lacks {names[0]}")
    return found


def _size(nodes: dict[str, Any]) -> tuple[int, int] | None:
    if "image_width" in nodes and "image_height" in nodes:
        return image_size(numbers([nodes["image_width"], nodes["image_height"]], "image size", 2))
    if "ImageSize" in nodes:
        return image_size(numbers(nodes["ImageSize"], "ImageSize", 2).ravel())
    return None


def write_opencv(rig: Rig, path: str | Path) -> None:
    """Write a file as OpenCV's multi-view calibration does, XML or YAML by its suffix, in metres, all digits.

    Raises:
        FormatError: a name with a comma, which would be two, or a lens that OpenCV does not know.
    """
    odd = next((name for name in rig.names if "," in name), None)
    if odd is not None:
        raise FormatError(f"camera {odd!r}: OpenCV's file keeps commas between names; rename the camera")
    strange = next((camera for camera in rig if not isinstance(camera.lens, Pinhole | Fisheye)), None)
    if strange is not None:
        raise FormatError(
            f"camera {strange.name}: OpenCV knows pinholes and fisheyes, no {strange.lens.kind}; calibrate with --lens"
            " fisheye"
        )
    longest = max(4, *(len(camera.lens.dist) for camera in rig))
    dist = np.zeros((len(rig), longest))
    for row, camera in zip(dist, rig, strict=True):
        row[: len(camera.lens.dist)] = camera.lens.dist
    nodes = {
        "rvecs": np.stack([vector_from_rotation(camera.R) for camera in rig])[..., None],
        "distortions": dist[:, None],
        "Ks": np.stack([camera.lens.K for camera in rig]),
        "Ts": np.stack([camera.t for camera in rig])[..., None],
        "is_fisheye": np.array([int(isinstance(camera.lens, Fisheye)) for camera in rig], np.int32),
        "image_sizes": np.array([camera.size for camera in rig], np.int32),
        "cam_ids": ",".join(rig.names),
    }
    write_storage(Path(path), nodes)
