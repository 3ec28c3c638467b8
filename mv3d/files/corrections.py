"""corrections.yaml: what a person corrected by hand. The format is in docs/formats.md."""

import difflib
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any, get_args

import yaml

from mv3d.data.correction import Correction, Drop, Ignore, Point, Side, Swap
from mv3d.data.session import Session
from mv3d.data.skeleton import Skeleton
from mv3d.data.skeletons import joints_of
from mv3d.errors import FormatError

_MAX_BYTES = 1_000_000
_FARTHEST_PX = 1e6  # no image is as wide
_SIDES: dict[str, Side] = {side: side for side in get_args(Side)}
_CHANGES = ("ignore", "swap", "drop", "point")


def corrections_file(session: Session, given: Path | None) -> Path | None:
    """The file that was asked for, else the session's own if it has one."""
    return given or (session.corrections if session.corrections.is_file() else None)


def read_corrections(path: Path | None, frame_counts: Mapping[str, int], skeleton: Skeleton) -> tuple[Correction, ...]:
    """The corrections of a file in its order; none without a file.

    Args:
        path: YAML file.
        frame_counts: number of frames of each camera's own video, by camera name.
        skeleton: whose joints may be named.

    Raises:
        FormatError: the file cannot be read, or an entry does not fit; says which entry, and what is near.
    """
    if path is None:
        return ()
    document = _load(path)
    if document is None:
        return ()
    if not isinstance(document, list):
        raise FormatError(f"{path}: a list of corrections is wanted, each beginning with '- frames: [first, last]'")
    corrections = []
    for number, entry in enumerate(document, 1):
        try:
            corrections.append(_correction(entry, frame_counts, skeleton))
        except ValueError as error:
            raise FormatError(f"{path}: entry {number}: {error}") from error
    return tuple(corrections)


def _load(path: Path) -> Any:
    try:
        if path.stat().st_size > _MAX_BYTES:
            raise FormatError(f"{path}: too large for corrections (over {_MAX_BYTES // 1_000_000} MB)")
        return yaml.load(path.read_text(encoding="utf-8"), _StrictLoader)
    except OSError as error:
        raise FormatError(f"{path}: cannot read these corrections ({error.strerror}); check the path") from error
    # PyYAML lets the errors of impossible dates and numbers, and of lists nested too deep, through as they are.
    except (ValueError, OverflowError, RecursionError, yaml.YAMLError) as error:
        raise FormatError(f"{path}: cannot read these corrections: {' '.join(str(error).split())[:200]}") from error


class _StrictLoader(yaml.SafeLoader):
    """Safe YAML in which no key repeats: of two points in one entry the first would be lost without a word."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        seen = set()
        for key in (key for key, _ in node.value if isinstance(key, yaml.ScalarNode)):
            if key.value in seen:
                line = key.start_mark.line + 1
                raise yaml.YAMLError(f"line {line}: {key.value[:80]!r} is there twice in one entry; make two entries")
            seen.add(key.value)
        return super().construct_mapping(node, deep)


def _correction(entry: Any, frame_counts: Mapping[str, int], skeleton: Skeleton) -> Correction:
    _check_keys(entry, ("frames", "camera", *_CHANGES), "a correction")
    for key in ("frames", "camera"):
        if key not in entry:
            raise ValueError(f"{key} is missing")
    changes = [key for key in _CHANGES if key in entry]
    if len(changes) != 1:
        raise ValueError(f"exactly one of {', '.join(_CHANGES)} is wanted, not {' and '.join(changes) or 'none'}")
    camera = _name(entry["camera"], frame_counts, "camera")
    change = _CHANGE_READERS[changes[0]](entry[changes[0]], skeleton)
    return Correction(_frames(entry["frames"], camera, frame_counts[camera]), camera, change)


def _frames(value: Any, camera: str, count: int) -> tuple[int, int]:
    if not isinstance(value, list) or len(value) != 2 or not all(type(n) is int for n in value):
        raise ValueError(f"frames is {_label(value)}; two whole numbers are wanted: [first, last]")
    first, last = value
    if not 0 <= first <= last:
        raise ValueError(f"frames is [{first}, {last}]; 0 <= first <= last is wanted")
    if last >= count:
        raise ValueError(f"frames is [{first}, {last}], but the last frame of {camera} is {count - 1}")
    return first, last


def _ignore(value: Any, skeleton: Skeleton) -> Ignore:
    if value is not True:
        raise ValueError(f"ignore is {_label(value)}; true is wanted (remove the entry to use the camera again)")
    return Ignore()


def _swap(value: Any, skeleton: Skeleton) -> Swap:
    what = _SIDES[_name(value, _SIDES, "swap")]
    joints = list(joints_of(skeleton, what))
    if (skeleton.mirror[joints] == joints).all():
        raise ValueError(f"swap is {what}, but the skeleton {skeleton.name} has no such left and right joints")
    return Swap(what)


def _drop(value: Any, skeleton: Skeleton) -> Drop:
    if not isinstance(value, list) or not value:
        raise ValueError(f"drop is {_label(value)}; a list of joints is wanted: [{skeleton.keypoints[0]}]")
    return Drop(tuple(_name(joint, skeleton.keypoints, "joint") for joint in value))


def _point(value: Any, skeleton: Skeleton) -> Point:
    _check_keys(value, ("joint", "xy"), "point")
    if len(value) != 2:
        raise ValueError(f"point needs both joint and xy: {{joint: {skeleton.keypoints[0]}, xy: [x, y]}}")
    xy = value["xy"]
    is_pair = isinstance(xy, list) and len(xy) == 2
    if not is_pair or not all(type(v) in (int, float) and abs(v) < _FARTHEST_PX for v in xy):
        raise ValueError(f"xy is {_label(xy)}; two numbers in px are wanted: [x, y]")
    return Point(_name(value["joint"], skeleton.keypoints, "joint"), (float(xy[0]), float(xy[1])))


_CHANGE_READERS = {"ignore": _ignore, "swap": _swap, "drop": _drop, "point": _point}


def _check_keys(value: Any, known: tuple[str, ...], what: str) -> None:
    if not isinstance(value, dict):
        raise ValueError(f"{what} is {_label(value)}; a mapping with {', '.join(known)} is wanted")
    for key in value:
        _name(key, known, "key")


def _name(value: Any, known: Collection[str], what: str) -> str:
    if isinstance(value, str) and value in known:
        return value
    near = difflib.get_close_matches(str(value)[:80], known, n=1) if isinstance(value, str | int) else []
    hint = f"did you mean {near[0]!r}?" if near else f"there are {', '.join(known)}"
    raise ValueError(f"unknown {what} {_label(value)}; {hint}")


def _label(value: Any) -> str:
    """A value of the file for a message; collections are only named: nested aliases would unfold to any size."""
    if value is None or isinstance(value, str | int | float):
        return "empty" if value is None else repr(value)[:80]
    return f"a {type(value).__name__}"
