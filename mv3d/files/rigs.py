"""Rigs in any format: which formats there are, and how a path tells them apart."""

import logging
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from mv3d.data.camera import Camera
from mv3d.data.rig import Rig
from mv3d.errors import CalibrationError, ConfigError
from mv3d.files import aniposelib, colmap, easymocap_rig, kalibr, opencv_rig, openpose_xml, qualisys
from mv3d.files.rig_entries import read_limited
from mv3d.files.rig_guess import guess_format, guess_written
from mv3d.files.writing import whole_file

_log = logging.getLogger(__name__)
METRES_PER_UNIT = {"m": 1.0, "cm": 0.01, "mm": 0.001, "in": 0.0254, "ft": 0.3048}
# Optical axes that pass a common point within this share of the cameras' distance from it look at one scene.
_MEET = 0.25
# Cameras of one person are some metres apart: further or nearer than this (m), the unit of the file is another.
_FARTHEST_APART, _NEAREST = 150.0, 0.02

_Size = tuple[int, int] | None
_Writer = Callable[[Rig, str | Path], None]


def _read_native(path: Path, metres_per_unit: float) -> Rig:
    read_limited(path)
    rig = Rig.load(path)
    if metres_per_unit == 1.0:
        return rig
    return Rig(tuple(Camera(c.name, c.size, c.lens, c.R, c.t * metres_per_unit) for c in rig))


def _write_native(rig: Rig, path: str | Path) -> None:
    with whole_file(path) as part:
        rig.save(part)


@dataclass(frozen=True, slots=True)
class _Format:
    """A format: how it is read, with or without the size of the images told beside it, its unit, how it is written."""

    read: Callable[[Path, float], Rig] | None
    units: str
    write: _Writer | None = None
    read_sized: Callable[[Path, float, _Size], Rig] | None = None


_FORMATS = {
    "mv3d": _Format(_read_native, "m", _write_native),
    "qualisys": _Format(qualisys.read_qualisys, qualisys.UNITS),
    "aniposelib": _Format(aniposelib.read_aniposelib, aniposelib.UNITS, aniposelib.write_aniposelib),
    "pose2sim": _Format(aniposelib.read_aniposelib, aniposelib.UNITS, aniposelib.write_pose2sim),
    "freemocap": _Format(aniposelib.read_aniposelib, aniposelib.FREEMOCAP_UNITS, aniposelib.write_freemocap),
    "caliscope": _Format(aniposelib.read_aniposelib, aniposelib.UNITS, aniposelib.write_caliscope),
    "openpose": _Format(None, "m", openpose_xml.write_openpose_xml, opencv_rig.read_opencv),
    "opencv": _Format(None, opencv_rig.UNITS, opencv_rig.write_opencv, opencv_rig.read_opencv),
    "easymocap": _Format(None, easymocap_rig.UNITS, easymocap_rig.write_easymocap, easymocap_rig.read_easymocap),
    "kalibr": _Format(kalibr.read_kalibr, kalibr.UNITS, kalibr.write_kalibr),
    "colmap": _Format(colmap.read_colmap, colmap.UNITS, colmap.write_colmap),
}
READ_FORMATS = tuple(_FORMATS)
WRITE_FORMATS = tuple(name for name, entry in _FORMATS.items() if entry.write is not None)


def read_rig(path: str | Path, format: str = "auto", units: str | None = None, size: _Size = None) -> Rig:
    """Read a rig.

    Args:
        path: the file or folder.
        format: one of READ_FORMATS, or "auto" to go by the name and, where that is not enough, the content.
        units: unit of length in the file (m, cm, mm, in, ft) if it is not the format's own.
        size: (width, height) px of the images, for formats that do not hold it.

    Raises:
        CalibrationError: missing, not of the format, or a camera that cannot be; names file and camera.
        ConfigError: no such format or unit.
    """
    path = Path(path)
    if format == "auto":
        format = guess_format(path, READ_FORMATS)
    entry = _named(format, READ_FORMATS)
    units = units or entry.units
    if units not in METRES_PER_UNIT:
        raise ConfigError(f"units {units!r} are unknown; there are {', '.join(METRES_PER_UNIT)}")
    try:
        if entry.read_sized is not None:
            rig = entry.read_sized(path, METRES_PER_UNIT[units], size)
        else:
            assert entry.read is not None
            rig = entry.read(path, METRES_PER_UNIT[units])
    except (ValueError, TypeError, KeyError, RecursionError) as error:
        raise CalibrationError(f"{path}: not a rig that can be used: {' '.join(str(error).split())}") from error
    _suspect_units(rig, path, units)
    if len(rig) > 2 and not _look_at_one_place(rig) and _look_at_one_place(_inverted(rig)):
        _log.warning(
            "%s: its cameras look apart, but at one place if its poses are world from camera: are they inverted?", path
        )
    return rig


def _inverted(rig: Rig) -> Rig:
    return Rig(tuple(replace(camera, R=camera.R.T, t=-camera.R.T @ camera.t) for camera in rig))


def _look_at_one_place(rig: Rig) -> bool:
    """Whether the optical axes nearly meet in front of all cameras; not so where they are parallel."""
    axes = np.stack([camera.R[2] for camera in rig])
    across = np.eye(3) - axes[:, :, None] * axes[:, None]
    total = across.sum(0)
    if np.linalg.eigvalsh(total)[0] < 1e-3 * len(rig):
        return False
    middle = np.linalg.solve(total, np.einsum("cij,cj->i", across, rig.centers))
    depth = ((middle - rig.centers) * axes).sum(1)
    beside = np.linalg.norm(np.einsum("cij,cj->ci", across, middle - rig.centers), axis=1)
    return bool((beside < _MEET * depth).all())


def _suspect_units(rig: Rig, path: Path, units: str) -> None:
    apart = np.linalg.norm(rig.centers[:, None] - rig.centers, axis=-1).max()
    if len(rig) > 1 and not _NEAREST < apart < _FARTHEST_APART:
        _log.warning(
            "%s: its cameras are up to %.3g m apart when its lengths are taken for %s; pass --units if that is wrong",
            path, apart, units,
        )  # fmt: skip


def write_rig(rig: Rig, path: str | Path, format: str = "auto") -> None:
    """Write a rig; the file appears whole or not at all.

    Args:
        rig: the cameras.
        path: the file or folder to make.
        format: one of WRITE_FORMATS, or "auto" to go by the name; a name without a suffix is a folder for OpenPose's
            XML.

    Raises:
        ConfigError: no such format.
        FormatError: a lens or a name that the format cannot hold.
        SessionError: the file cannot be written.
    """
    entry = _named(guess_written(Path(path), WRITE_FORMATS) if format == "auto" else format, WRITE_FORMATS)
    assert entry.write is not None
    entry.write(rig, path)


def _named(format: str, known: tuple[str, ...]) -> _Format:
    if format not in known:
        raise ConfigError(f"rig format {format!r} is unknown here; there are {', '.join(known)}")
    return _FORMATS[format]
