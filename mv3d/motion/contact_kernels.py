"""numba kernel that finds where and when a point rests."""

import numpy as np
from numba import njit


@njit(cache=True)
def _keep(xyz, first, last, circle, taken, middles, count):
    """Note a rest, with the frames before and after in which the point is still there: averages end it too early."""
    for k in range(3):
        middles[count, k] = np.median(xyz[first:last, k])
    while first > 0 and not taken[first - 1] and ((xyz[first - 1] - middles[count]) ** 2).sum() < circle**2 / 4:
        first -= 1
    while last < len(xyz) and not taken[last] and ((xyz[last] - middles[count]) ** 2).sum() < circle**2 / 4:
        last += 1
    taken[first:last] = True
    return first, last


@njit(cache=True)
def find_rests(xyz, smooth, slow, circle, least, bounds, middles):
    """Stretches of slow frames, cut where the point has left the circle around the mean of its places since the cut.

    Fills bounds (rest, 2) with first and last + 1 frame and middles (rest, 3) with the medians; returns how many.
    """
    taken = np.zeros(len(xyz), np.bool_)
    total = np.zeros(3)
    count, first, frame = 0, -1, 0
    while frame <= len(xyz):
        resting = frame < len(xyz) and slow[frame] and not taken[frame]
        cut = False
        if resting and first >= 0:
            middle = (total + smooth[frame]) / (frame - first + 1)
            cut = ((smooth[frame] - middle) ** 2).sum() > circle**2
        if first >= 0 and (cut or not resting):
            if frame - first >= least:
                bounds[count, 0], bounds[count, 1] = _keep(xyz, first, frame, circle, taken, middles, count)
                count += 1
                resting = frame < len(xyz) and slow[frame] and not taken[frame]
            first = -1
        if resting:
            if first < 0:
                first = frame
                total[:] = 0.0
            total += smooth[frame]
        frame += 1
    return count
