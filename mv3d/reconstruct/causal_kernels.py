"""numba kernels of the causal filter: one Kalman filter a joint, told by all views and by its bones, frame by frame.

State m (joint, 3, 3): position, velocity and acceleration, each x, y, z; covariance P (joint, 9, 9) in that order,
driven by white jerk. Rays are laid out (view, joint), as `RayTable` gives them. Sources: Bar-Shalom, Li and
Kirubarajan, Estimation with Applications to Tracking and Navigation, 2001, sections 6.2 (motion) and 10.5 (iterated
update); Rauch, Tung and Striebel, 1965 (lag).
"""

import numpy as np
from numba import njit

from mv3d.geometry.cholesky_kernels import factor, solve
from mv3d.geometry.triangulation_kernels import accumulate, mirror_upper, solve_3x3, tangent_residual
from mv3d.reconstruct.bone_kernels import measure_along_bones

# Log ratios beyond this make certain anyway, and would overflow.
_MOST = 40.0


@njit(cache=True)
def predict(m, P, dt, density, active, gain):
    """Move m and P on by dt (s) under white jerk of `density` (joint,) m^2/s^5; fills gain (joint, 9, 9).

    The gain of the smoother is P F^T (F P F^T + Q)^-1 with P from before; zeros where a joint is not followed.
    """
    F = np.array([[1.0, dt, dt * dt / 2], [0.0, 1.0, dt], [0.0, 0.0, 1.0]])
    Q = np.array(
        [
            [dt**5 / 20, dt**4 / 8, dt**3 / 6],
            [dt**4 / 8, dt**3 / 3, dt**2 / 2],
            [dt**3 / 6, dt**2 / 2, dt],
        ]
    )
    crossed, L = np.empty((9, 9)), np.zeros((9, 9))
    for j in range(len(m)):
        gain[j] = 0.0
        if not active[j]:
            continue
        for k in range(3):
            m[j, 0, k] += dt * m[j, 1, k] + dt * dt / 2 * m[j, 2, k]
            m[j, 1, k] += dt * m[j, 2, k]
        for r in range(9):  # P F^T
            for e in range(3):
                for k in range(3):
                    total = 0.0
                    for d in range(e, 3):
                        total += P[j, r, 3 * d + k] * F[e, d]
                    crossed[r, 3 * e + k] = total
        for e in range(3):
            for k in range(3):
                for c in range(9):
                    total = 0.0
                    for d in range(e, 3):
                        total += F[e, d] * crossed[3 * d + k, c]
                    P[j, 3 * e + k, c] = total
        for e in range(3):
            for d in range(3):
                for k in range(3):
                    P[j, 3 * e + k, 3 * d + k] += density[j] * Q[e, d]
        if factor(P[j], L):
            for r in range(9):
                gain[j, r] = crossed[r]
                solve(L, gain[j, r])


@njit(cache=True)
def side_evidence(m, P, active, mirror, centers, moved, bearings, A, weight, variance, widening, blunders, gain):
    """Fill gain (view, joint): log likelihood of each observation under its joint over that under the mirror joint.

    `moved` (view, joint, 3) m is where each view saw a joint beside where it is at the frame's instant; a share of
    `blunders` bounds the likelihood from below. 0 where either joint is not followed or nothing is seen.
    """
    residual, J = np.empty(2), np.empty((2, 3))
    for v in range(len(centers)):
        for j in range(len(m)):
            gain[v, j] = 0.0
            o = mirror[j]
            if o == j or not (active[j] and active[o] and weight[v, j] > 0):
                continue
            for sign, i in ((1.0, j), (-1.0, o)):
                depth = tangent_residual(m[i, 0] + moved[v, i], centers[v], bearings[v, j], A[v, j], residual)
                square = np.inf
                if depth > 0:
                    S0, S1, S2 = _spread(A[v, j], bearings[v, j], residual, depth, P[i], variance[v, j], J)
                    square = _mahalanobis(S0, S1, S2, residual) / widening
                density = (1 - blunders) * np.exp(-0.5 * square) + blunders * 1e-2
                gain[v, j] += sign * np.log(density)


@njit(cache=True)
def _spread(A, bearing, residual, depth, C, variance, J):
    """Innovation covariance (00, 01, 11) px^2 of a view: its noise and the joint's covariance C (3, 3 or more)."""
    for k in range(2):
        for i in range(3):
            J[k, i] = (A[k, i] - residual[k] * bearing[i]) / depth
    S0, S1, S2 = variance, 0.0, variance
    for r in range(3):
        for s in range(3):
            S0 += J[0, r] * C[r, s] * J[0, s]
            S1 += J[0, r] * C[r, s] * J[1, s]
            S2 += J[1, r] * C[r, s] * J[1, s]
    return S0, S1, S2


@njit(cache=True)
def _mahalanobis(S0, S1, S2, residual):
    return (S2 * residual[0] ** 2 - 2 * S1 * residual[0] * residual[1] + S0 * residual[1] ** 2) / (S0 * S2 - S1 * S1)


@njit(cache=True)
def _inverse(H, out):
    """Inverse of a symmetric 3x3 matrix; False if it is singular."""
    unit, column = np.zeros(3), np.empty(3)
    for k in range(3):
        unit[:] = 0.0
        unit[k] = 1.0
        if not solve_3x3(H, unit, column):
            return False
        for r in range(3):
            out[r, k] = column[r]
    return True


