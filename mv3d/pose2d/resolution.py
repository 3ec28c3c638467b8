"""How large whole images go into the network: OpenPose's rules, several scales averaged."""

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from mv3d.pose2d.config import ResolutionConfig
from mv3d.pose2d.fusion import sample_cells
from mv3d.pose2d.preprocess import Fit, fit_within

_MULTIPLE = 16
_WIDEST = 16 / 9


def placements_of(source: tuple[int, int], config: ResolutionConfig) -> list[Fit]:
    """Where an image of (width, height) px lies in the network's input at each scale, the largest first."""
    size = np.array(_net_size(source, config))
    shares = [1 - i * config.scale_gap for i in range(config.scale_number)]
    canvases = [np.maximum((size * share).astype(int) // _MULTIPLE, 1) * _MULTIPLE for share in shares]
    return [fit_within(source, (int(width), int(height))) for width, height in canvases]


def _net_size(source: tuple[int, int], config: ResolutionConfig) -> tuple[int, int]:
    """(width, height) of the network's input, multiples of 16."""
    width, height = (int(side) for side in config.net_resolution.split("x"))
    aspect = source[0] / source[1]
    limit = config.dynamic * _WIDEST if config.dynamic > 0 else np.inf
    if width < 0:
        width = height * min(aspect, limit)
    elif height < 0:
        height = width * min(1 / aspect, limit)
    width, height = (max(_MULTIPLE, round(side / _MULTIPLE) * _MULTIPLE) for side in (width, height))
    return width, height


def average_scales(
    maps: list[Float[Tensor, "channel _ _"]],
    placements: list[Fit],
    stride: int,
    cell_offset: tuple[float, float],
) -> Float[Tensor, "channel h w"]:
    """Mean of the maps of one image at several scales, on the cells of the first, the others sampled cubically.

    Args:
        maps: heatmaps and PAFs of each scale.
        placements: where the image lay at each.
        stride: input px per cell.
        cell_offset: (x, y) input px of cell (0, 0).
    """
    total = maps[0].clone()
    offset = np.array(cell_offset)
    axes = (stride * np.arange(n) + first for n, first in zip(maps[0].shape[:0:-1], cell_offset, strict=True))
    source = placements[0].to_source(np.stack(np.meshgrid(*axes), axis=-1))
    for other, placement in zip(maps[1:], placements[1:], strict=True):
        total += sample_cells(other, (placement.to_input(source) - offset) / stride)
    return total / torch.tensor(float(len(maps)), device=total.device)
