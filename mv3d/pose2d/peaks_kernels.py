"""Local maxima of heatmaps at the network's stride, and the Gaussian through the cells around each."""

import numpy as np
from numba import njit

# A cell at the corner between four of a Gaussian of sigma one cell holds 0.78 of the peak.
LEAST_SHARE = 0.78
# Keeps the logarithm finite; a hundredth of the faintest peak that counts has no say in the fit anyway.
FLOOR = 1e-3
# No peak is farther from the highest cell than this (in cells); at the border it then lies beyond the map.
REACH = 0.75


@njit(cache=True)
def _is_highest(m, y, x):
    """At least as high as all neighbours; of equal neighbours the first in reading order counts."""
    v = m[y, x]
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
def _log_in_row(m, y, x):
    """Logarithm of a cell; beyond the first or last column, of a Gaussian of sigma one cell through the two within."""
    last = m.shape[1] - 1
    if 0 <= x <= last:
        return np.log(max(float(m[y, x]), FLOOR))
    edge, inner = (0, min(1, last)) if x < 0 else (last, max(0, last - 1))
    return 2 * np.log(max(float(m[y, edge]), FLOOR)) - np.log(max(float(m[y, inner]), FLOOR)) - 1.0


@njit(cache=True)
def _log_at(m, y, x):
    """The same, also beyond the first and last row."""
    last = m.shape[0] - 1
    if 0 <= y <= last:
        return _log_in_row(m, y, x)
    edge, inner = (0, min(1, last)) if y < 0 else (last, max(0, last - 1))
    return 2 * _log_in_row(m, edge, x) - _log_in_row(m, inner, x) - 1.0


@njit(cache=True)
def _fit_log_quadratic(m, y, x, normal, right):
    """Normal equations of log m = c0 + c1 x + c2 y + c3 x^2 + c4 y^2 + c5 x y on 3 x 3 cells, weighted by m^2.

    The weight is that of a Gaussian fit to m itself: an error e of m is an error e / m of its logarithm.
    """
    normal[:] = 0
    right[:] = 0
    row = np.empty(6)
    for dy in range(-1, 2):
        for dx in range(-1, 2):
            log_value = _log_at(m, y + dy, x + dx)
            weight = np.exp(2 * log_value)
            row[0], row[1], row[2], row[3], row[4], row[5] = 1.0, dx, dy, dx * dx, dy * dy, dx * dy
            for i in range(6):
                right[i] += weight * row[i] * log_value
                for j in range(6):
                    normal[i, j] += weight * row[i] * row[j]


@njit(cache=True)
def _solve(a, b):
    """Gaussian elimination of a small positive definite system, in place; the solution is left in b.

    False where it is singular: weights of neighbours at the floor are a millionth of the peak's, and may cancel.
    """
    n = len(b)
    for i in range(n):
        if a[i, i] == 0:
            return False
        for k in range(i + 1, n):
            factor = a[k, i] / a[i, i]
            for j in range(i, n):
                a[k, j] -= factor * a[i, j]
            b[k] -= factor * b[i]
    for i in range(n - 1, -1, -1):
        for j in range(i + 1, n):
            b[i] -= a[i, j] * b[j]
        b[i] /= a[i, i]
    return True


@njit(cache=True)
def _refine(m, y, x, normal, c):
    """Height and cell coordinates (x, y) of the Gaussian at a highest cell; the cell itself where none fits."""
    _fit_log_quadratic(m, y, x, normal, c)
    solved = _solve(normal, c)
    det = 4 * c[3] * c[4] - c[5] * c[5]
    if solved and c[3] < 0 and det > 0:
        dx = (c[5] * c[2] - 2 * c[4] * c[1]) / det
        dy = (c[5] * c[1] - 2 * c[3] * c[2]) / det
        height = np.exp(c[0] + 0.5 * (c[1] * dx + c[2] * dy))
        dx, dy = min(max(dx, -REACH), REACH), min(max(dy, -REACH), REACH)
        return min(height, m[y, x] / LEAST_SHARE), x + dx, y + dy
    return float(m[y, x]), float(x), float(y)


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
def find_peaks(heatmaps, threshold, edge, xy, score, count):
    """Fill cell coordinates, scores and counts of each map's peaks, the highest first.

    heatmaps (joint, h, w); edge: peaks this close to the maps' outer border, in cells, do not count;
    xy (joint, capacity, 2), score (joint, capacity), count (joint,) are written.
    """
    normal, c = np.empty((6, 6)), np.empty(6)
    least = LEAST_SHARE * threshold
    for joint in range(len(heatmaps)):
        m = heatmaps[joint]
        right, bottom = m.shape[1] - 0.5 - edge, m.shape[0] - 0.5 - edge
        n = 0
        for y in range(m.shape[0]):
            for x in range(m.shape[1]):
                if not (m[y, x] > least and _is_highest(m, y, x)):
                    continue
                value, px, py = _refine(m, y, x, normal, c)
                if value > threshold and edge - 0.5 < px < right and edge - 0.5 < py < bottom:
                    n = _insert(xy[joint], score[joint], n, value, px, py)
        count[joint] = n
