import warnings
from dataclasses import replace

import cv2
import matplotlib
import numpy as np
import pytest
from matplotlib.figure import Figure

from mv3d.data.poses import MISSING
from mv3d.data.skeletons import COCO_18
from mv3d.errors import SessionError
from mv3d.viz import motion_plots, plots
from mv3d.viz.figures import angle_drawings, drawings, write_drawings
from mv3d.viz.worst_moments import worst_moments


def _all(quality, poses3d) -> dict[str, Figure]:
    return {
        "bones": plots.bone_lengths(quality, poses3d),
        "time": plots.reprojection_over_time(quality, poses3d),
        "joints": plots.reprojection_per_joint(quality),
        "coverage": plots.coverage(poses3d),
        "seen": plots.seen_by_camera(quality),
        "trajectories": plots.trajectories(poses3d),
        "speed": motion_plots.speeds(poses3d),
        "uncertainty": motion_plots.uncertainty_over_time(poses3d, quality.limb_joints),
    }


def _lines(figure: Figure) -> list[tuple[np.ndarray, np.ndarray]]:
    return [(np.asarray(line.get_xdata()), np.asarray(line.get_ydata())) for ax in figure.axes for line in ax.lines]


def test_plots_become_png_files(scenario) -> None:
    for name, figure in _all(scenario.quality, scenario.poses3d).items():
        image = cv2.imdecode(np.frombuffer(plots.to_png(figure), np.uint8), cv2.IMREAD_COLOR)
        assert image is not None, name
        assert image.shape[1] == pytest.approx(990, abs=2), name  # 9 inches at 110 dots
        assert len(np.unique(image.reshape(-1, 3), axis=0)) > 20, name


def test_every_axis_with_a_quantity_has_a_unit(scenario) -> None:
    figures = _all(scenario.quality, scenario.poses3d)
    labels = {n: {t for ax in f.axes for t in (ax.get_xlabel(), ax.get_ylabel()) if t} for n, f in figures.items()}
    assert labels["bones"] == {"cm", "time (s)"}
    assert labels["time"] == {"px", "time (s)"}
    assert labels["joints"] == {"px"}
    assert labels["coverage"] == {"frame"}
    assert labels["speed"] == {"m/s", "time (s)"}
    assert labels["uncertainty"] == {"mm", "time (s)"}
    assert labels["trajectories"] == {"x (m)", "y (m)", "z (m)", "time (s)"}
    assert all(figure.get_suptitle() for figure in figures.values())


def test_plots_hold_the_data(scenario) -> None:
    quality, poses = scenario.quality, scenario.poses3d
    thigh = quality.bones.index(("LHip", "LKnee"))
    drawn = _lines(plots.bone_lengths(quality, poses))
    assert any(np.allclose(y, 100 * quality.bone_length[:, thigh]) for _, y in drawn)
    middle = np.nanmedian(quality.reprojection_px[:, 1][:, list(quality.limb_joints)], axis=1)
    assert any(np.allclose(y, middle) for _, y in _lines(plots.reprojection_over_time(quality, poses)))
    bars = [patch.get_width() for patch in plots.reprojection_per_joint(quality).axes[0].patches]
    np.testing.assert_allclose(bars, np.nanmedian(quality.reprojection_px, axis=(0, 1)))
    image = plots.coverage(poses).axes[0].images[0].get_array()
    np.testing.assert_array_equal(image, poses.state[:, 0].T)
    ankle = poses.skeleton.index("RAnkle")
    drawn = _lines(plots.trajectories(poses, ("RAnkle",)))
    assert all(any(np.allclose(y, poses.xyz[:, 0, ankle, k]) for _, y in drawn) for k in range(3))


def test_no_global_state_is_touched(scenario) -> None:
    import matplotlib._pylab_helpers as helpers

    before = dict(matplotlib.rcParams)
    _all(scenario.quality, scenario.poses3d)
    assert dict(matplotlib.rcParams) == before
    assert helpers.Gcf.get_num_fig_managers() == 0


