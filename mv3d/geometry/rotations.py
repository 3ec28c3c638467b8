"""Rotations in three dimensions: the exponential map of SO(3), and frames built from directions."""

import numpy as np
from jaxtyping import Float

# Below this angle (rad) the closed forms lose digits; two terms of the series are exact to 1e-16 there.
_SMALL_ANGLE = 1e-4


def skew(v: Float[np.ndarray, "*batch 3"]) -> Float[np.ndarray, "*batch 3 3"]:
    """Cross-product matrix: `skew(a) @ b == np.cross(a, b)`."""
    out = np.zeros((*v.shape, 3))
    out[..., 0, 1], out[..., 0, 2], out[..., 1, 2] = -v[..., 2], v[..., 1], -v[..., 0]
    out[..., 1, 0], out[..., 2, 0], out[..., 2, 1] = v[..., 2], -v[..., 1], v[..., 0]
    return out


def rotation_from_vector(rotation_vector: Float[np.ndarray, "*batch 3"]) -> Float[np.ndarray, "*batch 3 3"]:
    """Exponential map (Rodrigues): R = I + sin(a)/a [v] + (1 - cos(a))/a^2 [v]^2, a = |v| in radians."""
    angle = np.linalg.norm(rotation_vector, axis=-1)[..., None, None]
    small = angle < _SMALL_ANGLE
    safe = np.where(small, 1.0, angle)
    a = np.where(small, 1 - angle**2 / 6, np.sin(safe) / safe)
    b = np.where(small, 0.5 - angle**2 / 24, (1 - np.cos(safe)) / safe**2)
    v = skew(rotation_vector)
    return np.eye(3) + a * v + b * (v @ v)


def vector_from_rotation(R: Float[np.ndarray, "*batch 3 3"]) -> Float[np.ndarray, "*batch 3"]:
    """Logarithm of SO(3): the rotation vector of least angle, in [0, pi]; exact near 0 and near pi.

    Goes through the unit quaternion of largest component (Shepperd 1978), which never divides by a small number.
    """
    flat = R.reshape(-1, 3, 3)
    m00, m11, m22 = flat[:, 0, 0], flat[:, 1, 1], flat[:, 2, 2]
    # Rows of the 4x4 matrix 4 q q^T, q = (w, x, y, z); the row of the largest diagonal entry gives q up to scale.
    q4 = np.empty((len(flat), 4, 4))
    q4[:, 0, 0], q4[:, 1, 1] = 1 + m00 + m11 + m22, 1 + m00 - m11 - m22
    q4[:, 2, 2], q4[:, 3, 3] = 1 - m00 + m11 - m22, 1 - m00 - m11 + m22
    q4[:, 0, 1] = q4[:, 1, 0] = flat[:, 2, 1] - flat[:, 1, 2]
    q4[:, 0, 2] = q4[:, 2, 0] = flat[:, 0, 2] - flat[:, 2, 0]
    q4[:, 0, 3] = q4[:, 3, 0] = flat[:, 1, 0] - flat[:, 0, 1]
    q4[:, 1, 2] = q4[:, 2, 1] = flat[:, 0, 1] + flat[:, 1, 0]
    q4[:, 1, 3] = q4[:, 3, 1] = flat[:, 0, 2] + flat[:, 2, 0]
    q4[:, 2, 3] = q4[:, 3, 2] = flat[:, 1, 2] + flat[:, 2, 1]
    best = np.argmax(np.diagonal(q4, axis1=1, axis2=2), axis=1)
    q = q4[np.arange(len(flat)), best]
    q /= np.linalg.norm(q, axis=1, keepdims=True)
    q *= np.where(q[:, :1] < 0, -1.0, 1.0)
    sin_half = np.linalg.norm(q[:, 1:], axis=1, keepdims=True)
    angle = 2 * np.arctan2(sin_half, q[:, :1])
    factor = np.where(sin_half < 1e-8, 2.0, angle / np.where(sin_half < 1e-8, 1.0, sin_half))
    return (factor * q[:, 1:]).reshape(*R.shape[:-2], 3)


def nearest_rotation(m: Float[np.ndarray, "*batch 3 3"]) -> Float[np.ndarray, "*batch 3 3"]:
    """Rotation closest to `m` in the Frobenius norm (orthogonal Procrustes, determinant +1)."""
    u, _, vt = np.linalg.svd(m)
    sign = np.sign(np.linalg.det(u @ vt))
    u[..., :, 2] *= sign[..., None]
    return u @ vt


def look_along(forward: Float[np.ndarray, "3"], up: Float[np.ndarray, "3"]) -> Float[np.ndarray, "3 3"]:
    """Rotation `cam_from_world` of a camera that looks along `forward` with `up` towards the top of its image.

    Rows are the camera's x (right), y (down) and z (forward) axes in the world.

    Raises:
        ValueError: `up` is parallel to `forward`.
    """
    z = forward / np.linalg.norm(forward)
    y = -(up - (up @ z) * z)
    length = np.linalg.norm(y)
    if length < 1e-9 * np.linalg.norm(up):
        raise ValueError("up is parallel to the viewing direction")
    y = y / length
    return np.stack([np.cross(y, z), y, z])
