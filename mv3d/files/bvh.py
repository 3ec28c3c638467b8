"""BVH motion files of any program: any channel order, positions on any joint, any blanks.

The rotation of a joint is the product of its rotation channels from left to right. Position channels take the place of
the OFFSET, as Blender and MotionBuilder have it. Files are taken for hostile: size, depth and counts are limited before
anything is allocated.
"""

import math
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Literal, TextIO

import numpy as np

from mv3d.data.motion import Armature, Motion
from mv3d.errors import FormatError
from mv3d.files.bvh_tokens import Tokens
from mv3d.geometry.euler import rotation_from_euler

_METRES_PER_UNIT = {"m": 1.0, "cm": 0.01, "mm": 0.001, "inch": 0.0254}
# An hour at 120 fps of 60 joints takes 1 GB; far more than any motion needs is an attack or a mistake.
_LARGEST_FILE = 2_000_000_000
_MOST_JOINTS, _MOST_DEPTH, _MOST_VALUES = 2000, 200, 300_000_000
_CHANNELS = {f"{axis.lower()}{kind}": (kind, axis) for axis in "XYZ" for kind in ("position", "rotation")}
# m by which a joint may move against its parent and still count as rigid.
_RIGID_M = 0.001
# Frame times outside of these (s) are no motion.
_SHORTEST, _LONGEST = 1e-5, 60.0


@dataclass(slots=True)
class _Joint:
    name: str
    parent: int
    depth: int
    offset: tuple[float, ...] = (0.0, 0.0, 0.0)
    channels: list[tuple[str, str]] = field(default_factory=list)
    end: tuple[float, ...] | None = None


def read_bvh(
    path: str | Path,
    *,
    units: Literal["m", "cm", "mm", "inch"] = "cm",
    axes: Literal["world", "y_up"] = "y_up",
    rigid: bool = True,
) -> Motion:
    """Read a motion.

    Args:
        path: the file.
        units: of its places; the file does not say.
        axes: "y_up" turns its y up into the z up of the world; "world" keeps it.
        rigid: refuse joints that move against their parents; if False their mean place is taken.

    Returns:
        The motion; timestamps start at 0. A joint whose name another one has gets a number.

    Raises:
        FormatError: no BVH file, a broken or too large one, or one whose bones stretch.
    """
    path = Path(path)
    try:
        if path.stat().st_size > _LARGEST_FILE:
            raise FormatError(f"{path}: over {_LARGEST_FILE // 1_000_000} MB, which no motion needs")
        with path.open(encoding="utf-8", errors="replace") as file:
            tokens = Tokens(file, path)
            joints = _hierarchy(tokens)
            frames, interval = _motion_header(tokens, joints)
            values = _values(file, tokens, frames, sum(len(j.channels) for j in joints))
    except OSError as error:
        raise FormatError(f"{path}: cannot be read, {error.strerror or error}") from error
    return _motion(path, joints, values, interval, _METRES_PER_UNIT[units], axes, rigid)


def _hierarchy(tokens: Tokens) -> list[_Joint]:
    tokens.expect("HIERARCHY")
    tokens.expect("ROOT")
    joints: list[_Joint] = [_Joint(tokens.rest_of_line(), -1, 0)]
    tokens.expect("{")
    stack: list[int | None] = [0]  # None stands for an End Site
    while stack:
        word, at = tokens.word(), stack[-1]
        if word == "}":
            stack.pop()
        elif word.upper() == "OFFSET":
            offset = tuple(tokens.number() for _ in range(3))
            _keep_offset(joints, stack, offset)
        elif word.upper() == "CHANNELS" and at is not None:
            joints[at].channels = _channels(tokens)
        elif word.upper() == "JOINT" and at is not None:
            joints.append(_Joint(tokens.rest_of_line(), at, joints[at].depth + 1))
            tokens.expect("{")
            stack.append(len(joints) - 1)
            if len(joints) > _MOST_JOINTS or joints[-1].depth > _MOST_DEPTH:
                raise tokens.error(f"over {_MOST_JOINTS} joints, or {_MOST_DEPTH} in a row")
        elif word.upper() == "END" and at is not None:
            tokens.rest_of_line()
            tokens.expect("{")
            stack.append(None)
        else:
            raise tokens.error(f"{word[:40]!r} is out of place in the hierarchy")
    return joints


def _keep_offset(joints: list[_Joint], stack: list[int | None], offset: tuple[float, ...]) -> None:
    at = stack[-1]
    if at is not None:
        joints[at].offset = offset
    elif (parent := stack[-2]) is not None:
        joints[parent].end = offset


