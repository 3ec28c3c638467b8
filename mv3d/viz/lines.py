"""Straight lines as plain arrays: what grids, cameras, bones and trails are made of."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from mv3d.viz.mesh import Mesh, tubes


@dataclass(frozen=True, slots=True, eq=False)
class Lines:
    """Straight lines: segments (line, 2, 3) m, radius (line,) m, rgb (line, 3) in [0, 1]."""

    segments: np.ndarray
    radius: np.ndarray
    rgb: np.ndarray

    def __len__(self) -> int:
        return len(self.segments)

    def mesh(self, sides: int = 6) -> Mesh:
        """The lines as tubes."""
        return tubes(self.segments, self.radius, self.rgb, sides)


def lines(segments: Sequence | np.ndarray, radius: float | np.ndarray = 0.0, rgb: object = ()) -> Lines:
    """Lines of one radius or many; `rgb` (line, 3), or (3,) for all."""
    count = len(segments)
    colors = np.array(rgb, float)
    return Lines(
        np.array(segments, float).reshape(count, 2, 3),
        np.broadcast_to(np.asarray(radius, float), (count,)),
        np.broadcast_to(colors, (count, 3)) if colors.shape == (3,) else colors.reshape(count, 3),
    )


def joined(parts: Sequence[Lines]) -> Lines:
    """Several groups of lines as one."""
    parts = [lines([]), *parts]
    return Lines(
        np.concatenate([p.segments for p in parts]),
        np.concatenate([p.radius for p in parts]),
        np.concatenate([p.rgb for p in parts]),
    )
