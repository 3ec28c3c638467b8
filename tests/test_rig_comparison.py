"""`mv3d rig compare`: two calibrations of one rig."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from calib.result import Uncertainty
from calib.world import WorldChange
from mv3d.cli import main
from mv3d.commands.rig_table import comparison_lines
from mv3d.data.lens import Pinhole
from mv3d.data.rig import Rig
from mv3d.errors import CalibrationError
from mv3d.geometry.rotations import rotation_from_vector
from mv3d.rig_comparison import Comparison, compared
from mv3d.synthetic.rigs import camera_ring

RIG = camera_ring(5, radius=4.0, seed=2)
ELSEWHERE = WorldChange(rotation_from_vector(np.array([0.4, -1.2, 2.0])), np.array([3.0, -2.0, 0.7]))
PARAMETERS = ("fx", "fy", "cx", "cy", "rx", "ry", "rz", "tx", "ty", "tz")
SD = np.array([0.5, 0.5, 0.5, 0.5, 3e-4, 3e-4, 2e-4, 1e-3, 1e-3, 1e-3])


def turned(degrees: float, metres: float = 0.0, rig: Rig = RIG) -> Rig:
    """The rig with its third camera turned on the spot and moved."""
    camera = rig["cam03"]
    R = rotation_from_vector(np.deg2rad(degrees) * np.array([0.0, 1, 0])) @ camera.R
    new = replace(camera, R=R, t=-R @ (camera.center + np.array([metres, 0, 0])))
    return Rig(tuple(new if c.name == "cam03" else c for c in rig))


def uncertainty(rig: Rig = RIG) -> Uncertainty:
    apart = np.linalg.norm(rig.centers[:, None] - rig.centers, axis=-1)
    return Uncertainty(rig.names, PARAMETERS, np.diag(np.tile(SD**2, len(rig))), apart, 0.001 * apart)


def found(rig: Rig, seed: int) -> Rig:
    """A calibration of the rig with errors of these standard deviations, in another world."""
    rng, cameras = np.random.default_rng(seed), []
    for camera in rig:
        e = SD * rng.normal(size=10)
        E = rotation_from_vector(e[4:7])
        K = camera.lens.K + np.array([[e[0], 0, e[2]], [0, e[1], e[3]], [0, 0, 0]])
        lens = Pinhole(K, camera.lens.dist)
        cameras.append(replace(camera, lens=lens, R=E @ camera.R, t=E @ camera.t + e[7:]))
    return ELSEWHERE.of_rig(Rig(tuple(cameras)))


def numbers(comparison: Comparison) -> np.ndarray:
    return np.array([[c.turn, c.move, c.focal, c.centre_px, c.seen_px] for c in comparison.cameras])


@pytest.mark.parametrize("scale", [1.0, 1.07])
def test_the_same_rig_in_another_world_is_alike(scale: float) -> None:
    change = WorldChange(ELSEWHERE.R, ELSEWHERE.t, scale)
    comparison = compared(RIG, change.of_rig(RIG), free_scale=scale != 1)
    np.testing.assert_allclose(numbers(comparison), 0, atol=1e-9)
    assert comparison.scale == pytest.approx(1 / scale, rel=1e-12)
    assert comparison_lines(comparison)[-1] == "alike"


def test_a_camera_that_was_turned_is_named_and_does_not_pull_the_others() -> None:
    comparison = compared(RIG, ELSEWHERE.of_rig(turned(0.2, 0.005)))
    assert [c.name for c in comparison.cameras if c.named] == ["cam03"]
    # The others agree exactly, so all of the difference is the camera's: to the weight that is left to it, 1e-10.
    np.testing.assert_allclose(numbers(comparison)[[0, 1, 3, 4]], 0, atol=1e-6)
    assert np.rad2deg(comparison.cameras[2].turn) == pytest.approx(0.2, abs=1e-6)
    assert comparison.cameras[2].move == pytest.approx(0.005, abs=1e-8)
    assert comparison_lines(comparison)[-1] == "cam03 differs most"


def test_scale_is_told_and_left() -> None:
    comparison = compared(RIG, WorldChange(np.eye(3), np.zeros(3), 1.01).of_rig(RIG))
    assert comparison.scale == pytest.approx(1 / 1.01, rel=1e-4)
    # Centres of a ring of 4 m are a hundredth of that apart.
    assert all(0.02 < c.move < 0.08 for c in comparison.cameras)
    assert "it was left as it is" in comparison_lines(comparison)[-2]


def test_noise_is_alike_and_a_turn_beyond_it_is_named() -> None:
    sd, alike, right = (uncertainty(), uncertainty()), 0, 0
    for seed in range(30):
        still = compared(found(RIG, seed), found(RIG, 100 + seed), sd)
        alike += still.worst is None
        right += (worst := compared(found(RIG, seed), found(turned(0.2), 100 + seed), sd).worst) is not None and (
            worst.name == "cam03"
        )
        assert all(c.sd is not None and max(c.sd.turn, c.sd.move, c.sd.focal, c.sd.centre) < 8 for c in still.cameras)
    # 4 false alarms of 100 are meant: four of 30 or more have a chance of 3 %; the seeds are fixed.
    assert alike >= 27
    assert right >= 28


@pytest.mark.parametrize(("scale", "size"), [(1.0, (1920, 1080)), (1.1, (1920, 1080)), (1.0, (960, 540))])
def test_standard_deviations_do_not_depend_on_the_units(scale: float, size: tuple[int, int]) -> None:
    """A second calibration in other metres, or of smaller pictures, differs by as many standard deviations."""
    other = WorldChange(np.eye(3), np.zeros(3), scale).of_rig(found(RIG, 5))
    other = Rig(tuple(camera.resized(size) for camera in other))
    factor = np.tile([*[size[0] / 1920] * 4, *[1.0] * 3, *[scale] * 3], len(RIG))
    sd = replace(uncertainty(), covariance=uncertainty().covariance * np.outer(factor, factor))
    wanted = compared(RIG, found(RIG, 5), (uncertainty(), uncertainty()), free_scale=True)
    comparison = compared(RIG, other, (uncertainty(), sd), free_scale=True)
    np.testing.assert_allclose(numbers(comparison), numbers(wanted), rtol=1e-6, atol=1e-9)
    for one, another in zip(comparison.cameras, wanted.cameras, strict=True):
        assert one.sd is not None
        assert another.sd is not None
        for name in ("turn", "move", "focal", "centre"):
            assert getattr(one.sd, name) == pytest.approx(getattr(another.sd, name), rel=1e-5)


def test_a_lens_that_changed_is_named_in_standard_deviations() -> None:
    K = RIG[1].lens.K * np.array([[1.01, 1, 1], [1, 1.01, 1], [1, 1, 1]])
    zoomed = Rig((RIG[0], replace(RIG[1], lens=Pinhole(K, RIG[1].lens.dist)), *RIG.cameras[2:]))
    comparison = compared(RIG, zoomed, (uncertainty(), uncertainty()))
    difference = comparison.cameras[1]
    assert difference.focal == pytest.approx(0.01)
    assert difference.sd is not None
    # 11 px of focal length, the mean of two that each are known to 0.5 px twice, and 0.1 px of warmth.
    f = RIG[1].lens.K[0, 0]
    assert difference.sd.focal == pytest.approx(0.01 * f / np.sqrt((2 * 0.25 + 0.01) / 2), rel=1e-3)
    assert comparison.worst is difference


def test_what_does_not_compare_is_said() -> None:
    sd = uncertainty(), uncertainty()
    square = Rig((replace(RIG[0], size=(1080, 1080)), *RIG.cameras[1:]))
    lines = comparison_lines(compared(RIG, square, sd))
    assert "no standard deviations: lenses of other models or images of other shapes" in lines
    assert lines[1].split()[-3:] == ["-", "-", "-"]
    assert lines[-1] == "alike"
    two = RIG.subset(["cam02", "cam03"])
    assert "it is not told which" in comparison_lines(compared(two, turned(0.5, rig=two)))[-1]
    assert "it is not told which" in comparison_lines(compared(two, turned(2.0, rig=two), sd))[-1]
    one_place = Rig(tuple(replace(c, t=np.zeros(3)) for c in RIG))
    assert comparison_lines(compared(one_place, one_place))[-1] == "alike"
    with pytest.raises(CalibrationError, match="leave out --free-scale"):
        compared(one_place, one_place, free_scale=True)


def run(*arguments: object) -> None:
    main(["rig", "compare", *map(str, arguments)])


def save(folder: Path, rig: Rig, sd: Uncertainty) -> None:
    (folder / "calibration").mkdir(parents=True)
    rig.save(folder / "cameras.yaml")
    np.savez(
        folder / "calibration" / "uncertainty.npz", cameras=sd.cameras, parameters=sd.parameters,
        covariance=sd.covariance, distances=sd.distances, distances_sd=sd.distances_sd,
    )  # fmt: skip


def test_the_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    save(tmp_path / "a", RIG, uncertainty())
    other = turned(0.3).subset(["cam05", "cam03", "cam02", "cam01"])
    save(tmp_path / "b", other, uncertainty(other))
    run(tmp_path / "a", tmp_path / "b" / "cameras.yaml")
    lines = capsys.readouterr().out.splitlines()
    assert "(sd)" in lines[0]
    assert lines[3].startswith("cam03")
    assert "not compared: cam04 only in the first" in lines
    assert lines[-1] == "cam03 differs most"
    # An uncertainty that is of a rig of another size is not this rig's.
    WorldChange(np.eye(3), np.zeros(3), 1.5).of_rig(other).save(tmp_path / "b" / "cameras.yaml")
    run(tmp_path / "a", tmp_path / "b", "--free-scale")
    lines = capsys.readouterr().out.splitlines()
    assert "(sd)" not in lines[0]
    assert "scale: the second fits best times 0.66667; it was multiplied by it" in lines


def test_fewer_than_two_common_cameras_are_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    RIG.save(tmp_path / "a.yaml")
    Rig((RIG[0], replace(RIG[1], name="x"))).save(tmp_path / "b.yaml")
    with pytest.raises(SystemExit):
        run(tmp_path / "a.yaml", tmp_path / "b.yaml")
    error = capsys.readouterr().err
    assert "1 cameras in common, two or more are wanted" in error
    assert error.count("\n") == 1
