"""ChArUco boards: grids of corners, told apart by the markers in their white squares."""

from collections import Counter
from dataclasses import dataclass
from functools import lru_cache

import cv2
import numpy as np
from jaxtyping import Float, UInt8

from calib.boards import Board
from calib.detection_corners import find_corners, find_grids, reductions
from calib.detection_refine import BoardView, as_view
from calib.detection_squares import refine_board
from calib.marker_kernels import read_markers
from calib.smooth_map import apply_homography, fit_homography
from mv3d.data.lens import Lens

# Wrong bits in a marker of 16 or more, and wrong cells in its black border, that blur makes now and then.
_WRONG_BITS, _WRONG_BORDER = 1, 2
# Bright less dark in a marker, gray levels; less is an empty square.
_LEAST_CONTRAST = 15.0
# Grids to try in one reduced image.
_MOST_GRIDS = 12
# Markers that agree on the place of a grid beyond any doubt.
_SURE_VOTES = 3
# Share of a grid's corners that must fall on the board: it may have picked up a row of something else.
_ON_BOARD = 0.6
# Longest over shortest step along one axis of a grid of so few corners.
_MOST_UNEQUAL, _SMALL_GRID = 3.0, 8
# px between corners from which the cells of a marker are a pixel wide.
_LEAST_STEP_PX = 8.0


@dataclass(frozen=True, slots=True, eq=False)
class _Markers:
    """What the board's markers look like.

    Attributes:
        patterns: (marker and quarter turn, cell) -1 black, +1 white; each marker's four counter-clockwise turns.
        squares: (marker, 2) square of each marker, x and y.
        bits: cells along a marker's side, without the border.
        weights: (sample, 4) of a square's corners, going round: where it is read, four places in each cell.
    """

    patterns: np.ndarray
    squares: np.ndarray
    bits: int
    weights: np.ndarray


@lru_cache(maxsize=8)
def _markers(board: Board) -> _Markers:
    made, dictionary = board.opencv_charuco(), board.marker_dictionary()
    bits = dictionary.markerSize
    patterns = []
    for identifier in np.ravel(made.getIds()):
        code = dictionary.bytesList[int(identifier) : int(identifier) + 1]
        pattern = cv2.aruco.Dictionary.getBitsFromByteList(code, bits).astype(np.float32) * 2 - 1
        patterns += [np.rot90(pattern, k).ravel() for k in range(4)]
    centers = np.array([np.mean(p, axis=0)[:2] for p in made.getObjPoints()])
    squares = np.floor(centers / board.square_m).astype(int)
    share, cells = (board.marker_m or 0.0) / board.square_m, bits + 2
    sub = (np.arange(cells)[:, None] + np.array([0.32, 0.68])).ravel() / cells * share + (1 - share) / 2
    x, y = (axis.ravel() for axis in np.meshgrid(sub, sub))
    weights = np.stack([(1 - x) * (1 - y), x * (1 - y), x * y, (1 - x) * y], axis=1).astype(np.float32)
    return _Markers(np.array(patterns), squares, bits, weights)


def detect_charuco(
    image: UInt8[np.ndarray, "height width"], board: Board, lens: Lens | None = None
) -> BoardView | None:
    """The board in a gray image, any part of it that shows a readable marker; None if there is none."""
    if board.inverted:
        image = 255 - image
    best: BoardView | None = None
    for reduction in reductions(image):
        corners = find_corners(image, reduction, markers=True)
        start = _placed(image, board, find_grids(corners, board.squares, 4, _MOST_GRIDS))
        if start is None:
            continue
        refined = refine_board(image, board, start, lens)
        if refined is not None and refined[2] == board.dark_origin and _agrees(image, board, refined[0]):
            view = as_view(*refined[:2])
            best = view if best is None or len(view.ids) > len(best.ids) else best
            if len(best.ids) >= 0.5 * board.corner_count:
                break
    return best


def markers_read(image: UInt8[np.ndarray, "height width"], board: Board, view: BoardView) -> int:
    """How many of a found board's markers are read where the board has them."""
    grid = np.full((board.corner_count, 2), np.nan)
    grid[view.ids] = view.xy
    padded = _padded(grid.reshape(board.corners[1], board.corners[0], 2))
    if padded is None:
        return 0
    found = _read(255 - image if board.inverted else image, padded, _markers(board))
    squares = _markers(board).squares
    right = [turns == 0 and bool((squares[m] == (column, row)).all()) for row, column, m, turns in found]
    return sum(right)


