"""Position and velocity of points over time by local polynomials, robust and blind to what lies beyond a break."""

import numpy as np
from jaxtyping import Float, Int

# Fewer points do not tell a parabola from noise.
_FEWEST = 5
_ROUNDS = 3
# Residuals beyond this many robust standard deviations lose half of their support.
_SCALE_SIGMAS = 3.0
# Floor of that standard deviation, m: exact data would divide by zero.
_LEAST_SIGMA_M = 1e-4


def local_motion(
    xyz: Float[np.ndarray, "frame joint 3"],
    timestamps: Float[np.ndarray, " frame"],
    windows: Int[np.ndarray, " frame"],
    half_window_s: float,
) -> tuple[Float[np.ndarray, "frame joint 3"], Float[np.ndarray, "frame joint 3"]]:
    """Fit a parabola to each joint around each frame (Savitzky and Golay 1964, with gaps and robust weights).

    Args:
        xyz: m; NaN where missing.
        timestamps: s.
        windows: number of the run of consecutive frames that each frame belongs to.
        half_window_s: neighbours up to this far in time are used, at least three frames on each side.

    Returns:
        Position (m) and velocity (m/s) at every frame; NaN with fewer than five neighbours.
    """
    steps = np.diff(timestamps)[np.diff(windows) == 0]
    half = max(3, round(half_window_s / float(np.median(steps)))) if len(steps) else 3
    index = np.arange(len(timestamps))[:, None] + np.arange(-half, half + 1)
    inside = (index >= 0) & (index < len(timestamps))
    index = np.clip(index, 0, max(len(timestamps) - 1, 0))
    inside &= windows[index] == windows[:, None]
    tau = timestamps[index] - timestamps[:, None]
    basis = np.stack([np.ones_like(tau), tau, tau**2], axis=-1)
    position, velocity = np.full(xyz.shape, np.nan), np.full(xyz.shape, np.nan)
    for j in range(xyz.shape[1]):
        near = xyz[index, j]
        known = inside & np.isfinite(near).all(-1)
        enough = known.sum(1) >= _FEWEST
        fit = _parabolas(basis[enough], np.nan_to_num(near[enough]), known[enough])
        position[enough, j], velocity[enough, j] = fit[:, 0], fit[:, 1]
    return position, velocity


def _parabolas(basis: np.ndarray, near: np.ndarray, known: np.ndarray) -> Float[np.ndarray, "frame 3 3"]:
    """Coefficients (1, t, t^2) of each axis, by reweighted least squares."""
    weight = known.astype(float)
    fit = np.zeros((len(basis), 3, 3))
    for _ in range(_ROUNDS):
        normal = np.einsum("fnp,fn,fnq->fpq", basis, weight, basis)
        # A ridge relative to each coefficient's own size: neighbours all on one side leave the parabola open.
        normal += 1e-9 * np.einsum("fpp,pq->fpq", normal, np.eye(3)) + 1e-15 * np.eye(3)
        fit = np.linalg.solve(normal, np.einsum("fnp,fn,fnk->fpk", basis, weight, near))
        error = np.linalg.norm(near - np.einsum("fnp,fpk->fnk", basis, fit), axis=-1)
        sigma = np.nanmedian(np.where(known, error, np.nan), axis=1, keepdims=True)
        scale = _SCALE_SIGMAS * np.maximum(sigma, _LEAST_SIGMA_M)
        weight = known / (1 + (error / scale) ** 2) ** 2
    return fit
