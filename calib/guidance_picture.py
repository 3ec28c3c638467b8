"""A picture of how the filming of a board goes: every camera's image, what it was shown, and what to show it next."""

from collections.abc import Mapping, Sequence

import cv2
import numpy as np
from jaxtyping import UInt8

from calib.detection_refine import BoardView
from calib.guidance_advice import next_view
from calib.guidance_state import PLACES, TILTS, CameraCoverage, GuidanceState

_TILE = (480, 270)
_BAR, _LINE = 30, 20
_PAPER, _INK, _SHOWN, _DONE, _NEXT, _CORNER = (
    (250, 250, 250), (60, 56, 50), (110, 180, 60), (60, 150, 40), (0, 150, 230), (40, 40, 230),
)  # fmt: skip
_TINT = 0.45
# A cell with so many corners is well covered.
_WELL_COVERED = 30
_FONT, _SMALL, _MOST_LINES = cv2.FONT_HERSHEY_SIMPLEX, 0.45, 5


def draw_guidance(
    images: Mapping[str, UInt8[np.ndarray, "height width 3"]],
    views: Mapping[str, BoardView],
    state: GuidanceState,
    advice: Sequence[str],
) -> UInt8[np.ndarray, "rows columns 3"]:
    """Tiles of all cameras above the first lines of advice.

    Args:
        images: newest BGR image by camera, those that there are.
        views: the board in these images, by camera.
        state: what was shown so far.
        advice: what to show next, see `guidance_advice.advise`.
    """
    tiles = [_tile(c, images.get(c.camera), views.get(c.camera)) for c in state.cameras]
    columns = int(np.ceil(np.sqrt(len(tiles))))
    tiles += [np.full_like(tiles[0], _PAPER[0])] * (-len(tiles) % columns)
    rows = [np.hstack(tiles[i : i + columns]) for i in range(0, len(tiles), columns)]
    return np.vstack([*rows, _text(advice[:_MOST_LINES], columns * _TILE[0])])


def _tile(coverage: CameraCoverage, image: np.ndarray | None, view: BoardView | None) -> np.ndarray:
    """The image with the cells that were covered, the board, and where it should go; its figures in a bar below."""
    shown = np.full((_TILE[1], _TILE[0], 3), 128, np.uint8)
    if image is not None:
        scale = min(_TILE[0] / image.shape[1], _TILE[1] / image.shape[0])
        shown = cv2.resize(image, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
        _tint(shown, coverage.cells)
        for x, y in (view.xy * scale).round().astype(int) if view is not None else ():
            cv2.circle(shown, (int(x), int(y)), 3, _CORNER, -1, cv2.LINE_AA)
    if not coverage.enough:
        _point_out(shown, *next_view(coverage))
    tile = np.full((_TILE[1] + _BAR, _TILE[0], 3), _PAPER, np.uint8)
    top, left = (_TILE[1] - shown.shape[0]) // 2, (_TILE[0] - shown.shape[1]) // 2
    tile[top : top + shown.shape[0], left : left + shown.shape[1]] = shown
    known = f", focal length to {coverage.focal_sd:.2%}" if np.isfinite(coverage.focal_sd) else ""
    text = f"{coverage.camera}: {coverage.views} views{known}{', done' if coverage.enough else ''}"
    _write(tile, text, (8, _TILE[1] + 20), _DONE if coverage.enough else _INK)
    return tile


def _tint(image: np.ndarray, cells: np.ndarray) -> None:
    """Colour what was covered, the stronger the more corners there were."""
    share = (np.minimum(cells / _WELL_COVERED, 1.0) * _TINT).astype(np.float32)
    weight = cv2.resize(share, (image.shape[1], image.shape[0]), interpolation=cv2.INTER_NEAREST)[..., None]
    image[:] = (image * (1 - weight) + np.array(_SHOWN) * weight).astype(np.uint8)


def _point_out(image: np.ndarray, place: int, tilt: int) -> None:
    """Frame the place in the image that is wanted next, and say how to hold the board there."""
    height, width = image.shape[:2]
    row, column = divmod(place, PLACES)
    x, y = column * width // PLACES, row * height // PLACES
    cv2.rectangle(image, (x + 3, y + 3), (x + width // PLACES - 3, y + height // PLACES - 3), _NEXT, 2)
    _write(image, TILTS[tilt], (x + 8, y + 20), _NEXT)


def _text(lines: Sequence[str], width: int) -> np.ndarray:
    box = np.full((_LINE * (_MOST_LINES + 1), width, 3), _PAPER, np.uint8)
    for i, line in enumerate(lines):
        _write(box, line, (8, _LINE * (i + 1)), _INK)
    return box


def _write(image: np.ndarray, text: str, at: tuple[int, int], color: tuple[int, int, int]) -> None:
    # OpenCV's font knows ASCII only.
    text = text.encode("ascii", "replace").decode()
    cv2.putText(image, text, at, _FONT, _SMALL, color, 1, cv2.LINE_AA)
