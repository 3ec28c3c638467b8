"""Kernel that fits a model of a corner, of squares or of a tag, to the pixels around it.

The image near a corner is b + gx dx + gy dy + c (F1 F2 + a F1 + a F2) with Fi = F(di / s): two edges, at signed
distances d1 and d2, blurred by a Gaussian of width s, F(t) = erf(t / sqrt 2). With a = 0 dark and bright alternate, as
where squares meet; with a = 1 the side where d1 and d2 are positive stands alone, as at the corner of a tag.
Straight edges stay straight in any perspective; what a lens bends them is given from outside, since a window alone
cannot tell a bend from a shift. Gauss-Newton on the nine parameters is the least-squares estimate, and the residuals
give the variance of the corner.
"""

import math

import numpy as np
from numba import njit

# x, y, the directions of the two edges, blur; brightness, contrast, and the brightness's slope.
_PARAMETERS = 9
_STEPS = 10
_ROOT_2_OVER_PI = math.sqrt(2 / math.pi)
# Blur, px, below which an edge is a step between two pixels.
_LEAST_BLUR = 0.3
# px of image that a corner needs on all sides.
_LEAST_HALF = 3
# Blurs away from an edge where the image is flat: F differs from 1 by 0.0027.
_FLAT = 3.0


@njit(cache=True, nogil=True, fastmath=True)
def _normal_equations(image, left, top, half, p, bends, alone, H, g):
    """Fill H = J'WJ and g = J'W(image - model) over a round window; returns the weighted sums of squares and of 1."""
    row = np.empty(_PARAMETERS)
    H[:] = 0.0
    g[:] = 0.0
    cost, weight = 0.0, 0.0
    sin1, cos1, sin2, cos2 = math.sin(p[2]), math.cos(p[2]), math.sin(p[3]), math.cos(p[3])
    s, c = p[4], p[6]
    to_erf, to_slope, far = 1 / (s * math.sqrt(2.0)), _ROOT_2_OVER_PI / s, _FLAT * s
    row[5] = 1.0
    height, width = image.shape
    for dy in range(max(-half, -top), min(half, height - 1 - top) + 1):
        reach = int(math.sqrt((half + 0.5) ** 2 - dy * dy))
        for dx in range(max(-reach, -left), min(reach, width - 1 - left) + 1):
            # A window that fades out is blind to whatever else stands at its rim.
            w = 1.0 - (dx * dx + dy * dy) / ((half + 1.0) * (half + 1.0))
            u, v = dx - p[0], dy - p[1]
            a1, a2 = cos1 * u + sin1 * v, cos2 * u + sin2 * v
            d1 = -sin1 * u + cos1 * v - 0.5 * bends[0] * a1 * a1
            d2 = -sin2 * u + cos2 * v - 0.5 * bends[1] * a2 * a2
            near1, near2 = abs(d1) < far, abs(d2) < far
            f1 = math.erf(d1 * to_erf) if near1 else (1.0 if d1 > 0 else -1.0)
            f2 = math.erf(d2 * to_erf) if near2 else (1.0 if d2 > 0 else -1.0)
            shape = f1 * f2 + alone * (f1 + f2)
            row[6], row[7], row[8] = shape, dx, dy
            r = image[top + dy, left + dx] - (p[5] + c * shape + p[7] * dx + p[8] * dy)
            cost += w * r * r
            weight += w
            first = 5
            if near1 or near2:
                first = 0
                g1 = c * (f2 + alone) * to_slope * math.exp(-0.5 * d1 * d1 / (s * s)) if near1 else 0.0
                g2 = c * (f1 + alone) * to_slope * math.exp(-0.5 * d2 * d2 / (s * s)) if near2 else 0.0
                row[0] = g1 * sin1 + g2 * sin2
                row[1] = -g1 * cos1 - g2 * cos2
                row[2] = -g1 * a1
                row[3] = -g2 * a2
                row[4] = -(g1 * d1 + g2 * d2) / s
            for i in range(first, _PARAMETERS):
                wi = w * row[i]
                g[i] += wi * r
                for j in range(first, i + 1):
                    H[i, j] += wi * row[j]
    for i in range(_PARAMETERS):
        for j in range(i):
            H[j, i] = H[i, j]
    return cost, weight


