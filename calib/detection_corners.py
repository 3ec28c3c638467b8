"""Corners of squares in an image, and the grids they form, whatever the board."""

import math

import cv2
import numpy as np
from jaxtyping import Bool, Float, Int, UInt8

from calib.detection_kernels import corners_among, saddles
from calib.grid_kernels import grow_grid

# px in the reduced image: what smooths the pixel noise and spares squares of ten pixels, and the ring around a corner.
# Beside a marker there is only an eighth of a square of white, so that everything must be narrower.
_BLUR_PX, _RING_PX = 1.2, 4.0
_BLUR_MARKERS_PX, _RING_MARKERS_PX = 1.0, 3.0
# Gray levels between dark and bright. Full images are noisier than reduced ones.
_LEAST_CONTRAST, _LEAST_CONTRAST_FULL = 12.0, 20.0
# px; where to start: most boards that can be used at all have squares of ten pixels or more in an image of this side.
_FIRST_SIDE_PX = 700
# A textured shirt makes thousands of saddles in a full image; the board's have more contrast than most.
_MOST_PEAKS, _MOST_CORNERS = 20_000, 1500
# How far from its prediction a corner may be, in squares, and how far edges may turn from one to the next.
_REACH, _TURN = 0.3, math.radians(20)
# Rows beyond the board's own, for a look whether a board is larger than it should be.
_SPARE_CELLS = 5
# Share of an outer row or column that must be filled: less is a corner of something else, in line by chance.
_FILLED_LINE = 0.4


def reductions(image: UInt8[np.ndarray, "height width"]) -> list[int]:
    """By how much to reduce the image, the likeliest first; powers of two."""
    side = max(image.shape)
    first = 2 ** max(math.ceil(math.log2(side / _FIRST_SIDE_PX)), 0)
    found = [first, first // 2, first * 2, first // 4]
    return [n for n in found if n >= 1 and side / n >= 64]


def find_corners(
    image: UInt8[np.ndarray, "height width"], reduction: int, markers: bool = False
) -> Float[np.ndarray, "corner 6"]:
    """Corners of squares, found in a reduced image.

    Args:
        image: gray levels.
        reduction: whole factor.
        markers: whether there are markers in the squares.

    Returns:
        x, y px of the full image, directions of the rising and the falling edge (rad, modulo pi; see
        `detection_kernels`), contrast in gray levels, odd share of the ring.
    """
    if reduction > 1:
        image = cv2.resize(image, None, fx=1 / reduction, fy=1 / reduction, interpolation=cv2.INTER_AREA)
    blur, radius = (_BLUR_MARKERS_PX, _RING_MARKERS_PX) if markers else (_BLUR_PX, _RING_PX)
    kernel = cv2.getGaussianKernel(7, blur, cv2.CV_32F)
    smooth = cv2.sepFilter2D(image, cv2.CV_32F, kernel, kernel)
    contrast = _LEAST_CONTRAST if reduction > 1 else _LEAST_CONTRAST_FULL
    # An ideal corner of contrast c under a blur s has Ixy = c / (pi s^2); half of it, for corners that are not square.
    threshold = (0.5 * contrast / (math.pi * blur**2)) ** 2
    peaks = saddles(smooth, np.float32(threshold), _MOST_PEAKS)
    corners = corners_among(smooth, peaks, blur, radius, contrast)
    if len(corners) > _MOST_CORNERS:
        corners = corners[np.argsort(-corners[:, 4])[:_MOST_CORNERS]]
    corners[:, :2] = (corners[:, :2] + 0.5) * reduction - 0.5
    return corners


def find_grids(
    corners: Float[np.ndarray, "corner 6"], squares: tuple[int, int], smallest: int, most: int
) -> list[Float[np.ndarray, "row column 2"]]:
    """Grids that the corners form, the largest first.

    Args:
        corners: as `find_corners` gives them.
        squares: of the board looked for; grids a little larger are found too.
        smallest: number of corners below which a grid is not worth a look.
        most: number of grids wanted.

    Returns:
        px of the corner in each cell, NaN where there is none; right-handed: columns to rows turn as x to y.
    """
    found: dict[bytes, np.ndarray] = {}
    tried = np.zeros(len(corners), bool)
    free = np.ones(len(corners), bool)
    for seed in np.argsort(-corners[:, 4]):
        if tried[seed]:
            continue
        tried[seed] = True
        grid = grow_grid(corners, int(seed), free, _REACH, _TURN, max(squares) + _SPARE_CELLS)
        members = grid[grid >= 0]
        if len(members) < smallest:
            continue
        found.setdefault(np.sort(members).tobytes(), grid)
        if len(members) >= 9:  # smaller grids may be chance, and must not take a seed from the board
            tried[members] = True
    largest = sorted(found, key=len, reverse=True)[:most]
    grids = (_right_handed(found[key][filled_part(found[key] >= 0)], corners) for key in largest)
    return [grid for grid in grids if grid is not None]


def filled_part(filled: Bool[np.ndarray, "row column"]) -> tuple[slice, slice]:
    """Rows and columns of a grid without empty margins and sparse outer lines; empty slices if nothing is left."""
    rows, columns = np.nonzero(filled)
    if not len(rows):
        return slice(0, 0), slice(0, 0)
    top, bottom, left, right = int(rows.min()), int(rows.max()) + 1, int(columns.min()), int(columns.max()) + 1
    while bottom - top > 1 and right - left > 1:
        part = filled[top:bottom, left:right]
        shares = [np.count_nonzero(side) / len(side) for side in (part[0], part[-1], part[:, 0], part[:, -1])]
        worst = shares.index(min(shares))
        if shares[worst] >= _FILLED_LINE:
            break
        top, bottom, left, right = top + (worst == 0), bottom - (worst == 1), left + (worst == 2), right - (worst == 3)
    return slice(top, bottom), slice(left, right)


def _right_handed(
    grid: Int[np.ndarray, "row column"], corners: Float[np.ndarray, "corner 6"]
) -> Float[np.ndarray, "row column 2"] | None:
    """The places of the corners; None where they do not make a plane."""
    xy = np.where(grid[..., None] >= 0, corners[grid, :2], np.nan)
    along, down = (xy[:, 1:] - xy[:, :-1]).reshape(-1, 2), (xy[1:] - xy[:-1]).reshape(-1, 2)
    along, down = along[along[:, 0] == along[:, 0]], down[down[:, 0] == down[:, 0]]
    if not len(along) or not len(down):
        return None
    (ax, ay), (bx, by) = along.sum(0), down.sum(0)
    return xy if ax * by - ay * bx > 0 else xy[:, ::-1]
