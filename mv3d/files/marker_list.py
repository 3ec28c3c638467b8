"""Single markers in a scene: their sizes, distances and places, as far as they were measured; a YAML file.

dictionary: DICT_4X4_50
side_mm: 120                        # of all markers; one of its own over it
markers:
- {id: 3, xyz: [0, 0, 0]}           # m, the marker's middle in the wanted world; optional
- {id: 7, side_mm: 80}
distances:                          # m, from middle to middle; optional
- [3, 7, 1.25]
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from mv3d.errors import CalibrationError
from mv3d.files.opencv_storage import load_yaml
from mv3d.files.rig_entries import check_keys, numbers, read_limited

_KEYS, _MARKER_KEYS = ("dictionary", "distances", "markers", "side_mm"), ("id", "side_mm", "xyz")


@dataclass(frozen=True, slots=True)
class SceneMarker:
    """A marker of the scene.

    Attributes:
        number: in its dictionary.
        side: of its black square, m; None if that was not measured.
        xyz: its middle in the wanted world, m; None if that is not known.
    """

    number: int
    side: float | None
    xyz: tuple[float, float, float] | None


@dataclass(frozen=True, slots=True)
class MarkerList:
    """Markers and what was measured between them.

    Attributes:
        dictionary: OpenCV's name, e.g. DICT_4X4_50.
        markers: each number once.
        distances: two numbers, and m from middle to middle.
    """

    dictionary: str
    markers: tuple[SceneMarker, ...]
    distances: tuple[tuple[int, int, float], ...]


def load_markers(path: str | Path) -> MarkerList:
    """Read a list of markers.

    Raises:
        CalibrationError: not such a file; names the marker.
    """
    path = Path(path)
    try:
        return _parsed(load_yaml(read_limited(path).decode("utf-8")))
    except (yaml.YAMLError, ValueError, TypeError, OverflowError, RecursionError) as error:
        raise CalibrationError(f"{path}: not a list of markers: {' '.join(str(error).split())[:200]}") from error


def _parsed(document: Any) -> MarkerList:
    if not isinstance(document, dict) or not isinstance(document.get("markers"), list) or not document["markers"]:
        raise ValueError("no list `markers` in it")
    check_keys(document, _KEYS, "the file")
    common = document.get("side_mm")
    markers = tuple(_marker(entry, common, place) for place, entry in enumerate(document["markers"], 1))
    known = [marker.number for marker in markers]
    twice = next((number for number in known if known.count(number) > 1), None)
    if twice is not None:
        raise ValueError(f"marker {twice} is listed twice")
    distances = []
    for entry in document.get("distances") or []:
        a, b, metres = numbers(entry, "a distance [id, id, metres]", 3).ravel()
        if not {int(a), int(b)} <= set(known) or a == b or not metres > 0:
            raise ValueError(f"distance {entry}: two different ids of the list and metres are wanted")
        distances.append((int(a), int(b), float(metres)))
    return MarkerList(str(document.get("dictionary", "")), markers, tuple(distances))


def _marker(entry: Any, common: Any, place: int) -> SceneMarker:
    if not isinstance(entry, dict) or type(entry.get("id")) is not int or entry["id"] < 0:
        raise ValueError(f"marker {place} of the list: id must be a whole number")
    check_keys(entry, _MARKER_KEYS, f"marker {entry['id']}")
    side = entry.get("side_mm", common)
    if side is not None and not (isinstance(side, int | float) and not isinstance(side, bool) and 1 <= side <= 10_000):
        raise ValueError(f"marker {entry['id']}: side_mm is {str(side)[:40]}, 1 to 10000 is wanted")
    if entry.get("xyz") is None:
        return SceneMarker(entry["id"], None if side is None else side / 1e3, None)
    x, y, z = (float(v) for v in numbers(entry["xyz"], f"xyz of marker {entry['id']}", 3).ravel())
    return SceneMarker(entry["id"], None if side is None else side / 1e3, (x, y, z))
