"""From about where a board's corners are to where they are, how well that is known, and whether it is a board."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int, UInt8

from calib.corner_fit_kernels import fit_corners
from calib.detection_checks import board_uncertainty, in_line, map_slopes, without_outliers
from calib.smooth_map import SmoothMap, apply_homography, fit_homography, fit_smooth_map
from mv3d.data.checks import frozen_array
from mv3d.data.lens import Lens

# Half widths of windows: 24 px halve the noise of 8 px at four times the work, more gains little.
_WIDEST_PX, _FIRST_PX, _NARROWEST_PX = 24, 8, 3
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
# A board loses at most this share of its found corners.
_MOST_LOST = 0.25


@dataclass(frozen=True, slots=True, eq=False)
class CornerModel:
    """What the corners of a board look like.

    Attributes:
        plane: (corner, 2) their places, in pitches of the board.
        cells: (corner, 2) column and row, whole numbers.
        share: how far from a corner the model holds, in pitches.
        inward: (corner, 2) of corners with dark on one of their four sides alone, towards it: signs along x and y. None
            where dark and bright alternate around a corner.
    """

    plane: np.ndarray
    cells: np.ndarray
    share: float
    inward: np.ndarray | None = None

    @property
    def signs(self) -> Float[np.ndarray, " corner"]:
        """Signs of the fitted contrasts where the side after corner (0, 0), along both axes, is dark."""
        # A side that is dark by itself is darker; of alternating ones c > 0 means dark after the corner on both axes.
        return np.where(self.cells.sum(1) % 2 == 0, 1.0, -1.0) if self.inward is None else -np.ones(len(self.cells))


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


def refine_corners(
    image: UInt8[np.ndarray, "height width"],
    model: CornerModel,
    start: Float[np.ndarray, "corner 2"],
    lens: Lens | None = None,
) -> tuple[Float[np.ndarray, "corner 2"], float, bool] | None:
    """Fit all corners of a board, also those not found before, and check that they make a board.

    Args:
        image: gray levels, dark parts dark.
        model: of the corners.
        start: px of the board's corners, good to a quarter of a square; NaN where not found.
        lens: lens of the camera, for a stricter check.

    Returns:
        The corners (NaN where there is none), sigma_px, and whether it is dark after corner (0, 0) along both axes;
        None if this is no board.
    """
    expected = start.copy()
    found = without_outliers(model.plane, expected, np.asarray(np.isfinite(start).all(-1)))
    known = found.copy()
    smooth = _plausible_map(model.plane[known], expected[known])
    if smooth is None:
        return None
    fits = _fit(image, smooth, model, expected, known, _FIRST_PX, _ROUGH)
    known &= _credible(fits, smooth, model.plane, expected, _MOVED_FOUND)
    expected[known] = fits[known, :2]
    for _ in range(_ROUNDS):
        if known.all() or known.sum() < 4 or not _add_missing(image, model, expected, known):
            break
    settled = _settle(image, model, expected, known, found)
    if settled is None:
        return None
    fits, good, dark_origin = settled
    if good.sum() < 4 or (good & found).sum() < (1 - _MOST_LOST) * found.sum() or in_line(model.plane[good]):
        return None
    sigma = board_uncertainty(model.plane[good], model.cells[good], fits[good], lens)
    return None if sigma is None else (np.where(good[:, None], fits[:, :2], np.nan), sigma, dark_origin)


def _settle(
    image: np.ndarray, model: CornerModel, expected: np.ndarray, known: np.ndarray, found: np.ndarray
) -> tuple[np.ndarray, np.ndarray, bool] | None:
    """The last fits, which corners they leave, and whether it is dark after corner (0, 0)."""
    plane = model.plane
    fits, good, dark_origin = np.full((len(plane), 9), np.nan), known, True
    for _ in range(_ROUNDS):
        smooth = _plausible_map(plane[known], expected[known])
        if smooth is None:
            return None
        # Corners not known are tried too: the wider window may find what the first did not.
        _expect_missing(plane, expected, known)
        fits = _fit(image, smooth, model, expected, np.ones(len(known), bool), _WIDEST_PX, _FINE)
        good = _credible(fits, smooth, plane, expected, np.where(known, _MOVED_FOUND, _MOVED_PREDICTED))
        good, dark_origin = _of_right_colours(fits[:, 8], model, good, found)
        good = without_outliers(plane, fits[:, :2], good)
        if not (known & ~good).any():
            break
        # What was no corner has bent the map, and so the edges that the others were fitted with.
        known = good
        expected[good] = fits[good, :2]
    return fits, good, dark_origin


def _add_missing(image: np.ndarray, model: CornerModel, expected: np.ndarray, known: np.ndarray) -> bool:
    """Look for corners not found so far where their neighbours say; fills `expected` and `known`, says if any was new.

    What lies too far from the known ones is predicted better in the next round.
    """
    smooth = _plausible_map(model.plane[known], expected[known])
    if smooth is None:
        return False
    _expect_missing(model.plane, expected, known)
    fits = _fit(image, smooth, model, expected, ~known, _FIRST_PX, _ROUGH)
    new = _credible(fits, smooth, model.plane, expected, _MOVED_PREDICTED)
    expected[new] = fits[new, :2]
    known |= new
    return bool(new.any())


def _plausible_map(plane: np.ndarray, x_image: np.ndarray) -> SmoothMap | None:
    """A smooth map of the corners; None if no camera can see a plane like that."""
    if len(plane) < 4 or in_line(plane):
        return None
    smooth = fit_smooth_map(plane, x_image)
    w = (plane - smooth.center) / smooth.scale @ smooth.H[2, :2] + smooth.H[2, 2]
    return smooth if np.isfinite(smooth.H).all() and (w.min() > 0 or w.max() < 0) else None


def _fit(
    image: np.ndarray,
    smooth: SmoothMap,
    model: CornerModel,
    expected: np.ndarray,
    which: np.ndarray,
    widest: int,
    tolerance: float,
) -> Float[np.ndarray, "corner 9"]:
    step, bends, gap = map_slopes(smooth, model.plane)
    if model.inward is not None:
        # An edge's bright and dark side are told by its direction: the dark side lies at larger angles.
        along = model.inward[:, ::-1] * [1.0, -1.0]
        step, bends = step * along[..., None], bends * along
    directions = np.arctan2(step[..., 1], step[..., 0])
    fits = np.full((len(expected), 9), np.nan)
    usable = which & np.isfinite(expected).all(1) & (np.abs(expected).max(1) < 2 * max(image.shape))
    halves = np.clip(model.share * gap[usable], _NARROWEST_PX, widest).astype(np.int64)
    # px; between a sharp photograph's 0.7 and a moving board's 3.
    blur = np.full((len(halves), 1), 1.5)
    start = np.concatenate([expected[usable], directions[usable], blur], axis=1)
    out = np.empty((len(start), 9))
    fit_corners(image, start, bends[usable], halves, tolerance, 0.0 if model.inward is None else 1.0, out)
    fits[usable] = out
    return fits


def _credible(
    fits: np.ndarray, smooth: SmoothMap, plane: np.ndarray, expected: np.ndarray, moved: float | np.ndarray
) -> Bool[np.ndarray, " corner"]:
    gap = map_slopes(smooth, plane)[2]
    with np.errstate(invalid="ignore"):
        distance = np.linalg.norm(fits[:, :2] - expected, axis=1)
        sharp = np.maximum(fits[:, 5], fits[:, 6]) < np.minimum(_VAGUE_PX, _VAGUE_SQUARES * gap)
        return np.asarray((fits[:, 7] < _UNEXPLAINED) & sharp & (distance < moved * gap))


def _expect_missing(plane: np.ndarray, expected: np.ndarray, known: np.ndarray) -> None:
    """Fill in where the corners not known should be, each by a homography of its neighbourhood."""
    for corner in np.flatnonzero(~known):
        distance = np.linalg.norm(plane[known] - plane[corner], axis=1)
        weights = np.exp(-0.5 * (distance / 2.0) ** 2) + 1e-3
        expected[corner] = apply_homography(fit_homography(plane[known], expected[known], weights), plane[corner])


def _of_right_colours(
    contrast: np.ndarray, model: CornerModel, good: np.ndarray, known: np.ndarray
) -> tuple[Bool[np.ndarray, " corner"], bool]:
    """Corners whose sides have the colours that the others ask for; whether it is dark after corner (0, 0)."""
    sign = np.sign(contrast) * model.signs
    dark_origin = bool(np.nansum(sign[good & known]) > 0)
    return good & (sign == (1 if dark_origin else -1)), dark_origin


def as_view(xy: Float[np.ndarray, "*grid 2"], sigma: float) -> BoardView:
    """The corners that are there, with their indices."""
    flat = xy.reshape(-1, 2)
    ids: Int[np.ndarray, " corner"] = np.flatnonzero(np.isfinite(flat).all(1))
    return BoardView(ids, flat[ids], sigma)
