"""Rigs of Qualisys Track Manager: `.qca.txt`, an XML file.

Conventions of the file: intrinsics in 1/64 px of the sensor; distortion coefficients as they are; `transform` holds
the camera's position in mm and the transpose of its rotation to the world; the camera looks along its -z, +y up.
"""

import logging
from pathlib import Path
from xml.etree.ElementTree import Element, ParseError

import numpy as np
from defusedxml import ElementTree
from defusedxml.common import DefusedXmlException

from mv3d.data.camera import Camera
from mv3d.data.lens import Pinhole
from mv3d.data.rig import Rig
from mv3d.errors import CalibrationError
from mv3d.files.rig_entries import image_size, make_camera, numbers, read_limited

_log = logging.getLogger(__name__)

UNITS = "mm"
_SUBPIXELS = 64.0
# Half a turn about x: from +y up, looking along -z, to +y down, looking along +z.
_FLIP = np.diag([1.0, -1.0, -1.0])
_ROTATION = tuple(f"r{i}{j}" for i in (1, 2, 3) for j in (1, 2, 3))


def read_qualisys(path: Path, metres_per_unit: float) -> Rig:
    """Read a `.qca.txt`; cameras marked as inactive are left out.

    Args:
        path: the file.
        metres_per_unit: length of the file's unit; 0.001 as QTM writes it.

    Raises:
        CalibrationError: not such a file, or a camera of it cannot be used; names the camera.
    """
    try:
        root = ElementTree.fromstring(read_limited(path))
    except (ParseError, DefusedXmlException, ValueError) as error:
        raise CalibrationError(f"{path}: not a QTM calibration (XML): {error}") from error
    entries = [entry for entry in root.iter("camera") if entry.get("active", "1") != "0"]
    if not entries:
        raise CalibrationError(f"{path}: no active camera in it; is it a QTM calibration (.qca.txt)?")
    cameras = []
    for i, entry in enumerate(entries):
        name = entry.get("serial") or f"camera{i + 1}"
        try:
            cameras.append(_camera(name, entry, metres_per_unit))
        except ValueError as error:
            raise CalibrationError(f"{path}: camera {name}: {error}") from error
    return Rig(tuple(cameras))


def _camera(name: str, entry: Element, metres_per_unit: float) -> Camera:
    if float(entry.get("viewrotation", "0")) != 0:
        raise ValueError(
            f"viewrotation {entry.get('viewrotation')} is not supported; set it to 0 in QTM and export again"
        )
    transform = _child(entry, "transform")
    R = _FLIP @ _values(transform, _ROTATION).reshape(3, 3)
    center = _values(transform, ("x", "y", "z")) * metres_per_unit
    size, corner = _video_window(entry)
    return make_camera(name, size, _lens(_child(entry, "intrinsic"), corner), R, -R @ center)


def _lens(intrinsic: Element, corner: np.ndarray) -> Pinhole:
    if float(intrinsic.get("skew", "0")) != 0:
        _log.warning("the skew %s of a camera is not used", intrinsic.get("skew"))
    fx, fy, cx, cy = _values(intrinsic, ("focalLengthU", "focalLengthV", "centerPointU", "centerPointV")) / _SUBPIXELS
    radial = _values(intrinsic, ("radialDistortion1", "radialDistortion2", "radialDistortion3"))
    tangential = _values(intrinsic, ("tangentalDistortion1", "tangentalDistortion2"))  # spelled so in the files
    K = np.array([[fx, 0, cx - corner[0]], [0, fy, cy - corner[1]], [0, 0, 1]])
    return Pinhole(K, np.concatenate([radial[:2], tangential, radial[2:]]))


def _video_window(entry: Element) -> tuple[tuple[int, int], np.ndarray]:
    """Size of the video and the pixel of the sensor where it begins; its edges are inclusive."""
    left, right, top, bottom = _values(_child(entry, "fov_video"), ("left", "right", "top", "bottom"))
    return image_size([right - left + 1, bottom - top + 1]), np.array([left, top])


def _child(entry: Element, tag: str) -> Element:
    child = entry.find(tag)
    if child is None:
        raise ValueError(f"it lacks <{tag}>")
    return child


def _values(entry: Element, names: tuple[str, ...]) -> np.ndarray:
    missing = [name for name in names if entry.get(name) is None]
    if missing:
        raise ValueError(f"<{entry.tag}> lacks {', '.join(missing)}")
    return numbers([entry.get(name) for name in names], f"<{entry.tag}>", len(names))
