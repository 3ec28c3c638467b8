"""Cameras that do not stand where they stood, told from how the poses of all of them differ."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float
from scipy.special import chndtrinc
from scipy.stats import chi2
from scipy.stats import f as fisher

from mv3d.data.rig import Rig
from mv3d.geometry.rotations import rotation_from_vector

# Chance of naming any camera of a rig that stands still.
_FALSE_ALARM = 0.03
# Chance of naming a camera that was moved by what is called detectable.
_POWER = 0.95


@dataclass(frozen=True, slots=True)
class CameraMove:
    """How a camera stands against where it stood, the rig being held to the cameras that were not moved.

    Attributes:
        camera: its name.
        turned, turned_sd: angle, rad.
        moved, moved_sd: of its centre, m.
        named: whether that is more than the two calibrations' uncertainty.
        least_turn, least_move: what would have been named in 95 of 100 cases in whatever direction: a turn on the spot,
            rad, or a move without a turn, m.
    """

    camera: str
    turned: float
    turned_sd: float
    moved: float
    moved_sd: float
    named: bool
    least_turn: float
    least_move: float


@dataclass(frozen=True, slots=True, eq=False)
class Recheck:
    """What became of the cameras.

    Attributes:
        moves: of every camera, in order.
        untold: two cameras only, or half of them moved: it is seen that they did, but not which.
        disagreement: how far apart the cameras that are not named are, as a multiple of what noise makes of it.
    """

    moves: tuple[CameraMove, ...]
    untold: bool
    disagreement: float


def name_moved(
    old: Rig,
    d: Float[np.ndarray, " parameter"],
    A: Float[np.ndarray, "parameter world"],
    information: Float[np.ndarray, "parameter parameter"],
    blind: int = 0,
    *,
    exact: bool = True,
) -> Recheck:
    """Give cameras a move of their own one by one, the one that explains most first, until what is left is noise.

    Args:
        old: the rig as it was.
        d: what every camera's parameters differ by, its pose last: a turn, rad, and a translation, m, from the left.
        A: what a change of the world does to `d`; without columns where the information knows nothing of the world.
        information: inverse covariance of `d`.
        blind: directions of `d`, changes of the world, of which the information is zero.
        exact: whether the information is what it says. If not, how far the other cameras are apart tells too, and a
            camera must stand out from them by an F test, which few cameras make a strict one.
    """
    count, world = len(old), A.shape[1] + blind
    limit = float(chi2.ppf(1 - _FALSE_ALARM / count, 6))
    moved: list[int] = []
    while True:
        cost = _cost(d, A, information, moved, count)
        left = [c for c in range(count) if c not in moved]
        # Of two cameras that are left and do not agree either may have moved.
        if len(left) <= 2:
            untold = cost > limit
            break
        gains = {c: cost - _cost(d, A, information, [*moved, c], count) for c in left}
        best = max(gains, key=lambda c: gains[c])
        # What is left then tells whether the uncertainties are too small.
        freedom = len(d) - 6 * (len(moved) + 1) - world
        excess = (cost - gains[best]) / freedom
        outstanding = 0.0 if exact else 6 * float(fisher.ppf(1 - _FALSE_ALARM / count, 6, freedom))
        if gains[best] < max(limit * max(1.0, excess), outstanding * excess):
            untold = False
            break
        moved.append(best)
    least = [_detectable(A, information, limit, count, c) for c in range(count)]
    moves = tuple(_move(old, d, A, information, moved, c, least[c]) for c in range(count))
    freedom = len(d) - 6 * len(moved) - world
    return Recheck(moves, untold, float(np.sqrt(cost / max(freedom, 1))))


def _columns(A: np.ndarray, moved: list[int], count: int) -> np.ndarray:
    """What the world's change does, and what moves of some of `count` cameras do."""
    size = len(A) // count
    own = np.zeros((len(A), 6 * len(moved)))
    for i, c in enumerate(moved):
        own[size * (c + 1) - 6 : size * (c + 1), 6 * i : 6 * i + 6] = np.eye(6)
    return np.concatenate([A, own], axis=1)


def _cost(d: np.ndarray, A: np.ndarray, information: np.ndarray, moved: list[int], count: int) -> float:
    """Squared misfit in standard deviations with the world and the moved cameras free."""
    X = _columns(A, moved, count)
    step = np.linalg.solve(X.T @ information @ X, X.T @ information @ d)
    left = d - X @ step
    return float(left @ information @ left)


def _detectable(A: np.ndarray, information: np.ndarray, limit: float, count: int, c: int) -> tuple[float, float]:
    """Turn (rad) and move (m) of camera c that pass the limit in 95 of 100 cases in the direction that shows least.

    A move m adds m' M m to the mean of the camera's gain, M the information on its pose with the world's change
    projected out; the gain is then noncentral chi-square.
    """
    own = _columns(A, [c], count)[:, A.shape[1] :]
    seen = information @ own
    M = own.T @ seen - seen.T @ A @ np.linalg.solve(A.T @ information @ A, A.T @ seen)
    needed = float(chndtrinc(limit, 6, 1 - _POWER))
    turn, move = (np.linalg.eigvalsh(M[i : i + 3, i : i + 3])[0] for i in (0, 3))
    return float(np.sqrt(needed / max(turn, 1e-12))), float(np.sqrt(needed / max(move, 1e-12)))


def _move(
    old: Rig,
    d: np.ndarray,
    A: np.ndarray,
    information: np.ndarray,
    moved: list[int],
    c: int,
    least: tuple[float, float],
) -> CameraMove:
    """Of camera c, against the world of those that were not moved, and not of itself."""
    X = _columns(A, sorted({*moved, c}), len(old))
    normal = np.linalg.inv(X.T @ information @ X)
    step = normal @ (X.T @ information @ d)
    at = A.shape[1] + 6 * sorted({*moved, c}).index(c)
    own, sd = step[at : at + 6], np.sqrt(np.diag(normal)[at : at + 6])
    camera = old[c]
    turn = rotation_from_vector(own[:3])
    center = -(turn @ camera.R).T @ (turn @ camera.t + own[3:])
    return CameraMove(
        camera.name,
        float(np.linalg.norm(own[:3])),
        float(np.linalg.norm(sd[:3]) / np.sqrt(3)),
        float(np.linalg.norm(center - camera.center)),
        float(np.linalg.norm(sd[3:]) / np.sqrt(3)),
        c in moved,
        *least,
    )
