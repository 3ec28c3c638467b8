"""Double-sphere camera: two spheres, one behind the other, then a pinhole; two parameters, dist = (xi, alpha).

With d1 = |(x, y, z)|, s = xi d1 + z and d2 = |(x, y, s)|:

    u = K (x / D, y / D, 1),    D = alpha d2 + (1 - alpha) s

The focal length in K is not that of the middle of the image, which is f / (1 + xi) px per rad. Directions that two
others would share a pixel with lie beyond the `edge`; for alpha <= 1/2 and xi = 0 there are none.
Source: Usenko, Demmel and Cremers, The double sphere camera model, 3DV 2018, equations 40 to 52.
"""

from typing import Any

import numpy as np
from jaxtyping import Float

# An array over points; numpy makes a scalar of it where there is a single point.
_PerPoint = Any


def edge_cosine(dist: Float[np.ndarray, "2"]) -> float:
    """Cosine of the largest angle from the axis that the lens shows; directions of a smaller one are beyond it."""
    xi, alpha = (float(d) for d in dist)
    w1 = alpha / (1 - alpha) if alpha <= 0.5 else (1 - alpha) / alpha
    return -(w1 + xi) / float(np.sqrt(2 * w1 * xi + xi * xi + 1))


def project(
    x_cam: Float[np.ndarray, "*batch 3"], K: Float[np.ndarray, "3 3"], dist: Float[np.ndarray, "2"]
) -> Float[np.ndarray, "*batch 2"]:
    """Pixel of each point, by the bare equation; NaN where its denominator is not positive, and for NaN."""
    depth = _parts(x_cam, dist)[3]
    return x_cam[..., :2] / depth[..., None] @ K[:2, :2].T + K[:2, 2]


def project_with_jacobians(
    x_cam: Float[np.ndarray, "*batch 3"], K: Float[np.ndarray, "3 3"], dist: Float[np.ndarray, "2"]
) -> tuple[Float[np.ndarray, "*batch 2"], Float[np.ndarray, "*batch 2 3"], Float[np.ndarray, "*batch 2 6"]]:
    """Pixels, d x_image / d x_cam, and d x_image / d (fx, fy, cx, cy, xi, alpha)."""
    xi, alpha = dist
    d1, s, d2, depth = _parts(x_cam, dist)
    bent = x_cam[..., :2] / depth[..., None]
    s_by_cam = xi * x_cam / d1[..., None] + np.array([0.0, 0.0, 1.0])
    d2_by_cam = (x_cam * np.array([1.0, 1.0, 0.0]) + s[..., None] * s_by_cam) / d2[..., None]
    depth_by_cam = alpha * d2_by_cam + (1 - alpha) * s_by_cam
    bent_by_cam = (np.eye(2, 3) - bent[..., :, None] * depth_by_cam[..., None, :]) / depth[..., None, None]
    by_parameters = np.zeros((*x_cam.shape[:-1], 2, 6))
    by_parameters[..., 0, 0], by_parameters[..., 1, 1] = bent[..., 0], bent[..., 1]
    by_parameters[..., 0, 2] = by_parameters[..., 1, 3] = 1.0
    depth_by_dist = np.stack([d1 * (alpha * s / d2 + 1 - alpha), d2 - s], axis=-1)
    A = K[:2, :2]
    by_parameters[..., 4:] = A @ (-bent[..., :, None] * (depth_by_dist / depth[..., None])[..., None, :])
    return bent @ A.T + K[:2, 2], A @ bent_by_cam, by_parameters


def unproject(
    x_image: Float[np.ndarray, "*batch 2"], K: Float[np.ndarray, "3 3"], dist: Float[np.ndarray, "2"]
) -> Float[np.ndarray, "*batch 3"]:
    """Unit direction of each pixel in the camera frame, in closed form; NaN outside of what the lens can show."""
    xi, alpha = dist
    bent = (x_image - K[:2, 2]) @ np.linalg.inv(K[:2, :2]).T
    r2 = (bent**2).sum(-1)
    with np.errstate(invalid="ignore", divide="ignore"):
        depth = (1 - alpha**2 * r2) / (alpha * np.sqrt(1 - (2 * alpha - 1) * r2) + 1 - alpha)
        along = (depth * xi + np.sqrt(depth**2 + (1 - xi**2) * r2)) / (depth**2 + r2)
    direction = np.concatenate([bent * along[..., None], (depth * along - xi)[..., None]], axis=-1)
    # Off by rounding only; and pixels of the second sphere's far side, which a small alpha lets through, go.
    direction = direction / np.linalg.norm(direction, axis=-1, keepdims=True)
    return np.where((direction[..., 2] >= edge_cosine(dist) - 1e-12)[..., None], direction, np.nan)


def _parts(x_cam: np.ndarray, dist: np.ndarray) -> tuple[_PerPoint, _PerPoint, _PerPoint, _PerPoint]:
    """d1, s, d2 and the denominator D, NaN where that is not positive."""
    xi, alpha = dist
    d1 = np.linalg.norm(x_cam, axis=-1)
    s = xi * d1 + x_cam[..., 2]
    d2 = np.sqrt(x_cam[..., 0] ** 2 + x_cam[..., 1] ** 2 + s * s)
    depth = alpha * d2 + (1 - alpha) * s
    return d1, s, d2, np.where(depth > 0, depth, np.nan)
