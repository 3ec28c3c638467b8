"""USD as text (usda): a UsdSkel character for each person, with a skinned body and its animation.

The stage states its up axis, metres per unit and time codes per second; time code i is frame i. Bind and rest pose are
those of the motion; the animation gives the root's place and all rotations at every frame, which readers interpolate
linearly (rotations: slerp). Written a block of frames at a time, without USD's libraries.
"""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import BinaryIO

import numpy as np

import mv3d
from mv3d.data.motion import Motion
from mv3d.errors import FormatError
from mv3d.export.labels import identifiers, plain_name
from mv3d.export.options import Placement, axis_name, place
from mv3d.export.placed_motion import PlacedMotion
from mv3d.export.text_rows import Number, RowFormat, blocks
from mv3d.export.timing import nominal_rate
from mv3d.export.usda_body import body_text
from mv3d.files.writing import whole_file

# Of a time code, a unit of length and a component of a quaternion, which is a 32-bit float.
_TIME_DECIMALS, _PLACE_DECIMALS, _TURN_DECIMALS = 6, 7, 8
# Metres of a unit.
_METRES = {"m": 1.0, "cm": 0.01, "mm": 0.001}


def write_usda(motions: Sequence[Motion], path: str | Path, placement: Placement | None = None) -> None:
    """Write the motions of all people as one stage.

    Args:
        motions: one for each person.
        path: the file to make.
        placement: axes and unit; by default z up and metres.

    Raises:
        FormatError: no frames, or an up direction that USD has no name for.
        SessionError: the file cannot be written.
    """
    placement = placement or place("z_up", "m")
    if not motions or any(not len(motion) for motion in motions):
        raise FormatError(f"{path}: there is no motion to write, or one without frames")
    up = axis_name(placement.up)
    if up not in ("+Y", "+Z"):
        raise FormatError(
            f"{path}: up is {up or 'along no axis'} here and USD knows +Y and +Z; use --axes z_up or y_up"
        )
    with whole_file(path) as part, part.open("wb") as file:
        file.write(_stage(motions[0], placement, up[1]).encode())
        for person, motion in enumerate(motions):
            _write_person(file, PlacedMotion(motion, placement), person, _time_codes(motion, motions[0]))
        file.write(b"}\n")


def _time_codes(motion: Motion, first: Motion) -> np.ndarray:
    rate = nominal_rate(first.timestamps) or 1.0
    codes = (motion.timestamps - first.timestamps[0]) * rate
    # Whole numbers where the clock only rounded.
    whole = np.rint(codes)
    return whole if np.abs(codes - whole).max() < 0.1 and np.all(np.diff(whole) > 0) else codes


def _stage(motion: Motion, placement: Placement, up: str) -> str:
    rate = nominal_rate(motion.timestamps) or 1.0
    last = _time_codes(motion, motion)[-1]
    return f"""#usda 1.0
(
    customLayerData = {{
        string creator = "mv3d {mv3d.__version__}"
        string frame = {json.dumps(placement.description)}
        double startTime = {motion.timestamps[0]:.6f}
    }}
    defaultPrim = "Scene"
    endTimeCode = {last:g}
    framesPerSecond = {rate:.9g}
    metersPerUnit = {_METRES[placement.units]:g}
    startTimeCode = 0
    timeCodesPerSecond = {rate:.9g}
    upAxis = "{up}"
)

def Xform "Scene" (
    kind = "component"
)
{{
"""


