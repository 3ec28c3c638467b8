import warnings
from dataclasses import replace

import cv2
import matplotlib
import numpy as np
import pytest
from matplotlib.figure import Figure

from mv3d.data.poses import MISSING
from mv3d.data.skeletons import COCO_18
from mv3d.viz import plots


def _all(quality, poses3d) -> dict[str, Figure]:
    return {
        "bones": plots.bone_lengths(quality, poses3d),
        "time": plots.reprojection_over_time(quality, poses3d),
        "joints": plots.reprojection_per_joint(quality),
        "coverage": plots.coverage(poses3d),
        "seen": plots.seen_by_camera(quality),
        "trajectories": plots.trajectories(poses3d),
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
