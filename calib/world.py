"""Where the world of a rig is: turned, moved and scaled onto a floor, onto listed points, or under a person's feet."""

from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Bool, Float
from scipy.optimize import least_squares

from mv3d.data.rig import Rig
from mv3d.geometry.rotations import nearest_rotation, rotation_from_vector

# Points nearer to one line than this share of their spread along it leave the turn around it open.
_IN_LINE = 0.02
# A foot that stands is slower than this (m/s), and marked to about this (m); people stand upright to this (rad).
_STANDING, _FOOT_SD, _UPRIGHT_SD = 0.15, 0.015, np.deg2rad(4.0)
_MOMENT_S = 0.1
# While a foot stands, so many frames tell the same error of its joint.
_ALIKE = 10
_FEWEST_STANDING = 10


@dataclass(frozen=True, slots=True, eq=False)
class WorldChange:
    """x_new = scale * R @ x_old + t: a change of the world's frame, and of the unit if the scale is not 1."""

    R: np.ndarray
    t: np.ndarray
    scale: float = 1.0

    def __call__(self, x_old: Float[np.ndarray, "*batch 3"]) -> Float[np.ndarray, "*batch 3"]:
        """Points in the new world, m."""
        return self.scale * x_old @ self.R.T + self.t

    def of_rig(self, rig: Rig) -> Rig:
        """The same cameras in the new world: they see the same pixels."""
        turned = [camera.R @ self.R.T for camera in rig]
        return Rig(
            tuple(
                replace(camera, R=nearest_rotation(R), t=self.scale * camera.t - R @ self.t)
                for camera, R in zip(rig, turned, strict=True)
            )
        )


def lying_board(R: Float[np.ndarray, "3 3"], t: Float[np.ndarray, "3"], thickness: float = 0.0) -> WorldChange:
    """The world of a board that lies on the floor: its origin and x axis, z up, the floor at z = 0.

    Args:
        R, t: of the board, x_world = R x_board + t; its z points away from who looks at it, into the floor.
        thickness: of the board, m.
    """
    turn = np.diag([1.0, -1.0, -1.0]) @ R.T
    return WorldChange(turn, np.array([0.0, 0.0, thickness]) - turn @ t)


@dataclass(frozen=True, slots=True, eq=False)
class PointFit:
    """Points of the scene on the places where they are said to be.

    Attributes:
        change: without scale, unless that was asked for.
        distance: (point,) m from each place after it.
        scale: by which the rig would have to grow to fit best, whether or not it was taken.
    """

    change: WorldChange
    distance: np.ndarray
    scale: float


def onto_points(
    found: Float[np.ndarray, "point 3"], wanted: Float[np.ndarray, "point 3"], rescale: bool = False
) -> PointFit:
    """The rigid motion, with scale if wanted, that brings points to where they should be, by least squares.

    Source: Umeyama, Least-squares estimation of transformation parameters between two point patterns, 1991.

    Raises:
        ValueError: fewer than three points, or all on one line.
    """
    if len(found) < 3:
        raise ValueError(f"{len(found)} points with places, three or more are wanted")
    a, b = found - found.mean(0), wanted - wanted.mean(0)
    spread = np.linalg.svd(b, compute_uv=False)
    if spread[1] < _IN_LINE * spread[0]:
        raise ValueError("the points are all on one line; list one beside it")
    u, d, vt = np.linalg.svd(b.T @ a)
    sign = np.array([1.0, 1.0, np.sign(np.linalg.det(u @ vt))])
    R = u @ (sign[:, None] * vt)
    scale = float((d * sign).sum() / (a**2).sum())
    used = scale if rescale else 1.0
    change = WorldChange(R, wanted.mean(0) - used * R @ found.mean(0), used)
    return PointFit(change, np.linalg.norm(change(found) - wanted, axis=1), scale)


@dataclass(frozen=True, slots=True, eq=False)
class FloorFit:
    """A floor under feet.

    Attributes:
        change: to the world with that floor at z = 0, z up.
        tilt_sd: standard deviation of its tilt, rad: the larger of two directions.
        height_sd: of its height under the person, m.
        standing: number of feet that stood still.
    """

    change: WorldChange
    tilt_sd: float
    height_sd: float
    standing: int


def under_feet(
    feet: Float[np.ndarray, "frame foot 3"],
    upper: Float[np.ndarray, "frame 3"],
    seconds: Float[np.ndarray, " frame"],
    above_floor: Float[np.ndarray, " foot"],
    ahead: Float[np.ndarray, "3"],
) -> FloorFit:
    """The floor that a person stands on: a plane through the feet that stand still, and under them.

    Standing people are upright: that tells up where the feet do not, as along the one line of a walk.

    Args:
        feet: positions, m; NaN where missing.
        upper: neck or head, m.
        seconds: times.
        above_floor: height of each foot's joint over the floor when it stands, m.
        ahead: direction in the world that becomes y, as far as it lies in the floor.

    Raises:
        ValueError: too few feet that stand.
    """
    standing = _standing(feet, seconds)
    if standing.sum() < _FEWEST_STANDING:
        raise ValueError(f"{int(standing.sum())} feet that stand still, {_FEWEST_STANDING} or more are wanted")
    body = (upper[:, None] - feet)[standing]
    up = np.nanmedian(body / np.linalg.norm(body, axis=-1, keepdims=True), axis=0)
    side = np.cross(ahead, up)
    frame = nearest_rotation(np.stack([side / np.linalg.norm(side), np.cross(up, side), up]))
    x = feet[standing] @ frame.T
    middle = np.median(x, axis=0)
    over = np.broadcast_to(above_floor, standing.shape)[standing]

    def misfit(tilt: np.ndarray) -> np.ndarray:
        height = (x - middle) @ rotation_from_vector(np.append(tilt[:2], 0.0))[2] - over - tilt[2]
        return np.append(height / (_FOOT_SD * np.sqrt(_ALIKE)), tilt[:2] / _UPRIGHT_SD)

    fit = least_squares(misfit, np.zeros(3), loss="cauchy")
    turn = rotation_from_vector(np.append(fit.x[:2], 0.0)) @ frame
    origin = frame.T @ middle + turn[2] * fit.x[2]
    sd = np.sqrt(np.diag(np.linalg.inv(fit.jac.T @ fit.jac)))
    return FloorFit(WorldChange(turn, -turn @ origin), float(sd[:2].max()), float(sd[2]), int(standing.sum()))


def _standing(feet: np.ndarray, seconds: np.ndarray) -> Bool[np.ndarray, "frame foot"]:
    """Feet that are where they were a moment before and will be a moment later."""
    step = max(1, round(_MOMENT_S / float(np.median(np.diff(seconds))))) if len(seconds) > 1 else 1
    if len(seconds) <= 2 * step:
        return np.zeros(feet.shape[:2], bool)
    moved = np.linalg.norm(feet[step:] - feet[:-step], axis=-1) / (seconds[step:] - seconds[:-step])[:, None]
    still = np.zeros(feet.shape[:2], bool)
    with np.errstate(invalid="ignore"):
        still[step:-step] = np.fmax(moved[step:], moved[:-step]) < _STANDING
    return still & np.isfinite(feet).all(-1)
