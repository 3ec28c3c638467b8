"""numba kernels: many points through a lens at once, with all derivatives, in the layout that least squares needs.

Arrays run over points last, so that loops over points become vector instructions. With y = (y0, y1, y2) in the camera
frame, a lens gives the bent coordinates e = (e0, e1), before K, and

    by_point[3 r + k] = d e_r / d y_k        by_dist[count r + j] = d e_r / d dist_j

The equations are those of `mv3d.geometry.pinhole`, `fisheye` and `double_sphere`, against which these are tested.
"""

import numpy as np
from numba import njit

PINHOLE, FISHEYE, DOUBLE_SPHERE = 0, 1, 2
# A pinhole shows nothing nearer to its own plane than this, m.
_NEAREST = 1e-6


@njit(cache=True, fastmath=True)
def bend(kind, dist, used, count, y, n, bent, by_point, by_dist):
    """Bent coordinates and derivatives of n points; `used` of `count` coefficients belong to the lens.

    Returns False where the lens has no such point (a pinhole on or behind its plane, a double sphere beyond its edge)
    or no such parameters: then nothing is to be read.
    """
    for j in range(2 * count):
        for i in range(n):
            by_dist[j, i] = 0.0
    if kind == FISHEYE:
        _bend_fisheye(dist, count, y, n, bent, by_point, by_dist)
        return True
    if kind == DOUBLE_SPHERE:
        return _bend_double_sphere(dist, count, y, n, bent, by_point, by_dist)
    nearest = 1.0
    for i in range(n):
        nearest = min(nearest, y[2, i])
    if nearest < _NEAREST:
        return False
    if used <= 5:
        _bend_polynomial(dist, used, count, y, n, bent, by_point, by_dist)
    else:
        _bend_rational(dist, used, count, y, n, bent, by_point, by_dist)
        if used == 14:
            _tilt(dist, count, n, bent, by_point, by_dist)
    return True


@njit(cache=True, fastmath=True)
def _bend_polynomial(dist, used, count, y, n, bent, by_point, by_dist):
    """0, 4 or 5 coefficients: k1 k2 p1 p2 k3."""
    k1, k2, p1, p2, k3 = 0.0, 0.0, 0.0, 0.0, 0.0
    if used >= 4:
        k1, k2, p1, p2 = dist[0], dist[1], dist[2], dist[3]
    if used >= 5:
        k3 = dist[4]
    for i in range(n):
        depth = 1.0 / y[2, i]
        a, b = y[0, i] * depth, y[1, i] * depth
        aa, bb, ab = a * a, b * b, a * b
        r2 = aa + bb
        radial = 1.0 + r2 * (k1 + r2 * (k2 + r2 * k3))
        slope = 2.0 * (k1 + r2 * (2.0 * k2 + r2 * 3.0 * k3))
        bent[0, i] = a * radial + 2 * p1 * ab + p2 * (r2 + 2 * aa)
        bent[1, i] = b * radial + p1 * (r2 + 2 * bb) + 2 * p2 * ab
        cross = ab * slope + 2 * p1 * a + 2 * p2 * b
        _spread(radial + aa * slope + 2 * p1 * b + 6 * p2 * a, cross, cross,
                radial + bb * slope + 6 * p1 * b + 2 * p2 * a, a, b, depth, i, by_point)  # fmt: skip
        if used >= 4:
            r4 = r2 * r2
            by_dist[0, i], by_dist[count, i] = a * r2, b * r2
            by_dist[1, i], by_dist[count + 1, i] = a * r4, b * r4
            by_dist[2, i], by_dist[count + 2, i] = 2 * ab, r2 + 2 * bb
            by_dist[3, i], by_dist[count + 3, i] = r2 + 2 * aa, 2 * ab
            if used >= 5:
                by_dist[4, i], by_dist[count + 4, i] = a * r4 * r2, b * r4 * r2


@njit(cache=True, fastmath=True, inline="always")
def _spread(aa, ab, ba, bb, a, b, depth, i, by_point):
    """Derivatives by (a, b) = (y0, y1) / y2 become derivatives by y."""
    by_point[0, i], by_point[1, i], by_point[2, i] = aa * depth, ab * depth, -(aa * a + ab * b) * depth
    by_point[3, i], by_point[4, i], by_point[5, i] = ba * depth, bb * depth, -(ba * a + bb * b) * depth


