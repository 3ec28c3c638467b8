"""numba kernels of the scan over lags. See `mv3d.reconstruct.sync_scan`."""

import numpy as np
from numba import njit


@njit(cache=True)
def epipolar_angle(a, b, base):
    """By how much (rad) two bearings miss each other across the plane of the baseline; NaN where it cannot tell.

    Sampson's distance: the triple product over its own sensitivity to the two bearings.
    """
    ax, ay, az = a[1] * base[2] - a[2] * base[1], a[2] * base[0] - a[0] * base[2], a[0] * base[1] - a[1] * base[0]
    bx, by, bz = b[1] * base[2] - b[2] * base[1], b[2] * base[0] - b[0] * base[2], b[0] * base[1] - b[1] * base[0]
    spread = np.sqrt(ax * ax + ay * ay + az * az + bx * bx + by * by + bz * bz)
    if not spread > 0.05:
        return np.nan
    return (ax * b[0] + ay * b[1] + az * b[2]) / spread


@njit(cache=True)
def centred(first, second, base, frames, lag, joint, values):
    """Angles of a joint at one lag with their median taken off, in `values`; returns how many there are."""
    n = 0
    for i in frames:
        k = i + lag
        if 0 <= k < len(first):
            e = epipolar_angle(first[k, joint], second[i, joint], base)
            if np.isfinite(e):
                values[n] = e
                n += 1
    if n:
        values[:n] -= np.median(values[:n])
    return n


@njit(cache=True)
def lag_costs(first, second, base, frames, lags, fewest, cost):
    """Mean Geman-McClure loss at each lag: `first` at frame i + lag against `second` at frame i.

    Each joint's median is taken off, since a constant error of a camera imitates a lag where a person moves one way.
    The scale is the smallest median of what is left, over all lags: the noise, which the right lag shows.
    """
    joints = first.shape[1]
    values, left = np.zeros(len(frames)), np.zeros(len(frames) * joints)
    scale = np.inf
    for loss in range(2):
        for m in range(len(lags)):
            total = 0
            for j in range(joints):
                n = centred(first, second, base, frames, lags[m], j, values)
                left[total : total + n] = np.abs(values[:n])
                total += n
            if total < fewest:
                cost[m] = np.nan
            elif loss == 0:
                scale = min(scale, np.median(left[:total]))
            else:
                ratio2 = (left[:total] / (3.0 * scale + 1e-9)) ** 2
                cost[m] = np.mean(ratio2 / (1.0 + ratio2))
