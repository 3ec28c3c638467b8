"""numba kernels of a kinematic skeleton: forward kinematics, analytic Jacobians, normal equations, tracking.

The rotation of a joint in its parent is R(q) = exp(q_1 a_1 + ... + q_m a_m) B rot(a_m+1, q_m+1) ... rot(a_n, q_n): m of
its n angles go through the exponential map (a swing, m = 2), the others turn one after the other (hinges, m = 0).
Columns of a frame's equations: 0 to 2 the root's translation, 3 to 5 a turn of the root in the world, then the angles.

A chain is the tuple (parents, offsets, first, exponential, base, axes, site_joint, site_offset, path, path_length):
joint j has the angles first[j] to first[j + 1]; path[s, :path_length[s]] are the angles that move site s.
"""

import numpy as np
from numba import njit

from mv3d.geometry.se3_kernels import exp_rotation


@njit(cache=True)
def _multiply(A, B, out):
    for a in range(3):
        for b in range(3):
            out[a, b] = A[a, 0] * B[0, b] + A[a, 1] * B[1, b] + A[a, 2] * B[2, b]


@njit(cache=True)
def _swing_axes(w, axes, count, P, out):
    """World axes P J(w) a_k of the exponential part, with the left Jacobian J of SO(3)."""
    angle2 = w[0] * w[0] + w[1] * w[1] + w[2] * w[2]
    angle = np.sqrt(angle2)
    if angle < 1e-4:
        a, b = 0.5 - angle2 / 24, 1.0 / 6 - angle2 / 120
    else:
        a, b = (1 - np.cos(angle)) / angle2, (angle - np.sin(angle)) / (angle2 * angle)
    for k in range(count):
        v = axes[k]
        c = np.array((w[1] * v[2] - w[2] * v[1], w[2] * v[0] - w[0] * v[2], w[0] * v[1] - w[1] * v[0]))
        d = np.array((w[1] * c[2] - w[2] * c[1], w[2] * c[0] - w[0] * c[2], w[0] * c[1] - w[1] * c[0]))
        for i in range(3):
            out[k, i] = 0.0
            for j in range(3):
                out[k, i] += P[i, j] * (v[j] + a * c[j] + b * d[j])


@njit(cache=True)
def joint_rotation(q, exponential, base, axes, P, world_axes, out):
    """The local rotation of one joint into `out`, and the world axis of each of its angles, given the parent's P."""
    turn, product, frame = np.empty((3, 3)), np.empty((3, 3)), np.empty((3, 3))
    w = np.zeros(3)
    for k in range(exponential):
        for i in range(3):
            w[i] += q[k] * axes[k, i]
    exp_rotation(w, turn)
    _multiply(turn, base, out)
    if exponential:
        _swing_axes(w, axes, exponential, P, world_axes)
    for k in range(exponential, len(q)):
        _multiply(P, out, frame)
        for i in range(3):
            world_axes[k, i] = frame[i, 0] * axes[k, 0] + frame[i, 1] * axes[k, 1] + frame[i, 2] * axes[k, 2]
            w[i] = q[k] * axes[k, i]
        exp_rotation(w, turn)
        _multiply(out, turn, product)
        out[:] = product


@njit(cache=True)
def place(chain, q, root, t, R, x, world_axes):
    """Frames R, x of all joints in the world, and the world axes of all angles."""
    parents, offsets, first, exponential, base, axes = chain[0], chain[1], chain[2], chain[3], chain[4], chain[5]
    local = np.empty((3, 3))
    R[0] = root
    x[0] = t
    for j in range(1, len(parents)):
        p = parents[j]
        for i in range(3):
            x[j, i] = x[p, i] + R[p, i, 0] * offsets[j, 0] + R[p, i, 1] * offsets[j, 1] + R[p, i, 2] * offsets[j, 2]
        a, b = first[j], first[j + 1]
        joint_rotation(q[a:b], exponential[j], base[j], axes[a:b], R[p], world_axes[a:b], local)
        _multiply(R[p], local, R[j])


