"""Grids of tags: tags read by OpenCV say where the grid is, then every tag's corners are fitted."""

from collections.abc import Iterator, Sequence
from functools import lru_cache

import cv2
import numpy as np
from jaxtyping import Float, UInt8

from calib.boards import TagGrid
from calib.detection_refine import BoardView, CornerModel, as_view, refine_corners
from mv3d.data.lens import Lens

# Corners of two tags: one alone may be chance, and nothing would contradict it.
_FEWEST_CORNERS = 8
# Share of the tags from which no further look for them is worth its time; what is left is found from there.
_ENOUGH = 0.3
# px by which bright parts grow, to part tags from the squares that touch their corners; the last for coarse pictures.
_GROWN_PX = (1, 2)
# The window ends well before the nearest thing that is not part of the corner: its blur reaches into it.
_WITHIN = 0.72


@lru_cache(maxsize=8)
def corner_model(board: TagGrid) -> CornerModel:
    """What the corners of a grid's tags look like, and how far it is to the next thing."""
    bits = board.marker_dictionary().markerSize
    border = board.border_bits / (bits + 2 * board.border_bits) * board.tag_m
    nearest = min(board.gap_m, np.sqrt(2) * border)
    inward = np.where(board.cells % 2 == 0, 1.0, -1.0)
    return CornerModel(
        board.points[:, :2] / board.pitch_m,
        board.cells,
        float(_WITHIN * nearest / board.pitch_m),
        None if board.corner_squares else inward,
    )


def detect_tags(image: UInt8[np.ndarray, "height width"], board: TagGrid, lens: Lens | None = None) -> BoardView | None:
    """The grid in a gray image, any part of it with two readable tags or more; None if there is none."""
    if board.inverted:
        image = 255 - image
    best: BoardView | None = None
    for start in _starts(image, board):
        if np.isfinite(start[:, 0]).sum() < _FEWEST_CORNERS:
            continue
        refined = refine_corners(image, corner_model(board), start, lens)
        # Other colours than the board's: what was read by chance.
        if refined is not None and refined[2] and np.isfinite(refined[0][:, 0]).sum() >= _FEWEST_CORNERS:
            view = as_view(*refined[:2])
            best = view if best is None or len(view.ids) > len(best.ids) else best
            if np.isfinite(start[:, 0]).mean() >= _ENOUGH:
                break
    return best


def _starts(image: np.ndarray, board: TagGrid) -> Iterator[Float[np.ndarray, "corner 2"]]:
    """Corners of the tags that can be read, px, NaN for the others; from the picture as it is and with bright grown."""
    detector = _detector(board)
    for grown in (0, *_GROWN_PX) if board.corner_squares else (0,):
        seen = cv2.dilate(image, np.ones((2 * grown + 1,) * 2, np.uint8)) if grown else image
        quads, numbers, _ = detector.detectMarkers(seen)
        yield _placed(board, quads, np.zeros(0, int) if numbers is None else np.ravel(numbers))


@lru_cache(maxsize=8)
def _detector(board: TagGrid) -> cv2.aruco.ArucoDetector:
    parameters = cv2.aruco.DetectorParameters()
    parameters.markerBorderBits = board.border_bits
    parameters.minMarkerPerimeterRate = 0.01  # tags of ten pixels in a picture of two thousand
    return cv2.aruco.ArucoDetector(board.marker_dictionary(), parameters)


def _placed(board: TagGrid, quads: Sequence[np.ndarray], numbers: np.ndarray) -> Float[np.ndarray, "corner 2"]:
    start = np.full((2 * board.tags[1], 2 * board.tags[0], 2), np.nan)
    size = np.zeros(board.tags[::-1])
    for quad, number in zip(quads, numbers.tolist(), strict=True):
        place = np.argwhere(board.identifiers == number)
        if not len(place):
            continue
        row, column = place[0]
        # Going round from the upper left as OpenCV has the tag upright. Of two with one number the larger is the tag.
        a, b, c, d = np.roll(quad.reshape(4, 2), 2, axis=0) if board.half_turned else quad.reshape(4, 2)
        area = float(cv2.contourArea(quad))
        if area > size[row, column]:
            size[row, column] = area
            start[2 * row, 2 * column : 2 * column + 2] = a, b
            start[2 * row + 1, 2 * column : 2 * column + 2] = d, c
    return start.reshape(-1, 2)
