from collections.abc import Callable

import cv2
import numpy as np
import pytest

from calib.boards import Board, load_board
from calib.detection import BoardView, detect_board
from mv3d.data.lens import Pinhole

# px, rms. Renderer and fit agree to 0.005; gray noise of 2 at a contrast of 200 adds as much. OpenCV's corners are off
# by ten times that on the same pictures.
EXACT = 0.03
DEMO, RIG, A4, WIDE = (load_board(name) for name in ("demo_checkerboard", "charuco_rig", "charuco_a4", "openpose_9x6"))


def rms(view: BoardView, truth: np.ndarray) -> float:
    return float(np.sqrt(np.mean((view.xy - truth[view.ids]) ** 2)))


def inside(truth: np.ndarray, margin: float = 12) -> np.ndarray:
    return np.flatnonzero(((truth > margin) & (truth < np.array([800, 600]) - 1 - margin)).all(1))


def seen(image: np.ndarray, board: Board, lens: Pinhole | None = None) -> BoardView:
    view = detect_board(image, board, lens)
    assert view is not None
    return view


@pytest.mark.parametrize("board", [DEMO, WIDE, A4, RIG], ids=lambda b: b.describe())
@pytest.mark.parametrize("roll", [0.0, 1.1, 2.9, -1.6])
def test_corners_and_numbers(render: Callable, lens: Pinhole, stand: Callable, board: Board, roll: float) -> None:
    image, truth = render(board, lens, *stand(board, 2.4, roll=roll))
    view = seen(image, board)
    assert view.ids.tolist() == list(range(board.corner_count))
    assert rms(view, truth) < EXACT


@pytest.mark.parametrize("board", [DEMO, A4], ids=lambda b: b.kind)
def test_curved_edges_do_not_shift_corners(render: Callable, bent_lens: Pinhole, stand: Callable, board: Board) -> None:
    image, truth = render(board, bent_lens, *stand(board, 1.5))
    for lens in (None, bent_lens):
        view = seen(image, board, lens)
        assert len(view.ids) == board.corner_count
        assert rms(view, truth) < EXACT


def test_fisheye(render: Callable, fisheye_lens, stand: Callable) -> None:
    image, truth = render(WIDE, fisheye_lens, *stand(WIDE, 0.7, tilt=0.2, turn=0.3))
    view = seen(image, WIDE, fisheye_lens)
    assert len(view.ids) == WIDE.corner_count
    assert rms(view, truth) < EXACT


@pytest.mark.parametrize("squares", [(5, 8), (6, 8), (5, 7), (7, 7), (8, 8), (9, 4)], ids=str)
@pytest.mark.parametrize("inverted", [False, True])
@pytest.mark.parametrize("roll", [0.1, 1.7, 3.2, -1.4])
def test_every_parity(
    render: Callable, lens: Pinhole, stand: Callable, squares: tuple[int, int], inverted: bool, roll: float
) -> None:
    board = Board("checkerboard", squares, 0.05, inverted=inverted)
    image, truth = render(board, lens, *stand(board, 2.4, roll=roll))
    view = seen(image, board)
    assert len(view.ids) == board.corner_count
    errors = [rms(view, truth[permutation]) for permutation in board.symmetries()]
    assert min(errors) < EXACT
    if len(errors) > 1:  # of those that look alike, x points to the right
        x_axis = view.xy[board.corners[0] - 1] - view.xy[0]
        assert x_axis[0] > 0


@pytest.mark.parametrize("inverted", [False, True])
@pytest.mark.parametrize("legacy", [False, True])
@pytest.mark.parametrize("squares", [(5, 6), (5, 7), (4, 6)], ids=str)
def test_charuco_prints(
    render: Callable, lens: Pinhole, stand: Callable, squares: tuple[int, int], legacy: bool, inverted: bool
) -> None:
    board = Board("charuco", squares, 0.04, 0.03, "DICT_5X5_50", inverted, legacy)
    image, truth = render(board, lens, *stand(board, 2.4, roll=0.9))
    view = seen(image, board)
    assert len(view.ids) == board.corner_count
    assert rms(view, truth) < EXACT


