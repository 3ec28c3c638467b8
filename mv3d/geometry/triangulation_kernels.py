"""numba kernels of robust triangulation. See `mv3d.geometry.triangulation` for the model."""

import numpy as np
from numba import njit, prange

# Gauss-Newton converges quadratically near the optimum; the robust weights need a few more rounds.
_ITERATIONS = 15
# Stop when a step moves the point by less than this, metres.
_STEP_TOLERANCE = 1e-9
# No step longer than this (m): a far-off start must not leap behind a camera.
_LONGEST_STEP = 0.3
# With more views than this, each view is paired with its next few only, so that the cost grows linearly in views.
_ALL_PAIRS_UP_TO = 7
_NEXT_VIEWS = 3


@njit(cache=True)
def solve_3x3(H, g, out):
    """Solve the symmetric positive definite 3x3 system H out = g; False if H is singular to working precision."""
    c00 = H[1, 1] * H[2, 2] - H[1, 2] * H[1, 2]
    c01 = H[0, 2] * H[1, 2] - H[0, 1] * H[2, 2]
    c02 = H[0, 1] * H[1, 2] - H[0, 2] * H[1, 1]
    det = H[0, 0] * c00 + H[0, 1] * c01 + H[0, 2] * c02
    trace = H[0, 0] + H[1, 1] + H[2, 2]
    if not det > 1e-14 * trace * trace * trace:
        return False
    c11 = H[0, 0] * H[2, 2] - H[0, 2] * H[0, 2]
    c12 = H[0, 1] * H[0, 2] - H[0, 0] * H[1, 2]
    c22 = H[0, 0] * H[1, 1] - H[0, 1] * H[0, 1]
    out[0] = (c00 * g[0] + c01 * g[1] + c02 * g[2]) / det
    out[1] = (c01 * g[0] + c11 * g[1] + c12 * g[2]) / det
    out[2] = (c02 * g[0] + c12 * g[1] + c22 * g[2]) / det
    return True


@njit(cache=True)
def tangent_residual(X, center, bearing, A, residual):
    """Residual in px of point X on the tangent plane of the bearing; returns the depth along the bearing."""
    d0, d1, d2 = X[0] - center[0], X[1] - center[1], X[2] - center[2]
    depth = d0 * bearing[0] + d1 * bearing[1] + d2 * bearing[2]
    safe = depth if depth > 1e-6 else 1e-6
    residual[0] = (A[0, 0] * d0 + A[0, 1] * d1 + A[0, 2] * d2) / safe
    residual[1] = (A[1, 0] * d0 + A[1, 1] * d1 + A[1, 2] * d2) / safe
    return depth


@njit(cache=True)
def accumulate(H, g, A, bearing, residual, depth, weight):
    """Add one view's weighted normal equations: H += w J^T J, g += w J^T r, with J = (A - r b^T) / depth."""
    for k in range(2):
        j0 = (A[k, 0] - residual[k] * bearing[0]) / depth
        j1 = (A[k, 1] - residual[k] * bearing[1]) / depth
        j2 = (A[k, 2] - residual[k] * bearing[2]) / depth
        H[0, 0] += weight * j0 * j0
        H[0, 1] += weight * j0 * j1
        H[0, 2] += weight * j0 * j2
        H[1, 1] += weight * j1 * j1
        H[1, 2] += weight * j1 * j2
        H[2, 2] += weight * j2 * j2
        g[0] += weight * j0 * residual[k]
        g[1] += weight * j1 * residual[k]
        g[2] += weight * j2 * residual[k]


@njit(cache=True)
def mirror_upper(H):
    """Copy the upper triangle of a 3x3 matrix to the lower."""
    H[1, 0], H[2, 0], H[2, 1] = H[0, 1], H[0, 2], H[1, 2]


@njit(cache=True)
def geman_mcclure(residual, scale2):
    """Derivative weight of the Geman-McClure loss, (c^2 / (c^2 + r^2))^2."""
    q = scale2 / (scale2 + residual[0] * residual[0] + residual[1] * residual[1])
    return q * q


