"""The calibration step of the demos: real lenses that must agree, and a synthetic rig whose truth is known."""

from pathlib import Path

import numpy as np
from jaxtyping import Float

from calib.boards import Board
from calib.calibrate import calibrate_rig
from calib.config import CalibrationConfig
from calib.lens_report import lens_table_lines
from calib.observations import BoardObservations
from calib.report import write_report
from calib.result import CalibrationResult
from mv3d.calibration import calibrate_session_lenses
from mv3d.data.rig import Rig
from mv3d.files.progress import Progress, silent
from mv3d.studio_truth import placed_like
from mv3d.synthetic.boards import film_board

_REAL_BOARD = "demo_checkerboard"
# A board of a metre, carried slowly for 40 s: what a ring of 10 m wants.
_BOARD = Board("charuco", (8, 6), 0.12, 0.09, "DICT_4X4_100")
_FRAMES, _FPS, _SPEED = 400, 10.0, 0.7
# What the detector leaves of a sharp board, a coordinate.
_NOISE_PX = 0.1
# Time offsets of the cameras, s: free-running ones that were started together.
_LAGS = np.array([0.0, 0.045, -0.030, 0.020])


def calibrate_real(root: Path, progress: Progress = silent) -> list[str]:
    """Calibrate the lens in each of the demo's folders of checkerboards; returns lines for the terminal.

    All folders were shot with one and the same camera, none of the rig's: how well they agree tells how far a
    calibration can be repeated, and the rig stays as its authors give it.
    """
    done = calibrate_session_lenses(root, _REAL_BOARD, overwrite=True, progress=progress)
    focal = np.array([camera.lens.K[0, 0] for camera in done.result.cameras])
    return [
        "",
        "checkerboard pictures, calibrated folder by folder (all were shot with one camera that is not of the rig, so",
        "this shows how well a calibration repeats; the rig stays the one that came with the recording)",
        "",
        *lens_table_lines(done.result),
        "",
        f"focal lengths agree to {np.ptp(focal) / focal.mean():.2%} (largest less smallest)",
        f"{'lenses':<10}{done.outputs['lenses']}",
        f"{'report':<10}{done.outputs['report']}",
    ]


def calibrate_synthetic(truth: Rig, report: Path) -> tuple[Rig, list[str]]:
    """Calibrate a synthetic rig from noisy corners of a carried board, seen by cameras that are not in sync.

    Args:
        truth: the cameras.
        report: HTML file to write.

    Returns:
        The calibrated rig in the world of the true one, and lines on its errors.
    """
    film = film_board(
        truth, _BOARD.points, frames=_FRAMES, fps=_FPS, noise_px=_NOISE_PX, lag=_LAGS, speed=_SPEED, seed=0
    )
    observations = BoardObservations.from_corners(_BOARD, truth, film.xy, _NOISE_PX, film.times, film.segments)
    result = calibrate_rig(observations, CalibrationConfig())
    facts = {"board": _BOARD.describe(), "corners": f"synthetic, {_NOISE_PX} px of noise", "fit": result.status}
    write_report(report, observations, result, "Calibration of a synthetic rig", facts)
    return placed_like(result.rig, truth), _error_lines(result, truth)


def _error_lines(result: CalibrationResult, truth: Rig) -> list[str]:
    focal = max(abs(a.lens.K[0, 0] / b.lens.K[0, 0] - 1) for a, b in zip(result.rig, truth, strict=True))
    distance = 1e3 * np.abs(_distances(result.rig) - _distances(truth)).max()
    lag = 1e3 * np.abs((result.time.mean - result.time.mean.mean()) - (_LAGS - _LAGS.mean())).max()
    return [
        f"calibration, largest error against the truth: focal length {focal:.2%}, distance of two cameras"
        f" {distance:.1f} mm of {_distances(truth).max():.1f} m, time offset {lag:.1f} ms",
    ]


def _distances(rig: Rig) -> Float[np.ndarray, " pair"]:
    """Distances of all pairs of cameras, m."""
    apart = np.linalg.norm(rig.centers[:, None] - rig.centers, axis=-1)
    return apart[np.triu_indices(len(rig), 1)]
