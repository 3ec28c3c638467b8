"""numba kernels of the fit of a whole sequence: its cost, and its normal equations in LAPACK's lower band layout.

The unknowns of frame f are the columns f n to (f + 1) n of `pose_kernels`. `band[c, k]` is A[c + k, c].

Priors on every column: rates and accelerations by divided differences of the increments d from frame to frame, each
weighted with the time that it stands for, a pull towards a rest value, and angles of two joints that are held alike.
"""

import numpy as np
from numba import njit

from mv3d.motion.pose_kernels import frame_cost, frame_equations, place


@njit(cache=True)
def increments(q, root, t, out):
    """What changes from frame to frame in every column (frame - 1, column); the root's turn as a rotation vector."""
    for f in range(len(q) - 1):
        for i in range(3):
            out[f, i] = t[f + 1, i] - t[f, i]
        M = root[f + 1] @ root[f].T
        sine = np.array((M[2, 1] - M[1, 2], M[0, 2] - M[2, 0], M[1, 0] - M[0, 1])) / 2
        length = np.sqrt((sine**2).sum())
        angle = np.arctan2(length, (M[0, 0] + M[1, 1] + M[2, 2] - 1) / 2)
        out[f, 3:6] = sine * (angle / length if length > 1e-9 else 1.0)
        out[f, 6:] = q[f + 1] - q[f]


@njit(cache=True)
def _prior_rows(h, f, clock):
    """Squared-difference rows at frame f: weight of the rate row, and the bend row's weight and two coefficients."""
    weight = clock * h[f] / (h[f] * h[f])
    if f + 1 >= len(h):
        return weight, 0.0, 0.0, 0.0
    both = h[f] + h[f + 1]
    return weight, clock * both / 2, 2 / (both * h[f]), 2 / (both * h[f + 1])


@njit(cache=True)
def prior_cost(d, q, centre, h, pull, rate, bend, clock, shared, sharing):
    """Cost of the priors."""
    cost = 0.0
    for f in range(len(q)):
        for a, b in shared:
            cost += sharing * (q[f, a] - q[f, b]) ** 2
    for f in range(len(q)):
        for k in range(q.shape[1]):
            cost += pull[k] * (q[f, k] - centre[k]) ** 2
    for f in range(len(d)):
        by_rate, by_bend, c1, c2 = _prior_rows(h, f, clock)
        for k in range(d.shape[1]):
            cost += rate[k] * by_rate * d[f, k] ** 2
            if by_bend > 0:
                cost += bend[k] * by_bend * (c2 * d[f + 1, k] - c1 * d[f, k]) ** 2
    return cost


@njit(cache=True)
def sequence_cost(chain, q, root, t, target, information, scale2):
    """Cost of the sites in all frames."""
    joints = len(chain[0])
    R, x, axes = np.empty((joints, 3, 3)), np.empty((joints, 3)), np.empty((q.shape[1], 3))
    cost = 0.0
    for f in range(len(q)):
        place(chain, q[f], root[f], t[f], R, x, axes)
        cost += frame_cost(chain, R, x, target[f], information[f], scale2)
    return cost


@njit(cache=True)
def data_equations(chain, q, root, t, target, information, scale2, band, g):
    """Normal equations of the sites into an empty band and gradient."""
    joints, n = len(chain[0]), 6 + q.shape[1]
    R, x, axes = np.empty((joints, 3, 3)), np.empty((joints, 3)), np.empty((q.shape[1], 3))
    H = np.empty((n, n))
    band[:] = 0.0
    g[:] = 0.0
    for f in range(len(q)):
        place(chain, q[f], root[f], t[f], R, x, axes)
        H[:] = 0.0
        first = f * n
        frame_equations(chain, R, x, axes, target[f], information[f], scale2, H, g[first : first + n])
        for c in range(n):
            for r in range(c, n):
                band[first + c, r - c] = H[r, c]


@njit(cache=True)
def prior_equations(d, q, centre, h, pull, rate, bend, clock, shared, sharing, band, g):
    """Add the priors."""
    frames, n = len(q), 6 + q.shape[1]
    for f in range(frames):
        for a, b in shared:  # a < b
            first, second = f * n + 6 + a, f * n + 6 + b
            row = sharing * (q[f, a] - q[f, b])
            g[first] += row
            g[second] -= row
            band[first, 0] += sharing
            band[second, 0] += sharing
            band[first, b - a] -= sharing
    for f in range(frames):
        for k in range(n - 6):
            c = f * n + 6 + k
            band[c, 0] += pull[k]
            g[c] += pull[k] * (q[f, k] - centre[k])
    for f in range(len(d)):
        by_rate, by_bend, c1, c2 = _prior_rows(h, f, clock)
        for k in range(n):
            a = f * n + k
            w = rate[k] * by_rate
            band[a, 0] += w
            band[a, n] -= w
            band[a + n, 0] += w
            g[a] -= w * d[f, k]
            g[a + n] += w * d[f, k]
            if by_bend > 0:
                w = bend[k] * by_bend
                row = w * (c2 * d[f + 1, k] - c1 * d[f, k])
                # The row's coefficients of frames f, f + 1, f + 2 are c1, -(c1 + c2), c2.
                both = c1 + c2
                g[a] += c1 * row
                g[a + n] -= both * row
                g[a + 2 * n] += c2 * row
                band[a, 0] += w * c1 * c1
                band[a, n] -= w * c1 * both
                band[a, 2 * n] += w * c1 * c2
                band[a + n, 0] += w * both * both
                band[a + n, n] -= w * both * c2
                band[a + 2 * n, 0] += w * c2 * c2


@njit(cache=True)
def damp(work, rhs, q, lower, upper, damping):
    """Damp a copy of the equations, and fix angles that the step would push out of their limits: unit rows and columns.

    `rhs` comes in as the negative gradient.
    """
    n, width = 6 + q.shape[1], work.shape[1] - 1
    for c in range(len(work)):
        work[c, 0] = work[c, 0] * (1 + damping) + 1e-9
    for c in range(len(work)):
        k = c % n - 6
        if k < 0:
            continue
        value = q[c // n, k]
        if (value <= lower[k] and rhs[c] < 0) or (value >= upper[k] and rhs[c] > 0):
            for r in range(1, min(width, len(work) - 1 - c) + 1):
                work[c, r] = 0.0
            for r in range(1, min(width, c) + 1):
                work[c - r, r] = 0.0
            work[c, 0] = 1.0
            rhs[c] = 0.0
