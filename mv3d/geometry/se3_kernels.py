"""numba kernels of rigid motions: the exponential map, composition, the adjoint, and 6 x 6 systems over poses."""

import numpy as np
from numba import njit


@njit(cache=True, inline="always")
def exp_rotation(w, out):
    """Rodrigues' formula; its series below 1e-5 rad, exact to 1e-16 there."""
    x, y, z = w[0], w[1], w[2]
    angle2 = x * x + y * y + z * z
    angle = np.sqrt(angle2)
    if angle < 1e-5:
        a, b = 1.0 - angle2 / 6, 0.5 - angle2 / 24
    else:
        a, b = np.sin(angle) / angle, (1 - np.cos(angle)) / angle2
    out[0, 0], out[0, 1], out[0, 2] = 1 - b * (y * y + z * z), b * x * y - a * z, b * x * z + a * y
    out[1, 0], out[1, 1], out[1, 2] = b * x * y + a * z, 1 - b * (x * x + z * z), b * y * z - a * x
    out[2, 0], out[2, 1], out[2, 2] = b * x * z - a * y, b * y * z + a * x, 1 - b * (x * x + y * y)


@njit(cache=True)
def compose(Rc, tc, Rb, tb, R, t):
    """R, t of the board in the camera, from the camera in the world and the board in the world."""
    for i in range(3):
        t[i] = tc[i] + Rc[i, 0] * tb[0] + Rc[i, 1] * tb[1] + Rc[i, 2] * tb[2]
        for j in range(3):
            R[i, j] = Rc[i, 0] * Rb[0, j] + Rc[i, 1] * Rb[1, j] + Rc[i, 2] * Rb[2, j]


@njit(cache=True)
def adjoint(R, t, A):
    """How a change of the board's pose in the world becomes one in the camera: [[R, 0], [t x R, R]]."""
    for i in range(3):
        for j in range(3):
            A[i, j] = A[3 + i, 3 + j] = R[i, j]
            A[i, 3 + j] = 0.0
        A[3, i] = t[1] * R[2, i] - t[2] * R[1, i]
        A[4, i] = t[2] * R[0, i] - t[0] * R[2, i]
        A[5, i] = t[0] * R[1, i] - t[1] * R[0, i]


@njit(cache=True)
def invert6(V, damping, L, inverse):
    """Inverse of a damped 6 x 6 positive matrix by Cholesky; the ridge only matters for a board without corners."""
    for i in range(6):
        for j in range(i + 1):
            total = V[i, j]
            if i == j:
                total = total * (1 + damping) + 1e-12
            for m in range(j):
                total -= L[i, m] * L[j, m]
            if i == j:
                L[i, i] = np.sqrt(max(total, 1e-30))
            else:
                L[i, j] = total / L[j, j]
    for column in range(6):
        for i in range(6):
            total = 1.0 if i == column else 0.0
            for m in range(i):
                total -= L[i, m] * inverse[m, column]
            inverse[i, column] = total / L[i, i]
        for i in range(5, -1, -1):
            total = inverse[i, column]
            for m in range(i + 1, 6):
                total -= L[m, i] * inverse[m, column]
            inverse[i, column] = total / L[i, i]
