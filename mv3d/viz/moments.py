"""Which frame of one source shows the instant of another's: videos, keypoints and ghosts beside the skeleton."""

from dataclasses import replace

import numpy as np
from jaxtyping import Float, Int

from mv3d.data.poses import Poses2D
from mv3d.files.multiview import nearest

ABSENT = -1
"""Frame number where a source has none of that instant."""


def frames_at(own: Float[np.ndarray, " n"], wanted: Float[np.ndarray, " m"]) -> Int[np.ndarray, " m"]:
    """Index of a source's frame at each wanted instant; ABSENT where none is near.

    Near is half an interval of the slower of the two, so that a slow source stays in sight between its frames.

    Args:
        own: the source's frame times, s, on the clock of `wanted`.
        wanted: s.
    """
    if not len(own) or not len(wanted):
        return np.full(len(wanted), ABSENT)
    index = nearest(own, wanted)
    intervals = [np.median(np.diff(times)) for times in (own, wanted) if len(times) > 1]
    tolerance = max(intervals, default=np.inf) / 2
    return np.where(np.abs(own[index] - wanted) <= tolerance + 1e-9, index, ABSENT)


def at_times(poses2d: Poses2D, wanted: Float[np.ndarray, " m"], offset: float = 0.0) -> Poses2D:
    """Keypoints of one view at other instants; missing where the view has no frame.

    Args:
        poses2d: at the view's own times.
        wanted: s, increasing.
        offset: s, to be added to the view's times.
    """
    index = frames_at(poses2d.timestamps + offset, wanted)
    there = index != ABSENT
    xy = np.full((len(wanted), *poses2d.xy.shape[1:]), np.nan, np.float32)
    score = np.zeros(xy.shape[:3], np.float32)
    xy[there], score[there] = poses2d.xy[index[there]], poses2d.score[index[there]]
    return replace(poses2d, xy=xy, score=score, timestamps=wanted, peaks_xy=None, peaks_score=None)
