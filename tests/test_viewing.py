"""`mv3d view` on sessions that are whole, lack something, or are damaged."""

import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

from mv3d.cli import main
from mv3d.data.poses import Poses3D
from mv3d.data.rig import Rig
from mv3d.data.skeletons import COCO_18
from mv3d.errors import Mv3dError
from mv3d.files.video import VideoWriter, probe_video, read_frames
from mv3d.synthetic.observations import observe
from mv3d.synthetic.performer import walking_person
from mv3d.synthetic.rigs import camera_ring
from mv3d.viewing import open_viewing, save_overlays

_FRAMES, _FPS, _SIZE = 6, 25.0, (160, 240)


def _reconstruction(xyz: np.ndarray, times: np.ndarray, cameras: tuple[str, ...]) -> Poses3D:
    shape = xyz.shape[:3]
    there = np.isfinite(xyz).all(-1)
    return Poses3D(
        COCO_18,
        xyz,
        np.where(there, 0.8, 0),
        np.where(there, 1.0, np.nan),
        np.where(there, 4, 0),
        np.where(there[..., None, None], 1e-4 * np.eye(3), np.full((*shape, 3, 3), np.nan)),
        there,
        xyz,
        times,
        cameras,
    )


@pytest.fixture
def session(tmp_path: Path) -> Path:
    """Four grey videos, keypoints and the skeleton of a walker."""
    root = tmp_path / "walk"
    rig = camera_ring(4, size=_SIZE, focal=200.0, seed=5)
    xyz, times = walking_person(_FRAMES, fps=_FPS, skeleton=COCO_18, seed=1)
    rig.save(root / "cameras.yaml")
    _reconstruction(xyz[:, None], times, rig.names).save(root / "pose3d.npz")
    for name, poses in observe(rig, xyz, times, COCO_18, noise_px=0.5, missing=0.0, outliers=0.0, seed=1).items():
        poses.save(root / "pose2d" / f"{name}.npz")
        with VideoWriter(root / "videos" / f"{name}.mp4", _FPS) as writer:
            for _ in range(_FRAMES):
                writer.write(np.full((_SIZE[1], _SIZE[0], 3), 100, np.uint8))
    return root


def _told(capsys: pytest.CaptureFixture[str], *arguments: object) -> str:
    """The one line of a command that must fail."""
    capsys.readouterr()
    with pytest.raises(SystemExit) as exit:
        main([str(a) for a in arguments])
    assert exit.value.code == 1
    (line,) = capsys.readouterr().err.splitlines()
    return line


def test_everything_there_is_gathered(session: Path) -> None:
    viewing = open_viewing(session, session / "pose3d.npz")
    shown = viewing.content
    assert viewing.notes == ()
    assert shown.images is not None
    assert shown.images.names == shown.rig.names
    assert set(shown.poses2d) == set(shown.rig.names)
    assert shown.ghost is not None
    assert shown.ghost_frames.tolist() == list(range(_FRAMES))


def test_a_missing_video_is_told_and_the_others_are_shown(session: Path) -> None:
    (session / "videos" / "cam02.mp4").unlink()
    viewing = open_viewing(session)
    assert viewing.content.images is not None
    assert viewing.content.images.names == ("cam01", "cam03", "cam04")
    (note,) = viewing.notes
    assert "cam02 has no images" in note


def test_damaged_videos_and_keypoints_are_told(session: Path) -> None:
    (session / "videos" / "cam01.mp4").write_bytes(b"not a video")
    (session / "pose2d" / "cam03.npz").write_bytes(b"not keypoints")
    with VideoWriter(session / "videos" / "cam04.mp4", _FPS) as writer:
        writer.write(np.zeros((160, 240, 3), np.uint8))  # lies on its side
    viewing = open_viewing(session)
    assert viewing.content.images is not None
    assert viewing.content.images.names == ("cam02", "cam03")
    assert viewing.content.poses2d == {}
    assert len(viewing.notes) == 3
    assert all("\n" not in note for note in viewing.notes)


def test_without_any_videos(session: Path) -> None:
    for path in (session / "videos").iterdir():
        path.unlink()
    viewing = open_viewing(session)
    assert viewing.content.images is None
    with pytest.raises(Mv3dError, match="no videos to draw on"):
        save_overlays(viewing, session / "overlays")


