"""What every calibration target has, whatever is printed on it: known points on a plane."""

from abc import ABC, abstractmethod

import numpy as np
from jaxtyping import Bool, Float, Int


class Target(ABC):
    """A flat board with points whose places on it are known.

    The board's frame: x along the first side, y along the second, z into the board, away from who looks at it. All
    kinds are frozen dataclasses with `kind`, their name in board files, and `inverted`: every colour is swapped.
    """

    __slots__ = ()
    kind: str
    inverted: bool

    @property
    @abstractmethod
    def points(self) -> Float[np.ndarray, "corner 3"]:
        """Points in the board's frame, m; z = 0."""

    @property
    @abstractmethod
    def cells(self) -> Int[np.ndarray, "corner 2"]:
        """Column and row of each point in the grid that they form, whole numbers from 0."""

    @property
    @abstractmethod
    def pitch_m(self) -> float:
        """Length from which the board's size follows: of a square, of a tag and its gap, or between circles, m."""

    @property
    @abstractmethod
    def size_m(self) -> tuple[float, float]:
        """Width and height of all that is printed, m."""

    @abstractmethod
    def describe(self) -> str:
        """The board in a few words, for messages."""

    @abstractmethod
    def scale(self) -> str:
        """The length on which all others hang, in a few words."""

    @property
    def corner_count(self) -> int:
        """Number of points."""
        return len(self.points)

    @property
    def outer(self) -> Float[np.ndarray, "4 2"]:
        """The rectangle around the points, going round, m."""
        (left, top), (right, bottom) = self.points[:, :2].min(0), self.points[:, :2].max(0)
        return np.array([[left, top], [right, top], [right, bottom], [left, bottom]])

    @property
    def parity(self) -> Bool[np.ndarray, " corner"]:
        """Every other point, as the colours of a chessboard."""
        return np.asarray(self.cells.sum(1) % 2 == 0)

    def symmetries(self) -> Int[np.ndarray, "symmetry corner"]:
        """Numberings of the points that look alike, the identity first: `xy[permutation]` is as good as `xy`."""
        return np.arange(self.corner_count)[None]
