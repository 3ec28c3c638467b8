"""Keypoints of all views: which formats there are, and how a folder tells them apart."""

import difflib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from mv3d.data.poses import Poses2D
from mv3d.data.skeleton import Skeleton
from mv3d.errors import ConfigError, FormatError, SessionError
from mv3d.files import caliscope, deeplabcut, freemocap, people_json
from mv3d.files.camera_sources import files_with, sources_of_cameras
from mv3d.files.openpose_json import read_openpose_views
from mv3d.files.people import FoundPerson, ViewPeople, frame_range, skeleton_of, to_poses2d


@dataclass(frozen=True, slots=True)
class KeypointFormat:
    """One format.

    Attributes:
        is_in: whether a folder seems to hold it.
        read: the views by camera name, of a folder and the cameras of the rig.
    """

    is_in: Callable[[Path], bool]
    read: Callable[[Path, Sequence[str]], dict[str, ViewPeople]]


# In the order in which they are tried: what a folder tells by its names before what needs a look into a file.
_FORMATS = {
    "caliscope": KeypointFormat(caliscope.is_in, caliscope.read_caliscope),
    "freemocap": KeypointFormat(freemocap.is_in, freemocap.read_freemocap),
    "deeplabcut": KeypointFormat(deeplabcut.is_in, deeplabcut.read_deeplabcut),
    "easymocap": KeypointFormat(people_json.is_easymocap, people_json.read_easymocap),
    "alphapose": KeypointFormat(people_json.is_alphapose, people_json.read_alphapose),
    "mmpose": KeypointFormat(people_json.is_mmpose, people_json.read_mmpose),
    "openpose": KeypointFormat(people_json.is_any_json, read_openpose_views),
}
KEYPOINT_FORMATS = ("mv3d", *_FORMATS)


def read_keypoints(
    folder: str | Path,
    rig_names: Sequence[str],
    fps: float | int = 30.0,
    skeleton: Skeleton | None = None,
    format: str = "auto",
) -> dict[str, Poses2D]:
    """Keypoints of every camera of a rig.

    Args:
        folder: holds `<camera>.npz` of `Poses2D.save`, or what another program wrote; see docs/formats.md.
        rig_names: the cameras.
        fps: frames per second of formats that do not say; npz files and caliscope know their times.
        skeleton: the joints: their order where the file holds only numbers, which of them to take where it names them.
        format: one of KEYPOINT_FORMATS, or "auto" to go by what lies in the folder.

    Returns:
        Poses2D by camera name in the rig's order. Those of other programs all cover the same frames.

    Raises:
        SessionError: no such folder, a camera without keypoints or the reverse; names it.
        FormatError: a file is corrupt, or the cameras differ in skeleton.
        ConfigError: no such format.
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise SessionError(f"{folder}: no such folder of keypoints")
    format = _recognised(folder) if format == "auto" else format
    if format == "mv3d":
        return _same_skeleton(folder, _read_archives(folder, rig_names))
    if format not in _FORMATS:
        raise ConfigError(f"keypoint format {format!r} is unknown; there are {', '.join(KEYPOINT_FORMATS)}")
    views = _same_joints(_FORMATS[format].read(folder, rig_names), skeleton)
    whole = skeleton_of(list(views.values()), skeleton)
    frames = frame_range(views.values())
    return {name: to_poses2d(view, frames, fps, whole) for name, view in views.items()}


def _recognised(folder: Path) -> str:
    if files_with(folder, ".npz"):
        return "mv3d"
    for name, known in _FORMATS.items():
        if known.is_in(folder):
            return name
    if files_with(folder, ".h5"):
        raise FormatError(f"{folder}: HDF5 is not read, since it can hold programs; {deeplabcut.EXPORT_ADVICE}")
    raise SessionError(
        f"{folder}: no keypoints; expected <camera>.npz, a folder of OpenPose JSON per camera, or a format of "
        f"{', '.join(name for name in _FORMATS if name != 'openpose')}"
    )


def _read_archives(folder: Path, rig_names: Sequence[str]) -> dict[str, Poses2D]:
    matched = sources_of_cameras(folder, rig_names, [(path.stem, path) for path in files_with(folder, ".npz")])
    return {name: Poses2D.load(path) for name, path in matched.items()}


def _same_skeleton(folder: Path, poses: dict[str, Poses2D]) -> dict[str, Poses2D]:
    kinds = {p.skeleton.keypoints: name for name, p in poses.items()}
    if len(kinds) > 1:
        found = ", ".join(f"{name} {poses[name].skeleton.name}" for name in kinds.values())
        raise FormatError(f"{folder}: the cameras have different skeletons ({found}); run one detector on all of them")
    return poses


def _same_joints(views: dict[str, ViewPeople], skeleton: Skeleton | None) -> dict[str, ViewPeople]:
    """Views whose files name the joints, in the order of the skeleton, or else of the first view."""
    named = next((view.skeleton for view in views.values() if view.skeleton), None)
    wanted = skeleton or named
    if named is None or wanted is None:
        return views
    return {name: _in_order(view, wanted) for name, view in views.items()}


def _in_order(view: ViewPeople, wanted: Skeleton) -> ViewPeople:
    own = view.skeleton.keypoints if view.skeleton else wanted.keypoints
    for joint in wanted.keypoints:
        if joint not in own:
            near = "".join(f"; is it {name}?" for name in difflib.get_close_matches(joint, own, 1))
            raise FormatError(f"{view.source}: has no joint {joint} of {wanted.name}{near} It has {', '.join(own)}")
    if own == wanted.keypoints:
        return replace(view, skeleton=wanted)
    order = np.array([own.index(joint) for joint in wanted.keypoints])
    people = {f: tuple(FoundPerson(p.body[order], p.parts) for p in found) for f, found in view.people.items()}
    return replace(view, people=people, skeleton=wanted)