@njit(cache=True)
def _meet(views, n, centers, bearings, weight, X):
    """Point nearest to the rays of the first n views listed, in the least-squares sense (the midpoint method)."""
    H, g = np.zeros((3, 3)), np.zeros(3)
    for i in range(n):
        v = views[i]
        b, c, w = bearings[v], centers[v], weight[v]
        along = b[0] * c[0] + b[1] * c[1] + b[2] * c[2]
        for r in range(3):
            for s in range(3):
                H[r, s] += w * ((1.0 if r == s else 0.0) - b[r] * b[s])
            g[r] += w * (c[r] - b[r] * along)
    return solve_3x3(H, g, X)


@njit(cache=True)
def _support(X, visible, n, centers, bearings, A, weight, scale2, residual):
    """Agreement of all visible views with X, and whether each is well within its scale."""
    total, consistent = 0.0, True
    for i in range(n):
        v = visible[i]
        depth = tangent_residual(X, centers[v], bearings[v], A[v], residual)
        r2 = residual[0] * residual[0] + residual[1] * residual[1]
        if depth <= 0:
            consistent = False
            continue
        total += weight[v] * scale2[v] / (scale2[v] + r2)
        if r2 > 0.25 * scale2[v]:
            consistent = False
    return total, consistent


@njit(cache=True)
def _start(visible, n, centers, bearings, A, weight, scale2, X):
    """Best supported start: all rays together or, unless they agree, the meeting point of any pair."""
    residual, candidate, pair = np.zeros(2), np.zeros(3), np.zeros(2, np.int64)
    best = -1.0
    if _meet(visible, n, centers, bearings, weight, candidate):
        best, consistent = _support(candidate, visible, n, centers, bearings, A, weight, scale2, residual)
        X[:] = candidate
        if consistent or n == 2:
            return best > 0
    for i in range(n):
        others = n - 1 - i if n <= _ALL_PAIRS_UP_TO else _NEXT_VIEWS
        for k in range(1, others + 1):
            pair[0], pair[1] = visible[i], visible[(i + k) % n]
            if _meet(pair, 2, centers, bearings, weight, candidate):
                total, _ = _support(candidate, visible, n, centers, bearings, A, weight, scale2, residual)
                if total > best:
                    best = total
                    X[:] = candidate
    return best > 0


@njit(cache=True)
def _refine(visible, n, centers, bearings, A, weight, scale2, X, H, robust):
    """Iteratively reweighted Gauss-Newton from X; leaves the information matrix in H. False if it degenerates."""
    residual, g, step = np.zeros(2), np.zeros(3), np.zeros(3)
    for _ in range(_ITERATIONS):
        H[:] = 0.0
        g[:] = 0.0
        for i in range(n):
            v = visible[i]
            depth = tangent_residual(X, centers[v], bearings[v], A[v], residual)
            robust[v] = geman_mcclure(residual, scale2[v]) if depth > 0 else 0.0
            if robust[v] > 0:
                accumulate(H, g, A[v], bearings[v], residual, depth, weight[v] * robust[v])
        mirror_upper(H)
        if not solve_3x3(H, g, step):
            return False
        length = np.sqrt(step[0] ** 2 + step[1] ** 2 + step[2] ** 2)
        shrink = min(1.0, _LONGEST_STEP / max(length, 1e-12))
        for k in range(3):
            X[k] -= shrink * step[k]
        if length < _STEP_TOLERANCE:
            break
    return True


@njit(cache=True, parallel=True)
def triangulate(centers, bearings, A, weight, scale2, X, H, robust):
    """Robust points of N independent sets of rays; fills X (N, 3), H (N, 3, 3) and robust (N, V). NaN where impossible.

    centers (V, 3), bearings (N, V, 3), A (N, V, 2, 3), weight (N, V) 1/px^2 and 0 where missing, scale2 (N, V) px^2.
    """
    count, views = weight.shape
    for p in prange(count):
        visible = np.zeros(views, np.int64)
        n = 0
        for v in range(views):
            if weight[p, v] > 0:
                visible[n] = v
                n += 1
        found = n >= 2 and _start(visible, n, centers, bearings[p], A[p], weight[p], scale2[p], X[p])
        found = found and _refine(visible, n, centers, bearings[p], A[p], weight[p], scale2[p], X[p], H[p], robust[p])
        if not found:
            X[p, :] = np.nan
            H[p, :, :] = 0.0
            robust[p, :] = 0.0
