"""When to look at which camera: the moments at which detections and skeleton disagree most."""

from dataclasses import dataclass

import numpy as np

from mv3d.data.quality import Quality, median_known

# A moment is told if it is so many times as bad as the camera's median, and not within so many seconds of a worse one.
_TIMES_USUAL = 2.0
_APART_S = 1.0
# Errors are medians over about this long, so that a single wrong detection is no moment.
_WINDOW_S = 0.15
_MOST = 5
_JOINTS_NAMED = 2


@dataclass(frozen=True, slots=True)
class Moment:
    """A peak of one camera's reprojection error.

    Attributes:
        frame: where the peak is.
        time: s.
        camera: whose.
        error_px: median over the limb joints there.
        usual_px: the camera's median over the recording.
        joints: those that are furthest off, worst first.
    """

    frame: int
    time: float
    camera: str
    error_px: float
    usual_px: float
    joints: tuple[str, ...]


def worst_moments(quality: Quality, timestamps: np.ndarray, most: int = _MOST) -> list[Moment]:
    """The moments that stand out most from their camera's usual error, the worst first; none where nothing does.

    Args:
        quality: the figures, of all frames.
        timestamps: (frame,) s.
        most: at most so many.
    """
    joints = list(quality.limb_joints) or list(range(len(quality.keypoints)))
    errors = quality.reprojection_px[:, :, joints]
    known = np.asarray(np.isfinite(errors).any(-1))
    median = np.where(known, np.nanmedian(np.where(known[..., None], errors, 0.0), axis=-1), np.nan)
    smooth = _smoothed(median, timestamps)
    usual = np.array([median_known(median[:, v]) for v in range(median.shape[1])])
    with np.errstate(invalid="ignore", divide="ignore"):
        ratio = np.where(usual > 0, smooth / usual, np.nan)
    ratio = np.nan_to_num(ratio, nan=0.0, posinf=0.0)
    found: list[Moment] = []
    while len(found) < most and ratio.size and ratio.max() > _TIMES_USUAL:
        frame, view = (int(k) for k in np.unravel_index(np.argmax(ratio), ratio.shape))
        order = np.argsort(-np.nan_to_num(errors[frame, view], nan=-1.0))[:_JOINTS_NAMED]
        named = tuple(quality.keypoints[joints[j]] for j in order if np.isfinite(errors[frame, view, j]))
        time = float(timestamps[frame])
        found.append(Moment(frame, time, quality.cameras[view], float(smooth[frame, view]), float(usual[view]), named))
        ratio[np.abs(timestamps - time) < _APART_S] = 0.0
    return found


def _smoothed(values: np.ndarray, timestamps: np.ndarray) -> np.ndarray:
    """Running median (frame, view) of what is known, over a short window; NaN where nothing is known."""
    interval = float(np.median(np.diff(timestamps))) if len(timestamps) > 1 else _WINDOW_S
    half = max(int(_WINDOW_S / interval / 2), 1)
    padded = np.pad(values, ((half, half), (0, 0)), constant_values=np.nan)
    windows = np.lib.stride_tricks.sliding_window_view(padded, 2 * half + 1, axis=0)
    known = np.asarray(np.isfinite(values))
    return np.where(known, np.nanmedian(np.where(known[..., None], windows, 0.0), axis=-1), np.nan)
