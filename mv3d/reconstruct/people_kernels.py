"""numba kernels of matching people: how well detections agree with skeletons, and with each other across two views."""

import numpy as np
from numba import njit

# Rays whose squared sine of the angle is below this tell nothing of where they meet.
_PARALLEL = 1e-4
# m; nobody is nearer to a camera.
_NEAREST = 0.2


@njit(cache=True)
def supports(xyz, tolerance, centers, bearings, score, view, support, possible):
    """Fill support and possible (person, detection): agreement of detections with skeletons, and the most there can be.

    xyz (person, joint, 3) m with NaN where unknown, tolerance (person,) m, bearings (detection, joint, 3), score
    (detection, joint), view (detection,).
    """
    people, joints = xyz.shape[:2]
    for d in range(len(view)):
        c = centers[view[d]]
        for p in range(people):
            total, most, reach2 = 0.0, 0.0, tolerance[p] * tolerance[p]
            for j in range(joints):
                s = score[d, j]
                o0, o1, o2 = xyz[p, j, 0] - c[0], xyz[p, j, 1] - c[1], xyz[p, j, 2] - c[2]
                if not s > 0 or not np.isfinite(o0):
                    continue
                most += s
                b = bearings[d, j]
                depth = o0 * b[0] + o1 * b[1] + o2 * b[2]
                if depth > _NEAREST:
                    e0, e1, e2 = o0 - depth * b[0], o1 - depth * b[1], o2 - depth * b[2]
                    total += s * reach2 / (reach2 + e0 * e0 + e1 * e1 + e2 * e2)
            support[p, d], possible[p, d] = total, most


@njit(cache=True)
def pair_agreements(tolerance, reach, centers, bearings, score, view, agreement, common):
    """Fill the upper triangle of agreement and common (detection, detection) for pairs of different views.

    `agreement` sums over joints how near the two rays pass each other; where they meet far from the pair's other joints
    (more than `reach` from their mean) a joint counts nothing. `common` counts the joints that both see.
    """
    detections, joints = score.shape
    meet = np.empty((joints, 3))
    near = np.empty(joints)
    for d in range(detections):
        for e in range(d + 1, detections):
            agreement[d, e], common[d, e] = 0.0, 0
            if view[d] == view[e]:
                continue
            c, f = centers[view[d]], centers[view[e]]
            count, met = 0, 0
            m0, m1, m2 = 0.0, 0.0, 0.0
            for j in range(joints):
                near[j] = 0.0
                if not (score[d, j] > 0 and score[e, j] > 0):
                    continue
                count += 1
                a, b = bearings[d, j], bearings[e, j]
                across = a[0] * b[0] + a[1] * b[1] + a[2] * b[2]
                sine2 = 1.0 - across * across
                if not sine2 > _PARALLEL:
                    continue
                w0, w1, w2 = f[0] - c[0], f[1] - c[1], f[2] - c[2]
                along_a = w0 * a[0] + w1 * a[1] + w2 * a[2]
                along_b = w0 * b[0] + w1 * b[1] + w2 * b[2]
                depth_a, depth_b = (along_a - across * along_b) / sine2, (across * along_a - along_b) / sine2
                if depth_a < _NEAREST or depth_b < _NEAREST:
                    continue
                distance2 = 0.0
                for k in range(3):
                    on_a, on_b = c[k] + depth_a * a[k], f[k] + depth_b * b[k]
                    meet[j, k] = 0.5 * (on_a + on_b)
                    distance2 += (on_a - on_b) ** 2
                near[j] = tolerance * tolerance / (tolerance * tolerance + distance2)
                met += 1
                m0, m1, m2 = m0 + meet[j, 0], m1 + meet[j, 1], m2 + meet[j, 2]
            common[d, e] = count
            if met == 0:
                continue
            m0, m1, m2 = m0 / met, m1 / met, m2 / met
            for j in range(joints):
                if (
                    near[j] > 0
                    and (meet[j, 0] - m0) ** 2 + (meet[j, 1] - m1) ** 2 + (meet[j, 2] - m2) ** 2 < reach * reach
                ):
                    agreement[d, e] += near[j]


@njit(cache=True)
def interpolate_rays(table, first, shape, spacing, margin, xy, view, values):
    """Fill values (detection, joint, 9): bearing of length one and Jacobian, by straight lines between four nodes."""
    for d in range(len(view)):
        v = view[d]
        rows, columns = shape[v, 0], shape[v, 1]
        for j in range(xy.shape[1]):
            x, y = (xy[d, j, 0] + margin) / spacing, (xy[d, j, 1] + margin) / spacing
            if not (x >= 0 and y >= 0 and x < columns - 1 and y < rows - 1):
                values[d, j] = np.nan
                continue
            column, row = int(x), int(y)
            u, w = x - column, y - row
            at = first[v] + row * columns + column
            length = 0.0
            for k in range(9):
                top = (1 - u) * table[at, k] + u * table[at + 1, k]
                low = (1 - u) * table[at + columns, k] + u * table[at + columns + 1, k]
                values[d, j, k] = (1 - w) * top + w * low
                if k < 3:
                    length += values[d, j, k] ** 2
            length = np.sqrt(length)
            for k in range(3):
                values[d, j, k] /= length
