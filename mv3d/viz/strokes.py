"""Lines and rings on an image, smooth to a sixteenth of a pixel, whole or dashed; NaN points are left out."""

from collections.abc import Sequence

import cv2
import numpy as np

from mv3d.viz.colors import Rgb, bgr

_SHIFT = 4
# Points further outside than this many image sizes are not drawn: OpenCV's fixed-point coordinates would overflow.
_FAR = 8


def drawable(xy: np.ndarray, image: np.ndarray) -> np.ndarray:
    """Which of the points (point, 2) px can be drawn: finite and not absurdly far outside the image."""
    limit = _FAR * max(image.shape[:2])
    return np.isfinite(xy).all(-1) & (np.abs(np.nan_to_num(xy)) < limit).all(-1)


def draw_line(
    image: np.ndarray, a: np.ndarray, b: np.ndarray, rgb: Rgb, thickness: int, dash_px: float | None = None
) -> None:
    """Draw a segment in place; with `dash_px` as dashes of about that length with gaps as long."""
    if not drawable(np.stack([a, b]), image).all():
        return
    for start, end in _dashes(a, b, dash_px, thickness) if dash_px else [(a, b)]:
        cv2.line(image, _fixed(start), _fixed(end), bgr(rgb), thickness, cv2.LINE_AA, _SHIFT)


def draw_disc(image: np.ndarray, center: np.ndarray, radius: float, rgb: Rgb) -> None:
    """Draw a filled circle in place."""
    if drawable(center[None], image)[0]:
        cv2.circle(image, _fixed(center), round(radius * 2**_SHIFT), bgr(rgb), cv2.FILLED, cv2.LINE_AA, _SHIFT)


def draw_ring(image: np.ndarray, center: np.ndarray, radius: float, rgb: Rgb, thickness: int) -> None:
    """Draw a hollow circle in place."""
    if drawable(center[None], image)[0]:
        cv2.circle(image, _fixed(center), round(radius * 2**_SHIFT), bgr(rgb), thickness, cv2.LINE_AA, _SHIFT)


def draw_outline(image: np.ndarray, corners: np.ndarray, rgb: Rgb, thickness: int) -> None:
    """Draw a closed polygon (corner, 2) in place; edges to a NaN corner are left out."""
    for a, b in zip(corners, np.roll(corners, -1, axis=0), strict=True):
        draw_line(image, a, b, rgb, thickness)


def _dashes(a: np.ndarray, b: np.ndarray, dash_px: float, thickness: int) -> Sequence[tuple[np.ndarray, np.ndarray]]:
    """Pieces of the segment, which begins and ends with one, so that its ends show.

    OpenCV's lines have round ends that stick out by half their thickness: the pieces are shorter by that, so that the
    gaps stay open.
    """
    piece = max(dash_px - thickness, 0.1)
    gap = dash_px + thickness
    length = float(np.linalg.norm(b - a))
    count = max(1, round((length + gap) / (piece + gap)))
    if count == 1:
        return [(a, b)] if length < 2 * dash_px else [(a, a), (b, b)]
    direction, stretch = (b - a) / length, length / (count * piece + (count - 1) * gap)
    starts = np.arange(count) * (piece + gap) * stretch
    return [(a + direction * s, a + direction * (s + piece * stretch)) for s in starts]


def _fixed(point: np.ndarray) -> tuple[int, int]:
    return round(float(point[0]) * 2**_SHIFT), round(float(point[1]) * 2**_SHIFT)
