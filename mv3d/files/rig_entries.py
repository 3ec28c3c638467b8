"""What all rig formats share: numbers taken out of a stranger's file, and a Camera made of them."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from mv3d.data.camera import Camera
from mv3d.data.lens import Lens
from mv3d.errors import CalibrationError
from mv3d.geometry.rotations import nearest_rotation

# A rig of a hundred cameras is about 100 kB in any format.
_MAX_BYTES = 16_000_000
# As in `Camera`: a rotation printed with few digits is made exact, one that is further off is refused there.
_PRINTED_ROTATION_TOLERANCE = 1e-4


def read_limited(path: Path) -> bytes:
    """The bytes of a rig file.

    Raises:
        CalibrationError: missing, unreadable, or far too large to be a rig.
    """
    try:
        if path.stat().st_size > _MAX_BYTES:
            raise CalibrationError(f"{path}: {path.stat().st_size} bytes are too many for a rig; is it the right file?")
        return path.read_bytes()
    except OSError as error:
        raise CalibrationError(f"{path}: cannot read this rig ({error.strerror}); check the path") from error


def check_keys(entry: Mapping[Any, Any], known: Sequence[str], where: str) -> None:
    """Refuse keys that an entry of a file does not have; ValueError names one, and those that there are."""
    unknown = sorted(set(map(str, entry)) - set(known))
    if unknown:
        raise ValueError(f"{where}: unknown key {unknown[0][:40]}; there are {', '.join(known)}")


def numbers(value: object, what: str, count: int | None = None) -> np.ndarray:
    """A float64 array of finite numbers.

    Args:
        value: nested lists of numbers, or of texts of numbers.
        what: the name of the entry, for the message.
        count: how many there must be in all; any if None.

    Raises:
        ValueError: not numbers, not finite, or not as many.
    """
    try:
        array = np.array(value, dtype=np.float64)
    except (TypeError, ValueError):
        raise ValueError(f"{what} is not a list of numbers") from None
    if count is not None and array.size != count:
        raise ValueError(f"{what} has {array.size} numbers, wanted {count}")
    if not np.isfinite(array).all():
        raise ValueError(f"{what} holds a value that is not finite")
    return array


def image_size(value: Sequence[float] | np.ndarray) -> tuple[int, int]:
    """(width, height) px from two numbers that may be written as floats."""
    width, height = numbers(value, "size", 2).ravel()
    if width != round(width) or height != round(height):
        raise ValueError(f"size {width} x {height} is not in whole pixels")
    return int(width), int(height)


def make_camera(name: str, size: tuple[int, int], lens: Lens, R: np.ndarray, t: np.ndarray) -> Camera:
    """A Camera whose printed rotation is made exact; ValueError if it is no rotation."""
    if np.abs(R @ R.T - np.eye(3)).max() <= _PRINTED_ROTATION_TOLERANCE:
        if np.linalg.det(R) < 0:
            raise ValueError("its rotation is a mirror image (determinant -1): export it with right-handed axes")
        R = nearest_rotation(R)
    return Camera(name, size, lens, R, t)
