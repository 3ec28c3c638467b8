"""What the keypoint formats share: the people of one view by frame number, and the way to Poses2D.

A point is x, y, score in pixels of the source image; score 0 is missing, whatever the position.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from mv3d.data.poses import Poses2D
from mv3d.data.skeleton import Skeleton
from mv3d.data.skeletons import BODY_25, SKELETON_OF_COUNT, hands_and_face_of, with_hands_and_face
from mv3d.errors import FormatError

MAX_PEOPLE = 8
# More frames than this between the first and the last, for each that is there, means that the numbers are not frames.
_MAX_SPARSENESS = 1000


@dataclass(frozen=True, slots=True, eq=False)
class FoundPerson:
    """One person in one frame.

    Attributes:
        body: (joint, 3) x, y, score.
        parts: hands and face, likewise, by the name of their group: left_hand, right_hand, face.
    """

    body: np.ndarray
    parts: Mapping[str, np.ndarray] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, eq=False)
class ViewPeople:
    """Everybody in one view, as a file has them.

    Attributes:
        source: the file or folder, for messages.
        people: by frame number; an empty tuple where nobody was found, no entry where the file has no such frame.
        skeleton: the joints of the bodies where the file names them; None where it only has their number.
        times: s by frame number where the file has them; may lack frames.
        is_numbered: whether points are known by their numbers alone and bodies end with the last that was seen.
    """

    source: Path
    people: dict[int, tuple[FoundPerson, ...]]
    skeleton: Skeleton | None = None
    times: dict[int, float] | None = None
    is_numbered: bool = False

    def __post_init__(self) -> None:
        frames = self.people
        if frames and max(frames) - min(frames) + 1 > _MAX_SPARSENESS * len(frames):
            raise FormatError(
                f"{self.source}: {len(frames)} frames numbered {min(frames)} to {max(frames)}; "
                "the last number of a file's or picture's name must be its frame"
            )

    @property
    def joint_counts(self) -> set[int]:
        """How many joints bodies have; one number in a sound view, none where nobody was found."""
        return {len(person.body) for frame in self.people.values() for person in frame}

    @property
    def part_counts(self) -> set[tuple[str, int]]:
        """The parts that somebody has, with their numbers of points."""
        return {
            (name, len(points))
            for frame in self.people.values()
            for person in frame
            for name, points in person.parts.items()
        }


def scored_points(values: object, columns: int = 3) -> np.ndarray:
    """Points of a stranger's list, flat or nested, as (point, columns); a number that is not finite makes NaN, score 0.

    Raises:
        ValueError: not numbers, or not a multiple of `columns`.
    """
    try:
        array = np.array(values, dtype=np.float64)
    except (TypeError, ValueError, OverflowError) as error:
        raise ValueError("not a list of numbers") from error
    if array.size % columns or array.ndim == 0:
        raise ValueError(f"{array.size} numbers, wanted {columns} for each point")
    return array.reshape(-1, columns)


def cleaned(points: np.ndarray) -> np.ndarray:
    """(point, 3) with what is not finite made missing, and scores clipped to 0..1: detectors go slightly above."""
    points = points.copy()
    points[~np.isfinite(points).all(1)] = (np.nan, np.nan, 0.0)
    points[:, 2] = np.clip(points[:, 2], 0.0, 1.0)
    return points


def frame_range(views: Iterable[ViewPeople]) -> range:
    """Frame numbers from the first to the last of any view; numbers left out are empty frames."""
    some = [view for view in views if view.people]
    if not some:
        return range(1)
    first, last = min(some, key=lambda view: min(view.people)), max(some, key=lambda view: max(view.people))
    frames = range(min(first.people), max(last.people) + 1)
    if frames.stop - frames.start > _MAX_SPARSENESS * sum(len(view.people) for view in some):
        raise FormatError(
            f"{last.source}: its frames end at {frames.stop - 1}, those of {first.source} begin at {frames.start}; "
            "the views must number the same frames alike"
        )
    return frames


def skeleton_of(views: Sequence[ViewPeople], body: Skeleton | None = None) -> Skeleton:
    """The one skeleton of all views: the body as told, named in the files, or known by its number of joints.

    Hands and face are appended where anybody in any view has them. BODY_25 where nobody was found at all.

    Args:
        views: of one recording.
        body: the order of the body's joints where it is told.

    Raises:
        FormatError: two numbers of joints, or one of no known skeleton; names the rarest.
    """
    body = body or next((view.skeleton for view in views if view.skeleton), None) or _by_count(views)
    parts = dict(sorted(count for view in views for count in view.part_counts))
    return with_hands_and_face(body, bool({"left_hand", "right_hand"} & parts.keys()), parts.get("face", 0))


def _by_count(views: Sequence[ViewPeople]) -> Skeleton:
    for view in views:
        if view.is_numbered:
            raise FormatError(f"{view.source}: its points have no names; give them in order with --skeleton")
    with_count: dict[int, list[ViewPeople]] = defaultdict(list)
    for view in views:
        for count in view.joint_counts:
            with_count[count].append(view)
    if not with_count:
        return BODY_25
    if len(with_count) > 1 or next(iter(with_count)) not in SKELETON_OF_COUNT:
        known = ", ".join(f"{n} ({s.name})" for n, s in SKELETON_OF_COUNT.items())
        found = ", ".join(str(n) for n in sorted(with_count))
        rarest = min(with_count.values(), key=len)[0]  # the likeliest culprit
        raise FormatError(
            f"{rarest.source}: people of {found} joints, known are {known}; run one detector on all, or name the "
            "joints with --skeleton FILE.yaml"
        )
    return SKELETON_OF_COUNT[next(iter(with_count))]


def to_poses2d(
    view: ViewPeople, frames: range, fps: float | int, skeleton: Skeleton, max_people: int = MAX_PEOPLE
) -> Poses2D:
    """One view as arrays over the given frame numbers.

    Raises:
        FormatError: people of another number of joints than the skeleton, or times that do not increase.
        ValueError: fps not positive.
    """
    if not fps > 0:
        raise ValueError(f"fps is {fps}, wanted a positive number")
    # Some bodies have their hands and face in them (COCO_133), others beside them (OpenPose).
    parts = {} if view.joint_counts == {len(skeleton)} else hands_and_face_of(skeleton)
    body = len(skeleton) - sum(len(joints) for joints in parts.values())
    if max(view.joint_counts, default=0) > body or (view.joint_counts - {body} and not view.is_numbered):
        found = ", ".join(str(n) for n in sorted(view.joint_counts))
        raise FormatError(f"{view.source}: people of {found} joints, {skeleton.name} has {body}")
    kept = {frame: _best(people, max_people) for frame, people in view.people.items()}
    slots = max([1, *(len(people) for people in kept.values())])
    points = np.zeros((len(frames), slots, len(skeleton), 3), np.float32)
    for frame, people in kept.items():
        for slot, person in enumerate(people):
            into = points[frame - frames.start, slot]
            into[: len(person.body)] = person.body
            for name in parts.keys() & person.parts.keys():
                into[list(parts[name][: len(person.parts[name])])] = person.parts[name]
    return Poses2D(skeleton, points[..., :2], points[..., 2], _timestamps(view, frames, fps))


def _timestamps(view: ViewPeople, frames: range, fps: float | int) -> np.ndarray:
    """Those of the file, between and around them at its median interval; frame / fps where it has none."""
    numbers = np.array(frames, float)
    if not view.times or len(view.times) < 2:
        return numbers / fps
    known = np.array(sorted(view.times), float)
    times = np.array([view.times[int(frame)] for frame in known])
    if not np.isfinite(times).all() or np.any(np.diff(times) <= 0):
        raise FormatError(f"{view.source}: the frame times do not increase from frame to frame")
    interval = float(np.median(np.diff(times) / np.diff(known)))
    before, after = np.minimum(numbers - known[0], 0), np.maximum(numbers - known[-1], 0)
    return np.interp(numbers, known, times) + (before + after) * interval


def _best(people: tuple[FoundPerson, ...], max_people: int) -> tuple[FoundPerson, ...]:
    """The people of highest mean score, missing joints counted as 0, in the order of the file."""
    order = np.argsort([-person.body[:, 2].mean() for person in people], kind="stable")[:max_people]
    return tuple(people[i] for i in sorted(order))