@njit(cache=True, fastmath=True)
def _bend_rational(dist, used, count, y, n, bent, by_point, by_dist):
    """8, 12 or 14 coefficients: rational radial terms and, from 12 on, the thin prism."""
    k1, k2, p1, p2, k3, k4, k5, k6 = dist[0], dist[1], dist[2], dist[3], dist[4], dist[5], dist[6], dist[7]
    s1, s2, s3, s4 = 0.0, 0.0, 0.0, 0.0
    if used >= 12:
        s1, s2, s3, s4 = dist[8], dist[9], dist[10], dist[11]
    for i in range(n):
        depth = 1.0 / y[2, i]
        a, b = y[0, i] * depth, y[1, i] * depth
        r2 = a * a + b * b
        below = 1.0 / (1.0 + r2 * (k4 + r2 * (k5 + r2 * k6)))
        radial = (1.0 + r2 * (k1 + r2 * (k2 + r2 * k3))) * below
        slope = 2 * (k1 + r2 * (2 * k2 + r2 * 3 * k3) - radial * (k4 + r2 * (2 * k5 + r2 * 3 * k6))) * below
        bent[0, i] = a * radial + 2 * p1 * a * b + p2 * (r2 + 2 * a * a) + r2 * (s1 + r2 * s2)
        bent[1, i] = b * radial + p1 * (r2 + 2 * b * b) + 2 * p2 * a * b + r2 * (s3 + r2 * s4)
        prism_a, prism_b = 2 * (s1 + 2 * r2 * s2), 2 * (s3 + 2 * r2 * s4)
        cross = a * b * slope + 2 * p1 * a + 2 * p2 * b
        _spread(radial + a * a * slope + 2 * p1 * b + 6 * p2 * a + a * prism_a, cross + b * prism_a,
                cross + a * prism_b, radial + b * b * slope + 6 * p1 * b + 2 * p2 * a + b * prism_b,
                a, b, depth, i, by_point)  # fmt: skip
        power = r2 * below
        for j in range(3):
            top, bottom = (0, 5) if j == 0 else ((1, 6) if j == 1 else (4, 7))
            by_dist[top, i], by_dist[count + top, i] = a * power, b * power
            by_dist[bottom, i], by_dist[count + bottom, i] = -a * radial * power, -b * radial * power
            power *= r2
        by_dist[2, i], by_dist[count + 2, i] = 2 * a * b, r2 + 2 * b * b
        by_dist[3, i], by_dist[count + 3, i] = r2 + 2 * a * a, 2 * a * b
        if used >= 12:
            by_dist[8, i], by_dist[9, i] = r2, r2 * r2
            by_dist[count + 10, i], by_dist[count + 11, i] = r2, r2 * r2


@njit(cache=True, fastmath=True)
def _tilt(dist, count, n, bent, by_point, by_dist):
    """The tilted sensor: the homography H(tau_x, tau_y) after the other terms, chained into all derivatives."""
    H, H_x, H_y = np.empty((3, 3)), np.empty((3, 3)), np.empty((3, 3))
    _tilt_matrices(dist[12], dist[13], H, H_x, H_y)
    J = np.empty((2, 2))
    for i in range(n):
        a, b = bent[0, i], bent[1, i]
        w = 1.0 / (H[2, 0] * a + H[2, 1] * b + H[2, 2])
        u = (H[0, 0] * a + H[0, 1] * b + H[0, 2]) * w
        v = (H[1, 0] * a + H[1, 1] * b + H[1, 2]) * w
        for k in range(2):
            J[0, k] = (H[0, k] - u * H[2, k]) * w
            J[1, k] = (H[1, k] - v * H[2, k]) * w
        for k in range(3):
            top, low = by_point[k, i], by_point[3 + k, i]
            by_point[k, i], by_point[3 + k, i] = J[0, 0] * top + J[0, 1] * low, J[1, 0] * top + J[1, 1] * low
        for k in range(12):
            top, low = by_dist[k, i], by_dist[count + k, i]
            by_dist[k, i], by_dist[count + k, i] = J[0, 0] * top + J[0, 1] * low, J[1, 0] * top + J[1, 1] * low
        for k in range(2):
            D = H_x if k == 0 else H_y
            d2 = D[2, 0] * a + D[2, 1] * b + D[2, 2]
            by_dist[12 + k, i] = (D[0, 0] * a + D[0, 1] * b + D[0, 2] - u * d2) * w
            by_dist[count + 12 + k, i] = (D[1, 0] * a + D[1, 1] * b + D[1, 2] - v * d2) * w
        bent[0, i], bent[1, i] = u, v


