"""The place of a camera from points of the scene whose places are known: no board, no other camera."""

from dataclasses import dataclass

import cv2
import numpy as np
from jaxtyping import Float
from scipy.optimize import least_squares

from calib.planar import LEAST_COSINE, facing
from mv3d.data.lens import Lens
from mv3d.geometry.rotations import rotation_from_vector, vector_from_rotation

# Three points leave up to four places open.
FEWEST_POINTS = 4
# Cost of a point that the lens does not show from there, in standard deviations.
_UNSEEN = 1e3


@dataclass(frozen=True, slots=True, eq=False)
class ScenePose:
    """A camera's place.

    Attributes:
        R, t: x_cam = R x_world + t, m.
        error_px: (point,) distance of each point from where it was marked.
        center_sd: standard deviation of the camera's position, m, the largest over directions.
        turn_sd: of its turn, rad, likewise.
    """

    R: np.ndarray
    t: np.ndarray
    error_px: np.ndarray
    center_sd: float
    turn_sd: float


def pose_from_scene(
    lens: Lens, x_world: Float[np.ndarray, "point 3"], x_image: Float[np.ndarray, "point 2"], marked_px: float
) -> ScenePose:
    """The pose that fits marked points best; a few may be marked wrong.

    Starts are the poses of all points and of all but each one, so that one wrong mark spoils not all of them. Source of
    the starts: Terzakis and Lourakis, A consistently fast and globally optimal solution to PnP, ECCV 2020, in OpenCV.

    Args:
        lens: of the camera.
        x_world: places, m.
        x_image: where they were marked, px.
        marked_px: standard deviation of a mark.

    Raises:
        ValueError: fewer than four points, all on one line, marks where the lens shows nothing, or no pose at all.
    """
    count = len(x_world)
    if count < FEWEST_POINTS:
        raise ValueError(f"{count} points with places are marked, {FEWEST_POINTS} or more are wanted")
    spread = np.linalg.svd(x_world - x_world.mean(0), compute_uv=False)
    if spread[1] < 0.02 * spread[0]:
        raise ValueError("its points are all on one line; mark one beside it")
    ray = lens.unproject(x_image)
    if not np.isfinite(ray).all():
        raise ValueError(
            f"point {int(np.flatnonzero(~np.isfinite(ray).all(1))[0]) + 1} lies where its lens shows nothing"
        )
    turn = facing(ray[None], np.ones((1, count), bool), lens)[0]
    starts = [s for use in _subsets(count) if (s := _start(x_world[use], (ray @ turn.T)[use], turn)) is not None]

    def misfit(p: np.ndarray) -> np.ndarray:
        x_cam = x_world @ rotation_from_vector(p[:3]).T + p[3:]
        with np.errstate(invalid="ignore", divide="ignore"):
            error = (lens.project(x_cam) - x_image) / marked_px
        return np.nan_to_num(error, nan=_UNSEEN).ravel()

    if not starts:
        raise ValueError("no pose fits its points; are they in the order of the list?")
    # By the sum of distances, as the loss below counts what is far off.
    start = min(starts, key=lambda p: float(np.linalg.norm(misfit(p).reshape(-1, 2), axis=1).sum()))
    best = least_squares(misfit, start, loss="soft_l1", f_scale=3.0, x_scale="jac")
    covariance = np.linalg.pinv(best.jac.T @ best.jac)
    R, t = rotation_from_vector(best.x[:3]), best.x[3:]
    error = np.linalg.norm(misfit(best.x).reshape(-1, 2), axis=1) * marked_px
    return ScenePose(R, t, error, *_uncertainty(best.x, covariance))


def _subsets(count: int) -> list[np.ndarray]:
    everyone = np.arange(count)
    return [everyone, *(np.delete(everyone, i) for i in range(count) if count > FEWEST_POINTS)]


def _start(x_world: np.ndarray, ray: np.ndarray, turn: np.ndarray) -> np.ndarray | None:
    """Rotation vector and translation from directions turned to +z by `turn`."""
    near = ray[:, 2] > LEAST_COSINE
    if near.sum() < FEWEST_POINTS - 1:
        return None
    x_norm = ray[near, :2] / ray[near, 2:]
    try:
        found, vectors, moves, _ = cv2.solvePnPGeneric(
            np.ascontiguousarray(x_world[near]), x_norm, np.eye(3), np.zeros(0), flags=cv2.SOLVEPNP_SQPNP
        )
    except cv2.error:
        return None
    if not found or not np.isfinite(moves[0]).all():
        return None
    vector = vector_from_rotation(turn.T @ rotation_from_vector(vectors[0].ravel()))
    return np.concatenate([vector, turn.T @ moves[0].ravel()])


def _uncertainty(p: np.ndarray, covariance: np.ndarray) -> tuple[float, float]:
    """Of the position -R^T t and of the turn, by differences of the exponential map."""
    R, step = rotation_from_vector(p[:3]), 1e-6

    def center(q: np.ndarray) -> np.ndarray:
        return -rotation_from_vector(q[:3]).T @ q[3:]

    J = np.stack([(center(p + e) - center(p - e)) / (2 * step) for e in step * np.eye(6)], axis=1)
    turns = [vector_from_rotation(rotation_from_vector(p[:3] + e) @ R.T) / step for e in step * np.eye(3)]
    A = np.stack(turns, axis=1)
    largest = [np.linalg.eigvalsh(C).max() for C in (J @ covariance @ J.T, A @ covariance[:3, :3] @ A.T)]
    return float(np.sqrt(largest[0])), float(np.sqrt(largest[1]))