@njit(cache=True)
def local_rotations(chain, q, root, out):
    """Rotations (frame, joint, 3, 3) of every joint in its parent."""
    parents, first, exponential, base, axes = chain[0], chain[2], chain[3], chain[4], chain[5]
    identity, unused = np.eye(3), np.empty((len(axes), 3))
    for f in range(len(q)):
        out[f, 0] = root[f]
        for j in range(1, len(parents)):
            a, b = first[j], first[j + 1]
            joint_rotation(q[f, a:b], exponential[j], base[j], axes[a:b], identity, unused[a:b], out[f, j])


@njit(cache=True)
def _misfit(chain, s, R, x, target, information, r, Wr):
    """Residual of site s and its squared Mahalanobis length."""
    j, offset = chain[6][s], chain[7][s]
    for i in range(3):
        r[i] = x[j, i] + R[j, i, 0] * offset[0] + R[j, i, 1] * offset[1] + R[j, i, 2] * offset[2] - target[s, i]
    square = 0.0
    for i in range(3):
        Wr[i] = information[s, i, 0] * r[0] + information[s, i, 1] * r[1] + information[s, i, 2] * r[2]
        square += r[i] * Wr[i]
    return square


@njit(cache=True)
def frame_cost(chain, R, x, target, information, scale2):
    """Robust cost of one frame: the sum over sites of c^2 log(1 + d^2 / c^2)."""
    r, Wr = np.empty(3), np.empty(3)
    cost = 0.0
    for s in range(len(chain[6])):
        cost += scale2 * np.log1p(_misfit(chain, s, R, x, target, information, r, Wr) / scale2)
    return cost


@njit(cache=True)
def _columns(chain, s, R, x, target, r, world_axes, index, J):
    """Derivatives of site s by the columns that move it; how many there are."""
    path, path_length, owner = chain[8], chain[9], chain[10]
    at = np.empty(3)
    for i in range(3):
        at[i] = r[i] + target[s, i]
    count = 6 + path_length[s]
    for k in range(count):
        if k < 3:
            index[k] = k
            J[k] = 0.0
            J[k, k] = 1.0
            continue
        if k < 6:
            index[k], j = k, 0
            w0, w1, w2 = 1.0 * (k == 3), 1.0 * (k == 4), 1.0 * (k == 5)
        else:
            d = path[s, k - 6]
            index[k], j = 6 + d, owner[d]
            w0, w1, w2 = world_axes[d, 0], world_axes[d, 1], world_axes[d, 2]
        l0, l1, l2 = at[0] - x[j, 0], at[1] - x[j, 1], at[2] - x[j, 2]
        J[k, 0], J[k, 1], J[k, 2] = w1 * l2 - w2 * l1, w2 * l0 - w0 * l2, w0 * l1 - w1 * l0
    return count


@njit(cache=True)
def frame_equations(chain, R, x, world_axes, target, information, scale2, H, g):
    """Add one frame's normal equations (lower triangle of H, gradient g); returns its cost."""
    r, Wr = np.empty(3), np.empty(3)
    width = 6 + chain[8].shape[1]
    index, J, WJ = np.empty(width, np.int64), np.empty((width, 3)), np.empty(3)
    cost = 0.0
    for s in range(len(chain[6])):
        square = _misfit(chain, s, R, x, target, information, r, Wr)
        if information[s, 0, 0] + information[s, 1, 1] + information[s, 2, 2] <= 0.0:
            continue
        cost += scale2 * np.log1p(square / scale2)
        weight = 1.0 / (1.0 + square / scale2)
        count = _columns(chain, s, R, x, target, r, world_axes, index, J)
        for a in range(count):
            for i in range(3):
                WJ[i] = weight * (
                    information[s, i, 0] * J[a, 0] + information[s, i, 1] * J[a, 1] + information[s, i, 2] * J[a, 2]
                )
            g[index[a]] += weight * (J[a, 0] * Wr[0] + J[a, 1] * Wr[1] + J[a, 2] * Wr[2])
            for b in range(a + 1):
                H[index[a], index[b]] += J[b, 0] * WJ[0] + J[b, 1] * WJ[1] + J[b, 2] * WJ[2]
    return cost


