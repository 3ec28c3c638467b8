"""`mv3d calibrate --check` without a board: the people of a session tell which camera was moved."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from mv3d.cli import main
from mv3d.data.poses import Poses2D
from mv3d.data.rig import Rig
from mv3d.geometry.rotations import rotation_from_vector
from mv3d.synthetic.families import FAMILIES, make_trial


def run(*words: object) -> int:
    """Exit code of `mv3d calibrate` with these words."""
    try:
        main(["calibrate", *map(str, words)])
    except SystemExit as stop:
        return int(stop.code or 0)
    return 0


def turned(rig: Rig, name: str, degrees: float) -> Rig:
    """One camera turned on the spot about an oblique axis."""
    R = rotation_from_vector(np.deg2rad(degrees) * np.array([0.6, 0.8, 0.0]))
    return Rig(tuple(replace(c, R=R @ c.R, t=R @ c.t) if c.name == name else c for c in rig))


def write_session(root: Path, seed: int, family: str = "bias") -> Rig:
    """Keypoints of a walker whose joints are marked beside their places, by 3 px in each view; the true rig."""
    trial = make_trial(FAMILIES[family], 4, 240, seed)
    for v, name in enumerate(trial.rig.names):
        poses = Poses2D(trial.skeleton, trial.xy[:, v, None], trial.score[:, v, None], trial.timestamps)
        poses.save(root / "pose2d" / f"{name}.npz")
    trial.rig.save(root / "cameras.yaml")
    return trial.rig


@pytest.fixture(scope="module")
def session(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("walk")
    write_session(root, 0)
    return root


def test_a_turned_camera_is_named_and_nothing_written(
    session: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rig = Rig.load(session / "cameras.yaml")
    turned(rig, "cam03", 1.5).save(tmp_path / "yesterday.yaml")
    before = sorted(session.rglob("*"))
    assert run(session, "--check") == 0
    said = capsys.readouterr().out
    assert "the calibration still holds" in said
    # Biases of 3 px are found less what looks like moved joints.
    assert float(said.split("are marked ")[1].split(" px")[0]) == pytest.approx(3.0, abs=0.8)
    assert run(session, "--check", "--known-rig", tmp_path / "yesterday.yaml") == 0
    said = capsys.readouterr().out
    assert "cam03 has moved: turned by" in said
    assert "cam01 has moved" not in said
    assert sorted(session.rglob("*")) == before


def test_the_moved_camera_alone_is_placed_anew(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    truth = write_session(tmp_path, 0)
    turned(truth, "cam02", 3.0).save(tmp_path / "cameras.yaml")
    assert run(tmp_path, "--only", "cam02") == 1
    assert "--overwrite" in capsys.readouterr().err
    assert run(tmp_path, "--only", "cam02", "--overwrite") == 0
    rig = Rig.load(tmp_path / "cameras.yaml")
    # Twelve joints that are marked 3 px beside their places, in the others' views too.
    point = np.array([[0.0, 0.0, 1.0]])
    off = np.linalg.norm(rig["cam02"].project(point) - truth["cam02"].project(point))
    assert off < 4.0
    for name in ("cam01", "cam03", "cam04"):
        np.testing.assert_allclose(rig[name].R, truth[name].R, atol=1e-9)
    assert (
        pytest.approx(turned(truth, "cam02", 3.0)["cam02"].R) == Rig.load(tmp_path / "cameras.before.yaml")["cam02"].R
    )


@pytest.mark.parametrize(
    ("arguments", "said"),
    [(["--only", "cam09", "--overwrite"], "no such camera"), ([], "--board is missing"), (["--check"], "videos/")],
)
def test_what_is_wrong_is_said(
    session: Path, tmp_path: Path, arguments: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    root = session
    if arguments == ["--check"]:
        root = tmp_path
        Rig.load(session / "cameras.yaml").save(tmp_path / "cameras.yaml")
    assert run(root, *arguments) == 1
    assert said in capsys.readouterr().err
