"""numba kernels of the hidden states: two-state Markov chains over time, run forward and backward.

Source: Rabiner, A Tutorial on Hidden Markov Models, 1989. States are 0 (usual) and 1 (bad, or swapped); evidence is
the log likelihood ratio of state 0 over state 1 in each frame, 0 where a frame says nothing.
"""

import numpy as np
from numba import njit, prange

# Log ratios beyond this make certain anyway, and would overflow.
_MOST = 40.0


@njit(cache=True)
def smooth_chain(ratio, enter, leave, usual, counts):
    """Probability of state 0 in every frame (F,); adds expected transitions to counts.

    counts: from 0, from 0 to 1, from 1, from 1 to 0.
    """
    frames = len(ratio)
    forward, like = np.empty(frames), np.empty(frames)
    p = leave / (enter + leave)
    for f in range(frames):
        like[f] = np.exp(min(max(ratio[f], -_MOST), _MOST))
        if f > 0:
            p = forward[f - 1] * (1 - enter) + (1 - forward[f - 1]) * leave
        forward[f] = p * like[f] / (p * like[f] + 1 - p)
    back0, back1 = 1.0, 1.0
    usual[frames - 1] = forward[frames - 1]
    for f in range(frames - 2, -1, -1):
        after0, after1 = like[f + 1] * back0, back1
        to00, to01 = forward[f] * (1 - enter) * after0, forward[f] * enter * after1
        to10, to11 = (1 - forward[f]) * leave * after0, (1 - forward[f]) * (1 - leave) * after1
        total = to00 + to01 + to10 + to11
        counts[0] += (to00 + to01) / total
        counts[1] += to01 / total
        counts[2] += (to10 + to11) / total
        counts[3] += to10 / total
        back0, back1 = (1 - enter) * after0 + enter * after1, leave * after0 + (1 - leave) * after1
        largest = max(back0, back1)
        back0, back1 = back0 / largest, back1 / largest
        usual[f] = (to00 + to01) / total
    return


@njit(cache=True, parallel=True)
def good_observations(residual2, variance, spread2, enter, leave, good, counts):
    """Probability (joint, frame, view) that an observation is good, not a blunder.

    Good ones are normal with `variance` (px^2, joint, frame, view); blunders follow a two-dimensional Cauchy
    distribution whose squared scale is spread2 times that. counts (joint, 4) of transitions.
    """
    joints, frames, views = residual2.shape
    for j in prange(joints):
        ratio, usual = np.empty(frames), np.empty(frames)
        counts[j] = 0.0
        for v in range(views):
            for f in range(frames):
                square = residual2[j, f, v] / variance[j, f, v]
                if np.isnan(square):
                    ratio[f] = 0.0
                elif np.isinf(square):
                    ratio[f] = -_MOST
                else:
                    ratio[f] = np.log(spread2) + 1.5 * np.log1p(square / spread2) - 0.5 * square
            smooth_chain(ratio, enter, leave, usual, counts[j])
            for f in range(frames):
                good[j, f, v] = 0.0 if np.isnan(residual2[j, f, v]) else usual[f]
