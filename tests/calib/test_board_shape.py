"""A bent board: its corners are found, and with them the rig that a flat one would have given."""

from dataclasses import replace

import numpy as np
import pytest

from calib.boards import Board
from calib.calibrate import calibrate_rig
from calib.config import BoardShapeConfig, CalibrationConfig, LensConfig
from calib.observations import BoardObservations
from calib.report import summary_lines
from calib.result import CalibrationResult
from mv3d.data.rig import Rig
from mv3d.synthetic.boards import film_board
from mv3d.synthetic.rigs import camera_ring

BOARD = Board("charuco", (8, 6), 0.08, 0.06, "DICT_4X4_100")
RIG = camera_ring(4, radius=3.0, seed=2, distortion=np.array([-0.1, 0.05, 1e-3, -1e-3]))
CONFIG = CalibrationConfig(lens=LensConfig(model="pinhole4"))
SHAPED = replace(CONFIG, board_shape=BoardShapeConfig(enabled=True))


def bent(by: float = 2e-3) -> np.ndarray:
    """A sheet that bows along its longer side, m."""
    points = BOARD.points.copy()
    along = points[:, 0] - points[:, 0].mean()
    points[:, 2] += by * (along / along.max()) ** 2
    return points


def filmed(points: np.ndarray, **how) -> BoardObservations:
    made = film_board(RIG, points, frames=150, fps=10.0, seed=3, **how)
    return BoardObservations.from_corners(BOARD, RIG, made.xy, 0.2, made.times, made.segments)


def similar(points: np.ndarray, to: np.ndarray) -> np.ndarray:
    """The points shifted, turned and scaled to lie on others as well as they can (Umeyama 1991)."""
    a, b = points - points.mean(0), to - to.mean(0)
    u, s, vt = np.linalg.svd(a.T @ b)
    flip = np.diag([1, 1, np.sign(np.linalg.det(u @ vt))])
    return np.trace(np.diag(s) @ flip) / (a**2).sum() * a @ (u @ flip @ vt) + to.mean(0)


def distance_error(result: CalibrationResult, rig: Rig = RIG) -> float:
    def between(r: Rig) -> np.ndarray:
        return np.linalg.norm(r.centers[:, None] - r.centers, axis=-1)

    return float(np.abs(between(result.rig) - between(rig)).max())


@pytest.mark.parametrize("how", [{"stills": True}, {"lag": np.array([0, 0.05, 0, 0])}], ids=["stills", "late"])
def test_a_bent_board_is_found_bent_and_the_rig_right(how: dict) -> None:
    observations = filmed(bent(), **how)
    flat, shaped = calibrate_rig(observations, CONFIG), calibrate_rig(observations, SHAPED)
    error = np.linalg.norm(similar(shaped.board_points, bent()) - bent(), axis=1)
    # 0.2 px at 3 m are 0.5 mm in each of some 50 views that are each seen from one side: 0.08 mm was measured; the
    # corners of the flat board are wrong by 0.77 mm.
    assert np.sqrt(np.mean(error**2)) < 0.15e-3
    assert distance_error(flat) > 30e-3, "or this board is not bent enough to tell"
    assert distance_error(shaped) < 0.25 * distance_error(flat)
    assert shaped.noise_px == pytest.approx(0.2, rel=0.1)
    assert any("corners were found" in line for line in summary_lines(observations, shaped))


def test_the_size_of_the_squares_still_sets_the_scale() -> None:
    """Corners may move, but not all away from the middle, nor all to one side."""
    moved = calibrate_rig(filmed(bent(), stills=True), SHAPED).board_points - BOARD.points
    offset = BOARD.points - BOARD.points.mean(0)
    assert np.abs(moved.sum(0)).max() < 1e-9
    assert abs((moved * offset).sum()) < 1e-9
    assert np.abs(np.cross(offset, moved).sum(0)).max() < 1e-9


def test_corners_stay_as_described_unless_asked() -> None:
    observations = filmed(BOARD.points, stills=True)
    result = calibrate_rig(observations, CONFIG)
    np.testing.assert_array_equal(result.board_points, BOARD.points)
    assert not any("corners were found" in line for line in summary_lines(observations, result))
