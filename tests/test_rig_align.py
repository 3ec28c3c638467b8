"""`mv3d rig align`: boards on the floor, marked points, feet and a tape."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

from mv3d.cli import main
from mv3d.data.poses import Poses3D
from mv3d.data.rig import Rig
from mv3d.data.skeletons import BODY_25
from mv3d.errors import CalibrationError
from mv3d.files.scene_points import load_scene
from mv3d.geometry.rotations import rotation_from_vector
from mv3d.rig_alignment import Measured, hold_against
from mv3d.synthetic.performer import standing_person
from mv3d.synthetic.rigs import camera_ring

RIG = camera_ring(3, seed=4)


def run(*arguments: object) -> None:
    main(["rig", "align", *map(str, arguments)])


def scene(path: Path, rig: Rig, places: dict[str, tuple[float, float, float]], listed: dict[str, list[float]]) -> Path:
    lines = ["points:"]
    for name, place in places.items():
        pixels = {c.name: [round(float(v), 2) for v in c.project(np.array(place))] for c in rig}
        lines.append(f"- name: {name}")
        lines += [f"  xyz: {listed[name]}"] if name in listed else []
        lines.append(f"  seen: {pixels}")
    path.write_text("\n".join(lines).replace("'", ""))
    return path


CORNERS = {"a": (0.0, 0.0, 0.0), "b": (1.0, 0.0, 0.0), "c": (0.0, 2.0, 0.0), "d": (1.0, 2.0, 0.5)}
LISTED = {"a": [1.0, 1.0, 0.0], "b": [1.0, 2.0, 0.0], "c": [-1.0, 1.0, 0.0], "d": [-1.0, 2.0, 0.5]}


def test_marked_points_make_the_world_of_a_session(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    RIG.save(tmp_path / "cameras.yaml")
    run(tmp_path, "--points", scene(tmp_path / "scene.yaml", RIG, CORNERS, LISTED), "--overwrite")
    said = capsys.readouterr().out
    assert "scene: 4 points, 0.0 mm off" in said
    assert "the points' distances say +0.00%" in said
    new = Rig.load(tmp_path / "cameras.yaml")
    for old, camera in zip(RIG, new, strict=True):
        # Pixels are marked to 0.01 px.
        np.testing.assert_allclose(
            camera.project(np.array([*LISTED.values()])), old.project(np.array([*CORNERS.values()])), atol=0.1
        )
    assert Rig.load(tmp_path / "cameras.unaligned.yaml").names == RIG.names


def test_a_tape_is_held_against_the_rig_and_taken_if_asked(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    RIG.save(tmp_path / "rig.yaml")
    apart = float(np.linalg.norm(RIG[0].center - RIG[1].center))
    tape = ("--measured", "cam01", "cam02", 1.03 * apart)
    run(tmp_path / "rig.yaml", *tape, "--out", tmp_path / "a.yaml")
    assert "say +3.00%; the calibration's was kept; check the size of the board's squares" in capsys.readouterr().out
    np.testing.assert_allclose(Rig.load(tmp_path / "a.yaml").centers, RIG.centers, atol=1e-12)
    run(tmp_path / "rig.yaml", *tape, "--rescale", "--out", tmp_path / "b.toml")
    main(["rig", "convert", str(tmp_path / "b.toml"), str(tmp_path / "b.yaml")])
    np.testing.assert_allclose(Rig.load(tmp_path / "b.yaml").centers, 1.03 * RIG.centers, atol=1e-9)
    done = hold_against(RIG, [Measured("a", "b", 1.0)], scene(tmp_path / "s.yaml", RIG, CORNERS, {}))
    assert "a to b: 1.0000 m by the rig" in done.lines[0]


@pytest.mark.parametrize("named", [False, True])
def test_what_is_known_of_a_session_is_scaled_with_its_rig(tmp_path: Path, named: bool) -> None:
    RIG.save(tmp_path / "cameras.yaml")
    apart = np.linalg.norm(RIG.centers[:, None] - RIG.centers, axis=-1)
    known = tmp_path / "calibration" / "uncertainty.npz"
    known.parent.mkdir()
    np.savez(
        known, cameras=RIG.names, parameters=["fx", "rx", "ry", "rz", "tx", "ty", "tz", "line"],
        covariance=np.ones((24, 24)), distances=apart, distances_sd=0.01 * apart, board_points=np.ones((4, 3)),
        noise_px=0.2,
    )  # fmt: skip
    tape = ("--measured", "cam01", "cam02", 2.0 * apart[0, 1], "--rescale", "--overwrite")
    run(*((tmp_path / "cameras.yaml", "--out", tmp_path / "cameras.yaml") if named else (tmp_path,)), *tape)
    new = Rig.load(tmp_path / "cameras.yaml")
    with np.load(known, allow_pickle=False) as file:
        # Powers of two scale without rounding.
        variance = np.diag(file["covariance"]).reshape(3, 8)
        np.testing.assert_allclose(variance, np.tile([1, 1, 1, 1, 4, 4, 4, 1], (3, 1)), rtol=1e-9)
        assert file["covariance"][0, 4] == pytest.approx(2.0)  # of a focal length and a length
        np.testing.assert_allclose(file["distances"], np.linalg.norm(new.centers[:, None] - new.centers, axis=-1))
        np.testing.assert_allclose(file["distances_sd"], 0.02 * apart)
        np.testing.assert_allclose(file["board_points"], 2.0)
        assert file["noise_px"] == 0.2
    with np.load(known.with_name("uncertainty.unaligned.npz"), allow_pickle=False) as file:
        np.testing.assert_array_equal(file["distances"], apart)
    # Without a scale it stays as it is, and what was kept of an earlier rig goes with that rig.
    before = known.read_bytes()
    run(tmp_path, "--measured", "cam01", "cam02", 1.0, "--overwrite")
    assert known.read_bytes() == before
    assert not known.with_name("uncertainty.unaligned.npz").exists()


def test_an_uncertainty_that_cannot_be_read_leaves_the_rig(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    RIG.save(tmp_path / "cameras.yaml")
    (tmp_path / "calibration").mkdir()
    (tmp_path / "calibration" / "uncertainty.npz").write_bytes(b"no npz")
    with pytest.raises(SystemExit):
        run(tmp_path, "--measured", "cam01", "cam02", 1.0, "--rescale", "--overwrite")
    assert "uncertainty.npz: cannot read it" in capsys.readouterr().err
    np.testing.assert_array_equal(Rig.load(tmp_path / "cameras.yaml").centers, RIG.centers)


def test_a_board_on_the_floor(tmp_path: Path, calib_render: Callable, capsys: pytest.CaptureFixture[str]) -> None:
    rig, board, R, t = calib_render(tmp_path / "floor")
    rig.save(tmp_path / "rig.yaml")
    run(tmp_path / "rig.yaml", "--board", board, "--floor", tmp_path / "floor", "--out", tmp_path / "new.yaml")
    assert "floor: a board seen by cam01, cam02" in capsys.readouterr().out
    new = Rig.load(tmp_path / "new.yaml")
    for old, camera in zip(rig, new, strict=True):
        # The board's first corner is the origin; 1 mm is a third of a pixel.
        np.testing.assert_allclose(camera.project(np.zeros(3)), old.project(t), atol=0.5)
        np.testing.assert_allclose(camera.project(np.array([0.3, 0, 0])), old.project(R @ [0.3, 0, 0] + t), atol=0.5)
        np.testing.assert_allclose(camera.project(np.array([0, 0, 0.3])), old.project(t - 0.3 * R[:, 2]), atol=1.5)
    assert (new.centers[:, 2] > 0).all()


@pytest.fixture
def calib_render() -> Callable:
    """Pictures of a board that lies in front of two cameras."""
    from calib.board_sheet import draw_sheet, lay_out
    from calib.boards import load_board

    def make(folder: Path) -> tuple[Rig, str, np.ndarray, np.ndarray]:
        folder.mkdir()
        board = load_board("demo_checkerboard")
        rig = camera_ring(
            2, radius=2.0, height=1.6, target=(0.0, 0.0, 0.0), span=1.0, size=(960, 720), focal=800.0, seed=1
        )
        R = np.array([[0.0, 1, 0], [1, 0, 0], [0, 0, -1]])
        t = -R @ np.array([*board.size_m, 0]) / 2
        side = 1e3 * board.square_m
        sheet = lay_out(board, f"{1e3 * board.size_m[0] + side}x{1e3 * board.size_m[1] + side}")
        texture = draw_sheet(sheet, 2.0)
        texels = np.array([[0, 0], [1, 0], [1, 1], [0, 1]]) * [texture.shape[1], texture.shape[0]] - 0.5
        places = np.array([[0, 0], [1, 0], [1, 1], [0, 1]]) * [board.size_m[0] + board.square_m, 0] + np.array(
            [[0, 0], [0, 0], [0, 1], [0, 1]]
        ) * [0, board.size_m[1] + board.square_m]
        x_board = np.column_stack([places - board.square_m / 2, np.zeros(4)])
        for camera in rig:
            H = cv2.getPerspectiveTransform(
                texels.astype(np.float32), camera.project(x_board @ R.T + t).astype(np.float32)
            )
            image = cv2.warpPerspective(texture, H, camera.size, flags=cv2.INTER_AREA, borderValue=110)
            cv2.imwrite(str(folder / f"{camera.name}.png"), cv2.GaussianBlur(image, (0, 0), 0.7))
        return rig, "demo_checkerboard", R, t

    return make


def standing(places: list[tuple[float, float]]) -> Poses3D:
    """A person who stands for a second at each of some places, then elsewhere."""
    xyz = np.concatenate([standing_person(place, 0.5 * i, frames=60, seed=i) for i, place in enumerate(places)])
    shape = (len(xyz), 1, xyz.shape[1])
    return Poses3D(
        skeleton=BODY_25, xyz=xyz[:, None], score=np.ones(shape), reprojection_error=np.ones(shape),
        n_views=np.full(shape, 3), covariance=np.full((*shape, 3, 3), 1e-6), state=np.ones(shape, np.uint8),
        xyz_per_frame=xyz[:, None], timestamps=np.arange(len(xyz)) / 60, cameras=RIG.names,
    )  # fmt: skip


def test_feet_tell_the_floor(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    tilt = rotation_from_vector(np.array([0.2, 0.1, 0.0]))
    poses = standing([(0.0, 0.0), (1.5, 0.0), (0.0, 1.5), (-1.0, -1.0)])
    replace(poses, xyz=poses.xyz @ tilt.T + np.array([0, 0, 0.4])).save(tmp_path / "pose3d.npz")
    RIG.save(tmp_path / "rig.yaml")
    run(tmp_path / "rig.yaml", "--person", tmp_path / "pose3d.npz", "--out", tmp_path / "new.yaml")
    assert "standing feet; tilt known to" in capsys.readouterr().out
    new = Rig.load(tmp_path / "new.yaml")
    # The same cameras see the old floor as the new one: heights over it are kept.
    for old, camera in zip(RIG, new, strict=True):
        floor = (tilt.T @ (old.center - np.array([0, 0, 0.4])))[2]
        # A centimetre and a half of the joints' heights, and a degree of tilt at 5 m.
        assert abs(camera.center[2] - floor) < 0.1


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("points: []", "no list `points`"),
        ("points: [{name: a, seen: {cam01: [1]}}]", "point a in cam01 has 1 numbers"),
        ("points: [{name: a, seen: {cam01: [1, 2]}, at: 3}]", "unknown key at"),
        ("points: [{name: a, seen: {c: [1, 2]}}, {name: a, seen: {c: [1, 2]}}]", "two points are named a"),
        ("points: [&p {name: a, seen: {c: [1, 2]}}, *p]", "aliases"),
    ],
)
def test_files_of_points_that_are_wrong(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "scene.yaml").write_text(text)
    with pytest.raises(CalibrationError, match=message):
        load_scene(tmp_path / "scene.yaml")


def test_what_cannot_be_aligned_is_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    RIG.save(tmp_path / "rig.yaml")
    rig, out = tmp_path / "rig.yaml", ("--out", tmp_path / "new.yaml")
    points = scene(tmp_path / "s.yaml", RIG, CORNERS, {"a": [0, 0, 0], "b": [1, 0, 0]})
    for arguments, message in (
        ((), "nothing to align to"),
        (("--board", "charuco_a4"), "--board needs --floor"),
        (("--board", "charuco_a4", "--floor", tmp_path / "none"), "no pictures of the board on the floor"),
        (("--points", points), "2 points with places, three or more are wanted"),
        (("--measured", "cam01", "nobody", "1.0"), "no nobody; there are cam01, cam02, cam03"),
        (("--measured", "cam01", "cam02", "-1.0"), "a distance in metres is wanted"),
    ):
        with pytest.raises(SystemExit) as caught:
            run(rig, *arguments, *out)
        assert caught.value.code == 1
        error = capsys.readouterr().err
        assert message in error
        assert error.count("\n") == 1
