"""The file of cameras, `cameras.yaml`: its entries, checked as what comes from strangers."""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from mv3d.data.lens import LENSES, Lens
from mv3d.errors import CalibrationError

FORMAT_VERSION = 1
# A rig of a hundred cameras takes 60 kB; what is far larger is no rig and would only be slow to parse.
_LARGEST_FILE = 5_000_000
# The longest list in a rig: 14 distortion coefficients.
_LONGEST_ROW = 14


def read_entries(path: Path) -> list[Any]:
    """The entries of a file of cameras, unchecked.

    Raises:
        CalibrationError: the file is missing, not YAML, or holds no list of cameras; says where.
    """
    document = _read_yaml(path)
    if not isinstance(document, dict) or not isinstance(document.get("cameras"), list):
        raise CalibrationError(
            f"{path}: not a cameras.yaml (no list named 'cameras'); for other formats see `mv3d rig convert`"
        )
    version = document.get("format_version", FORMAT_VERSION)
    if version != FORMAT_VERSION:
        raise CalibrationError(
            f"{path}: format_version is {_label(version)}, this program reads {FORMAT_VERSION}; update mv3d"
        )
    return document["cameras"]


def write_entries(path: str | Path, convention: str, entries: Sequence[dict[str, object]]) -> None:
    """Write a file of cameras; numbers keep all their digits. The file appears whole or not at all."""
    document = {"format_version": FORMAT_VERSION, "convention": convention, "cameras": list(entries)}
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    text = yaml.safe_dump(document, sort_keys=False, default_flow_style=None, width=120, allow_unicode=True)
    part = path.with_name(path.name + ".part")
    try:
        part.write_text(text, encoding="utf-8")
        os.replace(part, path)
    finally:
        part.unlink(missing_ok=True)


def lens_entry(name: str, size: tuple[int, int], lens: Lens) -> dict[str, object]:
    """A camera's name, image size and lens as plain values."""
    fields = {"model": lens.kind, "K": lens.K.tolist(), "dist": lens.dist.tolist()}
    return {"name": name, "size": list(size), "lens": fields}


def lens_of_entry(entry: object, index: int, wanted: Sequence[str]) -> tuple[str, tuple[int, int], Lens]:
    """Name, image size and lens of an entry that must have the `wanted` keys; ValueError if one does not fit."""
    if not isinstance(entry, dict):
        raise ValueError(f"camera {index} is not a mapping")
    missing = [key for key in wanted if key not in entry]
    if missing:
        raise ValueError(f"camera {_label(entry.get('name', index))} lacks {', '.join(missing)}")
    name, size = entry["name"], entry["size"]
    if not isinstance(name, str | int) or isinstance(name, bool):
        raise ValueError(f"camera number {index}: name must be a text")
    if not (isinstance(size, list) and len(size) == 2 and all(type(n) is int for n in size)):
        raise ValueError(f"camera {name}: size must be [width, height] in pixels")
    return str(name), (size[0], size[1]), _lens_from(entry["lens"], str(name))


def numbers(value: object, name: str) -> np.ndarray:
    """A list of numbers, or of lists of numbers, as an array.

    Checked before numpy sees it: nested aliases of a hostile file would unfold to any size.
    """
    rows: list[Any] = value if isinstance(value, list) and all(isinstance(row, list) for row in value) else [value]
    if not all(isinstance(row, list) and len(row) <= _LONGEST_ROW for row in rows) or len(rows) > _LONGEST_ROW:
        raise ValueError(f"{name} is not a list of numbers")
    if not all(isinstance(x, int | float | str) and not isinstance(x, bool) for row in rows for x in row):
        raise ValueError(f"{name} holds something that is not a number")
    # YAML reads 1e-3 as a text, for want of a dot; numpy reads both.
    return np.array(value, dtype=np.float64)


def one_line(error: Exception) -> str:
    """An exception's text for a message of one line."""
    return " ".join(str(error).split())[:400]


def _read_yaml(path: Path) -> object:
    try:
        if path.stat().st_size > _LARGEST_FILE:
            raise CalibrationError(f"{path}: too large for a rig (over {_LARGEST_FILE // 1_000_000} MB)")
        return yaml.safe_load(path.read_text(encoding="utf-8"))
    # PyYAML lets the errors of impossible dates and numbers, and of lists nested too deep, through as they are.
    except (OSError, ValueError, OverflowError, RecursionError, yaml.YAMLError) as error:
        raise CalibrationError(f"{path}: cannot read this rig: {one_line(error)}") from error


def _label(value: object) -> str:
    """A value of the file for a message; lists are only named, since nested aliases would unfold to any size."""
    return repr(value)[:80] if isinstance(value, str | int | float) else f"a {type(value).__name__}"


def _lens_from(entry: object, name: str) -> Lens:
    if not isinstance(entry, dict) or "K" not in entry:
        raise ValueError(f"camera {name}: lens needs model, K and dist")
    model = entry.get("model", "pinhole")
    if not isinstance(model, str) or model not in LENSES:
        raise ValueError(f"camera {name}: lens model {_label(model)} is unknown; there are {', '.join(LENSES)}")
    K, dist = numbers(entry["K"], f"K of camera {name}"), numbers(entry.get("dist", []), f"dist of camera {name}")
    try:
        return LENSES[model](K, dist)
    except ValueError as error:
        raise ValueError(f"camera {name}: {error}") from error
