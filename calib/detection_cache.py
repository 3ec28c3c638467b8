"""Boards found in the frames of a source, kept in the session so that they are looked for once."""

import json
import logging
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Float, Int

from calib.board_sources import BoardSource
from calib.boards import Target, board_fields
from calib.detection import detect_board
from mv3d.data.lens import Lens
from mv3d.errors import SessionError
from mv3d.files.writing import whole_file

_log = logging.getLogger(__name__)
# Raised when detection changes what it returns: older files are then made anew.
_VERSION = 2
_ARRAYS = ("frames", "sizes", "xy", "sigma_px")


@dataclass(frozen=True, slots=True, eq=False)
class Detections:
    """What was found in some frames of a source.

    Attributes:
        frames: (frame,) their numbers, increasing.
        sizes: (frame, 2) width, height px.
        xy: (frame, corner, 2) px, NaN where not seen.
        sigma_px: (frame,) NaN where there is no board.
    """

    frames: Int[np.ndarray, " frame"]
    sizes: Int[np.ndarray, "frame 2"]
    xy: Float[np.ndarray, "frame corner 2"]
    sigma_px: Float[np.ndarray, " frame"]


def detect_in(
    source: BoardSource,
    board: Target,
    frames: Int[np.ndarray, " frame"],
    lens: Lens | None = None,
    cache: Path | None = None,
    tick: Callable[[], None] = lambda: None,
) -> Detections:
    """Find the board in frames of a source, or take what was found before.

    Args:
        source: the pictures.
        board: the board.
        frames: their numbers, increasing.
        lens: lens of the camera, if known.
        cache: file to keep the result in; None keeps nothing.
        tick: called once a frame.

    Raises:
        VideoError: a frame cannot be read.
    """
    key = _key(source, board, frames, lens)
    kept = _load(cache, key) if cache is not None else None
    if kept is not None:
        for _ in frames:
            tick()
        return kept
    found = _detect(source, board, frames, lens, tick)
    if cache is not None:
        _save(cache, key, found)
    return found


def _detect(
    source: BoardSource, board: Target, frames: np.ndarray, lens: Lens | None, tick: Callable[[], None]
) -> Detections:
    sizes = np.zeros((len(frames), 2), np.int64)
    xy, sigma = np.full((len(frames), board.corner_count, 2), np.nan), np.full(len(frames), np.nan)
    for k, (_, image) in enumerate(source.read(frames)):
        sizes[k] = image.shape[1], image.shape[0]
        view = detect_board(image, board, lens)
        if view is not None:
            xy[k, view.ids], sigma[k] = view.xy, view.sigma_px
        tick()
    return Detections(frames, sizes, xy, sigma)


def _key(source: BoardSource, board: Target, frames: np.ndarray, lens: Lens | None) -> str:
    """Everything that the result depends on, as text."""
    files = [(path.name, path.stat().st_size, path.stat().st_mtime_ns) for path in source.files()]
    known = None if lens is None else [type(lens).__name__, lens.K.tolist(), lens.dist.tolist()]
    return json.dumps([_VERSION, board_fields(board), files, frames.tolist(), known])


def _load(path: Path, key: str) -> Detections | None:
    """What the file holds, if it was made from the same; anything else in its place is ignored."""
    try:
        with np.load(path, allow_pickle=False) as stored:
            if str(stored["key"]) != key:
                return None
            return Detections(*(stored[name] for name in _ARRAYS))
    except (OSError, ValueError, KeyError, TypeError, EOFError, zipfile.BadZipFile):
        return None


def _save(path: Path, key: str, found: Detections) -> None:
    try:
        with whole_file(path) as part, part.open("wb") as file:
            np.savez_compressed(file, key=np.array(key), **{name: getattr(found, name) for name in _ARRAYS})
    except SessionError as error:
        _log.warning("what was found is not kept: %s", error)
