"""Finding a board in an image: the one entrance for all kinds of boards."""

import cv2
import numpy as np
from jaxtyping import Float, UInt8

from calib.boards import Board, BoardSet, CircleGrid, TagGrid, Target
from calib.detection_charuco import detect_charuco, markers_read
from calib.detection_checkerboard import detect_checkerboard
from calib.detection_circles import detect_circles
from calib.detection_refine import BoardView
from calib.detection_tags import detect_tags
from mv3d.data.lens import Lens

__all__ = ["BoardView", "detect_board"]

# Corners of two boards are no nearer to each other than this, px: a square is larger.
_SAME_PX = 1.5


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
        board: the board; of a set, each is looked for.
        lens: lens of the camera if known: the corners must then lie on a plane seen through it.

    Returns:
        The corners with their uncertainty; None if the board is not there. All rows and columns of a checkerboard must
        show, and all circles; of a charuco board any part with a marker, of a grid of tags any two. Of numberings that
        look alike, that whose x axis points most to the right.
    """
    if image.ndim == 3:
        image = cv2.cvtColor(image, cv2.COLOR_BGR2GRAY)
    image = np.ascontiguousarray(image)
    if isinstance(board, BoardSet):
        return _detect_set(image, board, lens)
    if isinstance(board, TagGrid):
        return detect_tags(image, board, lens)
    if isinstance(board, CircleGrid):
        return detect_circles(image, board, lens)
    if isinstance(board, Board):
        return (detect_charuco if board.kind == "charuco" else detect_checkerboard)(image, board, lens)
    raise ValueError(f"no detector for boards of kind {board.kind}")


def _detect_set(image: UInt8[np.ndarray, "height width"], boards: BoardSet, lens: Lens | None) -> BoardView | None:
    """Those boards of a set that are there, as one view of the uncertainty of all their corners together."""
    seen = [(k, view) for k, part in enumerate(boards.parts) if (view := detect_board(image, part, lens)) is not None]
    found: list[tuple[int, BoardView]] = []
    # Now and then one marker of a board reads as one of another's: where two lie on each other, the one of which more
    # markers can be read is there.
    for k, view in sorted(seen, key=lambda item: -_marks_read(image, boards.parts[item[0]], item[1])):
        if all(_nearest_px(view.xy, other.xy) > _SAME_PX for _, other in found):
            found.append((k, view))
    if not found:
        return None
    found.sort(key=lambda item: item[0])
    starts = np.searchsorted(boards.part_of, np.arange(len(boards.parts)))
    counts = np.array([len(view.ids) for _, view in found])
    variance = np.array([view.sigma_px**2 for _, view in found])
    return BoardView(
        np.concatenate([view.ids + starts[k] for k, view in found]),
        np.concatenate([view.xy for _, view in found]),
        float(np.sqrt((counts * variance).sum() / counts.sum())),
    )


def _marks_read(image: UInt8[np.ndarray, "height width"], board: Target, view: BoardView) -> int:
    """Number of markers or tags that tell that a view is of this board and not of another."""
    if isinstance(board, TagGrid):
        return len(view.ids) // 4
    return markers_read(image, board, view) if isinstance(board, Board) and board.kind == "charuco" else 0


def _nearest_px(a: Float[np.ndarray, "_ 2"], b: Float[np.ndarray, "_ 2"]) -> float:
    return float(np.linalg.norm(a[:, None] - b, axis=-1).min())
