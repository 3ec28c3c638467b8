"""numba kernel of the one-euro filter."""

import numpy as np
from numba import njit


@njit(cache=True)
def one_euro(x, times, min_cutoff, beta, derivative_cutoff, out):
    """Casiez, Roussel and Vogel 2012: a first-order low pass; its cut-off grows with the speed. x: (frame, channel)."""
    speed = np.zeros(x.shape[1])
    out[0] = x[0]
    for f in range(1, len(x)):
        h = times[f] - times[f - 1]
        slow = 1 / (1 + 1 / (2 * np.pi * derivative_cutoff * h))
        for c in range(x.shape[1]):
            speed[c] += slow * ((x[f, c] - out[f - 1, c]) / h - speed[c])
            cutoff = min_cutoff + beta * abs(speed[c])
            share = 1 / (1 + 1 / (2 * np.pi * cutoff * h))
            out[f, c] = out[f - 1, c] + share * (x[f, c] - out[f - 1, c])
