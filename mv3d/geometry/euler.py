"""Rotations as three turns about axes, for the formats that want them: any order of x, y and z."""

import numpy as np
from jaxtyping import Float

from mv3d.geometry.euler_kernels import continuous

ORDERS = ("XYZ", "XZY", "YXZ", "YZX", "ZXY", "ZYX")
"""Orders of three different axes."""
_AXIS = {"X": 0, "Y": 1, "Z": 2}
# cos of the middle angle below which the first and the last axis are taken for parallel; what is then put into the
# first angle is off by less than this (rad).
_LOCKED = 1e-7


def rotation_about(axis: str, angle: Float[np.ndarray, "*batch"] | float) -> Float[np.ndarray, "*batch 3 3"]:
    """Turn by `angle` (rad) about "X", "Y" or "Z"."""
    i = _AXIS[axis]
    j, k = (i + 1) % 3, (i + 2) % 3
    out = np.zeros((*np.shape(angle), 3, 3))
    out[..., i, i] = 1.0
    out[..., j, j] = out[..., k, k] = np.cos(angle)
    out[..., k, j] = np.sin(angle)
    out[..., j, k] = -np.sin(angle)
    return out


def rotation_from_euler(angles: Float[np.ndarray, "*batch turn"], order: str) -> Float[np.ndarray, "*batch 3 3"]:
    """The product of turns in the order written: "ZXY" is R = Rz(angles[0]) @ Rx(angles[1]) @ Ry(angles[2]).

    Args:
        angles: rad, one for each letter.
        order: letters X, Y and Z, any number of them.
    """
    R = np.broadcast_to(np.eye(3), (*angles.shape[:-1], 3, 3)).copy()
    for i, axis in enumerate(order):
        R = R @ rotation_about(axis, angles[..., i])
    return R


def euler_from_rotation(R: Float[np.ndarray, "frame 3 3"], order: str) -> Float[np.ndarray, "frame 3"]:
    """Angles (rad) of a sequence of rotations, R = R_i(a) @ R_j(b) @ R_k(c), without jumps where they can be avoided.

    Of the two solutions of each frame, and of all their full turns, the one nearest to the frame before is taken. Where
    the middle angle is a right one and only a + c or a - c is determined, a stays what it was.

    Args:
        R: of consecutive frames.
        order: one of ORDERS.
    """
    if order not in ORDERS:
        raise ValueError(f"order is {order!r}, wanted one of {', '.join(ORDERS)}")
    i, j, k = (_AXIS[axis] for axis in order)
    sign = 1.0 if (j - i) % 3 == 1 else -1.0
    # The first column of turns about i and j: R e_k = R_i R_j e_k does not know c.
    locked = np.hypot(R[:, j, k], R[:, k, k]) < _LOCKED
    first = np.arctan2(-sign * R[:, j, k], R[:, k, k])
    first = _held(first, locked)
    one = _rest(R, first, order)
    other = _rest(R, first + np.pi, order)
    out = np.empty_like(one)
    continuous(one, other, locked, out)
    return out


def _held(first: np.ndarray, locked: np.ndarray) -> np.ndarray:
    """First angles with those of locked frames taken from the frame before, 0 at the start."""
    frames = np.where(locked, -1, np.arange(len(first)))
    last = np.maximum.accumulate(frames) if len(frames) else frames
    return np.where(last >= 0, first[last], 0.0)


def _rest(R: np.ndarray, first: np.ndarray, order: str) -> np.ndarray:
    """The second and third angle given the first: exact also where the first is arbitrary."""
    i, j, k = (_AXIS[axis] for axis in order)
    sign = 1.0 if (j - i) % 3 == 1 else -1.0
    M = np.swapaxes(rotation_about(order[0], first), -1, -2) @ R
    second = np.arctan2(sign * M[:, i, k], M[:, k, k])
    third = np.arctan2(sign * M[:, j, i], M[:, j, j])
    return np.stack([first, second, third], axis=-1)
