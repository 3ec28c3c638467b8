"""All cameras side by side with what was found in them, frame after frame."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from jaxtyping import Float, UInt8

from mv3d.data.camera import Camera
from mv3d.data.poses import Poses2D, Poses3D
from mv3d.data.rig import Rig
from mv3d.viz.colors import VIDEO, Rgb
from mv3d.viz.overlay import draw_view
from mv3d.viz.text import draw_text, text_size

_BACKGROUND: Rgb = (28, 28, 32)
_TEXT: Rgb = (235, 235, 235)
_GAP_PX = 6
# Common players show 1080p whole; tiles are made smaller when the grid would be larger than that.
_MAX_WIDTH, _MAX_HEIGHT = 1920, 1080
_CAPITAL_PX = 10.0
# Footer: what a viewer must know to read the picture.
_LEGEND: tuple[tuple[str, Rgb], ...] = (
    ("person's left", VIDEO.left),
    ("person's right", VIDEO.right),
    ("thin: 2D detection", _TEXT),
    ("wide: 3D projected", _TEXT),
    ("dashed, hollow: filled", _TEXT),
    ("frame: crop", (250, 240, 120)),
)


@dataclass(frozen=True, slots=True)
class Layout:
    """Where each camera's tile lies in the grid.

    Attributes:
        tiles: (left, top, width, height) px of each view.
        size: (width, height) px of the whole picture, both even as video codecs want.
        footer_top: first row of the footer.
    """

    tiles: tuple[tuple[int, int, int, int], ...]
    size: tuple[int, int]
    footer_top: int


def overlay_frames(
    images: Iterable[Sequence[UInt8[np.ndarray, "_ _ 3"] | None]],
    rig: Rig,
    poses2d: Sequence[Poses2D],
    poses3d: Poses3D | None = None,
    crops: Float[np.ndarray, "frame view corner 2"] | None = None,
    height: int = 640,
) -> Iterator[UInt8[np.ndarray, "_ _ 3"]]:
    """Compose all views of each frame into one picture.

    Args:
        images: for each frame one BGR image per view, in the rig's order; None where a camera has none.
        rig: the cameras, whose pixels are the images' pixels; a tile has the shape of its camera's images.
        poses2d: detections of each view, px of its images, at the instants of `images` (`mv3d.viz.moments.at_times`);
            a view that ends early shows none from there on.
        poses3d: the reconstruction, projected back.
        crops: outline of the crop looked at, px of the images; NaN where the whole image was.
        height: px of a tile, less where the grid would not fit on a 1080p screen.

    Yields:
        BGR pictures of one size, even in width and height.

    Raises:
        ValueError: the number of views differs.
    """
    if len(poses2d) != len(rig):
        raise ValueError(f"{len(poses2d)} views of keypoints, but the rig has {len(rig)} cameras")
    layout = arrange([camera.size for camera in rig], height)
    count = len(poses3d) if poses3d is not None else max(len(poses) for poses in poses2d)
    for frame, views in enumerate(images):
        if len(views) != len(rig):
            raise ValueError(f"frame {frame} has {len(views)} images, but the rig has {len(rig)} cameras")
        canvas = np.full((layout.size[1], layout.size[0], 3), _BACKGROUND[::-1], np.uint8)
        for view, image in enumerate(views):
            x, y, w, h = layout.tiles[view]
            outline = None if crops is None or frame >= len(crops) else crops[frame, view]
            camera, name = rig[view], rig[view].name if image is not None else f"{rig[view].name}: no image"
            tile = drawn_tile(image, (w, h), camera, frame, poses2d[view], poses3d, outline, name)
            canvas[y : y + h, x : x + w] = tile
        _draw_footer(canvas, layout, _frame_line(frame, count, poses3d or poses2d[0]))
        yield canvas


def arrange(sizes: Sequence[tuple[int, int]], height: int) -> Layout:
    """Grid whose tiles come out largest within a 1080p screen; portrait views end up side by side.

    Args:
        sizes: (width, height) of each view's images.
        height: px of a tile at most.
    """
    options = [_with_columns(sizes, height, columns) for columns in range(1, len(sizes) + 1)]
    return max(options, key=lambda option: (sum(w * h for _, _, w, h in option.tiles), -len(option.tiles)))


def _with_columns(sizes: Sequence[tuple[int, int]], height: int, columns: int) -> Layout:
    rows = -(-len(sizes) // columns)
    widest = max(w / h for w, h in sizes)
    room_x = (_MAX_WIDTH - (columns + 1) * _GAP_PX) / (columns * widest)
    room_y = (_MAX_HEIGHT - 2 * 30 - (rows + 1) * _GAP_PX) / rows
    tile_height = max(int(min(height, room_x, room_y)), 16)
    cell_width = round(tile_height * widest)
    tiles = []
    for i, (w, h) in enumerate(sizes):
        row, column = divmod(i, columns)
        width = max(round(tile_height * w / h), 8)
        left = _GAP_PX + column * (cell_width + _GAP_PX) + (cell_width - width) // 2
        tiles.append((left, _GAP_PX + row * (tile_height + _GAP_PX), width, tile_height))
    total_width = _GAP_PX + columns * (cell_width + _GAP_PX)
    footer_top = _GAP_PX + rows * (tile_height + _GAP_PX)
    total_height = footer_top + _footer_height(total_width)
    return Layout(tuple(tiles), (total_width + total_width % 2, total_height + total_height % 2), footer_top)


def drawn_tile(
    image: UInt8[np.ndarray, "_ _ 3"] | None,
    size: tuple[int, int],
    camera: Camera,
    frame: int,
    poses2d: Poses2D | None,
    poses3d: Poses3D | None,
    outline: Float[np.ndarray, "corner 2"] | None = None,
    label: str = "",
) -> UInt8[np.ndarray, "_ _ 3"]:
    """One view of one frame, at another size, with everything drawn that is known about it.

    Args:
        image: BGR, in the camera's pixels, though it may be cut at the right or bottom; None where it has none.
        size: (width, height) px to make.
        camera: the view.
        frame: of the poses.
        poses2d: detections in px of the camera; None, or a frame beyond the last, for none.
        poses3d: the reconstruction, projected back; likewise.
        outline: of the crop looked at, px of the camera.
        label: name in the corner.
    """
    source = (image.shape[1], image.shape[0]) if image is not None else camera.size
    canvas = np.full((size[1], size[0], 3), 60, np.uint8)
    if image is not None:
        canvas = image if source == size else cv2.resize(image, size, interpolation=cv2.INTER_AREA)
    poses = poses2d or poses3d
    if poses is None:
        raise ValueError("neither detections nor a reconstruction to draw")
    xy, score = np.zeros((0, len(poses.skeleton), 2)), np.zeros((0, len(poses.skeleton)), np.float32)
    if poses2d is not None and frame < len(poses2d):
        xy, score = _rescaled(poses2d.xy[frame].astype(float), source, size), poses2d.score[frame]
    outline = None if outline is None else _rescaled(outline, source, size)
    projected = state = None
    if poses3d is not None and frame < len(poses3d):
        projected, state = _rescaled(camera.project(poses3d.xyz[frame]), source, size), poses3d.state[frame]
    return draw_view(canvas, xy, score, outline, projected, state, poses.skeleton, label)


def _rescaled(xy: np.ndarray, source: tuple[int, int], target: tuple[int, int]) -> np.ndarray:
    """Pixels of an image resized from `source` to `target`; pixel centres are at integers."""
    factor = np.array(target) / np.array(source)
    return (xy + 0.5) * factor - 0.5


def _frame_line(frame: int, count: int, poses: Poses2D | Poses3D) -> str:
    digits = len(str(count))
    time = f"   {poses.timestamps[frame]:8.3f} s" if frame < len(poses) else ""
    return f"frame {frame:{digits}d} of {count}{time}"


def _footer_height(width: int) -> int:
    return _footer_lines(width)[-1][1] + round(2.2 * _CAPITAL_PX)


def _footer_lines(width: int) -> list[tuple[int, int]]:
    """Left edge and top of each footer item, wrapped to the width; item 0 is the frame and time."""
    texts = ["frame 88888 of 88888   88888.888 s", *(text for text, _ in _LEGEND)]
    x, y, places = _GAP_PX, round(0.4 * _CAPITAL_PX), []
    for text in texts:
        advance = text_size(text, _CAPITAL_PX)[0] + round(2 * _CAPITAL_PX)
        if x > _GAP_PX and x + advance > width:
            x, y = _GAP_PX, y + round(1.9 * _CAPITAL_PX)
        places.append((x, y))
        x += advance
    return places


def _draw_footer(canvas: np.ndarray, layout: Layout, line: str) -> None:
    places = _footer_lines(layout.size[0])
    for (x, y), (text, rgb) in zip(places, ((line, _TEXT), *_LEGEND), strict=True):
        draw_text(canvas, text, (x, layout.footer_top + y), _CAPITAL_PX, rgb)
