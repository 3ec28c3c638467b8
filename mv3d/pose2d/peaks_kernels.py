"""Local maxima of heatmaps at the network's stride, refined as if the maps had been upsampled eightfold."""

import numpy as np
from numba import njit

UPSAMPLING = 8
_FINE = 2 * UPSAMPLING
_REACH = 2


def _cubic_weights() -> np.ndarray:
    """Weights (fine position, cell) of OpenCV's cubic (a = -0.75) over the five cells around a peak.

    Fine position i lies (i - 7.5) / 8 cells from the peak's cell: where resizing by 8 puts its pixel centres.
    """
    a = -0.75
    offset = (np.arange(_FINE) - (_FINE - 1) / 2) / UPSAMPLING
    d = np.abs(offset[:, None] - np.arange(-_REACH, _REACH + 1))
    near = (a + 2) * d**3 - (a + 3) * d**2 + 1
    far = a * d**3 - 5 * a * d**2 + 8 * a * d - 4 * a
    return np.where(d <= 1, near, np.where(d < 2, far, 0.0)).astype(np.float32)


_WEIGHTS = _cubic_weights()


@njit(cache=True)
def _is_coarse_peak(m, y, x, least):
    """At least as high as all neighbours; of equal neighbours the first in reading order counts."""
    v = m[y, x]
    if not v > least:
        return False
    height, width = m.shape
    for dy in range(-1, 2):
        for dx in range(-1, 2):
            yy, xx = y + dy, x + dx
            if (dy == 0 and dx == 0) or yy < 0 or xx < 0 or yy >= height or xx >= width:
                continue
            before = dy < 0 or (dy == 0 and dx < 0)
            if m[yy, xx] > v or (before and m[yy, xx] == v):
                return False
    return True


@njit(cache=True)
def _upsample_window(m, y, x, rows, fine):
    """Cubic values on the 16 x 16 fine positions around a cell, borders replicated."""
    height, width = m.shape
    for i in range(5):
        yy = min(max(y + i - _REACH, 0), height - 1)
        for f in range(_FINE):
            total = np.float32(0)
            for j in range(5):
                total += _WEIGHTS[f, j] * m[yy, min(max(x + j - _REACH, 0), width - 1)]
            rows[i, f] = total
    for g in range(_FINE):
        for f in range(_FINE):
            total = np.float32(0)
            for i in range(5):
                total += _WEIGHTS[g, i] * rows[i, f]
            fine[g, f] = total


@njit(cache=True)
def _vertex(before, middle, after):
    """Where the parabola through three neighbours is highest, in (-0.5, 0.5) of their spacing."""
    curvature = before - 2 * middle + after
    if curvature >= 0:
        return 0.0
    return 0.5 * (before - after) / curvature


@njit(cache=True)
def _refine(m, y, x, rows, fine):
    """Value and cell coordinates (x, y) of the highest fine position near a cell."""
    _upsample_window(m, y, x, rows, fine)
    best = np.argmax(fine)
    g, f = best // _FINE, best % _FINE
    dx = dy = 0.0
    if 0 < f < _FINE - 1:
        dx = _vertex(fine[g, f - 1], fine[g, f], fine[g, f + 1])
    if 0 < g < _FINE - 1:
        dy = _vertex(fine[g - 1, f], fine[g, f], fine[g + 1, f])
    middle = (_FINE - 1) / 2
    return fine[g, f], x + (f + dx - middle) / UPSAMPLING, y + (g + dy - middle) / UPSAMPLING


@njit(cache=True)
def _insert(xy, score, count, value, x, y):
    """Keep the peaks of one joint sorted by falling score; the weakest falls off a full list."""
    capacity = len(score)
    if count == capacity:
        if value <= score[count - 1]:
            return count
        count -= 1
    at = count
    while at > 0 and score[at - 1] < value:
        score[at] = score[at - 1]
        xy[at] = xy[at - 1]
        at -= 1
    score[at] = value
    xy[at, 0], xy[at, 1] = x, y
    return count + 1


@njit(cache=True)
def find_peaks(heatmaps, threshold, xy, score, count):
    """Fill cell coordinates, scores and counts of each map's peaks, the highest first.

    heatmaps (joint, h, w); xy (joint, capacity, 2), score (joint, capacity), count (joint,) are written.
    """
    rows = np.empty((5, _FINE), np.float32)
    fine = np.empty((_FINE, _FINE), np.float32)
    # A peak between four cells of a heatmap as narrow as the network's keeps three quarters of its height in them.
    least = 0.5 * threshold
    edge = 0.5 - 0.5 / UPSAMPLING
    for joint in range(len(heatmaps)):
        m = heatmaps[joint]
        n = 0
        for y in range(m.shape[0]):
            for x in range(m.shape[1]):
                if not _is_coarse_peak(m, y, x, least):
                    continue
                value, px, py = _refine(m, y, x, rows, fine)
                outside = px <= -edge or py <= -edge or px >= m.shape[1] - 1 + edge or py >= m.shape[0] - 1 + edge
                if not value > threshold or outside:
                    continue
                repeated = False
                for k in range(n):
                    if abs(xy[joint, k, 0] - px) + abs(xy[joint, k, 1] - py) < 1.0 / UPSAMPLING:
                        repeated = True
                if not repeated:
                    n = _insert(xy[joint], score[joint], n, value, px, py)
        count[joint] = n
