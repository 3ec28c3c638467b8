"""A skeleton as the plain arrays of an npz file: its name and joints, and what only it knows of itself."""

from collections.abc import Mapping

import numpy as np

from mv3d.data.skeleton import Skeleton
from mv3d.data.skeletons import SKELETONS

SKELETON_ARRAYS = ("skeleton", "keypoints", "bones", "mirror", "groups")
"""Names of the arrays; the last three are optional and missing where the name tells them."""


def skeleton_arrays(skeleton: Skeleton) -> dict[str, np.ndarray]:
    """Name and joints, and for a skeleton that is not known by its name also bones, mirror and groups."""
    named = {
        "skeleton": np.array(skeleton.name, dtype=np.str_),
        "keypoints": np.array(skeleton.keypoints, dtype=np.str_),
    }
    if SKELETONS.get(skeleton.name) == skeleton:
        return named
    group_of = {joint: name for name, joints in skeleton.groups for joint in joints}
    return {
        **named,
        "bones": np.array(skeleton.bones, dtype=np.int64).reshape(-1, 2),
        "mirror": skeleton.mirror.astype(np.int64),
        "groups": np.array([group_of.get(joint, "") for joint in range(len(skeleton))], dtype=np.str_),
    }


def skeleton_of_arrays(arrays: Mapping[str, np.ndarray]) -> Skeleton:
    """The skeleton of `skeleton_arrays`; without bones where its name is unknown and the file has none.

    Raises:
        ValueError, TypeError, IndexError, OverflowError: the arrays contradict each other.
    """
    name, keypoints = str(arrays["skeleton"]), tuple(str(k) for k in arrays["keypoints"])
    known = SKELETONS.get(name)
    if known is not None and known.keypoints == keypoints and "bones" not in arrays:
        return known
    bones = tuple((int(a), int(b)) for a, b in arrays.get("bones", ()))
    group_of = [str(group) for group in arrays.get("groups", ())]
    if len(group_of) not in (0, len(keypoints)):
        raise ValueError(f"groups has {len(group_of)} names for {len(keypoints)} keypoints")
    groups = {group: tuple(j for j, other in enumerate(group_of) if other == group) for group in group_of if group}
    return Skeleton(
        name, keypoints, bones, has_background=False, groups=tuple(groups.items()), mirror_pairs=_pairs(arrays)
    )


def _pairs(arrays: Mapping[str, np.ndarray]) -> tuple[tuple[int, int], ...] | None:
    if "mirror" not in arrays:
        return None
    other = [int(joint) for joint in arrays["mirror"]]
    if any(not 0 <= joint < len(other) or other[joint] != i for i, joint in enumerate(other)):
        raise ValueError("mirror must name each joint's counterpart, and be named by it")
    return tuple((i, joint) for i, joint in enumerate(other) if i < joint)
