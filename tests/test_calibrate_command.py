"""`mv3d calibrate` and `mv3d board` on rendered pictures of a board whose cameras are known."""

import shutil
import subprocess
import sys
from dataclasses import replace

import cv2
import numpy as np
import pytest
import yaml

from calib.board_sheet import draw_sheet, lay_out
from calib.boards import load_board
from mv3d.cli import main
from mv3d.data.intrinsics import load_intrinsics
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


@pytest.fixture
def fresh(session, tmp_path):
    """The session before it was calibrated, to be changed at will; the boards found in it are kept."""
    root = tmp_path / "fresh"
    shutil.copytree(session[0], root, ignore=shutil.ignore_patterns("cameras.yaml", "report.html", "uncertainty.npz"))
    return root


def calibrate(root, *words):
    return run("calibrate", root, "--board", root / "board.yaml", "--lens", "pinhole4", *words)


def refusal(root, capsys, *words) -> str:
    """The one line that a calibration is refused with; an earlier one is still there afterwards."""
    earlier = {root / "cameras.yaml": b"rig", root / "calibration" / "report.html": b"report"}
    kept = {path: path.read_bytes() if path.exists() else text for path, text in earlier.items()}
    for path, text in kept.items():
        path.write_bytes(text)
    capsys.readouterr()
    assert calibrate(root, "--overwrite", "--quiet", *words) == 1
    said = capsys.readouterr().err
    assert said.startswith("mv3d: error:")
    assert said.count("\n") == 1
    assert {path: path.read_bytes() for path in kept} == kept
    assert not list(root.glob(".unfinished-*"))
    return said


def extrinsics(root, camera="*"):
    return sorted((root / "calibration" / "extrinsics").glob(f"{camera}/*.png"))


def without_board(*paths):
    for path in paths:
        cv2.imwrite(str(path), np.random.default_rng(0).integers(90, 130, (SIZE[1], SIZE[0]), np.uint8))


def test_pictures_of_single_cameras_give_lenses_and_no_rig(session, fresh, capsys):
    (fresh / "calibration" / "extrinsics").rename(fresh / "calibration" / "intrinsics")
    assert calibrate(fresh) == 0
    assert "lenses only" in capsys.readouterr().out
    assert not (fresh / "cameras.yaml").exists()
    assert (fresh / "calibration" / "report.html").is_file()
    lenses = load_intrinsics(fresh / "calibration" / "lenses.yaml")
    assert [lens.name for lens in lenses] == list(session[1].names)
    for camera, true in zip(lenses, session[1], strict=True):
        # 14 views of 0.1 px, each camera alone.
        assert camera.lens.K[0, 0] == pytest.approx(true.lens.K[0, 0], rel=0.02)
    assert calibrate(fresh, "--quiet") == 1
    assert "--overwrite" in capsys.readouterr().err


def test_lenses_alone_when_the_other_pictures_show_no_board(fresh, capsys):
    shutil.copytree(fresh / "calibration" / "extrinsics", fresh / "calibration" / "intrinsics")
    without_board(*extrinsics(fresh))
    assert "--lenses-only" in refusal(fresh, capsys)
    assert calibrate(fresh, "--lenses-only", "--overwrite", "--quiet") == 0
    assert (fresh / "calibration" / "lenses.yaml").is_file()


def test_known_lenses_are_taken_as_they_are(session, fresh, tmp_path):
    truth = session[1]
    Rig(tuple(c.resized((2 * c.size[0], 2 * c.size[1])) for c in truth)).save(tmp_path / "twice.yaml")
    assert calibrate(fresh, "--known-lenses", tmp_path / "twice.yaml", "--quiet") == 0
    rig = Rig.load(fresh / "cameras.yaml")
    for camera, true in zip(rig, truth, strict=True):
        np.testing.assert_allclose(camera.lens.K, true.lens.K, atol=1e-9)
    distances, wanted = (np.linalg.norm(r.centers[:, None] - r.centers, axis=-1) for r in (rig, truth))
    assert np.abs(distances - wanted).max() < 0.01


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ("shape", "640x480, its known lens is for 640x640, another shape"),
        ("names", "no name in common"),
        ("nan", "K"),
        ("size", "K"),
    ],
)
@pytest.mark.parametrize("flag", ["--known-lenses", "--known-rig"])
def test_known_cameras_that_do_not_fit(session, fresh, tmp_path, capsys, change, said, flag):
    truth, path = session[1], tmp_path / "known.yaml"
    changes = {"shape": {"size": (640, 640)}, "names": {"name": "elsewhere"}}
    Rig(tuple(replace(c, **changes.get(change, {})) for c in truth.cameras[:1])).save(path)
    if change in ("nan", "size"):
        text = yaml.safe_load(path.read_text())
        text["cameras"][0]["lens"]["K"] = [[float("nan"), 0, 1], [0, 1, 1], [0, 0, 1]] if change == "nan" else [[1]]
        path.write_text(yaml.safe_dump(text))
    line = refusal(fresh, capsys, flag, path)
    assert said in line
    assert change in ("shape", "names") or str(path) in line


