"""Keypoints of all views, from a folder in our own format or in OpenPose's."""

import re
from collections.abc import Sequence
from pathlib import Path

from mv3d.data.poses import Poses2D
from mv3d.data.skeleton import Skeleton
from mv3d.errors import FormatError, SessionError
from mv3d.files.natural import natural_key
from mv3d.files.openpose_json import JsonSequence, find_json_files, read_sequences, skeleton_of, to_poses2d
from mv3d.files.sessions import match_names

# What detectors put after the camera's name when they name a folder: cam01_json, cam01_keypoints.
_SUFFIX = re.compile(r"[ _.-]*(json|keypoints|openpose|pose2d)$", re.IGNORECASE)


def read_keypoints(
    folder: str | Path, rig_names: Sequence[str], fps: float | int = 30.0, skeleton: Skeleton | None = None
) -> dict[str, Poses2D]:
    """Keypoints of every camera of a rig.

    Args:
        folder: holds `<camera>.npz` of `Poses2D.save`; or a folder of OpenPose JSON per camera; or the JSON of all
            views at once as OpenPose's 3D mode writes them, views in the rig's order.
        rig_names: the cameras.
        fps: frames per second of OpenPose JSON, which does not say; npz files know their times.
        skeleton: joint order of OpenPose JSON if the number of joints does not tell it (BODY_25B).

    Returns:
        Poses2D by camera name in the rig's order. Those read from JSON all cover the same frames.

    Raises:
        SessionError: no such folder, a camera without keypoints or the reverse; names it.
        FormatError: a file is corrupt, or the cameras differ in skeleton.
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise SessionError(f"{folder}: no such folder of keypoints")
    archives = sorted(folder.glob("*.npz"), key=natural_key)
    if archives:
        return _same_skeleton(folder, _read_archives(folder, archives, rig_names))
    sequences = _find_sequences(folder, rig_names)
    skeleton = skeleton or skeleton_of(list(sequences.values()))
    first = min(min(s.people) for s in sequences.values())
    frames = range(first, max(max(s.people) for s in sequences.values()) + 1)
    return {name: to_poses2d(sequence, frames, fps, skeleton) for name, sequence in sequences.items()}


def _read_archives(folder: Path, archives: list[Path], rig_names: Sequence[str]) -> dict[str, Poses2D]:
    by_stem = {path.stem: path for path in archives}
    matched = _match(folder, rig_names, list(by_stem))
    return {name: Poses2D.load(by_stem[stem]) for name, stem in matched.items()}


def _same_skeleton(folder: Path, poses: dict[str, Poses2D]) -> dict[str, Poses2D]:
    kinds = {p.skeleton.keypoints: name for name, p in poses.items()}
    if len(kinds) > 1:
        found = ", ".join(f"{name} {poses[name].skeleton.name}" for name in kinds.values())
        raise FormatError(f"{folder}: the cameras have different skeletons ({found}); run one detector on all of them")
    return poses


def _find_sequences(folder: Path, rig_names: Sequence[str]) -> dict[str, JsonSequence]:
    if find_json_files(folder):
        views = read_sequences(folder)
        if sorted(views) != list(range(len(rig_names))):
            raise SessionError(
                f"{folder}: JSON of {len(views)} views, the rig has {len(rig_names)} cameras ({', '.join(rig_names)})"
            )
        return {name: views[i] for i, name in enumerate(rig_names)}
    folders = {}
    for path in sorted((p for p in folder.iterdir() if p.is_dir() and find_json_files(p)), key=natural_key):
        name = _SUFFIX.sub("", path.name) or path.name
        if name in folders:
            raise SessionError(f"{folder}: {folders[name].name} and {path.name} are both of camera {name}; keep one")
        folders[name] = path
    if not folders:
        raise SessionError(f"{folder}: no keypoints; expected <camera>.npz, or a folder of OpenPose JSON per camera")
    matched = _match(folder, rig_names, list(folders))
    return {name: _one_view(folders[stem]) for name, stem in matched.items()}


def _one_view(folder: Path) -> JsonSequence:
    views = read_sequences(folder)
    if len(views) > 1:
        raise FormatError(f"{folder}: holds files of {len(views)} views; keep one view in a folder")
    return next(iter(views.values()))


def _match(folder: Path, rig_names: Sequence[str], found: list[str]) -> dict[str, str]:
    try:
        return match_names(rig_names, found, kind="keypoints")
    except SessionError as error:
        raise SessionError(f"{folder}: {error}") from error
