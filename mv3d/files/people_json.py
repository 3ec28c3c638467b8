"""Keypoints in JSON of EasyMocap, AlphaPose and MMPose.

- EasyMocap (0.2): `annots/<camera>/000000.json`, one file a frame: annots, a list of people with keypoints [x, y, c]
  and perhaps handl2d, handr2d, face2d.
- AlphaPose (0.3 to 0.6, its default form): one `alphapose-results.json` a video, a list of people with image_id
  ("12.jpg") and keypoints x, y, c in one row.
- MMPose (1.x demos): one `results_<video>.json` a video: instance_info, a list of frames with frame_id and instances of
  keypoints [x, y] and keypoint_scores; meta_info may name the joints. frame_id counts from 1.
"""

import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from mv3d.data.skeleton import Skeleton
from mv3d.data.skeletons import SKELETON_OF_COUNT
from mv3d.errors import FormatError
from mv3d.files.camera_sources import camera_of, files_with, folders_with, sources_of_cameras
from mv3d.files.json_text import json_begins_with, read_json
from mv3d.files.people import FoundPerson, ViewPeople, cleaned, scored_points

_MAX_FRAME_BYTES = 32_000_000
# An hour at 60 frames/s of one person with 26 joints is about 300 MB.
_MAX_VIDEO_BYTES = 500_000_000
_EASYMOCAP_PARTS = (("handl2d", "left_hand", (21,)), ("handr2d", "right_hand", (21,)), ("face2d", "face", (68, 70)))


def is_any_json(folder: Path) -> bool:
    """Whether there is JSON in a folder, or in one directly below."""
    return bool(_first(folder))


def is_easymocap(folder: Path) -> bool:
    """Whether a folder is EasyMocap's annots, or holds it."""
    text = _begins(_first(_annots(folder)))
    return '"annots"' in text or '"personID"' in text


def is_alphapose(folder: Path) -> bool:
    """Whether the JSON in a folder is AlphaPose's."""
    text = _begins(_first(folder))
    return text.startswith("[") and '"image_id"' in text


def is_mmpose(folder: Path) -> bool:
    """Whether the JSON in a folder is MMPose's."""
    text = _begins(_first(folder))
    return any(key in text for key in ('"instance_info"', '"meta_info"', '"keypoint_scores"'))


def read_easymocap(folder: Path, rig_names: Sequence[str]) -> dict[str, ViewPeople]:
    """All cameras of a data folder of EasyMocap, or of its annots.

    Raises:
        SessionError: a camera without keypoints or the reverse.
        FormatError: a file is corrupt; names it.
    """
    folder = _annots(folder)
    found = [(path.name, path) for path in folders_with(folder, ".json")]
    return {name: _easymocap_view(path) for name, path in sources_of_cameras(folder, rig_names, found).items()}


def read_alphapose(folder: Path, rig_names: Sequence[str]) -> dict[str, ViewPeople]:
    """All cameras of `<camera>/alphapose-results.json` or `<camera>.json`; raises as `read_easymocap`."""
    return _one_file_each(folder, rig_names, _alphapose_view)


def read_mmpose(folder: Path, rig_names: Sequence[str]) -> dict[str, ViewPeople]:
    """All cameras of `results_<camera>.json`, `<camera>.json` or `<camera>/*.json`; raises as `read_easymocap`."""
    return _one_file_each(folder, rig_names, _mmpose_view)


def _annots(folder: Path) -> Path:
    return folder / "annots" if (folder / "annots").is_dir() else folder


def _first(folder: Path) -> Path | None:
    places = [folder, *folders_with(folder, ".json")]
    return next((path for place in places for path in files_with(place, ".json")), None)


def _begins(path: Path | None) -> str:
    return json_begins_with(path) if path else ""


def _one_file_each(folder: Path, rig_names: Sequence[str], read: Callable[[Path], ViewPeople]) -> dict[str, ViewPeople]:
    found = [(camera_of(path.stem), path) for path in files_with(folder, ".json")]
    found += [
        (camera_of(below.name), path) for below in folders_with(folder, ".json") for path in files_with(below, ".json")
    ]
    return {name: read(path) for name, path in sources_of_cameras(folder, rig_names, found).items()}