@pytest.mark.parametrize(
    ("board", "distance", "look", "bound"),
    [
        (DEMO, 2.2, {"blur": 3.0, "noise": 4.0}, 0.05),
        (DEMO, 9.0, {}, 0.05),
        (DEMO, 2.2, {"contrast": 0.12, "noise": 1.0}, 0.05),
        (WIDE, 3.0, {"noise": 12.0}, 0.15),
        (A4, 4.5, {"contrast": 0.3}, 0.1),
        (RIG, 2.2, {"blur": 2.0}, 0.05),
    ],
)
def test_hard_pictures(
    render: Callable, lens: Pinhole, stand: Callable, board: Board, distance: float, look: dict, bound: float
) -> None:
    """Blurred, far, pale, noisy: bounds are some three times what the noise and the number of pixels leave."""
    image, truth = render(board, lens, *stand(board, distance), **look)
    view = seen(image, board)
    assert len(view.ids) == board.corner_count
    assert rms(view, truth) < bound


@pytest.mark.parametrize("aside", [0.9, -0.8])
@pytest.mark.parametrize("board", [A4, RIG], ids=lambda b: b.dictionary)
def test_part_of_a_charuco_board(render: Callable, lens: Pinhole, stand: Callable, board: Board, aside: float) -> None:
    image, truth = render(board, lens, *stand(board, 1.8, aside=aside))
    view, there = seen(image, board), inside(truth)
    assert 4 <= len(there) < board.corner_count
    assert set(there) <= set(view.ids.tolist())
    assert rms(view, truth) < EXACT


@pytest.mark.parametrize("board", [DEMO, A4], ids=lambda b: b.kind)
def test_hidden_corners_are_left_out(render: Callable, lens: Pinhole, stand: Callable, board: Board) -> None:
    image, truth = render(board, lens, *stand(board, 2.4))
    hidden = [6, 13]
    for corner in hidden:
        cv2.circle(image, tuple(int(v) for v in truth[corner]), 14, 90, -1)
    view = seen(image, board)
    assert sorted(set(range(board.corner_count)) - set(view.ids.tolist())) == hidden
    # What covers a corner reaches into the windows of its neighbours.
    assert rms(view, truth) < 2 * EXACT


def test_a_corner_of_the_board_behind_a_thumb(render: Callable, lens: Pinhole, stand: Callable) -> None:
    image, truth = render(DEMO, lens, *stand(DEMO, 2.4))
    cv2.circle(image, tuple(int(v) for v in truth[0]), 20, 150, -1)
    view = seen(image, DEMO)
    assert view.ids.tolist() == list(range(1, DEMO.corner_count))
    assert rms(view, truth) < 2 * EXACT


@pytest.mark.parametrize("noise", [4.0, 10.0, 25.0])
def test_uncertainty_is_that_of_the_corners(render: Callable, lens: Pinhole, stand: Callable, noise: float) -> None:
    errors, sigmas = [], []
    for seed in range(6):
        image, truth = render(DEMO, lens, *stand(DEMO, 4.0, tilt=0.1 * seed), noise=noise, seed=seed)
        view = seen(image, DEMO)
        errors.append((view.xy - truth[view.ids]).ravel())
        sigmas.append(view.sigma_px)
    actual, told = np.sqrt(np.mean(np.concatenate(errors) ** 2)), np.sqrt(np.mean(np.square(sigmas)))
    # 300 numbers tell a standard deviation to 4 %; the floor of 0.02 px and the smooth map's share allow for the rest.
    assert 0.8 * np.hypot(actual, 0.02) < told < 1.5 * np.hypot(actual, 0.02)


