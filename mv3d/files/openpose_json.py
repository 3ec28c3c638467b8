"""Keypoints that OpenPose wrote: one JSON file per frame (`--write_json`), version 1.3 and older.

A point is x, y, c in pixels of the source image; c == 0 means that it was not found, never that it lies at (0, 0).
"""

import json
import re
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from mv3d.data.poses import Poses2D
from mv3d.data.skeleton import Skeleton
from mv3d.data.skeletons import BODY_25, COCO_18, MPI_15
from mv3d.errors import FormatError
from mv3d.files.natural import natural_key

MAX_PEOPLE = 8
_SKELETON_OF_COUNT = {len(s): s for s in (BODY_25, COCO_18, MPI_15)}
# A file of a hundred people with hands and face is about 2 MB.
_MAX_BYTES = 32_000_000
# More frames than this between the first and the last file, for each file, means that the numbers are not frames.
_MAX_SPARSENESS = 1000
_NAME = re.compile(r"(?P<base>.*?)(_keypoints(_(?P<view>\d+))?)?\.json", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class JsonSequence:
    """The files of one view as they are: for each frame number the people, each (joint, 3) of x, y, score.

    Attributes:
        source: the folder, for messages.
        people: by frame number; an empty tuple where nobody was found.
    """

    source: Path
    people: dict[int, tuple[np.ndarray, ...]]

    @property
    def joint_counts(self) -> set[int]:
        """How many joints people have; one number in a sound sequence, none where nobody was found."""
        return {len(person) for frame in self.people.values() for person in frame}


def read_openpose_json(
    folder: str | Path, fps: float | int, skeleton: Skeleton | None = None, max_people: int = MAX_PEOPLE
) -> Poses2D:
    """Read the JSON files of one view.

    Args:
        folder: one file per frame; the last number of its name is the frame, numbers left out are empty frames.
        fps: frames per second of the video.
        skeleton: the order of joints, e.g. BODY_25B, which cannot be told from BODY_25; by the count if None.
        max_people: slots per frame; more people are dropped by mean score.

    Returns:
        Frames from the first to the last number; timestamps are number / fps.

    Raises:
        FormatError: no JSON files, or one that is empty, corrupt or of another skeleton; names it.
    """
    sequences = read_sequences(Path(folder))
    if len(sequences) != 1:
        raise FormatError(f"{folder}: holds files of {len(sequences)} views; keep one view in a folder")
    (sequence,) = sequences.values()
    frames = range(min(sequence.people), max(sequence.people) + 1)
    return to_poses2d(sequence, frames, fps, skeleton or skeleton_of([sequence]), max_people)


def find_json_files(folder: Path) -> list[Path]:
    """JSON files of a folder in natural order."""
    return sorted((p for p in folder.iterdir() if p.suffix.lower() == ".json" and p.is_file()), key=natural_key)


def read_sequences(folder: Path) -> dict[int, JsonSequence]:
    """All views whose files lie in a folder: `_keypoints.json` is view 0, `_keypoints_1.json` view 1 and so on."""
    views: dict[int, dict[int, tuple[np.ndarray, ...]]] = defaultdict(dict)
    for path in find_json_files(folder):
        view, frame = _view_and_frame(path)
        if frame in views[view]:
            raise FormatError(f"{path}: a second file for frame {frame}; keep one recording in a folder")
        views[view][frame] = read_people(path)
    if not views:
        raise FormatError(f"{folder}: no JSON files of keypoints in it")
    for people in views.values():
        if max(people) - min(people) + 1 > _MAX_SPARSENESS * len(people):
            raise FormatError(
                f"{folder}: {len(people)} files numbered {min(people)} to {max(people)}; "
                "the last number of a file's name must be its frame"
            )
    return {view: JsonSequence(folder, views[view]) for view in sorted(views)}


def _view_and_frame(path: Path) -> tuple[int, int]:
    match = _NAME.fullmatch(path.name)
    numbers = re.findall(r"\d+", match["base"]) if match else []
    if not match or not numbers:
        raise FormatError(f"{path}: its name holds no frame number, as in 000000000012_keypoints.json")
    return int(match["view"] or 0), int(numbers[-1])


def read_people(path: Path) -> tuple[np.ndarray, ...]:
    """The bodies in one file, each (joint, 3) of x, y, score.

    Raises:
        FormatError: empty, corrupt or not of OpenPose.
    """
    try:
        if path.stat().st_size > _MAX_BYTES:
            raise FormatError(f"{path}: {path.stat().st_size} bytes are too many for the keypoints of a frame")
        document = json.loads(path.read_bytes())
    except (OSError, ValueError, RecursionError) as error:
        raise FormatError(f"{path}: empty or corrupt JSON ({error}); run the detector again for this frame") from error
    people = document.get("people") if isinstance(document, dict) else None
    if not isinstance(people, list):
        raise FormatError(f"{path}: not a file of OpenPose, it has no list named people")
    bodies = [_body(path, person) for person in people]
    return tuple(body for body in bodies if len(body))


def _body(path: Path, person: object) -> np.ndarray:
    values = None
    if isinstance(person, dict):
        values = person.get("pose_keypoints_2d", person.get("pose_keypoints"))  # the second name is of before 1.0
    if not isinstance(values, list):
        raise FormatError(f"{path}: a person without pose_keypoints_2d")
    if not all(isinstance(v, int | float) for v in values) or len(values) % 3:
        raise FormatError(f"{path}: pose_keypoints_2d must be a list of x, y, score")
    try:
        body = np.array(values, dtype=np.float64).reshape(-1, 3)
    except OverflowError as error:
        raise FormatError(f"{path}: pose_keypoints_2d holds a number without bound") from error
    body[~np.isfinite(body).all(1)] = (np.nan, np.nan, 0.0)
    return np.clip(body, (-np.inf, -np.inf, 0.0), (np.inf, np.inf, 1.0))  # scores slightly above 1 do occur


def skeleton_of(sequences: Sequence[JsonSequence]) -> Skeleton:
    """The skeleton that the number of joints tells; BODY_25 where nobody was found in any view.

    Raises:
        FormatError: two counts, or one of no known skeleton.
    """
    with_count: dict[int, list[JsonSequence]] = defaultdict(list)
    for sequence in sequences:
        for count in sequence.joint_counts:
            with_count[count].append(sequence)
    if not with_count:
        return BODY_25
    if len(with_count) > 1 or next(iter(with_count)) not in _SKELETON_OF_COUNT:
        known = ", ".join(f"{n} ({s.name})" for n, s in _SKELETON_OF_COUNT.items())
        found = ", ".join(str(n) for n in sorted(with_count))
        rarest = min(with_count.values(), key=len)[0]  # the likeliest culprit
        raise FormatError(f"{rarest.source}: people of {found} joints, known are {known}; run one detector on all")
    return _SKELETON_OF_COUNT[next(iter(with_count))]


def to_poses2d(
    sequence: JsonSequence, frames: range, fps: float | int, skeleton: Skeleton, max_people: int = MAX_PEOPLE
) -> Poses2D:
    """One view as arrays over the given frame numbers.

    Raises:
        FormatError: people of another number of joints than the skeleton.
        ValueError: fps not positive.
    """
    if not fps > 0:
        raise ValueError(f"fps is {fps}, wanted a positive number")
    if sequence.joint_counts - {len(skeleton)}:
        found = ", ".join(str(n) for n in sorted(sequence.joint_counts))
        raise FormatError(f"{sequence.source}: people of {found} joints, {skeleton.name} has {len(skeleton)}")
    kept = {frame: _best(people, max_people) for frame, people in sequence.people.items()}
    slots = max([1, *(len(people) for people in kept.values())])
    points = np.zeros((len(frames), slots, len(skeleton), 3), np.float32)
    for frame, people in kept.items():
        for slot, person in enumerate(people):
            points[frame - frames.start, slot] = person
    return Poses2D(skeleton, points[..., :2], points[..., 2], np.array(frames, float) / fps)


def _best(people: tuple[np.ndarray, ...], max_people: int) -> tuple[np.ndarray, ...]:
    """The people of highest mean score, missing joints counted as 0, in the order of the file."""
    order = np.argsort([-person[:, 2].mean() for person in people], kind="stable")[:max_people]
    return tuple(people[i] for i in sorted(order))
