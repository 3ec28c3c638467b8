"""Grids of circles: blobs that OpenCV puts in order, ellipses fitted to them, and where the circles' centres are.

The image of a circle is an ellipse (nearly, behind a lens), whose centre is not the image of the circle's centre: the
nearer half looks larger. By how much follows from the map of the board's plane to the image, which the centres
themselves give; both are found in turn.
Source of the bias: Heikkila, Geometric camera calibration using circular control points, PAMI 2000.
"""

from functools import lru_cache

import cv2
import numpy as np
from jaxtyping import Float, UInt8

from calib.boards import CircleGrid
from calib.circle_fit_kernels import fit_circles
from calib.detection_checks import board_uncertainty
from calib.detection_corners import reductions
from calib.detection_refine import BoardView, as_view
from calib.smooth_map import SmoothMap, apply_homography, fit_homography, fit_smooth_map
from mv3d.data.lens import Lens

# Pixels that a circle covers at least, in the picture that blobs are looked for in.
_LEAST_AREA_PX = 20.0
# A fit looks this share of the way to the nearest edge of another circle.
_WITHIN = 0.75
# Share of the contrast that the model may leave unexplained.
_UNEXPLAINED = 0.2
# px, movement that ends a fit; blur to start from.
_FINE, _BLUR_PX = 0.002, 1.5
# Each round leaves some hundredths of the bias of the round before.
_ROUNDS = 4
# Points around a circle: of an ellipse's area they leave 0.2 %, of its centre nothing.
_AROUND = np.linspace(0, 2 * np.pi, 64, endpoint=False)
# Numberings whose misfit to a plane is within this factor of the best are as good.
_AS_GOOD = 1.5


def detect_circles(
    image: UInt8[np.ndarray, "height width"], board: CircleGrid, lens: Lens | None = None
) -> BoardView | None:
    """The grid in a gray image, all of whose circles must show; None if it is not there."""
    if board.inverted:
        image = 255 - image
    for reduction in reductions(image):
        found = _blobs(image, board, reduction)
        view = None if found is None else _refined(image, board, found, lens)
        if view is not None:
            return view
    return None


def _blobs(image: np.ndarray, board: CircleGrid, reduction: int) -> Float[np.ndarray, "corner 2"] | None:
    """About where the circles are, in the board's order."""
    small = image
    if reduction > 1:
        small = cv2.resize(image, None, fx=1 / reduction, fy=1 / reduction, interpolation=cv2.INTER_AREA)
    flags = cv2.CALIB_CB_ASYMMETRIC_GRID if board.asymmetric else cv2.CALIB_CB_SYMMETRIC_GRID
    for how in (0, cv2.CALIB_CB_CLUSTERING):
        found, centers = cv2.findCirclesGrid(small, board.circles, None, flags | how, _blob_detector(small.size))
        if found and centers is not None and len(centers) == board.corner_count:
            xy = (centers.reshape(-1, 2).astype(float) + 0.5) * reduction - 0.5
            return _numbered(xy, board)
    return None


@lru_cache(maxsize=8)
def _blob_detector(area: int) -> cv2.Feature2D:
    parameters = cv2.SimpleBlobDetector.Params()
    parameters.minArea, parameters.maxArea = _LEAST_AREA_PX, float(area) / 9
    parameters.minDistBetweenBlobs = 3.0
    parameters.minThreshold, parameters.maxThreshold, parameters.thresholdStep = 20, 240, 15
    parameters.filterByInertia = False  # circles may be seen at a flat angle
    return cv2.SimpleBlobDetector.create(parameters)


def _numbered(xy: Float[np.ndarray, "corner 2"], board: CircleGrid) -> Float[np.ndarray, "corner 2"] | None:
    """The circles as the board numbers them, whatever corner OpenCV started from; None if they fit no way."""
    grid = xy.reshape(board.circles[1], board.circles[0], 2)
    plane = board.points[:, :2] / board.spacing_m
    misfits, candidates = [], []
    for start in (grid, np.swapaxes(grid, 0, 1)) if board.circles[0] == board.circles[1] else (grid,):
        for turned in (start, start[::-1], start[:, ::-1], start[::-1, ::-1]):
            flat = turned.reshape(-1, 2)
            H = fit_homography(plane, flat)
            w = plane @ H[2, :2] + H[2, 2]
            if np.linalg.det(H) * np.sign(w[0]) <= 0:  # a mirror image
                continue
            misfits.append(np.linalg.norm(apply_homography(H, plane) - flat, axis=1).mean())
            candidates.append(flat)
    if not candidates:
        return None
    good = [c for c, m in zip(candidates, misfits, strict=True) if m <= _AS_GOOD * min(misfits)]
    return max(good, key=lambda flat: _rightward(flat, board))


def _rightward(xy: Float[np.ndarray, "corner 2"], board: CircleGrid) -> float:
    step = np.diff(xy.reshape(board.circles[1], board.circles[0], 2), axis=1).mean((0, 1))
    return float(step[0] / (np.linalg.norm(step) + 1e-12))


def _refined(
    image: np.ndarray, board: CircleGrid, xy: Float[np.ndarray, "corner 2"], lens: Lens | None
) -> BoardView | None:
    plane = board.points[:, :2] / board.spacing_m
    radius = board.diameter_m / 2 / board.spacing_m
    apart = np.sqrt(2) if board.asymmetric else 1.0
    reach = 1 + _WITHIN * (apart / radius - 2)
    smooth = fit_smooth_map(plane, xy)
    fits = np.empty((len(xy), 9))
    fit_circles(image, np.column_stack([xy, _ellipses(smooth, plane, radius)]), reach, _FINE, fits)
    good = np.isfinite(fits[:, 0]) & (fits[:, 7] < _UNEXPLAINED) & (fits[:, 8] > 0)
    if not good.all():
        return None
    center = fits[:, :2].copy()
    for _ in range(_ROUNDS):
        center = fits[:, :2] - eccentricity(fit_smooth_map(plane, center), plane, radius)
    sigma = board_uncertainty(plane, board.cells, np.column_stack([center, fits[:, 2:]]), lens)
    return None if sigma is None else as_view(center, sigma)


def _ellipses(smooth: SmoothMap, plane: np.ndarray, radius: float) -> Float[np.ndarray, "corner 4"]:
    """The circles' images as the kernel has them: M's xx, xy, yy, and blur."""
    half = 0.5 * radius
    steps = [(smooth(plane + axis) - smooth(plane - axis)) / (2 * half) for axis in half * np.eye(2)]
    J = np.stack(steps, axis=-1) * radius
    M = np.linalg.inv(J @ np.swapaxes(J, 1, 2))
    return np.column_stack([M[:, 0, 0], M[:, 0, 1], M[:, 1, 1], np.full(len(M), _BLUR_PX)])


def eccentricity(
    smooth: SmoothMap, plane: Float[np.ndarray, "corner 2"], radius: float
) -> Float[np.ndarray, "corner 2"]:
    """From the image of each circle's centre to the centre of the circle's image, px.

    Args:
        smooth: from the plane to px.
        plane: centres of the circles.
        radius: in the plane's unit.
    """
    outline = smooth(plane[:, None] + radius * np.stack([np.cos(_AROUND), np.sin(_AROUND)], axis=1))
    offset = outline - smooth(plane)[:, None]
    following = np.roll(offset, -1, axis=1)
    # Centroid of a polygon.
    cross = offset[..., 0] * following[..., 1] - offset[..., 1] * following[..., 0]
    return ((offset + following) * cross[..., None]).sum(1) / (3 * cross.sum(1)[:, None])
