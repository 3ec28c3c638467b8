"""Candidates of each joint: the peaks of its heatmap."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int

from mv3d.pose2d import peaks_kernels

MAX_CANDIDATES = 127
"""As many peaks of a joint are kept, the highest; OpenPose's number."""


@dataclass(frozen=True, slots=True)
class Peaks:
    """The candidates of every joint in one network input.

    Attributes:
        xy: (joint, candidate, 2) float32 px of the network input, highest score first.
        score: (joint, candidate) float32, the heatmap's height at the peak.
        count: (joint,) how many candidates of each row are real.
    """

    xy: Float[np.ndarray, "joint candidate 2"]
    score: Float[np.ndarray, "joint candidate"]
    count: Int[np.ndarray, " joint"]


def find_peaks(
    heatmaps: Float[np.ndarray, "joint h w"],
    threshold: float,
    stride: int,
    cell_offset: tuple[float, float],
    max_candidates: int = MAX_CANDIDATES,
) -> Peaks:
    """Local maxima above `threshold`, placed by the Gaussian through the 3 x 3 cells around each.

    The Gaussian is exact where a peak is one; upsampling the maps cubically, as OpenPose does, is up to 1.3 px off and
    splits a peak between two cells in two. On a real session (images moved by parts of a cell, 346 joints) the same
    joint scatters by 0.71 px (rms) this way, by 0.77 px with the maps upsampled eightfold. Peaks on the outermost of
    the pixels of upsampled maps do not count, as in OpenPose.

    Args:
        heatmaps: the joints' maps, without the background.
        threshold: least value of a peak.
        stride: network input px per cell.
        cell_offset: (x, y) input px of cell (0, 0).
        max_candidates: the highest are kept (OpenPose: 127).
    """
    joints = len(heatmaps)
    xy = np.zeros((joints, max_candidates, 2), np.float32)
    score = np.zeros((joints, max_candidates), np.float32)
    count = np.zeros(joints, np.int64)
    maps = np.ascontiguousarray(heatmaps, dtype=np.float32)
    peaks_kernels.find_peaks(maps, float(threshold), 1 / stride, xy, score, count)
    used = int(count.max(initial=0))
    xy_input = xy[:, :used] * np.float32(stride) + np.array(cell_offset, np.float32)
    return Peaks(xy_input, np.ascontiguousarray(score[:, :used]), count)
