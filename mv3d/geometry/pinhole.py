"""Pinhole camera with the distortion of OpenCV: 0, 4, 5, 8, 12 or 14 coefficients.

With a = x/z, b = y/z, r2 = a^2 + b^2 and dist = (k1 k2 p1 p2 k3 k4 k5 k6 s1 s2 s3 s4 tau_x tau_y):

    radial = (1 + k1 r2 + k2 r2^2 + k3 r2^3) / (1 + k4 r2 + k5 r2^2 + k6 r2^3)
    a' = a radial + 2 p1 a b + p2 (r2 + 2 a^2) + s1 r2 + s2 r2^2
    b' = b radial + p1 (r2 + 2 b^2) + 2 p2 a b + s3 r2 + s4 r2^2
    (a'', b'') = tilt of the sensor by tau_x, tau_y applied to (a', b')
    u = K (a'', b'', 1)

Source: OpenCV's documentation of the calib3d module, "Detailed description".
"""

from functools import lru_cache
from typing import Any

import numpy as np
from jaxtyping import Float

DISTORTION_COUNTS = (0, 4, 5, 8, 12, 14)
_FULL = 14
# An array over points; numpy makes a scalar of it where there is a single point.
_PerPoint = Any
_Parts = tuple[_PerPoint, ...]
_NEWTON_STEPS = 20
# Residual on the normalised plane at which an undistorted point counts as found: 1e-10 is 1e-7 px at f = 1000.
_NEWTON_TOLERANCE = 1e-10


def pad_distortion(dist: Float[np.ndarray, " k"]) -> Float[np.ndarray, "14"]:
    """Coefficients filled with zeros to the full 14."""
    full = np.zeros(_FULL)
    full[: len(dist)] = dist
    return full


def fold_radius(dist: Float[np.ndarray, " k"]) -> float:
    """Radius on the ideal plane beyond which the radial distortion no longer grows; inf where it always does.

    Points farther out would land on pixels that nearer ones own, so no real lens shows them: the polynomial was
    fitted inside and says nothing there.
    """
    return _fold_radius(tuple(float(k) for k in pad_distortion(dist)[[0, 1, 4, 5, 6, 7]]))


def distort(x_norm: Float[np.ndarray, "*batch 2"], dist: Float[np.ndarray, " k"]) -> Float[np.ndarray, "*batch 2"]:
    """Distorted normalised coordinates of ideal ones."""
    if len(dist) == 0:
        return x_norm.copy()
    d = pad_distortion(dist)
    bent, _ = _bend(x_norm, d)
    return _apply_tilt(bent, d) if _is_tilted(d) else bent


def distort_with_jacobians(
    x_norm: Float[np.ndarray, "*batch 2"], dist: Float[np.ndarray, " k"]
) -> tuple[Float[np.ndarray, "*batch 2"], Float[np.ndarray, "*batch 2 2"], Float[np.ndarray, "*batch 2 k"]]:
    """Distorted coordinates, their Jacobian by the ideal coordinates, and by the coefficients."""
    d = pad_distortion(dist)
    bent, parts = _bend(x_norm, d)
    by_point = _bend_by_point(x_norm, d, parts)
    by_dist = _bend_by_coefficients(x_norm, parts)
    if _is_tilted(d) or len(dist) == _FULL:
        bent, by_point, by_dist = _tilt_chain(bent, by_point, by_dist, d)
    return bent, by_point, by_dist[..., : len(dist)]


def project(
    x_cam: Float[np.ndarray, "*batch 3"], K: Float[np.ndarray, "3 3"], dist: Float[np.ndarray, " k"]
) -> Float[np.ndarray, "*batch 2"]:
    """Pixel of each point; NaN for points on or behind the camera plane."""
    return distort(_normalise(x_cam), dist) @ K[:2, :2].T + K[:2, 2]


