"""Corners of boards of squares, from about where they are to where they are."""

import numpy as np
from jaxtyping import Float, UInt8

from calib.boards import Board
from calib.detection_refine import CornerModel, refine_corners
from mv3d.data.lens import Lens

# Squares: a checkerboard's corner may look that far before the next edge comes.
_WINDOW_SHARE = 0.4


def refine_board(
    image: UInt8[np.ndarray, "height width"],
    board: Board,
    start: Float[np.ndarray, "row column 2"],
    lens: Lens | None = None,
) -> tuple[Float[np.ndarray, "row column 2"], float, bool] | None:
    """Fit all corners of a board of squares; see `refine_corners`.

    Args:
        image: gray levels, dark squares dark.
        board: its squares and markers.
        start: px of a grid of corners, which may be turned against the board's or be of another size.
        lens: lens of the camera, for a stricter check.
    """
    cells = np.argwhere(np.ones(start.shape[:2], bool))[:, ::-1]  # x = column, y = row
    refined = refine_corners(
        image, CornerModel(cells.astype(float), cells, _window_share(board)), start.reshape(-1, 2), lens
    )
    return None if refined is None else (refined[0].reshape(start.shape), *refined[1:])


def _window_share(board: Board) -> float:
    """How far from a corner the pattern is that of a checkerboard, in squares."""
    if board.marker_m is None:
        return _WINDOW_SHARE
    # The marker's nearest point lies on the diagonal of the white square.
    return min(0.9 * np.sqrt(0.5) * (1 - board.marker_m / board.square_m), _WINDOW_SHARE)
