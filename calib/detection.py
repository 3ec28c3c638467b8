"""Finding a board in an image: the one entrance for all kinds of boards."""

import cv2
import numpy as np
from jaxtyping import UInt8

from calib.boards import Board, CircleGrid, TagGrid, Target
from calib.detection_charuco import detect_charuco
from calib.detection_checkerboard import detect_checkerboard
from calib.detection_circles import detect_circles
from calib.detection_refine import BoardView
from calib.detection_tags import detect_tags
from mv3d.data.lens import Lens

__all__ = ["BoardView", "detect_board"]


def detect_board(
    image: UInt8[np.ndarray, "height width *bgr"], board: Target, lens: Lens | None = None
) -> BoardView | None:
    """Find a board.

    Corners of squares are saddles of the smoothed image at the crossing of two edges; they must form a grid of the
    board's size whose squares alternate in colour, and for charuco boards show its markers. Tags are read by OpenCV,
    circles are blobs in a grid. Each point is then fitted in the full image by a model of what it should look like, and
    all of them must lie on a smooth map of a plane.

    Args:
        image: BGR, or gray levels without a third axis.
        board: the board.
        lens: lens of the camera if known: the corners must then lie on a plane seen through it.

    Returns:
        The corners with their uncertainty; None if the board is not there. All rows and columns of a checkerboard must
        show, and all circles; of a charuco board any part with a marker, of a grid of tags any two. Of numberings that
        look alike, that whose x axis points most to the right.
    """
    if image.ndim == 3:
        image = cv2.cvtColor(image, cv2.COLOR_BGR2GRAY)
    image = np.ascontiguousarray(image)
    if isinstance(board, TagGrid):
        return detect_tags(image, board, lens)
    if isinstance(board, CircleGrid):
        return detect_circles(image, board, lens)
    if isinstance(board, Board):
        return (detect_charuco if board.kind == "charuco" else detect_checkerboard)(image, board, lens)
    raise ValueError(f"no detector for boards of kind {board.kind}")
