"""numba kernels of the joint bundle: normal equations view by view, boards and view offsets eliminated.

A view is one board in one camera. Its corners depend on the camera's intrinsics, on the pose of the board in the
camera and, where time counts, on the camera's line time and the view's time offset s. Columns of a view's block:

    fx fy cx cy | dist (count) | rotation (3), translation (3) | line, s      (the last two only if timed)

Poses change from the left: R <- exp(w) R, t <- exp(w) t + u. A camera's block is the same with the camera's mean
offset o in place of s, because the prior (s - o)^2 / sd^2 is all that o does. Board poses (6) and s (1) are eliminated
by Schur complement; what remains is dense in the cameras.
Source of the elimination: Triggs et al., Bundle Adjustment - A Modern Synthesis, 2000, section 6.
"""

import numpy as np
from numba import njit, prange

from mv3d.geometry.lens_kernels import bend
from mv3d.geometry.se3_kernels import adjoint, compose, exp_rotation, invert6

# Cost of a board behind a camera: no step goes there.
_IMPOSSIBLE = 1e30


@njit(cache=True, fastmath=True)
def _rows(K, R, t, X, z, motion, line, middle, s, inverse_sigma, huber, timed, parts, work, residual, slope):
    """Whitened, robustly weighted rows of one view into `work`; returns the robust cost.

    The x row and the y row have the same columns but for focal length and centre, so each is stored without the
    other's: f c dist rotation translation [line s] residual.
    """
    n = X.shape[1]
    y, bent, J, D = parts
    count = len(D) // 2
    columns = len(work) // 2
    pose, time = 2 + count, 8 + count
    cost = 0.0
    for i in range(n):
        ex = K[0] * bent[0, i] + K[2] - z[0, i]
        ey = K[1] * bent[1, i] + K[3] - z[1, i]
        if timed:
            tau = s + line * (z[1, i] - middle)
            ex += tau * (motion[0, i] - tau * motion[2, i])
            ey += tau * (motion[1, i] - tau * motion[3, i])
            slope[0, i] = motion[0, i] - 2 * tau * motion[2, i]
            slope[1, i] = motion[1, i] - 2 * tau * motion[3, i]
        residual[0, i], residual[1, i] = ex, ey
    for i in range(n):
        ex, ey = residual[0, i], residual[1, i]
        error = np.sqrt(ex * ex + ey * ey) * inverse_sigma
        if error <= huber:
            cost += error * error
            weight = inverse_sigma
        else:
            cost += huber * (2 * error - huber)
            weight = inverse_sigma * np.sqrt(huber / error)
        y0, y1, y2 = y[0, i], y[1, i], y[2, i]
        for row in range(2):
            o = row * columns
            scale = weight * K[row]
            work[o, i] = weight * bent[row, i]
            work[o + 1, i] = weight
            j0, j1, j2 = scale * J[3 * row, i], scale * J[3 * row + 1, i], scale * J[3 * row + 2, i]
            work[o + pose, i] = y1 * j2 - y2 * j1
            work[o + pose + 1, i] = y2 * j0 - y0 * j2
            work[o + pose + 2, i] = y0 * j1 - y1 * j0
            work[o + pose + 3, i], work[o + pose + 4, i], work[o + pose + 5, i] = j0, j1, j2
            work[o + columns - 1, i] = weight * residual[row, i]
            if timed:
                work[o + time, i] = weight * slope[row, i] * (z[1, i] - middle)
                work[o + time + 1, i] = weight * slope[row, i]
        for row in range(2):
            for j in range(count):
                work[row * columns + 2 + j, i] = weight * K[row] * D[row * count + j, i]
    return cost


@njit(cache=True, fastmath=True)
def _accumulate(work, n, H, g):
    """H += rows^T rows, g += rows^T residual of the x rows and the y rows; lower triangle of H only."""
    columns = len(work) // 2
    H[:] = 0.0
    g[:] = 0.0
    for row in range(2):
        o = row * columns
        for a in range(columns - 1):
            at = row if a == 0 else (2 + row if a == 1 else a + 2)
            for b in range(a + 1):
                total = 0.0
                for i in range(n):
                    total += work[o + a, i] * work[o + b, i]
                to = row if b == 0 else (2 + row if b == 1 else b + 2)
                H[at, to] += total
            total = 0.0
            for i in range(n):
                total += work[o + a, i] * work[o + columns - 1, i]
            g[at] += total
    for a in range(len(H)):
        for b in range(a):
            H[b, a] = H[a, b]


