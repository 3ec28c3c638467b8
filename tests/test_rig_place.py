"""`mv3d rig place`: cameras placed by marked points of known places; and Pose2Sim's file of such points."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from calib.scene_poses import pose_from_scene
from mv3d.cli import main
from mv3d.data.intrinsics import Intrinsics, save_intrinsics
from mv3d.data.lens import DoubleSphere, Fisheye, Lens, Pinhole
from mv3d.data.rig import Rig
from mv3d.errors import CalibrationError
from mv3d.files.rigs import write_rig
from mv3d.files.scene_points import load_scene
from mv3d.synthetic.rigs import camera_ring

# A court: on its lines, on a net's posts, as one measures with a tape.
PLACES = np.array(
    [[-2.0, 0.3, 0], [-2.0, 0, 0], [-2.0, 0, 0.5], [-2.0, -0.3, 0], [0, 0.3, 0], [0, 0, 0], [0, 0, 0.5], [0, -0.3, 0]]
)


def ring() -> Rig:
    rig = camera_ring(3, radius=4.0, distortion=np.array([-0.1, 0.02, 1e-3, -1e-3]), seed=3)
    wide = Fisheye(np.array([[500.0, 0, 960], [0, 500, 540], [0, 0, 1]]), np.array([0.02, -0.01, 0, 0]))
    sphere = DoubleSphere(np.array([[400.0, 0, 960], [0, 400, 540], [0, 0, 1]]), np.array([-0.2, 0.58]))
    return Rig((rig[0], replace(rig[1], lens=wide), replace(rig[2], lens=sphere)))


def clicked(rig: Rig, noise: float = 0.0, ends: str = "_ext.png") -> dict[str, object]:
    """As Pose2Sim's append_points_to_json writes it; the second camera does not see the first point."""
    rng, entries = np.random.default_rng(0), []
    for i, camera in enumerate(rig):
        shown = PLACES[int(i == 1) :]
        xy = camera.project(shown) + rng.normal(0, noise, (len(shown), 2))
        entries.append(
            {
                "cam_name": f"{camera.name}{ends}",
                "image_points_2d": xy.ravel().tolist(),
                "object_points_3d": shown.ravel().tolist(),
            }
        )
    return {"intrinsics": [], "extrinsics": entries}


def run(*arguments: object) -> None:
    main(["rig", *map(str, arguments)])


@pytest.mark.parametrize("source", ["lenses.yaml", "cameras.yaml", "camchain.yaml"])
def test_cameras_are_placed_by_the_points_of_pose2sim(
    tmp_path: Path, source: str, capsys: pytest.CaptureFixture[str]
) -> None:
    rig = ring()
    if source == "lenses.yaml":
        save_intrinsics(tmp_path / source, [Intrinsics(c.name, c.size, c.lens) for c in rig])
    else:
        write_rig(rig, tmp_path / source, "kalibr" if source == "camchain.yaml" else "mv3d")
    (tmp_path / "Image_points.json").write_text(json.dumps(clicked(rig)))
    run("place", tmp_path / source, "--points", tmp_path / "Image_points.json", "--out", tmp_path / "new.yaml")
    said = capsys.readouterr().out
    assert "cam01: 8 points, 0.0 px off (median)" in said
    assert "cam02: 7 points" in said
    new = Rig.load(tmp_path / "new.yaml")
    np.testing.assert_allclose(new.centers, rig.centers, atol=1e-5)  # the minimum's own tolerance
    for a, b in zip(new, rig, strict=True):
        np.testing.assert_allclose(a.R, b.R, atol=1e-6)


