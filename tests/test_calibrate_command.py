"""`mv3d calibrate` and `mv3d board` on rendered pictures of a board whose cameras are known."""

import cv2
import numpy as np
import pytest
import yaml

from calib.board_sheet import draw_sheet, lay_out
from calib.boards import load_board
from mv3d.cli import main
from mv3d.data.rig import Rig
from mv3d.synthetic.boards import carried_board
from mv3d.synthetic.rigs import camera_ring

SIZE, STILLS = (640, 480), 14
BOARD = {"kind": "charuco", "squares": [6, 5], "square_mm": 90.0, "marker_mm": 67.5, "dictionary": "DICT_4X4_50"}


def run(*words) -> int:
    try:
        main([str(word) for word in words])
    except SystemExit as stop:
        return int(stop.code or 0)
    return 0


@pytest.fixture(scope="module")
def session(tmp_path_factory):
    """Three cameras side by side, stills of a board taken by all of them at once."""
    root = tmp_path_factory.mktemp("rig")
    (root / "board.yaml").write_text(yaml.safe_dump(BOARD))
    board = load_board(root / "board.yaml")
    truth = Rig(camera_ring(16, radius=2.2, height=1.2, size=SIZE, focal=600.0, seed=1).cameras[:3])
    facing = truth.centers.mean(0) - [0, 0, 0.95]
    R, t = carried_board(np.arange(STILLS) * 1.7, reach=(0.35, 0.35, 0.25), toward=facing, seed=4)
    for camera in truth:
        folder = root / "calibration" / "extrinsics" / camera.name
        folder.mkdir(parents=True)
        for k in range(STILLS):
            cv2.imwrite(str(folder / f"shot_{k:02}.png"), picture(camera, board, R[k], t[k]))
    return root, truth


def picture(camera, board, R, t):
    """The board seen by a pinhole without distortion: a homography of its sheet."""
    sheet = lay_out(board, "700x600")
    pixels_per_mm = 2.0
    paper = draw_sheet(sheet, pixels_per_mm)
    left, top = ((a - 1e3 * b) / 2 for a, b in zip(sheet.size_mm, board.size_m, strict=True))
    metres_from_pixel = np.array([[1, 0, 0.5], [0, 1, 0.5], [0, 0, pixels_per_mm]]) / pixels_per_mm
    metres_from_pixel = (
        np.diag([1e-3, 1e-3, 1]) @ np.array([[1, 0, -left], [0, 1, -top], [0, 0, 1]]) @ metres_from_pixel
    )
    # Board coordinates start at the first inner corner, one square from the edge of the printed board.
    metres_from_pixel = (
        np.array([[1, 0, -board_origin(board)], [0, 1, -board_origin(board)], [0, 0, 1]]) @ metres_from_pixel
    )
    in_camera = camera.R @ np.column_stack([R[:, 0], R[:, 1], t]) + np.outer(camera.t, [0, 0, 1])
    image = np.full((SIZE[1] * 2, SIZE[0] * 2), 110, np.uint8)
    twice = np.array([[2, 0, 0.5], [0, 2, 0.5], [0, 0, 1]])
    H = twice @ camera.lens.K @ in_camera @ metres_from_pixel
    shown = cv2.warpPerspective(paper, H, image.shape[::-1], image, cv2.INTER_AREA, cv2.BORDER_TRANSPARENT)
    return cv2.resize(shown, SIZE, interpolation=cv2.INTER_AREA)


def board_origin(board) -> float:
    """Distance from the board's printed edge to the origin of its points, m."""
    return board.square_m - float(board.points[0, 0])


def test_calibrates_what_it_sees(session, capsys):
    root, truth = session
    assert run("calibrate", root, "--board", root / "board.yaml", "--lens", "pinhole4", "--quiet") == 0
    rig = Rig.load(root / "cameras.yaml")
    assert rig.names == truth.names
    distances, wanted = (np.linalg.norm(r.centers[:, None] - r.centers, axis=-1) for r in (rig, truth))
    # Corners of a rendered board are good to some 0.1 px of 600: 14 views leave a few mm in 0.9 m.
    assert np.abs(distances - wanted).max() < 0.01
    for camera, true in zip(rig, truth, strict=True):
        assert camera.lens.K[0, 0] == pytest.approx(true.lens.K[0, 0], rel=0.02)
    assert (root / "calibration" / "report.html").is_file()
    with np.load(root / "calibration" / "uncertainty.npz", allow_pickle=False) as file:
        assert list(file["cameras"]) == list(truth.names)
    assert capsys.readouterr().out == ""


def test_refuses_to_replace_a_rig_and_keeps_it(session, capsys):
    root, _ = session
    before = (root / "cameras.yaml").read_bytes() if (root / "cameras.yaml").exists() else None
    if before is None:
        run("calibrate", root, "--board", root / "board.yaml", "--lens", "pinhole4", "--quiet")
        before = (root / "cameras.yaml").read_bytes()
    assert run("calibrate", root, "--board", root / "board.yaml") == 1
    assert "--overwrite" in capsys.readouterr().err
    assert (root / "cameras.yaml").read_bytes() == before


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--board", "nosuchboard"], "nosuchboard"),
        (["--board", "demo_checkerboard"], "no checkerboard"),
        (["--board", "BOARD", "--lens", "pinhole7"], "pinhole7"),
    ],
)
def test_what_cannot_be_is_one_line_and_changes_nothing(session, tmp_path, capsys, words, said):
    root, _ = session
    words = [root / "board.yaml" if word == "BOARD" else word for word in words]
    kept = {p: p.read_bytes() for p in root.rglob("*") if p.is_file() and "detections" not in p.parts}
    assert run("calibrate", root, "--overwrite", "--quiet", *words) == 1
    error = capsys.readouterr().err
    assert error.startswith("mv3d: error:")
    assert error.count("\n") == 1
    assert said in error
    assert {p: p.read_bytes() for p in kept} == kept


def test_an_empty_session_says_where_pictures_go(tmp_path, capsys):
    assert run("calibrate", tmp_path, "--board", "charuco_a4") == 1
    assert "calibration/extrinsics/<camera>/" in capsys.readouterr().err


def test_board_sheet(tmp_path, capsys):
    assert run("board", "--board", "charuco_a4", "--out", tmp_path / "b.pdf") == 0
    assert (tmp_path / "b.pdf").read_bytes().startswith(b"%PDF-")
    assert run("board", "--board", "charuco_a4", "--out", tmp_path / "b.pdf") == 1
    assert "--overwrite" in capsys.readouterr().err
    assert run("board", "--board", "openpose_9x6", "--out", tmp_path / "c.pdf") == 1, "1.27 m do not fit on A4"
