"""Bones: measured on trajectories, how constant they are by evidence, and the tree through which they inform."""

from collections import deque

import numpy as np
from jaxtyping import Float, Int

from mv3d.reconstruct import bone_kernels
from mv3d.reconstruct.trajectories import RIDGE, Bones, no_bones

# No detector and no skin keeps a joint's distance to better than this, m; below it nothing is gained.
_STIFFEST_M = 0.002
# Turns a median absolute deviation into a standard deviation for normal errors.
_MAD = 1.4826


def measure_bones(
    x: Float[np.ndarray, "joint frame 3"],
    pairs: list[tuple[int, int]],
    variance: Float[np.ndarray, "bone frame"],
) -> Bones:
    """Lengths, and how constant they are beyond what the uncertainty of the trajectories explains.

    Args:
        x: trajectories that know nothing of bones, m.
        pairs: joints of each bone.
        variance: of each bone's length in each frame by the trajectories' covariance, m^2.
    """
    ends = np.array(pairs, np.int64).reshape(-1, 2)
    lengths = np.linalg.norm(x[ends[:, 0]] - x[ends[:, 1]], axis=-1)
    length = np.median(lengths, axis=1)
    spread = _MAD * np.median(np.abs(lengths - length[:, None]), axis=1)
    sigma2 = spread**2 - np.median(variance, axis=1)
    return Bones(ends, length, np.sqrt(np.maximum(sigma2, _STIFFEST_M**2)))


def length_variance(
    x: Float[np.ndarray, "joint frame 3"],
    covariance: Float[np.ndarray, "joint frame 3 3"],
    pairs: list[tuple[int, int]],
) -> Float[np.ndarray, "bone frame"]:
    """Variance (m^2) of the distance of two joints whose errors are independent."""
    ends = np.array(pairs, np.int64).reshape(-1, 2)
    apart = x[ends[:, 0]] - x[ends[:, 1]]
    u = apart / np.maximum(np.linalg.norm(apart, axis=-1, keepdims=True), 1e-9)
    both = covariance[ends[:, 0]] + covariance[ends[:, 1]]
    return np.einsum("bfi,bfij,bfj->bf", u, both, u)


def informed(
    bones: Bones, x: Float[np.ndarray, "joint frame 3"], H: Float[np.ndarray, "joint frame 3 3"]
) -> Float[np.ndarray, "joint frame 3 3"]:
    """Information of every joint with what the bones pass on from the others' observations in the same frame.

    What the others' motion knows is left out, so the covariance errs on the wide side.
    """
    tree, order = tree_of(bones, len(x))
    out = H.copy()
    if len(order):
        direction, _, weight = tree.rows(x)
        bone_kernels.pass_messages(order, tree.ends, direction, weight, RIDGE, out)
    return out


def tree_of(bones: Bones, joints: int) -> tuple[Bones, Int[np.ndarray, " bone"]]:
    """The bones that close no loop, their ends as (parent, child), and their order from the leaves to the roots."""
    tree = _spanning_tree(bones.ends, joints)
    if not tree:
        return no_bones(), np.zeros(0, np.int64)
    oriented, order = _oriented(bones.ends[tree])
    return Bones(oriented, bones.length[tree], bones.sigma[tree]), order


def _spanning_tree(ends: Int[np.ndarray, "bone 2"], joints: int) -> list[int]:
    """Bones of a forest: those that close no loop, in order."""
    group, tree = list(range(joints)), []

    def root(j: int) -> int:
        while group[j] != j:
            j = group[j]
        return j

    for i, (a, b) in enumerate(ends.tolist()):
        if root(a) != root(b):
            group[root(b)] = root(a)
            tree.append(i)
    return tree


def _oriented(ends: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Ends as (parent, child) of trees grown from the lowest joints, and the bones from the leaves to the roots."""
    touching: dict[int, list[tuple[int, int]]] = {}
    for i, (a, b) in enumerate(ends.tolist()):
        touching.setdefault(a, []).append((i, b))
        touching.setdefault(b, []).append((i, a))
    oriented, order, reached = ends.copy(), [], set()
    for start in sorted(touching):
        queue = deque([start] if start not in reached else [])
        reached.add(start)
        while queue:
            joint = queue.popleft()
            for i, other in touching[joint]:
                if other not in reached:
                    reached.add(other)
                    oriented[i] = joint, other
                    order.append(i)
                    queue.append(other)
    return oriented, np.array(order[::-1], np.int64)
