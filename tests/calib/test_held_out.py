from dataclasses import replace

import numpy as np
import pytest

from calib.boards import Board
from calib.held_out import score_held_out
from calib.observations import BoardObservations
from mv3d.data.rig import Rig
from mv3d.synthetic.boards import film_board
from mv3d.synthetic.rigs import camera_ring

CHARUCO = Board("charuco", (8, 6), 0.08, 0.06, "DICT_4X4_100")
CHECKERBOARD = Board("checkerboard", (8, 6), 0.08)
RIG = camera_ring(4, radius=3.0, seed=2, distortion=np.array([-0.1, 0.05, 1e-3, -1e-3]))
LAG = np.array([0.0, 0.03, -0.06, 0.05])
NOISE = 0.3


def filmed(board: Board = CHARUCO, **settings) -> BoardObservations:
    made = film_board(RIG, board.points, frames=80, noise_px=NOISE, seed=3, **settings)
    return BoardObservations.from_corners(board, RIG, made.xy, NOISE, made.times, made.segments)


def expected_px(observations: BoardObservations) -> float:
    """Of n views of a point, 2 n residuals are left with 2 n - 3 degrees of freedom."""
    n = observations.seen.sum(0)
    n = n[n > 1]
    return float(NOISE * np.sqrt((2 * n - 3).sum() / n.sum()))


@pytest.mark.parametrize("settings", [{"stills": True}, {}, {"lag": LAG, "jitter_s": 0.01}], ids=str)
def test_true_cameras_score_what_the_noise_leaves(settings: dict) -> None:
    observations = filmed(**settings)
    score = score_held_out(RIG, observations)
    # 3000 corners tell a standard deviation to 2 %; what the offsets add and views without neighbours take is as much.
    assert score.px == pytest.approx(expected_px(observations), rel=0.06)
    assert abs(score.scale) < 2e-4
    # 0.3 px of a camera of about 1000 px at 3 m are a millimetre across, some more in depth.
    assert 0.3 < score.board_mm < 2.0


def test_bent_cameras_score_worse() -> None:
    observations, true = filmed(lag=LAG), score_held_out(RIG, filmed(lag=LAG))
    wider = replace(RIG[1].lens, K=RIG[1].lens.K * np.array([[0.95, 1, 1], [1, 0.95, 1], [1, 1, 1]]))
    score = score_held_out(Rig((RIG[0], replace(RIG[1], lens=wider), *RIG.cameras[2:])), observations)
    assert score.px > 1.5 * true.px
    assert score.board_mm > 1.2 * true.board_mm


def test_a_checkerboard_found_turned_about_by_one_camera_scores_the_same() -> None:
    observations = filmed(CHECKERBOARD)
    xy = observations.xy.copy()
    xy[1, 40:] = xy[1, 40:, ::-1]
    # Where the numbering changes two views have a neighbour on one side only.
    turned, as_filmed = score_held_out(RIG, replace(observations, xy=xy)), score_held_out(RIG, observations)
    assert turned.px == pytest.approx(as_filmed.px, rel=0.01)
    assert turned.corners == as_filmed.corners


def test_frames_of_single_views_have_no_score() -> None:
    observations = filmed()
    xy = observations.xy.copy()
    xy[1:] = np.nan
    alone = replace(observations, xy=xy, sigma_px=np.where(np.arange(4)[:, None] > 0, np.nan, observations.sigma_px))
    score = score_held_out(RIG, alone)
    assert score.corners == 0
    assert np.isnan([score.px, score.board_mm, score.scale]).all()
