"""Unit quaternions (x, y, z, w) of rotations, and back."""

import numpy as np
from jaxtyping import Float

from mv3d.geometry.quaternion_kernels import quaternions


def steady_quaternions(R: Float[np.ndarray, "frame 3 3"]) -> Float[np.ndarray, "frame 4"]:
    """Unit quaternions (x, y, z, w), each in the hemisphere of the one before it, the first with w >= 0."""
    out = np.empty((len(R), 4))
    quaternions(np.ascontiguousarray(R, float), out)
    return out


def rotation_of_quaternion(q: Float[np.ndarray, "*batch 4"]) -> Float[np.ndarray, "*batch 3 3"]:
    """Rotations of quaternions (x, y, z, w), which need not have unit length."""
    x, y, z, w = np.moveaxis(q / np.linalg.norm(q, axis=-1, keepdims=True), -1, 0)
    rows = [
        [1 - 2 * (y * y + z * z), 2 * (x * y - z * w), 2 * (x * z + y * w)],
        [2 * (x * y + z * w), 1 - 2 * (x * x + z * z), 2 * (y * z - x * w)],
        [2 * (x * z - y * w), 2 * (y * z + x * w), 1 - 2 * (x * x + y * y)],
    ]
    return np.stack([np.stack(row, axis=-1) for row in rows], axis=-2)
