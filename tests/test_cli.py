"""The command line: what a user types, what they are told when something is wrong, and that nothing of theirs is lost.

A handful of commands run as processes of their own; the others call `main`, to spare the seconds of each start.
"""

import dataclasses
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
import yaml

from mv3d.cli import main
from mv3d.data.poses import Poses2D, Poses3D
from mv3d.data.rig import Rig
from mv3d.errors import VideoError
from mv3d.files.video import VideoWriter, probe_video, read_frames
from mv3d.synthetic.performer import walking_person
from mv3d.synthetic.rigs import camera_ring

SIZE = (160, 120)
FRAMES = 8
# One thread: several of these processes may run beside other work.
_ENVIRONMENT = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONIOENCODING": "utf-8"}


def _process(*arguments: object, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "mv3d.cli", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, env=_ENVIRONMENT, cwd=cwd, timeout=300)


Tell = Callable[..., str]


@pytest.fixture
def tell(capsys: pytest.CaptureFixture[str]) -> Tell:
    """Runs a command that must fail with exit code 1 and one line; returns the line."""

    def run(*arguments: object) -> str:
        capsys.readouterr()
        with pytest.raises(SystemExit) as exit:
            main([str(a) for a in arguments])
        line = _only_line(capsys.readouterr().err)
        assert exit.value.code == 1
        return line

    return run


def _only_line(stderr: str) -> str:
    lines = stderr.splitlines()
    assert len(lines) == 1, stderr
    assert lines[0].startswith("mv3d: error: ")
    assert "Traceback" not in lines[0]
    return lines[0]


@pytest.fixture(scope="module")
def rig() -> Rig:
    return camera_ring(4, size=SIZE, focal=95.0, seed=5)


@pytest.fixture(scope="module")
def filmed(tmp_path_factory: pytest.TempPathFactory, rig: Rig) -> Path:
    """A session of four videos of noise, with the results of a run before."""
    root = tmp_path_factory.mktemp("filmed") / "walk"
    rng = np.random.default_rng(0)
    for name in rig.names:
        _film(root / "videos" / f"{name}.mp4", rng.integers(60, 200, (FRAMES, SIZE[1], SIZE[0], 3), dtype=np.uint8))
    rig.save(root / "cameras.yaml")
    for name in ("pose3d.npz", "pose2d/cam01.npz", "export/walk.csv", "overlay.mp4", "report.html", "session.yaml"):
        path = root / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(f"earlier {name}")
    return root


def _film(path: Path, images: np.ndarray, fps: float = 25.0) -> None:
    with VideoWriter(path, fps) as writer:
        for image in images:
            writer.write(np.ascontiguousarray(image))


@pytest.fixture
def session(tmp_path: Path, filmed: Path) -> Path:
    return Path(shutil.copytree(filmed, tmp_path / "walk"))


def _contents(root: Path) -> dict[str, bytes]:
    return {path.relative_to(root).as_posix(): path.read_bytes() for path in root.rglob("*") if path.is_file()}


# ---------------------------------------------------------------------------------------------------- help and usage


COMMANDS = (
    *("demo", "run", "pose2d", "reconstruct", "view", "export", "report"),
    *("rig", "rig convert", "models", "models list", "models add", "images", "eval", "eval coco", "version"),
)


