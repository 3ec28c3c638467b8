"""Grids of circles, in rows and columns or with every other row shifted by half a step."""

from dataclasses import dataclass, field

import numpy as np
from jaxtyping import Float, Int

from calib.square_board import LARGEST_M, SMALLEST_M
from calib.target import Target

_FEWEST, _MOST = 3, 50
# Corners this near to each other (shares of the spacing) are the same.
_SAME = 1e-6


@dataclass(frozen=True, slots=True)
class CircleGrid(Target):
    """Dark circles on white; the points are their centres, row by row.

    The origin is the upper left corner of the rectangle around all circles.

    Attributes:
        circles: number of circles in a row, and of rows.
        spacing_m: between neighbouring rows, m, and in a symmetric grid between neighbours in a row. In an asymmetric
            one neighbours in a row are twice as far apart, and odd rows are shifted by once the spacing (as OpenCV).
        diameter_m: of a circle, m.
        asymmetric: whether odd rows are shifted.
        inverted: white on black.
        kind: "circles".
    """

    circles: tuple[int, int]
    spacing_m: float
    diameter_m: float
    asymmetric: bool = False
    inverted: bool = False
    kind: str = field(default="circles", init=False)

    def __post_init__(self) -> None:
        if len(self.circles) != 2 or not all(_FEWEST <= n <= _MOST for n in self.circles):
            raise ValueError(f"circles is {list(self.circles)}, two numbers from {_FEWEST} to {_MOST} are wanted")
        if not SMALLEST_M <= self.spacing_m <= LARGEST_M:
            raise ValueError(f"spacing_mm is {self.spacing_m * 1e3:g}, 1 to 10000 is wanted")
        # Diagonal neighbours of an asymmetric grid are the square root of two apart.
        room = self.spacing_m * (np.sqrt(2) if self.asymmetric else 1.0)
        if not 0.1 * self.spacing_m <= self.diameter_m <= 0.9 * room:
            raise ValueError(f"diameter_mm is {self.diameter_m * 1e3:g}; circles must not touch, nor be dots")

    @property
    def cells(self) -> Int[np.ndarray, "corner 2"]:
        """Column and row of each circle."""
        index = np.arange(self.circles[0] * self.circles[1])
        return np.stack([index % self.circles[0], index // self.circles[0]], axis=1)

    @property
    def points(self) -> Float[np.ndarray, "corner 3"]:
        """Centres of the circles, m."""
        x, y = self.cells.T
        across = 2 * x + y % 2 if self.asymmetric else x
        radius = self.diameter_m / 2
        return np.stack([radius + across * self.spacing_m, radius + y * self.spacing_m, 0.0 * y], axis=1)

    @property
    def pitch_m(self) -> float:
        """Between neighbouring rows, m."""
        return self.spacing_m

    @property
    def size_m(self) -> tuple[float, float]:
        """Width and height of the rectangle around all circles, m."""
        width, height = np.ptp(self.points[:, :2], axis=0) + self.diameter_m
        return float(width), float(height)

    def symmetries(self) -> Int[np.ndarray, "symmetry corner"]:
        """Numberings that look alike: quarter turns about the middle that bring circles onto circles."""
        places = self.points[:, :2] - self.points[:, :2].mean(0)
        found = []
        for k in range(4):
            turned = _turned(places, k)
            distance = np.linalg.norm(turned[:, None] - places, axis=-1)
            order = distance.argmin(1)
            if (distance[np.arange(len(order)), order] < _SAME * self.spacing_m).all():
                found.append(order)
        return np.stack(found)

    def describe(self) -> str:
        """The board in a few words, for messages."""
        across, along = self.circles
        shape = "asymmetric " if self.asymmetric else ""
        return f"{shape}grid of {across}x{along} circles {self.spacing_m * 1e3:g} mm apart"

    def scale(self) -> str:
        """The length on which all others hang."""
        return f"circles {self.spacing_m * 1e3:g} mm apart"


def _turned(places: np.ndarray, quarters: int) -> np.ndarray:
    c, s = [(1, 0), (0, 1), (-1, 0), (0, -1)][quarters]
    return places @ np.array([[c, s], [-s, c]])