def _placed(
    image: np.ndarray, board: Board, grids: list[Float[np.ndarray, "_ _ 2"]]
) -> Float[np.ndarray, "row column 2"] | None:
    """Corners of the board from the grids whose markers can be read; those of larger grids win."""
    across, along = board.corners
    start = np.full((along, across, 2), np.nan)
    for grid in grids:
        if not _regular(grid):
            continue
        padded = _padded(grid)
        if padded is None:
            continue
        place = _vote(_read(image, padded, _markers(board)), board, padded.shape[:2])
        if place is None:
            continue
        (turns, left, top), votes = place
        turned = np.rot90(np.pad(grid, ((1, 1), (1, 1), (0, 0)), constant_values=np.nan), turns)
        rows, columns = np.nonzero(np.isfinite(turned).all(-1))
        xs, ys = columns + left, rows + top
        inside = (xs >= 0) & (xs < across) & (ys >= 0) & (ys < along)
        if inside.mean() < _ON_BOARD:
            continue
        rows, columns, xs, ys = rows[inside], columns[inside], xs[inside], ys[inside]
        free = np.isnan(start[ys, xs, 0])
        start[ys[free], xs[free]] = turned[rows[free], columns[free]]
        if votes >= _SURE_VOTES:  # what is left is found from there
            break
    return start if np.isfinite(start[..., 0]).any() else None


def _agrees(image: np.ndarray, board: Board, grid: Float[np.ndarray, "row column 2"]) -> bool:
    """Whether the markers on and around the corners are those of the board at its place.

    A part of a board with another number of squares can look right: its first row often does.
    """
    padded = _padded(grid)
    found = [] if padded is None else _read(image, padded, _markers(board))
    if padded is None or not found:
        return True
    place = _vote(found, board, padded.shape[:2])
    return place is not None and place[0] == (0, -1, -1)


def _regular(grid: Float[np.ndarray, "row column 2"]) -> bool:
    """Whether the steps of a small grid are alike, as those of a plane are; three of four chance grids are not."""
    if np.count_nonzero(grid[..., 0] == grid[..., 0]) > _SMALL_GRID:
        return True  # a stray corner may be among so many
    for step in (grid[1:] - grid[:-1], grid[:, 1:] - grid[:, :-1]):
        squared = (step * step).sum(-1)
        squared = squared[squared == squared]
        if squared.max() > _MOST_UNEQUAL**2 * squared.min():
            return False
    return True


def _padded(grid: Float[np.ndarray, "row column 2"]) -> Float[np.ndarray, "padded_row padded_column 2"] | None:
    """The grid with one more corner on all sides, holes filled, by homographies of the corners that are there."""
    wide = np.full((len(grid) + 2, grid.shape[1] + 2, 2), np.nan)
    wide[1:-1, 1:-1] = grid
    known = wide[..., 0] == wide[..., 0]
    plane = np.argwhere(known)[:, ::-1].astype(float)
    if len(plane) < 4:
        return None
    step = grid[1:] - grid[:-1]
    squared = np.sort((step * step).sum(-1), axis=None)  # those that are not there come last
    count = np.count_nonzero(squared == squared)
    if not count or not squared[count // 2] > _LEAST_STEP_PX**2:
        return None
    everywhere = np.argwhere(~known)
    H = fit_homography(plane, wide[known])
    if len(plane) > 8:  # corners of something else at the rim, or in place of a hidden one
        distance = np.linalg.norm(apply_homography(H, plane) - wide[known], axis=1)
        near = distance <= 3 * np.median(distance)
        H = fit_homography(plane[near], wide[known][near])
    wide[~known] = apply_homography(H, everywhere[:, ::-1].astype(float))
    return wide


def _read(image: np.ndarray, padded: Float[np.ndarray, "_ _ 2"], markers: _Markers) -> list[tuple[int, int, int, int]]:
    """(row, column, marker, quarter turns) of the squares of a grid that show a marker of the board."""
    cells = markers.bits + 2
    limits = (_WRONG_BITS, _WRONG_BORDER, _LEAST_CONTRAST)
    found = read_markers(image, padded, markers.patterns, markers.weights, cells, *limits)
    return [(row, column, marker, turns) for row, column, marker, turns in found.tolist()]


def _vote(
    found: list[tuple[int, int, int, int]], board: Board, shape: tuple[int, int]
) -> tuple[tuple[int, int, int], int] | None:
    """(quarter turns, column shift, row shift) from the padded grid to the board's corners, and its votes."""
    squares = _markers(board).squares
    votes: Counter[tuple[int, int, int]] = Counter()
    numbers = np.arange((shape[0] - 1) * (shape[1] - 1)).reshape(shape[0] - 1, shape[1] - 1)
    for row, column, marker, turns in found:
        # The square shows the marker turned counter-clockwise; turned back, the grid lies as the board does.
        back = -turns % 4
        ((y, x),) = np.argwhere(np.rot90(numbers, back) == numbers[row, column])
        # Corner (x, y) of the padded grid is the first of square (x, y); corner 0 of the board is the last of square 0.
        votes[back, int(squares[marker, 0] - 1 - x), int(squares[marker, 1] - 1 - y)] += 1
    ranked = votes.most_common(2)
    if not ranked or (len(ranked) > 1 and ranked[0][1] < 2 * ranked[1][1]):
        return None
    # Markers are hardly ever misread: where most contradict the place, the board has another number of squares.
    return ranked[0] if 2 * ranked[0][1] > votes.total() else None