@njit(cache=True, fastmath=True)
def linearise(chunk, chunks, layout, corners, state, huber, timed, H, g, costs):
    """Blocks H (view, n, n) and g (view, n) of one of `chunks` parts of the views, and its cost."""
    starts, camera_of, frame_of, kind, used, middle = layout
    X, z, motion, inverse_sigma = corners
    K, dist, Rc, tc, extra, Rb, tb, s = state
    views, count = len(camera_of), dist.shape[1]
    longest = 1
    for v in range(views):
        longest = max(longest, starts[v + 1] - starts[v])
    columns = 9 + count + (2 if timed else 0)
    work = np.empty((2 * columns, longest))
    y, bent, J, D = (
        np.empty((3, longest)),
        np.empty((2, longest)),
        np.empty((6, longest)),
        np.empty((2 * count, longest)),
    )
    residual, slope = np.empty((2, longest)), np.empty((2, longest))
    R, t = np.empty((3, 3)), np.empty(3)
    cost = 0.0
    for v in range(chunk * views // chunks, (chunk + 1) * views // chunks):
        c, f, a, b = camera_of[v], frame_of[v], starts[v], starts[v + 1]
        compose(Rc[c], tc[c], Rb[f], tb[f], R, t)
        for k in range(3):
            for i in range(b - a):
                y[k, i] = R[k, 0] * X[0, a + i] + R[k, 1] * X[1, a + i] + R[k, 2] * X[2, a + i] + t[k]
        if not bend(kind[c], dist[c], used[c], count, y, b - a, bent, J, D):
            cost += _IMPOSSIBLE
            continue
        cost += _rows(K[c], R, t, X[:, a:b], z[:, a:b], motion[:, a:b], extra[c, 0], middle[c], s[v],
                      inverse_sigma[v], huber, timed, (y, bent, J, D), work, residual, slope)  # fmt: skip
        _accumulate(work, b - a, H[v], g[v])
    costs[chunk] = cost


@njit(cache=True)
def _without_offset(H, g, precision, ahead, damping, out, rhs):
    """The view's block with s eliminated; its row and column then belong to the camera's mean offset o."""
    n = len(H)
    last = n - 1
    pivot = (H[last, last] + precision) * (1.0 + damping) + 1e-30
    pull = g[last] + precision * ahead
    for a in range(last):
        ratio = H[a, last] / pivot
        for b in range(last):
            out[a, b] = H[a, b] - ratio * H[last, b]
        out[a, last] = out[last, a] = ratio * precision
        rhs[a] = g[a] - ratio * pull
    out[last, last] = precision - precision * precision / pivot
    rhs[last] = precision * (pull / pivot - ahead)


@njit(cache=True, fastmath=True)
def eliminate(chunk, chunks, frames, camera_of, state, damping, timed, precision, H, g, S, rhs, W, inverse, pull):
    """One part of the boards: its share of the camera system and what `back_substitute` needs.

    Of S (chunk, n, n) the lower block triangle counts.
    """
    _, dist, Rc, tc, extra, _, _, s = state
    n, count, pose = H.shape[1], len(frames) - 1, 4 + dist.shape[1]
    S[chunk], rhs[chunk] = 0.0, 0.0
    A, L, Y, V = np.empty((6, 6)), np.empty((6, 6)), np.empty((n, 6)), np.empty((6, 6))
    block, right = np.empty((n, n)), np.empty(n)
    for f in range(chunk * count // chunks, (chunk + 1) * count // chunks):
        V[:] = 0.0
        pull[f] = 0.0
        for v in range(frames[f], frames[f + 1]):
            c = camera_of[v]
            if timed:
                _without_offset(H[v], g[v], precision[v], s[v] - extra[c, 1], damping, block, right)
            else:
                block[:] = H[v]
                right[:] = g[v]
            adjoint(Rc[c], tc[c], A)
            _add_board(block, right, A, pose, W[v], V, pull[f])
            for i in range(n):
                rhs[chunk, n * c + i] += right[i]
                for j in range(n):
                    S[chunk, n * c + i, n * c + j] += block[i, j]
        invert6(V, damping, L, inverse[f])
        for v in range(frames[f], frames[f + 1]):
            a = n * camera_of[v]
            for i in range(n):
                total = 0.0
                for j in range(6):
                    Y[i, j] = 0.0
                    for m in range(6):
                        Y[i, j] += W[v, i, m] * inverse[f, m, j]
                    total += Y[i, j] * pull[f, j]
                rhs[chunk, a + i] -= total
            for other in range(frames[f], v + 1):
                b = n * camera_of[other]
                for i in range(n):
                    for j in range(n):
                        total = 0.0
                        for m in range(6):
                            total += Y[i, m] * W[other, j, m]
                        S[chunk, a + i, b + j] -= total


@njit(cache=True, fastmath=True)
def _add_board(block, right, A, pose, W, V, pull):
    """The view's share in the board's own block, and its coupling W to the camera."""
    for i in range(len(block)):
        for j in range(6):
            total = 0.0
            for m in range(6):
                total += block[i, pose + m] * A[m, j]
            W[i, j] = total
    for i in range(6):
        for m in range(6):
            pull[i] += A[m, i] * right[pose + m]
            for j in range(6):
                V[i, j] += A[m, i] * W[pose + m, j]


@njit(cache=True)
def back_substitute(frames, camera_of, state, damping, timed, precision, H, g, W, inverse, pull, dx, new):
    """The state after the cameras' step dx (camera, n), with the boards' and offsets' steps that follow from it."""
    K, dist, Rc, tc, extra, Rb, tb, s = state
    nK, ndist, nRc, ntc, nextra, nRb, ntb, ns = new
    count = dist.shape[1]
    pose, last = 4 + count, H.shape[1] - 1
    E, A, right, move = np.empty((3, 3)), np.empty((6, 6)), np.empty(6), np.empty(6)
    for c in range(len(K)):
        for j in range(4):
            nK[c, j] = K[c, j] + dx[c, j]
        for j in range(count):
            ndist[c, j] = dist[c, j] + dx[c, 4 + j]
        exp_rotation(dx[c, pose : pose + 3], E)
        nRc[c] = E @ Rc[c]
        ntc[c] = E @ tc[c] + dx[c, pose + 3 : pose + 6]
        if timed:
            nextra[c] = extra[c] + dx[c, last - 1 :]
    for f in range(len(frames) - 1):
        for i in range(6):
            right[i] = -pull[f, i]
        for v in range(frames[f], frames[f + 1]):
            for i in range(last + 1):
                for j in range(6):
                    right[j] -= W[v, i, j] * dx[camera_of[v], i]
        step = inverse[f] @ right
        exp_rotation(step[:3], E)
        nRb[f] = E @ Rb[f]
        ntb[f] = E @ tb[f] + step[3:]
        if timed:
            for v in range(frames[f], frames[f + 1]):
                c = camera_of[v]
                adjoint(Rc[c], tc[c], A)
                move[:] = A @ step
                pivot = (H[v, last, last] + precision[v]) * (1.0 + damping) + 1e-30
                total = g[v, last] + precision[v] * (s[v] - extra[c, 1] - dx[c, last])
                for i in range(last):
                    total += H[v, last, i] * dx[c, i]
                for i in range(6):
                    total += H[v, last, pose + i] * move[i]
                ns[v] = s[v] - total / pivot


@njit(cache=True, parallel=True)
def linearise_parallel(chunks, layout, corners, state, huber, timed, H, g, costs):
    """All parts at once."""
    for chunk in prange(chunks):
        linearise(chunk, chunks, layout, corners, state, huber, timed, H, g, costs)


@njit(cache=True, parallel=True)
def eliminate_parallel(chunks, frames, camera_of, state, damping, timed, precision, H, g, S, rhs, W, inverse, pull):
    """All parts at once."""
    for chunk in prange(chunks):
        eliminate(chunk, chunks, frames, camera_of, state, damping, timed, precision, H, g, S, rhs, W, inverse, pull)