def project_with_jacobians(
    x_cam: Float[np.ndarray, "*batch 3"], K: Float[np.ndarray, "3 3"], dist: Float[np.ndarray, " k"]
) -> tuple[Float[np.ndarray, "*batch 2"], Float[np.ndarray, "*batch 2 3"], Float[np.ndarray, "*batch 2 p"]]:
    """Pixels and analytic Jacobians.

    Returns:
        x_image, d x_image / d x_cam, and d x_image / d (fx, fy, cx, cy, dist...), p = 4 + k.
    """
    x_norm = _normalise(x_cam)
    bent, by_norm, by_dist = distort_with_jacobians(x_norm, dist)
    norm_by_cam = np.zeros((*x_cam.shape[:-1], 2, 3))
    norm_by_cam[..., 0, 0] = norm_by_cam[..., 1, 1] = 1.0 / x_cam[..., 2]
    norm_by_cam[..., :, 2] = -x_norm / x_cam[..., 2:]
    A = K[:2, :2]
    by_K = np.zeros((*x_cam.shape[:-1], 2, 4))
    by_K[..., 0, 0], by_K[..., 1, 1] = bent[..., 0], bent[..., 1]
    by_K[..., 0, 2] = by_K[..., 1, 3] = 1.0
    by_parameters = np.concatenate([by_K, A @ by_dist], axis=-1)
    return bent @ A.T + K[:2, 2], A @ by_norm @ norm_by_cam, by_parameters


def project_with_point_jacobian(
    x_cam: Float[np.ndarray, "*batch 3"], K: Float[np.ndarray, "3 3"], dist: Float[np.ndarray, " k"]
) -> tuple[Float[np.ndarray, "*batch 2"], Float[np.ndarray, "*batch 2 3"]]:
    """Pixels and d x_image / d x_cam, without what derivatives by the lens's parameters cost."""
    x_norm = _normalise(x_cam)
    bent, by_norm = _distort_with_point_jacobian(x_norm, dist)
    A = K[:2, :2]
    by_cam = np.empty((*x_cam.shape[:-1], 2, 3))
    # K is upper triangular.
    by_cam[..., 0, :2] = A[0, 0] * by_norm[..., 0, :] + A[0, 1] * by_norm[..., 1, :]
    by_cam[..., 1, :2] = A[1, 1] * by_norm[..., 1, :]
    by_cam[..., 2] = -(by_cam[..., 0] * x_norm[..., :1] + by_cam[..., 1] * x_norm[..., 1:])
    by_cam /= x_cam[..., 2, None, None]
    return bent @ A.T + K[:2, 2], by_cam


def undistort(
    x_image: Float[np.ndarray, "*batch 2"], K: Float[np.ndarray, "3 3"], dist: Float[np.ndarray, " k"]
) -> Float[np.ndarray, "*batch 2"]:
    """Ideal normalised coordinates of pixels, by damped Newton steps.

    Returns NaN for a pixel that no ideal point within `fold_radius` projects to.
    """
    target = np.asarray((x_image - K[:2, 2]) @ np.linalg.inv(K[:2, :2]).T)
    if len(dist) == 0:
        return target
    reach = fold_radius(dist)
    x = _within(target, reach)
    for _ in range(_NEWTON_STEPS):
        bent, by_point = _distort_with_point_jacobian(x, dist)
        error = bent - target
        if np.max(np.abs(error), initial=0.0, where=~np.isnan(error)) < _NEWTON_TOLERANCE:
            break
        x = _within(x - _limited_step(by_point, error), reach)
    lost = ~(np.abs(distort(x, dist) - target).max(-1) < 1e3 * _NEWTON_TOLERANCE)
    return np.where(lost[..., None], np.nan, x)


