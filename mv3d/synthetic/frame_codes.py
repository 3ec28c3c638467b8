"""Numbers in pictures, as blocks of black and white that any codec leaves readable: to know every frame."""

import numpy as np
from jaxtyping import UInt8

_BITS = 16
# A byte and its complement a band: what is no number is told from one.
_BYTE_BITS = 8


def band_height(size: tuple[int, int]) -> int:
    """Height of one of the two bands at the top of a picture, px; whole MCUs of JPEG."""
    return max(16, size[1] // 10 // 16 * 16)


def draw_byte(image: UInt8[np.ndarray, "height width 3"], value: int, band: int) -> None:
    """Draw a byte and its complement into band 0 or 1 of a picture, in place."""
    height, width = image.shape[:2]
    tall = band_height((width, height))
    bits = [value >> k & 1 for k in range(_BYTE_BITS)]
    edges = np.linspace(0, width, 2 * _BYTE_BITS + 1).round().astype(int)
    for k, bit in enumerate([*bits, *(1 - b for b in bits)]):
        image[band * tall : (band + 1) * tall, edges[k] : edges[k + 1]] = 235 if bit else 20


def draw_number(image: UInt8[np.ndarray, "height width 3"], number: int) -> None:
    """Burn a number into a picture, in place; 0 to 65535, larger ones start again at 0."""
    draw_byte(image, number & 0xFF, 0)
    draw_byte(image, number >> _BYTE_BITS & 0xFF, 1)


def read_number(image: UInt8[np.ndarray, "height width 3"]) -> int | None:
    """The number in a picture; None if it cannot be read."""
    height, width = image.shape[:2]
    tall = band_height((width, height))
    edges = np.linspace(0, width, 2 * _BYTE_BITS + 1)
    at = ((edges[:-1] + edges[1:]) / 2).astype(int)
    number = 0
    for band in range(_BITS // _BYTE_BITS):
        row = image[band * tall + tall // 4 : band * tall + 3 * tall // 4]
        seen = np.array([row[:, max(0, x - 2) : x + 3].mean() > 128 for x in at])
        if np.any(seen[:_BYTE_BITS] == seen[_BYTE_BITS:]):
            return None
        number |= int(sum(int(bit) << k for k, bit in enumerate(seen[:_BYTE_BITS]))) << _BYTE_BITS * band
    return number
