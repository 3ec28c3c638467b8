"""Boards fixed to one another: lenses from each board alone, and where the boards are on the body that they make."""

from dataclasses import replace

import numpy as np
from jaxtyping import Float

from calib.board_set import Place, motion_of, place_of
from calib.boards import BoardSet
from calib.config import LensConfig, OutlierConfig
from calib.intrinsics import CameraFit, fit_camera
from calib.pose_graph import agree
from calib.separate_boards import split_corners
from mv3d.data.lens import Lens
from mv3d.errors import CalibrationError
from mv3d.geometry.rotations import nearest_rotation

# Fewer corners of a board fix no pose of it.
_FEWEST_CORNERS = 5


def fit_camera_to_set(
    board: BoardSet,
    xy: Float[np.ndarray, "frame corner 2"],
    sigma_px: Float[np.ndarray, " frame"],
    size: tuple[int, int],
    *,
    model: str,
    name: str,
    known: Lens | None,
    config: LensConfig,
    outliers: OutlierConfig,
    worst_focal_sd: float,
) -> CameraFit:
    """As `fit_camera`, each board of each frame a view of its own; poses are those of the body that the boards make.

    Where a frame shows several boards, its pose is by the one with most corners.
    """
    parts, frames = len(board.parts), len(xy)
    split = split_corners(board, xy)
    count = np.asarray(np.isfinite(split).all(-1).sum(-1))
    split = np.where((count >= _FEWEST_CORNERS)[..., None, None], split, np.nan)
    fit = fit_camera(
        board.own_points, split.reshape(parts * frames, -1, 2), np.tile(sigma_px, parts), size, model=model, name=name,
        known=known, config=config, outliers=outliers, worst_focal_sd=worst_focal_sd,
    )  # fmt: skip
    keep = fit.keep.reshape(parts, frames, -1)
    best, every = np.argmax(keep.sum(-1), axis=0), np.arange(frames)
    motions = [motion_of(place) for place in board.places]
    body_R, body_t = np.stack([R for R, _ in motions])[best], np.stack([t for _, t in motions])[best]
    # x_cam = R x_board + t and x_body = body_R x_board + body_t.
    R = fit.R.reshape(parts, frames, 3, 3)[best, every] @ np.swapaxes(body_R, 1, 2)
    t = fit.t.reshape(parts, frames, 3)[best, every] - np.einsum("fij,fj->fi", R, body_t)
    keep = np.asarray(keep.any(0))
    excluded = {view % frames: reason for view, reason in fit.excluded.items() if not keep[view % frames].any()}
    return replace(fit, R=R, t=t, keep=keep, excluded=excluded)


def places_from_poses(
    board: BoardSet, R: Float[np.ndarray, "part frame 3 3"], t: Float[np.ndarray, "part frame 3"], reach: float
) -> tuple[Place, ...]:
    """Places of the boards from their poses at the same instants, along the pairs that met most often.

    Args:
        board: the set.
        R, t: x_world = R x_board + t, m; NaN where a board has no pose.
        reach: how far the boards are from the cameras, m.

    Raises:
        CalibrationError: a board has no instant in common with the others; names it.
    """
    has = np.asarray(np.isfinite(t).all(-1))
    met = has.astype(int) @ has.T.astype(int)
    motions = {0: (np.eye(3), np.zeros(3))}
    while len(motions) < len(board.parts):
        open_pairs = [(a, b) for a in motions for b in range(len(board.parts)) if b not in motions and met[a, b]]
        if not open_pairs:
            lost = next(k for k in range(len(board.parts)) if k not in motions)
            raise CalibrationError(
                f"board {lost + 1}, {board.parts[lost].describe()}, was at no instant seen together with the others, so"
                " its place on them cannot be found; show both at once to cameras that are linked, or give the place"
            )
        a, b = max(open_pairs, key=lambda pair: met[pair])
        both = np.flatnonzero(has[a] & has[b])
        Rs = np.swapaxes(R[a, both], 1, 2) @ R[b, both]
        ts = np.einsum("fji,fj->fi", R[a, both], t[b, both] - t[a, both])
        found = agree(Rs, ts, np.ones(len(both)), reach)
        R_a, t_a = motions[a]
        motions[b] = R_a @ found.R, R_a @ found.t + t_a
    return tuple(place_of(*motions[k]) for k in range(len(board.parts)))


def part_motions(board: BoardSet, points: Float[np.ndarray, "corner 3"]) -> Float[np.ndarray, "coordinate free"]:
    """How the corners move with shifts and turns of each board but the first about its middle."""
    columns = []
    for k in range(1, len(board.parts)):
        mine = board.members(k)
        offset = points - points[mine].mean(0)
        for axis in np.eye(3):
            columns += [np.where(mine[:, None], axis, 0.0), np.where(mine[:, None], np.cross(axis, offset), 0.0)]
    return np.stack([column.ravel() for column in columns], axis=1)


def rigid_places(board: BoardSet, points: Float[np.ndarray, "corner 3"]) -> tuple[Place, ...]:
    """Places of the boards nearest to where their corners are (Umeyama, PAMI 1991, without scale)."""
    places = []
    for k, part in enumerate(board.parts):
        own, there = part.points, points[board.members(k)]
        R = nearest_rotation((there - there.mean(0)).T @ (own - own.mean(0)))
        places.append(place_of(R, there.mean(0) - R @ own.mean(0)))
    return tuple(places)


def place_notes(board: BoardSet, places: tuple[Place, ...]) -> list[str]:
    """Where the boards were found to be on one another, in words."""
    middles = [np.array([*part.size_m, 0.0]) / 2 for part in board.parts]
    notes = []
    for k in range(1, len(places)):
        R, t = motion_of(places[k])
        x, y, z = 1e3 * (R @ middles[k] + t - middles[0])
        turn = np.rad2deg(np.linalg.norm(places[k][:3]))
        notes.append(
            f"board {k + 1} is fixed to the first turned by {turn:.2f} degrees, its middle {x:.1f}, {y:.1f}, {z:.1f} mm"
            " to the right, down and behind: estimated"
        )
    return notes
