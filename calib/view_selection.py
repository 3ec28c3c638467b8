"""Which views of a video tell most about a lens: sharp ones of different poses."""

import numpy as np
from jaxtyping import Float, Int

from calib.boards import Target
from calib.smooth_map import apply_homography, fit_homography

# Distance of two poses, as a share of the picture's diagonal, below which two views tell the same.
_NEW_POSE = 0.004
# A view this many times less certain than the usual one is blurred.
_BLURRED = 4.0


def choose_views(
    xy: Float[np.ndarray, "view corner 2"], sigma_px: Float[np.ndarray, " view"], board: Target, most: int
) -> Int[np.ndarray, " chosen"]:
    """Sharp views of poses as different as there are, in order of time.

    Args:
        xy: corners, NaN where not seen.
        sigma_px: of each view.
        board: the board.
        most: number of views wanted.

    Returns:
        Indices of the views: first that with the most corners, then always the one furthest from those chosen.
    """
    if not len(xy):
        return np.zeros(0, int)
    sharp = np.flatnonzero(sigma_px <= _BLURRED * np.median(sigma_px))
    outline = _outlines(xy[sharp], board)
    diagonal = float(np.linalg.norm(np.nanmax(xy, axis=(0, 1)) - np.nanmin(xy, axis=(0, 1)))) or 1.0
    chosen = [int(np.argmax(np.isfinite(xy[sharp, :, 0]).sum(1)))]
    distance = np.full(len(sharp), np.inf)
    while len(chosen) < most:
        distance = np.minimum(distance, np.abs(outline - outline[chosen[-1]]).mean(1) / diagonal)
        furthest = int(np.argmax(distance))
        if distance[furthest] < _NEW_POSE:
            break
        chosen.append(furthest)
    return np.sort(sharp[chosen])


def _outlines(xy: Float[np.ndarray, "view corner 2"], board: Target) -> Float[np.ndarray, "view 8"]:
    """Where the board's four outer corners are or would be: a pose in eight numbers."""
    plane, outer = board.points[:, :2] / board.pitch_m, board.outer / board.pitch_m
    outlines = []
    for view in xy:
        seen = np.isfinite(view[:, 0])
        if 2 * seen.sum() >= len(seen):
            outlines.append(apply_homography(fit_homography(plane[seen], view[seen]), outer).ravel())
        else:  # of a small part, a homography would throw the corners far out
            ones = np.ones((len(plane), 1))
            affine = np.linalg.lstsq(np.hstack([plane, ones])[seen], view[seen], rcond=None)[0]
            outlines.append((outer @ affine[:2] + affine[2]).ravel())
    return np.array(outlines)
