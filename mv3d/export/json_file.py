"""All 3D joints as one JSON file that says what it holds."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO

import numpy as np

from mv3d.data.poses import MISSING, Poses3D
from mv3d.export.options import Placement, place
from mv3d.export.person_views import points_in_file
from mv3d.export.tables import DECIMALS, STATES
from mv3d.export.text_rows import Number, RowFormat, Word, blocks
from mv3d.export.timing import nominal_rate
from mv3d.files.writing import whole_file

FORMAT_VERSION = 1


def write_json(poses: Poses3D, path: str | Path, placement: Placement | None = None) -> None:
    """One JSON file: xyz[frame][joint], null where missing, with score and state, for each person.

    Args:
        poses: the skeletons.
        path: the file to make.
        placement: axes and unit, both stated in the file; by default the world in m.

    Raises:
        FormatError: a coordinate that cannot be a length.
        SessionError: the file cannot be written.
    """
    placement = placement or place()
    with whole_file(path) as part, part.open("wb") as file:
        file.write(json.dumps(_head(poses, placement), separators=(",", ":"), allow_nan=False)[:-1].encode())
        _write_list(file, ',"timestamps":', [Number(9)], lambda block: poses.timestamps[block, None], len(poses))
        file.write(b',"people":[')
        for person, identity in enumerate(poses.person_id):
            file.write(b"," if person else b"")
            _write_person(file, poses, placement, person, int(identity))
        file.write(b"]}")


def _head(poses: Poses3D, placement: Placement) -> dict:
    return {
        "format_version": FORMAT_VERSION,
        "units": {"xyz": placement.units, "timestamps": "s"},
        "axes": placement.axes,
        "axes_from_world": placement.axes_from_world.tolist(),
        "fps": round(nominal_rate(poses.timestamps), 6),
        "state_values": dict(enumerate(STATES)),
        "skeleton": poses.skeleton.name,
        "keypoints": poses.skeleton.keypoints,
        "limbs": poses.skeleton.limbs,
        "cameras": poses.cameras,
    }


def _write_person(file: BinaryIO, poses: Poses3D, placement: Placement, person: int, identity: int) -> None:
    joints, frames = len(poses.skeleton), len(poses)
    comma = Word((",", ""))
    number = Number(DECIMALS[placement.units])
    point = [Word(("[", "null")), number, comma, number, comma, number, Word(("]", ""))]

    def points(block: slice) -> np.ndarray:
        xyz = points_in_file(poses, block, person, placement)
        gone = np.isnan(xyz[..., :1]).astype(float)
        x, y, z = np.split(xyz, 3, axis=-1)
        return np.concatenate([gone, x, gone, y, gone, z, gone], axis=-1).reshape(len(xyz), -1)

    def scores(block: slice) -> np.ndarray:
        return np.where(poses.state[block, person] != MISSING, poses.score[block, person], 0.0)

    file.write(f'{{"person_id":{identity}'.encode())
    _write_list(file, ',"xyz":', _bracketed(point, joints), points, frames)
    _write_list(file, ',"score":', _bracketed([Number(4)], joints), scores, frames)
    _write_list(
        file,
        ',"state":',
        _bracketed([Number(0)], joints),
        lambda block: poses.state[block, person].astype(float),
        frames,
    )
    file.write(b"}")


def _bracketed(cell: list[str | Number | Word], count: int) -> list[str | Number | Word]:
    """A JSON list of `count` cells; an empty one where there are none."""
    inner = [part for i in range(count) for part in ([","] if i else []) + cell]
    return ["[", *inner, "]"]


def _write_list(
    file: BinaryIO, before: str, parts: list[str | Number | Word], values: Callable[[slice], np.ndarray], length: int
) -> None:
    row = RowFormat([*parts, ","])
    file.write(f"{before}[".encode())
    for block in blocks(length):
        text, _ = row.encode(values(block))
        file.write(text[:-1] if block.stop == length else text)
    file.write(b"]")