def _channels(tokens: Tokens) -> list[tuple[str, str]]:
    count = tokens.number()
    if not 0 <= count <= 6 or count != int(count):
        raise tokens.error(f"{count:g} channels for a joint; 0 to 6 are possible")
    words = [tokens.word() for _ in range(int(count))]
    unknown = [word for word in words if word.lower() not in _CHANNELS]
    if unknown or len({word.lower() for word in words if "pos" in word.lower()}) < sum(
        "pos" in word.lower() for word in words
    ):
        raise tokens.error(f"channels {' '.join(words)[:80]!r}; Xposition ... Zrotation are possible, positions once")
    return [_CHANNELS[word.lower()] for word in words]


def _motion_header(tokens: Tokens, joints: list[_Joint]) -> tuple[int, float]:
    tokens.expect("MOTION")
    tokens.expect("Frames:")
    frames = tokens.number()
    tokens.expect("Frame")
    tokens.expect("Time:")
    interval = tokens.number()
    channels = sum(len(j.channels) for j in joints)
    if frames != int(frames) or not 0 <= frames * max(channels, 1) <= _MOST_VALUES:
        raise tokens.error(f"{frames:g} frames of {channels} channels are more than any motion needs, or none")
    if not _SHORTEST <= interval <= _LONGEST:
        raise tokens.error(f"a frame time of {interval:g} s; {_SHORTEST:g} to {_LONGEST:g} are possible")
    return int(frames), interval


def _values(file: TextIO, tokens: Tokens, frames: int, channels: int) -> np.ndarray:
    """The lines of numbers (frame, channel)."""
    if not frames or not channels:
        return np.zeros((frames, channels))
    lines = (line for line in file if line.strip())
    try:
        values = np.loadtxt(islice(lines, frames), ndmin=2, comments=None)
    except ValueError as error:
        raise tokens.error(
            f"a line of the motion is no row of numbers: {' '.join(str(error).split())[:120]}"
        ) from error
    if values.shape != (frames, channels):
        raise tokens.error(f"{values.shape[0]} rows of {values.shape[1]} numbers, {frames} of {channels} are promised")
    if not np.isfinite(values).all():
        raise tokens.error("the motion holds a number that is not finite")
    return values


def _motion(
    path: Path, joints: list[_Joint], values: np.ndarray, interval: float, scale: float, axes: str, rigid: bool
) -> Motion:
    turn = np.array([[1.0, 0, 0], [0, 0, -1], [0, 1, 0]]) if axes == "y_up" else np.eye(3)
    offsets = np.array([joint.offset for joint in joints]) * scale
    ends = np.array([(math.nan,) * 3 if joint.end is None else joint.end for joint in joints]) * scale
    ends[[joint.parent for joint in joints if joint.parent >= 0]] = np.nan
    rotations, column = np.empty((len(values), len(joints), 3, 3)), 0
    translation = np.tile(offsets[0], (len(values), 1))
    for j, joint in enumerate(joints):
        own = values[:, column : column + len(joint.channels)]
        column += len(joint.channels)
        order = "".join(axis for kind, axis in joint.channels if kind == "rotation")
        turns = np.radians(own[:, [kind == "rotation" for kind, _ in joint.channels]])
        rotations[:, j] = turn @ rotation_from_euler(turns, order) @ turn.T
        place = np.tile(offsets[j], (len(values), 1))
        for i, (kind, axis) in enumerate(joint.channels):
            if kind == "position":
                place[:, "XYZ".index(axis)] = own[:, i] * scale
        if j == 0:
            translation = place
        elif len(place):
            offsets[j] = _rigid_place(path, joint.name, place, rigid)
    offsets[0] = 0.0
    armature = Armature(path.stem, _unique(joints), tuple(j.parent for j in joints), offsets @ turn.T, ends @ turn.T)
    return Motion(armature, rotations, translation @ turn.T, np.arange(len(values)) * interval)


def _rigid_place(path: Path, name: str, place: np.ndarray, rigid: bool) -> np.ndarray:
    middle = (place.max(0) + place.min(0)) / 2
    far = float(np.abs(place - middle).max())
    if far > _RIGID_M and rigid:
        raise FormatError(
            f"{path}: joint {name!r} moves by {2 * far * 1000:.0f} mm against its parent, but bones here are rigid;"
            " read it with rigid=False to take the mean place"
        )
    return middle if far <= _RIGID_M else place.mean(0)


def _unique(joints: list[_Joint]) -> tuple[str, ...]:
    out: list[str] = []
    for joint in joints:
        number, name = 2, joint.name
        while name in out:
            name, number = f"{joint.name}_{number}", number + 1
        out.append(name)
    return tuple(out)