@njit(cache=True)
def clamp(q, lower, upper, first, exponential, reach):
    """Put the angles of a frame into their limits: a box, and a ball for the exponential part."""
    for k in range(len(q)):
        q[k] = min(max(q[k], lower[k]), upper[k])
    for j in range(1, len(exponential)):
        if exponential[j]:
            length = 0.0
            for k in range(first[j], first[j] + exponential[j]):
                length += q[k] * q[k]
            length = np.sqrt(length)
            if length > reach[j]:
                for k in range(first[j], first[j] + exponential[j]):
                    q[k] *= reach[j] / length


@njit(cache=True)
def hold_active(q, g, lower, upper, H):
    """Fix the angles at a bound that the gradient pushes outwards: unit rows and columns, no gradient."""
    n = len(g)
    for k in range(len(q)):
        c = 6 + k
        if (q[k] <= lower[k] and g[c] > 0) or (q[k] >= upper[k] and g[c] < 0):
            for a in range(n):
                H[max(a, c), min(a, c)] = 0.0
            H[c, c] = 1.0
            g[c] = 0.0


@njit(cache=True)
def _descend(chain, limits, target, information, scale2, pull, centre, q, root, t, steps):
    """Levenberg-Marquardt on one frame in place; angles are drawn to `centre` with precision `pull`. Its cost."""
    joints, n = len(chain[0]), 6 + len(q)
    R, x, world_axes = np.empty((joints, 3, 3)), np.empty((joints, 3)), np.empty((len(q), 3))
    turn, new_root = np.empty((3, 3)), np.empty((3, 3))
    damping, best = 1e-3, np.inf
    place(chain, q, root, t, R, x, world_axes)
    best = frame_cost(chain, R, x, target, information, scale2) + (pull * (q - centre) ** 2).sum()
    for _ in range(steps):
        H, g = np.zeros((n, n)), np.zeros(n)
        frame_equations(chain, R, x, world_axes, target, information, scale2, H, g)
        for k in range(len(q)):
            H[6 + k, 6 + k] += pull[k]
            g[6 + k] += pull[k] * (q[k] - centre[k])
        hold_active(q, g, limits[0], limits[1], H)
        for a in range(n):
            for b in range(a):
                H[b, a] = H[a, b]
            H[a, a] = H[a, a] * (1 + damping) + 1e-6
        step = np.linalg.solve(H, g)
        new_q, new_t = q - step[6:], t - step[:3]
        clamp(new_q, limits[0], limits[1], chain[2], chain[3], limits[2])
        exp_rotation(-step[3:6], turn)
        _multiply(turn, root, new_root)
        place(chain, new_q, new_root, new_t, R, x, world_axes)
        cost = frame_cost(chain, R, x, target, information, scale2) + (pull * (new_q - centre) ** 2).sum()
        if cost <= best:
            small = best - cost < 1e-3 * best
            q[:], t[:], root[:], best = new_q, new_t, new_root, cost
            damping *= 0.2
            if small:
                break
        else:
            damping *= 10.0
            place(chain, q, root, t, R, x, world_axes)
    return best


@njit(cache=True)
def track(chain, limits, target, information, scale2, posture, rate, neutral, q, root, t, steps):
    """Fit frame after frame, each from the one before and from the neutral pose; the better one stays.

    `root` and `t` come in as a guess for every frame, and a frame starts from it. Angles are drawn to the neutral pose
    with precision `posture`, and to those of the frame before with precision `rate`.
    """
    pull = posture + rate
    for f in range(len(q)):
        q[f] = neutral
        own_root, own_t = root[f].copy(), t[f].copy()
        many = 4 * steps if f == 0 else steps
        cost = _descend(chain, limits, target[f], information[f], scale2, posture, neutral, q[f], root[f], t[f], many)
        if f:
            centre = (posture * neutral + rate * q[f - 1]) / pull
            other = q[f - 1].copy()
            held = _descend(
                chain, limits, target[f], information[f], scale2, pull, centre, other, own_root, own_t, steps
            )
            if held < 1.5 * cost + 1.0:
                q[f], root[f], t[f] = other, own_root, own_t
