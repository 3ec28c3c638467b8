"""numba kernels of the bones: their rows in the normal equations, and what they tell a joint of its neighbours."""

import numpy as np
from numba import njit, prange

from mv3d.geometry.triangulation_kernels import solve_3x3

_SHORTEST = 1e-6
# Weak pull to where a joint is, 1/m^2 (a sigma of 30 m): keeps one without observations from being singular.
_RIDGE = 1e-3


@njit(cache=True, parallel=True)
def bone_rows(x, ends, length, precision, scale2, direction, error, weight):
    """Direction u (bone, frame, 3), error |x_a - x_b| - length m, and robust weight 1/m^2 of every bone and frame."""
    for i in prange(len(ends)):
        a, b = ends[i, 0], ends[i, 1]
        for f in range(x.shape[1]):
            d0, d1, d2 = x[a, f, 0] - x[b, f, 0], x[a, f, 1] - x[b, f, 1], x[a, f, 2] - x[b, f, 2]
            now = np.sqrt(d0 * d0 + d1 * d1 + d2 * d2)
            if not now > _SHORTEST:
                weight[i, f] = 0.0
                direction[i, f] = 0.0
                error[i, f] = 0.0
                continue
            direction[i, f, 0], direction[i, f, 1], direction[i, f, 2] = d0 / now, d1 / now, d2 / now
            error[i, f] = now - length[i]
            robust = scale2[i] / (scale2[i] + error[i, f] ** 2)
            weight[i, f] = precision[i] * robust * robust


@njit(cache=True)
def add_rows(ends, direction, error, weight, H, g):
    """Add the bones' own blocks to H (joint, frame, 3, 3) and their gradients to g (joint, frame, 3)."""
    for i in range(len(ends)):
        a, b = ends[i, 0], ends[i, 1]
        for f in range(H.shape[1]):
            w, u = weight[i, f], direction[i, f]
            for r in range(3):
                pull = w * error[i, f] * u[r]
                g[a, f, r] += pull
                g[b, f, r] -= pull
                for s in range(3):
                    H[a, f, r, s] += w * u[r] * u[s]
                    H[b, f, r, s] += w * u[r] * u[s]


@njit(cache=True)
def apply_couplings(ends, direction, weight, p, out):
    """Add to out the bones' blocks between their two joints times p; their own blocks are in H already."""
    for i in range(len(ends)):
        a, b = ends[i, 0], ends[i, 1]
        for f in range(p.shape[1]):
            w, u = weight[i, f], direction[i, f]
            pa = w * (u[0] * p[a, f, 0] + u[1] * p[a, f, 1] + u[2] * p[a, f, 2])
            pb = w * (u[0] * p[b, f, 0] + u[1] * p[b, f, 1] + u[2] * p[b, f, 2])
            for r in range(3):
                out[a, f, r] -= u[r] * pb
                out[b, f, r] -= u[r] * pa


@njit(cache=True)
def _told(H, u, q, ridge):
    """Precision along u that a bone of precision q passes on from a joint of information H."""
    M, x = np.empty((3, 3)), np.empty(3)
    for r in range(3):
        for s in range(3):
            M[r, s] = H[r, s] + (ridge if r == s else 0.0)
    if not solve_3x3(M, u, x):
        return 0.0
    variance = u[0] * x[0] + u[1] * x[1] + u[2] * x[2]
    return q / (1.0 + q * variance) if variance > 0 else 0.0


@njit(cache=True, parallel=True)
def pass_messages(order, ends, direction, weight, ridge, H):
    """Add to H (joint, frame, 3, 3) what each joint learns through the bones of a tree, frame by frame.

    order (bone,): bones from the leaves to the root; ends[i] = (parent, child). Belief propagation (Pearl, 1988):
    up the tree, then down, each message without what its receiver said before.
    """
    bones = len(order)
    for f in prange(H.shape[1]):
        up = np.zeros(bones)
        for k in range(bones):
            i = order[k]
            a, b = ends[i, 0], ends[i, 1]
            u = direction[i, f]
            up[i] = _told(H[b, f], u, weight[i, f], ridge)
            for r in range(3):
                for s in range(3):
                    H[a, f, r, s] += up[i] * u[r] * u[s]
        rest = np.empty((3, 3))
        for k in range(bones - 1, -1, -1):
            i = order[k]
            a, b = ends[i, 0], ends[i, 1]
            u = direction[i, f]
            for r in range(3):
                for s in range(3):
                    rest[r, s] = H[a, f, r, s] - up[i] * u[r] * u[s]
            down = _told(rest, u, weight[i, f], ridge)
            for r in range(3):
                for s in range(3):
                    H[b, f, r, s] += down * u[r] * u[s]


@njit(cache=True)
def _quadratic(H, u, b):
    """u^T H^-1 u and u^T H^-1 b, with the ridge; an infinite variance where H is singular."""
    M, x = np.empty((3, 3)), np.empty(3)
    for r in range(3):
        for s in range(3):
            M[r, s] = H[r, s] + (_RIDGE if r == s else 0.0)
    if not solve_3x3(M, u, x):
        return np.inf, 0.0
    return u[0] * x[0] + u[1] * x[1] + u[2] * x[2], b[0] * x[0] + b[1] * x[1] + b[2] * x[2]


@njit(cache=True)
def _tell(H, b, u, weight, wanted):
    """Add the scalar measurement u . step = wanted of this weight."""
    for r in range(3):
        b[r] += weight * wanted * u[r]
        for s in range(3):
            H[r, s] += weight * u[r] * u[s]


@njit(cache=True)
def measure_along_bones(x, active, order, ends, length, tau2, scale2, H, b):
    """Add to H and b (joint, 3, 3 and 3) what every joint learns of its step through the bones' tree.

    order (bone,): from the leaves to the root; ends[i] = (parent, child). Up the tree, then down, each message without
    what its receiver said before. Bones that are off by more than sqrt(scale2) of their tau lose their hold.
    """
    bones = len(order)
    up, wanted, u = np.zeros(bones), np.zeros(bones), np.zeros((len(length), 3))
    error, weight = np.zeros(len(length)), np.zeros(len(length))
    for n in range(bones):
        i = order[n]
        a, c = ends[i, 0], ends[i, 1]
        if not (active[a] and active[c]):
            continue
        now = np.sqrt((x[a, 0] - x[c, 0]) ** 2 + (x[a, 1] - x[c, 1]) ** 2 + (x[a, 2] - x[c, 2]) ** 2)
        if not now > _SHORTEST:
            continue
        for k in range(3):
            u[i, k] = (x[a, k] - x[c, k]) / now
        error[i] = now - length[i]
        robust = scale2 * tau2[i] / (scale2 * tau2[i] + error[i] ** 2)
        weight[i] = robust * robust / tau2[i]
        variance, mean = _quadratic(H[c], u[i], b[c])
        up[n], wanted[n] = 1 / (1 / weight[i] + variance), mean - error[i]
        _tell(H[a], b[a], u[i], up[n], wanted[n])
    rest, left = np.empty((3, 3)), np.empty(3)
    for n in range(bones - 1, -1, -1):
        i = order[n]
        a, c = ends[i, 0], ends[i, 1]
        if weight[i] > 0:
            rest[:], left[:] = H[a], b[a]
            _tell(rest, left, u[i], -up[n], wanted[n])
            variance, mean = _quadratic(rest, u[i], left)
            _tell(H[c], b[c], u[i], 1 / (1 / weight[i] + variance), mean + error[i])
