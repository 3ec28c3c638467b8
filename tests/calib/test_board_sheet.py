import re
import zlib
from pathlib import Path

import cv2
import numpy as np
import pytest

from calib.board_marks import board_rectangles
from calib.board_sheet import PAGES, draw_sheet, lay_out, write_sheet
from calib.boards import Board, load_board, shipped_boards
from calib.detection import detect_board
from mv3d.errors import ConfigError

A4, RIG, DEMO = (load_board(name) for name in ("charuco_a4", "charuco_rig", "demo_checkerboard"))
LEGACY = Board("charuco", (5, 6), 0.03, 0.02, "DICT_5X5_50", legacy=True)


def drawing(path: Path) -> str:
    """The page's drawing commands."""
    return zlib.decompress(re.search(rb"stream\n(.*)\nendstream", path.read_bytes(), re.DOTALL)[1]).decode()


@pytest.mark.parametrize(("board", "page"), [(A4, "A4"), (RIG, "A3"), (DEMO, "400x600"), (LEGACY, "letter")])
def test_corners_are_where_the_board_says(board: Board, page: str) -> None:
    sheet, scale = lay_out(board, page), 4
    view = detect_board(draw_sheet(sheet, scale), board)
    assert view is not None
    left, top = ((side - 1e3 * size) / 2 for side, size in zip(sheet.size_mm, board.size_m, strict=True))
    truth = (board.points[:, :2] * 1e3 + [left, top]) * scale - 0.5
    assert len(view.ids) == board.corner_count
    # Edges are drawn at whole pixels of a quarter of a millimetre.
    errors = np.abs(view.xy - truth[view.ids])
    permutations = [np.abs(view.xy - truth[p]).max() for p in board.symmetries()]
    assert min(errors.max(), *permutations) < 0.51


@pytest.mark.parametrize("board", [A4, RIG, LEGACY])
def test_opencv_reads_the_markers(board: Board) -> None:
    image = draw_sheet(lay_out(board, "A3"), 3)
    found = cv2.aruco.CharucoDetector(board.opencv_charuco()).detectBoard(255 - image if board.inverted else image)
    assert len(np.ravel(found[1])) == board.corner_count


def test_marks_cover_what_is_dark() -> None:
    marks = board_rectangles(DEMO)
    assert len(marks) == 20
    assert marks[:, 2:].min() == marks[:, 2:].max() == 0.06
    np.testing.assert_array_equal(marks[0], [0, 0, 0.06, 0.06])


@pytest.mark.parametrize(("board", "page"), [(A4, "A4"), (RIG, "A3"), (DEMO, "400x600")])
def test_pdf_has_true_size_and_a_ruler(tmp_path: Path, board: Board, page: str) -> None:
    sheet = lay_out(board, page)
    write_sheet(sheet, tmp_path / "b.pdf")
    content = (tmp_path / "b.pdf").read_bytes()
    box = [float(v) for v in re.search(rb"MediaBox \[0 0 ([\d.]+) ([\d.]+)\]", content).groups()]
    np.testing.assert_allclose(np.array(box) / 72 * 25.4, sheet.size_mm, atol=1e-3)
    start = int(re.search(rb"startxref\n(\d+)", content)[1])
    assert content[start : start + 4] == b"xref"
    for number, offset in enumerate(re.findall(rb"(\d{10}) 00000 n", content), 1):
        assert content[int(offset) :].startswith(b"%d 0 obj" % number)
    commands = drawing(tmp_path / "b.pdf")
    rectangles = np.array(
        [[float(v) for v in line.split()[:4]] for line in commands.splitlines() if line.endswith(" re")]
    )
    squares = rectangles[np.isclose(rectangles[:, 2], board.square_m * 1e3) & (rectangles[:, 2] == rectangles[:, 3])]
    assert len(squares) == -(-board.squares[0] * board.squares[1] // 2)
    assert sheet.has_ruler
    length = int(re.search(r"ruler is (\d+) mm", commands)[1])
    ticks = rectangles[np.isclose(rectangles[:, 2], 0.15)]
    assert len(ticks) == length + 1
    assert np.ptp(ticks[:, 0]) == pytest.approx(length, abs=1e-3)


def test_png_has_true_size(tmp_path: Path) -> None:
    write_sheet(lay_out(A4, "A4"), tmp_path / "b.png")
    content = (tmp_path / "b.png").read_bytes()
    at = content.index(b"pHYs")
    per_metre = int.from_bytes(content[at + 4 : at + 8], "big")
    assert content[at + 12] == 1  # metres
    image = cv2.imread(str(tmp_path / "b.png"), cv2.IMREAD_GRAYSCALE)
    np.testing.assert_allclose(np.array(image.shape) / per_metre, [0.297, 0.210], atol=1e-4)


def test_inverted_board_is_white_on_black(tmp_path: Path) -> None:
    sheet = lay_out(RIG, "A3")
    image = draw_sheet(sheet, 2)
    assert image[0, 0] == 0
    left, top = sheet.marks[0, :2]
    assert image[int(top * 2) + 5, int(left * 2) + 5] == 255
    write_sheet(sheet, tmp_path / "b.pdf")
    assert drawing(tmp_path / "b.pdf").splitlines()[1] == "0 g"


def test_a_wide_board_lies_on_its_side() -> None:
    board = Board("checkerboard", (9, 6), 0.03)
    assert lay_out(board, "A4").size_mm == PAGES["A4"][::-1]


def test_no_room_for_the_ruler() -> None:
    assert not lay_out(RIG, "216x270").has_ruler


@pytest.mark.parametrize(
    ("name", "page", "message"),
    [
        ("openpose_9x6", "A4", "larger than the page A4.*--page 1290x919"),
        ("charuco_rig", "letter", "take --page A3"),
        ("charuco_a4", "B5", "no page 'B5'"),
        ("charuco_a4", "0x0", "sides from 20"),
        ("charuco_a4", "nanx300", "sides from 20"),
        ("charuco_a4", "infx300", "sides from 20"),
    ],
)
def test_what_does_not_fit_is_refused_in_a_line(name: str, page: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message) as caught:
        lay_out(load_board(name), page)
    assert "\n" not in str(caught.value)


def test_the_page_that_is_advised_fits() -> None:
    for name in shipped_boards():
        board = load_board(name)
        try:
            lay_out(board, "20x20")
        except ConfigError as error:
            advised = re.search(r"--page (\S+),", str(error))[1]
            assert lay_out(board, advised).has_ruler


def test_other_suffixes_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"as \.pdf or \.png"):
        write_sheet(lay_out(A4), tmp_path / "b.svg")
    assert not list(tmp_path.iterdir())
