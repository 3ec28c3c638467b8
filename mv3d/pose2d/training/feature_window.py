"""Squares of the trunk's features: a head that looks at feet need not be trained on the sky."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

# A head sees so many cells either way in each of its stages; at a cut edge it would see zeros there and no picture.
_RIM = 4
# Share of squares that lie anywhere, so that the rest of the picture is learnt to hold nothing.
_ELSEWHERE = 0.2


@dataclass(frozen=True, slots=True)
class Window:
    """Cells of a square.

    Attributes:
        row, column: its first cell.
        side: of the square, cells.
        cells: side of the whole.
    """

    row: int
    column: int
    side: int
    cells: int

    def of(self, fields: np.ndarray) -> np.ndarray:
        """The square of arrays (..., cells, cells)."""
        return fields[..., self.row : self.row + self.side, self.column : self.column + self.side]

    def trusted(self) -> Float[np.ndarray, "side side"]:
        """0 for the cells near a cut edge, 1 for all others, also at the border of the picture."""
        whole = np.zeros((self.cells, self.cells), np.float32)
        first, last = (
            [0 if at == 0 else at + _RIM for at in (self.row, self.column)],
            [self.cells if at + self.side == self.cells else at + self.side - _RIM for at in (self.row, self.column)],
        )
        whole[first[0] : last[0], first[1] : last[1]] = 1.0
        return self.of(whole)


def draw_window(around: Float[np.ndarray, "place 2"], side: int, cells: int, rng: np.random.Generator) -> Window:
    """A square by chance.

    Args:
        around: (x, y), cells, one of which lies in most of the squares.
        side: of the square, cells.
        cells: side of the whole.
        rng: decides.
    """
    middle = rng.uniform(0, cells, 2)
    if len(around) and rng.random() >= _ELSEWHERE:
        middle = around[rng.integers(len(around))] + rng.uniform(-1, 1, 2) * side / 4
    column, row = np.clip(np.round(middle - side / 2), 0, cells - side).astype(int).tolist()
    return Window(row, column, side, cells)