def test_one_camera_gets_another_lens_model(fresh, capsys):
    assert calibrate(fresh, "--lens-of", "cam02=pinhole5", "--lens-of", "cam03=fisheye", "--quiet") == 0
    rig = Rig.load(fresh / "cameras.yaml")
    assert [type(camera.lens).__name__ for camera in rig] == ["Pinhole", "Pinhole", "Fisheye"]
    assert [len(camera.lens.dist) for camera in rig] == [4, 5, 4]
    assert "no camera cam09" in refusal(fresh, capsys, "--lens-of", "cam09=fisheye")
    assert "NAME=MODEL" in refusal(fresh, capsys, "--lens-of", "fisheye")
    assert "lens model 'fishy' is unknown" in refusal(fresh, capsys, "--lens-of", "cam02=fishy")


def test_a_moved_camera_is_calibrated_anew_and_no_other(session, fresh, capsys):
    """The rig on file has cam03 elsewhere, and a camera that did not film the board."""
    truth = session[1]
    moved = replace(truth["cam03"], t=np.add(truth["cam03"].t, [0.5, 0, 0]))
    absent = replace(truth["cam01"], name="door")
    Rig((truth["cam01"], truth["cam02"], moved, absent)).save(fresh / "cameras.yaml")
    assert calibrate(fresh, "--only", "cam03", "--overwrite", "--quiet") == 0
    rig = Rig.load(fresh / "cameras.yaml")
    assert rig.names == ("cam01", "cam02", "cam03", "door")
    for name in ("cam01", "cam02", "door"):
        old = truth["cam01" if name == "door" else name]
        np.testing.assert_allclose(rig[name].t, old.t, atol=1e-9)
        np.testing.assert_allclose(rig[name].lens.K, old.lens.K, atol=1e-9)
    assert np.linalg.norm(rig["cam03"].center - truth["cam03"].center) < 0.01
    np.testing.assert_allclose(Rig.load(fresh / "cameras.before.yaml")["cam03"].t, moved.t, atol=1e-9)
    assert "no pictures of it" in refusal(fresh, capsys, "--only", "cam07")
    every = [word for name in truth.names for word in ("--only", name)]
    Rig(truth.cameras).save(fresh / "cameras.yaml")
    assert "every camera" in refusal(fresh, capsys, *every)


def test_of_a_moved_camera_only_the_pose_is_updated(session, fresh):
    truth, path = session[1], fresh / "cameras.yaml"
    turned = replace(truth["cam03"], t=np.add(truth["cam03"].t, [0.05, 0, 0]))
    Rig((truth["cam01"], truth["cam02"], turned)).save(path)
    assert calibrate(fresh, "--only", "cam03", "--known-lenses", path, "--overwrite", "--quiet") == 0
    rig = Rig.load(path)
    for name in truth.names:
        np.testing.assert_allclose(rig[name].lens.K, truth[name].lens.K, atol=1e-9)
    for name in ("cam01", "cam02"):
        np.testing.assert_allclose(rig[name].t, truth[name].t, atol=1e-9)
    # The lens is exact, so the place is known to a tenth of what it is with a lens of its own.
    assert np.linalg.norm(rig["cam03"].center - truth["cam03"].center) < 0.001


def test_yesterdays_rig_is_checked_and_nothing_written(session, fresh, capsys):
    truth = session[1]
    moved = replace(truth["cam03"], t=np.add(truth["cam03"].t, [0.1, 0, 0]))
    for rig, said in (
        (truth, "the calibration still holds"),
        (Rig((truth["cam01"], truth["cam02"], moved)), "cam03 has moved: turned by"),
    ):
        rig.save(fresh / "yesterday.yaml")
        assert calibrate(fresh, "--check", "--known-rig", fresh / "yesterday.yaml") == 0
        assert said in capsys.readouterr().out
    assert not (fresh / "cameras.yaml").exists()
    assert "no rig to check" in refusal_of_check(fresh, capsys)


