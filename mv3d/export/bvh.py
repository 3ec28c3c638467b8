"""BVH, the motion file of most animation programs: the hierarchy with its offsets, then one line of channels a frame.

The root has three positions and three rotations, every other joint three rotations, in degrees. A rotation is the
product of its channels from left to right, R = R_1 R_2 R_3, as all readers have it. Places are in centimetres by
default, which Blender (with scale 0.01), Maya and MotionBuilder expect, and y is up. BVH has no place to state either.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import TextIO

import numpy as np

from mv3d.data.motion import Armature, Motion
from mv3d.errors import FormatError
from mv3d.export.options import Placement, place
from mv3d.files.writing import whole_file
from mv3d.geometry.euler import ORDERS, euler_from_rotation
from mv3d.motion.resample import resampled

_Y_UP = np.array([[1.0, 0, 0], [0, 0, 1], [0, -1, 0]])
# Of a number in the file: a tenth of a micrometre, and a millionth of a degree.
_PLACE_DECIMALS = {"m": 7, "cm": 5, "mm": 4}
_ANGLE_DECIMALS = 6
# A single frame has no rate; the time is written all the same.
_RATE_OF_ONE_FRAME = 30.0
_BLOCK = 4096


def write_bvh(
    path: str | Path,
    motion: Motion,
    placement: Placement | None = None,
    *,
    order: str = "ZXY",
    fps: float | None = None,
) -> None:
    """Write one person's motion.

    Args:
        path: the file to make.
        motion: any; its rest pose becomes the file's.
        placement: axes and unit of the file; y up and centimetres if None. The rest pose, whose up is z, is turned only
            where the file's axes are "y_up".
        order: of the rotation channels, one of XYZ, XZY, YXZ, YZX, ZXY, ZYX.
        fps: frames per second of the file; those of the motion if None. BVH has frames at equal intervals only, so a
            motion with others is interpolated at its mean rate.

    Raises:
        FormatError: no frames, or an order that is none.
        SessionError: the file cannot be written.
    """
    if not len(motion):
        raise FormatError(f"{path}: the motion has no frames, and BVH readers refuse a file without")
    if order not in ORDERS:
        raise FormatError(f"{path}: rotation order {order!r} is none; there are {', '.join(ORDERS)}")
    placement = placement or place("y_up", "cm")
    motion = resampled(motion, fps)
    with whole_file(path) as part, part.open("w", encoding="utf-8", newline="\n") as file:
        _write_hierarchy(file, motion.armature, order, placement)
        interval = 1 / (motion.fps or fps or _RATE_OF_ONE_FRAME)
        file.write(f"MOTION\nFrames: {len(motion)}\nFrame Time: {interval:.10f}\n")
        for rows in _channels(motion, order, placement):
            places = " ".join([f"%.{_PLACE_DECIMALS[placement.units]}f"] * 3)
            line = places + f" %.{_ANGLE_DECIMALS}f" * (rows.shape[1] - 3) + "\n"
            file.writelines(line % tuple(row) for row in rows.tolist())


def bvh_names(joints: tuple[str, ...]) -> tuple[str, ...]:
    """Joint names as BVH can hold them: no blanks, none empty, none twice; other letters stay, in UTF-8."""
    out: list[str] = []
    for joint in joints:
        name = "_".join("".join(c if c.isprintable() else " " for c in joint).split()) or "joint"
        name = {"{": "_", "}": "_"}.get(name, name)
        number, unique = 2, name
        while unique in out:
            unique, number = f"{name}_{number}", number + 1
        out.append(unique)
    return tuple(out)


def _write_hierarchy(file: TextIO, armature: Armature, order: str, placement: Placement) -> None:
    decimals, rest = _PLACE_DECIMALS[placement.units], _rest_turn(placement)
    offsets, ends = (v @ rest.T * placement.scale for v in (armature.offsets, armature.end_offsets))
    names = bvh_names(armature.joints)
    turns = " ".join(f"{axis}rotation" for axis in order)

    def placed(offset: np.ndarray, pad: str) -> str:
        return f"{pad}OFFSET " + " ".join(f"{v:.{decimals}f}" for v in _rounded(offset, decimals)) + "\n"

    def write(j: int, pad: str) -> None:
        inner = pad + "\t"
        file.write(f"{pad}{'JOINT' if j else 'ROOT'} {names[j]}\n{pad}{{\n{placed(offsets[j], inner)}")
        file.write(f"{inner}CHANNELS {3 if j else '6 Xposition Yposition Zposition'} {turns}\n")
        for child in armature.children[j]:
            write(child, inner)
        if not armature.children[j]:
            file.write(f"{inner}End Site\n{inner}{{\n{placed(ends[j], inner + chr(9))}{inner}}}\n")
        file.write(f"{pad}}}\n")

    file.write("HIERARCHY\n")
    write(0, "")


def _channels(motion: Motion, order: str, placement: Placement) -> Iterator[np.ndarray]:
    """Lines of the file in blocks (frame, channel), joints in the order in which the hierarchy lists them."""
    rest = _rest_turn(placement)
    listed = _depth_first(motion.armature)
    angles = np.empty((len(motion), 3 * len(listed)))
    for i, j in enumerate(listed):
        R = (rest if j else placement.axes_from_world) @ motion.rotations[:, j] @ rest.T
        angles[:, 3 * i : 3 * i + 3] = np.degrees(euler_from_rotation(R, order))
    places = placement.points(motion.translation)
    for first in range(0, len(motion), _BLOCK):
        block = slice(first, first + _BLOCK)
        root = _rounded(places[block], _PLACE_DECIMALS[placement.units])
        yield np.concatenate([root, _rounded(angles[block], _ANGLE_DECIMALS)], axis=1)


def _rest_turn(placement: Placement) -> np.ndarray:
    """From the rest pose, whose up is z, to the file's."""
    return _Y_UP if placement.axes == "y_up" else np.eye(3)


def _rounded(values: np.ndarray, decimals: int) -> np.ndarray:
    """Without negative zeros, and NaN as 0: the tip of a leaf without one is its joint."""
    return np.round(np.nan_to_num(values), decimals) + 0.0


def _depth_first(armature: Armature) -> list[int]:
    """Joints in the order of a BVH file: each with all that hangs on it before its next sibling."""
    out, stack = [], [0]
    while stack:
        j = stack.pop()
        out.append(j)
        stack += reversed(armature.children[j])
    return out
