"""From about where a board's corners are to where they are, how well that is known, and whether it is a board."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int, UInt8

from calib.boards import Board
from calib.corner_fit_kernels import fit_corners
from calib.smooth_map import SmoothMap, apply_homography, fit_homography, fit_smooth_map
from mv3d.data.checks import frozen_array
from mv3d.data.lens import Lens

# Windows as shares of the distance between lines of the grid: a checkerboard's corner may look that far before the next
# edge comes; 24 px halve the noise of 8 px at four times the work, more gains little.
_WINDOW_SHARE, _WIDEST_PX, _FIRST_PX, _NARROWEST_PX = 0.4, 24, 8, 3
# px; movements that end the first and the last fit.
_ROUGH, _FINE = 0.05, 0.002
# Share of the contrast that the model may leave unexplained; corners of boards leave 0.03 to 0.1.
_UNEXPLAINED = 0.2
# A corner known no better than to so many px, or squares, is none.
_VAGUE_PX, _VAGUE_SQUARES = 1.0, 0.1
# Rounds of looking for corners next to those known: hidden corners of large boards lie one or two from them.
_ROUNDS = 3
# Squares by which a corner may end up from where it was expected.
_MOVED_FOUND, _MOVED_PREDICTED = 0.3, 0.15
# An outlier is so many robust standard deviations, and so many squares, from the smooth map of the other corners.
_OUTLIER_SIGMAS, _OUTLIER_SQUARES = 6.0, 0.03
# A board loses at most this share of its found corners, and its corners are so near to a smooth map (squares, rms).
_MOST_LOST, _SMOOTH_SQUARES = 0.25, 0.03
# With a lens given, a homography must do, to so many px (rms) or squares: the lens need not be the final one.
_FLAT_PX, _FLAT_SQUARES = 2.0, 0.03
# The residuals of few corners say little: the fits' own variance counts as so many numbers more.
_PRIOR_FREEDOM = 4
# px; below it the lens's and the print's unevenness rule, whatever the pixels say.
_LEAST_SIGMA_PX = 0.02


@dataclass(frozen=True, slots=True, eq=False)
class BoardView:
    """A board seen in an image.

    Attributes:
        ids: (corner,) indices into `board.points`, increasing.
        xy: (corner, 2) px, pixel centre at integers.
        sigma_px: standard deviation of one coordinate, from the corners' distances to a smooth map of the board and
            from the pixels' distances to the model of a corner.
    """

    ids: np.ndarray
    xy: np.ndarray
    sigma_px: float

    def __post_init__(self) -> None:
        object.__setattr__(self, "ids", frozen_array("ids", self.ids, (None,), np.int64))
        object.__setattr__(self, "xy", frozen_array("xy", self.xy, (len(self.ids), 2)))


def refine_board(
    image: UInt8[np.ndarray, "height width"],
    board: Board,
    start: Float[np.ndarray, "row column 2"],
    lens: Lens | None = None,
) -> tuple[Float[np.ndarray, "row column 2"], float, bool] | None:
    """Fit all corners of a board, also those not found before, and check that they make a board.

    Args:
        image: gray levels, dark squares dark.
        board: its size.
        start: px of the board's corners, good to a quarter of a square; NaN where not found.
        lens: lens of the camera, for a stricter check.

    Returns:
        The corners (NaN where there is none), sigma_px, and whether square (0, 0) is dark; None if this is no board.
    """
    found = np.isfinite(start).all(-1)
    plane = np.argwhere(np.ones(found.shape, bool))[:, ::-1].astype(float)  # x = column, y = row
    known, expected = found.ravel(), start.reshape(-1, 2).copy()
    smooth = _plausible_map(plane[known], expected[known])
    if smooth is None:
        return None
    share = _window_share(board)
    fits = _fit(image, smooth, plane, expected, known, share, _FIRST_PX, _ROUGH)
    known &= _credible(fits, smooth, plane, expected, _MOVED_FOUND)
    expected[known] = fits[known, :2]
    for _ in range(_ROUNDS):
        if known.all() or known.sum() < 4 or not _add_missing(image, plane, expected, known, share):
            break
    smooth = _plausible_map(plane[known], expected[known])
    if smooth is None:
        return None
    # The wider window may find what the first did not.
    fits = _fit(image, smooth, plane, expected, np.ones(len(known), bool), share, _WIDEST_PX, _FINE)
    good = _credible(fits, smooth, plane, expected, np.where(known, _MOVED_FOUND, _MOVED_PREDICTED))
    good, dark_origin = _alternating(fits[:, 8], plane, good, found.ravel())
    good = _without_outliers(plane, fits[:, :2], good)
    if good.sum() < 4 or (good & found.ravel()).sum() < (1 - _MOST_LOST) * found.sum() or _in_line(plane[good]):
        return None
    sigma = _uncertainty(plane[good], fits[good], lens)
    if sigma is None:
        return None
    xy = np.where(good[:, None], fits[:, :2], np.nan).reshape(start.shape)
    return xy, sigma, dark_origin


def _add_missing(image: np.ndarray, plane: np.ndarray, expected: np.ndarray, known: np.ndarray, share: float) -> bool:
    """Look for corners not found so far where their neighbours say; fills `expected` and `known`, says if any was new.

    What lies too far from the known ones is predicted better in the next round.
    """
    smooth = _plausible_map(plane[known], expected[known])
    if smooth is None:
        return False
    missing = np.flatnonzero(~known)
    for corner in missing:
        expected[corner] = _predict(plane[known], expected[known], plane[corner])
    fits = _fit(image, smooth, plane, expected, ~known, share, _FIRST_PX, _ROUGH)
    new = _credible(fits, smooth, plane, expected, _MOVED_PREDICTED)
    expected[new] = fits[new, :2]
    known |= new
    return bool(new.any())


def _window_share(board: Board) -> float:
    """How far from a corner the pattern is that of a checkerboard, in squares."""
    if board.marker_m is None:
        return _WINDOW_SHARE
    # The marker's nearest point lies on the diagonal of the white square.
    return min(0.9 * np.sqrt(0.5) * (1 - board.marker_m / board.square_m), _WINDOW_SHARE)


def _plausible_map(plane: np.ndarray, x_image: np.ndarray) -> SmoothMap | None:
    """A smooth map of the corners; None if no camera can see a plane like that."""
    if len(plane) < 4 or _in_line(plane):
        return None
    smooth = fit_smooth_map(plane, x_image)
    w = (plane - smooth.center) / smooth.scale @ smooth.H[2, :2] + smooth.H[2, 2]
    return smooth if np.isfinite(smooth.H).all() and (w.min() > 0 or w.max() < 0) else None


def _in_line(plane: np.ndarray) -> bool:
    return bool(np.linalg.matrix_rank(plane - plane[0], tol=1e-6) < 2)


def _slopes(smooth: SmoothMap, plane: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Steps to the next corners (corner, axis, 2), bends of the lines (corner, axis), distance between lines, px."""
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


