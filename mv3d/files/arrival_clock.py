"""Times of frames that came from a camera: how regular they are, what is missing, and the camera's own clock."""

from collections import deque

import numpy as np
from jaxtyping import Float, Int
from scipy.ndimage import median_filter

# A frame that came late is followed by frames that come fast; only what is still
# missing this many frames later is lost.
_LOOK_AHEAD = 15
# The interval is that of the frames around: cameras change their rate with the light.
_LOCAL = 61
# A camera's clock and ours run apart evenly over much longer than this, s.
_DRIFT_BLOCK = 5.0
_LEAST_DRIFT_SPAN = 30.0


def missing_before(times: Float[np.ndarray, " frame"]) -> Int[np.ndarray, " frame"]:
    """How many frames are missing right before each one, judged by the intervals around; 0 for the first."""
    times = np.asarray(times, float)
    missing = np.zeros(len(times), int)
    if len(times) < 3:
        return missing
    steps = np.diff(times)
    usual = median_filter(steps, size=min(_LOCAL, len(steps)), mode="reflect")
    for i in np.flatnonzero(steps > 1.5 * usual):
        ahead = min(i + _LOOK_AHEAD, len(steps))
        excess = (times[ahead] - times[i]) / usual[i] - (ahead - i)
        missing[i + 1] = max(0, min(round(excess), round(steps[i] / usual[i]) - 1))
    return missing


class GapCounter:
    """Counts missing frames while they come; a gap is counted a few frames after it."""

    def __init__(self) -> None:
        self.missing = 0
        self._times: deque[float] = deque(maxlen=_LOCAL + _LOOK_AHEAD)

    def add(self, time: float) -> None:
        """A frame came at `time`, s."""
        self._times.append(time)
        if len(self._times) <= 2 * _LOOK_AHEAD:
            return
        times = np.array(self._times)
        at = len(times) - _LOOK_AHEAD - 1
        usual = float(np.median(np.diff(times)))
        step = float(times[at] - times[at - 1]) / usual
        if step > 1.5:
            excess = float(times[-1] - times[at - 1]) / usual - (_LOOK_AHEAD + 1)
            self.missing += max(0, min(round(excess), round(step) - 1))


def arrival_jitter(times: Float[np.ndarray, " frame"]) -> tuple[float, float]:
    """How far frames come off an even beat: standard deviation and 95th percentile of the distance, s.

    The beat is a straight line through the frame numbers (missing ones counted) of each block of frames, so that a rate
    that changes slowly is no jitter.

    Returns:
        NaN twice for fewer than ten frames.
    """
    times = np.asarray(times, float)
    if len(times) < 10:
        return float("nan"), float("nan")
    numbers = np.arange(len(times)) + np.cumsum(missing_before(times))
    blocks = np.array_split(np.arange(len(times)), max(1, len(times) // _LOCAL))
    off = np.concatenate(
        [
            times[b] - np.polyval(np.polyfit(numbers[b] - numbers[b[0]], times[b], 1), numbers[b] - numbers[b[0]])
            for b in blocks
        ]
    )
    return float(off.std()), float(np.percentile(np.abs(off), 95))


def on_common_clock(
    device_times: Float[np.ndarray, " frame"], arrivals: Float[np.ndarray, " frame"]
) -> Float[np.ndarray, " frame"] | None:
    """A camera's own frame times on the clock of the arrivals.

    What lies between the clocks is a constant and, over longer recordings, an even drift; both from medians over blocks
    of some seconds, so that the mean delay of the transfer stays in, as it does for cameras that only have arrivals.

    Args:
        device_times: s on the camera's clock; NaN where it said nothing.
        arrivals: s on the common clock.

    Returns:
        Frame times, s; None if the camera's times are not there for every frame or do not increase, or run at another
        speed than time does.
    """
    if not len(arrivals) or not np.isfinite(device_times).all() or np.any(np.diff(device_times) <= 0):
        return None
    apart = arrivals - device_times
    span = float(device_times[-1] - device_times[0])
    if span < _LEAST_DRIFT_SPAN:
        return device_times + float(np.median(apart))
    block = ((device_times - device_times[0]) // _DRIFT_BLOCK).astype(int)
    used = np.unique(block)
    at = np.array([np.median(device_times[block == b]) for b in used])
    level = np.array([np.median(apart[block == b]) for b in used])
    slopes = (level[:, None] - level)[np.triu_indices(len(at), 1)] / (at[:, None] - at)[np.triu_indices(len(at), 1)]
    drift = float(np.median(slopes))
    # Quartz is true to 1e-4; ten times that is a clock of another kind, for example one that counts frames.
    if abs(drift) > 1e-3:
        return None
    return device_times + drift * (device_times - at[0]) + float(np.median(level - drift * (at - at[0])))
