"""Kernel that fits a model of a circle seen by a camera, an ellipse, to the pixels around it.

The image near a circle is b + gx dx + gy dy + c F(d / s): an edge at the signed distance d from the ellipse, positive
outside, blurred by a Gaussian of width s, F(t) = erf(t / sqrt 2). The ellipse is where v' M v = 1 for the offset v from
its centre; with q = sqrt(v' M v), d = (q - 1) / |grad q| to first order. Gauss-Newton on all ten parameters.
"""

import math

import numpy as np
from numba import njit

# x, y; M's xx, xy and yy; blur; brightness, contrast, and the brightness's slope.
_PARAMETERS = 10
_STEPS = 20
_ROOT_2_OVER_PI = math.sqrt(2 / math.pi)
_LEAST_BLUR = 0.3
# Within this share of the radius there is no edge and no direction.
_INNERMOST = 0.2


@njit(cache=True, nogil=True, fastmath=True)
def _normal_equations(image, left, top, half, reach, p, start, H, g):
    """Fill H = J'J and g = J'(image - model) within `reach` radii of the ellipse as it was at the start."""
    row = np.zeros(_PARAMETERS)
    H[:] = 0.0
    g[:] = 0.0
    cost, weight = 0.0, 0.0
    s, c = p[5], p[7]
    height, width = image.shape
    for dy in range(max(-half, -top), min(half, height - 1 - top) + 1):
        for dx in range(max(-half, -left), min(half, width - 1 - left) + 1):
            far = start[0] * dx * dx + 2 * start[1] * dx * dy + start[2] * dy * dy
            if far > reach * reach:
                continue
            u, v = dx - p[0], dy - p[1]
            q = math.sqrt(max(p[2] * u * u + 2 * p[3] * u * v + p[4] * v * v, 1e-12))
            gx, gy = (p[2] * u + p[3] * v) / q, (p[3] * u + p[4] * v) / q
            steep = math.sqrt(gx * gx + gy * gy) + 1e-12
            d = (q - 1) / steep
            edge = math.erf(d / (s * math.sqrt(2.0)))
            row[:] = 0.0
            if q > _INNERMOST:
                slope = c * _ROOT_2_OVER_PI / s * math.exp(-0.5 * d * d / (s * s))
                row[0], row[1] = -slope * gx / steep, -slope * gy / steep
                by_shape = slope / (2 * q * steep)
                row[2], row[3], row[4] = by_shape * u * u, 2 * by_shape * u * v, by_shape * v * v
                row[5] = -slope * d / s
            row[6], row[7], row[8], row[9] = 1.0, edge, dx, dy
            r = image[top + dy, left + dx] - (p[6] + c * edge + p[8] * dx + p[9] * dy)
            cost += r * r
            weight += 1.0
            for i in range(_PARAMETERS):
                g[i] += row[i] * r
                for j in range(i + 1):
                    H[i, j] += row[i] * row[j]
    for i in range(_PARAMETERS):
        for j in range(i):
            H[j, i] = H[i, j]
    return cost, weight


@njit(cache=True, nogil=True)
def _fit(image, left, top, half, reach, p, wide, high, tolerance):
    """Least squares from p on; returns the parameters, J'J, the sum of squares and the number of pixels."""
    shape = p[2:5].copy()
    H, g = np.zeros((_PARAMETERS, _PARAMETERS)), np.zeros(_PARAMETERS)
    _normal_equations(image, left, top, half, reach, p, shape, H, g)
    p[6:] = np.linalg.solve(H[6:, 6:] + 1e-6 * H[6, 6] * np.eye(4), g[6:])
    cost, weight = _normal_equations(image, left, top, half, reach, p, shape, H, g)
    damping = 1e-3
    for _ in range(_STEPS):
        damped = H.copy()
        for i in range(_PARAMETERS):
            damped[i, i] += damping * H[i, i] + 1e-12
        trial = p + np.linalg.solve(damped, g)
        trial[5] = min(max(trial[5], _LEAST_BLUR), wide + high)
        good = abs(trial[0]) < wide and abs(trial[1]) < high and trial[2] * trial[4] > trial[3] * trial[3]
        cost_trial = np.inf
        H_trial, g_trial = np.zeros((_PARAMETERS, _PARAMETERS)), np.zeros(_PARAMETERS)
        if good and trial[2] > 0:
            cost_trial, weight = _normal_equations(image, left, top, half, reach, trial, shape, H_trial, g_trial)
        moved = abs(trial[0] - p[0]) + abs(trial[1] - p[1])
        if cost_trial < cost:
            p, H, g, cost = trial, H_trial, g_trial, cost_trial
            damping *= 0.1
        else:
            damping *= 10
        if (moved < tolerance and damping < 1e-3) or damping > 1e5:
            break
    return p, H, cost, weight


@njit(cache=True, nogil=True)
def fit_circles(image, start, reach, tolerance, out):
    """Fit the model at each circle.

    Args:
        image: gray levels, uint8.
        start: (circle, 6) x, y px, M's xx, xy, yy (1 / px2), blur px.
        reach: how far the fit looks, in radii.
        tolerance: px, movement at which the search ends.
        out: (circle, 9) x, y, M, sigma_x, sigma_y px, the rms residual as a share of the contrast between inside and
            outside, and c, positive where the circle is dark; NaN where the fit fails or the circle leaves the image.
    """
    height, width = image.shape
    for k in range(len(start)):
        out[k] = np.nan
        left, top = round(start[k, 0]), round(start[k, 1])
        xx, xy, yy = start[k, 2], start[k, 3], start[k, 4]
        determinant = xx * yy - xy * xy
        if determinant <= 0:
            continue
        # The ellipse reaches sqrt(M^-1_xx) to the side and sqrt(M^-1_yy) up and down.
        wide, high = math.sqrt(yy / determinant), math.sqrt(xx / determinant)
        if left - wide < 1 or top - high < 1 or left + wide > width - 2 or top + high > height - 2:
            continue
        half = math.ceil(reach * max(wide, high))
        p = np.zeros(_PARAMETERS)
        p[0], p[1] = start[k, 0] - left, start[k, 1] - top
        p[2:6] = start[k, 2:6]
        p, H, cost, weight = _fit(image, left, top, half, reach, p, wide, high, tolerance)
        if p[7] == 0.0 or weight <= _PARAMETERS:
            continue
        for i in range(_PARAMETERS):
            H[i, i] += 1e-12
        covariance = np.linalg.inv(H) * (cost / weight)
        out[k, 0], out[k, 1] = left + p[0], top + p[1]
        out[k, 2:5] = p[2:5]
        out[k, 5], out[k, 6] = math.sqrt(max(covariance[0, 0], 0.0)), math.sqrt(max(covariance[1, 1], 0.0))
        out[k, 7] = 0.5 * math.sqrt(cost / weight) / abs(p[7])
        out[k, 8] = p[7]