def _easymocap_view(folder: Path) -> ViewPeople:
    people: dict[int, tuple[FoundPerson, ...]] = {}
    for path in files_with(folder, ".json"):
        document = read_json(path, _MAX_FRAME_BYTES, "the keypoints of a frame")
        annots = document.get("annots") if isinstance(document, dict) else document
        frame = _last_number(path, path.stem)
        if frame in people:
            raise FormatError(f"{path}: a second file for frame {frame}; keep one recording in a folder")
        people[frame] = tuple(_easymocap_person(path, annot) for annot in _entries(path, annots, "annots"))
    return ViewPeople(folder, people)


def _easymocap_person(path: Path, annot: dict[str, Any]) -> FoundPerson:
    parts = {}
    for key, name, counts in _EASYMOCAP_PARTS:
        if not annot.get(key):
            continue
        parts[name] = _points(path, key, annot[key])
        if len(parts[name]) not in counts:
            raise FormatError(f"{path}: {key} has {len(parts[name])} points, wanted {counts[-1]}")
    return FoundPerson(_points(path, "keypoints", annot.get("keypoints")), parts)


def _alphapose_view(path: Path) -> ViewPeople:
    document = read_json(path, _MAX_VIDEO_BYTES, "the keypoints of a video")
    people: dict[int, list[FoundPerson]] = defaultdict(list)
    for entry in _entries(path, document, "people"):
        frame = _last_number(path, Path(str(entry.get("image_id"))).stem)
        people[frame].append(FoundPerson(_points(path, "keypoints", entry.get("keypoints"))))
    return ViewPeople(path, {frame: tuple(found) for frame, found in people.items()})


def _mmpose_view(path: Path) -> ViewPeople:
    document = read_json(path, _MAX_VIDEO_BYTES, "the keypoints of a video")
    is_whole = isinstance(document, dict)
    people: dict[int, tuple[FoundPerson, ...]] = {}
    for entry in _entries(path, document.get("instance_info") if is_whole else document, "instance_info"):
        if "instances" not in entry:
            raise FormatError(f"{path}: of a single picture, not of a video; run MMPose on the video")
        frame = entry.get("frame_id")
        if not isinstance(frame, int) or frame in people:
            raise FormatError(f"{path}: frame_id {str(frame)[:40]} is missing, no whole number, or there twice")
        people[frame] = tuple(_mmpose_person(path, one) for one in _entries(path, entry["instances"], "instances"))
    first = 1 if is_whole else 0  # the demos count from 1, lists of the inferencer from 0
    view = ViewPeople(path, {frame - first: found for frame, found in people.items()})
    counts = view.joint_counts
    if is_whole and len(counts) == 1 and not counts & SKELETON_OF_COUNT.keys():
        return ViewPeople(path, view.people, _mmpose_skeleton(document.get("meta_info"), *counts))
    return view


def _mmpose_person(path: Path, instance: dict[str, Any]) -> FoundPerson:
    xy = _points(path, "keypoints", instance.get("keypoints"), 2)
    score = _points(path, "keypoint_scores", instance.get("keypoint_scores"), 1)
    if len(xy) != len(score):
        raise FormatError(f"{path}: {len(xy)} keypoints with {len(score)} keypoint_scores")
    return FoundPerson(cleaned(np.hstack([xy, score])))


def _mmpose_skeleton(meta: Any, count: int) -> Skeleton | None:
    """The joints that MMPose's data set names, where it does."""
    names = meta.get("keypoint_id2name") if isinstance(meta, dict) else None
    if (
        not isinstance(names, dict)
        or {str(i) for i in range(count)} != set(names)
        or len(set(map(str, names.values()))) != count
    ):
        return None
    return Skeleton("MMPose", tuple(str(names[str(i)]) for i in range(count)), ())


def _entries(path: Path, value: Any, what: str) -> Iterable[dict[str, Any]]:
    if not isinstance(value, list) or not all(isinstance(entry, dict) for entry in value):
        raise FormatError(f"{path}: {what} must be a list; is it a file of the right program?")
    return value


def _last_number(path: Path, name: str) -> int:
    numbers = re.findall(r"\d{1,12}", name)
    if not numbers:
        raise FormatError(f"{path}: {name[:60]!r} holds no frame number, as in 000012.json or 12.jpg")
    return int(numbers[-1])


def _points(path: Path, key: str, values: object, columns: int = 3) -> np.ndarray:
    try:
        points = scored_points(values, columns)
    except ValueError as error:
        raise FormatError(f"{path}: {key} must be a list of numbers, {columns} for each point: {error}") from error
    return cleaned(points) if columns == 3 else points
