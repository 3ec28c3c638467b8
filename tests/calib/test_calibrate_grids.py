"""Rendered sessions of grids of tags, from the pictures to the rig, against the truth."""

from pathlib import Path

import cv2
import numpy as np
import pytest
import yaml

from calib.board_sheet import draw_sheet, lay_out
from calib.boards import load_board
from calib.calibrate import calibrate_rig
from calib.config import CalibrationConfig, LensConfig
from calib.sampling import observe_session
from mv3d.data.rig import Rig
from mv3d.synthetic.board_pictures import Exposure, photograph
from mv3d.synthetic.boards import carried_board
from mv3d.synthetic.rigs import camera_ring

STILLS = 12
BOARDS = {
    "kalibr": {"kind": "aprilgrid", "tags": [4, 3], "tag_mm": 120, "spacing": 0.3},
    "aruco": {
        "kind": "aprilgrid", "layout": "opencv", "tags": [4, 3], "tag_mm": 120, "spacing": 0.3,
        "dictionary": "DICT_4X4_50",
    },
}  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize("name", BOARDS)
def test_a_rendered_session_gives_the_true_rig_within_its_own_uncertainty(tmp_path: Path, name: str) -> None:
    (tmp_path / "board.yaml").write_text(yaml.safe_dump(BOARDS[name]))
    board = load_board(tmp_path / "board.yaml")
    truth = Rig(camera_ring(16, radius=2.2, height=1.2, size=(640, 480), focal=600.0, seed=1).cameras[:3])
    facing = truth.centers.mean(0) - [0, 0, 0.95]
    R, t = carried_board(np.arange(STILLS) * 1.7, reach=(0.25, 0.25, 0.15), toward=facing, seed=4)
    margin = board.pitch_m / 2
    sides = [1e3 * (side + 2 * margin) for side in board.size_m]
    page = draw_sheet(lay_out(board, f"{sides[0]}x{sides[1]}"), 0.5)
    t = t - R @ np.array([*board.size_m, 0]) / 2
    for camera in truth:
        folder = tmp_path / "calibration" / "extrinsics" / camera.name
        folder.mkdir(parents=True)
        for k in range(STILLS):
            image = photograph(camera, page, (margin, margin), 500.0, R[k], t[k], Exposure(0.7, 3.0), k)
            cv2.imwrite(str(folder / f"{k:02}.png"), image)
    observations = observe_session(tmp_path, board)
    assert observations.views.mean() > 0.6
    result = calibrate_rig(observations, CalibrationConfig(lens=LensConfig(model="pinhole4")))
    assert result.converged
    assert result.uncertainty is not None
    # The covariance of the corners' own scatter is the bound: four of its standard deviations for all distances.
    apart = [np.linalg.norm(r.centers[:, None] - r.centers, axis=-1) for r in (result.rig, truth)]
    assert (np.abs(apart[0] - apart[1]) < 4 * result.uncertainty.distances_sd + 1e-12).all()
    for camera, found in zip(truth, result.rig, strict=True):
        error = abs(found.lens.K[0, 0] - camera.lens.K[0, 0])
        assert error < 4 * result.uncertainty.sd(camera.name, "fx")
    assert result.noise_px.max() < 0.1
