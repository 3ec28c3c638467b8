"""Peaks and limb scores where the maps are: the rules of the CPU's kernels in PyTorch, one small transfer at the end.

A batch of maps stays on its GPU; what comes back is a few kilobytes: places and heights of the peaks, and for each
limb the score of each pair of its candidates. `tests/pose2d/test_device_decoding.py` holds both to the same numbers.
"""

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor
from torch.nn import functional

from mv3d.data.skeleton import Skeleton
from mv3d.pose2d.assembly import AssemblyConfig, limb_rules
from mv3d.pose2d.peaks import MAX_CANDIDATES, Peaks
from mv3d.pose2d.peaks_kernels import FLOOR, LEAST_SHARE, REACH

_MOST_SAMPLES, _LEAST_SAMPLES = 25, 5


@dataclass(frozen=True, slots=True, eq=False)
class Decoded:
    """What assembly needs of one image.

    Attributes:
        peaks: candidates of each joint, px of the network input.
        limb_scores: (limb, candidate of the first joint, candidate of the second) PAF score; negative: not joined.
    """

    peaks: Peaks
    limb_scores: Float[np.ndarray, "limb a b"]


@torch.inference_mode()
def decode_on_device(
    heatmaps: Float[Tensor, "batch maps h w"],
    pafs: Float[Tensor, "batch pafs h w"],
    skeleton: Skeleton,
    config: AssemblyConfig,
    stride: int,
    cell_offset: tuple[float, float],
) -> list[Decoded]:
    """Candidates and limb scores of a batch of maps of one size.

    Args:
        heatmaps: maps at the network's stride; only those of the joints are looked at.
        pafs: fields at the network's stride.
        skeleton: limbs and their PAF channels.
        config: thresholds.
        stride: input px per cell.
        cell_offset: (x, y) input px of cell (0, 0).
    """
    joints = len(skeleton)
    cells, score, count = _peaks(heatmaps[:, :joints], config.peak_threshold, 1 / stride)
    limbs = _limb_scores(cells, count, pafs, skeleton, limb_rules(config, pafs.shape[2:], stride), float(stride))
    batch, k = len(heatmaps), cells.shape[2]
    parts = (cells, score, count, limbs)
    flat = torch.cat([part.reshape(batch, -1).float() for part in parts], 1).cpu().numpy()
    sizes = np.cumsum([joints * k * 2, joints * k, joints])
    out = []
    for row in flat:
        xy, heights, counts, scores = np.split(row, sizes)
        xy = xy.reshape(joints, k, 2) * np.float32(stride) + np.array(cell_offset, np.float32)
        found = Peaks(xy, heights.reshape(joints, k), counts.astype(np.int64))
        out.append(Decoded(found, scores.reshape(len(skeleton.limbs), k, k)))
    return out


def _peaks(
    maps: Float[Tensor, "batch joint h w"], threshold: float, edge: float
) -> tuple[Float[Tensor, "batch joint k 2"], Float[Tensor, "batch joint k"], Int[Tensor, "batch joint"]]:
    """Cell coordinates, heights (falling) and counts of the peaks."""
    height, width = maps.shape[2:]
    highest = _is_highest(maps) & (maps > LEAST_SHARE * threshold)
    # Twice as many cells as peaks are kept: the fit changes the order of the faintest, and some are dropped.
    k = min(int(highest.flatten(2).sum(2).max()), 2 * MAX_CANDIDATES)
    raw, at = torch.where(highest, maps, -torch.inf).flatten(2).topk(max(k, 1), dim=2)
    y, x = at // width, at % width
    value, dx, dy = _gaussian(_log_neighbourhoods(maps, y, x), raw)
    px, py = x + dx, y + dy
    inside = (px > edge - 0.5) & (py > edge - 0.5) & (px < width - 0.5 - edge) & (py < height - 0.5 - edge)
    value = torch.where(torch.isfinite(raw) & inside & (value > threshold), value, 0.0)
    order = torch.argsort(value, dim=2, descending=True, stable=True)[..., :MAX_CANDIDATES]
    value, px, py = (torch.gather(v, 2, order) for v in (value, px, py))
    return torch.stack([px, py], -1) * (value > 0)[..., None], value, (value > 0).sum(2)


def _is_highest(maps: Float[Tensor, "batch joint h w"]) -> Bool[Tensor, "batch joint h w"]:
    """At least as high as all neighbours; of equal neighbours the first in reading order counts."""
    height, width = maps.shape[2:]
    padded = functional.pad(maps, (1, 1, 1, 1), value=-torch.inf)
    highest = torch.ones_like(maps, dtype=torch.bool)
    for dy in (-1, 0, 1):
        for dx in (-1, 0, 1):
            neighbour = padded[:, :, 1 + dy : 1 + dy + height, 1 + dx : 1 + dx + width]
            if dy < 0 or (dy == 0 and dx < 0):
                highest &= maps > neighbour
            elif dy or dx:
                highest &= maps >= neighbour
    return highest


