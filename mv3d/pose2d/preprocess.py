"""Whole images to network input and back: the aspect is kept, images of all cameras make one batch."""

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from jaxtyping import Float, UInt8

PAD_VALUE = 128
"""Grey of what lies outside an image: the middle of the range, so that a border is as faint as it can be."""


@dataclass(frozen=True, slots=True)
class Fit:
    """Where an image lies in its network input: resized to `size`, at the top left, grey beyond.

    Attributes:
        source: (width, height) px of the image.
        size: (width, height) px of the resized image in the input.
    """

    source: tuple[int, int]
    size: tuple[int, int]

    @property
    def factors(self) -> Float[np.ndarray, "2"]:
        """Input px per source px along x and y; equal but for the rounding of `size` to whole pixels."""
        return np.array(self.size) / np.array(self.source)

    def to_source(self, xy: Float[np.ndarray, "*batch 2"]) -> Float[np.ndarray, "*batch 2"]:
        """Source px of input px. Pixel centres are integers, so resizing moves them by half a pixel."""
        return (xy + 0.5) / self.factors - 0.5

    def to_input(self, xy: Float[np.ndarray, "*batch 2"]) -> Float[np.ndarray, "*batch 2"]:
        """Input px of source px."""
        return (xy + 0.5) * self.factors - 0.5


def fit(source: tuple[int, int], long_side: int) -> Fit:
    """The placement that makes the longer side of an image `long_side` px.

    Raises:
        ValueError: a size that is not positive.
    """
    if min(source) <= 0 or long_side <= 0:
        raise ValueError(f"cannot fit an image of {source} px to {long_side} px")
    scale = long_side / max(source)
    return Fit(source, (max(1, round(source[0] * scale)), max(1, round(source[1] * scale))))


def fit_within(source: tuple[int, int], canvas: tuple[int, int]) -> Fit:
    """The placement that makes an image as large as a canvas of (width, height) px allows.

    Raises:
        ValueError: a size that is not positive.
    """
    if min(*source, *canvas) <= 0:
        raise ValueError(f"cannot fit an image of {source} px to {canvas} px")
    scale = min(canvas[0] / source[0], canvas[1] / source[1])
    width, height = (min(side, max(1, round(n * scale))) for n, side in zip(source, canvas, strict=True))
    return Fit(source, (width, height))


def as_bgr(image: np.ndarray) -> UInt8[np.ndarray, "height width 3"]:
    """An image of any usual kind as BGR of 8 bits: grey is repeated, alpha is left out, 16 bits are cut to 8.

    Raises:
        ValueError: not an image of 8 or 16 bits with pixels.
    """
    image = np.asarray(image)
    if image.ndim not in (2, 3) or image.dtype not in (np.uint8, np.uint16) or 0 in image.shape:
        raise ValueError(f"an array {image.shape} of {image.dtype} is not an image of 8 or 16 bits")
    if image.dtype == np.uint16:
        image = (image >> 8).astype(np.uint8)
    if image.ndim == 2 or image.shape[2] == 1:
        return np.repeat(image.reshape(*image.shape[:2], 1), 3, axis=2)
    if image.shape[2] not in (3, 4):
        raise ValueError(f"an image of {image.shape[2]} channels; grey, BGR or BGRA is wanted")
    return image[..., :3]


def resize(image: UInt8[np.ndarray, "height width 3"], placement: Fit) -> UInt8[np.ndarray, "height2 width2 3"]:
    """The image at the placement's size: by area where it shrinks (no aliasing), bilinear where it grows."""
    shrinks = placement.size[0] < placement.source[0]
    return cv2.resize(image, placement.size, interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR)


def batch_images(
    images: Sequence[UInt8[np.ndarray, "_ _ 3"]], multiple: int
) -> UInt8[np.ndarray, "image height width 3"]:
    """Stack images of any sizes at the top left of a common grey canvas.

    Args:
        images: BGR, at least one.
        multiple: the canvas's sides are the least multiples of this that hold every image.
    """
    height, width = (-(-max(image.shape[axis] for image in images) // multiple) * multiple for axis in (0, 1))
    batch = np.full((len(images), height, width, 3), PAD_VALUE, np.uint8)
    for canvas, image in zip(batch, images, strict=True):
        canvas[: image.shape[0], : image.shape[1]] = image
    return batch