def _fit(
    image: np.ndarray,
    smooth: SmoothMap,
    plane: np.ndarray,
    expected: np.ndarray,
    which: np.ndarray,
    share: float,
    widest: int,
    tolerance: float,
) -> Float[np.ndarray, "corner 9"]:
    step, bends, gap = _slopes(smooth, plane)
    directions = np.arctan2(step[..., 1], step[..., 0])
    fits = np.full((len(plane), 9), np.nan)
    usable = which & np.isfinite(expected).all(1) & (np.abs(expected).max(1) < 2 * max(image.shape))
    halves = np.clip(share * gap[usable], _NARROWEST_PX, widest).astype(np.int64)
    # px; between a sharp photograph's 0.7 and a moving board's 3.
    blur = np.full((len(halves), 1), 1.5)
    start = np.concatenate([expected[usable], directions[usable], blur], axis=1)
    out = np.empty((len(start), 9))
    fit_corners(image, start, bends[usable], halves, tolerance, out)
    fits[usable] = out
    return fits


def _credible(
    fits: np.ndarray, smooth: SmoothMap, plane: np.ndarray, expected: np.ndarray, moved: float | np.ndarray
) -> Bool[np.ndarray, " corner"]:
    gap = _slopes(smooth, plane)[2]
    with np.errstate(invalid="ignore"):
        distance = np.linalg.norm(fits[:, :2] - expected, axis=1)
        sharp = np.maximum(fits[:, 5], fits[:, 6]) < np.minimum(_VAGUE_PX, _VAGUE_SQUARES * gap)
        return np.asarray((fits[:, 7] < _UNEXPLAINED) & sharp & (distance < moved * gap))