@lru_cache(maxsize=64)
def _fold_radius(radial: tuple[float, ...]) -> float:
    """With s = r2: r top(s) / bottom(s) stops growing at a root of bottom or of its derivative's numerator."""
    k1, k2, k3, k4, k5, k6 = radial
    top, bottom = np.poly1d([k3, k2, k1, 1.0]), np.poly1d([k6, k5, k4, 1.0])
    growth = top * bottom + np.poly1d([2.0, 0.0]) * (top.deriv() * bottom - top * bottom.deriv())
    roots = np.concatenate([growth.roots, bottom.roots])
    real = np.real(roots)[(np.abs(np.imag(roots)) < 1e-9 * np.abs(roots)) & (np.real(roots) > 0)]
    return float(np.sqrt(real.min())) if len(real) else float("inf")


def _within(x_norm: np.ndarray, radius: float) -> np.ndarray:
    """Points farther than `radius` from the axis, moved back onto that circle."""
    length = np.linalg.norm(x_norm, axis=-1, keepdims=True)
    return x_norm * np.where(length > radius, radius / np.maximum(length, 1e-12), 1.0)


def _limited_step(by_point: np.ndarray, error: np.ndarray) -> np.ndarray:
    """Newton step of a 2x2 system, no longer than 0.5 so that it cannot leap over the fold."""
    a, b, c, d = (by_point[..., i, j] for i in (0, 1) for j in (0, 1))
    det = a * d - b * c
    det = np.where(np.abs(det) < 1e-6, np.where(det < 0, -1e-6, 1e-6), det)
    step = np.stack([d * error[..., 0] - b * error[..., 1], a * error[..., 1] - c * error[..., 0]], -1) / det[..., None]
    length = np.linalg.norm(step, axis=-1, keepdims=True)
    return step * np.minimum(1.0, 0.5 / np.maximum(length, 1e-12))


def _normalise(x_cam: np.ndarray) -> np.ndarray:
    z = x_cam[..., 2:]
    return x_cam[..., :2] / np.where(z > 0, z, np.nan)


def _bend(x_norm: np.ndarray, d: np.ndarray) -> tuple[np.ndarray, _Parts]:
    """Radial, tangential and thin-prism distortion, with the parts that derivatives reuse."""
    a, b = x_norm[..., 0], x_norm[..., 1]
    r2 = a * a + b * b
    top = 1 + r2 * (d[0] + r2 * (d[1] + r2 * d[4]))
    bottom = 1 + r2 * (d[5] + r2 * (d[6] + r2 * d[7]))
    radial = top / bottom
    bent_a = a * radial + 2 * d[2] * a * b + d[3] * (r2 + 2 * a * a) + r2 * (d[8] + r2 * d[9])
    bent_b = b * radial + d[2] * (r2 + 2 * b * b) + 2 * d[3] * a * b + r2 * (d[10] + r2 * d[11])
    return np.stack([bent_a, bent_b], -1), (r2, top, bottom, radial)