def test_the_rig_fits_videos_of_another_size(session: Path) -> None:
    Rig(tuple(c.resized((320, 480)) for c in Rig.load(session / "cameras.yaml"))).save(session / "cameras.yaml")
    assert open_viewing(session).content.rig[0].size == _SIZE


def _without_results(root: Path) -> None:
    (root / "pose3d.npz").unlink()


def _without_rig(root: Path) -> None:
    (root / "cameras.yaml").unlink()


def _empty(root: Path) -> None:
    poses = Poses3D.load(root / "pose3d.npz")
    _reconstruction(poses.xyz[:0], poses.timestamps[:0], poses.cameras).save(root / "pose3d.npz")


def _nobody(root: Path) -> None:
    poses = Poses3D.load(root / "pose3d.npz")
    _reconstruction(poses.xyz * np.nan, poses.timestamps, poses.cameras).save(root / "pose3d.npz")


def _no_person(root: Path) -> None:
    poses = Poses3D.load(root / "pose3d.npz")
    _reconstruction(poses.xyz[:, :0], poses.timestamps, poses.cameras).save(root / "pose3d.npz")


def _damaged(root: Path) -> None:
    (root / "pose3d.npz").write_bytes(b"PK")


@pytest.mark.parametrize(
    ("harm", "line"),
    [
        (_without_results, "no reconstruction yet; run `mv3d run"),
        (_without_rig, "cameras.yaml: no such file"),
        (_empty, "no frames, so there is nothing to show"),
        (_nobody, "nobody in any frame, so there is nothing to show"),
        (_no_person, "nobody in any frame, so there is nothing to show"),
        (_damaged, "cannot read this npz file"),
    ],
)
def test_what_cannot_be_shown_is_one_line(session: Path, harm, line: str, capsys, tmp_path: Path) -> None:
    harm(session)
    assert line in _told(capsys, "view", session, "--picture", tmp_path / "p.png")
    assert not (tmp_path / "p.png").exists()


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (("--camera", "cam9"), "no camera 'cam9' in the rig; there are cam01, cam02, cam03, cam04"),
        (("--frame", "6"), "--frame is 6; the reconstruction has frames 0 to 5"),
        (("--frame", "-7"), "--frame is -7"),
        (("--trails", "-1"), "--trails is -1.0; 0 or more is wanted"),
        (("--ellipsoids", "nan"), "--ellipsoids is nan"),
        (("--size", "4", "4"), "--size is 4 4; 16 to 8192 px are wanted"),
        (("--ghost", "nowhere.npz"), "nowhere.npz: cannot read this npz file"),
    ],
)
def test_wrong_flags_are_one_line(session: Path, arguments, line: str, capsys, tmp_path: Path) -> None:
    assert line in _told(capsys, "view", session, "--picture", tmp_path / "p.png", *arguments)


def test_nothing_is_replaced_unasked(session: Path, capsys, tmp_path: Path) -> None:
    (tmp_path / "p.png").write_text("mine")
    assert "p.png: already there; pass --overwrite" in _told(capsys, "view", session, "--picture", tmp_path / "p.png")
    (tmp_path / "o").mkdir()
    (tmp_path / "o" / "cam03.mp4").write_text("mine")
    assert "cam03.mp4: already there" in _told(capsys, "view", session, "--overlay", tmp_path / "o", "--quiet")
    assert [p.name for p in (tmp_path / "o").iterdir()] == ["cam03.mp4"]


def test_one_overlay_a_camera(session: Path, tmp_path: Path, capsys) -> None:
    poses = Poses3D.load(session / "pose3d.npz")
    rig = Rig.load(session / "cameras.yaml")
    main(["view", str(session), "--overlay", str(tmp_path / "o"), "--quiet"])
    assert capsys.readouterr().out == ""
    for camera in rig:
        path = tmp_path / "o" / f"{camera.name}.mp4"
        info = probe_video(path)
        assert (info.size, info.frame_count) == (_SIZE, _FRAMES)
        assert info.fps == pytest.approx(_FPS)
        (_, image) = list(read_frames(path))[3]
        for side, channel in (("L", 0), ("R", 2)):  # BGR: blue and orange where knees and hips are
            at = camera.project(poses.xyz[3, 0, list(COCO_18.indices((f"{side}Knee", f"{side}Ankle")))].mean(0))
            x, y = np.rint(at).astype(int)
            around = image[y - 2 : y + 3, x - 2 : x + 3].reshape(-1, 3).astype(int)
            assert (around[:, channel] - around[:, 2 - channel]).max() > 30