def _predict(plane: np.ndarray, x_image: np.ndarray, at: np.ndarray) -> Float[np.ndarray, "2"]:
    """Where a corner should be, by a homography of its neighbourhood."""
    distance = np.linalg.norm(plane - at, axis=1)
    weights = np.exp(-0.5 * (distance / 2.0) ** 2) + 1e-3
    return apply_homography(fit_homography(plane, x_image, weights), at)


def _alternating(
    contrast: np.ndarray, plane: np.ndarray, good: np.ndarray, known: np.ndarray
) -> tuple[Bool[np.ndarray, " corner"], bool]:
    """Corners whose squares have the colours that the others ask for; whether square (0, 0) is dark."""
    # c > 0 means a dark square after the corner along both axes: for corner (0, 0) square (1, 1), as dark as (0, 0).
    sign = np.sign(contrast) * np.where(plane.sum(1) % 2 == 0, 1, -1)
    dark_origin = bool(np.nansum(sign[good & known]) > 0)
    return good & (sign == (1 if dark_origin else -1)), dark_origin


def _without_outliers(plane: np.ndarray, xy: np.ndarray, good: np.ndarray) -> Bool[np.ndarray, " corner"]:
    """Drop the corner furthest from the smooth map of the rest, until none is far."""
    good = good.copy()
    while good.sum() > 8:
        # A polynomial would follow an outlier among few.
        smooth = fit_smooth_map(plane[good], xy[good], 2 if good.sum() >= 20 else 1)
        distance = np.linalg.norm(smooth(plane[good]) - xy[good], axis=1)
        gap = _slopes(smooth, plane[good])[2]
        # Of a 2D normal distribution the median distance is 1.18 standard deviations.
        limit = np.maximum(_OUTLIER_SIGMAS * np.median(distance) / 1.18, _OUTLIER_SQUARES * gap)
        excess = distance / limit
        if excess.max() <= 1:
            break
        good[np.flatnonzero(good)[np.argmax(excess)]] = False
    return good


def _uncertainty(plane: np.ndarray, fits: np.ndarray, lens: Lens | None) -> float | None:
    """sigma_px of the corners; None if they are too far from a plane seen by a camera."""
    xy, own = fits[:, :2], float(np.mean(fits[:, 5:7] ** 2))
    smooth = fit_smooth_map(plane, xy)
    gap = float(np.median(_slopes(smooth, plane)[2]))
    squares = float(np.sum((smooth(plane) - xy) ** 2))
    if np.sqrt(squares / len(xy)) > _SMOOTH_SQUARES * gap:
        return None
    if lens is not None and not _is_flat(plane, xy, lens, gap):
        return None
    variance = (squares + _PRIOR_FREEDOM * own) / (smooth.freedom + _PRIOR_FREEDOM)
    return float(np.sqrt(variance + _LEAST_SIGMA_PX**2))


def _is_flat(plane: np.ndarray, xy: np.ndarray, lens: Lens, gap: float) -> bool:
    """Whether a homography maps the plane to the undistorted corners."""
    rays = lens.unproject(xy)
    usable = np.isfinite(rays).all(1) & (rays[:, 2] > 0.1)  # beyond 84 degrees an image plane is no use
    if usable.sum() < 5 or _in_line(plane[usable]):
        return True
    x_norm = rays[usable, :2] / rays[usable, 2:]
    H = fit_homography(plane[usable], x_norm)
    mapped = apply_homography(H, plane[usable])
    again = lens.project(np.concatenate([mapped, np.ones((len(mapped), 1))], axis=1))
    rms = float(np.sqrt(np.nanmean(np.sum((again - xy[usable]) ** 2, axis=1))))
    return rms < max(_FLAT_PX, _FLAT_SQUARES * gap)


def as_view(xy: Float[np.ndarray, "row column 2"], sigma: float) -> BoardView:
    """The corners that are there, with their indices."""
    flat = xy.reshape(-1, 2)
    ids: Int[np.ndarray, " corner"] = np.flatnonzero(np.isfinite(flat).all(1))
    return BoardView(ids, flat[ids], sigma)