@pytest.mark.parametrize(("frames", "cameras"), [(1, 1), (2, 2)])
def test_very_short_sessions(scenario_of, frames: int, cameras: int) -> None:
    small = scenario_of(COCO_18, frames=frames, cameras=cameras)
    for figure in _all(small.quality, small.poses3d).values():
        assert plots.to_png(figure).startswith(b"\x89PNG")


def test_nothing_measured_and_no_bones_draw_without_a_warning(scenario) -> None:
    poses, quality = scenario.poses3d, scenario.quality
    shape = poses.state.shape
    nothing = replace(
        poses,
        xyz=np.full(poses.xyz.shape, np.nan),
        xyz_per_frame=np.full(poses.xyz.shape, np.nan),
        state=np.full(shape, MISSING),
        score=np.zeros(shape),
        n_views=np.zeros(shape),
    )
    empty = replace(
        quality,
        reprojection_px=np.full(quality.reprojection_px.shape, np.nan),
        bone_length=np.full(quality.bone_length.shape, np.nan),
    )
    boneless = replace(empty, bones=(), bone_length=np.zeros((len(poses), 0)), limb_joints=())
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for figures in (_all(empty, nothing), _all(boneless, nothing)):
            for figure in figures.values():
                plots.to_png(figure)


def test_names_are_not_read_as_mathematics(scenario) -> None:
    quality = replace(scenario.quality, cameras=("$\\frac{$", "_hidden", "a_b^c", "<b>"))
    plots.to_png(plots.reprojection_over_time(quality, scenario.poses3d))
    plots.to_png(plots.seen_by_camera(quality))


def test_speed_is_that_of_the_joints(scenario) -> None:
    poses = scenario.poses3d
    steady = np.arange(len(poses))[:, None, None, None] / 30 * np.array([3.0, 0.0, 4.0])
    moving = replace(poses, xyz=np.where(poses.state[..., None] == MISSING, np.nan, steady), skeleton=poses.skeleton)
    speed = motion_plots.joint_speed(moving)
    np.testing.assert_allclose(speed[np.isfinite(speed)], 5.0)
    wrist = poses.skeleton.index("RWrist")  # missing in frames 2 and 3
    assert np.isnan(speed[:, wrist]).nonzero()[0].tolist() == [1, 2, 3, 4]
    drawn = _lines(motion_plots.speeds(moving))
    assert any(np.nanmax(y) == pytest.approx(5.0) for _, y in drawn)


def test_uncertainty_is_the_largest_standard_deviation(scenario) -> None:
    poses = scenario.poses3d
    turned = np.linalg.qr(np.random.default_rng(0).normal(size=(3, 3)))[0]
    covariance = np.where(np.isfinite(poses.covariance), turned @ np.diag([1e-6, 4e-6, 9e-4]) @ turned.T, np.nan)
    sd = motion_plots.standard_deviation(replace(poses, covariance=covariance))
    # float32 has seven digits.
    np.testing.assert_allclose(sd[np.isfinite(sd)], 0.03, rtol=1e-4)
    assert np.isnan(sd[2, poses.skeleton.index("RWrist")])


def test_the_moment_at_which_a_camera_goes_wrong_is_told(scenario_of) -> None:
    scenario = scenario_of(frames=120)
    errors = scenario.quality.reprojection_px.copy()
    knee = scenario.poses3d.skeleton.index("LKnee")
    errors[70:80, 2] += 9.0
    errors[70:80, 2, knee] += 30.0
    errors[20, 1] += 100.0  # a single frame: a detection, no moment
    (moment,) = worst_moments(replace(scenario.quality, reprojection_px=errors), scenario.poses3d.timestamps, 1)
    assert moment.camera == "cam03"
    assert 70 <= moment.frame < 80
    assert moment.time == pytest.approx(moment.frame / 30)
    assert moment.joints[0] == "LKnee"
    assert moment.error_px > 4 * moment.usual_px


