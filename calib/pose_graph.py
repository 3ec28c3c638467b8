"""Where cameras stand, from the boards that they share: robust means of relative poses along the best tree.

A rigid motion is a pair (R, t). The distance of two motions is the angle between their rotations plus the distance of
their translations as a share of how far the boards are: both are then angles, and both errors of a view's pose show.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float

from mv3d.errors import CalibrationError
from mv3d.geometry.rotations import nearest_rotation

# Candidates of a consensus; more only cost time.
_MOST_CANDIDATES = 120
# A consensus is not believed to be sharper than this (rad): one view's pose is not.
_SHARPEST = 0.004
_SWEEPS = 3


@dataclass(frozen=True, slots=True, eq=False)
class Consensus:
    """What a set of motions agrees on.

    Attributes:
        R, t: the motion.
        spread: median distance of the candidates to it, rad.
        inliers: number of candidates within three spreads.
    """

    R: np.ndarray
    t: np.ndarray
    spread: float
    inliers: int


@dataclass(frozen=True, slots=True, eq=False)
class ViewPoses:
    """Board in camera, view by view: R (camera, frame, 3, 3), t (camera, frame, 3) m, weight, 0 where there is none."""

    R: np.ndarray
    t: np.ndarray
    weight: np.ndarray


def distances(
    R: Float[np.ndarray, "3 3"],
    t: Float[np.ndarray, "3"],
    Rs: Float[np.ndarray, "n 3 3"],
    ts: Float[np.ndarray, "n 3"],
    reach: float,
) -> Float[np.ndarray, " n"]:
    """Distance of each motion to (R, t), rad; `reach` is how far the boards are, m."""
    cosine = (np.einsum("ij,nij->n", R, Rs) - 1) / 2
    return np.arccos(np.clip(cosine, -1, 1)) + np.linalg.norm(ts - t, axis=1) / reach


def agree(
    Rs: Float[np.ndarray, "n 3 3"],
    ts: Float[np.ndarray, "n 3"],
    weight: Float[np.ndarray, " n"],
    reach: float,
    group: int = 1,
) -> Consensus:
    """Robust mean: the candidate with the least median distance to the others, refined by its neighbours.

    Args:
        Rs, ts: motions; with `group` > 1 each run of that many are alternatives of which one is right.
        weight: of each.
        reach: how far the boards are, m.
        group: number of alternatives.
    """
    n = len(Rs) // group
    step = max(1, -(-n // _MOST_CANDIDATES))
    pick = (np.arange(0, n, step)[:, None] * group + np.arange(group)).ravel()
    cosine = (np.einsum("aij,bij->ab", Rs[pick], Rs[pick]) - 1) / 2
    apart = np.linalg.norm(ts[pick][:, None] - ts[pick][None], axis=-1) / reach
    matrix = np.arccos(np.clip(cosine, -1, 1)) + apart
    nearest = matrix.reshape(len(pick), -1, group).min(2)
    best = pick[int(np.argmin(np.median(nearest, axis=1)))]
    R, t = Rs[best], ts[best]
    for _ in range(5):
        d = distances(R, t, Rs, ts, reach).reshape(-1, group)
        spread = max(float(np.median(d.min(1))), _SHARPEST)
        alternatives = np.where(d == d.min(1, keepdims=True), 1.0, 0.0).ravel()
        w = weight * alternatives / (1 + (d.ravel() / (2 * spread)) ** 2) ** 2
        w /= max(w.sum(), 1e-12)
        R, t = nearest_rotation(np.einsum("n,nij->ij", w, Rs)), w @ ts
    d = distances(R, t, Rs, ts, reach).reshape(-1, group).min(1)
    spread = float(np.median(d))
    return Consensus(R, t, spread, int((d <= 3 * max(spread, _SHARPEST)).sum()))


def relative(poses: ViewPoses, a: int, b: int, reach: float, turns: Float[np.ndarray, "k 3 4"]) -> Consensus | None:
    """Motion from camera a to camera b over the frames that both have; None if there are none.

    Args:
        poses: of the views.
        a, b: cameras.
        reach: how far the boards are, m.
        turns: motions of the board that look alike, the identity first.
    """
    frames = np.flatnonzero((poses.weight[a] > 0) & (poses.weight[b] > 0))
    if not len(frames):
        return None
    Ra, ta = poses.R[a, frames], poses.t[a, frames]
    # The board's own turn is applied in one of the two cameras; only the difference shows.
    Rb = np.einsum("nij,kjl->nkil", poses.R[b, frames], turns[:, :, :3])
    tb = np.einsum("nij,kj->nki", poses.R[b, frames], turns[:, :, 3]) + poses.t[b, frames][:, None]
    R = np.einsum("nkij,nlj->nkil", Rb, Ra)
    t = tb - np.einsum("nkij,nj->nki", R, ta)
    weight = np.repeat(np.minimum(poses.weight[a, frames], poses.weight[b, frames]), len(turns))
    return agree(R.reshape(-1, 3, 3), t.reshape(-1, 3), weight, reach, len(turns))


def mean_reach(poses: ViewPoses) -> float:
    """How far the boards are from the cameras, m."""
    return float(np.median(np.linalg.norm(poses.t[poses.weight > 0], axis=-1)))


def place_cameras(
    poses: ViewPoses,
    names: tuple[str, ...],
    turns: Float[np.ndarray, "k 3 4"],
    known: dict[int, tuple[np.ndarray, np.ndarray]],
) -> tuple[Float[np.ndarray, "camera 3 3"], Float[np.ndarray, "camera 3"]]:
    """Camera poses (R, t), cam from world, along the tree of most information from the `known` ones.

    Raises:
        CalibrationError: some cameras share no view with the others; names a pair and what to film.
    """
    count, reach = len(names), mean_reach(poses)
    edges: dict[tuple[int, int], Consensus] = {}
    for a in range(count):
        for b in range(a + 1, count):
            found = relative(poses, a, b, reach, turns)
            if found is not None:
                edges[a, b] = found
    R, t = np.tile(np.eye(3), (count, 1, 1)), np.zeros((count, 3))
    for camera, (R_known, t_known) in known.items():
        R[camera], t[camera] = R_known, t_known
    placed = set(known)
    while len(placed) < count:
        open_edges = [e for e in edges if (e[0] in placed) != (e[1] in placed)]
        if not open_edges:
            raise CalibrationError(_disconnected(names, placed, poses))
        a, b = max(open_edges, key=lambda e: edges[e].inliers / max(edges[e].spread, _SHARPEST) ** 2)
        edge = edges[a, b]
        if a in placed:
            R[b], t[b] = edge.R @ R[a], edge.R @ t[a] + edge.t
            placed.add(b)
        else:
            R[a], t[a] = edge.R.T @ R[b], edge.R.T @ (t[b] - edge.t)
            placed.add(a)
    return R, t


def choose_turns(
    poses: ViewPoses,
    R: Float[np.ndarray, "camera 3 3"],
    t: Float[np.ndarray, "camera 3"],
    turns: Float[np.ndarray, "k 3 4"],
) -> np.ndarray:
    """For each view the index of the turn that makes it agree with the best view of its frame (camera, frame)."""
    choice = np.zeros(poses.weight.shape, np.int64)
    if len(turns) == 1:
        return choice
    reach = mean_reach(poses)
    for f in np.flatnonzero((poses.weight > 0).sum(0) > 1):
        seen = np.flatnonzero(poses.weight[:, f] > 0)
        first = seen[np.argmax(poses.weight[seen, f])]
        Rw, tw = to_world(poses, R, t, first, f)
        for c in seen[seen != first]:
            Rc, tc = to_world(poses, R, t, c, f)
            options_R, options_t = Rc @ turns[:, :, :3], turns[:, :, 3] @ Rc.T + tc
            choice[c, f] = int(np.argmin(distances(Rw, tw, options_R, options_t, reach)))
    return choice


def to_world(
    poses: ViewPoses,
    R: Float[np.ndarray, "camera 3 3"],
    t: Float[np.ndarray, "camera 3"],
    c: int | np.integer,
    f: int | np.integer,
) -> tuple[np.ndarray, np.ndarray]:
    """Board in the world as camera c has it in frame f."""
    return R[c].T @ poses.R[c, f], R[c].T @ (poses.t[c, f] - t[c])


def place_boards(
    poses: ViewPoses,
    R: Float[np.ndarray, "camera 3 3"],
    t: Float[np.ndarray, "camera 3"],
    fixed: Bool[np.ndarray, " camera"],
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Board poses that most views agree on, and camera poses averaged over all their boards in turn.

    Returns:
        camera R, t; board R (frame, 3, 3), t (frame, 3), NaN where no view is; and each view's distance (rad) to its
        board.
    """
    R, t, reach = R.copy(), t.copy(), mean_reach(poses)
    frames = poses.weight.shape[1]
    Rb, tb = np.full((frames, 3, 3), np.nan), np.full((frames, 3), np.nan)
    apart = np.full(poses.weight.shape, np.nan)
    for _ in range(_SWEEPS):
        for f in np.flatnonzero((poses.weight > 0).any(0)):
            seen = np.flatnonzero(poses.weight[:, f] > 0)
            Rw = np.swapaxes(R[seen], 1, 2) @ poses.R[seen, f]
            tw = np.einsum("nji,nj->ni", R[seen], poses.t[seen, f] - t[seen])
            found = agree(Rw, tw, poses.weight[seen, f], reach)
            Rb[f], tb[f] = found.R, found.t
            apart[seen, f] = distances(found.R, found.t, Rw, tw, reach)
        for c in np.flatnonzero(~fixed):
            seen = np.flatnonzero(poses.weight[c] > 0)
            Rc = poses.R[c, seen] @ np.swapaxes(Rb[seen], 1, 2)
            tc = poses.t[c, seen] - np.einsum("nij,nj->ni", Rc, tb[seen])
            shared = (poses.weight[:, seen] > 0).sum(0) > 1
            if shared.any():
                found = agree(Rc[shared], tc[shared], poses.weight[c, seen][shared], reach)
                R[c], t[c] = found.R, found.t
    return R, t, Rb, tb, apart


def _disconnected(names: tuple[str, ...], placed: set[int], poses: ViewPoses) -> str:
    views = (poses.weight > 0).sum(1)
    rest = [c for c in range(len(names)) if c not in placed]
    a, b = max(placed, key=lambda c: views[c]), max(rest, key=lambda c: views[c])
    groups = f"{', '.join(names[c] for c in sorted(placed))} and {', '.join(names[c] for c in rest)}"
    return (
        f"no frame shows the board to a camera of both groups {groups}: film the board where {names[a]} and {names[b]}"
        " both see it"
    )
