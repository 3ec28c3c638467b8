"""Long recordings in windows: learnt from pieces of the whole, solved part by part, joined without a seam."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np

from mv3d.data.poses import Poses3D

_BY_FRAME = ("xyz", "score", "reprojection_error", "n_views", "covariance", "state", "xyz_per_frame", "timestamps")


@dataclass(frozen=True, slots=True)
class WindowConfig:
    """How a recording is cut; a shorter one than a window is solved as a whole.

    Attributes:
        frames: of a window.
        margin: frames on either side that are solved with it and left to the neighbour: several times what a joint's
            motion or a lasting blunder reaches.
        pieces: of the recording from which its model is learnt.
        piece_frames: frames of each.
    """

    frames: int = 2400
    margin: int = 120
    pieces: int = 6
    piece_frames: int = 400

    def __post_init__(self) -> None:
        if min(self.frames, self.margin, self.pieces, self.piece_frames) < 1:
            raise ValueError("frames, margin, pieces and piece_frames of windows must be at least 1")


@dataclass(frozen=True, slots=True)
class Window:
    """Frames that are solved together, and which of them (counted within) are kept."""

    solved: slice
    kept: slice


def windows(count: int, config: WindowConfig) -> list[Window]:
    """Windows that cover `count` frames, each kept once."""
    if count <= config.frames:
        return [Window(slice(0, count), slice(0, count))]
    parts = -(-count // config.frames)
    edges = np.linspace(0, count, parts + 1).astype(int).tolist()
    out = []
    for first, last in pairwise(edges):
        start, stop = max(first - config.margin, 0), min(last + config.margin, count)
        out.append(Window(slice(start, stop), slice(first - start, last - start)))
    return out


def sample(count: int, config: WindowConfig) -> tuple[np.ndarray, tuple[int, ...]]:
    """Frames from which a recording's model is learnt, and where among them a new piece starts; all of a short one."""
    if count <= max(config.frames, config.pieces * config.piece_frames):
        return np.arange(count), ()
    firsts = np.linspace(0, count - config.piece_frames, config.pieces).astype(int)
    frames = np.concatenate([np.arange(f, f + config.piece_frames) for f in firsts])
    return frames, tuple(range(config.piece_frames, len(frames), config.piece_frames))


def joined(parts: Iterable[tuple[Poses3D, slice]], count: int) -> Poses3D:
    """The kept frames of all parts, one after the other, `count` in all; parts are let go as they are copied."""
    arrays: dict[str, np.ndarray] = {}
    first = last = 0
    for poses, kept in parts:
        if kept.stop - kept.start == count:
            return poses
        first, last = last, last + kept.stop - kept.start
        for name in _BY_FRAME:
            part = getattr(poses, name)[kept]
            whole = arrays.setdefault(name, np.empty((count, *part.shape[1:]), part.dtype))
            whole[first:last] = part
        like = poses
    return replace(like, **arrays)
