"""Bone lengths and places of keypoints on the body, given its poses: linear least squares, with their uncertainty.

A site's place is linear in the lengths of the bones before it and in its own offset. The covariance is that of a
sandwich estimator whose middle sums the scores of neighbouring frames (Newey and West 1987, Bartlett's kernel): errors
of a detector last, and frames that err alike count as one. The poses have fitted such errors away in part, so it is at
least what the keypoints' own covariance says of frames that err alike for that while.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace

import numpy as np

from mv3d.data.motion import Armature
from mv3d.motion.model import Body
from mv3d.motion.observed import Targets

# s over which errors are taken to last.
_MEMORY_S = 0.5
# How far (m) one update may expect lengths and offsets to be off; keeps what nothing shows where it is.
_LENGTH_RIDGE_M, _OFFSET_RIDGE_M = 0.1, 0.03


@dataclass(frozen=True, slots=True, eq=False)
class Posed:
    """A stretch of frames: targets, and the frames R (frame, joint, 3, 3), x (frame, joint, 3) of its poses."""

    targets: Targets
    R: np.ndarray
    x: np.ndarray


def improved(body: Body, stretches: Iterable[Posed], blunder_sigmas: float) -> tuple[Body, np.ndarray]:
    """The body with lengths and free offsets that suit the poses best.

    Returns:
        The body, and the standard deviation of each of its bones' lengths (m). It does not hold what a detector always
        marks wrong.
    """
    columns = len(body.bones) + 3 * sum(site.free for site in body.sites)
    ridge = np.full(columns, _OFFSET_RIDGE_M**-2)
    ridge[: len(body.bones)] = _LENGTH_RIDGE_M**-2
    H, g = np.diag(ridge), np.zeros(columns)
    S, alike = np.zeros((columns, columns)), np.zeros((columns, columns))
    for stretch in stretches:
        part, scores = _equations(body, stretch, blunder_sigmas**2)
        H += part
        g += scores.sum(0)
        memory = _memory(stretch.targets.times)
        S += _long_run(scores, memory)
        alike += memory * part
    step = np.linalg.solve(H, g)
    inverse = np.linalg.inv(H)
    variance = [np.diagonal(inverse @ middle @ inverse) for middle in (S, alike)]
    return _updated(body, step), np.sqrt(np.maximum(*variance))[: len(body.bones)]


def _equations(body: Body, stretch: Posed, scale2: float) -> tuple[np.ndarray, np.ndarray]:
    """Normal matrix, and scores (frame, column) whose sum is the right-hand side."""
    columns = len(body.bones) + 3 * sum(site.free for site in body.sites)
    H, scores = np.zeros((columns, columns)), np.zeros((len(stretch.x), columns))
    own = len(body.bones)
    for s, site in enumerate(body.sites):
        at = stretch.x[:, site.joint] + stretch.R[:, site.joint] @ np.array(site.offset)
        W, r = stretch.targets.information[:, s], stretch.targets.position[:, s] - at
        square = np.einsum("fa,fab,fb->f", r, W, r)
        W = W / (1 + square / scale2)[:, None, None]
        index, J = _columns(body, site.joint, stretch.R)
        if site.free:
            index, J = [*index, own, own + 1, own + 2], np.concatenate([J, stretch.R[:, site.joint]], axis=-1)
            own += 3
        WJ = W @ J
        H[np.ix_(index, index)] += np.einsum("fai,faj->ij", J, WJ)
        scores[:, index] += np.einsum("fai,fa->fi", WJ, r)
    return H, scores


def _columns(body: Body, joint: int, R: np.ndarray) -> tuple[list[int], np.ndarray]:
    """Bones that move a joint, and how: (frame, 3, bone)."""
    index, J = [], []
    for b, bone in enumerate(body.bones):
        total, at = np.zeros((len(R), 3)), joint
        while at > 0:
            parent = body.armature.parents[at]
            if at in bone.shares:
                total = total + R[:, parent] @ bone.shares[at]
            at = parent
        if np.any(total):
            index.append(b)
            J.append(total)
    return index, np.stack(J, axis=-1) if J else np.zeros((len(R), 3, 0))


def _memory(times: np.ndarray) -> int:
    """Frames over which errors are alike."""
    interval = float(np.median(np.diff(times))) if len(times) > 1 else 1.0
    return max(1, min(round(_MEMORY_S / interval), len(times)))


def _long_run(scores: np.ndarray, length: int) -> np.ndarray:
    """Covariance of the sum of scores that are correlated over a while: mean over all windows of that length."""
    padded = np.concatenate([np.zeros((length, scores.shape[1])), scores, np.zeros((length - 1, scores.shape[1]))])
    total = np.cumsum(padded, axis=0)
    windows = total[length:] - total[:-length]
    return windows.T @ windows / length


def _updated(body: Body, step: np.ndarray) -> Body:
    bones = tuple(replace(b, length=b.length + float(d)) for b, d in zip(body.bones, step, strict=False))
    offsets = np.array(body.armature.offsets)
    for old, new in zip(body.bones, bones, strict=True):
        for j, share in old.shares.items():
            offsets[j] += (new.length - old.length) * share
    own, sites = len(bones), []
    for site in body.sites:
        if site.free:
            moved = np.array(site.offset) + step[own : own + 3]
            site = replace(site, offset=tuple(moved.tolist()))
            own += 3
        sites.append(site)
    a = body.armature
    return Body(
        Armature(a.name, a.joints, a.parents, offsets, a.end_offsets), body.freedom, tuple(sites), bones, body.shares
    )
