"""Skeletons of the user's own, an animal's for example: names, bones, mirror pairs and groups in YAML.

The format is in docs/formats.md; an example is configs/skeletons/quadruped.yaml.
"""

import difflib
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import yaml

from mv3d.data.skeleton import Skeleton
from mv3d.data.skeletons import SKELETONS
from mv3d.errors import ConfigError

_MAX_BYTES = 1_000_000
_MOST_KEYPOINTS = 1000
_KEYS = ("name", "keypoints", "bones", "mirror", "groups")


def find_skeleton(name_or_path: str) -> Skeleton:
    """A skeleton by its name, or of a YAML file.

    Raises:
        ConfigError: no such name or file, or the file contradicts itself; says what is near.
    """
    if name_or_path in SKELETONS:
        return SKELETONS[name_or_path]
    path = Path(name_or_path)
    if path.suffix.lower() not in (".yaml", ".yml"):
        raise ConfigError(
            f"skeleton {name_or_path!r} is unknown{_near(name_or_path, SKELETONS)}; give a .yaml file, or one of "
            f"{', '.join(SKELETONS)}"
        )
    try:
        return _skeleton(path.stem, _load(path))
    except ValueError as error:
        raise ConfigError(f"{path}: {error}") from error


def _load(path: Path) -> Any:
    try:
        if path.stat().st_size > _MAX_BYTES:
            raise ValueError(f"{path.stat().st_size} bytes are too many for a skeleton; is it the right file?")
        return yaml.safe_load(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigError(f"{path}: cannot read this skeleton ({error.strerror}); check the path") from error
    # PyYAML lets the errors of impossible dates and numbers, and of lists nested too deep, through as they are.
    except (OverflowError, RecursionError, yaml.YAMLError) as error:
        raise ValueError(f"cannot read this skeleton: {' '.join(str(error).split())}") from error


def _skeleton(stem: str, document: Any) -> Skeleton:
    if not isinstance(document, dict):
        raise ValueError("wanted keypoints: [...] and bones: [[from, to], ...]")
    for key in document:
        if key not in _KEYS:
            raise ValueError(f"key {str(key)[:40]!r} is unknown{_near(str(key), _KEYS)}; there are {', '.join(_KEYS)}")
    keypoints = _names(document.get("keypoints"), "keypoints")
    if not 0 < len(keypoints) <= _MOST_KEYPOINTS:
        raise ValueError(f"{len(keypoints)} keypoints; 1 to {_MOST_KEYPOINTS} are wanted")
    if len(set(keypoints)) < len(keypoints):
        twice = next(name for name in keypoints if keypoints.count(name) > 1)
        raise ValueError(f"keypoint {twice} is there twice")
    name = str(document.get("name", stem))
    if name in SKELETONS:
        raise ValueError(f"the name {name} is taken by a skeleton that mv3d knows; choose another")
    mirror = document.get("mirror")
    return Skeleton(
        name,
        keypoints,
        _bones(document.get("bones", []), keypoints),
        has_background=False,
        groups=_groups(document.get("groups", {}), keypoints),
        mirror_pairs=None if mirror is None else _mirror(mirror, keypoints),
    )


def _names(value: Any, what: str) -> tuple[str, ...]:
    if not isinstance(value, list) or not all(isinstance(name, str) and name.strip() for name in value):
        raise ValueError(f"{what} must be a list of names (quote those that YAML takes for something else: 'no', '1')")
    return tuple(value)


def _indices(names: Iterable[str], keypoints: tuple[str, ...], what: str) -> tuple[int, ...]:
    for name in names:
        if name not in keypoints:
            raise ValueError(f"{what}: no keypoint {name}{_near(name, keypoints)}")
    return tuple(keypoints.index(name) for name in names)


def _pairs(value: Any, keypoints: tuple[str, ...], what: str) -> tuple[tuple[int, int], ...]:
    if not isinstance(value, list):
        raise ValueError(f"{what} must be a list of pairs [a, b]")
    pairs = []
    for number, pair in enumerate(value, 1):
        names = _names(pair, f"{what} {number}")
        if len(names) != 2 or names[0] == names[1]:
            raise ValueError(f"{what} {number} is [{', '.join(names)[:80]}]; a pair of two keypoints is wanted")
        a, b = _indices(names, keypoints, f"{what} {number}")
        pairs.append((a, b))
    return tuple(pairs)


def _bones(value: Any, keypoints: tuple[str, ...]) -> tuple[tuple[int, int], ...]:
    bones = _pairs(value, keypoints, "bones")
    seen: set[frozenset[int]] = set()
    for a, b in bones:
        if frozenset((a, b)) in seen:
            raise ValueError(f"bones: {keypoints[a]} and {keypoints[b]} are joined twice")
        seen.add(frozenset((a, b)))
    return bones


def _mirror(value: Any, keypoints: tuple[str, ...]) -> tuple[tuple[int, int], ...]:
    pairs = _pairs(value, keypoints, "mirror")
    paired = [joint for pair in pairs for joint in pair]
    for joint in paired:
        if paired.count(joint) > 1:
            raise ValueError(f"mirror: {keypoints[joint]} is in two pairs")
    return pairs


def _groups(value: Any, keypoints: tuple[str, ...]) -> tuple[tuple[str, tuple[int, ...]], ...]:
    if not isinstance(value, dict):
        raise ValueError("groups must map a name to a list of keypoints")
    groups = {str(name): _indices(_names(v, f"group {name}"), keypoints, f"group {name}") for name, v in value.items()}
    joints = [joint for members in groups.values() for joint in members]
    for joint in joints:
        if joints.count(joint) > 1:
            raise ValueError(f"groups: {keypoints[joint]} is named twice")
    return tuple(groups.items())


def _near(name: str, known: Iterable[str]) -> str:
    return "".join(f", nearest is {near}" for near in difflib.get_close_matches(name, list(known), 1))
