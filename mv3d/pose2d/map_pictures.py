"""Heatmaps and part affinity fields drawn over the image that they are of."""

import cv2
import numpy as np
from jaxtyping import Float, UInt8

from mv3d.pose2d.preprocess import Fit

# Weight of the maps where they are strongest; the image stays visible below.
_OPACITY = 0.7
# OpenCV's hue (0 to 179) of blue; red is 0.
_BLUE = 120


def draw_heatmaps(
    image: UInt8[np.ndarray, "height width 3"],
    heatmaps: Float[np.ndarray, "joint h w"],
    placement: Fit,
    stride: int,
    cell_offset: tuple[float, float],
) -> UInt8[np.ndarray, "height width 3"]:
    """The strongest joint at each pixel: its strength by opacity, which joint by hue.

    Args:
        image: BGR.
        heatmaps: maps of the joints, without the background.
        placement: where the image lay in the network's input.
        stride: input px per cell.
        cell_offset: (x, y) input px of cell (0, 0).
    """
    maps = [_on_source(m, placement, stride, cell_offset) for m in heatmaps]
    strongest, strength = np.zeros(image.shape[:2], np.uint8), np.zeros(image.shape[:2], np.float32)
    for joint, values in enumerate(maps):
        better = values > strength
        strongest[better], strength[better] = joint, values[better]
    hue = (strongest.astype(float) * 180 / len(heatmaps)).astype(np.uint8)
    return _blended(image, hue, np.clip(strength, 0, 1))


def draw_pafs(
    image: UInt8[np.ndarray, "height width 3"],
    pafs: Float[np.ndarray, "pafs h w"],
    placement: Fit,
    stride: int,
    cell_offset: tuple[float, float],
) -> UInt8[np.ndarray, "height width 3"]:
    """The strongest field at each pixel, its strength by opacity, its direction by hue; see `draw_heatmaps`."""
    best = np.zeros((3, *image.shape[:2]), np.float32)
    for x, y in zip(pafs[0::2], pafs[1::2], strict=True):
        fx, fy = (_on_source(m, placement, stride, cell_offset) for m in (x, y))
        strength = np.hypot(fx, fy)
        better = strength > best[2]
        best[:, better] = np.stack([fx, fy, strength])[:, better]
    angle = np.mod(np.arctan2(best[1], best[0]), 2 * np.pi)
    return _blended(image, (angle * 90 / np.pi).astype(np.uint8) % 180, np.clip(best[2], 0, 1))


def draw_map(
    image: UInt8[np.ndarray, "height width 3"],
    heatmap: Float[np.ndarray, "h w"],
    placement: Fit,
    stride: int,
    cell_offset: tuple[float, float],
) -> UInt8[np.ndarray, "height width 3"]:
    """One map, 0 to 1 as blue to red, only what is below a third translucent; see `draw_heatmaps`."""
    strength = np.clip(_on_source(heatmap, placement, stride, cell_offset), 0, 1)
    return _blended(image, np.round(_BLUE * (1 - strength)).astype(np.uint8), np.minimum(3 * strength, 1))


def _on_source(
    m: Float[np.ndarray, "h w"], placement: Fit, stride: int, cell_offset: tuple[float, float]
) -> Float[np.ndarray, "height width"]:
    """A map at every source px: px to input px to cells are shifts and scales, half pixels included."""
    factors, offset = placement.factors, np.array(cell_offset)
    origin = ((0.5 * factors - 0.5) - offset) / stride
    matrix = np.hstack([np.diag(factors / stride), origin[:, None]])
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    border = cv2.BORDER_REPLICATE
    return cv2.warpAffine(np.asarray(m, np.float32), matrix, placement.source, flags=flags, borderMode=border)


def _blended(
    image: UInt8[np.ndarray, "height width 3"], hue: UInt8[np.ndarray, "height width"], strength: np.ndarray
) -> UInt8[np.ndarray, "height width 3"]:
    full = np.full_like(hue, 255)
    colour = cv2.cvtColor(np.stack([hue, full, full], axis=-1), cv2.COLOR_HSV2BGR)
    weight = (_OPACITY * strength)[..., None]
    return np.round(image * (1 - weight) + colour * weight).astype(np.uint8)
