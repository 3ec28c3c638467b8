"""Lines and rings on an image, smooth to a sixteenth of a pixel, whole or dashed; NaN points are left out."""

from collections.abc import Sequence

import cv2
import numpy as np

from mv3d.viz.colors import Rgb, bgr

_SHIFT = 4
# Points further outside than this many image sizes are not drawn: OpenCV's fixed-point coordinates would overflow.
_FAR = 8


def drawable(xy: np.ndarray, image: np.ndarray) -> np.ndarray:
    """Which of the points (..., 2) px can be drawn: finite and not absurdly far outside the image."""
    limit = _FAR * max(image.shape[:2])
    return np.isfinite(xy).all(-1) & (np.abs(np.nan_to_num(xy)) < limit).all(-1)


def draw_line(
    image: np.ndarray, a: np.ndarray, b: np.ndarray, rgb: Rgb, thickness: int, dash_px: float | None = None
) -> None:
    """Draw a segment in place; with `dash_px` as dashes of that length with gaps of the same length."""
    if not drawable(np.stack([a, b]), image).all():
        return
    for start, end in _dashes(a, b, dash_px) if dash_px else [(a, b)]:
        cv2.line(image, _fixed(start), _fixed(end), bgr(rgb), thickness, cv2.LINE_AA, _SHIFT)


def draw_disc(image: np.ndarray, center: np.ndarray, radius: float, rgb: Rgb) -> None:
    """Draw a filled circle in place."""
    if drawable(center, image):
        cv2.circle(image, _fixed(center), round(radius * 2**_SHIFT), bgr(rgb), cv2.FILLED, cv2.LINE_AA, _SHIFT)


def draw_ring(image: np.ndarray, center: np.ndarray, radius: float, rgb: Rgb, thickness: int) -> None:
    """Draw a hollow circle in place."""
    if drawable(center, image):
        cv2.circle(image, _fixed(center), round(radius * 2**_SHIFT), bgr(rgb), thickness, cv2.LINE_AA, _SHIFT)


def draw_outline(image: np.ndarray, corners: np.ndarray, rgb: Rgb, thickness: int) -> None:
    """Draw a closed polygon (corner, 2) in place; edges to a NaN corner are left out."""
    for a, b in zip(corners, np.roll(corners, -1, axis=0), strict=True):
        draw_line(image, a, b, rgb, thickness)


def _dashes(a: np.ndarray, b: np.ndarray, dash_px: float) -> Sequence[tuple[np.ndarray, np.ndarray]]:
    """Pieces of the segment; it begins and ends with a dash, so that its ends show."""
    count = max(1, round((float(np.linalg.norm(b - a)) / dash_px + 1) / 2))
    cuts = np.linspace(0, 1, 2 * count)
    return [(a + (b - a) * cuts[k], a + (b - a) * cuts[k + 1]) for k in range(0, 2 * count, 2)]


def _fixed(point: np.ndarray) -> tuple[int, int]:
    return round(float(point[0]) * 2**_SHIFT), round(float(point[1]) * 2**_SHIFT)
