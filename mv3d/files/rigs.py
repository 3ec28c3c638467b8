"""Rigs in any format: which formats there are, and how a path tells them apart."""

from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from mv3d.data.camera import Camera
from mv3d.data.rig import Rig
from mv3d.errors import CalibrationError, ConfigError
from mv3d.files import aniposelib, qualisys
from mv3d.files.openpose_xml import write_openpose_xml
from mv3d.files.rig_entries import read_limited
from mv3d.files.writing import whole_file

_Entry = TypeVar("_Entry")
METRES_PER_UNIT = {"m": 1.0, "cm": 0.01, "mm": 0.001, "in": 0.0254, "ft": 0.3048}


def _read_native(path: Path, metres_per_unit: float) -> Rig:
    read_limited(path)
    rig = Rig.load(path)
    if metres_per_unit == 1.0:
        return rig
    return Rig(tuple(Camera(c.name, c.size, c.lens, c.R, c.t * metres_per_unit) for c in rig))


def _write_native(rig: Rig, path: str | Path) -> None:
    with whole_file(path) as part:
        rig.save(part)


_READERS: dict[str, tuple[Callable[[Path, float], Rig], str]] = {
    "mv3d": (_read_native, "m"),
    "qualisys": (qualisys.read_qualisys, qualisys.UNITS),
    "aniposelib": (aniposelib.read_aniposelib, aniposelib.UNITS),
}
_WRITERS: dict[str, Callable[[Rig, str | Path], None]] = {
    "mv3d": _write_native,
    "aniposelib": aniposelib.write_aniposelib,
    "openpose": write_openpose_xml,
}
_FORMAT_OF_SUFFIX = {".yaml": "mv3d", ".yml": "mv3d", ".toml": "aniposelib", ".qca.txt": "qualisys", ".xml": "qualisys"}
READ_FORMATS, WRITE_FORMATS = tuple(_READERS), tuple(_WRITERS)


def read_rig(path: str | Path, format: str = "auto", units: str | None = None) -> Rig:
    """Read a rig.

    Args:
        path: the file: `cameras.yaml`, a `.toml` of aniposelib (metres), or a `.qca.txt` of Qualisys (mm).
        format: one of READ_FORMATS, or "auto" to go by the name of the file.
        units: unit of length in the file (m, cm, mm, in, ft) if it is not the format's own.

    Raises:
        CalibrationError: missing, not of the format, or a camera that cannot be; names file and camera.
        ConfigError: no such format or unit.
    """
    path = Path(path)
    reader, own_units = _choose(_READERS, path, format)
    units = units or own_units
    if units not in METRES_PER_UNIT:
        raise ConfigError(f"units {units!r} are unknown; there are {', '.join(METRES_PER_UNIT)}")
    try:
        return reader(path, METRES_PER_UNIT[units])
    except (ValueError, TypeError, KeyError, RecursionError) as error:
        raise CalibrationError(f"{path}: not a rig that can be used: {' '.join(str(error).split())}") from error


def write_rig(rig: Rig, path: str | Path, format: str = "auto") -> None:
    """Write a rig, in metres; the file appears whole or not at all.

    Args:
        rig: the cameras.
        path: the file to make.
        format: one of WRITE_FORMATS, or "auto" to go by the name of the file; a name without a suffix is a folder for
            OpenPose's XML.

    Raises:
        ConfigError: no such format.
        FormatError: a lens that the format cannot hold.
        SessionError: the file cannot be written.
    """
    _choose(_WRITERS, Path(path), format)(rig, path)


def _choose(known: dict[str, _Entry], path: Path, format: str) -> _Entry:
    if format == "auto":
        name = path.name.lower()
        format = next((f for suffix, f in _FORMAT_OF_SUFFIX.items() if name.endswith(suffix)), "")
        format = format or ("openpose" if not path.suffix else "")
        if format not in known:
            raise ConfigError(f"{path}: its name does not tell the format; name one of {', '.join(known)}")
    if format not in known:
        raise ConfigError(f"rig format {format!r} is unknown here; there are {', '.join(known)}")
    return known[format]