@njit(cache=True)
def _tilt_matrices(tau_x, tau_y, H, H_x, H_y):
    """H = [[R22, 0, -R02], [0, R22, -R12], [0, 0, 1]] R with R = R_y R_x, and its derivatives."""
    cx, sx, cy, sy = np.cos(tau_x), np.sin(tau_x), np.cos(tau_y), np.sin(tau_y)
    R = np.array([[cy, sy * sx, -sy * cx], [0.0, cx, sx], [sy, -cy * sx, cy * cx]])
    R_x = np.array([[0.0, sy * cx, sy * sx], [0.0, -sx, cx], [0.0, -cy * cx, -cy * sx]])
    R_y = np.array([[-sy, cy * sx, -cy * cx], [0.0, 0.0, 0.0], [cy, sy * sx, -sy * cx]])
    for j in range(3):
        for r in range(2):
            H[r, j] = R[2, 2] * R[r, j] - R[r, 2] * R[2, j]
            H_x[r, j] = R_x[2, 2] * R[r, j] + R[2, 2] * R_x[r, j] - R_x[r, 2] * R[2, j] - R[r, 2] * R_x[2, j]
            H_y[r, j] = R_y[2, 2] * R[r, j] + R[2, 2] * R_y[r, j] - R_y[r, 2] * R[2, j] - R[r, 2] * R_y[2, j]
        H[2, j], H_x[2, j], H_y[2, j] = R[2, j], R_x[2, j], R_y[2, j]


@njit(cache=True, fastmath=True)
def _bend_fisheye(k, count, y, n, bent, by_point, by_dist):
    for i in range(n):
        x0, x1, z = y[0, i], y[1, i], y[2, i]
        r = max(np.sqrt(x0 * x0 + x1 * x1), 1e-12)
        theta = np.arctan2(r, z)
        t2 = theta * theta
        theta_d = theta * (1 + t2 * (k[0] + t2 * (k[1] + t2 * (k[2] + t2 * k[3]))))
        slope = 1 + t2 * (3 * k[0] + t2 * (5 * k[1] + t2 * (7 * k[2] + t2 * 9 * k[3])))
        c, s = x0 / r, x1 / r
        across = theta_d / r
        along_r, along_z = slope * z / (r * r + z * z), -slope * r / (r * r + z * z)
        bent[0, i], bent[1, i] = theta_d * c, theta_d * s
        by_point[0, i] = c * c * along_r + s * s * across
        by_point[1, i] = by_point[3, i] = c * s * (along_r - across)
        by_point[4, i] = s * s * along_r + c * c * across
        by_point[2, i], by_point[5, i] = c * along_z, s * along_z
        power = theta * t2
        for j in range(4):
            by_dist[j, i], by_dist[count + j, i] = c * power, s * power
            power *= t2


@njit(cache=True, fastmath=True)
def _bend_double_sphere(dist, count, y, n, bent, by_point, by_dist):
    """xi, alpha; no point may lie beyond the edge, where two directions share a pixel."""
    xi, alpha = dist[0], dist[1]
    if not (-1.0 < xi < 1.0 and 0.0 <= alpha <= 1.0):
        return False
    w1 = alpha / (1 - alpha) if alpha <= 0.5 else (1 - alpha) / alpha
    edge = -(w1 + xi) / np.sqrt(2 * w1 * xi + xi * xi + 1)
    inside = True
    for i in range(n):
        x0, x1, z = y[0, i], y[1, i], y[2, i]
        rr = x0 * x0 + x1 * x1
        d1 = max(np.sqrt(rr + z * z), 1e-12)
        inside = inside and z > edge * d1
        s = xi * d1 + z
        d2 = max(np.sqrt(rr + s * s), 1e-12)
        depth = max(alpha * d2 + (1 - alpha) * s, 1e-12)
        a, b = x0 / depth, x1 / depth
        # D by x0 is x0 * across, by x1 is x1 * across, by z is along.
        stretch = alpha * s / d2 + 1 - alpha
        across = alpha / d2 + stretch * xi / d1
        along = stretch * (xi * z / d1 + 1)
        bent[0, i], bent[1, i] = a, b
        by_point[0, i], by_point[1, i] = (1 - a * x0 * across) / depth, -a * x1 * across / depth
        by_point[3, i], by_point[4, i] = -b * x0 * across / depth, (1 - b * x1 * across) / depth
        by_point[2, i], by_point[5, i] = -a * along / depth, -b * along / depth
        by_xi, by_alpha = stretch * d1 / depth, (d2 - s) / depth
        by_dist[0, i], by_dist[count, i] = -a * by_xi, -b * by_xi
        by_dist[1, i], by_dist[count + 1, i] = -a * by_alpha, -b * by_alpha
    return inside
