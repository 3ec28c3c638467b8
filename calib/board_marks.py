"""What is dark on a board (bright if it is inverted): rectangles and discs in metres, in the board's own frame."""

import cv2
import numpy as np
from jaxtyping import Float

from calib.boards import Board, CircleGrid, TagGrid, Target

Rectangle = tuple[float, float, float, float]


def board_rectangles(board: Target) -> Float[np.ndarray, "rectangle 4"]:
    """Rectangles of a board: x, y, width, height."""
    marks: list[Rectangle] = []
    if isinstance(board, Board):
        marks = _squares(board)
    elif isinstance(board, TagGrid):
        marks = [*_corner_squares(board), *_tags(board)]
    return np.array(marks, dtype=float).reshape(-1, 4)


def board_discs(board: Target) -> Float[np.ndarray, "disc 3"]:
    """Discs of a board: x, y of the centre, radius."""
    if not isinstance(board, CircleGrid):
        return np.zeros((0, 3))
    return np.concatenate([board.points[:, :2], np.full((board.corner_count, 1), board.diameter_m / 2)], axis=1)


def _squares(board: Board) -> list[Rectangle]:
    across, along = board.squares
    first_dark = 0 if board.dark_origin else 1
    side = board.square_m
    marks = [(x * side, y * side, side, side) for y in range(along) for x in range(across) if (x + y) % 2 == first_dark]
    if board.marker_m is None:
        return marks
    dictionary, margin = board.marker_dictionary(), (side - board.marker_m) / 2
    identifiers = np.ravel(board.opencv_charuco().getIds()).tolist()
    for square, number in zip(_marker_squares(board), identifiers, strict=True):
        left, top = (square + margin).tolist()
        marks += _marker(dictionary, number, 1, left, top, board.marker_m)
    return marks


def _marker_squares(board: Board) -> list[np.ndarray]:
    """Upper left corner of each square with a marker, m."""
    centers = [np.mean(points, axis=0)[:2].astype(float) for points in board.opencv_charuco().getObjPoints()]
    return [np.floor(center / board.square_m) * board.square_m for center in centers]


def _tags(board: TagGrid) -> list[Rectangle]:
    dictionary, marks = board.marker_dictionary(), []
    for (row, column), number in np.ndenumerate(board.identifiers):
        left, top = board.margin_m + column * board.pitch_m, board.margin_m + row * board.pitch_m
        marks += _marker(dictionary, int(number), board.border_bits, left, top, board.tag_m, board.half_turned)
    return marks


def _corner_squares(board: TagGrid) -> list[Rectangle]:
    """The squares in the gaps, also those around the outermost tags."""
    if not board.corner_squares:
        return []
    across, along = board.tags
    gap, pitch = board.gap_m, board.pitch_m
    return [(x * pitch, y * pitch, gap, gap) for y in range(along + 1) for x in range(across + 1)]


def _marker(
    dictionary: cv2.aruco.Dictionary,
    number: int,
    border: int,
    left: float,
    top: float,
    side: float,
    half_turned: bool = False,
) -> list[Rectangle]:
    cells = dictionary.markerSize + 2 * border
    picture = cv2.aruco.generateImageMarker(dictionary, number, cells, borderBits=border)
    dark = picture[::-1, ::-1] < 128 if half_turned else picture < 128
    cell, marks = side / cells, []
    for y, row in enumerate(dark):
        # Runs of dark cells as one rectangle: fewer seams that a viewer could show.
        edges = np.flatnonzero(np.diff(np.concatenate([[0], row.astype(int), [0]])))
        for start, stop in edges.reshape(-1, 2):
            marks.append((float(left + start * cell), float(top + y * cell), float((stop - start) * cell), cell))
    return marks
