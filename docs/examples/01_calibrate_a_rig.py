"""Calibrate four cameras from a board that is carried through the room.

    python 01_calibrate_a_rig.py OUT

The corners here are of a synthetic film with a known truth, from cameras that run freely; from videos,
`mv3d calibrate SESSION --board charuco_a4` finds the corners and then does the same.
"""

import sys
from pathlib import Path

import numpy as np

from calib.boards import Board
from calib.calibrate import calibrate_rig
from calib.config import CalibrationConfig
from calib.observations import BoardObservations
from calib.report import write_report
from mv3d.synthetic.boards import film_board
from mv3d.synthetic.rigs import camera_ring

out = Path(sys.argv[1])
out.mkdir(parents=True, exist_ok=True)
board = Board("charuco", (8, 6), 0.12, 0.09, "DICT_4X4_100")
true_rig = camera_ring(4, distortion=np.array([-0.12, 0.05, 3e-4, -3e-4]), seed=0)
late = np.array([0.0, 0.045, -0.030, 0.020])  # s, of each camera's clock

film = film_board(true_rig, board.points, frames=200, fps=10.0, noise_px=0.1, lag=late, speed=0.7, seed=0)
corners = BoardObservations.from_corners(board, true_rig, film.xy, 0.1, film.times, film.segments)
result = calibrate_rig(corners, CalibrationConfig())

print(result.status)
for camera, true in zip(result.rig, true_rig, strict=True):
    print(f"{camera.name}: focal length {camera.lens.K[0, 0]:.1f} px (true {true.lens.K[0, 0]:.1f})")
result.rig.save(out / "cameras.yaml")
write_report(out / "report.html", corners, result, "Four cameras", {"board": board.describe()})
