"""numba kernels of the sequence solver: residuals, normal equations and the banded system of every joint.

Arrays are joint-major, (joint, frame, view, ...), so that a thread works through one joint's memory in order. See
`mv3d.reconstruct.sequence` for the model.
"""

import numpy as np
from numba import njit, prange

from mv3d.geometry.banded_kernels import factor, inverse_band, solve
from mv3d.geometry.triangulation_kernels import accumulate, mirror_upper, tangent_residual

# A point nearer to a camera than this (m), or behind it, is not seen by it.
_NEAREST = 1e-3


@njit(cache=True)
def _velocity(x, times, f, out):
    """Central difference of one trajectory (F, 3) at frame f, m/s; one-sided at the ends."""
    a, b = max(f - 1, 0), min(f + 1, len(x) - 1)
    gap = times[b] - times[a]
    for k in range(3):
        out[k] = (x[b, k] - x[a, k]) / gap if gap > 0 else 0.0


@njit(cache=True, parallel=True)
def residuals(x, times, delay, centers, bearings, A, weight, out):
    """Residuals in px (joint, frame, view, 2); NaN where unseen, infinite behind a camera.

    delay (F, V) s: how much later than the frame's instant a view took its picture.
    """
    joints, frames, views = weight.shape
    for j in prange(joints):
        residual, v, at = np.zeros(2), np.zeros(3), np.zeros(3)
        for f in range(frames):
            _velocity(x[j], times, f, v)
            for c in range(views):
                if not weight[j, f, c] > 0:
                    out[j, f, c, :] = np.nan
                    continue
                for k in range(3):
                    at[k] = x[j, f, k] + delay[f, c] * v[k]
                depth = tangent_residual(at, centers[c], bearings[j, f, c], A[j, f, c], residual)
                for k in range(2):
                    out[j, f, c, k] = residual[k] if depth > _NEAREST else np.inf


@njit(cache=True, parallel=True)
def normal_equations(x, times, delay, centers, bearings, A, weight, H, g):
    """Blocks H (joint, frame, 3, 3) and gradients g (joint, frame, 3) of the observations, weighted (1/px^2)."""
    joints, frames, views = weight.shape
    for j in prange(joints):
        residual, v, at = np.zeros(2), np.zeros(3), np.zeros(3)
        for f in range(frames):
            H[j, f] = 0.0
            g[j, f] = 0.0
            _velocity(x[j], times, f, v)
            for c in range(views):
                if not weight[j, f, c] > 0:
                    continue
                for k in range(3):
                    at[k] = x[j, f, k] + delay[f, c] * v[k]
                depth = tangent_residual(at, centers[c], bearings[j, f, c], A[j, f, c], residual)
                if depth > _NEAREST:
                    accumulate(H[j, f], g[j, f], A[j, f, c], bearings[j, f, c], residual, depth, weight[j, f, c])
            mirror_upper(H[j, f])


@njit(cache=True, parallel=True)
def factor_joints(H, prior, strength, ridge, bands):
    """Factors of every joint's own system, data blocks H plus motion, into bands (joint, 3 frames, width)."""
    for j in prange(len(H)):
        assemble(H[j], prior, strength[j], ridge, bands[j])
        factor(bands[j])


@njit(cache=True, parallel=True)
def solve_joints(bands, right):
    """Solve every joint's own system in place of right (joint, 3 frames)."""
    for j in prange(len(bands)):
        solve(bands[j], right[j])


@njit(cache=True, parallel=True)
def apply_motion(prior, strength, ridge, p, out):
    """Add to out (strength x prior + ridge) p for trajectories p (joint, frame, 3)."""
    joints, frames, _ = p.shape
    columns = prior.shape[1]
    for j in prange(joints):
        for f in range(frames):
            for k in range(3):
                total = prior[f, 0] * p[j, f, k]
                for c in range(1, columns):
                    if f >= c:
                        total += prior[f, c] * p[j, f - c, k]
                    if f + c < frames:
                        total += prior[f + c, c] * p[j, f + c, k]
                out[j, f, k] += strength[j] * total + ridge * p[j, f, k]


@njit(cache=True, parallel=True)
def apply_blocks(H, p, out):
    """Set out to H p, block by block: (joint, frame, 3, 3) times (joint, frame, 3)."""
    for j in prange(len(H)):
        for f in range(H.shape[1]):
            for r in range(3):
                out[j, f, r] = H[j, f, r, 0] * p[j, f, 0] + H[j, f, r, 1] * p[j, f, 1] + H[j, f, r, 2] * p[j, f, 2]


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
def log_evidence(H, b, prior, rows, strength, ridge):
    """Log evidence of the prior's strength for Gaussian data with normal equations H x = b, up to a constant.

    `rows` is the prior's rank.
    """
    frames, columns = prior.shape
    band = np.zeros((3 * frames, 3 * columns))
    assemble(H, prior, strength, ridge, band)
    log_det = factor(band)
    right = b.copy().reshape(-1)
    fit = right.copy()
    solve(band, fit)
    return 0.5 * (3 * rows * np.log(strength) - log_det + np.dot(right, fit))


@njit(cache=True, parallel=True)
def best_strengths(H, b, prior, rows, candidates, ridge, at):
    """Climb, for every joint, from its candidate `at` (joint,) to the one of greatest evidence, in place.

    The evidence has one peak over the strength, so the neighbours tell the way.
    """
    for j in prange(len(H)):
        best = log_evidence(H[j], b[j], prior, rows, candidates[at[j]], ridge)
        for way in (-1, 1):
            moved = False
            while 0 <= at[j] + way < len(candidates):
                evidence = log_evidence(H[j], b[j], prior, rows, candidates[at[j] + way], ridge)
                if not evidence > best:
                    break
                best = evidence
                at[j] += way
                moved = True
            if moved:
                break


@njit(cache=True, parallel=True)
def marginal_covariances(H, prior, strength, ridge, out):
    """Marginal covariance (joint, frame, 3, 3) of each frame of every joint's own system."""
    for j in prange(len(H)):
        frames, columns = prior.shape
        band = np.zeros((3 * frames, 3 * columns))
        assemble(H[j], prior, strength[j], ridge, band)
        if not np.isfinite(factor(band)):
            out[j] = np.nan
            continue
        inverse = np.zeros_like(band)
        inverse_band(band, inverse)
        for f in range(frames):
            for r in range(3):
                for s in range(r, 3):
                    out[j, f, r, s] = out[j, f, s, r] = inverse[3 * f + r, s - r]
