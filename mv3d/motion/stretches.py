"""How a long recording is cut: pieces to learn from, and windows that are solved one by one and joined."""

from dataclasses import dataclass
from itertools import pairwise

import numpy as np


@dataclass(frozen=True, slots=True)
class StretchConfig:
    """Cuts of a recording.

    Attributes:
        frames: of a window.
        margin: frames on either side that are solved with it; there it fades into the neighbour.
        pieces: of a longer recording, from which lengths are learnt.
        piece_frames: frames of each.
    """

    frames: int = 1200
    margin: int = 60
    pieces: int = 6
    piece_frames: int = 200

    def __post_init__(self) -> None:
        if min(self.frames, self.margin, self.pieces, self.piece_frames) < 1:
            raise ValueError("frames, margin, pieces and piece_frames must be at least 1")
        if 4 * self.margin > self.frames:
            raise ValueError("margin must be at most a quarter of frames: three windows cannot fade at once")


def windows(count: int, config: StretchConfig) -> list[slice]:
    """Windows that cover `count` frames, each reaching into its neighbours by the margin."""
    parts = max(1, -(-count // config.frames))
    edges = np.linspace(0, count, parts + 1).astype(int).tolist()
    return [slice(max(a - config.margin, 0), min(b + config.margin, count)) for a, b in pairwise(edges)]


def pieces(count: int, config: StretchConfig) -> list[slice]:
    """Frames to learn from: all of a short recording, pieces spread over a long one."""
    if count <= max(config.frames, config.pieces * config.piece_frames):
        return [slice(0, count)]
    firsts = np.linspace(0, count - config.piece_frames, config.pieces).astype(int).tolist()
    return [slice(first, first + config.piece_frames) for first in firsts]
