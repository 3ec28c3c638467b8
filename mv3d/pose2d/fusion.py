"""Averaging of the maps of several crops of one camera, seen from the first."""

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional

from mv3d.pose2d.crops import VirtualCamera, crop_from_crop


def fuse_maps(
    heatmaps: Float[Tensor, "crop maps h w"],
    pafs: Float[Tensor, "crop pafs h w"],
    crops: tuple[VirtualCamera, ...],
    stride: int,
    cell_offset: tuple[float, float],
) -> tuple[Float[Tensor, "maps h w"], Float[Tensor, "pafs h w"]]:
    """Mean of the maps of several crops, on the cells of the first.

    The other crops' maps are sampled cubically through the homography between the crops; where a crop does not reach,
    the mean is over those that do. PAF vectors are turned by the rotation between the crops at each cell.

    Args:
        heatmaps: maps of each crop.
        pafs: fields of each crop, x and y channels alternating.
        crops: one for each map, all of one camera and one size.
        stride: crop px per cell.
        cell_offset: (x, y) crop px of cell (0, 0).
    """
    heat_sum, paf_sum = heatmaps[0].clone(), pafs[0].clone()
    weight = torch.ones_like(heat_sum[:1])
    shape = (int(heatmaps.shape[2]), int(heatmaps.shape[3]))
    for i, crop in enumerate(crops[1:], start=1):
        cells, turn = _cells_and_turn(crops[0], crop, shape, stride, cell_offset)
        inside = ((cells > -0.5) & (cells < np.array(shape[::-1]) - 0.5)).all(-1)
        mask = torch.from_numpy(inside).to(weight)
        sampled = sample_cells(torch.cat([heatmaps[i], pafs[i]]), cells)
        heat_sum += mask * sampled[: len(heat_sum)]
        paf_sum += mask * _turned(sampled[len(heat_sum) :], torch.from_numpy(turn).to(weight))
        weight += mask
    return heat_sum / weight, paf_sum / weight


def _cells_and_turn(
    first: VirtualCamera, other: VirtualCamera, shape: tuple[int, int], stride: int, cell_offset: tuple[float, float]
) -> tuple[Float[np.ndarray, "h w 2"], Float[np.ndarray, "h w"]]:
    """Where each cell of the first crop lies in the other's cells, and the angle (rad) that turns vectors back."""
    H = crop_from_crop(other, first)
    x, y = np.meshgrid(
        *(stride * np.arange(n) + first_cell for n, first_cell in zip(shape[::-1], cell_offset, strict=True))
    )
    points = np.stack([x, y, np.ones_like(x)], axis=-1) @ H.T
    depth = np.where(points[..., 2:] > 0, points[..., 2:], np.nan)
    xy = points[..., :2] / depth
    jacobian = (H[:2, :2] - xy[..., :, None] * H[2, :2]) / depth[..., None]
    # The nearest rotation to a 2x2 matrix [[a, b], [c, d]] turns by atan2(c - b, a + d); vectors go the other way.
    turn = -np.arctan2(jacobian[..., 1, 0] - jacobian[..., 0, 1], jacobian[..., 0, 0] + jacobian[..., 1, 1])
    return np.nan_to_num((xy - np.array(cell_offset)) / stride, nan=-1e4), np.nan_to_num(turn)


def sample_cells(
    maps: Float[Tensor, "channel h w"], cells: Float[np.ndarray, "h2 w2 2"]
) -> Float[Tensor, "channel h2 w2"]:
    """Maps at cells of any place, cubically; borders replicated."""
    height, width = maps.shape[1:]
    grid = torch.from_numpy(cells * (2 / np.maximum([width - 1, height - 1], 1)) - 1).to(maps)
    return functional.grid_sample(maps[None], grid[None], mode="bicubic", padding_mode="border", align_corners=True)[0]


def _turned(fields: Float[Tensor, "pafs h w"], angle: Float[Tensor, "h w"]) -> Float[Tensor, "pafs h w"]:
    """Every (x, y) pair of channels turned by an angle at each cell."""
    x, y = fields[0::2], fields[1::2]
    cos, sin = torch.cos(angle), torch.sin(angle)
    return torch.stack([cos * x - sin * y, sin * x + cos * y], dim=1).flatten(0, 1)
