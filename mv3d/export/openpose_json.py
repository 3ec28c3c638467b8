"""OpenPose's JSON with 3D: one file per frame and camera, as `--3d --write_json` makes them (version 1.3).

The 2D block is in pixels of that camera's image, the 3D block in metres of the world and the same in every camera's
file. A missing point is 0, 0, 0 or 0, 0, 0, 0. `person_id` is the person's here, where OpenPose always writes -1.
Hands and face, where the skeleton has such groups, are lists of their own, as OpenPose's.
"""

import os
import re
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np

from mv3d.data.poses import MISSING, Poses2D, Poses3D
from mv3d.data.rig import Rig
from mv3d.data.skeletons import hands_and_face_of
from mv3d.errors import SessionError
from mv3d.export.options import Placement, place
from mv3d.export.person_views import points_in_file, points_of_person
from mv3d.export.text_rows import Number, RowFormat, blocks
from mv3d.files.writing import why_not_written

_PARTS = ("pose", "face", "hand_left", "hand_right")
# OpenPose's names of the groups of a skeleton.
_GROUP_OF_PART = {"face": "face", "hand_left": "left_hand", "hand_right": "right_hand"}


def write_openpose_json(
    poses: Poses3D,
    folder: str | Path,
    name: str,
    rig: Rig | None = None,
    poses2d: Mapping[str, Poses2D] | None = None,
    placement: Placement | None = None,
) -> None:
    """Write `<folder>/<camera>/<name>_000000000000_keypoints.json` and so on; older files of that name are replaced.

    Args:
        poses: the skeletons.
        folder: gets one folder per camera of `poses`.
        name: the beginning of the file names.
        rig: the cameras, to tell which detection is the person where there are several.
        poses2d: keypoints by camera name, of the same skeleton; without them the 2D blocks are empty.
        placement: axes and unit of the 3D blocks; by default the world in m.

    Raises:
        SessionError: the files cannot be written; earlier ones are left as they were.
        ValueError: another skeleton in `poses2d` than in `poses`.
    """
    folder = Path(folder)
    part = folder.with_name(folder.name + ".part")
    try:
        shutil.rmtree(part, ignore_errors=True)
        for view, camera in enumerate(poses.cameras):
            (part / camera).mkdir(parents=True)
            points = _points(poses, view, rig, poses2d)
            for frame, text in enumerate(_documents(poses, points, placement or place())):
                _write_bytes(part / camera / f"{name}_{frame:012d}_keypoints.json", text)
        for camera in poses.cameras:
            _move_files(part / camera, folder / camera, name)
    except OSError as error:
        raise SessionError(f"{folder}: cannot be written, {why_not_written(error)}") from error
    finally:
        shutil.rmtree(part, ignore_errors=True)


def _points(
    poses: Poses3D, view: int, rig: Rig | None, poses2d: Mapping[str, Poses2D] | None
) -> list[np.ndarray] | None:
    """x, y, score (frame, joint, 3) of each person in one view; None without keypoints."""
    name = poses.cameras[view]
    if poses2d is None or name not in poses2d:
        return None
    if poses2d[name].skeleton.keypoints != poses.skeleton.keypoints:
        raise ValueError(f"camera {name} has {poses2d[name].skeleton.name}, the 3D has {poses.skeleton.name}")
    camera = rig[name] if rig is not None and name in rig.names else None
    return [points_of_person(poses, poses2d[name], camera, view, p) for p in range(poses.xyz.shape[1])]


def _documents(poses: Poses3D, points: list[np.ndarray] | None, placement: Placement) -> Iterator[bytes]:
    """The text of each frame; people of whom nothing is known in a frame are left out."""
    rows = [RowFormat(_person(poses, int(identity), points is not None)) for identity in poses.person_id]
    for block in blocks(len(poses)):
        texts = [_people(poses, points, placement, block, person, row) for person, row in enumerate(rows)]
        for people in zip(*texts, strict=True):
            yield b'{"version":1.3,"people":[' + b",".join(text for text in people if text) + b"]}"
        if not texts:
            yield from [b'{"version":1.3,"people":[]}'] * (block.stop - block.start)


def _people(
    poses: Poses3D, points: list[np.ndarray] | None, placement: Placement, block: slice, person: int, row: RowFormat
) -> list[bytes]:
    """One person's entry in each frame of a block, in the order of _person; empty where nothing is known."""
    found = poses.state[block, person] != MISSING
    # A filled joint was not seen, but it is there: the smallest score that is not read as missing.
    score = np.where(found, np.maximum(poses.score[block, person], 1e-3), 0.0)
    xyz = np.nan_to_num(points_in_file(poses, block, person, placement))
    spatial = np.concatenate([xyz, score[..., None]], axis=-1)
    flat = None if points is None else points[person][block]
    parts = _joints_of_parts(poses)
    values = [spatial[:, parts[part]] for part in _PARTS]
    if flat is not None:
        values = [flat[:, parts[part]] for part in _PARTS] + values
    text, ends = row.encode(np.concatenate([v.reshape(len(v), -1) for v in values], axis=1))
    known = found.any(-1) if flat is None else found.any(-1) | flat.any((1, 2))
    starts = [0, *ends[:-1].tolist()]
    return [text[a:b] if k else b"" for a, b, k in zip(starts, ends.tolist(), known, strict=True)]


def _person(poses: Poses3D, identity: int, has_flat: bool) -> list[str | Number]:
    """What a person's entry looks like: the numbers of the 2D parts, where there are any, then of the 3D parts."""
    out: list[str | Number] = [f'{{"person_id":[{identity}]']
    joints = _joints_of_parts(poses)
    for dimension, width, decimals in (("2d", 3, 4), ("3d", 4, 6)):
        for part in _PARTS:
            count = len(joints[part]) * width if dimension == "3d" or has_flat else 0
            out.append(f',"{part}_keypoints_{dimension}":[')
            out += [piece for i in range(count) for piece in ([","] if i else []) + [Number(decimals)]]
            out.append("]")
    return [*out, "}"]


def _joints_of_parts(poses: Poses3D) -> dict[str, list[int]]:
    """Which joints go into which of OpenPose's lists; what is neither hand nor face is pose."""
    groups = hands_and_face_of(poses.skeleton)
    parts = {part: list(groups.get(group, ())) for part, group in _GROUP_OF_PART.items()}
    taken = {joint for joints in parts.values() for joint in joints}
    return {"pose": [joint for joint in range(len(poses.skeleton)) if joint not in taken], **parts}


def _write_bytes(path: Path, text: bytes) -> None:
    """As Path.write_bytes, at a third of its cost: an hour is 216,000 files a camera."""
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o666)
    try:
        while text:
            text = text[os.write(handle, text) :]
    finally:
        os.close(handle)


def _move_files(source: Path, target: Path, name: str) -> None:
    """Move the files into `target`, where only files of this name's pattern are removed."""
    target.parent.mkdir(parents=True, exist_ok=True)
    if not target.exists():
        os.replace(source, target)
        return
    pattern = re.compile(re.escape(name) + r"_\d{12}_keypoints\.json")
    new = {path.name for path in source.iterdir()}
    for path in source.iterdir():
        os.replace(path, target / path.name)
    for path in list(target.iterdir()):
        if path.name not in new and pattern.fullmatch(path.name):
            path.unlink()
