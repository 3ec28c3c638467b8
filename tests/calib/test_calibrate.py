from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from calib import calibrate
from calib.boards import Board
from calib.calibrate import board_turns, calibrate_rig
from calib.config import CalibrationConfig, LensConfig, TimeConfig
from calib.judgement import judge
from calib.observations import BoardObservations
from calib.result import CalibrationResult
from mv3d.data.lens import Fisheye, Pinhole
from mv3d.data.rig import Rig
from mv3d.errors import CalibrationError, ConfigError
from mv3d.synthetic import boards as film
from mv3d.synthetic.boards import SyntheticBoard, film_board
from mv3d.synthetic.rigs import camera_ring

BOARD = Board("charuco", (8, 6), 0.08, 0.06, "DICT_4X4_100")
RIG = camera_ring(4, radius=3.0, seed=2, distortion=np.array([-0.1, 0.05, 1e-3, -1e-3]))
CONFIG = CalibrationConfig(lens=LensConfig(model="pinhole4"))


def observations(rig: Rig, made: SyntheticBoard, board: Board = BOARD) -> BoardObservations:
    return BoardObservations.from_corners(board, rig, made.xy, 0.2, made.times, made.segments)


@pytest.fixture(scope="module")
def video() -> SyntheticBoard:
    return film_board(RIG, BOARD.points, frames=120, fps=10.0, seed=3)


@pytest.fixture(scope="module")
def clean(video: SyntheticBoard) -> CalibrationResult:
    return calibrate_rig(observations(RIG, video), CONFIG)


def distance_errors(result: CalibrationResult, rig: Rig = RIG) -> np.ndarray:
    def between(r: Rig) -> np.ndarray:
        return np.linalg.norm(r.centers[:, None] - r.centers, axis=-1)

    return np.abs(between(result.rig) - between(rig))


def test_exact_corners_give_the_exact_rig() -> None:
    result = calibrate_rig(
        observations(RIG, film_board(RIG, BOARD.points, frames=130, noise_px=0.0, stills=True)), CONFIG
    )
    # The weak priors of the lens pull by their share against noise-free corners: not to rounding, but far below noise.
    assert distance_errors(result).max() < 2e-3
    assert result.rms < 0.02


def test_a_synchronous_video_is_calibrated_within_its_own_uncertainty(clean: CalibrationResult) -> None:
    assert clean.converged
    assert clean.uncertainty is not None
    sd = clean.uncertainty.distances_sd + np.eye(len(RIG))
    # Six distances, correlated: 4 sigma for all is one failure in thousands of seeds.
    assert (distance_errors(clean) < 4 * sd).all()
    assert clean.noise_px == pytest.approx(0.2, rel=0.1)
    assert not clean.time.estimated
    assert not clean.excluded


def test_the_world_is_the_first_camera_and_boards_lie_where_they_were(
    clean: CalibrationResult, video: SyntheticBoard
) -> None:
    np.testing.assert_allclose(clean.rig[0].R, np.eye(3), atol=1e-12)
    center = clean.board_t + clean.board_R @ BOARD.points.mean(0)
    truth = RIG[0].to_camera(video.t + video.R @ BOARD.points.mean(0))
    assert np.nanmedian(np.linalg.norm(center - truth, axis=1)) < 0.01


def test_offsets_of_unsynchronous_cameras_are_found() -> None:
    lag = np.array([0.0, 0.03, -0.11, 0.26])
    made = film_board(RIG, BOARD.points, frames=150, fps=10.0, seed=3, lag=lag, jitter_s=0.01)
    result = calibrate_rig(observations(RIG, made), CONFIG)
    found = result.time.mean - result.time.mean[0]
    # A tenth of a frame, the goal; the jitter of 10 ms alone leaves 2 to 3 ms.
    np.testing.assert_allclose(found, lag, atol=0.01)
    assert result.time.estimated
    assert result.time.spread == pytest.approx(0.01, rel=0.5)
    # 10 ms of jitter in some 100 views, 40 or so that two cameras share, of two clocks; the middle camera has none.
    assert ((result.time.mean_sd == 0) | ((result.time.mean_sd > 0.8e-3) & (result.time.mean_sd < 4e-3))).all()
    assert (np.abs(found - lag) < 4 * np.hypot(result.time.mean_sd, result.time.mean_sd.max())).all()
    relative = result.time.offsets - made.offsets
    assert np.nanstd(relative) < 0.02
    assert distance_errors(result).max() < 0.06


