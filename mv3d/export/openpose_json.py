"""OpenPose's JSON with 3D: one file per frame and camera, as `--3d --write_json` makes them (version 1.3).

The 2D block is in pixels of that camera's image, the 3D block in metres of the world and the same in every camera's
file. A missing point is 0, 0, 0 or 0, 0, 0, 0. `person_id` is the person's here, where OpenPose always writes -1.
"""

import json
import os
import re
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np

from mv3d.data.poses import MISSING, Poses2D, Poses3D
from mv3d.data.rig import Rig
from mv3d.errors import SessionError
from mv3d.export.person_views import points_of_person
from mv3d.files.writing import why_not_written


def write_openpose_json(
    poses: Poses3D, folder: str | Path, name: str, rig: Rig | None = None, poses2d: Mapping[str, Poses2D] | None = None
) -> None:
    """Write `<folder>/<camera>/<name>_000000000000_keypoints.json` and so on; older files of that name are replaced.

    Args:
        poses: the skeletons.
        folder: gets one folder per camera of `poses`.
        name: the beginning of the file names.
        rig: the cameras, to tell which detection is the person where there are several.
        poses2d: keypoints by camera name, of the same skeleton; without them the 2D blocks are empty.

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
            for frame, text in enumerate(_documents(poses, points)):
                (part / camera / f"{name}_{frame:012d}_keypoints.json").write_text(text, encoding="utf-8")
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


def _documents(poses: Poses3D, points: list[np.ndarray] | None) -> Iterator[str]:
    found = poses.state != MISSING
    # A filled joint was not seen, but it is there: the smallest score that is not read as missing.
    score = np.where(found, np.maximum(poses.score, 1e-3), 0.0)
    spatial = np.concatenate([np.nan_to_num(poses.xyz), score[..., None]], axis=-1)
    for i in range(len(poses)):
        people = []
        for p in range(poses.xyz.shape[1]):
            flat = [] if points is None else points[p][i]
            if found[i, p].any() or np.any(flat):
                people.append(_person(int(poses.person_id[p]), flat, spatial[i, p]))
        yield json.dumps({"version": 1.3, "people": people}, separators=(",", ":"), allow_nan=False)


def _person(person_id: int, flat: np.ndarray | list, spatial: np.ndarray) -> dict[str, list]:
    return {
        "person_id": [person_id],
        "pose_keypoints_2d": np.round(np.ravel(flat), 4).tolist(),
        "face_keypoints_2d": [],
        "hand_left_keypoints_2d": [],
        "hand_right_keypoints_2d": [],
        "pose_keypoints_3d": np.round(np.ravel(spatial), 6).tolist(),
        "face_keypoints_3d": [],
        "hand_left_keypoints_3d": [],
        "hand_right_keypoints_3d": [],
    }


def _move_files(source: Path, target: Path, name: str) -> None:
    """Move the files into `target`, where only files of this name's pattern are removed first."""
    target.mkdir(parents=True, exist_ok=True)
    pattern = re.compile(re.escape(name) + r"_\d{12}_keypoints\.json")
    new = {path.name for path in source.iterdir()}
    for path in source.iterdir():
        os.replace(path, target / path.name)
    for path in list(target.iterdir()):
        if path.name not in new and pattern.fullmatch(path.name):
            path.unlink()