@njit(cache=True, nogil=True)
def _start(image, left, top, half, p, bends, alone):
    """Brightness and contrast by least squares for the given edges and blur."""
    H = np.zeros((_PARAMETERS, _PARAMETERS))
    g = np.zeros(_PARAMETERS)
    p[5:] = 0.0
    _normal_equations(image, left, top, half, p, bends, alone, H, g)
    p[5:] = np.linalg.solve(H[5:, 5:] + 1e-6 * H[5, 5] * np.eye(4), g[5:])


@njit(cache=True, nogil=True)
def fit_corners(image, start, bends, halves, tolerance, alone, out):
    """Fit the model at each corner.

    Args:
        image: gray levels, uint8.
        start: (corner, 5) x, y px, directions of the two edges (rad), blur px.
        bends: (corner, 2) curvature of the two edges, 1 / px; positive where an edge bends to larger angles.
        halves: (corner,) half width of each window, px.
        tolerance: px, movement at which the search ends.
        alone: 0 where dark and bright alternate, 1 where one side, that at larger angles of both edges, stands alone.
        out: (corner, 9) x, y, directions, blur, sigma_x, sigma_y px, the rms residual as a share of the contrast
            between bright and dark, and c; NaN where the fit fails or the corner is at the very edge of the image.
    """
    height, width = image.shape
    for k in range(len(start)):
        out[k] = np.nan
        half = halves[k]
        left, top = round(start[k, 0]), round(start[k, 1])
        if min(left, top, width - 1 - left, height - 1 - top) < _LEAST_HALF:
            continue
        p = np.zeros(_PARAMETERS)
        p[0], p[1], p[2], p[3] = start[k, 0] - left, start[k, 1] - top, start[k, 2], start[k, 3]
        p[4] = min(max(start[k, 4], _LEAST_BLUR), half)
        _start(image, left, top, half, p, bends[k], alone)
        H = np.zeros((_PARAMETERS, _PARAMETERS))
        g = np.zeros(_PARAMETERS)
        cost, weight = _normal_equations(image, left, top, half, p, bends[k], alone, H, g)
        damping = 1e-3
        for _ in range(_STEPS):
            damped = H.copy()
            for i in range(_PARAMETERS):
                damped[i, i] += damping * H[i, i] + 1e-9
            trial = p + np.linalg.solve(damped, g)
            trial[4] = min(max(trial[4], _LEAST_BLUR), half)
            if not (abs(trial[0]) <= half and abs(trial[1]) <= half):
                break
            H_trial = np.zeros((_PARAMETERS, _PARAMETERS))
            g_trial = np.zeros(_PARAMETERS)
            cost_trial, weight = _normal_equations(image, left, top, half, trial, bends[k], alone, H_trial, g_trial)
            # A place can be right by luck while the edges still turn about it: a radian counts as a pixel.
            moved = 0.0
            for i in range(4):
                moved += abs(trial[i] - p[i])
            if cost_trial < cost:
                p, H, g, cost = trial, H_trial, g_trial, cost_trial
                damping *= 0.1
            else:
                damping *= 10
            if moved < tolerance or damping > 1e5:
                break
        if p[6] == 0.0:
            continue
        covariance = np.linalg.inv(H + 1e-9 * np.eye(_PARAMETERS)) * (cost / weight)
        out[k, 0], out[k, 1] = left + p[0], top + p[1]
        out[k, 2], out[k, 3], out[k, 4] = p[2], p[3], p[4]
        out[k, 5], out[k, 6] = math.sqrt(max(covariance[0, 0], 0.0)), math.sqrt(max(covariance[1, 1], 0.0))
        out[k, 7] = 0.5 * math.sqrt(cost / weight) / (abs(p[6]) * (1 + alone))
        out[k, 8] = p[6]