@njit(cache=True)
def observe(x, C, j, centers, moved, bearings, A, weight, variance, spread2, before, good, square, H, b):
    """Add to H and b what the views say of joint j at x, each by its probability of being good.

    C (3, 3) is the covariance of x, by which an observation may be off besides its noise; `before` and `good`
    (view, joint) are those probabilities before and after this frame, `square` its squared residual in variances.
    """
    residual, J, g = np.empty(2), np.empty((2, 3)), np.zeros(3)
    for v in range(len(centers)):
        good[v, j], square[v, j] = before[v, j], np.nan
        if not weight[v, j] > 0:
            continue
        depth = tangent_residual(x + moved[v, j], centers[v], bearings[v, j], A[v, j], residual)
        good[v, j], square[v, j] = 0.0, np.inf
        if not depth > 0:
            continue
        noise2 = variance[v, j]
        S0, S1, S2 = _spread(A[v, j], bearings[v, j], residual, depth, C, noise2, J)
        square[v, j] = (residual[0] ** 2 + residual[1] ** 2) / noise2
        ratio = np.log(spread2 * noise2 / np.sqrt(S0 * S2 - S1 * S1)) + 1.5 * np.log1p(square[v, j] / spread2)
        like = np.exp(min(max(ratio - 0.5 * _mahalanobis(S0, S1, S2, residual), -_MOST), _MOST))
        good[v, j] = before[v, j] * like / (before[v, j] * like + 1 - before[v, j])
        g[:] = 0.0
        accumulate(H, g, A[v, j], bearings[v, j], residual, depth, weight[v, j] * good[v, j])
        for k in range(3):
            b[k] -= g[k]
    mirror_upper(H)


@njit(cache=True)
def update(
    m,
    P,
    active,
    centers,
    moved,
    bearings,
    A,
    weight,
    variance,
    spread2,
    before,
    order,
    ends,
    length,
    tau2,
    bone_scale2,
    steps,
    good,
    square,
    seen,
):
    """Take in one frame: m and P become those after it; fills good, square (view, joint) and seen (joint, 3, 3).

    weight (view, joint) 1/px^2, 0 where unseen; `seen` is the views' information. The position alone is measured, so
    the filter's update follows from its mean and covariance after the frame (Bar-Shalom, section 10.5).
    """
    joints = len(m)
    x, before_x = np.empty((joints, 3)), np.empty((joints, 3))
    prior, C = np.zeros((joints, 3, 3)), np.zeros((joints, 3, 3))
    H, b, step = np.zeros((joints, 3, 3)), np.zeros((joints, 3)), np.empty(3)
    for j in range(joints):
        x[j], before_x[j], C[j] = m[j, 0], m[j, 0], P[j, :3, :3]
        if active[j] and not _inverse(C[j], prior[j]):
            active[j] = False
    for _ in range(steps):
        for j in range(joints):
            seen[j], b[j] = 0.0, 0.0
            if active[j]:
                observe(
                    x[j], C[j], j, centers, moved, bearings, A, weight, variance, spread2, before, good, square,
                    seen[j], b[j],
                )  # fmt: skip
                for r in range(3):
                    for s in range(3):
                        H[j, r, s] = seen[j, r, s] + prior[j, r, s]
                        b[j, r] += prior[j, r, s] * (before_x[j, s] - x[j, s])
        measure_along_bones(x, active, order, ends, length, tau2, bone_scale2, H, b)
        for j in range(joints):
            if active[j] and solve_3x3(H[j], b[j], step):
                for k in range(3):
                    x[j, k] += step[k]
                _inverse(H[j], C[j])
    # What neighbours' motion knows is left out of the covariance: it is the same from frame to frame. So is what a bone
    # says of a joint that no view sees.
    told = seen.copy()
    b[:] = 0.0
    measure_along_bones(x, active, order, ends, length, tau2, bone_scale2, told, b)
    for j in range(joints):
        if active[j]:
            _correct(m[j], P[j], x[j], prior[j], told[j] if seen[j, 0, 0] > 0 else seen[j])


@njit(cache=True)
def _correct(m, P, x, prior, told):
    """The whole state after its position became x, by observations of this information."""
    total, C = prior + told, np.empty((3, 3))
    if not _inverse(total, C):
        return
    step, lost = np.zeros(3), prior - prior @ C @ prior
    for r in range(3):
        for s in range(3):
            step[r] += prior[r, s] * (x[s] - m[0, s])
    crossed = P[:, :3].copy()
    for r in range(9):
        m[r // 3, r % 3] += crossed[r, 0] * step[0] + crossed[r, 1] * step[1] + crossed[r, 2] * step[2]
    P -= crossed @ lost @ crossed.T


@njit(cache=True)
def smooth(filtered, filtered_P, predicted, predicted_P, gain, x, P):
    """Fill x (joint, 3, 3) and P (joint, 9, 9): the oldest of the frames given all of them.

    filtered (frame, joint, 3, 3) and filtered_P: after each frame; predicted[k], predicted_P[k] and gain[k]: of the
    step that leads to frame k. A joint that was found anew at k has no gain there, and keeps what it had before.
    """
    frames, joints = filtered.shape[:2]
    d = np.empty(9)
    for j in range(joints):
        x[j], P[j] = filtered[frames - 1, j], filtered_P[frames - 1, j]
        for k in range(frames - 1, 0, -1):
            G = gain[k, j]
            for r in range(9):
                d[r] = x[j, r // 3, r % 3] - predicted[k, j, r // 3, r % 3]
            P[j] = filtered_P[k - 1, j] + G @ (P[j] - predicted_P[k, j]) @ G.T
            for r in range(9):
                total = filtered[k - 1, j, r // 3, r % 3]
                for s in range(9):
                    total += G[r, s] * d[s]
                x[j, r // 3, r % 3] = total
