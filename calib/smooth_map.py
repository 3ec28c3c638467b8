"""From the board's plane to the image: a homography, and a polynomial for what a lens adds to it."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from calib.homography_kernels import fit

# Numbers left over for the residuals, per corner, below which the polynomial gets a degree less.
_LEFT_OVER = 0.6
_HIGHEST_DEGREE = 4


@dataclass(frozen=True, slots=True, eq=False)
class SmoothMap:
    """A smooth map fitted to corners.

    Attributes:
        H: homography (3, 3) from the scaled plane to px.
        coefficients: (term, 2) px of the polynomial that is added; empty without.
        powers: (term, 2) of x and y.
        center: (2,) and
        scale: of the plane's coordinates, which become about -1..1.
        freedom: numbers left over for the residuals, at least 0.
    """

    H: np.ndarray
    coefficients: np.ndarray
    powers: np.ndarray
    center: np.ndarray
    scale: float
    freedom: int

    def __call__(self, plane: Float[np.ndarray, "*batch 2"]) -> Float[np.ndarray, "*batch 2"]:
        """Pixels of points of the plane."""
        scaled = (plane - self.center) / self.scale
        x_image = apply_homography(self.H, scaled)
        if len(self.powers):
            x_image = x_image + _monomials(scaled, self.powers) @ self.coefficients
        return x_image


def apply_homography(
    H: Float[np.ndarray, "3 3"], plane: Float[np.ndarray, "*batch 2"]
) -> Float[np.ndarray, "*batch 2"]:
    """Points of a plane mapped by a homography."""
    projected = plane @ H[:, :2].T + H[:, 2]
    with np.errstate(divide="ignore", invalid="ignore"):  # points on the horizon have no place
        return projected[..., :2] / projected[..., 2:]


def fit_homography(
    plane: Float[np.ndarray, "point 2"],
    x_image: Float[np.ndarray, "point 2"],
    weights: Float[np.ndarray, " point"] | None = None,
) -> Float[np.ndarray, "3 3"]:
    """Homography by the normalised direct linear transform (Hartley and Zisserman, 4.4), at least four points."""
    return fit(plane, x_image, np.ones(len(plane)) if weights is None else weights)


def fit_smooth_map(
    plane: Float[np.ndarray, "point 2"], x_image: Float[np.ndarray, "point 2"], highest_degree: int = _HIGHEST_DEGREE
) -> SmoothMap:
    """Homography and as much of a polynomial as the number of points bears.

    Args:
        plane: points of the board's plane, a part of a grid.
        x_image: their pixels.
        highest_degree: of the polynomial; 1 or less leaves the homography alone.
    """
    center = 0.5 * (plane.min(0) + plane.max(0))
    scale = float(0.5 * np.ptp(plane, axis=0).max()) or 1.0
    scaled = (plane - center) / scale
    H = fit_homography(scaled, x_image)
    residual = x_image - apply_homography(H, scaled)
    powers = _affordable(plane, highest_degree)
    if not len(powers):
        freedom = max(2 * len(plane) - 8, 0)
        return SmoothMap(H, np.zeros((0, 2)), powers, center, scale, freedom)
    coefficients = np.linalg.lstsq(_monomials(scaled, powers), residual, rcond=1e-9)[0]
    return SmoothMap(H, coefficients, powers, center, scale, 2 * len(plane) - _spent(powers))


def _spent(powers: np.ndarray) -> int:
    """Numbers that homography and polynomial take: six of the homography's eight are in the polynomial already."""
    return 2 * len(powers) + 2


def _affordable(plane: np.ndarray, highest_degree: int) -> np.ndarray:
    """Powers of the polynomial of the highest degree that leaves enough over."""
    columns, rows = (len(np.unique(np.round(plane[:, k], 9))) for k in range(2))
    for degree in range(highest_degree, 1, -1):
        powers = np.array(
            [(a, b) for a in range(degree + 1) for b in range(degree + 1 - a) if a < columns and b < rows]
        )
        if 2 * len(plane) - _spent(powers) >= _LEFT_OVER * len(plane):
            return powers
    return np.zeros((0, 2), int)


def _monomials(scaled: np.ndarray, powers: np.ndarray) -> np.ndarray:
    return scaled[..., 0, None] ** powers[:, 0] * scaled[..., 1, None] ** powers[:, 1]
