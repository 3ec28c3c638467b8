"""What was found, drawn on the video: 2D detections, the crop looked at, the 3D skeleton projected back."""

import cv2
import numpy as np
from jaxtyping import Float, UInt8

from mv3d.data.poses import MEASURED
from mv3d.data.skeleton import Skeleton
from mv3d.viz.colors import VIDEO, Rgb, bone_colors, joint_colors, mixed
from mv3d.viz.strokes import draw_disc, draw_line, draw_outline, draw_ring, drawable
from mv3d.viz.text import draw_label

# Line widths are given for an image whose longer side is this many px, and scale with it.
_REFERENCE_SIDE = 640
_CROP_RGB: Rgb = (250, 240, 120)
_DARK: Rgb = (20, 20, 24)
_WHITE: Rgb = (255, 255, 255)
# Share of the wide bands of the 3D skeleton that covers the image; what lies below must stay visible.
_BAND_OPACITY = 0.6
# How far the colours of people who are not the performer go towards grey.
_OTHERS_GREY = 0.55


def draw_view(
    image: UInt8[np.ndarray, "height width 3"],
    xy: Float[np.ndarray, "detection joint 2"],
    scores: Float[np.ndarray, "detection joint"],
    crop_outline: Float[np.ndarray, "corner 2"] | None,
    reprojected_xy: Float[np.ndarray, "person joint 2"] | None,
    state: UInt8[np.ndarray, "person joint"] | None,
    skeleton: Skeleton,
    label: str,
) -> UInt8[np.ndarray, "height width 3"]:
    """A copy of the image of one view with everything drawn that is known about it.

    A 3D skeleton is a wide translucent band, dashed and with hollow joints where it was filled, not measured; the 2D
    detections are thin lines on top, the performer (detection 0) bright, other people greyer.

    Args:
        image: BGR.
        xy: 2D detections, px of this image; NaN where missing.
        scores: scores of the detections in [0, 1]; a weak joint has a smaller dot.
        crop_outline: polygon in which the network looked, px; NaN corners are left out.
        reprojected_xy: projections of everyone's 3D joints, px; NaN where there are none.
        state: state of each 3D joint (`Poses3D.state`); None: all were measured.
        skeleton: which joints.
        label: name written in the top left corner.
    """
    canvas = np.ascontiguousarray(image).copy()
    scale = max(image.shape[:2]) / _REFERENCE_SIDE
    if crop_outline is not None:
        draw_outline(canvas, crop_outline, _CROP_RGB, _width(1.2, scale))
    for other in range(1, len(xy)):
        _draw_detection(canvas, xy[other], scores[other], skeleton, scale, is_performer=False)
    if reprojected_xy is not None:
        for person, projected in enumerate(reprojected_xy):
            canvas = _with_band(canvas, projected, None if state is None else state[person], skeleton, scale)
    if len(xy):
        _draw_detection(canvas, xy[0], scores[0], skeleton, scale, is_performer=True)
    if label:
        margin = round(6 * scale)
        draw_label(canvas, label, (margin, margin), max(11 * scale, 7.0), _WHITE, _DARK)
    return canvas


def _draw_detection(
    canvas: np.ndarray, xy: np.ndarray, score: np.ndarray, skeleton: Skeleton, scale: float, *, is_performer: bool
) -> None:
    grey = 0.0 if is_performer else _OTHERS_GREY
    thickness = _width(1.3, scale)
    if is_performer:  # A dark edge keeps thin bright lines readable on a bright background.
        for a, b in skeleton.bones:
            draw_line(canvas, xy[a], xy[b], _DARK, thickness + 2 * _width(0.6, scale))
    for (a, b), rgb in zip(skeleton.bones, _colors(bone_colors(skeleton, VIDEO), grey), strict=True):
        draw_line(canvas, xy[a], xy[b], rgb, thickness)
    for point, weight, rgb in zip(xy, score, _colors(joint_colors(skeleton, VIDEO), grey), strict=True):
        radius = (1.4 + 1.4 * float(np.clip(weight, 0, 1))) * scale
        if is_performer:
            draw_disc(canvas, point, radius + 0.8 * scale, _DARK)
        draw_disc(canvas, point, radius, rgb)


def _with_band(
    canvas: np.ndarray, xy: np.ndarray, state: np.ndarray | None, skeleton: Skeleton, scale: float
) -> np.ndarray:
    """The image blended with the wide skeleton of the 3D joints."""
    if not drawable(xy, canvas).any():
        return canvas
    is_measured = np.ones(len(xy), bool) if state is None else state == MEASURED
    band = canvas.copy()
    for (a, b), rgb in zip(skeleton.bones, _colors(bone_colors(skeleton, VIDEO), 0.0), strict=True):
        dash_px = None if is_measured[a] and is_measured[b] else 10 * scale
        draw_line(band, xy[a], xy[b], rgb, _width(8.0, scale), dash_px)
    blended = cv2.addWeighted(band, _BAND_OPACITY, canvas, 1 - _BAND_OPACITY, 0)
    for j, rgb in enumerate(_colors(joint_colors(skeleton, VIDEO), 0.0)):
        if is_measured[j]:
            draw_disc(blended, xy[j], 5.0 * scale, rgb)
        else:
            draw_ring(blended, xy[j], 6.0 * scale, rgb, _width(1.6, scale))
    return blended


def _colors(table: np.ndarray, grey: float) -> list[Rgb]:
    """Rows of a colour table, moved towards grey by a share."""
    return [mixed((int(r), int(g), int(b)), (150, 150, 150), grey) for r, g, b in table]


def _width(at_reference: float, scale: float) -> int:
    return max(1, round(at_reference * scale))
