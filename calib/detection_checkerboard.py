"""Checkerboards: grids of the right size, turned so that their colours fit."""

import numpy as np
from jaxtyping import Float, UInt8

from calib.boards import Board
from calib.detection_corners import filled_part, find_corners, find_grids, reductions
from calib.detection_refine import BoardView, as_view
from calib.detection_squares import refine_board
from mv3d.data.lens import Lens

# Share of the corners from which a grid is worth the fits.
_FOUND_SHARE = 0.6
# Grids to try in one reduced image: the board is the largest, or nearly.
_MOST_GRIDS = 4
# Lines beyond the board's own that a grid may have picked up.
_MOST_STRAY_LINES = 2


def detect_checkerboard(
    image: UInt8[np.ndarray, "height width"], board: Board, lens: Lens | None = None
) -> BoardView | None:
    """The board in a gray image; None if it is not there with all its rows and columns.

    Corners may be hidden, as long as each outer row and column shows some. Of the numberings that look alike
    (`Board.symmetries`), the one is taken whose x axis points most to the right.
    """
    for reduction in reductions(image):
        corners = find_corners(image, reduction)
        for grid in find_grids(corners, board.squares, int(_FOUND_SHARE * board.corner_count), _MOST_GRIDS):
            if not _may_be(grid.shape[:2], board):
                continue
            view = _refined(image, board, grid, lens)
            if view is not None:  # a corner that the fits did not find is hidden, and no other size shows it
                return view
    return None


def find_any_checkerboard(image: UInt8[np.ndarray, "height width"], most: int = 40) -> tuple[int, int] | None:
    """Number of squares, the longer side first, of the largest complete checkerboard of any size; None without one."""
    for reduction in reductions(image):
        corners = find_corners(image, reduction)
        for grid in find_grids(corners, (most, most), 9, 1):
            long, short = sorted(grid.shape[:2], reverse=True)
            if short >= 3 and np.isfinite(grid).all():
                return long + 1, short + 1
    return None


def _may_be(shape: tuple[int, int], board: Board) -> bool:
    """Whether a grid has the board's size, or a few lines more, which the fits may show to be something else."""
    return any(all(0 <= n - m <= _MOST_STRAY_LINES for n, m in zip(shape, size, strict=True)) for size in _sizes(board))


def _sizes(board: Board) -> list[tuple[int, int]]:
    across, along = board.corners
    return [(along, across), (across, along)]


def _refined(
    image: UInt8[np.ndarray, "height width"], board: Board, start: Float[np.ndarray, "_ _ 2"], lens: Lens | None
) -> BoardView | None:
    refined = refine_board(image, board, np.ascontiguousarray(start), lens)
    if refined is None:
        return None
    xy, sigma, dark_origin = refined
    rows, columns = filled_part(np.isfinite(xy[..., 0]))
    dark_origin = dark_origin == ((rows.start + columns.start) % 2 == 0)
    xy = xy[rows, columns]
    if xy.shape[:2] not in _sizes(board):
        return None
    across, along = board.squares
    if xy.shape[:2] != board.corners[::-1]:
        # The square that comes to be (0, 0) is the last of the first row.
        xy, dark_origin = np.rot90(xy), dark_origin == (xy.shape[1] % 2 == 0)
    turns = [xy, np.rot90(xy, 2)]
    if across == along:
        turns += [np.rot90(xy), np.rot90(xy, 3)]
    dark = [dark_origin if _keeps_origin(board, k) else not dark_origin for k in (0, 2, 1, 3)[: len(turns)]]
    wanted = not board.inverted
    # Where no turn changes the colour of the origin, a print with the other colours is the same board.
    fitting = [turn for turn, is_dark in zip(turns, dark, strict=True) if is_dark == wanted] or turns
    return as_view(max(fitting, key=_rightward), sigma)


def _keeps_origin(board: Board, quarter_turns: int) -> bool:
    """Whether the square that becomes (0, 0) has the colour of the one before."""
    across, along = board.squares
    corner = {0: 0, 1: across - 1, 2: across + along - 2, 3: along - 1}[quarter_turns]
    return corner % 2 == 0


def _rightward(xy: Float[np.ndarray, "row column 2"]) -> float:
    step = np.nanmean(np.diff(xy, axis=1), axis=(0, 1))
    return float(step[0] / (np.linalg.norm(step) + 1e-12))