def test_a_late_camera_is_drawn_with_its_own_frames(session: Path, tmp_path: Path) -> None:
    poses = Poses3D.load(session / "pose3d.npz")
    late = replace(poses, time_offsets=np.array([0.0, 2 / _FPS, 0.0, 0.0]))
    late.save(session / "pose3d.npz")
    shown = open_viewing(session).content
    there = [np.isfinite(shown.poses2d["cam02"].xy[f]).any() for f in range(_FRAMES)]
    assert there == [False, False, True, True, True, True]


def test_one_frame(session: Path, tmp_path: Path) -> None:
    poses = Poses3D.load(session / "pose3d.npz")
    _reconstruction(poses.xyz[:1], poses.timestamps[:1], poses.cameras).save(session / "pose3d.npz")
    main(["view", str(session), "--overlay", str(tmp_path / "o"), "--quiet"])
    assert probe_video(tmp_path / "o" / "cam01.mp4").frame_count == 1


def test_pictures_from_the_command_line(session: Path, tmp_path: Path) -> None:
    out = tmp_path / "p.png"
    command = [sys.executable, "-m", "mv3d.cli", "view", str(session), "--picture", str(out), "--frame", "-1"]
    command += ["--size", "320", "180", "--camera", "cam02", "--trails", "0.1", "--ellipsoids", "1"]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    done = subprocess.run(command, capture_output=True, text=True, env=environment, timeout=120)
    if done.returncode == 1 and "Open3D cannot" in done.stderr:
        pytest.skip(done.stderr.strip())
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == [str(out)]
    picture = cv2.imread(str(out))
    assert picture.shape == (180, 320, 3)
    # Through the portrait camera: its grey video in the middle, nothing at the sides.
    assert np.abs(np.median(picture[60:120, 150:170].reshape(-1, 3), axis=0) - 100).max() < 6


def test_figures_of_the_report_as_files(session: Path, tmp_path: Path, capsys, monkeypatch: pytest.MonkeyPatch) -> None:
    # What the files hold is tested with the figures; drawing all of them twice takes half a minute.
    monkeypatch.setattr("mv3d.viz.plots.to_bytes", lambda _, kind: kind.encode())
    assert "plot format 'gif' is unknown" in _told(
        capsys, "report", session, "--plots", tmp_path / "plots", "--plot-format", "gif"
    )
    main(["report", str(session), "--plots", str(tmp_path / "plots"), "--plot-format", "png", "svg"])
    said = capsys.readouterr().out.splitlines()
    assert said[0] == str(session / "report.html")
    names = {Path(line).name for line in said[1:]}
    assert {"trajectories.png", "speed.svg", "bones.png", "reprojection.svg", "coverage.png"} <= names
    assert Path(said[2]).read_bytes() == Path(said[2]).suffix[1:].encode()
    assert "already there" in _told(capsys, "report", session, "--plots", tmp_path / "plots")


def test_a_bvh_file_is_a_ghost(session: Path, tmp_path: Path) -> None:
    poses = Poses3D.load(session / "pose3d.npz")
    replace(poses, timestamps=poses.timestamps + 7.0).save(session / "pose3d.npz")
    lines = ["HIERARCHY", "ROOT Hips", "{", "OFFSET 0 0 0"]
    lines += ["CHANNELS 6 Xposition Yposition Zposition Zrotation Xrotation Yrotation"]
    lines += ["JOINT Chest", "{", "OFFSET 0 40 0", "CHANNELS 3 Zrotation Xrotation Yrotation"]
    lines += ["End Site", "{", "OFFSET 0 20 0", "}", "}", "}", "MOTION", "Frames: 3", "Frame Time: 0.04"]
    lines += [f"{10 * frame} 90 0 0 0 0 0 0 0" for frame in range(3)]
    (tmp_path / "other.bvh").write_text("\n".join(lines) + "\n")
    shown = open_viewing(session, tmp_path / "other.bvh").content
    assert shown.ghost is not None
    # 90 cm up in the file's y are 0.9 m in the world's z; there are three frames from the first on.
    np.testing.assert_allclose(shown.ghost.xyz[1, 0, :, 2], [0.9, 1.3], atol=1e-9)
    assert shown.ghost_frames.tolist() == [0, 1, 2, -1, -1, -1]
