"""Rotation matrices to the unit quaternions that animation files hold."""

import numpy as np
from numba import njit


@njit(cache=True)
def quaternions(R, out):
    """Unit quaternions (x, y, z, w) of rotations (frame, 3, 3), each in the hemisphere of the one before it.

    Of q and -q, the same rotation, readers must get the one to which the way is short, since they interpolate the four
    numbers. The largest component is found first (Shepperd 1978), so that nothing is divided by a small number.
    """
    for f in range(len(R)):
        m = R[f]
        trace = m[0, 0] + m[1, 1] + m[2, 2]
        if trace >= m[0, 0] and trace >= m[1, 1] and trace >= m[2, 2]:
            out[f, 3] = 1.0 + trace
            out[f, 0], out[f, 1], out[f, 2] = m[2, 1] - m[1, 2], m[0, 2] - m[2, 0], m[1, 0] - m[0, 1]
        else:
            i = 0
            if m[1, 1] > m[0, 0]:
                i = 1
            if m[2, 2] > m[i, i]:
                i = 2
            j, k = (i + 1) % 3, (i + 2) % 3
            out[f, i] = 1.0 + m[i, i] - m[j, j] - m[k, k]
            out[f, j], out[f, k] = m[j, i] + m[i, j], m[k, i] + m[i, k]
            out[f, 3] = m[k, j] - m[j, k]
        length = np.sqrt((out[f] ** 2).sum())
        turned = (out[f] * out[f - 1]).sum() < 0 if f > 0 else out[f, 3] < 0
        out[f] /= -length if turned else length
