"""Checkerboards and ChArUco boards."""

from dataclasses import dataclass

import cv2
import numpy as np
from jaxtyping import Float, Int

from calib.dictionaries import check_dictionary, check_numbers, marker_dictionary
from calib.target import Target

KINDS = ("checkerboard", "charuco")
# Three squares make two inner corners a side, the fewest that span a plane; a side of hundreds is a typing error.
_FEWEST_SQUARES, _MOST_SQUARES = 3, 100
# From a stamp to a wall; beyond it the unit is wrong.
SMALLEST_M, LARGEST_M = 1e-3, 10.0


@dataclass(frozen=True, slots=True)
class Board(Target):
    """A flat board of squares, colours alternating.

    The board's frame: x along the first side, y along the second, z into the board, away from who looks at it; the
    origin is the outer corner of square (0, 0), which is black unless `inverted`. Points are the inner corners.

    Attributes:
        kind: "checkerboard" or "charuco".
        squares: number of squares along x and along y.
        square_m: side of a square, m.
        marker_m: side of a marker, m; charuco only.
        dictionary: OpenCV's name of the markers' dictionary; charuco only.
        inverted: white on black: every colour swapped.
        legacy: charuco's layout before OpenCV 4.6, where with an even number of rows square (0, 0) holds a marker.
        first: number of the first marker; charuco only.
    """

    kind: str
    squares: tuple[int, int]
    square_m: float
    marker_m: float | None = None
    dictionary: str | None = None
    inverted: bool = False
    legacy: bool = False
    first: int = 0

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise ValueError(f"kind is {self.kind!r}, one of {', '.join(KINDS)} is wanted")
        if len(self.squares) != 2 or not all(_FEWEST_SQUARES <= n <= _MOST_SQUARES for n in self.squares):
            raise ValueError(f"squares is {list(self.squares)}, two numbers from 3 to 100 are wanted")
        if not SMALLEST_M <= self.square_m <= LARGEST_M:
            raise ValueError(f"square_mm is {self.square_m * 1e3:g}, 1 to 10000 is wanted")
        if self.kind == "charuco":
            self._check_markers()
        elif self.marker_m is not None or self.dictionary is not None or self.legacy or self.first:
            raise ValueError("marker_mm, dictionary, legacy and first are of charuco boards only")

    def _check_markers(self) -> None:
        if self.marker_m is None or not 0.1 * self.square_m < self.marker_m < self.square_m:
            raise ValueError("marker_mm of a charuco board must be given and be smaller than square_mm")
        check_dictionary(self.dictionary, "DICT_4X4_50")
        last = self.first + self.marker_count - 1
        which = f"{self.marker_count} markers" + (f", {self.first} to {last}" if self.first else "")
        check_numbers(which, self.first, last, str(self.dictionary))

    @property
    def corners(self) -> tuple[int, int]:
        """Number of inner corners along x and along y."""
        return self.squares[0] - 1, self.squares[1] - 1

    @property
    def corner_count(self) -> int:
        """Number of inner corners."""
        return self.corners[0] * self.corners[1]

    @property
    def cells(self) -> Int[np.ndarray, "corner 2"]:
        """Column and row of each inner corner."""
        index = np.arange(self.corner_count)
        return np.stack([index % self.corners[0], index // self.corners[0]], axis=1)

    @property
    def pitch_m(self) -> float:
        """Side of a square, m."""
        return self.square_m

    @property
    def marker_count(self) -> int:
        """Number of markers of a charuco board: one on every second square."""
        return self.squares[0] * self.squares[1] // 2 if self.kind == "charuco" else 0

    @property
    def dark_origin(self) -> bool:
        """Whether square (0, 0) is dark, before the colours are swapped by `inverted`."""
        return not (self.legacy and self.squares[1] % 2 == 0)

    @property
    def size_m(self) -> tuple[float, float]:
        """Width and height of all squares together, m."""
        return self.squares[0] * self.square_m, self.squares[1] * self.square_m

    @property
    def points(self) -> Float[np.ndarray, "corner 3"]:
        """Inner corners in the board's frame, m; row by row, x runs fastest; index = x + y * corners[0]."""
        x, y = np.meshgrid(np.arange(1, self.squares[0]), np.arange(1, self.squares[1]))
        return np.stack([x.ravel(), y.ravel(), np.zeros(x.size)], axis=1) * self.square_m

    def symmetries(self) -> Int[np.ndarray, "symmetry corner"]:
        """Numberings of the corners that look alike, the identity first.

        `xy[permutation]` is as good an observation as `xy`. A charuco board has only the identity. A checkerboard
        turned by 180 degrees looks the same if its numbers of squares are both even or both odd, by 90 degrees if both
        are the same odd number; in all other cases the colours tell.
        """
        across, along = self.squares
        grid = np.arange(self.corner_count).reshape(along - 1, across - 1)
        turns = [0]
        if self.kind == "checkerboard" and (across + along) % 2 == 0:
            turns = [0, 1, 2, 3] if across == along and across % 2 else [0, 2]
        return np.stack([np.rot90(grid, k).ravel() for k in turns])

    def marker_dictionary(self) -> cv2.aruco.Dictionary:
        """OpenCV's dictionary of a charuco board's markers."""
        return marker_dictionary(str(self.dictionary))

    def opencv_charuco(self) -> cv2.aruco.CharucoBoard:
        """OpenCV's description of a charuco board, in metres."""
        if self.marker_m is None:
            raise ValueError("a checkerboard is no charuco board")
        numbers = np.arange(self.first, self.first + self.marker_count)
        made = cv2.aruco.CharucoBoard(self.squares, self.square_m, self.marker_m, self.marker_dictionary(), numbers)
        made.setLegacyPattern(self.legacy)
        return made

    def scale(self) -> str:
        """The length on which all others hang."""
        return f"squares of {self.square_m * 1e3:g} mm"

    def describe(self) -> str:
        """The board in a few words, for messages."""
        across, along = self.squares
        text = f"{self.kind} of {across}x{along} squares of {self.square_m * 1e3:g} mm"
        return (
            text
            + (f" with {self.dictionary} markers" if self.kind == "charuco" else "")
            + (f" from {self.first}" if self.first else "")
        )