@pytest.mark.parametrize("line_time", [0.0, 5e-6, 2e-5])
def test_the_line_time_of_a_rolling_shutter_is_found_where_it_is_asked_for(line_time: float) -> None:
    made = observations(RIG, film_board(RIG, BOARD.points, frames=80, seed=3, line_time=line_time))
    result = calibrate_rig(made, CalibrationConfig(lens=CONFIG.lens, time=TimeConfig(rolling_shutter=True)))
    assert result.uncertainty is not None
    sd = np.array([result.uncertainty.sd(name, "line") for name in RIG.names])
    # Four cameras, correlated: 4 sigma for all is one failure in thousands of seeds.
    assert (np.abs(result.time.line_time - line_time) < 4 * sd).all()
    # Well below the 20 microseconds of a usual sensor, or the bound above would say nothing.
    assert sd.max() < 4e-6


@pytest.mark.parametrize("line_time", [0.0, 2e-5])
def test_a_rolling_shutter_is_noticed_and_only_where_there_is_one(line_time: float) -> None:
    made = observations(RIG, film_board(RIG, BOARD.points, frames=80, seed=3, line_time=line_time))
    result = calibrate_rig(made, CONFIG)
    assert result.uncertainty is not None
    assert result.time.line_time.any() == bool(line_time)
    assert any("line by line" in warning for warning in result.warnings) == bool(line_time)
    # Six distances, correlated: 4 sigma for all is one failure in thousands of seeds.
    assert (distance_errors(result) <= 4 * result.uncertainty.distances_sd).all()


def test_a_rolling_shutter_that_was_ruled_out_is_named() -> None:
    made = observations(RIG, film_board(RIG, BOARD.points, frames=80, seed=3, line_time=2e-5))
    result = calibrate_rig(made, replace(CONFIG, time=TimeConfig(rolling_shutter=False)))
    assert not result.time.line_time.any()
    # The fit that was bent to follow the skew has taken some of it.
    assert result.time.hinted
    np.testing.assert_allclose([*result.time.hinted.values()], 2e-5, rtol=0.4)
    verdict = judge(made, result)
    assert verdict.level == "look at this"
    assert any("rolling shutter of" in reason.text for reason in verdict.reasons if reason.level == "look at this")


def test_lenses_of_several_models_converge_though_the_cameras_are_not_in_sync() -> None:
    radial = np.array([-0.2, 0.05, 1e-3, -2e-3, 0.01, 0.05, 0.01, 0.002])
    lenses = [
        Pinhole(intrinsics(1760.0), radial[:5]), Pinhole(intrinsics(1728.0), radial),
        Fisheye(intrinsics(1060.0), np.array([0.03, -0.01, 0.004, -0.002])), Pinhole(intrinsics(1664.0), radial[:5]),
    ]  # fmt: skip
    ring = camera_ring(9, radius=3.0, seed=793)
    rig = Rig(tuple(replace(ring[i], lens=lens) for i, lens in enumerate(lenses)))
    lag = np.random.default_rng(793).uniform(-0.1, 0.1, 4)
    made = film_board(rig, BOARD.points, frames=150, noise_px=0.05, seed=793, lag=lag, toward=rig[1].center)
    models = dict(zip(rig.names, ("pinhole5", "pinhole8", "fisheye", "pinhole5"), strict=True))
    result = calibrate_rig(observations(rig, made), CalibrationConfig(lens=LensConfig(per_camera=models)))
    assert result.converged
    # Two standard deviations of what is known of radial coefficients: no numerator cancels its denominator.
    assert all(np.abs(camera.lens.dist).max() < 2 for camera in result.rig)


def intrinsics(focal: float) -> np.ndarray:
    return np.array([[focal, 0.0, 960.0], [0.0, focal + 2, 540.0], [0.0, 0.0, 1.0]])


def test_a_camera_one_frame_late_costs_nothing_and_is_named(video: SyntheticBoard, clean: CalibrationResult) -> None:
    result = calibrate_rig(observations(RIG, film.delay_camera(video, 2, 1)), CONFIG)
    assert result.time.frame_shifts.tolist() == [0, 0, 1, 0]
    np.testing.assert_allclose(result.time.mean, [0, 0, -0.1, 0], atol=0.005)
    # One frame fewer overlaps.
    assert np.abs(distance_errors(result) - distance_errors(clean)).max() < 0.02


CORRUPTIONS: dict[str, Callable[[SyntheticBoard], SyntheticBoard]] = {
    "displaced corners": lambda b: film.displace_corners(b, 0.05, 50.0),
    "half missing": lambda b: film.lose_corners(b, 0.5),
    "bad views": lambda b: film.spoil_views(b, 0.3, 30.0)[0],
    "reversed": lambda b: film.reverse_corners(b, 0.1)[0],
}


