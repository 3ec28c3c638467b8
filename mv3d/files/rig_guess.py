"""Which format a rig's file or folder is of, by its name and by what is in it."""

import re
from pathlib import Path

from mv3d.errors import CalibrationError, ConfigError
from mv3d.files import aniposelib, colmap, easymocap_rig
from mv3d.files.opencv_rig import SUFFIXES
from mv3d.files.rig_entries import read_limited

_BY_SUFFIX = {".yaml": "mv3d", ".yml": "mv3d", ".toml": "aniposelib", ".qca.txt": "qualisys", ".xml": "qualisys"}
# How far into a file its format shows.
_HEAD_BYTES = 4096


def guess_format(path: Path, known: tuple[str, ...]) -> str:
    """Format of a rig to read.

    Raises:
        CalibrationError: a folder that holds no rig.
        ConfigError: a name that does not tell.
    """
    if path.is_dir():
        return _of_folder(path)
    format = _by_name(path)
    if not format:
        raise ConfigError(f"{path}: its name does not tell the format; name one of {', '.join(known)}")
    if not path.is_file():
        return format
    if format == "aniposelib":
        return "freemocap" if aniposelib.is_freemocap(path) else format
    return _by_content(read_limited(path)[:_HEAD_BYTES].decode("utf-8", "replace"), format)


def guess_written(path: Path, known: tuple[str, ...]) -> str:
    """Format of a rig to write, by the name alone; ConfigError if it does not tell."""
    format = _by_name(path) or ("openpose" if not path.suffix else "")
    if format not in known:
        raise ConfigError(f"{path}: its name does not tell the format; name one of {', '.join(known)}")
    return format


def _by_name(path: Path) -> str:
    return next((format for suffix, format in _BY_SUFFIX.items() if path.name.lower().endswith(suffix)), "")


def _by_content(head: str, format: str) -> str:
    if head.startswith("%YAML") or "<opencv_storage" in head:
        return "opencv"
    if format == "mv3d" and re.search(r"^cam\d+:", head, re.MULTILINE):
        return "kalibr"
    return format


def _of_folder(path: Path) -> str:
    if all((path / name).is_file() for name in easymocap_rig.FILES):
        return "easymocap"
    if all((path / name).is_file() for name in colmap.FILES):
        return "colmap"
    if any(file.suffix.lower() in SUFFIXES for file in path.iterdir()):
        return "opencv"
    raise CalibrationError(
        f"{path}: no rig in this folder (EasyMocap: {' and '.join(easymocap_rig.FILES)}; COLMAP:"
        f" {' and '.join(colmap.FILES)}; OpenCV and OpenPose: a .yml or .xml file a camera)"
    )
