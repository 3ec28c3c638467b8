"""How a long recording is cut: pieces to learn from, and windows that are solved one by one and joined."""

from dataclasses import dataclass
from itertools import pairwise

import numpy as np


@dataclass(frozen=True, slots=True)
class StretchConfig:
    """Cuts of a recording.

    Attributes:
        frames: of a window.
        margin: frames on either side that are solved with it and left to the neighbour.
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


@dataclass(frozen=True, slots=True)
class Window:
    """Frames that are solved together, and which of them (counted within) are kept."""

    solved: slice
    kept: slice


def windows(count: int, config: StretchConfig) -> list[Window]:
    """Windows that cover `count` frames, each kept once."""
    parts = max(1, -(-count // config.frames))
    edges = np.linspace(0, count, parts + 1).astype(int).tolist()
    out = []
    for first, last in pairwise(edges):
        start, stop = max(first - config.margin, 0), min(last + config.margin, count)
        out.append(Window(slice(start, stop), slice(first - start, last - start)))
    return out


def pieces(count: int, config: StretchConfig) -> list[slice]:
    """Frames to learn from: all of a short recording, pieces spread over a long one."""
    if count <= max(config.frames, config.pieces * config.piece_frames):
        return [slice(0, count)]
    firsts = np.linspace(0, count - config.piece_frames, config.pieces).astype(int).tolist()
    return [slice(first, first + config.piece_frames) for first in firsts]