def _log_neighbourhoods(
    maps: Float[Tensor, "batch joint h w"], y: Int[Tensor, "batch joint k"], x: Int[Tensor, "batch joint k"]
) -> Float[Tensor, "batch joint k 9"]:
    """Logarithms of the 3 x 3 cells around some; beyond the map, of a Gaussian of sigma one cell."""
    logs = maps.double().clamp_min(FLOOR).log()
    for axis in (3, 2):
        last = logs.shape[axis] - 1
        first, second, before, final = (logs.narrow(axis, i, 1) for i in (0, min(1, last), max(0, last - 1), last))
        logs = torch.cat([2 * first - second - 1, logs, 2 * final - before - 1], axis)
    width = logs.shape[3]
    steps = [(y + 1 + dy) * width + x + 1 + dx for dy in (-1, 0, 1) for dx in (-1, 0, 1)]
    flat = logs.flatten(2)
    return torch.stack([torch.gather(flat, 2, step) for step in steps], -1)


def _gaussian(
    logs: Float[Tensor, "batch joint k 9"], raw: Float[Tensor, "batch joint k"]
) -> tuple[Float[Tensor, "batch joint k"], Float[Tensor, "batch joint k"], Float[Tensor, "batch joint k"]]:
    """Height and place of the Gaussian through each neighbourhood; the cell itself where none fits."""
    steps = torch.arange(-1.0, 2.0, device=logs.device)
    dy, dx = steps.repeat_interleave(3), steps.repeat(3)
    rows = torch.stack([torch.ones_like(dx), dx, dy, dx * dx, dy * dy, dx * dy], -1).to(logs)
    weighted = torch.exp(2 * logs)[..., None] * rows
    normal = weighted.transpose(-1, -2) @ rows
    # Rows beyond the number of peaks may be singular; what comes of them is not looked at.
    c, _ = torch.linalg.solve_ex(normal, (weighted * logs[..., None]).sum(-2))
    det = 4 * c[..., 3] * c[..., 4] - c[..., 5] ** 2
    fits = (c[..., 3] < 0) & (det > 0)
    safe = torch.where(fits, det, 1.0)
    x = torch.where(fits, (c[..., 5] * c[..., 2] - 2 * c[..., 4] * c[..., 1]) / safe, 0.0)
    y = torch.where(fits, (c[..., 5] * c[..., 1] - 2 * c[..., 3] * c[..., 2]) / safe, 0.0)
    height = torch.exp(c[..., 0] + 0.5 * (c[..., 1] * x + c[..., 2] * y))
    value = torch.where(fits, torch.minimum(height, raw.double() / LEAST_SHARE), raw.double())
    return value.float(), x.clamp(-REACH, REACH).float(), y.clamp(-REACH, REACH).float()


def _limb_scores(
    cells: Float[Tensor, "batch joint k 2"],
    count: Int[Tensor, "batch joint"],
    pafs: Float[Tensor, "batch pafs h w"],
    skeleton: Skeleton,
    rules: Float[np.ndarray, "4"],
    stride: float,
) -> Float[Tensor, "batch limb k k"]:
    """Mean agreement of the field with the direction of each pair; -1 where not joined."""
    device, k = cells.device, cells.shape[2]
    ends = torch.tensor(skeleton.limbs, device=device)
    channels = torch.tensor(skeleton.paf_channels, device=device)
    start, end = cells[:, ends[:, 0], :, None], cells[:, ends[:, 1], None]
    step = end - start
    length = torch.linalg.norm(step, dim=-1)
    largest = step.abs().amax(-1)
    samples = torch.round(torch.sqrt(5 * stride * largest)).clamp(_LEAST_SAMPLES, _MOST_SAMPLES)
    k_sample = torch.arange(_MOST_SAMPLES, device=device, dtype=cells.dtype)
    share = k_sample / samples[..., None]
    points = start[..., None, :] + step[..., None, :] * share[..., None]
    unit = step / length.clamp_min(1e-6)[..., None]
    dot = (_sampled(pafs[:, channels], points) * unit[..., None, :]).sum(-1)
    good = (dot > rules[0]) & (k_sample < samples[..., None]) & (length > 1e-6)[..., None]
    kept = good.sum(-1)
    mean = (dot * good).sum(-1) / kept.clamp_min(1)
    near = torch.where(length * stride < rules[3], rules[2], -1.0)
    score = torch.where(kept > rules[1] * samples, mean, near.to(mean))
    real = torch.arange(k, device=device) < count[..., None]
    return torch.where(real[:, ends[:, 0], :, None] & real[:, ends[:, 1], None], score, -1.0)


def _sampled(
    fields: Float[Tensor, "batch limb 2 h w"], points: Float[Tensor, "batch limb k k samples 2"]
) -> Float[Tensor, "batch limb k k samples 2"]:
    """Bilinear values of each limb's own field at cell coordinates, borders replicated."""
    batch, limbs, _, height, width = fields.shape
    grid = points * (2 / torch.tensor([max(width - 1, 1), max(height - 1, 1)], device=points.device)) - 1
    grid = grid.reshape(batch * limbs, -1, points.shape[-2], 2)
    found = functional.grid_sample(fields.flatten(0, 1), grid, padding_mode="border", align_corners=True)
    return found.permute(0, 2, 3, 1).reshape(points.shape)
