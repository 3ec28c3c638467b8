"""What lies in a session folder: the sources of frames, and which camera of the rig each belongs to."""

import re
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

from mv3d.errors import SessionError
from mv3d.files.image_folder import list_images
from mv3d.files.natural import natural_key
from mv3d.files.video import VIDEO_SUFFIXES


def find_sources(folder: str | Path) -> dict[str, Path]:
    """Videos and folders of images, by camera name (the stem), in natural order.

    Args:
        folder: a session's `videos/`.

    Raises:
        SessionError: no such folder, nothing in it, or two sources of one name.
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise SessionError(f"{folder}: no such folder; put one video per camera into it")
    found: dict[str, Path] = {}
    for path in sorted(folder.iterdir(), key=natural_key):
        if not _is_source(path):
            continue
        name = path.name if path.is_dir() else path.stem
        if name in found:
            raise SessionError(
                f"{folder}: camera {name} has two sources, {found[name].name} and {path.name}; keep one of them"
            )
        found[name] = path
    if not found:
        raise SessionError(f"{folder}: no videos; expected one per camera ({', '.join(sorted(VIDEO_SUFFIXES))})")
    return found


def _is_source(path: Path) -> bool:
    if path.name.startswith("."):
        return False
    if path.is_dir():
        return bool(list_images(path))
    return path.suffix.lower() in VIDEO_SUFFIXES


def match_names(rig_names: Sequence[str], video_names: Sequence[str], kind: str = "video") -> dict[str, str]:
    """Which video belongs to which camera of the rig.

    Equal names match first; then names that differ only in case and separators (cam_01 and CAM01); then those that
    differ only in leading zeros as well (cam1 and cam01).

    Args:
        rig_names: cameras of the rig.
        video_names: what is to be matched.
        kind: what that is, for messages.

    Returns:
        video name by camera name, in the rig's order.

    Raises:
        SessionError: a camera without a video, a video without a camera, or a name that fits twice; says which.
    """
    left, free, found = list(rig_names), list(video_names), {}
    for key in (_exact, _letters, _without_zeros):
        pairs = _unique_pairs(left, free, key, kind)
        found |= pairs
        left = [name for name in left if name not in pairs]
        free = [name for name in free if name not in pairs.values()]
    if left or free:
        lacking = f"no {kind} for camera {_list(left)} of the rig" if left else ""
        extra = f"no camera in the rig for {kind} {_list(free)}" if free else ""
        raise SessionError(
            f"{' and '.join(filter(None, (lacking, extra)))}; "
            f"the rig has {_list(rig_names)}, given are {_list(video_names)}: rename or remove what does not fit"
        )
    return {name: found[name] for name in rig_names}


def alike(name: str, rig_names: Sequence[str]) -> str | None:
    """The camera of the rig that a name belongs to, as `match_names` has it; None if there is none, or several."""
    for key in (_exact, _letters, _without_zeros):
        fits = [own for own in rig_names if key(own) == key(name)]
        if fits:
            return fits[0] if len(fits) == 1 else None
    return None


def _unique_pairs(left: list[str], free: list[str], key: Callable[[str], str], kind: str) -> dict[str, str]:
    pairs = {}
    for name in left:
        fits = [other for other in free if key(other) == key(name)]
        rivals = [other for other in left if key(other) == key(name)]
        if fits and len(fits) + len(rivals) > 2:
            raise SessionError(
                f"camera {_list(rivals)} and {kind} {_list(fits)} can be matched in more than one way; "
                "rename them so that the names are equal"
            )
        if fits:
            pairs[name] = fits[0]
    return pairs


def _exact(name: str) -> str:
    return name


def _letters(name: str) -> str:
    return re.sub(r"[\W_]+", "", name.casefold())


def _without_zeros(name: str) -> str:
    # Separators keep numbers apart until their zeros are gone: rig1_cam01 is rig1cam1.
    return re.sub(r"[\W_]+", "", re.sub(r"(?<!\d)0+(?=\d)", "", name.casefold()))


def _list(names: Iterable[str]) -> str:
    return ", ".join(names) or "none"
