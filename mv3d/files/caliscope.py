"""Keypoints that caliscope wrote: `xy_<TRACKER>.csv`, one row a point, all cameras in one file.

The layout is that of caliscope 0.3 to 0.11: sync_index, port, frame_index, frame_time, point_id, img_loc_x, img_loc_y,
obj_loc_x ...; later versions say cam_id for port, keypoint_id for point_id, and add object_id. Positions are pixels of
the image as filmed, without scores. Rows of one sync_index are of one instant; frame_time is each camera's own.
"""

import csv
import re
from collections import defaultdict
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from mv3d.data.skeleton import Skeleton
from mv3d.data.skeletons import BLAZEPOSE_33, with_hands_and_face
from mv3d.errors import FormatError, SessionError
from mv3d.files.people import FoundPerson, ViewPeople, cleaned

# An hour of eight cameras at 30 frames/s with 33 points is about 3 GB.
_MAX_BYTES = 4_000_000_000
_PATTERN = "xy_*.csv"
_CAMERA, _POINT = ("port", "cam_id"), ("point_id", "keypoint_id")
_MOST_POINTS = 1000
# MediaPipe's trackers number the points of the body from 0, of the right hand from 100, of the left from 200, of the
# face from 500, whose mesh has no counterpart here.
_BODY_AND_HANDS = with_hands_and_face(BLAZEPOSE_33, True, 0)
_PLACE = {
    **{i: i for i in range(33)},
    **{200 + i: 33 + i for i in range(21)},
    **{100 + i: 54 + i for i in range(21)},
}
_MEDIAPIPE = {"POSE": BLAZEPOSE_33, "HOLISTIC": _BODY_AND_HANDS, "SIMPLE_HOLISTIC": _BODY_AND_HANDS}

_Row = tuple[int, int, float, int, float, float]  # camera, instant, s, point, x, y


def is_in(folder: Path) -> bool:
    """Whether a folder holds keypoints of caliscope."""
    return any(folder.glob(_PATTERN))


def read_caliscope(folder: Path, rig_names: Sequence[str]) -> dict[str, ViewPeople]:
    """All cameras; port 2 is the camera of the rig whose name ends in the number 2.

    Raises:
        SessionError: no file or several, or ports that are not the rig's.
        FormatError: the file is corrupt; names the line.
    """
    found = sorted(folder.glob(_PATTERN))
    if len(found) != 1:
        names = f" ({', '.join(path.name for path in found)}); keep one of them" if found else ""
        raise SessionError(f"{folder}: {len(found)} files {_PATTERN}{names}")
    path = found[0]
    if path.stat().st_size > _MAX_BYTES:
        raise FormatError(f"{path}: {path.stat().st_size} bytes are too many for keypoints")
    skeleton = _MEDIAPIPE.get(path.stem.removeprefix("xy_").upper())
    table = _table(path)
    ports = _ports(path, rig_names, set(table[:, 0].astype(int).tolist()))
    joints = len(skeleton) if skeleton else int(table[:, 3].max()) + 1
    return {name: _view(path, table[table[:, 0] == port], skeleton, joints) for name, port in ports.items()}


def _table(path: Path) -> np.ndarray:
    """(row, 6): camera, instant, s, point, x, y."""
    with path.open(newline="", encoding="utf-8-sig") as file:
        rows = csv.reader(file)
        try:
            table = np.fromiter(_rows(rows), np.dtype((np.float64, 6)))
        except (ValueError, IndexError, OverflowError, csv.Error, UnicodeDecodeError) as error:
            problem = " ".join(str(error).split())
            raise FormatError(f"{path}: line {rows.line_num}: {problem}; run the tracker of caliscope again") from error
    if not len(table):
        raise FormatError(f"{path}: holds no point; run the tracker of caliscope again")
    return table


def _rows(rows: Iterator[list[str]]) -> Iterator[_Row]:
    header = next(rows, [])
    camera = next((header.index(name) for name in _CAMERA if name in header), None)
    point = next((header.index(name) for name in _POINT if name in header), None)
    if camera is None or point is None or not {"sync_index", "img_loc_x", "img_loc_y"} <= set(header):
        raise ValueError("the columns must be sync_index, port, frame_time, point_id, img_loc_x, img_loc_y")
    instant, x, y = (header.index(name) for name in ("sync_index", "img_loc_x", "img_loc_y"))
    time = header.index("frame_time") if "frame_time" in header else None
    for row in rows:
        if not row:
            continue
        if not 0 <= int(row[point]) < _MOST_POINTS:
            raise ValueError(f"point {row[point][:20]} is beyond any tracker's")
        seconds = float(row[time] or "nan") if time is not None else float("nan")
        yield int(row[camera]), int(row[instant]), seconds, int(row[point]), float(row[x]), float(row[y])


def _ports(path: Path, rig_names: Sequence[str], ports: set[int]) -> dict[str, int]:
    numbers = {name: int(found[-1]) for name in rig_names if (found := re.findall(r"\d+", name))}
    if len(set(numbers.values())) != len(rig_names) or ports - set(numbers.values()):
        raise SessionError(
            f"{path}: keypoints of cameras {', '.join(map(str, sorted(ports)))}, the rig has {', '.join(rig_names)}; "
            "the names of the rig must end in caliscope's numbers (cam_1, cam_2)"
        )
    return numbers


def _view(path: Path, table: np.ndarray, skeleton: Skeleton | None, joints: int) -> ViewPeople:
    bodies: dict[int, np.ndarray] = defaultdict(lambda: np.zeros((joints, 3)))
    times: dict[int, float] = {}
    for _, instant, seconds, point, x, y in table.tolist():
        place = int(point) if skeleton is None else _PLACE.get(int(point), joints)
        times[int(instant)] = seconds
        if place < joints:
            bodies[int(instant)][place] = x, y, 1.0
    people = {instant: (FoundPerson(cleaned(body)),) for instant, body in bodies.items()}
    seconds = np.array([times[instant] for instant in sorted(times)])
    are_times = bool(np.isfinite(seconds).all() and np.all(np.diff(seconds) > 0))
    return ViewPeople(path, people, skeleton, times if are_times else None, is_numbered=skeleton is None)
