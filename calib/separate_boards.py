"""Several boards as one that is seen in more frames: each board of each instant is a frame of its own.

The boards' points then lie in one plane, each in the frame of its board, and all that holds for one flat board holds
for them: only those of one board show in a frame.
"""

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
from jaxtyping import Float

from calib.boards import BoardSet, Target
from calib.detection import BoardView
from calib.observations import BoardObservations


def split_corners(
    board: BoardSet, xy: Float[np.ndarray, "*batch corner 2"]
) -> Float[np.ndarray, "part *batch corner 2"]:
    """Corners of each board alone, NaN where they are another's."""
    mine = np.stack([board.members(k) for k in range(len(board.parts))])
    mine = mine.reshape(len(mine), *(1,) * (xy.ndim - 2), mine.shape[1], 1)
    return np.where(mine, xy, np.nan)


def separated(observations: BoardObservations) -> BoardObservations:
    """A set's boards as if each moved by itself, frames of the second after those of the first; others are left alone.

    Frames in which no camera saw a board are kept where they have times: the neighbours of a frame tell its motion.
    """
    if not isinstance(observations.board, BoardSet):
        return observations
    together = all_apart(observations, observations.board)
    wanted = np.asarray(together.views.any(0) | np.isfinite(together.times).any(0))
    return together.select_frames(wanted)


def all_apart(observations: BoardObservations, board: BoardSet) -> BoardObservations:
    """As `separated`, with all frames, also those in which no camera saw the board: board by board."""
    parts = len(board.parts)
    xy = split_corners(board, observations.xy)
    seen = np.isfinite(xy).all(-1).any(-1)
    sigma = np.where(seen, observations.sigma_px, np.nan)
    step = int(observations.segments.max(initial=-1)) + 1
    return BoardObservations(
        as_if_apart(board),
        observations.cameras,
        observations.sizes,
        np.concatenate(list(xy), axis=1),
        np.concatenate(list(sigma), axis=1),
        np.tile(observations.times, (1, parts)),
        tuple(f"{name}, board {k + 1}" for k in range(parts) for name in observations.frame_names),
        np.concatenate([observations.segments + k * step for k in range(parts)]),
    )


def as_if_apart(board: Target) -> Target:
    """A set whose boards are each by itself; a single board as it is."""
    return replace(board, rigid=False, places=()) if isinstance(board, BoardSet) else board


def views_of_each(board: Target, views: Mapping[str, BoardView]) -> list[dict[str, BoardView]]:
    """Views of one instant by camera, board by board of a set."""
    if not isinstance(board, BoardSet):
        return [dict(views)]
    return [
        {name: BoardView(v.ids[on], v.xy[on], v.sigma_px) for name, v in views.items() if (on := mine[v.ids]).any()}
        for mine in (board.members(k) for k in range(len(board.parts)))
    ]
