"""Native npz files: written whole or not at all, and read with every file taken for hostile."""

import os
import zipfile
import zlib
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from numpy.lib.npyio import NpzFile

from mv3d.errors import FormatError

FORMAT_VERSION = 1
# An hour of 60 fps with eight people a frame takes 0.5 GB; a small file that unpacks to far more is an attack.
_LARGEST_CONTENT = 4e9
# What zipfile, zlib and numpy raise on files that are truncated, encrypted, damaged or not npz at all.
_UNREADABLE = (
    *(OSError, ValueError, TypeError, EOFError, KeyError, RuntimeError, OverflowError, MemoryError),
    *(zipfile.BadZipFile, zlib.error),
)


def save_npz(path: str | Path, arrays: Mapping[str, np.ndarray]) -> None:
    """Write arrays and the format's version as compressed npz; the file appears whole or not at all."""
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(path.name + ".part")
    try:
        with part.open("wb") as file:
            np.savez_compressed(file, allow_pickle=False, format_version=np.int64(FORMAT_VERSION), **arrays)
        os.replace(part, path)
    finally:
        part.unlink(missing_ok=True)


def load_npz(path: str | Path, wanted: tuple[str, ...], optional: tuple[str, ...] = ()) -> dict[str, np.ndarray]:
    """The arrays `wanted`, and those of `optional` that are there.

    Raises:
        FormatError: missing, corrupt, too large, of another version, or without an array that is wanted.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            if sum(member.file_size for member in archive.infolist()) > _LARGEST_CONTENT:
                raise FormatError(
                    f"{path}: unpacks to more than {_LARGEST_CONTENT / 1e9:.0f} GB, which no session needs"
                )
        with np.load(path, allow_pickle=False) as file:
            _check_members(path, file, (*wanted, "format_version"))
            return {name: file[name] for name in (*wanted, *(set(optional) & set(file.files)))}
    except _UNREADABLE as error:
        raise FormatError(f"{path}: cannot read this npz file: {one_line(error)}") from error


def one_line(error: Exception) -> str:
    """An error's message on one line, or its class where it says nothing."""
    return " ".join(str(error).split())[:400] or type(error).__name__


def _check_members(path: str | Path, file: NpzFile, wanted: tuple[str, ...]) -> None:
    missing = [name for name in wanted if name not in file.files]
    if missing:
        raise FormatError(f"{path}: not a file of this kind, it lacks {', '.join(missing)}")
    version = int(file["format_version"])
    if version != FORMAT_VERSION:
        raise FormatError(f"{path}: format_version {version}, this program reads {FORMAT_VERSION}; update mv3d")
