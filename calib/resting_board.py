"""A board that lies still, seen by calibrated cameras: found in their pictures, and where it lies."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.optimize import least_squares

from calib.board_sources import BoardSource
from calib.boards import Target
from calib.detection import detect_board
from calib.planar import board_poses
from mv3d.data.camera import Camera
from mv3d.data.rig import Rig
from mv3d.geometry.rotations import rotation_from_vector

# Pictures of a camera that are looked at: the board lies still in all of them.
_MOST_PICTURES = 5
_FEWEST_CORNERS = 5
# Corners farther off than this many sigmas count less.
_SOFT = 3.0
# A corner that a camera cannot see is off by so much.
_NOWHERE_PX = 1e3


@dataclass(frozen=True, slots=True, eq=False)
class RestingBoard:
    """Where a board lies, x_world = R x_board + t.

    Attributes:
        R, t: of the board; m.
        rms_px: of the corners' distances from where the cameras should see them, per coordinate.
        seen_by: names of the cameras.
        spread_px: by camera, the same of that one alone: large where it was moved, or the board was.
    """

    R: np.ndarray
    t: np.ndarray
    rms_px: float
    seen_by: tuple[str, ...]
    spread_px: dict[str, float]


def find_resting_board(rig: Rig, board: Target, sources: Sequence[BoardSource]) -> RestingBoard | None:
    """Find a board that lies still while calibrated cameras look at it.

    Args:
        rig: the cameras; its lenses are scaled to the pictures.
        board: the board.
        sources: pictures, named as the cameras.

    Returns:
        Where it lies; None if no camera shows it.
    """
    views = [view for source in sources for view in _views(rig[source.camera], board, source)]
    return place_resting_board(board, views) if views else None


def _views(camera: Camera, board: Target, source: BoardSource) -> list[tuple[Camera, np.ndarray]]:
    count = len(source)
    wanted = np.unique(np.linspace(0, count - 1, min(count, _MOST_PICTURES)).astype(int))
    found = []
    for _, image in source.read(wanted):
        sized = camera.resized((image.shape[1], image.shape[0]))
        view = detect_board(image, board, sized.lens)
        if view is not None and len(view.ids) >= _FEWEST_CORNERS:
            xy = np.full((board.corner_count, 2), np.nan)
            xy[view.ids] = view.xy
            found.append((sized, xy))
    return found


def place_resting_board(board: Target, views: Sequence[tuple[Camera, np.ndarray]]) -> RestingBoard:
    """One pose for all views of a board, by least squares of the corners with the cameras held.

    Args:
        board: the board. Where its numberings look alike, that of the first view is taken.
        views: camera and corners (corner, 2) px, NaN where not seen; one or more.
    """
    fits = [_settled(board, views, *_alone(board, *view)) for view in views]
    R, t, turned, rms = min((fit for fit in fits if fit is not None), key=lambda fit: fit[3])
    square = {}
    for camera, xy in turned:
        error = (camera.project(board.points @ R.T + t) - xy)[np.isfinite(xy[:, 0])]
        square.setdefault(camera.name, []).append(error**2)
    spread = {name: float(np.sqrt(np.nanmean(np.concatenate(parts)))) for name, parts in square.items()}
    return RestingBoard(R, t, rms, tuple(spread), spread)


def _settled(
    board: Target, views: Sequence[tuple[Camera, np.ndarray]], R: np.ndarray, t: np.ndarray
) -> tuple[np.ndarray, np.ndarray, list[tuple[Camera, np.ndarray]], float] | None:
    """Pose nearest to a start, the views as they are numbered then, and the rms of a coordinate, px.

    One view of a plane allows two poses, of which the wrong one is a start to nowhere.
    """
    if not np.isfinite(t).all():
        return None
    turned = [(camera, _as_others(board, camera, xy, R, t)) for camera, xy in views]

    def misfit(step: np.ndarray) -> np.ndarray:
        x_world = board.points @ (rotation_from_vector(step[:3]) @ R).T + t + step[3:]
        error = [(camera.project(x_world) - xy)[np.isfinite(xy[:, 0])] for camera, xy in turned]
        return np.nan_to_num(np.concatenate(error), nan=_NOWHERE_PX).ravel()

    fit = least_squares(misfit, np.zeros(6), loss="soft_l1", f_scale=_SOFT)
    rms = float(np.sqrt(np.mean(misfit(fit.x) ** 2)))
    return rotation_from_vector(fit.x[:3]) @ R, t + fit.x[3:], turned, rms


def _alone(board: Target, camera: Camera, xy: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Pose in the world by one view."""
    seen = np.all(np.isfinite(xy), axis=-1)
    R, t = board_poses(board.points, xy[None], camera.lens, seen[None])
    return camera.R.T @ R[0], camera.R.T @ (t[0] - camera.t)


def _as_others(board: Target, camera: Camera, xy: np.ndarray, R: np.ndarray, t: np.ndarray) -> np.ndarray:
    """The corners in the numbering that fits the pose best."""
    there = camera.project(board.points @ R.T + t)
    turned = [xy[order] for order in board.symmetries()]
    off = np.array([np.nanmean(np.linalg.norm(there - other, axis=1)) for other in turned])
    return turned[int(np.nanargmin(off))] if bool(np.any(np.isfinite(off))) else xy
