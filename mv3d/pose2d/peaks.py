"""Candidates of each joint: the peaks of its heatmap."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int

from mv3d.pose2d import peaks_kernels


@dataclass(frozen=True, slots=True)
class Peaks:
    """The candidates of every joint in one network input.

    Attributes:
        xy: (joint, candidate, 2) float32 px of the network input, highest score first.
        score: (joint, candidate) float32, the heatmap's value at the peak.
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
    max_candidates: int = 127,
) -> Peaks:
    """Local maxima above `threshold`, placed as on cubically upsampled maps, then by a parabola between its pixels.

    Only a 16 x 16 window around each maximum of the small map is upsampled. The outermost upsampled pixels are no
    peaks, as in OpenPose.

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
    peaks_kernels.find_peaks(maps, np.float32(threshold), xy, score, count)
    used = int(count.max(initial=0))
    return Peaks(xy[:, :used] * np.float32(stride) + np.array(cell_offset, np.float32), score[:, :used], count)
