import json
from pathlib import Path

import cv2
import numpy as np
import pytest
import yaml

from calib.boards import Board, CircleGrid, TagGrid, board_fields, load_board, restore_board, shipped_boards
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
        ({"kind": "aprilgrid"}, "unknown key"),
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
        named = getattr(load_board(name), "dictionary", None)
        assert named is None or hasattr(cv2.aruco, named)


TAGS = {"kind": "aprilgrid", "tags": [6, 5], "tag_mm": 40, "spacing": 0.25}
CIRCLES = {"kind": "circles", "circles": [4, 11], "spacing_mm": 20, "diameter_mm": 15, "asymmetric": True}


@pytest.mark.parametrize(
    ("good", "change", "message"),
    [
        (TAGS, {"tags": [1, 1]}, "not both 1"),
        (TAGS, {"tags": [40, 40]}, "DICT_APRILTAG_36h11 only 587"),
        (TAGS, {"tag_mm": 0.1}, "tag_mm is 0.1"),
        (TAGS, {"spacing": 12}, "share of the tag"),
        (TAGS, {"layout": "mine"}, "one of kalibr, opencv"),
        (TAGS, {"border_bits": 3}, "border_bits is 3"),
        (TAGS, {"first": -1}, "only 587"),
        (TAGS, {"dictionary": "DICT_X"}, "one of OpenCV's"),
        (TAGS, {"squares": [4, 5]}, "unknown key 'squares'"),
        (CIRCLES, {"circles": [2, 11]}, "two numbers from 3"),
        (CIRCLES, {"diameter_mm": 40}, "must not touch"),
        (CIRCLES, {"spacing_mm": 0}, "spacing_mm is 0"),
        (CIRCLES, {"kind": ["circles"]}, "one of checkerboard"),
    ],
)
def test_bad_grids_say_why_in_a_line(tmp_path: Path, good: dict, change: dict, message: str) -> None:
    path = tmp_path / "bad.yaml"
    path.write_text(yaml.safe_dump(good | change))
    with pytest.raises(ConfigError, match=message) as caught:
        load_board(path)
    assert "\n" not in str(caught.value)


def test_kalibrs_own_target_file(tmp_path: Path) -> None:
    path = tmp_path / "target.yaml"
    path.write_text("target_type: 'aprilgrid'\ntagCols: 6\ntagRows: 6\ntagSize: 0.088\ntagSpacing: 0.3\n")
    assert load_board(path) == load_board("aprilgrid_kalibr")
    path.write_text("target_type: circlegrid\n")
    with pytest.raises(ConfigError, match="aprilgrid is read"):
        load_board(path)


def test_a_grid_of_tags_as_opencv_has_it() -> None:
    board = TagGrid((5, 7), 0.028, 0.25, "DICT_4X4_50", "opencv", 1)
    made = cv2.aruco.GridBoard((5, 7), 0.028, 0.007, board.marker_dictionary())
    np.testing.assert_array_equal(board.identifiers.ravel(), np.ravel(made.getIds()))
    grid = board.points.reshape(14, 10, 3)
    for quad, number in zip(made.getObjPoints(), board.identifiers.ravel(), strict=True):
        row, column = 2 * (number // 5), 2 * (number % 5)
        mine = [grid[row, column], grid[row, column + 1], grid[row + 1, column + 1], grid[row + 1, column]]
        np.testing.assert_allclose(mine, quad, atol=1e-7)


def test_kalibr_numbers_its_tags_from_below() -> None:
    board = TagGrid((3, 2), 0.1, 0.3)
    assert board.identifiers.tolist() == [[3, 4, 5], [0, 1, 2]]
    # A tag, a gap and a square outside of the outermost tags.
    np.testing.assert_allclose(board.points[:4, 0], [0.03, 0.13, 0.16, 0.26])


@pytest.mark.parametrize(
    ("circles", "asymmetric", "turns"),
    [((4, 11), True, 1), ((4, 10), True, 2), ((6, 9), False, 2), ((7, 7), False, 4)],
)
def test_symmetries_of_circles(circles: tuple[int, int], asymmetric: bool, turns: int) -> None:
    board = CircleGrid(circles, 0.02, 0.014, asymmetric)
    orders = board.symmetries()
    assert len(orders) == turns
    np.testing.assert_array_equal(orders[0], np.arange(board.corner_count))
    apart = np.linalg.norm(board.points[:, None] - board.points, axis=-1)
    for order in orders:  # a turn keeps all distances
        np.testing.assert_allclose(apart[np.ix_(order, order)], apart, atol=1e-9)


@pytest.mark.parametrize("name", shipped_boards())
def test_boards_come_back_from_their_fields(name: str) -> None:
    board = load_board(name)
    assert restore_board(json.loads(json.dumps(board_fields(board)))) == board