def _write_person(file: BinaryIO, placed: PlacedMotion, person: int, codes: np.ndarray) -> None:
    motion, name = placed.motion, f"Person{person}"
    paths = joint_paths(motion)
    tokens = "[" + ", ".join(json.dumps(path) for path in paths) + "]"
    names = "[" + ", ".join(json.dumps(plain_name(joint), ensure_ascii=False) for joint in motion.armature.joints) + "]"
    root = f"/Scene/{name}"
    file.write(
        f"""    def SkelRoot "{name}" (
        prepend apiSchemas = ["SkelBindingAPI"]
        customData = {{
            int personId = {motion.person_id}
        }}
    )
    {{
        float3[] extent = {_extent(placed)}

        def Skeleton "Skeleton" (
            prepend apiSchemas = ["SkelBindingAPI"]
        )
        {{
            uniform matrix4d[] bindTransforms = {_matrices(placed.rest)}
            uniform token[] jointNames = {names}
            uniform token[] joints = {tokens}
            uniform matrix4d[] restTransforms = {_matrices(placed.offsets)}
            rel skel:animationSource = <{root}/Skeleton/Animation>

            def SkelAnimation "Animation"
            {{
                uniform token[] joints = {tokens}
                half3[] scales = [{", ".join(["(1, 1, 1)"] * len(paths))}]
""".encode()
    )
    _write_samples(file, placed, codes)
    file.write(b"            }\n        }\n")
    file.write(body_text(placed, root, person).encode())
    file.write(b"    }\n")


def joint_paths(motion: Motion) -> list[str]:
    """Joints as USD names them: the identifiers from the root down, joined by slashes."""
    own = identifiers(motion.armature.joints)
    paths: list[str] = []
    for joint, parent in enumerate(motion.armature.parents):
        paths.append(own[joint] if parent < 0 else f"{paths[parent]}/{own[joint]}")
    return paths


def _write_samples(file: BinaryIO, placed: PlacedMotion, codes: np.ndarray) -> None:
    joints, place_cell, turn_cell = len(placed.motion.armature), Number(_PLACE_DECIMALS), Number(_TURN_DECIMALS)
    fixed = "".join(f", ({_numbers(offset)})" for offset in placed.offsets[1:])
    start = ["                    ", Number(_TIME_DECIMALS), ": [("]
    row = RowFormat([*start, place_cell, ", ", place_cell, ", ", place_cell, ")", fixed, "],\n"])
    file.write(b"                float3[] translations.timeSamples = {\n")
    translation = placed.translation
    for block in blocks(len(codes)):
        file.write(row.encode(np.column_stack([codes[block], translation[block]]))[0])
    file.write(b"                }\n                quatf[] rotations.timeSamples = {\n")
    quaternion = [turn_cell, ", ", turn_cell, ", ", turn_cell, ", ", turn_cell]
    row = RowFormat([*start, *([*quaternion, "), ("] * (joints - 1)), *quaternion, ")],\n"])
    quaternions = np.empty((len(codes), joints, 4), np.float32)
    for joint in range(joints):
        quaternions[:, joint] = np.roll(placed.joint_quaternions(joint), 1, axis=-1)  # w first
    for block in blocks(len(codes)):
        values = quaternions[block].reshape(-1, 4 * joints).astype(float)
        file.write(row.encode(np.column_stack([codes[block], values]))[0])
    file.write(b"                }\n")


def _extent(placed: PlacedMotion) -> str:
    """A box that holds the body in every frame: the root's way, and a body's length around it."""
    reach = (
        np.linalg.norm(placed.offsets, axis=1).sum()
        + np.linalg.norm(np.nan_to_num(placed.motion.armature.end_offsets)).sum() * placed.placement.scale
    )
    low, high = placed.translation.min(0) - reach, placed.translation.max(0) + reach
    return f"[({_numbers(low)}), ({_numbers(high)})]"


def _matrices(places: np.ndarray) -> str:
    """Pure translations; USD multiplies rows from the left, so that the last row is the place."""
    rows = "(1, 0, 0, 0), (0, 1, 0, 0), (0, 0, 1, 0)"
    return "[" + ", ".join(f"({rows}, ({_numbers(place)}, 1))" for place in places) + "]"


def _numbers(values: np.ndarray) -> str:
    return ", ".join(f"{value + 0.0:.{_PLACE_DECIMALS}g}" for value in values)
