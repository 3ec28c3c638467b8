"""Kernel that fits a homography: called thousands of times with a handful of points."""

import numpy as np
from numba import njit


@njit(cache=True, nogil=True)
def fit(plane, x_image, weights):
    """Homography (3, 3) of points (point, 2) by the normalised direct linear transform, H[2, 2] = 1.

    Source: Hartley and Zisserman, Multiple View Geometry, 2nd ed., algorithm 4.2.
    """
    n = len(plane)
    frame = np.zeros((2, 3))  # of plane and image: mean x, mean y, mean distance along an axis
    for side in range(2):
        points = plane if side == 0 else x_image
        for i in range(n):
            frame[side, 0] += points[i, 0] / n
            frame[side, 1] += points[i, 1] / n
        for i in range(n):
            frame[side, 2] += (abs(points[i, 0] - frame[side, 0]) + abs(points[i, 1] - frame[side, 1])) / (2 * n)
        frame[side, 2] += 1e-12
    A = np.zeros((9, 9))
    row = np.zeros(9)
    for i in range(n):
        q = ((plane[i, 0] - frame[0, 0]) / frame[0, 2], (plane[i, 1] - frame[0, 1]) / frame[0, 2], 1.0)
        for k in range(2):
            u = (x_image[i, k] - frame[1, k]) / frame[1, 2]
            row[:] = 0.0
            for j in range(3):
                row[3 * k + j] = weights[i] * q[j]
                row[6 + j] = -weights[i] * u * q[j]
            for a in range(9):
                for b in range(a + 1):
                    A[a, b] += row[a] * row[b]
    for a in range(9):
        for b in range(a):
            A[b, a] = A[a, b]
    _, vectors = np.linalg.eigh(A)
    h = np.ascontiguousarray(vectors[:, 0]).reshape(3, 3)
    H = np.empty((3, 3))
    for i in range(3):
        for k in range(2):
            H[i, k] = h[i, k] / frame[0, 2]
        H[i, 2] = h[i, 2] - H[i, 0] * frame[0, 0] - H[i, 1] * frame[0, 1]
    for k in range(2):
        for j in range(3):
            H[k, j] = frame[1, 2] * H[k, j] + frame[1, k] * H[2, j]
    return H / (H[2, 2] if abs(H[2, 2]) > 1e-12 else 1.0)
