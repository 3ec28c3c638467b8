"""Keypoints that OpenPose wrote: one JSON file per frame (`--write_json`), version 1.3 and older.

Pose2Sim (RTMLib), and AlphaPose with `--format open`, write the same layout, with the joints of other skeletons.
"""

import re
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from mv3d.data.poses import Poses2D
from mv3d.data.skeleton import Skeleton
from mv3d.errors import FormatError, SessionError
from mv3d.files.camera_sources import camera_of, files_with, folders_with, sources_of_cameras
from mv3d.files.json_text import read_json
from mv3d.files.people import (
    MAX_PEOPLE,
    FoundPerson,
    ViewPeople,
    cleaned,
    frame_range,
    scored_points,
    skeleton_of,
    to_poses2d,
)

# A file of a hundred people with hands and face is about 2 MB.
_MAX_BYTES = 32_000_000
_NAME = re.compile(r"(?P<base>.*?)(_keypoints(_(?P<view>\d+))?)?\.json", re.IGNORECASE)
# Key in the file, name of the group, how many points it may have (68 without the pupils).
_PARTS = (
    ("hand_left_keypoints_2d", "left_hand", (21,)),
    ("hand_right_keypoints_2d", "right_hand", (21,)),
    ("face_keypoints_2d", "face", (68, 70)),
)


def read_openpose_json(
    folder: str | Path, fps: float | int, skeleton: Skeleton | None = None, max_people: int = MAX_PEOPLE
) -> Poses2D:
    """Read the JSON files of one view.

    Args:
        folder: one file per frame; the last number of its name is the frame, numbers left out are empty frames.
        fps: frames per second of the video.
        skeleton: the order of the body's joints, e.g. BODY_25B, which cannot be told from BODY_25; by the count if
            None.
        max_people: slots per frame; more people are dropped by mean score.

    Returns:
        Frames from the first to the last number; timestamps are number / fps. Hands and face follow the body's joints
        if anybody has them.

    Raises:
        FormatError: no JSON files, or one that is empty, corrupt or of another skeleton; names it.
    """
    view = _only_view(Path(folder))
    return to_poses2d(view, frame_range([view]), fps, skeleton_of([view], skeleton), max_people)


def read_openpose_views(folder: Path, rig_names: Sequence[str]) -> dict[str, ViewPeople]:
    """All cameras: a folder of JSON for each, or the JSON of all views in one folder in the rig's order.

    Raises:
        SessionError: a camera without keypoints or the reverse.
        FormatError: a file is corrupt.
    """
    if files_with(folder, ".json"):
        views = read_views(folder)
        if sorted(views) != list(range(len(rig_names))):
            raise SessionError(
                f"{folder}: JSON of {len(views)} views, the rig has {len(rig_names)} cameras ({', '.join(rig_names)})"
            )
        return {name: views[i] for i, name in enumerate(rig_names)}
    found = [(camera_of(path.name), path) for path in folders_with(folder, ".json")]
    return {name: _only_view(path) for name, path in sources_of_cameras(folder, rig_names, found).items()}


def _only_view(folder: Path) -> ViewPeople:
    views = read_views(folder)
    if len(views) > 1:
        raise FormatError(f"{folder}: holds files of {len(views)} views; keep one view in a folder")
    return next(iter(views.values()))


def read_views(folder: Path) -> dict[int, ViewPeople]:
    """All views whose files lie in a folder: `_keypoints.json` is view 0, `_keypoints_1.json` view 1 and so on."""
    views: dict[int, dict[int, tuple[FoundPerson, ...]]] = defaultdict(dict)
    for path in files_with(folder, ".json"):
        view, frame = _view_and_frame(path)
        if frame in views[view]:
            raise FormatError(f"{path}: a second file for frame {frame}; keep one recording in a folder")
        views[view][frame] = _read_people(path)
    if not views:
        raise FormatError(f"{folder}: no JSON files of keypoints in it")
    return {view: ViewPeople(folder, views[view]) for view in sorted(views)}


def _view_and_frame(path: Path) -> tuple[int, int]:
    match = _NAME.fullmatch(path.name)
    numbers = re.findall(r"\d+", match["base"]) if match else []
    if not match or not numbers:
        raise FormatError(f"{path}: its name holds no frame number, as in 000000000012_keypoints.json")
    return int(match["view"] or 0), int(numbers[-1])


def _read_people(path: Path) -> tuple[FoundPerson, ...]:
    document = read_json(path, _MAX_BYTES, "the keypoints of a frame")
    people = document.get("people") if isinstance(document, dict) else None
    if not isinstance(people, list):
        raise FormatError(f"{path}: not a file of OpenPose, it has no list named people")
    found = [_person(path, person) for person in people]
    return tuple(person for person in found if len(person.body))


def _person(path: Path, person: object) -> FoundPerson:
    if not isinstance(person, dict) or not ({"pose_keypoints_2d", "pose_keypoints"} & person.keys()):
        raise FormatError(f"{path}: a person without pose_keypoints_2d")
    key = "pose_keypoints_2d" if "pose_keypoints_2d" in person else "pose_keypoints"  # the second is of before 1.0
    parts = {}
    for part_key, name, counts in _PARTS:
        if not person.get(part_key):
            continue  # an empty list: it was not asked for
        parts[name] = _points(path, part_key, person[part_key])
        if len(parts[name]) not in counts:
            raise FormatError(f"{path}: {part_key} has {len(parts[name])} points, wanted {counts[-1]}")
    return FoundPerson(_points(path, key, person[key]), parts)


def _points(path: Path, key: str, values: object) -> np.ndarray:
    try:
        return cleaned(scored_points(values))
    except ValueError as error:
        raise FormatError(f"{path}: {key} must be a list of x, y, score: {error}") from error
