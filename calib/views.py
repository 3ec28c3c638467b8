"""Views: the corners of all boards in all cameras, flattened in the order in which the bundle runs through them."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float


@dataclass(frozen=True, slots=True, eq=False)
class Views:
    """One entry a view (a board in a camera), sorted by board, then by camera.

    Attributes:
        camera: (view,) camera of each view.
        frame: (view,) frame of each view.
        board: (view,) index of the board pose that the view shares with others.
        board_frames: (board,) the frame that each board pose belongs to.
        boards: (board + 1,) where each board's views begin.
        starts: (view + 1,) where each view's corners begin.
        corner: (corner of all views,) index on the board.
        X: (3, ...) corners in the board's frame, m.
        z: (2, ...) observed corners, px.
        motion: (4, ...) image velocity px/s and half the acceleration px/s2: vx, vy, ax, ay; zero where unknown.
        inverse_sigma: (view,) 1/px.
    """

    camera: np.ndarray
    frame: np.ndarray
    board: np.ndarray
    board_frames: np.ndarray
    boards: np.ndarray
    starts: np.ndarray
    corner: np.ndarray
    X: np.ndarray
    z: np.ndarray
    motion: np.ndarray
    inverse_sigma: np.ndarray

    def __len__(self) -> int:
        return len(self.camera)


def make_views(
    xy: Float[np.ndarray, "camera frame corner 2"],
    points: Float[np.ndarray, "corner 3"],
    keep: Bool[np.ndarray, "camera frame corner"],
    sigma_px: Float[np.ndarray, "camera frame"],
    motion: Float[np.ndarray, "camera frame corner 4"] | None = None,
    alone: Bool[np.ndarray, "camera frame"] | None = None,
) -> Views:
    """Flatten the kept corners.

    Args:
        xy: corners px.
        points: corners on the board, m.
        keep: which corners count.
        sigma_px: standard deviation of a coordinate in each view.
        motion: velocity and half acceleration of each corner in the image.
        alone: views that get a board pose of their own: they tell about their camera, not about the others.
    """
    camera, frame = np.nonzero(keep.any(-1))
    own = np.zeros(len(camera), np.int64) if alone is None else np.where(alone[camera, frame], camera + 1, 0)
    order = np.lexsort((camera, own, frame))
    camera, frame, own = camera[order], frame[order], own[order]
    is_new = np.ones(len(camera), bool)
    is_new[1:] = (frame[1:] != frame[:-1]) | (own[1:] != own[:-1])
    board = np.cumsum(is_new) - 1
    view_of, corner = np.nonzero(keep[camera, frame])
    c, f = camera[view_of], frame[view_of]
    moved = np.zeros((4, len(corner))) if motion is None else np.nan_to_num(motion[c, f, corner]).T
    return Views(
        camera,
        frame,
        board,
        frame[is_new],
        np.append(np.flatnonzero(is_new), len(camera)),
        np.searchsorted(view_of, np.arange(len(camera) + 1)),
        corner,
        np.ascontiguousarray(points[corner].T),
        np.ascontiguousarray(xy[c, f, corner].T),
        np.ascontiguousarray(moved),
        1.0 / sigma_px[camera, frame],
    )
