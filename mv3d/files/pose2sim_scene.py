"""Pose2Sim's `Image_points.json`: points of known place that were clicked in a picture of every camera.

{"extrinsics": [{"cam_name": "cam01_ext.png", "image_points_2d": [x1, y1, ...], "object_points_3d": [X1, Y1, Z1, ...]}]}

Lengths are metres; a point that is hidden is left out of both lists, or null in the first. The points are
`object_coords_3d` of [calibration.calculate.extrinsics.scene] in Config.toml, which the file repeats.
Source: Pose2Sim 0.10, calibration.py, append_points_to_json.
"""

import json
import re
from pathlib import Path
from typing import Any

import numpy as np

from mv3d.errors import CalibrationError
from mv3d.files.rig_entries import numbers, read_limited

# What Pose2Sim's own folders and its demo add to a camera's name.
_ADDED = re.compile(r"^(ext|int)_|_(ext|int|img)(?=_|$)", re.IGNORECASE)

Clicked = dict[str, list[tuple[tuple[float, float, float], tuple[float, float]]]]


def read_image_points(path: Path) -> Clicked:
    """Places (m) and pixels of the points that were clicked, by camera; named by the pictures.

    Raises:
        CalibrationError: not such a file; names the picture.
    """
    try:
        document = json.loads(read_limited(path).decode("utf-8"))
        entries = document.get("extrinsics") if isinstance(document, dict) else None
        if not isinstance(entries, list) or not entries:
            raise ValueError("no list `extrinsics` in it; click the points of a scene in Pose2Sim first")
        clicked: Clicked = {}
        for number, entry in enumerate(entries, 1):
            name, points = _picture(entry, number)
            if name in clicked:
                raise ValueError(f"two pictures are of camera {name}")
            clicked[name] = points
    except (ValueError, TypeError, OverflowError, RecursionError) as error:
        raise CalibrationError(f"{path}: not Pose2Sim's image points: {' '.join(str(error).split())[:200]}") from error
    return clicked


def _picture(entry: Any, number: int) -> tuple[str, list[tuple[tuple[float, float, float], tuple[float, float]]]]:
    if not isinstance(entry, dict) or not isinstance(entry.get("cam_name"), str):
        raise ValueError(f"picture {number} has no cam_name")
    file = entry["cam_name"][:100]
    flat = entry.get("image_points_2d")
    if not isinstance(flat, list) or len(flat) % 2:
        raise ValueError(f"{file}: image_points_2d is not a list x1, y1, x2, y2, ...")
    places = numbers(entry.get("object_points_3d", []), f"{file}: object_points_3d").reshape(-1)
    if len(places) % 3:
        raise ValueError(f"{file}: object_points_3d is not a list X1, Y1, Z1, X2, ...")
    places = places.reshape(-1, 3)
    pairs = [flat[i : i + 2] for i in range(0, len(flat), 2)]
    shown = [i for i, pair in enumerate(pairs) if None not in pair]
    pixels = numbers([pairs[i] for i in shown], f"{file}: image_points_2d").reshape(-1, 2)
    if len(places) == len(pairs):
        places = places[shown]
    if len(places) != len(pixels):
        raise ValueError(f"{file}: {len(pixels)} points in the picture, {len(places)} places")
    name = _ADDED.sub("", Path(file).stem) or Path(file).stem
    return name, [_pair(place, pixel) for place, pixel in zip(places, pixels, strict=True)]


def _pair(place: np.ndarray, pixel: np.ndarray) -> tuple[tuple[float, float, float], tuple[float, float]]:
    x, y, z = (float(v) for v in place)
    return (x, y, z), (float(pixel[0]), float(pixel[1]))
