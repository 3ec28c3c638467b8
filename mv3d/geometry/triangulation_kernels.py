"""numba kernels of robust triangulation. See `mv3d.geometry.triangulation` for the model."""

import numpy as np
from numba import njit, prange

# Gauss-Newton converges quadratically near the optimum; the robust weights need a few more rounds.
_ITERATIONS = 15
# Stop when a step moves the point by less than this, metres: a thousandth of what the best detectors scatter by.
_STEP_TOLERANCE = 1e-5
# No step longer than this (m): a far-off start must not leap behind a camera.
_LONGEST_STEP = 0.3
# With more views than this, each view is paired with its next few only, so that the cost grows linearly in views.
_ALL_PAIRS_UP_TO = 7
_NEXT_VIEWS = 3
# Two rays are parallel where the squared sine of their angle is below this.
_PARALLEL = 1e-12
# Points that share one set of work arrays.
_BLOCK = 64


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
def _meet_all(visible, n, centers, bearings, weight, H, g, X):
    """Point nearest to the rays of the n visible views, in the least-squares sense (the midpoint method)."""
    H[:] = 0.0
    g[:] = 0.0
    for i in range(n):
        v = visible[i]
        w = weight[v]
        b0, b1, b2 = bearings[v, 0], bearings[v, 1], bearings[v, 2]
        c0, c1, c2 = centers[v, 0], centers[v, 1], centers[v, 2]
        along = b0 * c0 + b1 * c1 + b2 * c2
        H[0, 0] += w * (1.0 - b0 * b0)
        H[0, 1] -= w * b0 * b1
        H[0, 2] -= w * b0 * b2
        H[1, 1] += w * (1.0 - b1 * b1)
        H[1, 2] -= w * b1 * b2
        H[2, 2] += w * (1.0 - b2 * b2)
        g[0] += w * (c0 - b0 * along)
        g[1] += w * (c1 - b1 * along)
        g[2] += w * (c2 - b2 * along)
    return solve_3x3(H, g, X)


@njit(cache=True)
def _meet_pair(u, v, centers, bearings, weight, X):
    """The same for two rays: on their common perpendicular, nearer to the heavier ray. False if they are parallel."""
    across, along_u, along_v = 0.0, 0.0, 0.0
    for k in range(3):
        apart = centers[v, k] - centers[u, k]
        across += bearings[u, k] * bearings[v, k]
        along_u += apart * bearings[u, k]
        along_v += apart * bearings[v, k]
    sine2 = 1.0 - across * across
    if not sine2 > _PARALLEL:
        return False
    depth_u, depth_v = (along_u - across * along_v) / sine2, (across * along_u - along_v) / sine2
    share = weight[u] / (weight[u] + weight[v])
    for k in range(3):
        on_u, on_v = centers[u, k] + depth_u * bearings[u, k], centers[v, k] + depth_v * bearings[v, k]
        X[k] = share * on_u + (1.0 - share) * on_v
    return True


@njit(cache=True)
def _support(X, visible, n, centers, bearings, A, weight, scale2):
    """Agreement of all visible views with X, and whether each is well within its scale."""
    total, consistent = 0.0, True
    for i in range(n):
        v = visible[i]
        d0, d1, d2 = X[0] - centers[v, 0], X[1] - centers[v, 1], X[2] - centers[v, 2]
        depth = d0 * bearings[v, 0] + d1 * bearings[v, 1] + d2 * bearings[v, 2]
        if depth <= 0:
            consistent = False
            continue
        r0 = A[v, 0, 0] * d0 + A[v, 0, 1] * d1 + A[v, 0, 2] * d2
        r1 = A[v, 1, 0] * d0 + A[v, 1, 1] * d1 + A[v, 1, 2] * d2
        r2 = (r0 * r0 + r1 * r1) / (depth * depth)
        total += weight[v] * scale2[v] / (scale2[v] + r2)
        if r2 > 0.25 * scale2[v]:
            consistent = False
    return total, consistent


@njit(cache=True)
def _start(visible, n, centers, bearings, A, weight, scale2, H, g, candidate, X):
    """Best supported start: all rays together or, unless they agree, the meeting point of any pair."""
    best = -1.0
    if _meet_all(visible, n, centers, bearings, weight, H, g, X):
        best, consistent = _support(X, visible, n, centers, bearings, A, weight, scale2)
        if consistent or n == 2:
            return best > 0
    for i in range(n):
        others = n - 1 - i if n <= _ALL_PAIRS_UP_TO else _NEXT_VIEWS
        for k in range(1, others + 1):
            if _meet_pair(visible[i], visible[(i + k) % n], centers, bearings, weight, candidate):
                total, _ = _support(candidate, visible, n, centers, bearings, A, weight, scale2)
                if total > best:
                    best = total
                    X[0], X[1], X[2] = candidate[0], candidate[1], candidate[2]
    return best > 0


