"""Which file or folder of keypoints belongs to which camera of the rig."""

import re
from collections.abc import Iterable, Sequence
from pathlib import Path

from mv3d.errors import SessionError
from mv3d.files.natural import natural_key
from mv3d.files.sessions import match_names

# What programs put around the camera's name: cam01_json, cam01_keypoints, results_cam01, cam01DLC_resnet50_...
_SUFFIX = re.compile(r"[ _.-]*(json|keypoints|openpose|pose2d|alphapose-results)$", re.IGNORECASE)
_PREFIX = re.compile(r"^results_", re.IGNORECASE)


def camera_of(name: str) -> str:
    """The camera in the name of a folder or in the stem of a file, without what detectors put around it."""
    bare = _PREFIX.sub("", _SUFFIX.sub("", name))
    return bare or name


def sources_of_cameras(folder: Path, rig_names: Sequence[str], found: Iterable[tuple[str, Path]]) -> dict[str, Path]:
    """One source for every camera of the rig, in the rig's order.

    Args:
        folder: where they lie, for messages.
        rig_names: the cameras.
        found: name of a camera and its source.

    Raises:
        SessionError: two sources of one camera, a camera without one, or the reverse; names it.
    """
    by_name: dict[str, Path] = {}
    for name, path in sorted(found, key=lambda item: natural_key(item[1])):
        if name in by_name:
            raise SessionError(f"{folder}: {by_name[name].name} and {path.name} are both of camera {name}; keep one")
        by_name[name] = path
    try:
        matched = match_names(rig_names, list(by_name), kind="keypoints")
    except SessionError as error:
        raise SessionError(f"{folder}: {error}") from error
    return {name: by_name[stem] for name, stem in matched.items()}


def files_with(folder: Path, suffix: str) -> list[Path]:
    """Files of a folder by their suffix, without regard to case, in natural order."""
    return sorted((p for p in folder.iterdir() if p.suffix.lower() == suffix and p.is_file()), key=natural_key)


def folders_with(folder: Path, suffix: str) -> list[Path]:
    """Folders directly below that hold such files, in natural order."""
    return sorted((p for p in folder.iterdir() if p.is_dir() and files_with(p, suffix)), key=natural_key)