def test_a_steady_recording_has_no_such_moment(scenario_of) -> None:
    scenario = scenario_of(frames=60)
    steady = replace(scenario.quality, reprojection_px=np.full_like(scenario.quality.reprojection_px, 2.0))
    nothing = replace(scenario.quality, reprojection_px=np.full_like(scenario.quality.reprojection_px, np.nan))
    for quality in (steady, nothing):
        assert worst_moments(quality, scenario.poses3d.timestamps) == []


def test_moments_are_apart_and_few(scenario_of) -> None:
    scenario = scenario_of(frames=400)
    errors = np.full_like(scenario.quality.reprojection_px, 2.0)
    for start in range(10, 390, 13):
        errors[start : start + 4] = 100.0
    found = worst_moments(replace(scenario.quality, reprojection_px=errors), scenario.poses3d.timestamps)
    assert len(found) == 5
    times = sorted(moment.time for moment in found)
    assert np.diff(times).min() >= 1.0 - 1e-9


def test_figures_become_files(scenario, tmp_path) -> None:
    drawn = drawings(scenario.poses3d, scenario.quality)
    few = [d for d in drawn if d.name in ("speed", "coverage")]
    paths = write_drawings(few, tmp_path / "plots", ("png", "svg"))
    assert sorted(p.name for p in paths) == ["coverage.png", "coverage.svg", "speed.png", "speed.svg"]
    assert (tmp_path / "plots/speed.png").read_bytes().startswith(b"\x89PNG")
    assert b"<svg" in (tmp_path / "plots/speed.svg").read_bytes()
    with pytest.raises(SessionError, match="already there"):
        write_drawings(few, tmp_path / "plots")
    write_drawings(few, tmp_path / "plots", overwrite=True)
    with pytest.raises(ValueError, match="'gif'"):
        write_drawings(few, tmp_path, ("gif",))
    assert len({d.name for d in drawn}) == len(drawn)


def test_long_recordings_are_drawn_at_some_frames(scenario_of, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mv3d.viz.figures._MOST_FRAMES", 50)
    scenario = scenario_of(frames=120)
    by_name = {d.name: d.draw() for d in drawings(scenario.poses3d, scenario.quality)}
    for name in ("reprojection", "bones", "trajectories", "speed"):
        assert {len(x) for x, _ in _lines(by_name[name]) if len(x) > 2} == {50}, name
        assert max(x.max() for x, _ in _lines(by_name[name])) == pytest.approx(119 / 30)


def test_without_frames_there_are_no_figures(scenario) -> None:
    names = ("xyz", "xyz_per_frame", "score", "state", "n_views", "reprojection_error", "covariance", "timestamps")
    empty = replace(scenario.poses3d, **{name: getattr(scenario.poses3d, name)[:0] for name in names})
    assert drawings(empty, scenario.quality) == []


def test_bones_of_an_animal_are_named_without_their_side(scenario) -> None:
    bones = (("left_elbow", "left_paw"), ("right_elbow", "right_paw"), ("withers", "rump"), ("L_hip", "L_knee"))
    few = replace(scenario.quality, bones=bones)
    assert list(plots._bone_pairs(few)) == ["elbow to paw", "withers to rump", "hip to knee"]


def test_joint_angles_are_drawn_where_there_are_any() -> None:
    times = np.arange(50) / 50
    names = ("Pelvis_rotation_left", "RKnee_flexion", "LKnee_flexion", "RHip_flexion")
    values = np.deg2rad(np.stack([0 * times, 60 * times, 30 * times, 10 * times], axis=1))
    (drawing,) = angle_drawings(names, values, times)
    figure = drawing.draw()
    titles = [ax.get_title(loc="left") or ax.get_title() for ax in figure.axes]
    assert titles == ["Hip flexion", "Knee flexion"]
    assert sorted(line.get_ydata()[-1] for line in figure.axes[1].lines) == pytest.approx([29.4, 58.8])
    assert angle_drawings(names[:1], values[:, :1], times) == []
