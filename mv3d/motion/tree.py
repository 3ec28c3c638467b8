"""A body for skeletons that are no human's, an animal's or a hand's: its bones as a tree of joints that turn freely.

The rest pose is the frame whose shape is the most usual one, with the largest tree of measured bones; keypoints beyond
it are left out. There are no limits but that no joint turns by more than 170 degrees from the rest pose.
"""

from collections import deque

import numpy as np

from mv3d.data.skeleton import Skeleton
from mv3d.motion import human_freedom as freedom
from mv3d.motion.builder import Builder
from mv3d.motion.model import Body, Freedom

_REACH_DEG = 170.0
_LARGEST_SAMPLE = 150


def tree_body(skeleton: Skeleton, xyz: np.ndarray) -> Body | None:
    """The body, or None if no bone was measured.

    Args:
        skeleton: names and bones.
        xyz: (frame, keypoint, 3) m; NaN where missing.
    """
    sample = xyz[:: max(1, len(xyz) // _LARGEST_SAMPLE)]
    seen = np.asarray(np.isfinite(sample).all(axis=-1))
    order = _largest_tree(skeleton, seen)
    if len(order) < 2:
        return None
    rest = _usual_shape(sample[:, [child for child, _ in order]])
    if rest is None:
        return None
    place = dict(zip([child for child, _ in order], rest, strict=True))
    return _built(skeleton, xyz, order, place)


def _largest_tree(skeleton: Skeleton, seen: np.ndarray) -> list[tuple[int, int]]:
    """(joint, parent) from a central root outwards, -1 its parent, over bones that were measured."""
    near: dict[int, list[int]] = {}
    for a, b in skeleton.bones:
        if (seen[:, a] & seen[:, b]).any():
            near.setdefault(a, []).append(b)
            near.setdefault(b, []).append(a)
    trees = [_spread(joint, near) for joint in sorted(near)]
    # The most joints, and among the roots of that tree the one from which all others are nearest.
    return min(trees, key=lambda tree: (-len(tree), _depth(tree)), default=[])


def _spread(root: int, near: dict[int, list[int]]) -> list[tuple[int, int]]:
    found, queue, reached = [(root, -1)], deque([root]), {root}
    while queue:
        joint = queue.popleft()
        for other in near[joint]:
            if other not in reached:
                reached.add(other)
                found.append((other, joint))
                queue.append(other)
    return found


def _depth(tree: list[tuple[int, int]]) -> int:
    depth = {-1: -1}
    for joint, parent in tree:
        depth[joint] = depth[parent] + 1
    return sum(depth.values())


def _usual_shape(points: np.ndarray) -> np.ndarray | None:
    """The whole frame whose distances between joints are nearest to their medians; gaps of all frames if none is."""
    whole = np.isfinite(points).all(axis=(1, 2))
    if not whole.any():
        filled = np.nanmedian(points - np.nanmean(points, axis=1, keepdims=True), axis=0)
        return filled if np.isfinite(filled).all() else None
    points = points[whole]
    apart = np.linalg.norm(points[:, :, None] - points[:, None], axis=-1)
    best = np.argmin(((apart - np.median(apart, axis=0)) ** 2).sum(axis=(1, 2)))
    return points[best]


def _built(skeleton: Skeleton, xyz: np.ndarray, order: list[tuple[int, int]], place: dict[int, np.ndarray]) -> Body:
    names = skeleton.keypoints
    children: dict[int, list[int]] = {joint: [] for joint, _ in order}
    for joint, parent in order[1:]:
        children[parent].append(joint)
    b = Builder(skeleton, xyz, names[order[0][0]])
    b.site(names[order[0][0]], names[order[0][0]])
    for joint, parent in order[1:]:
        vector = place[joint] - place[parent]
        length = b.length(names[joint], names[parent])
        direction = vector / max(float(np.linalg.norm(vector)), 1e-9)
        b.limb(names[joint], names[parent], direction, length, _freedom(joint, children, place))
    return b.body()


def _freedom(joint: int, children: dict[int, list[int]], place: dict[int, np.ndarray]) -> Freedom | None:
    if not children[joint]:
        return None
    if len(children[joint]) > 1:
        return freedom.ball(_REACH_DEG)
    return freedom.swinging(place[children[joint][0]] - place[joint], _REACH_DEG)
