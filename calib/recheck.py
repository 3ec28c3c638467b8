"""Whether a rig still is what it was when it was calibrated, and which of its cameras were moved since."""

from dataclasses import dataclass

import numpy as np
from scipy.special import chndtrinc
from scipy.stats import chi2

from calib.result import Uncertainty
from mv3d.data.camera import Camera
from mv3d.data.rig import Rig
from mv3d.geometry.rotations import rotation_from_vector, skew, vector_from_rotation

# What a standing tripod yields and a lens does with warmth: rad and m. No calibration is held to less. More of it hides
# true moves: a turn of 1e-4 rad is a tenth of a pixel, and 2e-4 made a move of 5 mm at 4 m a matter of luck.
_YIELD = np.array([1e-4] * 3 + [3e-4] * 3)
# px of focal length and centre; and of a coefficient, only so that none is known exactly.
_LENS_YIELD, _LEAST_DIST = np.array([0.1, 0.1, 0.05, 0.05]), 1e-6
_POSE = ("rx", "ry", "rz", "tx", "ty", "tz")
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
    """

    moves: tuple[CameraMove, ...]
    untold: bool


def compare_rigs(old: Rig, new: Rig, new_sd: Uncertainty, old_sd: Uncertainty | None = None) -> Recheck:
    """Find the cameras that do not stand where they stood, whatever the two worlds are.

    Poses differ by a change of the world that all share, by noise, and by moves of few cameras. Cameras are given a
    move of their own one by one, the one that explains most first, until what is left is noise. Lenses do not change:
    where both calibrations have found them, what they differ by is noise that the poses share, and is taken out.

    Args:
        old, new: the same cameras in the same order; equal scale; with `old_sd` the same lens models too, found anew.
        new_sd: uncertainty of the new rig.
        old_sd: of the old one; None where it is not known: then the new poses were found with the old lenses, and a
            false alarm is likelier.

    Raises:
        ValueError: lenses of different models.
    """
    count = len(old)
    lens = new_sd.parameters[: new_sd.parameters.index("rx")] if old_sd is not None else ()
    if old_sd is not None and lens != old_sd.parameters[: old_sd.parameters.index("rx")]:
        raise ValueError("the lenses of the two calibrations are of different models")
    parameters = (*lens, *_POSE)
    yields = np.concatenate([np.tile(_LENS_YIELD, len(lens))[: len(lens)], _YIELD])
    yields[4 : len(lens)] = _LEAST_DIST
    covariance = _covariance(new_sd, old.names, parameters) + np.diag(np.tile(yields**2, count))
    if old_sd is not None:
        covariance += _covariance(old_sd, old.names, parameters)
    information = np.linalg.inv(covariance)
    limit = float(chi2.ppf(1 - _FALSE_ALARM / count, 6))
    moved: list[int] = []
    d, A = _aligned(old, new, lens)
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
        excess = max(1.0, (cost - gains[best]) / (len(d) - 6 * (len(moved) + 2)))
        if gains[best] < limit * excess:
            untold = False
            break
        moved.append(best)
    least = [_detectable(A, information, limit, count, c) for c in range(count)]
    return Recheck(tuple(_move(old, d, A, information, moved, c, least[c]) for c in range(count)), untold)


def _covariance(uncertainty: Uncertainty, names: tuple[str, ...], parameters: tuple[str, ...]) -> np.ndarray:
    """Of some parameters of the named cameras, camera by camera."""
    size = len(uncertainty.parameters)
    own = [uncertainty.parameters.index(name) for name in parameters]
    rows = [uncertainty.cameras.index(name) * size + i for name in names for i in own]
    return uncertainty.covariance[np.ix_(rows, rows)]


def _lens_difference(old: Camera, new: Camera, parameters: tuple[str, ...]) -> np.ndarray:
    """New minus old of fx, fy, cx, cy and the distortion, as many as there are parameters."""
    found = np.zeros(len(parameters))
    K = new.lens.K - old.lens.K
    found[:4] = K[0, 0], K[1, 1], K[0, 2], K[1, 2]
    count = min(len(found) - 4, len(old.lens.dist), len(new.lens.dist))
    found[4 : 4 + count] = new.lens.dist[:count] - old.lens.dist[:count]
    return found


def _aligned(old: Rig, new: Rig, lens: tuple[str, ...]) -> tuple[np.ndarray, np.ndarray]:
    """Differences of lenses, and of poses from the left in the world of the camera that most others agree with; d / dg.

    A camera's lens comes before its pose.
    """
    choices = []
    for a in range(len(old)):
        R = new[a].R.T @ old[a].R  # x_new = R x_old + t
        t = new[a].R.T @ (old[a].t - new[a].t)
        choices.append(np.concatenate([_difference(o, n.R @ R, n.R @ t + n.t) for o, n in zip(old, new, strict=True)]))
    reach = float(np.median(np.linalg.norm(old.centers - old.centers.mean(0), axis=1))) + 1e-6
    sizes = [np.median(np.linalg.norm(d.reshape(-1, 6) / ([1.0] * 3 + [reach] * 3), axis=1)) for d in choices]
    poses = choices[int(np.argmin(sizes))].reshape(-1, 6)
    lenses = [_lens_difference(o, n, lens) if lens else np.zeros(0) for o, n in zip(old, new, strict=True)]
    d = np.concatenate([np.concatenate(pair) for pair in zip(lenses, poses, strict=True)])
    blind = np.zeros((len(lens), 6))
    A = [np.vstack([blind, np.block([[c.R, np.zeros((3, 3))], [skew(c.t) @ c.R, c.R]])]) for c in old]
    return d, np.concatenate(A)


def _difference(camera: Camera, R: np.ndarray, t: np.ndarray) -> np.ndarray:
    turn = R @ camera.R.T
    return np.concatenate([vector_from_rotation(turn), t - turn @ camera.t])


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
    at = 6 + 6 * sorted({*moved, c}).index(c)
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


def recheck_lines(found: Recheck) -> list[str]:
    """What there is to say, a line each."""
    named = [move for move in found.moves if move.named]
    if found.untold:
        return [
            "cameras have moved against each other, but with two left to compare it is not told which: calibrate anew"
        ]
    if not named:
        return [
            "the calibration still holds: no camera has moved by more than the uncertainty of the check",
            *(_bound(m) for m in found.moves),
        ]
    return [
        f"{m.camera} has moved: turned by {np.rad2deg(m.turned):.2f} +- {np.rad2deg(m.turned_sd):.2f} degrees, moved by"
        f" {1e3 * m.moved:.1f} +- {1e3 * m.moved_sd:.1f} mm; calibrate it anew: --only {m.camera} --overwrite"
        for m in named
    ]


def _bound(m: CameraMove) -> str:
    return (
        f"  {m.camera}: {np.rad2deg(m.turned):.2f} +- {np.rad2deg(m.turned_sd):.2f} degrees, {1e3 * m.moved:.1f} +-"
        f" {1e3 * m.moved_sd:.1f} mm; a turn of {np.rad2deg(m.least_turn):.2f} degrees or a move of"
        f" {1e3 * m.least_move:.0f} mm would have been seen"
    )