def textures() -> dict[str, np.ndarray]:
    rng = np.random.default_rng(0)
    dots = np.full((600, 800), 90, np.uint8)
    for x, y in rng.uniform(0, 1, (1500, 2)) * [800, 600]:
        cv2.circle(dots, (int(x), int(y)), int(rng.integers(2, 5)), int(rng.integers(120, 250)), -1)
    y, x = np.mgrid[:600, :800]
    stripes = (127 + 100 * np.sign(np.sin(x / 9.0))).astype(np.uint8)
    weave = (127 + 50 * np.sin(x / 6.0) + 50 * np.sin(y / 6.0)).astype(np.uint8)
    bricks = np.where((y // 20) % 2 == (x // 40 + (y // 20) % 2 // 2) % 2, 200, 60).astype(np.uint8)
    noise = rng.integers(0, 255, (600, 800), np.uint8)
    coarse = cv2.resize(rng.integers(0, 255, (60, 80), np.uint8), (800, 600), interpolation=cv2.INTER_NEAREST)
    plain = np.full((600, 800), 128, np.uint8)
    return {
        "dots": dots,
        "stripes": stripes,
        "weave": weave,
        "bricks": bricks,
        "noise": noise,
        "coarse": coarse,
        "plain": plain,
    }


@pytest.mark.parametrize("name", list(textures()))
@pytest.mark.parametrize("board", [DEMO, A4, Board("checkerboard", (4, 4), 0.1)], ids=lambda b: b.describe())
def test_nothing_is_found_where_nothing_is(name: str, board: Board) -> None:
    assert detect_board(textures()[name], board) is None


@pytest.mark.parametrize("squares", [(6, 8), (5, 9), (4, 8), (5, 7), (10, 16)], ids=str)
def test_another_number_of_squares_is_another_board(
    render: Callable, lens: Pinhole, stand: Callable, squares: tuple[int, int]
) -> None:
    board = Board("checkerboard", squares, 0.06)
    image, _ = render(board, lens, *stand(board, 2.4))
    assert detect_board(image, DEMO) is None


def test_a_charuco_board_needs_its_own_markers(render: Callable, lens: Pinhole, stand: Callable) -> None:
    image, _ = render(RIG, lens, *stand(RIG, 2.4))
    assert detect_board(image, Board("charuco", (4, 5), 0.054, 0.0405, "DICT_5X5_100", True)) is None
    assert detect_board(image, Board("charuco", (4, 5), 0.054, 0.0405, "DICT_4X4_1000", False)) is None
    assert detect_board(np.ascontiguousarray(image[:, ::-1]), RIG) is None
    plain, _ = render(Board("checkerboard", (4, 5), 0.054, inverted=True), lens, *stand(RIG, 2.4))
    assert detect_board(plain, RIG) is None


def test_a_bent_board_is_none_for_a_lens_that_is_straight(
    render: Callable, bent_lens: Pinhole, stand: Callable
) -> None:
    image, _ = render(WIDE, bent_lens, *stand(WIDE, 0.85, tilt=0.1, turn=0.1))
    assert detect_board(image, WIDE, bent_lens) is not None
    assert detect_board(image, WIDE, Pinhole(bent_lens.K, np.array([0.25, 0.1, 0, 0]))) is None


def test_colour_and_gray_pictures_agree(render: Callable, lens: Pinhole, stand: Callable) -> None:
    image, _ = render(DEMO, lens, *stand(DEMO, 2.4))
    gray, colour = seen(image, DEMO), seen(cv2.cvtColor(image, cv2.COLOR_GRAY2BGR), DEMO)
    np.testing.assert_array_equal(gray.xy, colour.xy)


@pytest.mark.parametrize("shape", [(1, 1), (5, 200), (70, 70)])
@pytest.mark.parametrize("board", [DEMO, RIG], ids=lambda b: b.kind)
def test_tiny_pictures(shape: tuple[int, int], board: Board) -> None:
    assert detect_board(np.zeros(shape, np.uint8), board) is None
