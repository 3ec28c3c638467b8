"""Kannala-Brandt fisheye camera with four coefficients, as OpenCV's fisheye module has it.

With r = |(x, y)| and theta = atan2(r, z), the angle from the optical axis:

    theta_d = theta (1 + k1 theta^2 + k2 theta^4 + k3 theta^6 + k4 theta^8)
    u = K (theta_d x / r, theta_d y / r, 1)

Unlike OpenCV's, these functions hold beyond 90 degrees from the axis.
Source: Kannala and Brandt, A generic camera model and calibration method..., PAMI 2006.
"""

from typing import Any

import numpy as np
from jaxtyping import Float

_NEWTON_STEPS = 20
_NEWTON_TOLERANCE = 1e-12
# Below this sine of the angle from the axis theta_d / r is taken from its series.
_ON_AXIS = 1e-8
# An array over points; numpy makes a scalar of it where there is a single point.
_PerPoint = Any


def fold_angle(dist: Float[np.ndarray, "4"]) -> float:
    """Angle from the axis (rad) beyond which theta_d no longer grows; at most pi. No real lens shows more."""
    k1, k2, k3, k4 = (float(k) for k in dist)
    roots = np.roots([9 * k4, 7 * k3, 5 * k2, 3 * k1, 1.0])
    real = roots.real[(np.abs(roots.imag) < 1e-9 * np.abs(roots)) & (roots.real > 0)]
    return float(min(np.pi, np.sqrt(real.min()))) if len(real) else float(np.pi)


def project(
    x_cam: Float[np.ndarray, "*batch 3"], K: Float[np.ndarray, "3 3"], dist: Float[np.ndarray, "4"]
) -> Float[np.ndarray, "*batch 2"]:
    """Pixel of each point; NaN for the camera's own centre and for NaN."""
    bent, _, _, _, _ = _bend(x_cam, dist)
    return bent @ K[:2, :2].T + K[:2, 2]


def project_with_jacobians(
    x_cam: Float[np.ndarray, "*batch 3"], K: Float[np.ndarray, "3 3"], dist: Float[np.ndarray, "4"]
) -> tuple[Float[np.ndarray, "*batch 2"], Float[np.ndarray, "*batch 2 3"], Float[np.ndarray, "*batch 2 8"]]:
    """Pixels, d x_image / d x_cam, and d x_image / d (fx, fy, cx, cy, k1, k2, k3, k4)."""
    bent, theta, r, scale, off_axis = _bend(x_cam, dist)
    xy, z = x_cam[..., :2], x_cam[..., 2]
    radius2 = r * r + z * z
    theta_d_by_theta = _theta_d_derivative(theta, dist)
    safe_r = np.where(off_axis, r, 1.0)
    # d scale / d r at constant z, and d scale / d z, where scale = theta_d / r.
    scale_by_r = np.where(off_axis, (theta_d_by_theta * z / radius2 - scale) / safe_r, 0.0)
    bent_by_cam = np.empty((*x_cam.shape[:-1], 2, 3))
    outer = xy[..., :, None] * xy[..., None, :] * (scale_by_r / safe_r)[..., None, None]
    bent_by_cam[..., :, :2] = outer + scale[..., None, None] * np.eye(2)
    bent_by_cam[..., :, 2] = -xy * (theta_d_by_theta / radius2)[..., None]

    direction = xy / safe_r[..., None] * off_axis[..., None]
    powers = theta[..., None] ** np.array([3, 5, 7, 9])
    A = K[:2, :2]
    by_parameters = np.zeros((*x_cam.shape[:-1], 2, 8))
    by_parameters[..., 0, 0], by_parameters[..., 1, 1] = bent[..., 0], bent[..., 1]
    by_parameters[..., 0, 2] = by_parameters[..., 1, 3] = 1.0
    by_parameters[..., 4:] = A @ (direction[..., :, None] * powers[..., None, :])
    return bent @ A.T + K[:2, 2], A @ bent_by_cam, by_parameters


def unproject(
    x_image: Float[np.ndarray, "*batch 2"], K: Float[np.ndarray, "3 3"], dist: Float[np.ndarray, "4"]
) -> Float[np.ndarray, "*batch 3"]:
    """Unit direction of each pixel in the camera frame; NaN where no angle within `fold_angle` projects there."""
    reach = fold_angle(dist)
    bent = (x_image - K[:2, 2]) @ np.linalg.inv(K[:2, :2]).T
    theta_d = np.linalg.norm(bent, axis=-1)
    theta = np.minimum(theta_d, min(np.pi / 2, reach))
    for _ in range(_NEWTON_STEPS):
        error = _theta_d(theta, dist) - theta_d
        if np.max(np.abs(error), initial=0.0, where=~np.isnan(error)) < _NEWTON_TOLERANCE:
            break
        slope = np.maximum(_theta_d_derivative(theta, dist), 1e-3)
        theta = np.clip(theta - np.clip(error / slope, -0.5, 0.5), 0.0, reach)
    lost = ~(np.abs(_theta_d(theta, dist) - theta_d) < 1e3 * _NEWTON_TOLERANCE)
    off_axis = theta_d > _ON_AXIS
    along = bent * np.where(off_axis, np.sin(theta) / np.where(off_axis, theta_d, 1.0), 1.0)[..., None]
    direction = np.concatenate([along, np.cos(theta)[..., None]], axis=-1)
    direction[lost] = np.nan
    return direction


def _bend(x_cam: np.ndarray, dist: np.ndarray) -> tuple[np.ndarray, _PerPoint, _PerPoint, _PerPoint, _PerPoint]:
    """Bent coordinates, theta, r, theta_d / r, and which points are off the axis."""
    r = np.hypot(x_cam[..., 0], x_cam[..., 1])
    z = x_cam[..., 2]
    theta = np.arctan2(r, z)
    off_axis = r > _ON_AXIS * np.abs(z)
    on_axis_scale = 1.0 / np.where(z > 0, z, np.nan)
    scale = np.where(off_axis, _theta_d(theta, dist) / np.where(off_axis, r, 1.0), on_axis_scale)
    return x_cam[..., :2] * scale[..., None], theta, r, scale, off_axis


def _theta_d(theta: _PerPoint, k: np.ndarray) -> _PerPoint:
    t2 = theta * theta
    return theta * (1 + t2 * (k[0] + t2 * (k[1] + t2 * (k[2] + t2 * k[3]))))


def _theta_d_derivative(theta: _PerPoint, k: np.ndarray) -> _PerPoint:
    t2 = theta * theta
    return 1 + t2 * (3 * k[0] + t2 * (5 * k[1] + t2 * (7 * k[2] + t2 * 9 * k[3])))
