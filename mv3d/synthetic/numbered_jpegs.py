"""Numbered JPEG pictures without an encoder at work: bands of a few encoded pictures, joined at restart markers.

JPEG may start afresh at every row of blocks (restart intervals, ITU-T T.81, E.1.4); rows of pictures with the same
tables can then be exchanged. So 65536 numbered pictures come out of 256 encoded ones.
"""

import re
from collections.abc import Sequence

import cv2
import numpy as np
from jaxtyping import UInt8

from mv3d.synthetic.frame_codes import band_height, draw_byte

_MCU = 16  # px, chroma at half resolution
_RESTART = re.compile(rb"\xff[\xd0-\xd7]")
_BANDS = 2


class NumberedJpegs:
    """Pictures of one size, their number burnt in as `frame_codes` does."""

    def __init__(
        self, size: tuple[int, int], backgrounds: Sequence[UInt8[np.ndarray, "height width 3"]] = (), quality: int = 80
    ) -> None:
        """Encode what is needed.

        Args:
            size: (width, height) px.
            backgrounds: pictures shown in turn below the number; noise with structure if none.
            quality: of JPEG.
        """
        self.size, self._quality = size, quality
        self._band_rows = band_height(size) // _MCU
        shown = backgrounds or [_scenery(size, seed) for seed in range(4)]
        heads_and_rows = [self._encoded(image) for image in shown]
        self._head = heads_and_rows[0][0]
        self._bodies = [_joined(rows, _BANDS * self._band_rows) for _, rows in heads_and_rows]
        self._bands = [self._bands_of(value) for value in range(256)]

    def __call__(self, number: int) -> bytes:
        """The picture of a number."""
        low, high = self._bands[number & 0xFF][0], self._bands[number >> 8 & 0xFF][1]
        return self._head + low + high + self._bodies[number % len(self._bodies)]

    def _bands_of(self, value: int) -> tuple[bytes, bytes]:
        strip = np.zeros((self.size[1], self.size[0], 3), np.uint8)
        for band in range(_BANDS):
            draw_byte(strip, value, band)
        rows = self._encoded(strip)[1]
        first, second = rows[: self._band_rows], rows[self._band_rows : _BANDS * self._band_rows]
        return _with_marks(first, 0), _with_marks(second, self._band_rows)

    def _encoded(self, image: np.ndarray) -> tuple[bytes, list[bytes]]:
        """The head of a JPEG up to its data, and the data of each row of blocks."""
        interval = -(-self.size[0] // _MCU)
        options = [cv2.IMWRITE_JPEG_QUALITY, self._quality, cv2.IMWRITE_JPEG_RST_INTERVAL, interval]
        data = cv2.imencode(".jpg", image, options)[1].tobytes()
        scan = data.index(b"\xff\xda")
        start = scan + 2 + int.from_bytes(data[scan + 2 : scan + 4], "big")
        return data[:start], _RESTART.split(data[start:-2])


def _with_marks(rows: Sequence[bytes], first: int) -> bytes:
    return b"".join(row + bytes((0xFF, 0xD0 + (first + k) % 8)) for k, row in enumerate(rows))


def _joined(rows: list[bytes], skipped: int) -> bytes:
    """The rows below the bands, to the end of the picture."""
    last = len(rows) - 1
    return _with_marks(rows[skipped:last], skipped) + rows[last] + b"\xff\xd9"


def _scenery(size: tuple[int, int], seed: int) -> np.ndarray:
    """Grey shapes with noise: about as many bytes as a room that a webcam sees."""
    rng = np.random.default_rng(seed)
    coarse = rng.integers(0, 255, (9, 16, 3), dtype=np.uint8)
    image = cv2.resize(coarse, size, interpolation=cv2.INTER_CUBIC).astype(np.int16)
    return np.clip(image + rng.normal(0, 4, image.shape), 0, 255).astype(np.uint8)
