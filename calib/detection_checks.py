"""Whether fitted corners lie on a board, and how well they are known."""

from math import comb

import numpy as np
from jaxtyping import Bool, Float, Int

from calib.smooth_map import SmoothMap, apply_homography, fit_homography, fit_smooth_map
from mv3d.data.lens import Lens

# An outlier is so many robust standard deviations, and so many squares, from the smooth map of the other corners.
_OUTLIER_SIGMAS, _OUTLIER_SQUARES = 6.0, 0.03
# Corners from which a polynomial of degree two does not follow an outlier; a cubic needs twice as many.
_MANY = 20
# Rounds of weighting by distance; from then on an outlier's weight changes little.
_REWEIGHTED = 5
# Corners of a board are so near to a smooth map (squares, rms).
_SMOOTH_SQUARES = 0.03
# With a lens given, a homography must do, to so many px (rms) or squares: the lens need not be the final one.
_FLAT_PX, _FLAT_SQUARES = 2.0, 0.03
# The residuals of few corners say little: the fits' own variance counts as so many numbers more.
_PRIOR_FREEDOM = 4
# px; below it the lens's and the print's unevenness rule, whatever the pixels say.
_LEAST_SIGMA_PX = 0.02


def map_slopes(
    smooth: SmoothMap, plane: Float[np.ndarray, "corner 2"]
) -> tuple[Float[np.ndarray, "corner 2 2"], Float[np.ndarray, "corner 2"], Float[np.ndarray, " corner"]]:
    """What the map does to the lines of the grid at each corner.

    Returns:
        Steps to the next corner along x and along y (px), curvatures of the two lines (1 / px), and the distance
        between the lines (px).
    """
    steps, seconds, half = [], [], 0.5
    here = smooth(plane)
    for axis in np.eye(2) * half:
        after, before = smooth(plane + axis), smooth(plane - axis)
        steps.append((after - before) / (2 * half))
        seconds.append((after + before - 2 * here) / half**2)
    step, second = np.stack(steps, axis=1), np.stack(seconds, axis=1)
    length = np.linalg.norm(step, axis=-1) + 1e-9
    bends = (step[..., 0] * second[..., 1] - step[..., 1] * second[..., 0]) / length**3
    area = np.abs(step[:, 0, 0] * step[:, 1, 1] - step[:, 0, 1] * step[:, 1, 0])
    return step, bends, area / length.max(1)


def in_line(plane: Float[np.ndarray, "corner 2"]) -> bool:
    """Whether points are all on one line, so that no plane can be told from them."""
    return bool(np.linalg.matrix_rank(plane - plane[0], tol=1e-6) < 2)


def without_outliers(
    plane: Float[np.ndarray, "corner 2"], xy: Float[np.ndarray, "corner 2"], good: Bool[np.ndarray, " corner"]
) -> Bool[np.ndarray, " corner"]:
    """Drop the corner furthest from the smooth map of the rest, until none is far."""
    good = good.copy()
    while good.sum() > 8:
        smooth = fit_smooth_map(plane[good], xy[good], 3 if good.sum() >= 2 * _MANY else 2)
        mapped = smooth(plane[good]) if good.sum() >= _MANY else _robustly_mapped(plane[good], xy[good])
        distance = np.linalg.norm(mapped - xy[good], axis=1)
        gap = map_slopes(smooth, plane[good])[2]
        # Of a 2D normal distribution the median distance is 1.18 standard deviations.
        limit = np.maximum(_OUTLIER_SIGMAS * np.median(distance) / 1.18, _OUTLIER_SQUARES * gap)
        excess = distance / limit
        if excess.max() <= 1:
            break
        good[np.flatnonzero(good)[np.argmax(excess)]] = False
    return good


def _robustly_mapped(plane: np.ndarray, xy: np.ndarray) -> np.ndarray:
    """The corners by the homography of least distances, which does not follow an outlier as least squares do."""
    weights = np.ones(len(plane))
    for _ in range(_REWEIGHTED):
        mapped = apply_homography(fit_homography(plane, xy, weights), plane)
        distance = np.linalg.norm(mapped - xy, axis=1)
        weights = 1 / np.sqrt(distance + 0.1 * np.median(distance) + 1e-6)
    return mapped


def board_uncertainty(
    plane: Float[np.ndarray, "corner 2"],
    cells: Int[np.ndarray, "corner 2"],
    fits: Float[np.ndarray, "corner 9"],
    lens: Lens | None,
) -> float | None:
    """sigma_px of the corners; None if they are too far from a plane seen by a camera.

    Args:
        plane: places of the corners in pitches of the board.
        cells: column and row.
        fits: as `corner_fit_kernels.fit_corners` gives them.
        lens: of the camera, if known.
    """
    xy, own = fits[:, :2], float(np.mean(fits[:, 5:7] ** 2))
    smooth = fit_smooth_map(plane, xy)
    gap = float(np.median(map_slopes(smooth, plane)[2]))
    squares = float(np.sum((smooth(plane) - xy) ** 2))
    if np.sqrt(squares / len(xy)) > _SMOOTH_SQUARES * gap:
        return None
    if lens is not None and not _is_flat(plane, xy, lens, gap):
        return None
    variance = (squares + _PRIOR_FREEDOM * own) / (smooth.freedom + _PRIOR_FREEDOM)
    # Of a strong lens the polynomial leaves some; that changes little from corner to corner, unlike the noise.
    rough, count = _roughness(cells, xy - smooth(plane))
    if count >= _PRIOR_FREEDOM:
        variance = min(variance, (count * rough + _PRIOR_FREEDOM * own) / (count + _PRIOR_FREEDOM))
    return float(np.sqrt(variance + _LEAST_SIGMA_PX**2))


def _roughness(cells: np.ndarray, residual: np.ndarray) -> tuple[float, int]:
    """Variance of a coordinate from differences along rows and columns, which no smooth field has; how many there are.

    The binomial of order n has the squared sum (2n)! / n!^2: 6 for second, 20 for third differences.
    """
    cells = cells - cells.min(0)
    grid = np.full((*(cells.max(0) + 1), 2), np.nan)
    grid[cells[:, 0], cells[:, 1]] = residual
    squares = []
    for axis in range(2):
        order = 3 if grid.shape[axis] > 3 else 2
        if grid.shape[axis] > order:
            squares.append(np.diff(grid, order, axis=axis).ravel() ** 2 / comb(2 * order, order))
    values = np.concatenate(squares) if squares else np.zeros(0)
    values = values[np.isfinite(values)]
    return (float(values.mean()), len(values)) if len(values) else (0.0, 0)


def _is_flat(plane: np.ndarray, xy: np.ndarray, lens: Lens, gap: float) -> bool:
    """Whether a homography maps the plane to the undistorted corners."""
    rays = lens.unproject(xy)
    usable = np.isfinite(rays).all(1) & (rays[:, 2] > 0.1)  # beyond 84 degrees an image plane is no use
    if usable.sum() < 5 or in_line(plane[usable]):
        return True
    x_norm = rays[usable, :2] / rays[usable, 2:]
    H = fit_homography(plane[usable], x_norm)
    mapped = apply_homography(H, plane[usable])
    again = lens.project(np.concatenate([mapped, np.ones((len(mapped), 1))], axis=1))
    rms = float(np.sqrt(np.nanmean(np.sum((again - xy[usable]) ** 2, axis=1))))
    return rms < max(_FLAT_PX, _FLAT_SQUARES * gap)
