"""Keypoints of each view on the view's own clock, and instants at which all are looked at."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int

from mv3d.files.multiview import nearest
from mv3d.reconstruct.keypoints import Keypoints


@dataclass(frozen=True, slots=True, eq=False)
class Track:
    """The performer in one view.

    Attributes:
        times: (frame,) s, the view's own stamps.
        xy: (frame, joint, 2) px; NaN where missing.
        score: (frame, joint); 0 where missing.
    """

    times: np.ndarray
    xy: np.ndarray
    score: np.ndarray

    @property
    def interval(self) -> float:
        """Median time between frames, s; infinite with fewer than two."""
        return float(np.median(np.diff(self.times))) if len(self.times) > 1 else np.inf


@dataclass(frozen=True, slots=True, eq=False)
class Sampling:
    """Instants of the recording at which the views are compared.

    Attributes:
        times: (frame,) s, in runs at a constant interval.
        windows: (frame,) number of the run.
        interval: s.
    """

    times: np.ndarray
    windows: np.ndarray
    interval: float


@dataclass(frozen=True, slots=True, eq=False)
class Matched:
    """What the views show at some instants.

    Attributes:
        xy: (frame, view, joint, 2) px; NaN where missing.
        score: (frame, view, joint).
        time_shift: (frame, view) s, the frame's own instant minus the one asked for; 0 where absent.
    """

    xy: np.ndarray
    score: np.ndarray
    time_shift: np.ndarray


def tracks_of(keypoints: Keypoints) -> list[Track]:
    """Each view's frames that show anything, by the view's own clock."""
    shift = keypoints.time_shift if keypoints.time_shift is not None else np.zeros(keypoints.score.shape[:2])
    tracks = []
    for v in range(keypoints.score.shape[1]):
        seen = (keypoints.score[:, v] > 0).any(-1)
        times = keypoints.timestamps[seen] + shift[seen, v]
        tracks.append(Track(times, keypoints.xy[seen, v], keypoints.score[seen, v]))
    return tracks


def sample(tracks: list[Track], most_frames: int, windows: int) -> Sampling | None:
    """The whole recording if it is short, else runs of frames spread evenly over it.

    Returns:
        None where the views share no time.
    """
    interval = min(track.interval for track in tracks)
    first, last = max(t.times[0] for t in tracks), min(t.times[-1] for t in tracks)
    count = int((last - first) / interval) + 1 if np.isfinite(interval) else 0
    if count < 2:
        return None
    if count <= most_frames:
        return Sampling(first + interval * np.arange(count), np.zeros(count, int), interval)
    length = most_frames // windows
    starts = np.linspace(0, count - length, windows).astype(int)
    index = (starts[:, None] + np.arange(length)).ravel()
    return Sampling(first + interval * index, np.repeat(np.arange(windows), length), interval)


def match(tracks: list[Track], clocks: list[Float[np.ndarray, " _"]], sampling: Sampling) -> Matched:
    """The frame of each view nearest to each instant, at most half of its own interval away.

    Args:
        tracks: of the views.
        clocks: each view's frame times on the common clock, s.
        sampling: the instants.
    """
    frames, joints = len(sampling.times), tracks[0].score.shape[1]
    xy = np.full((frames, len(tracks), joints, 2), np.nan)
    score, shift = np.zeros((frames, len(tracks), joints)), np.zeros((frames, len(tracks)))
    for v, (track, clock) in enumerate(zip(tracks, clocks, strict=True)):
        index = nearest(clock, sampling.times)
        off = clock[index] - sampling.times
        there = np.abs(off) <= 0.5 * sampling.interval + 1e-9
        xy[there, v], score[there, v] = track.xy[index[there]], track.score[index[there]]
        shift[there, v] = off[there]
    return Matched(xy, score, shift)


def on_grid(
    track: Track, values: Float[np.ndarray, "frame joint k"], times: Float[np.ndarray, " time"], reach: float
) -> Float[np.ndarray, "time joint k"]:
    """Values at other instants by straight lines between frames that have them; NaN farther than `reach` from one."""
    out = np.full((len(times), *values.shape[1:]), np.nan)
    for j in range(values.shape[1]):
        known = np.isfinite(values[:, j]).all(-1)
        if known.sum() < 2:
            continue
        own = track.times[known]
        near = _both_sides_near(own, times, reach)
        for k in range(values.shape[2]):
            out[near, j, k] = np.interp(times[near], own, values[known, j, k])
    return out


def _both_sides_near(own: np.ndarray, times: np.ndarray, reach: float) -> Bool[np.ndarray, " time"]:
    after: Int[np.ndarray, " time"] = np.searchsorted(own, times)
    inner = (after > 0) & (after < len(own))
    before, following = own[np.clip(after - 1, 0, None)], own[np.clip(after, None, len(own) - 1)]
    return inner & (following - before <= reach)
