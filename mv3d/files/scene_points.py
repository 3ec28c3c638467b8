"""Points of a scene that were marked in pictures, and where they are in the wanted world: a YAML file.

points:
- name: corner of the mat
  xyz: [0, 0, 0]                  # m; optional
  seen: {cam01: [812.5, 430], cam02: [301, 622]}    # px

Or Pose2Sim's Image_points.json, see `mv3d.files.pose2sim_scene`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import yaml

from mv3d.errors import CalibrationError
from mv3d.files.opencv_storage import load_yaml
from mv3d.files.pose2sim_scene import read_image_points
from mv3d.files.rig_entries import check_keys, numbers, read_limited
from mv3d.files.sessions import alike


@dataclass(frozen=True, slots=True)
class ScenePoint:
    """A point of the scene.

    Attributes:
        name: of the point.
        xyz: where it is in the wanted world, m; None if that is not known.
        seen: x, y px by camera.
    """

    name: str
    xyz: tuple[float, float, float] | None
    seen: Mapping[str, tuple[float, float]]


def load_scene(path: str | Path, cameras: Sequence[str] = ()) -> tuple[ScenePoint, ...]:
    """Read a file of points.

    Args:
        path: the file.
        cameras: names of the rig; a name of the file that differs from one of them as names of files may becomes it.

    Raises:
        CalibrationError: not such a file; names the point.
    """
    path = Path(path)
    points = _clicked(path) if path.suffix.lower() == ".json" else _listed(path)
    return tuple(
        replace(point, seen={alike(name, cameras) or name: xy for name, xy in point.seen.items()}) for point in points
    )


def _clicked(path: Path) -> tuple[ScenePoint, ...]:
    """Of Pose2Sim: a point is its place, and named by it."""
    seen: dict[tuple[float, float, float], dict[str, tuple[float, float]]] = {}
    for camera, points in read_image_points(path).items():
        for place, pixel in points:
            seen.setdefault(place, {})[camera] = pixel
    return tuple(ScenePoint(", ".join(f"{v:g}" for v in place), place, by) for place, by in seen.items())


def _listed(path: Path) -> tuple[ScenePoint, ...]:
    try:
        document = load_yaml(read_limited(path).decode("utf-8"))
        entries = document.get("points") if isinstance(document, dict) else None
        if not isinstance(entries, list) or not entries:
            raise ValueError("no list `points` in it")
        points = tuple(_point(entry, number) for number, entry in enumerate(entries, 1))
    except (yaml.YAMLError, ValueError, TypeError, OverflowError, RecursionError) as error:
        raise CalibrationError(f"{path}: not a file of scene points: {' '.join(str(error).split())[:200]}") from error
    names = [point.name for point in points]
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        raise CalibrationError(f"{path}: two points are named {twice}")
    return points


def _point(entry: Any, number: int) -> ScenePoint:
    if not isinstance(entry, dict):
        raise ValueError(f"point {number} is not a mapping")
    check_keys(entry, ("name", "xyz", "seen"), f"point {number}")
    name, seen, xyz = str(entry.get("name", number))[:100], entry.get("seen"), entry.get("xyz")
    if not isinstance(seen, dict):
        raise ValueError(f"point {name}: seen: {{camera: [x, y], ...}} is wanted")
    marked = {}
    for camera, xy in seen.items():
        x, y = numbers(xy, f"point {name} in {camera}", 2).ravel()
        marked[str(camera)] = (float(x), float(y))
    if xyz is None:
        return ScenePoint(name, None, marked)
    x, y, z = numbers(xyz, f"xyz of point {name}", 3).ravel()
    return ScenePoint(name, (float(x), float(y), float(z)), marked)
