"""Keypoints that DeepLabCut wrote: one CSV per camera, of one animal or of several. aniposelib reads the same files.

The layout is that of `analyze_videos(save_as_csv=True)` and `analyze_videos_converth5_to_csv` of DeepLabCut 2 and 3:
header rows scorer, individuals (several animals only), bodyparts, coords (x, y, likelihood), then a frame a row. Pixel
centres are at integers. Its HDF5 files are pandas tables, whose reader unpickles what they hold, so they are not read.
"""

import csv
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from mv3d.data.skeleton import Skeleton
from mv3d.data.skeletons import SKELETONS
from mv3d.errors import FormatError
from mv3d.files.camera_sources import camera_of, files_with, sources_of_cameras
from mv3d.files.json_text import json_begins_with
from mv3d.files.people import FoundPerson, ViewPeople, cleaned

EXPORT_ADVICE = "export CSV, in DeepLabCut with analyze_videos(..., save_as_csv=True)"
# An hour at 60 frames/s of 50 joints is about 600 MB.
_MAX_BYTES = 2_000_000_000
_HEADER = ("scorer", "individuals", "bodyparts", "coords")
_COORDS = ("x", "y", "likelihood")

_Column = tuple[str, str, str]  # individual, body part, coordinate


def is_in(folder: Path) -> bool:
    """Whether a folder holds CSV of DeepLabCut."""
    return any(json_begins_with(path, 16).startswith("scorer,") for path in files_with(folder, ".csv"))


def read_deeplabcut(folder: Path, rig_names: Sequence[str]) -> dict[str, ViewPeople]:
    """All cameras, of `<camera>DLC_<network>.csv` or `<camera>.csv`.

    Raises:
        SessionError: a camera without a file, or two for one (raw and filtered).
        FormatError: a file is corrupt; names it and the line.
    """
    found = [(_camera(path), path) for path in files_with(folder, ".csv")]
    if not found:
        raise FormatError(f"{folder}: no CSV files in it; {EXPORT_ADVICE}")
    return {name: _read_view(path) for name, path in sources_of_cameras(folder, rig_names, found).items()}


def _camera(path: Path) -> str:
    return camera_of(path.stem.split("DLC_")[0].rstrip("_-. ") or path.stem)


def _read_view(path: Path) -> ViewPeople:
    if path.stat().st_size > _MAX_BYTES:
        raise FormatError(f"{path}: {path.stat().st_size} bytes are too many for the keypoints of a camera")
    people: dict[int, tuple[FoundPerson, ...]] = {}
    with path.open(newline="", encoding="utf-8-sig") as file:
        rows = csv.reader(file)
        try:
            columns = _columns(rows)
            joints = tuple(dict.fromkeys(part for _, part, _ in columns))
            place = _places(columns, joints)
            for row in rows:
                frame = _frame(row)
                if frame in people:
                    raise ValueError(f"a second row for frame {frame}")
                people[frame] = _people(row[1:], place, len(joints))
        except (ValueError, csv.Error, UnicodeDecodeError) as error:
            raise FormatError(f"{path}: line {rows.line_num}: {error}; {EXPORT_ADVICE}") from error
    if not people:
        raise FormatError(f"{path}: holds no frame; run DeepLabCut on this video again")
    known = next((s for s in SKELETONS.values() if s.keypoints == joints), None)
    return ViewPeople(path, people, known or Skeleton("DeepLabCut", joints, ()))


def _columns(rows: Iterator[list[str]]) -> list[_Column]:
    """What each column after the first holds."""
    header: dict[str, list[str]] = {}
    for row in rows:
        header[row[0] if row else ""] = row[1:]
        if row and row[0] == "coords":
            break
        if not row or row[0] not in _HEADER:
            raise ValueError("the header rows must be scorer, bodyparts and coords")
    if not {"scorer", "bodyparts", "coords"} <= header.keys():
        raise ValueError("the header rows must be scorer, bodyparts and coords")
    individuals = header.get("individuals", [""] * len(header["coords"]))
    if not len(individuals) == len(header["bodyparts"]) == len(header["coords"]) > 0:
        raise ValueError("the header rows differ in length")
    columns = list(zip(individuals, header["bodyparts"], header["coords"], strict=True))
    if len(set(columns)) != len(columns) or not {c for _, _, c in columns} <= set(_COORDS):
        raise ValueError("each body part must have one column of x, y and likelihood")
    return columns


def _places(columns: list[_Column], joints: tuple[str, ...]) -> np.ndarray:
    """(individual, joint, 3) index of the column of x, y, likelihood; -1 where there is none."""
    individuals = list(dict.fromkeys(individual for individual, _, _ in columns))
    place = np.full((len(individuals), len(joints), 3), -1)
    for i, (individual, part, coordinate) in enumerate(columns):
        place[individuals.index(individual), joints.index(part), _COORDS.index(coordinate)] = i
    return place


def _frame(row: list[str]) -> int:
    if not row or not row[0].isdecimal() or len(row[0]) > 12:
        raise ValueError(f"the first column must be a frame number, not {(row or [''])[0][:40]!r}")
    return int(row[0])


def _people(cells: list[str], place: np.ndarray, joints: int) -> tuple[FoundPerson, ...]:
    if len(cells) <= place.max():
        raise ValueError(f"{len(cells)} values, the header names {place.max() + 1}")
    values = np.array([*(float(cell) if cell else np.nan for cell in cells), np.nan])
    points = values[place]
    points[place[..., 2] < 0, 2] = 1.0  # labelled by hand: no likelihood
    found = [cleaned(person) for person in points.reshape(-1, joints, 3)]
    return tuple(FoundPerson(person) for person in found if person[:, 2].any())
