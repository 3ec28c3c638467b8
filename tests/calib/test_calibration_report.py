import re
from dataclasses import replace

import numpy as np
import pytest
from matplotlib.quiver import Quiver

from calib import report_plots
from calib.boards import Board
from calib.calibrate import calibrate_rig
from calib.config import CalibrationConfig, LensConfig
from calib.judgement import judge
from calib.observations import BoardObservations
from calib.report import summary_lines, write_report
from calib.result import ExcludedView
from mv3d.synthetic.boards import film_board
from mv3d.synthetic.rigs import camera_ring

BOARD = Board("charuco", (8, 6), 0.08, 0.06, "DICT_4X4_100")


@pytest.fixture(scope="module")
def calibrated():
    rig = camera_ring(3, radius=3.0, seed=2)
    made = film_board(rig, BOARD.points, frames=60, fps=10.0, lag=np.array([0.0, 0.06, 0.0]), seed=3)
    observations = BoardObservations.from_corners(BOARD, rig, made.xy, 0.2, made.times, made.segments)
    return observations, calibrate_rig(observations, CalibrationConfig(lens=LensConfig(model="pinhole4")))


def test_summary_has_a_line_for_each_camera_and_names_the_late_one(calibrated):
    lines = summary_lines(*calibrated)
    assert [line.split()[0] for line in lines[2:5]] == ["cam01", "cam02", "cam03"]
    text = "\n".join(lines)
    assert re.search(r"cam02 (lags|leads) the others by \d+\.\d \+- \d+\.\d ms: not in sync", text)
    assert not re.search(r"cam03 (lags|leads) the others by [3-9]\d\.", text)


def test_report_is_one_file_with_figures_plots_and_escaped_names(calibrated, tmp_path):
    observations, result = calibrated
    names = ("<script>x</script>", *observations.frame_names[1:])
    result = replace(result, excluded=(ExcludedView("cam01", 0, "<b>blurred</b>", False),))
    write_report(tmp_path / "r.html", replace(observations, frame_names=names), result, "Rig & more", {"board": "b"})
    page = (tmp_path / "r.html").read_text(encoding="utf-8")
    assert "<script>" not in page
    assert "<b>blurred</b>" not in page
    assert "&lt;b&gt;blurred" in page
    assert "Rig &amp; more" in page
    assert page.count("data:image/png;base64,") == 6
    assert "http" not in re.sub(r"data:image/png;base64,[^\"]*", "", page)
    for camera in result.rig:
        assert f"{camera.lens.K[0, 0]:.2f}" in page
    assert list(tmp_path.iterdir()) == [tmp_path / "r.html"]


def test_few_views_that_tell_the_focal_length_are_usable(calibrated):
    observations, result = calibrated
    few = result.residuals.copy()
    few[0, np.flatnonzero(np.isfinite(few[0]).any((-1, -2)))[7:]] = np.nan
    levels = {}
    for factor in (1e-4, 1e4):
        told = replace(result.uncertainty, covariance=result.uncertainty.covariance * factor)
        reasons = judge(observations, replace(result, residuals=few, uncertainty=told)).reasons
        levels[factor] = next(r.level for r in reasons if r.text.startswith("cam01: 7 views"))
    assert levels == {1e-4: "usable", 1e4: "look at this"}


def test_pairs_are_counted_by_the_views_that_were_used(calibrated):
    observations, result = calibrated
    shared = report_plots.shared_views(result)
    used = np.isfinite(result.residuals).any((-1, -2))
    assert shared[0, 2] == shared[2, 0] == (used[0] & used[2]).sum() > 0
    np.testing.assert_array_equal(np.diag(shared), used.sum(1))
    texts = [text.get_text() for ax in report_plots.pair_coverage(observations, result).axes for text in ax.texts]
    assert f"cam01 ({shared[0, 0]})" in texts
    assert str(shared[0, 2]) in texts


def test_cameras_out_of_sync_are_one_reason(calibrated):
    reasons = [r.text for r in judge(*calibrated).reasons if "sync" in r.text]
    assert len(reasons) == 1
    assert re.search(r"by up to [56]\d ms", reasons[0])


def test_arrows_of_residuals_are_as_long_whatever_their_size(calibrated):
    """The longest mean is drawn over two cells, or a good calibration's field would be dots."""
    observations, result = calibrated
    scales = []
    for factor in (1.0, 10.0):
        figure = report_plots.residual_fields(observations, factor * result.residuals)
        arrows = next(c for c in figure.axes[0].collections if isinstance(c, Quiver))
        scales.append(np.hypot(arrows.U, arrows.V).max() / arrows.scale)
    np.testing.assert_allclose(scales, 2 * 1920 / 14)


def test_verdict_falls_with_noise_left_out_views_and_a_fit_that_did_not_settle(calibrated):
    observations, result = calibrated
    assert not any("fit to" in r.text for r in judge(observations, result).reasons if r.level != "good")
    noisy = judge(observations, replace(result, residuals=result.residuals * 20))
    assert any("fit to" in r.text and r.level == "look at this" for r in noisy.reasons)
    many = tuple(ExcludedView("cam02", f, "corners on the wrong squares", False) for f in range(40))
    left_out = judge(observations, replace(result, excluded=many))
    assert any("cam02" in r.text and "corners on the wrong squares" in r.text for r in left_out.reasons)
    covered = [r for r in judge(observations, result).reasons if "of the image" in r.text]
    assert {r.level for r in covered} == {"usable"}, "a board in the middle of a ring is no reason to film again"
    unsettled = judge(observations, replace(result, converged=False))
    assert unsettled.level == "look at this"
    assert unsettled.headline.startswith("Redo")
    assert judge(observations, replace(result, uncertainty=None)).level == "look at this"
