"""numba kernels of the sequence solver: one joint's trajectory as a banded system. See `mv3d.reconstruct.sequence`."""

import numpy as np
from numba import njit

from mv3d.geometry.banded_kernels import factor, inverse_band, solve
from mv3d.geometry.triangulation_kernels import accumulate, geman_mcclure, mirror_upper, tangent_residual


@njit(cache=True)
def data_term(x, centers, bearings, A, weight, scale2, H, b):
    """Normal equations of one joint's observations around x: H (F, 3, 3) and b = H x - g (F, 3)."""
    frames, views = weight.shape
    residual, g = np.zeros(2), np.zeros(3)
    H[:] = 0.0
    for f in range(frames):
        g[:] = 0.0
        for v in range(views):
            if weight[f, v] > 0:
                depth = tangent_residual(x[f], centers[v], bearings[f, v], A[f, v], residual)
                if depth > 1e-3:
                    robust = weight[f, v] * geman_mcclure(residual, scale2[f, v])
                    accumulate(H[f], g, A[f, v], bearings[f, v], residual, depth, robust)
        mirror_upper(H[f])
        for r in range(3):
            b[f, r] = H[f, r, 0] * x[f, 0] + H[f, r, 1] * x[f, 1] + H[f, r, 2] * x[f, 2] - g[r]


@njit(cache=True)
def bone_term(x, other, length, precision, scale2, H, b):
    """Add a soft bone of known length to another joint, held fixed: one direction of information per frame."""
    for f in range(len(x)):
        d0, d1, d2 = x[f, 0] - other[f, 0], x[f, 1] - other[f, 1], x[f, 2] - other[f, 2]
        now = np.sqrt(d0 * d0 + d1 * d1 + d2 * d2)
        if not now > 1e-6:
            continue
        u = (d0 / now, d1 / now, d2 / now)
        error = now - length
        robust = scale2 / (scale2 + error * error)
        weight = precision * robust * robust
        target = u[0] * x[f, 0] + u[1] * x[f, 1] + u[2] * x[f, 2] - error
        for r in range(3):
            for s in range(3):
                H[f, r, s] += weight * u[r] * u[s]
            b[f, r] += weight * u[r] * target


@njit(cache=True)
def assemble(H, prior, strength, ridge, band):
    """Band matrix of data blocks H plus strength times the prior's band (F, order + 1), the same for x, y and z."""
    frames, columns = prior.shape
    band[:] = 0.0
    for f in range(frames):
        for r in range(3):
            i = 3 * f + r
            for s in range(r + 1):
                band[i, r - s] = H[f, r, s]
            band[i, 0] += ridge
            for k in range(columns):
                if f >= k:
                    band[i, 3 * k] += strength * prior[f, k]


@njit(cache=True)
def smooth(H, b, prior, strength, ridge, x):
    """Most likely trajectory x (F, 3), which also holds the point that the tiny ridge pulls to. False if singular."""
    frames, columns = prior.shape
    band = np.zeros((3 * frames, 3 * (columns - 1) + 3))
    assemble(H, prior, strength, ridge, band)
    if not np.isfinite(factor(band)):
        return False
    right = (b + ridge * x).reshape(-1)
    solve(band, right)
    x[:] = right.reshape(frames, 3)
    return True


@njit(cache=True)
def log_evidence(H, b, prior, rows, strength, ridge, x):
    """Log evidence of the prior's strength for Gaussian data (H, b), up to a constant; `rows` is its rank."""
    frames, columns = prior.shape
    band = np.zeros((3 * frames, 3 * (columns - 1) + 3))
    assemble(H, prior, strength, ridge, band)
    log_det = factor(band)
    right = (b + ridge * x).reshape(-1).copy()
    fit = right.copy()
    solve(band, fit)
    return 0.5 * (3 * rows * np.log(strength) - log_det + np.dot(right, fit))


@njit(cache=True)
def covariance(H, prior, strength, ridge, out):
    """Marginal covariance (F, 3, 3) of each frame of the smoothed trajectory."""
    frames, columns = prior.shape
    band = np.zeros((3 * frames, 3 * (columns - 1) + 3))
    assemble(H, prior, strength, ridge, band)
    if not np.isfinite(factor(band)):
        out[:] = np.nan
        return
    inverse = np.zeros_like(band)
    inverse_band(band, inverse)
    for f in range(frames):
        for r in range(3):
            for s in range(r, 3):
                out[f, r, s] = out[f, s, r] = inverse[3 * f + r, s - r]
