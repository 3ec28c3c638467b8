"""Frames at another or at a constant rate, by interpolation between neighbours."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int

from mv3d.data.poses import FILLED, MEASURED, MISSING, Poses3D
from mv3d.errors import FormatError

# s; clocks of containers are often rounded to the millisecond, and a frame's time is then off by half of one.
_CLOCK_ROUNDING = 0.6e-3
# Frames that differ from a constant rate by less than this share of an interval are taken for frames of that rate.
_REGULAR = 0.1
# An interval of more than this many usual ones is a hole in the recording, over which nothing is interpolated.
_HOLE = 3.0
# Instants as near to a frame as this share of an interval are that frame.
_SAME = 1e-3
# Frames of a resampled recording: about a day at the highest rate that cameras have.
_MOST_FRAMES = 100_000_000


@dataclass(frozen=True, slots=True, eq=False)
class Resampling:
    """How new instants follow from old frames: x = (1 - weight) * x[left] + weight * x[right].

    Attributes:
        times: (frame,) s, the new instants.
        left: (frame,) index of the old frame before.
        right: (frame,) index of the one after.
        weight: (frame,) 0 to 1.
        known: (frame,) whether the interval is short enough to interpolate in.
    """

    times: Float[np.ndarray, " frame"]
    left: Int[np.ndarray, " frame"]
    right: Int[np.ndarray, " frame"]
    weight: Float[np.ndarray, " frame"]
    known: Bool[np.ndarray, " frame"]


def nominal_rate(timestamps: Float[np.ndarray, " frame"]) -> float:
    """Frames per second over the whole recording, a whole number where the times allow it; 0 for one frame.

    The mean interval, not the median one: times that are rounded to the millisecond have no other honest rate.
    """
    if len(timestamps) < 2:
        return 0.0
    rate = (len(timestamps) - 1) / float(timestamps[-1] - timestamps[0])
    whole = float(round(rate))
    return whole if whole and _deviation(timestamps, whole) < _CLOCK_ROUNDING else rate


def is_regular(timestamps: Float[np.ndarray, " frame"]) -> bool:
    """Whether the frames can be counted at a constant rate without moving them in time."""
    if len(timestamps) < 2:
        return True
    rate = nominal_rate(timestamps)
    return _deviation(timestamps, rate) < max(_REGULAR / rate, _CLOCK_ROUNDING)


def resampling(timestamps: Float[np.ndarray, " frame"], fps: float) -> Resampling:
    """New instants from the first frame on at a constant rate, as many as lie within the recording.

    Raises:
        FormatError: more frames than any program reads.
    """
    start, length = float(timestamps[0]), float(timestamps[-1] - timestamps[0])
    count = int(np.floor(length * fps + _SAME)) + 1
    if count > _MOST_FRAMES:
        raise FormatError(f"{length:.0f} s at {fps:g} frames per second are {count} frames; choose a lower --fps")
    times = start + np.arange(count) / fps
    right = np.clip(np.searchsorted(timestamps, times), min(1, len(timestamps) - 1), len(timestamps) - 1)
    left = np.maximum(right - 1, 0)
    gap = timestamps[right] - timestamps[left]
    weight = np.clip((times - timestamps[left]) / np.where(gap > 0, gap, 1.0), 0.0, 1.0)
    usual = float(np.median(np.diff(timestamps))) if len(timestamps) > 1 else 1.0
    near = _SAME * usual
    weight = np.where(times - timestamps[left] < near, 0.0, np.where(timestamps[right] - times < near, 1.0, weight))
    known = (gap <= _HOLE * usual) | (weight == 0) | (weight == 1)
    return Resampling(times, left, right, weight, known)


def blend(values: Float[np.ndarray, "frame ..."], how: Resampling) -> Float[np.ndarray, "new ..."]:
    """Linear interpolation; NaN where a neighbour that counts is NaN, or the interval is a hole."""
    w = how.weight.reshape(-1, *([1] * (values.ndim - 1)))
    # A weight of 0 must not let the NaN of the other neighbour in.
    before = np.where(w < 1, (1 - w) * values[how.left], 0.0)
    after = np.where(w > 0, w * values[how.right], 0.0)
    known = how.known.reshape(w.shape)
    return np.where(known, before + after, np.nan)


def resample_poses(poses: Poses3D, fps: float) -> Poses3D:
    """The skeletons at a constant rate; a point between a missing one and another is missing.

    Between two measured points a point counts as measured, beside a filled one as filled. Covariances are interpolated
    like points: whatever the correlation of the neighbours, the true one is no larger.
    """
    how = resampling(poses.timestamps, fps)
    xyz = blend(poses.xyz, how)
    here = np.asarray(np.isfinite(xyz).all(-1))
    at_left, at_right = (how.weight[:, None, None] < 1), (how.weight[:, None, None] > 0)
    filled = (at_left & (poses.state[how.left] == FILLED)) | (at_right & (poses.state[how.right] == FILLED))
    views = np.minimum(
        np.where(at_left, poses.n_views[how.left], 255), np.where(at_right, poses.n_views[how.right], 255)
    )
    return Poses3D(
        skeleton=poses.skeleton,
        xyz=np.where(here[..., None], xyz, np.nan),
        score=np.where(here, np.nan_to_num(blend(poses.score, how)), 0),
        reprojection_error=blend(poses.reprojection_error, how),
        n_views=np.where(here, views, 0).astype(np.uint8),
        covariance=blend(poses.covariance, how),
        state=np.where(here, np.where(filled, FILLED, MEASURED), MISSING).astype(np.uint8),
        xyz_per_frame=blend(poses.xyz_per_frame, how),
        timestamps=how.times,
        cameras=poses.cameras,
        person_id=poses.person_id,
        time_offsets=poses.time_offsets,
    )


def _deviation(timestamps: np.ndarray, rate: float) -> float:
    """Largest distance (s) of the frames from instants at a constant rate, whose start is free."""
    lead = timestamps - np.arange(len(timestamps)) / rate
    return float(np.ptp(lead)) / 2
