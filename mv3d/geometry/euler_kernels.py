"""numba kernel that follows angles from frame to frame."""

import numpy as np
from numba import njit

_TURN = 2 * np.pi


@njit(cache=True)
def _near(angle, before):
    """The angle, by full turns nearest to the one before."""
    return before + (angle - before + np.pi) % _TURN - np.pi


@njit(cache=True)
def continuous(one, other, locked, out):
    """Fill out (frame, 3) with the solution of each frame, `one` or `other`, that is nearest to the frame before.

    In locked frames, whose first angle is arbitrary, the solution whose first angle is nearest.
    """
    before = np.zeros(3)
    found = np.empty((2, 3))
    for f in range(len(one)):
        compared = 1 if locked[f] and f else 3
        best, least = 0, np.inf
        for c in range(2):
            apart = 0.0
            for k in range(3):
                found[c, k] = _near(one[f, k] if c == 0 else other[f, k], before[k])
                if k < compared:
                    apart += abs(found[c, k] - before[k])
            if apart < least:
                best, least = c, apart
        for k in range(3):
            before[k] = out[f, k] = found[best, k]