@pytest.mark.parametrize("name", CORRUPTIONS)
def test_corruptions_do_no_more_than_lose_data(name: str, video: SyntheticBoard) -> None:
    result = calibrate_rig(observations(RIG, CORRUPTIONS[name](video)), CONFIG)
    assert result.uncertainty is not None
    sd = result.uncertainty.distances_sd + np.eye(len(RIG))
    # The half of the data that is left is as good as it was.
    assert (distance_errors(result) < 4.5 * sd).all()
    assert result.uncertainty.distances_sd.max() < 0.04
    assert result.noise_px == pytest.approx(0.2, rel=0.15)


def test_reversed_views_are_named(video: SyntheticBoard) -> None:
    made, hit = film.reverse_corners(video, 0.1)
    result = calibrate_rig(observations(RIG, made), CONFIG)
    seen = np.isfinite(made.xy[..., 0]).any(-1)
    # Where nobody else looks, turning the numbers about contradicts nothing.
    wrong = {(RIG.names[c], int(f)) for c, f in zip(*np.nonzero(hit & seen & (seen.sum(0) > 1)), strict=True)}
    named = {(e.camera, e.frame) for e in result.excluded if "backwards" in e.reason}
    assert len(wrong & named) >= 0.8 * len(wrong)
    assert len(named - wrong) <= 0.3 * len(wrong)


def test_a_blurred_camera_is_weighted_not_believed(video: SyntheticBoard) -> None:
    result = calibrate_rig(observations(RIG, film.blur_camera(video, 3, 2.0)), CONFIG)
    assert result.noise_px[3] == pytest.approx(2.0, rel=0.15)
    assert result.noise_px[:3] == pytest.approx(0.2, rel=0.15)


def test_a_mirrored_video_is_refused_by_name(video: SyntheticBoard) -> None:
    with pytest.raises(CalibrationError, match="cam02: its images are mirrored"):
        calibrate_rig(observations(RIG, film.mirror_camera(video, 1, 1920)), CONFIG)


def test_cameras_that_share_no_view_are_refused_with_the_shot_that_would_help(video: SyntheticBoard) -> None:
    xy = video.xy.copy()
    xy[:2, ::2], xy[2:, 1::2] = np.nan, np.nan
    with pytest.raises(CalibrationError, match=r"cam01, cam02.*cam03, cam04.*film the board where"):
        calibrate_rig(observations(RIG, replace(video, xy=xy, times=np.full_like(video.times, np.nan))), CONFIG)


def test_a_camera_without_a_board_is_refused(video: SyntheticBoard) -> None:
    xy = video.xy.copy()
    xy[2] = np.nan
    with pytest.raises(CalibrationError, match="cam03: no board"):
        calibrate_rig(observations(RIG, replace(video, xy=xy)), CONFIG)


def test_known_lenses_are_left_as_they_are(video: SyntheticBoard) -> None:
    known = {camera.name: camera.lens for camera in RIG}
    result = calibrate_rig(observations(RIG, video), CONFIG, known_lenses=known)
    for camera in result.rig:
        np.testing.assert_array_equal(camera.lens.K, known[camera.name].K)
    assert distance_errors(result).max() < 0.01


def test_one_camera_joins_a_known_rig(video: SyntheticBoard) -> None:
    known = RIG.subset(["cam01", "cam02", "cam04"])
    result = calibrate_rig(observations(RIG, video), CONFIG, known_rig=known)
    for name in known.names:
        np.testing.assert_array_equal(result.rig[name].t, known[name].t)
    assert np.linalg.norm(result.rig["cam03"].center - RIG["cam03"].center) < 0.03


def test_a_checkerboard_that_looks_the_same_from_both_sides_is_turned_right() -> None:
    board = Board("checkerboard", (8, 6), 0.08)
    made = film_board(RIG, board.points, frames=100, seed=3, stills=True)
    turned, _ = film.reverse_corners(made, 0.5)
    result = calibrate_rig(observations(RIG, turned, board), CONFIG)
    assert len(board_turns(board)) == 2
    assert distance_errors(result).max() < 0.06
    assert not result.excluded


def test_one_camera_alone_is_a_rig(video: SyntheticBoard) -> None:
    result = calibrate_rig(observations(RIG, video).select_cameras(["cam02"]), CONFIG)
    assert result.rig.names == ("cam02",)
    assert result.rig[0].lens.K[0, 0] == pytest.approx(RIG[1].lens.K[0, 0], rel=0.02)


