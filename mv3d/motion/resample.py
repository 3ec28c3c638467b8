"""A motion at another rate, or at equal intervals: places on straight lines, rotations by the shortest way."""

import numpy as np
from jaxtyping import Float

from mv3d.data.motion import Motion
from mv3d.geometry.rotations import rotation_from_vector, vector_from_rotation

# Intervals that differ by less than this share of their median are taken for equal: clocks of containers round.
_EQUAL = 0.02
_BLOCK = 4096


def resampled(motion: Motion, fps: float | None = None) -> Motion:
    """The motion at equal intervals.

    Args:
        motion: any.
        fps: frames per second; None for those that it has: nothing is changed where its intervals are equal, else it is
            interpolated at its mean rate. The first frame's time stays, none lies beyond the last.
    """
    times = motion.timestamps
    if len(times) < 2:
        return motion
    h = np.diff(times)
    if fps is None and np.ptp(h) <= _EQUAL * np.median(h):
        return motion
    rate = float((len(times) - 1) / (times[-1] - times[0])) if fps is None else fps
    # The last frame counts although its time is a rounding error further.
    count = int((times[-1] - times[0]) * rate + 1e-6) + 1
    at = np.minimum(times[0] + np.arange(count) / rate, times[-1])
    left = np.clip(np.searchsorted(times, at, side="right") - 1, 0, len(times) - 2)
    share = (at - times[left]) / h[left]
    t = motion.translation
    translation = t[left] + share[:, None] * (t[left + 1] - t[left])
    return Motion(
        motion.armature,
        _turned(motion.rotations, left, share),
        translation,
        times[0] + np.arange(count) / rate,
        motion.person_id,
    )


def _turned(R: np.ndarray, left: np.ndarray, share: np.ndarray) -> Float[np.ndarray, "frame joint 3 3"]:
    out = np.empty((len(left), *R.shape[1:]))
    for first in range(0, len(left), _BLOCK):
        block = slice(first, first + _BLOCK)
        a, b = R[left[block]], R[left[block] + 1]
        way = vector_from_rotation(np.swapaxes(a, -1, -2) @ b)
        out[block] = a @ rotation_from_vector(share[block, None, None] * way)
    return out