@njit(cache=True)
def _refine(visible, n, centers, bearings, A, weight, scale2, g, step, residual, X, H, robust):
    """Iteratively reweighted Gauss-Newton from X; leaves the information matrix in H. False if it degenerates."""
    for _ in range(_ITERATIONS):
        H[:] = 0.0
        g[:] = 0.0
        for i in range(n):
            v = visible[i]
            depth = tangent_residual(X, centers[v], bearings[v], A[v], residual)
            robust[v] = geman_mcclure(residual, scale2[v]) if depth > 0 else 0.0
            if robust[v] > 0:
                accumulate(H, g, A[v], bearings[v], residual, depth, weight[v] * robust[v])
        if not solve_3x3(H, g, step):
            return False
        length = np.sqrt(step[0] ** 2 + step[1] ** 2 + step[2] ** 2)
        shrink = min(1.0, _LONGEST_STEP / max(length, 1e-12))
        for k in range(3):
            X[k] -= shrink * step[k]
        if length < _STEP_TOLERANCE:
            break
    mirror_upper(H)
    return True


@njit(cache=True)
def _list_visible(weight, bearings, A, visible):
    """Views that have weight and a finite ray; returns how many."""
    n = 0
    for v in range(len(weight)):
        # A sum is finite only if all its terms are.
        total = bearings[v, 0] + bearings[v, 1] + bearings[v, 2]
        for k in range(2):
            total += A[v, k, 0] + A[v, k, 1] + A[v, k, 2]
        if weight[v] > 0 and np.isfinite(total):
            visible[n] = v
            n += 1
    return n


@njit(cache=True, parallel=True)
def triangulate(centers, bearings, A, weight, scale2, X, H, robust):
    """Robust points of N independent sets of rays; fills X (N, 3), H (N, 3, 3) and robust (N, V). NaN where impossible.

    centers (V, 3), bearings (N, V, 3), A (N, V, 2, 3), weight (N, V) 1/px^2 and 0 where missing, scale2 (N, V) px^2.
    `robust` must hold zeros.
    """
    count, views = weight.shape
    for block in prange((count + _BLOCK - 1) // _BLOCK):
        visible, work = np.zeros(views, np.int64), np.zeros((3, 3))
        g, step, residual = work[0], work[1], work[2]
        for p in range(block * _BLOCK, min(count, (block + 1) * _BLOCK)):
            b, J, w, s = bearings[p], A[p], weight[p], scale2[p]
            n = _list_visible(w, b, J, visible)
            found = n >= 2 and _start(visible, n, centers, b, J, w, s, H[p], g, step, X[p])
            found = found and _refine(visible, n, centers, b, J, w, s, g, step, residual, X[p], H[p], robust[p])
            if not found:
                X[p, :] = np.nan
                H[p, :, :] = 0.0
                robust[p, :] = 0.0


@njit(cache=True)
def residuals(X, centers, bearings, A, residual, depth):
    """Fill residual (N, V, 2) px, NaN where the point is not in front, and depth (N, V) m of points X (N, 3)."""
    count, views = depth.shape
    for p in range(count):
        for v in range(views):
            d0, d1, d2 = X[p, 0] - centers[v, 0], X[p, 1] - centers[v, 1], X[p, 2] - centers[v, 2]
            along = d0 * bearings[p, v, 0] + d1 * bearings[p, v, 1] + d2 * bearings[p, v, 2]
            depth[p, v] = along
            safe = along if along > 0 else np.nan
            for k in range(2):
                residual[p, v, k] = (A[p, v, k, 0] * d0 + A[p, v, k, 1] * d1 + A[p, v, k, 2] * d2) / safe


@njit(cache=True)
def covariances(H, out):
    """Inverses of the symmetric matrices H (N, 3, 3); NaN where singular."""
    unit, column = np.zeros(3), np.zeros(3)
    for p in range(len(H)):
        for k in range(3):
            unit[:] = 0.0
            unit[k] = 1.0
            if not solve_3x3(H[p], unit, column):
                column[:] = np.nan
            for r in range(3):
                out[p, r, k] = column[r]
