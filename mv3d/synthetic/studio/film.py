"""What a camera makes of light: shutter, exposure, noise, gamma, compression."""

from dataclasses import dataclass
from functools import cache

import cv2
import numpy as np
from jaxtyping import Float, UInt8

from mv3d.synthetic.studio.shading_kernels import develop

_NOISE_NUMBERS = 1 << 20
_CURVE = ((np.arange(4096) / 4095) ** (1 / 2.2) * 255 + 0.5).astype(np.uint8)


@dataclass(frozen=True, slots=True)
class Film:
    """How pictures are taken.

    Attributes:
        samples: per pixel, each way; their mean is the pixel.
        line_time: s from one image line to the next, counted from the middle line: a rolling shutter.
        exposure_s: how long each line is exposed; 0 is an instant.
        blur_samples: instants whose mean is an exposure that is not 0; odd, since the one in the middle is the truth's.
        gain: factor on the light.
        read_noise, shot_noise: standard deviations of the dark and of full light, of 1.
        defocus_px: standard deviation of the lens's blur.
        jpeg: quality 1 to 100; 0 for no compression.
    """

    samples: int = 2
    line_time: float = 0.0
    exposure_s: float = 0.0
    blur_samples: int = 5
    gain: float = 0.8
    read_noise: float = 0.004
    shot_noise: float = 0.02
    defocus_px: float = 0.0
    jpeg: int = 0

    def __post_init__(self) -> None:
        if self.blur_samples % 2 != 1:
            raise ValueError(f"blur_samples is {self.blur_samples}; an odd number has an instant in the middle")


def developed(light: Float[np.ndarray, "height width 3"], film: Film, seed: int) -> UInt8[np.ndarray, "height width 3"]:
    """The picture, BGR, of linear light.

    Args:
        light: linear BGR, 1 is white at a gain of 1.
        film: how it is taken.
        seed: of the noise; the same gives the same picture.
    """
    if film.defocus_px > 0:
        light = np.asarray(cv2.GaussianBlur(light, (0, 0), film.defocus_px))
    picture = np.empty(light.shape, np.uint8)
    start = (seed * 7919 * 104729) % _NOISE_NUMBERS
    develop(light, film.gain, film.read_noise, film.shot_noise, _noise(), start, _CURVE, picture)
    if film.jpeg:
        _, coded = cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, film.jpeg])
        picture = np.asarray(cv2.imdecode(coded, cv2.IMREAD_COLOR), np.uint8)
    return picture


@cache
def _noise() -> np.ndarray:
    return np.random.default_rng(0).normal(size=_NOISE_NUMBERS).astype(np.float32)
