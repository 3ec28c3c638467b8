"""Photographs of flat boards through real lens models: what a camera sees of a printed page before a cluttered wall."""

from dataclasses import dataclass

import cv2
import numpy as np
from jaxtyping import Float, UInt8

from mv3d.data.camera import Camera

# Samples a side in each pixel; rays are interpolated between pixels, which bends no lens by a hundredth of a pixel.
_SUPERSAMPLED = 3
# The 8 x 8 noise around the page, gray levels.
_BACKGROUND = (60, 140)
# Nowhere near the page, for rays that miss its plane, m.
_FAR_M = 1e6


@dataclass(frozen=True, slots=True)
class Exposure:
    """How a picture is taken.

    Attributes:
        blur: standard deviation of the lens's and the sensor's blur, px.
        noise: standard deviation of a pixel, gray levels.
        contrast: of the print; 1 is full black on white.
    """

    blur: float = 0.6
    noise: float = 2.0
    contrast: float = 1.0


def photograph(
    camera: Camera,
    page: UInt8[np.ndarray, "height width"],
    origin: tuple[float, float],
    texels_per_m: float,
    R: Float[np.ndarray, "3 3"],
    t: Float[np.ndarray, "3"],
    exposure: Exposure | None = None,
    seed: int = 0,
) -> UInt8[np.ndarray, "rows columns"]:
    """Picture of a page.

    Args:
        camera: looks at it.
        page: the print, gray levels.
        origin: where the board's origin lies on the page, m from its upper left corner.
        texels_per_m: resolution of the page; several texels should fall on a pixel's width.
        R, t: x_world = R x_board + t, m.
        exposure: blur and noise.
        seed: of noise and background.
    """
    exposure, rng = exposure or Exposure(), np.random.default_rng(seed)
    width, height = camera.size
    x, y = np.meshgrid(np.arange(width), np.arange(height))
    rays = camera.lens.unproject(np.stack([x, y], axis=-1).astype(float)) @ (camera.R @ R)
    center = R.T @ (camera.center - t)
    with np.errstate(divide="ignore", invalid="ignore"):
        depth = -center[2] / rays[..., 2]
        plane = (center + depth[..., None] * rays)[..., :2]
    plane[~(depth > 0)] = -_FAR_M  # behind the camera, or no ray at all
    # A texel's centre is at half.
    places = ((plane + origin) * texels_per_m - 0.5).astype(np.float32)
    places = cv2.resize(places, None, fx=_SUPERSAMPLED, fy=_SUPERSAMPLED, interpolation=cv2.INTER_LINEAR)
    across, down = np.ascontiguousarray(places[..., 0]), np.ascontiguousarray(places[..., 1])
    picture = cv2.remap(page, across, down, cv2.INTER_LINEAR, borderValue=0).astype(np.float32)
    inside = cv2.remap(np.ones_like(page), across, down, cv2.INTER_NEAREST, borderValue=0) > 0
    clutter = rng.integers(*_BACKGROUND, (height // 8 + 1, width // 8 + 1)).astype(np.float32)
    clutter = cv2.resize(clutter, (picture.shape[1], picture.shape[0]), interpolation=cv2.INTER_CUBIC)
    picture = np.where(inside, 128 + exposure.contrast * 0.8 * (picture - 127.5), clutter)
    image = cv2.resize(picture, (width, height), interpolation=cv2.INTER_AREA)
    image = cv2.GaussianBlur(image, (0, 0), exposure.blur) if exposure.blur else image
    return np.clip(image + rng.normal(0, exposure.noise, image.shape), 0, 255).round().astype(np.uint8)
