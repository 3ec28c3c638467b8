"""The way on which the studio's board is carried: what a calibration needs, at the pace of hands."""

from dataclasses import replace

import numpy as np
import pytest

from calib.boards import load_board
from calib.calibrate import calibrate_rig
from calib.config import CalibrationConfig
from calib.observations import BoardObservations
from mv3d.data.rig import Rig
from mv3d.studio_truth import camera_errors, placed_like
from mv3d.synthetic.rigs import camera_ring
from mv3d.synthetic.studio.board_tour import BoardTour, TourConfig, middle_of, tour_of

_BOARD = load_board("charuco_studio")
_EXTENT = (float(np.ptp(_BOARD.points[:, 0])), float(np.ptp(_BOARD.points[:, 1])))
_BARREL = np.array([-0.12, 0.05, 3e-4, -3e-4])


def _ring(cameras: int, *, span: float = 2 * np.pi, seed: int | None = 4, fisheye: bool = False) -> Rig:
    dist = np.array([-0.02, 0.004, 0, 0]) if fisheye else _BARREL
    return camera_ring(
        cameras,
        radius=3.6,
        height=1.6,
        size=(640, 480),
        focal=500.0,
        distortion=dist,
        span=span,
        fisheye=fisheye,
        seed=seed,
    )


def _seen(rig: Rig, tour: BoardTour, times: np.ndarray, noise_px: float) -> np.ndarray:
    """Corners (camera, frame, corner, 2) px inside the pictures, of boards that are not too flat."""
    R, t = tour.at(times)
    points = np.einsum("fij,nj->fni", R, _BOARD.points - _BOARD.points.mean(0)) + t[:, None]
    rng = np.random.default_rng(0)
    seen = np.full((len(rig), *points.shape[:2], 2), np.nan)
    for c, camera in enumerate(rig):
        sight = t - camera.center
        facing = np.einsum("fi,fi->f", R[:, :, 2], sight) / np.linalg.norm(sight, axis=1)
        xy = camera.project(points)
        inside = (xy > 2).all(-1) & (xy < np.array(camera.size) - 3).all(-1) & (facing > 0.4)[:, None]
        seen[c] = np.where(inside[..., None], xy + noise_px * rng.normal(size=xy.shape), np.nan)
    return seen


@pytest.mark.parametrize("fisheye", [False, True])
def test_every_camera_sees_it_all_over_and_neighbours_see_it_together(fisheye: bool) -> None:
    rig = _ring(4, fisheye=fisheye)
    tour = tour_of(rig, _EXTENT, 30.0, replace(TourConfig(), candidates=40))
    xy = _seen(rig, tour, (np.arange(len(tour.t)) + 0.1) * tour.stance_s, 0.0)
    for c, camera in enumerate(rig):
        known = xy[c][np.isfinite(xy[c]).all(-1)]
        part = (known / np.array(camera.size) * [4, 3]).astype(int)
        assert len(np.unique(part, axis=0)) >= 10  # of 12 parts of the picture
    views = np.isfinite(xy).all(-1).sum(-1) > 10
    for a, b in ((0, 1), (1, 2), (2, 3), (3, 0)):
        assert (views[a] & views[b]).sum() >= 2


def test_the_board_rests_in_every_stance_and_moves_at_the_pace_of_hands() -> None:
    tour = tour_of(_ring(4), _EXTENT, 30.0, replace(TourConfig(), candidates=30))
    starts = np.arange(len(tour.t)) * tour.stance_s
    R, t = tour.at(starts[:, None] + np.array([0.0, 0.9 * tour.hold * tour.stance_s]))
    np.testing.assert_allclose(t[:, 0], t[:, 1], atol=1e-12)
    np.testing.assert_allclose(R[:, 0], R[:, 1], atol=1e-12)
    times = np.arange(0, 30.0, 0.01)
    speed = np.linalg.norm(np.diff(tour.at(times)[1], axis=0), axis=1) / 0.01
    # Greedy order: most steps are short, and the last ones go to what was left over.
    assert np.median(speed) < 1.5
    assert speed.max() < 10


@pytest.mark.slow
def test_a_ring_is_calibrated_to_the_goal() -> None:
    """2 mm and 0.1 degree, from corners that are off by what the detector leaves of rendered ones."""
    rig, times = _ring(4), np.arange(0, 42.0, 0.3)
    xy = _seen(rig, tour_of(rig, _EXTENT, 42.0), times, noise_px=0.05)
    clocks = np.repeat(times[None], len(rig), 0)
    observations = BoardObservations.from_corners(_BOARD, rig, xy, 0.05, clocks, np.zeros(len(times), int))
    found = calibrate_rig(observations, CalibrationConfig()).rig
    errors = camera_errors(placed_like(found, rig), rig)
    assert max(e.center_mm for e in errors) < 2
    assert max(e.angle_deg for e in errors) < 0.1


@pytest.mark.parametrize("cameras", [1, 2])
def test_small_rigs_have_a_tour_too(cameras: int) -> None:
    rig = _ring(cameras, span=0.8)
    tour = tour_of(rig, _EXTENT, 6.0, replace(TourConfig(), candidates=20))
    assert np.isfinite(tour.t).all()
    np.testing.assert_allclose(tour.R @ np.swapaxes(tour.R, 1, 2), np.broadcast_to(np.eye(3), tour.R.shape), atol=1e-9)


def test_the_middle_of_a_ring_is_what_all_look_at() -> None:
    np.testing.assert_allclose(middle_of(_ring(5, seed=None)), [0, 0, 0.95], atol=1e-6)