def test_a_rig_is_aligned_to_the_points_of_pose2sim(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rig = ring()
    rig.save(tmp_path / "rig.yaml")
    (tmp_path / "Image_points.json").write_text(json.dumps(clicked(rig, ends=".jpg")))
    points = tmp_path / "Image_points.json"
    run("align", tmp_path / "rig.yaml", "--points", points, "--out", tmp_path / "new.yaml")
    assert "scene: 8 points, 0.0 mm off" in capsys.readouterr().out
    np.testing.assert_allclose(Rig.load(tmp_path / "new.yaml").centers, rig.centers, atol=1e-6)


def errors_in_sd(lens: Lens, seeds: int) -> np.ndarray:
    """Distance of the found position from the true one over its standard deviation, for marks of 2 px."""
    camera = replace(ring()[0], lens=lens)
    out = []
    for seed in range(seeds):
        xy = camera.project(PLACES) + np.random.default_rng(seed).normal(0, 2.0, (8, 2))
        pose = pose_from_scene(lens, PLACES, xy, 2.0)
        out.append(np.linalg.norm(-pose.R.T @ pose.t - camera.center) / pose.center_sd)
    return np.array(out)


@pytest.mark.parametrize("number", [0, 1, 2])
def test_the_position_is_as_uncertain_as_is_said(number: int) -> None:
    far = errors_in_sd(ring()[number].lens, 25)
    # The said one is of the worst direction, so that most lie within it, and one in twenty beyond two.
    assert 0.3 < np.median(far) < 1.5
    assert (far > 2.5).mean() <= 0.12


def test_a_wrong_mark_is_named_and_moves_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rig = ring()
    document = clicked(rig, noise=0.5)
    document["extrinsics"][0]["image_points_2d"][4] += 150.0  # type: ignore[index]
    (tmp_path / "p.json").write_text(json.dumps(document))
    rig.save(tmp_path / "rig.yaml")
    run("place", tmp_path / "rig.yaml", "--points", tmp_path / "p.json", "--out", tmp_path / "new.yaml")
    said = capsys.readouterr().out.splitlines()
    assert "marked wrong, or not where the list says: -2, 0, 0.5 (1" in said[0]
    assert "marked wrong" not in said[1] + said[2]
    # Half a pixel at 4 m and f = 1100 px is 2 mm; depth and the loss of a point take several times that.
    np.testing.assert_allclose(Rig.load(tmp_path / "new.yaml").centers, rig.centers, atol=0.05)


@pytest.mark.parametrize(
    ("xyz", "message"),
    [
        (PLACES[:3], "3 points with places are marked, 4 or more are wanted"),
        (np.outer(np.arange(6), [0.3, 0.1, 0]), "its points are all on one line"),
    ],
)
def test_points_that_tell_no_place(xyz: np.ndarray, message: str) -> None:
    camera = ring()[0]
    with pytest.raises(ValueError, match=message):
        pose_from_scene(camera.lens, xyz, camera.project(xyz), 2.0)


def test_hidden_points_are_null_or_left_out(tmp_path: Path) -> None:
    entry = {"cam_name": "c1.png", "image_points_2d": [1, 2, None, None, 5, 6], "object_points_3d": [0] * 6}
    path = tmp_path / "p.json"
    for places in ([0, 0, 0, 1, 1, 1, 2, 2, 2], [0, 0, 0, 2, 2, 2]):
        entry["object_points_3d"] = places
        path.write_text(json.dumps({"extrinsics": [entry]}))
        points = load_scene(path, ["C_01"])
        assert [(point.name, dict(point.seen)) for point in points] == [
            ("0, 0, 0", {"C_01": (1, 2)}),
            ("2, 2, 2", {"C_01": (5, 6)}),
        ]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[1]", "no list `extrinsics`"),
        ('{"extrinsics": []}', "click the points of a scene in Pose2Sim first"),
        ('{"extrinsics": [{"image_points_2d": []}]}', "picture 1 has no cam_name"),
        ('{"extrinsics": [{"cam_name": "a.png", "image_points_2d": [1, 2, 3]}]}', r"a\.png: image_points_2d is not"),
        (
            '{"extrinsics": [{"cam_name": "a.png", "image_points_2d": [1, 2], "object_points_3d": [1, 2]}]}',
            r"a\.png: object_points_3d is not a list",
        ),
        (
            '{"extrinsics": [{"cam_name": "a.png", "image_points_2d": [1, 2], "object_points_3d": []}]}',
            r"a\.png: 1 points in the picture, 0 places",
        ),
        (
            '{"extrinsics": [{"cam_name": "a.png", "image_points_2d": [1, NaN], "object_points_3d": [1, 2, 3]}]}',
            "not finite",
        ),
        ("[" * 100_000, "not Pose2Sim's image points"),
        ("{", "not Pose2Sim's image points"),
    ],
)
def test_files_of_clicked_points_that_are_wrong(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "p.json").write_text(text)
    with pytest.raises(CalibrationError, match=message) as caught:
        load_scene(tmp_path / "p.json")
    assert "\n" not in str(caught.value)


def test_what_cannot_be_placed_is_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rig = ring()
    rig.save(tmp_path / "rig.yaml")
    Rig(rig.cameras[:2]).save(tmp_path / "two.yaml")
    (tmp_path / "p.json").write_text(json.dumps(clicked(rig)))
    few = clicked(rig)
    few["extrinsics"] = few["extrinsics"][:2]  # type: ignore[index]
    (tmp_path / "few.json").write_text(json.dumps(few))
    narrow = Pinhole(np.array([[2000.0, 0, 960], [0, 2000, 540], [0, 0, 1]]), np.array([-0.6, 0, 0, 0]))
    folded = Rig((replace(rig[0], lens=narrow), *rig.cameras[1:]))
    folded.save(tmp_path / "folded.yaml")
    far = clicked(rig)
    far["extrinsics"][0]["image_points_2d"][0] = 90_000.0  # type: ignore[index]
    (tmp_path / "far.json").write_text(json.dumps(far))
    for lenses, points, message in (
        ("two.yaml", "p.json", "no lens of camera cam03 is known; there are cam01, cam02"),
        ("rig.yaml", "few.json", "camera cam03: 0 points with places are marked"),
        ("folded.yaml", "far.json", "camera cam01: point 1 lies where its lens shows nothing"),
        ("none.yaml", "p.json", "none.yaml"),
    ):
        with pytest.raises(SystemExit) as caught:
            run("place", tmp_path / lenses, "--points", tmp_path / points, "--out", tmp_path / "new.yaml")
        assert caught.value.code == 1
        error = capsys.readouterr().err
        assert message in error
        assert error.count("\n") == 1
    assert not (tmp_path / "new.yaml").exists()