def _distort_with_point_jacobian(x_norm: np.ndarray, dist: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    d = pad_distortion(dist)
    if _is_tilted(d):
        bent, by_point, _ = distort_with_jacobians(x_norm, dist)
        return bent, by_point
    bent, parts = _bend(x_norm, d)
    return bent, _bend_by_point(x_norm, d, parts)


def _bend_by_point(x_norm: np.ndarray, d: np.ndarray, parts: _Parts) -> np.ndarray:
    a, b = x_norm[..., 0], x_norm[..., 1]
    r2, _, bottom, radial = parts
    top_by_r2 = d[0] + r2 * (2 * d[1] + r2 * 3 * d[4])
    bottom_by_r2 = d[5] + r2 * (2 * d[6] + r2 * 3 * d[7])
    radial_by_r2 = (top_by_r2 - radial * bottom_by_r2) / bottom
    prism_a, prism_b = d[8] + 2 * r2 * d[9], d[10] + 2 * r2 * d[11]
    J = np.empty((*x_norm.shape, 2))
    J[..., 0, 0] = radial + 2 * a * a * radial_by_r2 + 2 * d[2] * b + 6 * d[3] * a + 2 * a * prism_a
    J[..., 0, 1] = 2 * a * b * radial_by_r2 + 2 * d[2] * a + 2 * d[3] * b + 2 * b * prism_a
    J[..., 1, 0] = 2 * a * b * radial_by_r2 + 2 * d[2] * a + 2 * d[3] * b + 2 * a * prism_b
    J[..., 1, 1] = radial + 2 * b * b * radial_by_r2 + 6 * d[2] * b + 2 * d[3] * a + 2 * b * prism_b
    return J


def _bend_by_coefficients(x_norm: np.ndarray, parts: _Parts) -> np.ndarray:
    a, b = x_norm[..., 0], x_norm[..., 1]
    r2, _, bottom, radial = parts
    J = np.zeros((*x_norm.shape, _FULL))
    for column, power in ((0, 1), (1, 2), (4, 3)):
        J[..., column] = x_norm * (r2**power / bottom)[..., None]
    for column, power in ((5, 1), (6, 2), (7, 3)):
        J[..., column] = -x_norm * (radial * r2**power / bottom)[..., None]
    J[..., 0, 2], J[..., 1, 2] = 2 * a * b, r2 + 2 * b * b
    J[..., 0, 3], J[..., 1, 3] = r2 + 2 * a * a, 2 * a * b
    J[..., 0, 8], J[..., 0, 9] = r2, r2 * r2
    J[..., 1, 10], J[..., 1, 11] = r2, r2 * r2
    return J


def _is_tilted(d: np.ndarray) -> bool:
    return bool(d[12] != 0 or d[13] != 0)


def _tilt_matrices(tau_x: float, tau_y: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Homography of the tilted sensor and its derivatives by tau_x and tau_y."""
    cx, sx, cy, sy = np.cos(tau_x), np.sin(tau_x), np.cos(tau_y), np.sin(tau_y)
    rot_x, rot_x_d = (
        np.array([[1, 0, 0], [0, cx, sx], [0, -sx, cx]]),
        np.array([[0, 0, 0], [0, -sx, cx], [0, -cx, -sx]]),
    )
    rot_y, rot_y_d = (
        np.array([[cy, 0, -sy], [0, 1, 0], [sy, 0, cy]]),
        np.array([[-sy, 0, -cy], [0, 0, 0], [cy, 0, -sy]]),
    )

    def onto_sensor(R: np.ndarray, last: float) -> np.ndarray:
        return np.array([[R[2, 2], 0, -R[0, 2]], [0, R[2, 2], -R[1, 2]], [0, 0, last]])

    R, R_x, R_y = rot_y @ rot_x, rot_y @ rot_x_d, rot_y_d @ rot_x
    return (
        onto_sensor(R, 1.0) @ R,
        onto_sensor(R_x, 0.0) @ R + onto_sensor(R, 1.0) @ R_x,
        onto_sensor(R_y, 0.0) @ R + onto_sensor(R, 1.0) @ R_y,
    )


def _apply_tilt(bent: np.ndarray, d: np.ndarray) -> np.ndarray:
    H, _, _ = _tilt_matrices(d[12], d[13])
    h = bent @ H[:, :2].T + H[:, 2]
    return h[..., :2] / h[..., 2:]


def _tilt_chain(
    bent: np.ndarray, by_point: np.ndarray, by_dist: np.ndarray, d: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    H, H_x, H_y = _tilt_matrices(d[12], d[13])
    h = bent @ H[:, :2].T + H[:, 2]
    w = h[..., 2:]
    tilted = h[..., :2] / w
    by_h = np.zeros((*bent.shape, 3))
    by_h[..., 0, 0] = by_h[..., 1, 1] = 1 / w[..., 0]
    by_h[..., :, 2] = -tilted / w
    by_bent = by_h @ H[:, :2]
    by_dist = by_bent @ by_dist
    for column, derivative in ((12, H_x), (13, H_y)):
        h_d = bent @ derivative[:, :2].T + derivative[:, 2]
        by_dist[..., column] = (by_h @ h_d[..., None])[..., 0]
    return tilted, by_bent @ by_point, by_dist
