"""COLMAP's text models: a folder with cameras.txt and images.txt (and points3D.txt, which is not read).

cameras.txt: CAMERA_ID MODEL WIDTH HEIGHT PARAMS; images.txt, two lines an image: IMAGE_ID QW QX QY QZ TX TY TZ
CAMERA_ID NAME, camera from world, then its points. The centre of COLMAP's first pixel is (0.5, 0.5).
"""

from pathlib import Path

import numpy as np

from mv3d.data.camera import Camera
from mv3d.data.lens import Fisheye, Lens, Pinhole
from mv3d.data.rig import Rig
from mv3d.errors import CalibrationError, FormatError
from mv3d.files.rig_entries import image_size, make_camera, numbers, read_limited
from mv3d.files.staging import written_together
from mv3d.files.writing import write_text
from mv3d.geometry.quaternions import rotation_of_quaternion, steady_quaternions

UNITS = "m"
FILES = ("cameras.txt", "images.txt")
_HALF_PIXEL = 0.5
_LEAST_QUATERNION = 1e-6
# Model, whether it has one focal length, number of distortion coefficients, whether a fisheye.
_MODELS = {
    "SIMPLE_PINHOLE": (True, 0, False),
    "PINHOLE": (False, 0, False),
    "SIMPLE_RADIAL": (True, 1, False),
    "RADIAL": (True, 2, False),
    "OPENCV": (False, 4, False),
    "FULL_OPENCV": (False, 8, False),
    "SIMPLE_RADIAL_FISHEYE": (True, 1, True),
    "RADIAL_FISHEYE": (True, 2, True),
    "OPENCV_FISHEYE": (False, 4, True),
}


def read_colmap(path: Path, metres_per_unit: float) -> Rig:
    """Read a text model in which every camera of the rig took one image.

    Cameras are named by the folders of their images where these differ, else by the images.

    Args:
        path: the folder.
        metres_per_unit: length of the model's unit, which is arbitrary unless it was scaled.

    Raises:
        CalibrationError: not such files, a model that is not known, or several images of a camera.
    """
    lenses = {row[0]: row for row in _rows(path / FILES[0])}
    # Of images.txt every second line holds points, and may be empty.
    lines = [line for line in _text(path / FILES[1]).splitlines() if not line.startswith("#")]
    images = [line.split(maxsplit=9) for line in lines[::2] if line.strip()]
    if not images:
        raise CalibrationError(f"{path / FILES[1]}: no image in it")
    short = next((row for row in images if len(row) < 10), None)
    if short is not None:
        raise CalibrationError(f"{path / FILES[1]}: an image with {len(short)} fields, wanted 10; is it a text model?")
    cameras = []
    for row, name in zip(images, _names([row[9] for row in images]), strict=True):
        try:
            if row[8] not in lenses:
                raise ValueError(f"its CAMERA_ID {row[8]} is not in {FILES[0]}")
            cameras.append(_camera(name, row, lenses[row[8]], metres_per_unit))
        except ValueError as error:
            raise CalibrationError(f"{path}: camera {name}: {error}") from error
    try:
        return Rig(tuple(cameras))
    except ValueError as error:
        raise CalibrationError(f"{path}: {error}; a rig is wanted, with one image of each camera") from error


def _text(path: Path) -> str:
    try:
        return read_limited(path).decode("utf-8")
    except UnicodeDecodeError as error:
        raise CalibrationError(f"{path}: not a text model of COLMAP's; export it as text") from error


def _rows(path: Path) -> list[list[str]]:
    rows = [line.split() for line in _text(path).splitlines() if line.strip() and not line.startswith("#")]
    if any(len(row) < 5 for row in rows):
        raise CalibrationError(f"{path}: a camera with fewer than 5 fields; is it a text model of COLMAP's?")
    return rows


def _names(files: list[str]) -> list[str]:
    folders = [name.replace("\\", "/").rpartition("/")[0].replace("/", "_") for name in files]
    return folders if all(folders) and len(set(folders)) == len(files) else [Path(name).stem for name in files]


def _camera(name: str, image: list[str], row: list[str], metres_per_unit: float) -> Camera:
    pose = numbers(image[1:8], "pose", 7)
    if not np.linalg.norm(pose[:4]) > _LEAST_QUATERNION:
        raise ValueError("its quaternion is zero")
    R = rotation_of_quaternion(pose[[1, 2, 3, 0]])
    return make_camera(name, image_size(numbers(row[2:4], "size", 2)), _lens(row), R, pose[4:] * metres_per_unit)


def _lens(row: list[str]) -> Lens:
    if row[1] not in _MODELS:
        raise ValueError(f"model {row[1][:40]} is not read; there are {', '.join(_MODELS)}")
    one_focal, count, fisheye = _MODELS[row[1]]
    values = numbers(row[4:], "PARAMS", (3 if one_focal else 4) + count)
    fx, fy = (values[0], values[0]) if one_focal else values[:2]
    cx, cy = values[1:3] if one_focal else values[2:4]
    K = np.array([[fx, 0, cx - _HALF_PIXEL], [0, fy, cy - _HALF_PIXEL], [0, 0, 1]])
    own = values[len(values) - count :]
    if not fisheye:
        return Pinhole(K, own if count in (0, 4, 8) else np.append(own, np.zeros(4 - count)))
    return Fisheye(K, np.append(own, np.zeros(4 - count)))


def write_colmap(rig: Rig, folder: str | Path) -> None:
    """Write cameras.txt, images.txt and an empty points3D.txt, all of them or none, in metres, all digits.

    Images are named <camera>/image.png, so that the names of the cameras come back.

    Raises:
        FormatError: a lens that COLMAP does not know.
        SessionError: the folder cannot take the files.
    """
    cameras, images = ["# CAMERA_ID MODEL WIDTH HEIGHT PARAMS"], ["# IMAGE_ID QW QX QY QZ TX TY TZ CAMERA_ID NAME"]
    for i, camera in enumerate(rig, 1):
        model, values = _model(camera)
        cameras.append(f"{i} {model} {camera.size[0]} {camera.size[1]} {_written(values)}")
        pose = np.concatenate([np.roll(steady_quaternions(camera.R[None])[0], 1), camera.t])
        images += [f"{i} {_written(pose)} {i} {camera.name}/image.png", ""]
    with written_together(folder) as staged:
        for name, lines in (*zip(FILES, (cameras, images), strict=True), ("points3D.txt", ["# no points"])):
            write_text(staged / name, "\n".join(lines) + "\n")


def _written(values: np.ndarray) -> str:
    return " ".join(repr(float(value)) for value in values)


def _model(camera: Camera) -> tuple[str, np.ndarray]:
    K, dist = camera.lens.K, camera.lens.dist
    fisheye = isinstance(camera.lens, Fisheye)
    used = int(np.flatnonzero(dist).max(initial=-1)) + 1
    if K[0, 1] or used > 8 or not isinstance(camera.lens, Pinhole | Fisheye):
        raise FormatError(
            f"camera {camera.name}: COLMAP knows pinholes with up to eight coefficients and no skew, and fisheyes with"
            " four; calibrate with --lens pinhole8"
        )
    model = "OPENCV_FISHEYE" if fisheye else "OPENCV" if used <= 4 else "FULL_OPENCV"
    padded = np.zeros(8 if model == "FULL_OPENCV" else 4)
    padded[: min(len(dist), len(padded))] = dist[: len(padded)]
    return model, np.concatenate([[K[0, 0], K[1, 1], K[0, 2] + _HALF_PIXEL, K[1, 2] + _HALF_PIXEL], padded])
