"""Boards rendered through real lens models, with the pixels of their corners known."""

from collections.abc import Callable

import cv2
import numpy as np
import pytest

from calib.board_sheet import draw_sheet, lay_out
from calib.boards import Target
from mv3d.data.camera import Camera
from mv3d.data.lens import Fisheye, Lens, Pinhole
from mv3d.synthetic.board_pictures import Exposure, photograph

SIZE = (800, 600)
_TEXELS_PER_PITCH = 60

Rendered = tuple[np.ndarray, np.ndarray]
Render = Callable[..., Rendered]


def pinhole(focal: float = 700.0, dist: tuple[float, ...] = ()) -> Pinhole:
    return Pinhole(np.array([[focal, 0, 401.3], [0, focal, 297.6], [0, 0, 1]]), np.array(dist))


def fisheye(focal: float = 330.0) -> Fisheye:
    return Fisheye(np.array([[focal, 0, 401.3], [0, focal, 297.6], [0, 0, 1]]), np.array([0.05, -0.01, 0.0, 0.0]))


def pose(board: Target, distance: float, tilt: float = 0.3, turn: float = 0.2, roll: float = 0.1, aside: float = 0.0):
    """R, t of a board whose middle stands before the camera, `distance` in its own widths away; angles in rad."""
    R = cv2.Rodrigues(np.array([0, 0, roll]))[0] @ cv2.Rodrigues(np.array([tilt, turn, 0]))[0]
    middle = np.array([*board.size_m, 0]) / 2
    return R, np.array([aside, 0, distance]) * board.size_m[0] - R @ middle


def render_board(
    board: Target,
    lens: Lens,
    R: np.ndarray,
    t: np.ndarray,
    size: tuple[int, int] = SIZE,
    blur: float = 0.6,
    noise: float = 2.0,
    contrast: float = 1.0,
    seed: int = 0,
) -> Rendered:
    """Image (gray) and (corner, 2) px of all points; the page has a margin of half a pitch."""
    width, height = (1e3 * (side + board.pitch_m) for side in board.size_m)
    texels = _TEXELS_PER_PITCH / board.pitch_m
    page = draw_sheet(lay_out(board, f"{width}x{height}"), texels / 1e3)
    camera, margin = Camera("c", size, lens, np.eye(3), np.zeros(3)), board.pitch_m / 2
    exposure = Exposure(blur, noise, contrast)
    image = photograph(camera, page, (margin, margin), texels, R, t, exposure, seed)
    return image, camera.project(board.points @ R.T + t)


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
