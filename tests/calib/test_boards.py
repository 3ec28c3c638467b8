from pathlib import Path

import cv2
import numpy as np
import pytest
import yaml

from calib.boards import Board, load_board, shipped_boards
from mv3d.errors import ConfigError

GOOD = {"kind": "charuco", "squares": [4, 5], "square_mm": 54.0, "marker_mm": 40.5, "dictionary": "DICT_4X4_1000"}


def colours(board: Board) -> np.ndarray:
    """1 where a square is black."""
    x, y = np.meshgrid(np.arange(board.squares[0]), np.arange(board.squares[1]))
    return (x + y + 1) % 2


@pytest.mark.parametrize("name", ["demo_checkerboard", "charuco_rig", "openpose_9x6", "charuco_a4"])
def test_shipped_boards_load(name: str) -> None:
    assert name in shipped_boards()
    assert load_board(name) == load_board(shipped_boards()[name])


def test_facts_of_the_shipped_boards() -> None:
    assert load_board("demo_checkerboard").corners == (4, 7)
    assert load_board("openpose_9x6").corners == (9, 6)
    assert load_board("charuco_rig").inverted


@pytest.mark.parametrize("legacy", [False, True])
def test_charuco_points_are_opencvs(legacy: bool) -> None:
    board = Board("charuco", (4, 6), 0.03, 0.02, "DICT_4X4_50", legacy=legacy)
    np.testing.assert_allclose(board.points, np.array(board.opencv_charuco().getChessboardCorners()), atol=1e-7)
    assert board.marker_count == len(board.opencv_charuco().getIds())


def test_points_of_a_checkerboard() -> None:
    points = Board("checkerboard", (4, 3), 0.1).points
    np.testing.assert_allclose(points, [[x, y, 0] for y in (0.1, 0.2) for x in (0.1, 0.2, 0.3)])


@pytest.mark.parametrize(
    ("squares", "turns"), [((5, 8), 1), ((6, 8), 2), ((5, 7), 2), ((7, 7), 4), ((8, 8), 2), ((10, 7), 1)]
)
def test_symmetries_are_the_turns_that_keep_the_colours(squares: tuple[int, int], turns: int) -> None:
    board = Board("checkerboard", squares, 0.05)
    found = board.symmetries()
    black = colours(board)
    same = sum(np.array_equal(np.rot90(black, k), black) for k in range(4) if np.rot90(black, k).shape == black.shape)
    assert len(found) == turns == same
    np.testing.assert_array_equal(found[0], np.arange(board.corner_count))
    # Each is a turn about the middle, never a mirror image: distances and handedness stay.
    points = board.points[:, :2] - board.points[:, :2].mean(0)
    for permutation in found:
        rotation = np.linalg.lstsq(points, points[permutation], rcond=None)[0]
        np.testing.assert_allclose(points @ rotation, points[permutation], atol=1e-12)
        assert np.linalg.det(rotation) == pytest.approx(1)


def test_charuco_has_no_symmetry() -> None:
    assert len(load_board("charuco_a4").symmetries()) == 1


def test_own_file(tmp_path: Path) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text(yaml.safe_dump(GOOD | {"inverted": True, "legacy": True}))
    assert load_board(path) == Board("charuco", (4, 5), 0.054, 0.0405, "DICT_4X4_1000", True, True)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"kind": "aprilgrid"}, "not supported yet"),
        ({"kind": 3}, "kind is '3'"),
        ({"squares": [4]}, "two whole numbers"),
        ({"squares": [4, True]}, "two whole numbers"),
        ({"squares": [2, 5]}, "two numbers from 3"),
        ({"square_mm": "54"}, "number of millimetres"),
        ({"square_mm": float("nan")}, "number of millimetres"),
        ({"square_mm": -3}, "square_mm is -3"),
        ({"marker_mm": 60}, "smaller than square_mm"),
        ({"marker_mm": None}, "must be given"),
        ({"dictionary": "ArucoDetector"}, "one of OpenCV's"),
        ({"dictionary": "DICT_9X9"}, "one of OpenCV's"),
        ({"squares": [20, 20], "dictionary": "DICT_4X4_50"}, "has 200 markers"),
        ({"inverted": "yes please"}, "true or false"),
        ({"squars": [1, 2]}, "did you mean squares"),
        ({"kind": "checkerboard"}, "charuco boards only"),
    ],
)
def test_bad_boards_say_why_in_a_line(tmp_path: Path, change: dict[str, object], message: str) -> None:
    path = tmp_path / "bad.yaml"
    path.write_text(yaml.safe_dump(GOOD | change))
    with pytest.raises(ConfigError, match=message) as caught:
        load_board(path)
    assert "\n" not in str(caught.value)
    assert str(path) in str(caught.value)


@pytest.mark.parametrize(
    "text", ["[1, 2", "just words", "kind: checkerboard", "&a [*a]", "[" * 5000, "!!python/name:os.system"]
)
def test_strange_files(tmp_path: Path, text: str) -> None:
    path = tmp_path / "bad.yaml"
    path.write_text(text)
    with pytest.raises(ConfigError):
        load_board(path)


def test_unknown_names() -> None:
    with pytest.raises(ConfigError, match="did you mean charuco_rig"):
        load_board("charuco_rigg")
    with pytest.raises(ConfigError, match="there are"):
        load_board("zzz")
    with pytest.raises(ConfigError, match="check the path"):
        load_board("nowhere.yaml")


def test_every_dictionary_named_is_opencvs() -> None:
    for name in shipped_boards():
        board = load_board(name)
        assert board.dictionary is None or hasattr(cv2.aruco, board.dictionary)
