"""Boards rendered through real lens models, with the pixels of their corners known."""

from collections.abc import Callable

import cv2
import numpy as np
import pytest

from calib.board_sheet import draw_sheet, lay_out
from calib.boards import Board
from mv3d.data.camera import Camera
from mv3d.data.lens import Fisheye, Lens, Pinhole

SIZE = (800, 600)
_TEXELS_PER_SQUARE = 60
_SUPERSAMPLED = 3
# The 8 x 8 noise outside the board, gray levels.
_BACKGROUND = (60, 140)

Rendered = tuple[np.ndarray, np.ndarray]
Render = Callable[..., Rendered]


def pinhole(focal: float = 700.0, dist: tuple[float, ...] = ()) -> Pinhole:
    return Pinhole(np.array([[focal, 0, 401.3], [0, focal, 297.6], [0, 0, 1]]), np.array(dist))


def fisheye(focal: float = 330.0) -> Fisheye:
    return Fisheye(np.array([[focal, 0, 401.3], [0, focal, 297.6], [0, 0, 1]]), np.array([0.05, -0.01, 0.0, 0.0]))


def pose(board: Board, distance: float, tilt: float = 0.3, turn: float = 0.2, roll: float = 0.1, aside: float = 0.0):
    """R, t of a board whose middle stands before the camera, `distance` in its own widths away; angles in rad."""
    R = cv2.Rodrigues(np.array([0, 0, roll]))[0] @ cv2.Rodrigues(np.array([tilt, turn, 0]))[0]
    middle = np.array([*board.size_m, 0]) / 2
    return R, np.array([aside, 0, distance]) * board.size_m[0] - R @ middle


def _texture(board: Board) -> np.ndarray:
    width, height = (1e3 * (side + board.square_m) for side in board.size_m)
    sheet = lay_out(board, f"{width}x{height}")
    return draw_sheet(sheet, _TEXELS_PER_SQUARE / (1e3 * board.square_m))


def render_board(
    board: Board,
    lens: Lens,
    R: np.ndarray,
    t: np.ndarray,
    size: tuple[int, int] = SIZE,
    blur: float = 0.6,
    noise: float = 2.0,
    contrast: float = 1.0,
    seed: int = 0,
) -> Rendered:
    """Image (gray) and (corner, 2) px of all inner corners."""
    rng = np.random.default_rng(seed)
    texture = _texture(board)
    x, y = np.meshgrid(np.arange(size[0]), np.arange(size[1]))
    rays = lens.unproject(np.stack([x, y], axis=-1).astype(float)) @ R
    camera = -R.T @ t
    depth = -camera[2] / rays[..., 2]
    plane = (camera + depth[..., None] * rays)[..., :2] / board.square_m
    plane[~(depth > 0)] = -1e3
    # The sheet keeps half a square of margin; a texel's centre is at half.
    places = ((plane + 0.5) * _TEXELS_PER_SQUARE - 0.5).astype(np.float32)
    places = cv2.resize(places, None, fx=_SUPERSAMPLED, fy=_SUPERSAMPLED, interpolation=cv2.INTER_LINEAR)
    picture = cv2.remap(texture, places, None, cv2.INTER_LINEAR, borderValue=0).astype(np.float32)
    inside = cv2.remap(np.ones_like(texture), places, None, cv2.INTER_NEAREST, borderValue=0) > 0
    clutter = rng.integers(*_BACKGROUND, (size[1] // 8 + 1, size[0] // 8 + 1)).astype(np.float32)
    clutter = cv2.resize(clutter, (picture.shape[1], picture.shape[0]), interpolation=cv2.INTER_CUBIC)
    picture = np.where(inside, 128 + contrast * 0.8 * (picture - 127.5), clutter)
    image = cv2.resize(picture, size, interpolation=cv2.INTER_AREA)
    image = cv2.GaussianBlur(image, (0, 0), blur) if blur else image
    image = np.clip(image + rng.normal(0, noise, image.shape), 0, 255).round().astype(np.uint8)
    return image, Camera("c", size, lens, R, t).project(board.points)


@pytest.fixture(scope="session")
def render() -> Render:
    return render_board


@pytest.fixture(scope="session")
def lens() -> Pinhole:
    return pinhole()


@pytest.fixture(scope="session")
def bent_lens() -> Pinhole:
    """Barrel distortion of a wide-angle action camera."""
    return pinhole(450.0, (-0.25, 0.06, 0.001, -0.0005))


@pytest.fixture(scope="session")
def fisheye_lens() -> Fisheye:
    return fisheye()


@pytest.fixture(scope="session")
def stand() -> Callable[..., tuple[np.ndarray, np.ndarray]]:
    return pose
