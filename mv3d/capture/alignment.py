"""How far the clocks of cameras are apart, from what all of them heard or saw: a clap, a flash, any sound."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float
from scipy.signal import fftconvolve

from mv3d.files.sound import Sound

# Steps of the signals that are laid over each other, s. A metre of sound's way is three of them.
_STEP = 0.001
_LOUDNESS_WINDOW = 0.004
# Two answers further apart than this are different ones, and the best must be so much better than the next.
_APART, _LEAST_RATIO = 0.15, 1.4


@dataclass(frozen=True, slots=True, eq=False)
class Track:
    """A signal over time, `_STEP` apart.

    Attributes:
        values: large where something happens suddenly.
        start: s of the first value on the camera's clock.
    """

    values: Float[np.ndarray, " step"]
    start: float


@dataclass(frozen=True, slots=True)
class Alignment:
    """What to add to a camera's times.

    Attributes:
        offset: s; NaN where it cannot be told.
        ratio: how much better the best answer is than the next; below 1.4 it is not believed.
    """

    offset: float
    ratio: float

    @property
    def found(self) -> bool:
        """Whether it can be believed."""
        return self.ratio >= _LEAST_RATIO


def track_of_sound(sound: Sound) -> Track:
    """How suddenly it gets louder: rises of the loudness in dB, silence taken for a floor."""
    window = round(_LOUDNESS_WINDOW * sound.rate)
    power = fftconvolve(np.square(sound.samples.astype(float)), np.full(window, 1 / window), "same")
    steps = power[:: round(_STEP * sound.rate)]
    floor = np.median(steps) + 1e-10
    loudness = 10 * np.log10(np.maximum(steps, floor))
    return Track(np.maximum(np.diff(loudness, prepend=loudness[:1]), 0.0), sound.start)


def track_of_brightness(timestamps: Float[np.ndarray, " frame"], brightness: Float[np.ndarray, " frame"]) -> Track:
    """How suddenly it gets brighter or darker; between frames as a straight line.

    Args:
        timestamps: s.
        brightness: mean grey of each frame.
    """
    at = np.arange(timestamps[0], timestamps[-1], _STEP)
    change = np.abs(np.gradient(np.interp(at, timestamps, brightness)))
    # Light that flickers and people that move are not flashes.
    return Track(np.maximum(change - 3 * np.median(change), 0.0), float(timestamps[0]))


def align(tracks: Mapping[str, Track]) -> dict[str, Alignment]:
    """Offsets of all cameras to the one with the longest track, whose own is 0.

    Args:
        tracks: by camera.
    """
    reference = max(tracks, key=lambda name: len(tracks[name].values))
    found = {name: _offset(track, tracks[reference]) for name, track in tracks.items()}
    return {**found, reference: Alignment(0.0, np.inf)}


def _offset(track: Track, reference: Track) -> Alignment:
    """What to add to times of `track` to be on the clock of `reference`."""
    own, other = (np.where(t.values > 0, t.values - t.values.mean(), 0.0) for t in (track, reference))
    if not own.any() or not other.any():
        return Alignment(float("nan"), 0.0)
    match = fftconvolve(other, own[::-1])
    # Sounds are some ms long, and are heard at different distances.
    match = fftconvolve(match, np.hanning(9), "same")
    best = int(match.argmax())
    rest = match.copy()
    rest[max(0, best - round(_APART / _STEP)) : best + round(_APART / _STEP) + 1] = 0
    lag = (best - (len(own) - 1)) * _STEP
    ratio = float(match[best] / max(rest.max(), 1e-9 * match[best]))
    return Alignment(lag + reference.start - track.start, ratio)