def test_an_unknown_lens_model_is_refused() -> None:
    with pytest.raises(ConfigError, match="pinhole6"):
        LensConfig(model="pinhole6")


def test_what_is_suspicious_is_said_in_words(video: SyntheticBoard) -> None:
    spoilt, _ = film.spoil_views(film.blur_camera(video, 3, 2.0), 0.3, 60.0)
    said = "\n".join(calibrate_rig(observations(RIG, spoilt), CONFIG).warnings)
    assert "times noisier than the others': blurred?" in said
    assert "views left out, most of them because: corners do not form the board" in said
    late = calibrate_rig(observations(RIG, film.delay_camera(video, 2, 1)), CONFIG).warnings
    assert [w for w in late if w.startswith("cam03 lags the others by 100.")]


def test_a_rig_that_is_known_whole_is_only_checked(video: SyntheticBoard) -> None:
    result = calibrate_rig(observations(RIG, video), CONFIG, known_rig=RIG)
    assert result.rms == pytest.approx(0.2 * np.sqrt(2), rel=0.1)
    assert result.uncertainty is not None
    assert not result.uncertainty.covariance.any()


def test_corners_that_are_one_point_are_no_board(video: SyntheticBoard) -> None:
    flat = replace(video, xy=np.where(np.isfinite(video.xy), 500.0, np.nan))
    with pytest.raises(CalibrationError, match="cam01: 0 usable views"):
        calibrate_rig(observations(RIG, flat), CONFIG)


UNSYNCED = np.array([0.0, 0.03, -0.02, 0.04])


def test_a_camera_that_misses_every_neighbouring_frame_has_its_motion_from_the_others() -> None:
    made = film_board(RIG, BOARD.points, frames=150, fps=10.0, seed=3, lag=UNSYNCED)
    xy = made.xy.copy()
    xy[1, np.arange(150) % 3 > 0] = np.nan
    result = calibrate_rig(observations(RIG, replace(made, xy=xy)), CONFIG)
    seen = np.isfinite(xy).all(-1).any(-1)
    shared = seen[1] & (seen.sum(0) > 1)
    assert np.isfinite(result.time.offsets[1, shared]).mean() > 0.9
    # A tenth of a frame is the goal.
    np.testing.assert_allclose(result.time.mean - result.time.mean[0], UNSYNCED, atol=0.01)


def test_views_of_three_corners_join_the_pose_that_other_cameras_give() -> None:
    made = film_board(RIG, BOARD.points, frames=120, seed=3, stills=True)
    xy = made.xy.copy()
    xy[1, ::2, 3:] = np.nan
    result = calibrate_rig(observations(RIG, replace(made, xy=xy)), CONFIG)
    seen = np.isfinite(xy).all(-1).sum(-1)
    small = (seen[1] == 3) & ((seen > 4).sum(0) > 0)
    assert small.sum() > 5
    # Most frames have one other view, and some of those tell the board's depth too poorly to foretell a corner.
    assert np.isfinite(result.residuals[1, small, :3]).all((1, 2)).mean() > 0.7
    xy[1, np.flatnonzero(small)[::2], 1] += 30.0
    result = calibrate_rig(observations(RIG, replace(made, xy=xy)), CONFIG)
    assert np.isnan(result.residuals[1, np.flatnonzero(small)[::2], 1]).all()
    assert distance_errors(result).max() < 0.02


def test_whole_frames_that_single_views_do_not_tell_are_told_by_the_joint_fit(monkeypatch: pytest.MonkeyPatch) -> None:
    made = film.delay_camera(film_board(RIG, BOARD.points, frames=120, fps=10.0, seed=3), 2, 1)
    monkeypatch.setattr(calibrate, "whole_frame_shifts", lambda *_: np.zeros(4, np.int64))
    result = calibrate_rig(observations(RIG, made), CONFIG)
    np.testing.assert_array_equal(result.time.frame_shifts, [0, 0, 1, 0])
    assert distance_errors(result).max() < 0.02


def test_a_camera_that_found_few_boards_is_named() -> None:
    made = film_board(RIG, BOARD.points, frames=120, fps=10.0, seed=3)
    xy = made.xy.copy()
    xy[3, np.arange(120) % 4 > 0] = np.nan
    result = calibrate_rig(observations(RIG, replace(made, xy=xy)), CONFIG)
    assert any(w.startswith(f"{RIG.names[3]}: the board was found in") for w in result.warnings)