@pytest.mark.parametrize("command", COMMANDS)
def test_help(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as exit:
        main([*command.split(), "--help"])
    assert exit.value.code == 0
    assert f"usage: mv3d {command.split()[0]}" in capsys.readouterr().out


def test_help_lists_every_command() -> None:
    done = _process("--help")
    assert done.returncode == 0
    assert done.stderr == ""
    for command in COMMANDS:
        assert command.split()[0] in done.stdout


@pytest.mark.parametrize(
    "arguments",
    [["nonsense"], [], ["run"], ["run", "a", "--mode", "best"], ["rig"], ["rig", "invert"], ["view", "a", "b"]],
)
def test_wrong_usage(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as exit:
        main(arguments)
    assert exit.value.code == 2
    captured = capsys.readouterr()
    assert "Traceback" not in captured.out + captured.err


def test_wrong_usage_as_a_process() -> None:
    done = _process("run", "walk", "--nonsense")
    assert done.returncode == 2
    assert "--nonsense" in done.stdout + done.stderr


def test_the_installed_command(repository: Path) -> None:
    script = Path(sys.executable).with_name("mv3d")
    if not script.exists():
        pytest.skip("mv3d is not installed beside this Python")
    done = subprocess.run([script, "version"], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0
    assert re.fullmatch(r"\d+\.\d+\.\d+\n", done.stdout)


def test_models_list(capsys: pytest.CaptureFixture[str]) -> None:
    main(["models", "list"])
    assert re.search(r"mobilenet_thin +COCO_18 +ships +Apache-2.0", capsys.readouterr().out)


@pytest.mark.skipif(os.name != "posix", reason="pipes break differently elsewhere")
@pytest.mark.parametrize("arguments", [["version"], ["--help"]])
def test_a_reader_that_leaves(arguments: list[str]) -> None:
    """As `mv3d ... | head` does: no complaint, and the exit code of a program ended by SIGPIPE."""
    read_end, write_end = os.pipe()
    os.close(read_end)
    command = [sys.executable, "-m", "mv3d.cli", *arguments]
    done = subprocess.run(command, stdout=write_end, stderr=subprocess.PIPE, text=True, env=_ENVIRONMENT, timeout=60)
    os.close(write_end)
    assert done.stderr == ""
    assert done.returncode == 141


# ------------------------------------------------------------------------------------------------- the synthetic demo


@pytest.fixture(scope="module")
def synthetic(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """The session that the synthetic demo makes, and what it says."""
    folder = tmp_path_factory.mktemp("demo")
    (folder / "plain.yaml").write_text("output: {scene: false}")
    done = _process("demo", "--synthetic", "--from-keypoints", "--out", "made", "--config", "plain.yaml", cwd=folder)
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    return folder / "made", done.stdout


def test_synthetic_demo(synthetic: tuple[Path, str]) -> None:
    root, said = synthetic
    smoothed = re.search(r"smoothed: mean ([\d.]+) mm, 99 % below ([\d.]+) mm, ([\d.]+)% of the joints", said)
    single = re.search(r"per frame: mean ([\d.]+) mm, 99 % below ([\d.]+) mm, ([\d.]+)% of the joints", said)
    assert smoothed
    assert single
    # The goals of the first release: 4.85 mm smoothed; per frame 11.5 mm at 98 %, to within what the draw of noise
    # moves the mean by, since this is another scene than the one that they were set on.
    assert float(smoothed[1]) < 4.85
    assert float(single[1]) < 1.1 * 11.5
    assert float(single[3]) >= 98
    ellipsoid = re.search(r"truth inside the 95 % ellipsoid: ([\d.]+)%", said)
    assert ellipsoid
    # 95 % with the true cameras (tests of reconstruct); the calibrated ones are off by millimetres, which the
    # covariance of the points does not hold.
    assert 80 < float(ellipsoid[1]) <= 100
    calibrated = re.search(
        r"focal length ([\d.]+)%, distance of two cameras ([\d.]+) mm of .* offset ([\d.]+) ms", said
    )
    assert calibrated
    # Standard deviations at the optimum are 0.1 %, 5 mm and 0.1 ms; four of them, and the time model's own error.
    assert float(calibrated[1]) < 0.5
    assert float(calibrated[2]) < 25
    assert float(calibrated[3]) < 1
    assert (root / "calibration" / "report.html").stat().st_size > 0
    for name in ("cameras.yaml", "pose3d.npz", "report.html", "session.yaml", "export/synthetic.csv"):
        assert (root / name).stat().st_size > 0
        assert name == "cameras.yaml" or name == "session.yaml" or name in said
    assert len(list((root / "export/openpose/cam02").iterdir())) == len(Poses3D.load(root / "pose3d.npz")) == 300
    assert not list(root.rglob("*.part"))


def test_synthetic_demo_again(synthetic: tuple[Path, str], tell: Tell) -> None:
    """Into its own folder as often as one likes, into somebody else's never."""
    root, _ = synthetic
    before, first = _contents(root), Poses3D.load(root / "pose3d.npz").xyz
    done = _process(
        "demo", "--synthetic", "--from-keypoints", "--out", root, "--config", root.parent / "plain.yaml", "--quiet"
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert _contents(root).keys() == before.keys()
    again = Poses3D.load(root / "pose3d.npz").xyz
    # The same every time but for rounding: a process that compiles its kernels is not one that finds them compiled.
    np.testing.assert_allclose(again, first, rtol=0, atol=1e-6)
    line = tell("demo", "--out", root)
    assert "choose another folder with --out" in line


def test_synthetic_demo_into_a_foreign_folder(tmp_path: Path, tell: Tell) -> None:
    (tmp_path / "thesis.txt").write_text("all of it")
    line = tell("demo", "--synthetic", "--from-keypoints", "--out", tmp_path)
    assert str(tmp_path) in line
    assert "choose another folder with --out" in line
    assert _contents(tmp_path) == {"thesis.txt": b"all of it"}


# ---------------------------------------------------------------------------------- keypoints and rigs from elsewhere

CUT = 40


@pytest.fixture(scope="module")
def cut(synthetic: tuple[Path, str], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The first frames of the demo's session, for what need not wait for all of them."""
    root, made = tmp_path_factory.mktemp("cut") / "walk", synthetic[0]
    root.mkdir()
    shutil.copy(made / "cameras.yaml", root)
    for name in Rig.load(made / "cameras.yaml").names:
        poses = Poses2D.load(made / "pose2d" / f"{name}.npz")
        cut_poses = Poses2D(poses.skeleton, poses.xy[:CUT], poses.score[:CUT], poses.timestamps[:CUT])
        cut_poses.save(root / "pose2d" / f"{name}.npz")
        (root / "json" / name).mkdir(parents=True)
        for path in sorted((made / "export/openpose" / name).iterdir())[:CUT]:
            shutil.copy(path, root / "json" / name)
    poses3d = Poses3D.load(made / "pose3d.npz")
    whole = ("skeleton", "cameras", "person_id", "time_offsets")
    over_time = [f.name for f in dataclasses.fields(poses3d) if f.name not in whole]
    dataclasses.replace(poses3d, **{name: getattr(poses3d, name)[:CUT] for name in over_time}).save(root / "pose3d.npz")
    return root


def test_reconstruct_from_files(cut: Path, tmp_path: Path) -> None:
    common = "reconstruct", "--rig", cut / "cameras.yaml", "--fps", 60
    own, theirs = tmp_path / "a/own.npz", tmp_path / "theirs.npz"
    done = _process(*common, "--keypoints", cut / "pose2d", "--out", own)
    assert done.returncode == 0, done.stderr
    assert str(own) in done.stdout
    main([str(a) for a in (*common, "--keypoints", cut / "json", "--out", theirs, "--quiet")])
    own_poses, their_poses, demo = (Poses3D.load(p) for p in (own, theirs, cut / "pose3d.npz"))
    assert len(own_poses) == CUT
    # OpenPose's files hold the performer alone, to 1e-4 px, and frame times only to the rate that was given.
    assert np.nanmax(np.linalg.norm(their_poses.xyz - own_poses.xyz, axis=-1)) < 1e-3
    np.testing.assert_allclose(their_poses.timestamps, demo.timestamps, atol=1e-9)
    # The smoother of the demo saw what comes later: the ends differ by about the error itself, 3 to 8 mm.
    assert np.nanmedian(np.linalg.norm(own_poses.xyz - demo.xyz, axis=-1)) < 5e-3


def test_reconstruct_a_session_again(cut: Path, tmp_path: Path, tell: Tell) -> None:
    root = shutil.copytree(cut, tmp_path / "copy")
    line = tell("reconstruct", root)
    assert "pose3d.npz: already there; pass --overwrite" in line
    main(["reconstruct", str(root), "--overwrite", "--mode", "frame", "--quiet"])
    poses = Poses3D.load(root / "pose3d.npz")
    np.testing.assert_array_equal(poses.xyz, poses.xyz_per_frame)


def test_corrections(cut: Path, tmp_path: Path, tell: Tell, capsys: pytest.CaptureFixture[str]) -> None:
    file, out = tmp_path / "by_hand.yaml", tmp_path / "out.npz"
    files = "--rig", cut / "cameras.yaml", "--keypoints", cut / "pose2d", "--out", out
    file.write_text("- {frames: [3, 9], camera: cam99, ignore: true}")
    for command in (("reconstruct", *files), ("reconstruct", cut, "--overwrite")):
        line = tell(*command, "--corrections", file)
        assert f"{file}: entry 1: unknown camera 'cam99'; " in line
    assert not out.exists()
    name = Rig.load(cut / "cameras.yaml").names[0]
    file.write_text(f"- {{frames: [3, 9], camera: {name}, ignore: true}}")
    main([str(a) for a in ("reconstruct", *files, "--corrections", file)])
    assert f"note: 1 correction by hand applied ({name})" in capsys.readouterr().out
    views = Poses3D.load(out).n_views.max(axis=(1, 2))
    assert views[3:10].max() < views[10:].max()


def test_bad_corrections_of_a_run(session: Path, tell: Tell) -> None:
    before = _contents(session)
    assert "nothing.yaml: cannot read these corrections" in tell(
        "run", session, "--overwrite", "--corrections", session / "nothing.yaml"
    )
    assert _contents(session) == before


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["reconstruct"], "give a session folder, or all of --rig, --keypoints and --out"),
        (["reconstruct", "--rig", "r.yaml", "--out", "o.npz"], "--keypoints"),
        (["reconstruct", "s", "--rig", "r.yaml"], "either a session or"),
        (["reconstruct", "--rig", "r.yaml", "--keypoints", "k", "--out", "o.npz", "--fps", "0"], "--fps is 0"),
        (["reconstruct", "--rig", "r.yaml", "--keypoints", "k", "--out", "o.npz", "--fps", "inf"], "--fps is inf"),
        (["reconstruct", "--rig", "r.yaml", "--keypoints", "k", "--out", "o.npz", "--skeleton", "X"], "BODY_25B"),
        (["reconstruct", "--rig", "none.yaml", "--keypoints", "k", "--out", "o.npz"], "none.yaml"),
        (["run", "nowhere"], "nowhere: no such session folder"),
        (["pose2d", "nowhere"], "nowhere: no such session folder"),
        (["view", "nowhere"], "run `mv3d run nowhere` first"),
        (["export", "nowhere"], "run `mv3d run nowhere` first"),
        (["report", "nowhere"], "run `mv3d run nowhere` first"),
        (["demo", "--synthetic", "--config", "none.yaml"], "none.yaml"),
    ],
)
def test_arguments_that_cannot_be(
    arguments: list[str], said: str, tell: Tell, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert said in tell(*arguments)
    assert list(tmp_path.iterdir()) == []


def test_rig_convert_both_ways(tmp_path: Path, rig: Rig, tell: Tell, capsys: pytest.CaptureFixture[str]) -> None:
    rig.save(tmp_path / "cameras.yaml")
    main(["rig", "convert", str(tmp_path / "cameras.yaml"), str(tmp_path / "rig.toml")])
    assert "rig.toml: 4 cameras (cam01, cam02, cam03, cam04)" in capsys.readouterr().out
    done = _process("rig", "convert", "rig.toml", "back.yaml", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    back = Rig.load(tmp_path / "back.yaml")
    for a, b in zip(rig, back, strict=True):
        assert (a.name, a.size) == (b.name, b.size)
        np.testing.assert_allclose(b.R, a.R, atol=1e-9)
        np.testing.assert_allclose(b.t, a.t, atol=1e-9)
        np.testing.assert_allclose(b.lens.K, a.lens.K, atol=1e-9)
    before = _contents(tmp_path)
    assert "back.yaml: already there; pass --overwrite" in tell(
        "rig", "convert", tmp_path / "rig.toml", tmp_path / "back.yaml"
    )
    assert "does not tell the format" in tell("rig", "convert", tmp_path / "rig.toml", tmp_path / "rig.doc")
    assert "units 'yard' are unknown" in tell(
        *("rig", "convert", tmp_path / "rig.toml", tmp_path / "new.yaml", "--units", "yard")
    )
    assert "missing.toml" in tell("rig", "convert", tmp_path / "missing.toml", tmp_path / "new.yaml")
    assert _contents(tmp_path) == before
    main(["rig", "convert", str(tmp_path / "rig.toml"), str(tmp_path / "back.yaml"), "--units", "mm", "--overwrite"])
    np.testing.assert_allclose(Rig.load(tmp_path / "back.yaml")[0].t, rig[0].t / 1000, atol=1e-9)


def test_export_and_report(cut: Path, tmp_path: Path, tell: Tell, capsys: pytest.CaptureFixture[str]) -> None:
    root = shutil.copytree(cut, tmp_path / "copy")
    main(["export", str(root), "--format", "json", "npz", "--out", str(tmp_path / "out")])
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["copy.json", "copy.npz"]
    assert "copy.json: already there; pass --overwrite" in tell(
        "export", root, "--format", "json", "--out", tmp_path / "out"
    )
    capsys.readouterr()
    options = ["--axes", "y_up", "--units", "cm", "--fps", "20", "--check", "--out", str(tmp_path / "checked")]
    main(["export", str(root), "--format", "c3d", "trc", *options])
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 2
    assert all(
        re.search(r"copy\.\w+: read back, \d+ frames x \d+ points, \d+ gaps as they should be", line) for line in lines
    )
    assert "fps is 0" in tell("export", root, "--fps", "0", "--out", tmp_path / "new")
    assert "npz files are always in units m" in tell("export", root, "--format", "npz", "--units", "mm")
    assert not (tmp_path / "new").exists()
    assert "'jsom' is unknown" in (line := tell("export", root, "--format", "jsom"))
    assert "did you mean json?" in line
    main(["report", str(root), "--quiet"])
    assert "cam04" in (root / "report.html").read_text(encoding="utf-8")


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="elsewhere there is always a display")
def test_view_without_a_display(cut: Path, tell: Tell, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("DISPLAY", raising=False)
    monkeypatch.delenv("WAYLAND_DISPLAY", raising=False)
    assert "no display to open a window on; play the session's scene.mp4 instead" in tell("view", cut)


def test_view_into_a_video(cut: Path, tmp_path: Path) -> None:
    video = tmp_path / "turn.mp4"
    done = _process("view", cut, "--video", video, "--quiet")
    if done.returncode == 1 and "Open3D cannot" in done.stderr:
        pytest.skip(_only_line(done.stderr))
    assert done.returncode == 0, done.stderr
    assert (done.stdout, done.stderr) == ("", "")
    assert probe_video(video).frame_count == CUT


# ----------------------------------------------------------------------------------------------------------- bad input


def _missing_video(session: Path) -> None:
    (session / "videos/cam02.mp4").unlink()


def _no_videos(session: Path) -> None:
    shutil.rmtree(session / "videos")


def _cut(share: float) -> Callable[[Path], None]:
    def cut(session: Path) -> None:
        path = session / "videos/cam03.mp4"
        path.write_bytes(path.read_bytes()[: round(share * path.stat().st_size)])

    return cut


def _shorter(session: Path) -> None:
    _film(session / "videos/cam02.mp4", np.full((FRAMES - 3, SIZE[1], SIZE[0], 3), 99, np.uint8))


def _other_shape(session: Path) -> None:
    _film(session / "videos/cam02.mp4", np.full((FRAMES, 200, 200, 3), 99, np.uint8))


def _extra_video(session: Path) -> None:
    shutil.copy(session / "videos/cam01.mp4", session / "videos/garden.mp4")


def _smaller_rig(session: Path) -> None:
    rig = Rig.load(session / "cameras.yaml")
    Rig(rig.cameras[:3]).save(session / "cameras.yaml")


def _edited(edit: Callable[[dict], None]) -> Callable[[Path], None]:
    def change(session: Path) -> None:
        document = yaml.safe_load((session / "cameras.yaml").read_text())
        edit(document["cameras"][1])
        (session / "cameras.yaml").write_text(yaml.safe_dump(document))

    return change


def _written(text: str) -> Callable[[Path], None]:
    return lambda session: (session / "cameras.yaml").write_text(text) and None


def _no_rig(session: Path) -> None:
    (session / "cameras.yaml").unlink()


BAD_SESSIONS = {
    "missing video": (_missing_video, "no video for camera cam02 of the rig", "rename or remove"),
    "no videos": (_no_videos, "walk/videos: no such folder", "put one video per camera into it"),
    "truncated video": (_cut(0.6), "videos/cam03.mp4: cut short", "copy it again"),
    "video of a few bytes": (_cut(0.02), "videos/cam03.mp4: (the video has no frames|cut short)", "copy it again"),
    "empty video": (_cut(0.0), "videos/cam03.mp4", "copy it again"),
    "unequal length": (_shorter, "videos/cam02.mp4: 5 frames", "cam01.mp4 has 8.*--common-time"),
    "unequal shape": (_other_shape, "videos/cam02.mp4: the video is 200x200", "record and calibrate with the same"),
    "a video without a camera": (_extra_video, "no camera in the rig for video garden", "rename or remove"),
    "a camera missing in the rig": (_smaller_rig, "no camera in the rig for video cam04", "rename or remove"),
    "no rig": (_no_rig, "cameras.yaml: no such file", "mv3d rig convert"),
    "rotation not orthogonal": (
        _edited(lambda camera: camera["R"][0].__setitem__(0, camera["R"][0][0] + 0.1)),
        "cameras.yaml: R of camera cam02 is not a rotation",
        "orthonormal",
    ),
    "mirrored rotation": (
        _edited(lambda camera: camera.__setitem__("R", [[-x for x in row] for row in camera["R"]])),
        "cameras.yaml: R of camera cam02 is not a rotation",
        "determinant",
    ),
    "NaN in the rig": (
        _edited(lambda camera: camera["t"].__setitem__(1, float("nan"))),
        "cameras.yaml: t of camera cam02",
        "not finite",
    ),
    "not YAML": (_written("cameras: [{name: cam01"), "cameras.yaml: cannot read this rig", "expected"),
    "not a rig": (_written("hello: world"), "cameras.yaml: not a cameras.yaml", "mv3d rig convert"),
    "an empty rig": (_written(""), "cameras.yaml: not a cameras.yaml", "mv3d rig convert"),
}


@pytest.mark.parametrize("what", BAD_SESSIONS)
def test_bad_sessions(what: str, session: Path, tell: Tell) -> None:
    spoil, where, advice = BAD_SESSIONS[what]
    spoil(session)
    before = _contents(session)
    line = tell("run", session, "--overwrite")
    assert re.search(where, line)
    assert re.search(advice, line)
    assert _contents(session) == before


@pytest.mark.parametrize("what", ["truncated video", "rotation not orthogonal"])
def test_bad_sessions_as_a_process(what: str, session: Path) -> None:
    spoil, where, _ = BAD_SESSIONS[what]
    spoil(session)
    before = _contents(session)
    done = _process("run", session.name, "--overwrite", cwd=session.parent)
    assert done.returncode == 1
    assert done.stdout == ""
    assert re.search(where, _only_line(done.stderr))
    assert _contents(session) == before


def test_a_session_with_results_is_not_overwritten(session: Path, tell: Tell) -> None:
    before = _contents(session)
    assert "walk/pose3d.npz: already there; pass --overwrite" in tell("run", session)
    assert "walk/pose2d: already there; pass --overwrite" in tell("pose2d", session)
    assert _contents(session) == before


@pytest.fixture
def empty_scene(session: Path) -> Path:
    """The session with two frames of a grey, slightly noisy wall in each video: little work for the real network."""
    rng = np.random.default_rng(1)
    for path in (session / "videos").iterdir():
        _film(path, rng.integers(120, 130, (2, SIZE[1], SIZE[0], 3), dtype=np.uint8))
    return session


def test_a_video_with_nobody_in_it(empty_scene: Path, tell: Tell) -> None:
    """The real network looks at an empty wall."""
    session = empty_scene
    before = _contents(session)
    line = tell("run", session, "--overwrite", "--quiet")
    assert "no person was found in any view; check the videos" in line
    assert _contents(session) == before


def test_one_video_with_nobody_in_it(
    tmp_path: Path, rig: Rig, staged_estimator, coded, tell: Tell, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Three cameras see the performer, the fourth looks the other way."""
    away = dataclasses.replace(rig[3], R=-rig[3].R * [[1], [-1], [1]], t=-rig[3].t * [1, -1, 1])
    turned = Rig((*rig.cameras[:3], away))
    for view, name in enumerate(rig.names):
        _film(tmp_path / f"s/videos/{name}.mp4", np.stack([coded(f, view, SIZE) for f in range(FRAMES)]))
    turned.save(tmp_path / "s/cameras.yaml")
    truth = walking_person(FRAMES, fps=25.0, skeleton=staged_estimator.skeleton)[0]
    staged = staged_estimator(turned, truth)
    monkeypatch.setattr("mv3d.detection.PoseEstimator", lambda *_, **__: staged)
    before = _contents(tmp_path)
    line = tell("run", tmp_path / "s", "--quiet")
    assert "camera cam04: the performer was found in no frame" in line
    assert "--allow-empty-views" in line
    assert _contents(tmp_path) == before


def test_an_error_under_way_gets_a_line_of_its_own(
    session: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """After a progress bar, which has no line break at its end until it is closed."""

    def breaks(*args, **kwargs) -> Iterator:
        for i, frame in enumerate(read_frames(*args, **kwargs)):
            if i == 2:
                raise VideoError(f"{args[0]}: damaged, frame 2 of 8 cannot be decoded; copy the file again")
            yield frame

    monkeypatch.setattr("mv3d.detection.read_frames", breaks)
    before = _contents(session)
    with pytest.raises(SystemExit) as exit:
        main(["pose2d", str(session), "--overwrite"])
    assert exit.value.code == 1
    lines = capsys.readouterr().err.split("\n")
    assert lines[-1] == ""
    assert lines[-2].startswith("mv3d: error: ")
    assert "2D pose, cam01" in lines[-3]
    assert _contents(session) == before


@pytest.fixture(scope="module")
def openpose(tmp_path_factory: pytest.TempPathFactory, rig: Rig) -> Path:
    """Rig and OpenPose JSON of three frames, and an earlier reconstruction."""
    root = tmp_path_factory.mktemp("openpose")
    rig.save(root / "rig.yaml")
    (root / "out.npz").write_text("earlier")
    for name in rig.names:
        (root / "json" / name).mkdir(parents=True)
        for frame in range(3):
            people = [{"pose_keypoints_2d": [50.0 + frame, 60.0, 0.9] * 25}]
            path = root / "json" / name / f"{name}_{frame:012d}_keypoints.json"
            path.write_text(json.dumps({"version": 1.3, "people": people}))
    return root


def _spoil_json(text: str | None) -> Callable[[Path], None]:
    def spoil(root: Path) -> None:
        path = root / "json/cam03/cam03_000000000001_keypoints.json"
        path.write_text(path.read_text()[:40] if text is None else text)

    return spoil


def _nobody_in_json(root: Path) -> None:
    for path in (root / "json").rglob("*.json"):
        path.write_text('{"version": 1.3, "people": []}')


def _no_json(root: Path) -> None:
    shutil.rmtree(root / "json/cam02")


def _no_frames(root: Path) -> None:
    for path in (root / "json/cam02").iterdir():
        path.unlink()


BAD_JSON = {
    "corrupt": (_spoil_json(None), r"cam03_000000000001_keypoints\.json"),
    "empty": (_spoil_json(""), r"cam03_000000000001_keypoints\.json"),
    "something else": (_spoil_json("[1, 2]"), r"cam03_000000000001_keypoints\.json"),
    "points of no skeleton": (
        _spoil_json('{"people": [{"pose_keypoints_2d": [1, 2, 0.5]}]}'),
        r"cam03",
    ),
    "nobody": (_nobody_in_json, "no (person|joint)|people|nobody"),
    "a camera without keypoints": (_no_json, "no keypoints for camera cam02"),
    "a camera without files": (_no_frames, "no keypoints for camera cam02"),
}


@pytest.mark.parametrize("what", BAD_JSON)
def test_bad_keypoints(what: str, openpose: Path, tmp_path: Path, tell: Tell) -> None:
    spoil, said = BAD_JSON[what]
    root = shutil.copytree(openpose, tmp_path / "copy")
    spoil(root)
    before = _contents(root)
    line = tell(
        *("reconstruct", "--rig", root / "rig.yaml", "--keypoints", root / "json", "--out", root / "out.npz"),
        "--overwrite",
    )
    assert re.search(said, line), line
    assert _contents(root) == before


def test_keypoints_npz_that_is_damaged(session: Path, tell: Tell) -> None:
    """The results of the run before are no npz at all."""
    before = _contents(session)
    assert "pose2d" in tell("reconstruct", session, "--overwrite")
    assert "pose3d.npz: cannot read this npz file" in tell("view", session)
    assert "pose3d.npz: cannot read this npz file" in tell("export", session, "--overwrite")
    assert _contents(session) == before


# ----------------------------------------------------------------------------------------- folders that take no results


@pytest.mark.skipif(not Path("/proc/self").exists(), reason="needs a folder that even root cannot write to")
def test_folders_that_cannot_be_written(cut: Path, tell: Tell) -> None:
    root = cut
    sources = "--rig", root / "cameras.yaml", "--keypoints", root / "pose2d"
    for arguments in (
        ("demo", "--synthetic", "--out", "/proc/mv3d"),
        ("reconstruct", *sources, "--out", "/proc/mv3d/pose3d.npz"),
        ("export", root, "--out", "/proc/mv3d"),
        ("rig", "convert", root / "cameras.yaml", "/proc/mv3d/rig.toml"),
    ):
        line = tell(*arguments)
        assert "/proc/mv3d" in line
        assert re.search(r"choose another folder|check the (folder|path)", line)


@pytest.mark.skipif(os.name != "posix" or os.geteuid() == 0, reason="root may write anywhere")
def test_a_session_without_permission(session: Path, tell: Tell) -> None:
    before = _contents(session)
    session.chmod(0o555)
    try:
        assert "no permission" in tell("run", session, "--overwrite")
        assert _contents(session) == before
    finally:
        session.chmod(0o755)


def test_a_file_in_the_way_of_a_folder(cut: Path, tmp_path: Path, tell: Tell) -> None:
    root = cut
    (tmp_path / "out").write_text("a file")
    assert f"{tmp_path / 'out'}" in tell("export", root, "--out", tmp_path / "out")
    keypoints = "--keypoints", root / "pose2d"
    line = tell("reconstruct", "--rig", root / "cameras.yaml", *keypoints, "--out", tmp_path / "out/pose3d.npz")
    assert "a file" in line
    assert f"{tmp_path / 'out'}" in tell("demo", "--synthetic", "--out", tmp_path / "out")
    assert _contents(tmp_path) == {"out": b"a file"}


@pytest.fixture
def small_disk(tmp_path: Path, filmed: Path) -> Iterator[Path]:
    """A disk of its own with the session on it and hardly any room beside."""
    disk = tmp_path / "disk"
    disk.mkdir()
    size = sum(path.stat().st_size + 4096 for path in filmed.rglob("*")) + 65536
    mount = shutil.which("mount")
    made = mount and subprocess.run([mount, "-t", "tmpfs", "-o", f"size={size}", "tmpfs", disk], capture_output=True)
    if not made or made.returncode:
        pytest.skip("a small disk cannot be mounted here")
    try:
        shutil.copytree(filmed, disk / "walk")
        free = os.statvfs(disk).f_bavail * os.statvfs(disk).f_frsize
        (disk / "filler").write_bytes(bytes(max(free - 16384, 0)))
        yield disk
    finally:
        subprocess.run(["umount", disk], check=True)


def test_a_full_disk(small_disk: Path, tell: Tell, cut: Path) -> None:
    before = _contents(small_disk)
    line = tell("run", small_disk / "walk", "--overwrite")
    assert f"{small_disk / 'walk'}: its disk has 0 MB free" in line
    assert "make room" in line
    sources = "--rig", cut / "cameras.yaml", "--keypoints", cut / "pose2d"
    for arguments in (
        ("pose2d", small_disk / "walk", "--overwrite"),
        ("demo", "--synthetic", "--out", small_disk / "new"),
        ("reconstruct", *sources, "--out", small_disk / "pose3d.npz"),
        ("export", cut, "--out", small_disk / "export"),
    ):
        assert "make room" in tell(*arguments)
    assert _contents(small_disk) == before


def test_a_disk_that_fills_up_under_way(
    small_disk: Path, tell: Tell, cut: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Past the check at the start: what is half written is removed, what was there stays."""
    for module in ("pipeline", "export.registry"):
        monkeypatch.setattr(f"mv3d.{module}.check_output_folder", lambda *_: None)
    (small_disk / "pose3d.npz").write_text("earlier")
    before = _contents(small_disk)
    sources = "--rig", cut / "cameras.yaml", "--keypoints", cut / "pose2d"
    for arguments in (
        ("reconstruct", *sources, "--out", small_disk / "pose3d.npz", "--overwrite"),
        ("export", cut, "--out", small_disk / "export", "--format", "json"),
        ("export", cut, "--out", small_disk / "export", "--format", "openpose"),
    ):
        line = tell(*arguments)
        assert str(small_disk) in line
        assert "the disk is full" in line
        assert _contents(small_disk) == before


# ---------------------------------------------------------------------------------------------------------- settings


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("guidance: {crop_pix: 352}", r"unknown setting 'guidance\.crop_pix'; did you mean 'crop_px'"),
        ("guidence: {}", "unknown setting 'guidence'; did you mean 'guidance'"),
        ("reconstruct: {association: {hold: 1}}", r"'reconstruct\.association\.hold'; did you mean 'hold_s'"),
        ("guidance: {crop_px: big}", r"guidance\.crop_px is 'big'; a whole number is wanted"),
        ("guidance: {crop_px: 350}", "crop_px is 350; a positive multiple of 8"),
        ("reconstruct: {mode: best}", r"reconstruct\.mode is 'best'; one of frame, sequence"),
        ("pose2d: {model: resnet}", "no 2D model 'resnet'; there are mobilenet_thin"),
        ("pose2d: {device: abacus}", "device 'abacus' cannot be used here"),
        ("output: {formats: [trk]}", "export format 'trk' is unknown.*did you mean trc"),
        ("output: [overlay]", "output must be a mapping"),
        ("output: {overlay", "cannot read this configuration"),
    ],
)
def test_bad_settings(text: str, said: str, session: Path, tell: Tell) -> None:
    config = session.parent / "mine.yaml"
    config.write_text(text)
    before = _contents(session)
    line = tell("run", session, "--overwrite", "--config", config)
    assert re.search(said, line), line
    if "device" not in text and "model" not in text:
        assert str(config) in line
    assert _contents(session) == before


def test_flags_win_over_the_file(tmp_path: Path) -> None:
    from mv3d.commands.settings import Settings

    (tmp_path / "c.yaml").write_text("pose2d: {model: a, device: cpu}\nreconstruct: {mode: frame, max_gap_s: 1}")
    config = Settings(config=tmp_path / "c.yaml", model="b", allow_empty_views=True, refine_rig="focal").load()
    assert config.rig_check.refine == "focal"
    assert (config.pose2d.model, config.pose2d.device) == ("b", "cpu")
    assert (config.reconstruct.mode, config.reconstruct.max_gap_s) == ("frame", 1.0)
    assert config.reconstruct.allow_empty_views
    assert Settings(mode="sequence", config=tmp_path / "c.yaml").load().reconstruct.mode == "sequence"


def test_unknown_model_by_flag(session: Path, tell: Tell) -> None:
    assert "no 2D model 'resnet'; there are mobilenet_thin" in tell("run", session, "--overwrite", "--model", "resnet")


def test_pose2d_with_the_real_network(empty_scene: Path, capsys: pytest.CaptureFixture[str]) -> None:
    session = empty_scene
    main(["pose2d", str(session), "--overwrite"])
    captured = capsys.readouterr()
    for name in ("cam01", "cam04"):
        assert f"pose2d/{name}.npz" in captured.out
        assert f"2D pose, {name}: 100%" in captured.err
        assert len(Poses2D.load(session / "pose2d" / f"{name}.npz")) == 2