def refusal_of_check(root, capsys) -> str:
    assert calibrate(root, "--check") == 1
    return capsys.readouterr().err


def test_a_board_in_one_camera_only(fresh, capsys):
    without_board(*extrinsics(fresh, "cam02"), *extrinsics(fresh, "cam03"))
    assert "pictures of cam02, no markers of another dictionary either" in refusal(fresh, capsys)


def test_no_board_anywhere(fresh, capsys):
    without_board(*extrinsics(fresh))
    assert "in 42 pictures of 3 cameras" in refusal(fresh, capsys)


@pytest.mark.parametrize("squares", [[7, 5], [5, 6]])
def test_a_wrong_number_of_squares(fresh, capsys, squares):
    (fresh / "board.yaml").write_text(yaml.safe_dump({**BOARD, "squares": squares}))
    assert "squares" in refusal(fresh, capsys)


def test_a_wrong_square_size_scales_the_rig_and_is_said_to_be_invisible(session, fresh, capsys):
    (fresh / "board.yaml").write_text(yaml.safe_dump({**BOARD, "square_mm": 45.0, "marker_mm": 33.75}))
    assert calibrate(fresh) == 0
    assert "no picture of a board tells a wrong one" in capsys.readouterr().out
    rig, truth = Rig.load(fresh / "cameras.yaml"), session[1]
    found, wanted = (np.linalg.norm(r.centers[0] - r.centers[2]) for r in (rig, truth))
    assert found == pytest.approx(wanted / 2, rel=0.01)


def test_too_few_views(fresh, capsys):
    for path in extrinsics(fresh):
        if path.stem > "shot_01":
            path.unlink()
    assert "at least 3 are needed" in refusal(fresh, capsys)


def test_cameras_that_never_see_the_board_at_once(fresh, capsys):
    for path in extrinsics(fresh, "cam03"):
        path.rename(path.with_name(f"other_{path.name}"))
    line = refusal(fresh, capsys)
    assert "where cam01 and cam03 both see it" in line


def test_views_that_are_all_parallel(session, fresh, capsys):
    """A board that always faces the camera squarely tells its distance only times the focal length."""
    truth, board = session[1], load_board(fresh / "board.yaml")
    camera, middle = truth["cam01"], np.array([*board.size_m, 0]) / 2
    for path in extrinsics(fresh):
        path.unlink()
    for k, distance in enumerate(np.linspace(1.4, 1.9, 8)):
        aside = np.array([0.03 * (k % 3 - 1), 0.02 * (k % 2), distance])
        R, t = camera.R.T, camera.R.T @ (aside - middle - camera.t)
        cv2.imwrite(str(fresh / f"calibration/extrinsics/cam01/shot_{k:02}.png"), picture(camera, board, R, t))
    assert "do not tell the focal length" in refusal(fresh, capsys)


def test_a_corrupt_picture(fresh, capsys):
    path = extrinsics(fresh, "cam02")[5]
    path.write_bytes(path.read_bytes()[:200])
    assert path.name in refusal(fresh, capsys)


def test_a_refusal_as_a_process(fresh):
    without_board(*extrinsics(fresh))
    command = [sys.executable, "-m", "mv3d.cli", "calibrate", str(fresh), "--board", str(fresh / "board.yaml")]
    done = subprocess.run([*command, "--quiet"], capture_output=True, text=True, check=False, timeout=300)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.count("\n") == 1
    assert done.stderr.startswith("mv3d: error: ")


def test_board_sheet(tmp_path, capsys):
    assert run("board", "--board", "charuco_a4", "--out", tmp_path / "b.pdf") == 0
    assert (tmp_path / "b.pdf").read_bytes().startswith(b"%PDF-")
    assert run("board", "--board", "charuco_a4", "--out", tmp_path / "b.pdf") == 1
    assert "--overwrite" in capsys.readouterr().err
    assert run("board", "--board", "openpose_9x6", "--out", tmp_path / "c.pdf") == 1, "1.27 m do not fit on A4"
