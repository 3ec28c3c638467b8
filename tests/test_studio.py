"""`mv3d synth`: a session folder whose truth fits its own cameras, alike whenever the seed is."""

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from calib.boards import load_board, shipped_boards
from mv3d import api
from mv3d.data.poses import Poses3D
from mv3d.data.rig import Rig
from mv3d.data.skeletons import BODY_25
from mv3d.errors import ConfigError
from mv3d.files.video import probe_video
from mv3d.studio import StudioConfig, board_picture, carried_panels, render_session, studio_rig
from mv3d.synthetic.performer import walking_person

SMALL = StudioConfig(cameras=2, size=(160, 120), fps=10.0, seconds=0.3, board="", seed=3)


def test_truth_lies_where_its_cameras_see_it(tmp_path: Path) -> None:
    outputs = render_session(tmp_path / "a", SMALL)
    rig = Rig.load(tmp_path / "a" / "cameras.yaml")
    with np.load(outputs["truth"]) as truth:
        xyz, names = truth["xyz"], list(truth["keypoints"])
        for camera in rig:
            seen = truth[f"visible_{camera.name}"]
            # Positions are stored in float32: 160 px to 1e-5.
            np.testing.assert_allclose(truth[f"xy_{camera.name}"], camera.project(xyz), atol=1e-4)
            assert seen.mean() > 0.2
            assert probe_video(tmp_path / "a" / "videos" / f"{camera.name}.mp4").frame_count == 3
    standing = xyz[0, 0, names.index("Neck"), 2] - xyz[0, 0, names.index("LHeel"), 2]
    # Children from ten years on to tall people.
    assert 0.8 < standing < 1.8


def test_the_same_seed_makes_the_same_recording(tmp_path: Path) -> None:
    truths = []
    for name in "ab":
        truths.append(dict(np.load(render_session(tmp_path / name, SMALL)["truth"])))
    for key, values in truths[0].items():
        np.testing.assert_array_equal(values, truths[1][key])
    videos = [(tmp_path / name / "videos" / "cam01.mp4").read_bytes() for name in "ab"]
    assert videos[0] == videos[1]


def test_an_unknown_motion_is_refused_before_anything_is_written(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="routine, walk"):
        render_session(tmp_path / "a", StudioConfig(motion="fly", board=""))
    assert not (tmp_path / "a" / "videos").exists()


@pytest.mark.parametrize("name", sorted(set(shipped_boards()) - {"two_sided_a4"}))
def test_boards_of_every_kind_are_drawn_with_a_margin(name: str) -> None:
    picture, (width, height) = board_picture(load_board(name))
    assert picture.shape[1] / picture.shape[0] == pytest.approx(width / height, rel=0.01)
    paper = np.concatenate([picture[0], picture[-1], picture[:, 0], picture[:, -1]])
    assert len(np.unique(paper)) == 1
    assert 0.1 < np.mean(picture != paper[0]) < 0.9


def test_command(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "mv3d.cli", "synth", str(tmp_path / "s"), "--cameras", "1", "--size", "96", "64"]
    wrong = subprocess.run([*command, "--seconds", "-1"], capture_output=True, text=True, timeout=120)
    assert wrong.returncode == 1
    assert "positive" in wrong.stderr
    options = ["--seconds", "0.1", "--fps", "10", "--board", "", "--quiet"]
    done = subprocess.run([*command, *options], capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    assert probe_video(tmp_path / "s" / "videos" / "cam01.mp4").size == (96, 64)


def test_a_bvh_file_moves_the_person_by_name_and_direction(tmp_path: Path) -> None:
    walk, times = walking_person(8, fps=10.0, seed=1)
    one = np.ones((8, 1, 25))
    poses = Poses3D(
        skeleton=BODY_25,
        xyz=walk[:, None],
        score=one,
        reprojection_error=one,
        n_views=np.full((8, 1, 25), 4),
        covariance=np.broadcast_to(1e-6 * np.eye(3), (8, 1, 25, 3, 3)),
        state=np.ones((8, 1, 25), np.uint8),
        xyz_per_frame=walk[:, None],
        timestamps=times,
        cameras=("cam01", "cam02"),
    )
    api.export.write_bvh(tmp_path / "walk.bvh", api.fit_motion(poses).motion)
    config = replace(SMALL, seconds=0.8)
    with np.load(render_session(tmp_path / "s", config, tmp_path / "walk.bvh")["truth"]) as truth:
        xyz, names = truth["xyz"][:, 0], list(truth["keypoints"])
    for side in "LR":
        for near, far in (("Hip", "Knee"), ("Knee", "Ankle"), ("Shoulder", "Elbow")):
            seen = xyz[:, names.index(side + far)] - xyz[:, names.index(side + near)]
            filmed = walk[:, BODY_25.index(side + far)] - walk[:, BODY_25.index(side + near)]
            lean, wanted = (v[:, 2] / np.linalg.norm(v, axis=1) for v in (seen, filmed))
            # Joints of the two skeletons lie a few centimetres apart in places: some degrees of direction.
            assert np.abs(np.degrees(np.arccos(lean) - np.arccos(wanted))).max() < 12, (side, near)


def test_the_sides_of_a_two_sided_board_are_carried_back_to_back(tmp_path: Path) -> None:
    text = shipped_boards()["two_sided_a4"].read_text(encoding="utf-8")
    (tmp_path / "plate.yaml").write_text(text + "thickness_mm: 5.0\n")
    config = StudioConfig(board=str(tmp_path / "plate.yaml"), board_seconds=4.0)
    panels = carried_panels(load_board(config.board), studio_rig(config), config)
    (front_R, front_t), (back_R, back_t) = (panel.pose(np.array([0.5, 3.0])) for panel in panels)
    into = front_R[:, :, 2]
    np.testing.assert_allclose(back_R[:, :, 2], -into, atol=1e-12)
    np.testing.assert_allclose(np.einsum("ni,ni->n", back_t - front_t, into), 0.005, atol=1e-12)
    middle = np.array([*panels[0].size, 0.0]) / 2
    apart = (back_t + back_R @ middle) - (front_t + front_R @ middle)
    np.testing.assert_allclose(apart, 0.005 * into, atol=1e-9)


def test_boards_whose_places_must_be_found_are_not_drawn() -> None:
    config = StudioConfig(board="two_sided_a4")
    with pytest.raises(ConfigError, match="thickness_mm"):
        carried_panels(load_board(config.board), studio_rig(config), config)
