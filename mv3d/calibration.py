"""Calibration of a session's cameras from its pictures of a board."""

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np

import mv3d
from calib.boards import load_board
from calib.calibrate import calibrate_rig
from calib.config import CalibrationConfig, LensConfig, TimeConfig
from calib.observations import BoardObservations
from calib.report import write_report
from calib.result import CalibrationResult
from calib.sampling import observe_session
from mv3d.data.rig import Rig
from mv3d.data.session import Session
from mv3d.errors import SessionError
from mv3d.files.progress import Progress, silent
from mv3d.files.staging import written_together
from mv3d.files.writing import check_output_folder, refuse_overwriting, whole_file

FORMAT_VERSION = 1


@dataclass(frozen=True, slots=True, eq=False)
class Calibrated:
    """What a calibration gave, and the files made.

    Attributes:
        observations: what the cameras saw of the board.
        result: the rig and how good it is.
        outputs: files, by what they are.
    """

    observations: BoardObservations
    result: CalibrationResult
    outputs: dict[str, Path]


def calibrate_session(
    root: str | Path,
    board: str,
    *,
    lens: str = "auto",
    known_rig: Rig | None = None,
    rolling_shutter: bool = False,
    overwrite: bool = False,
    progress: Progress = silent,
) -> Calibrated:
    """Find the board in all pictures of a session and calibrate the rig.

    Writes cameras.yaml, calibration/report.html and calibration/uncertainty.npz, all of them or none.

    Args:
        root: the session folder; see docs/formats.md for where pictures of boards go.
        board: YAML file or name of a shipped board.
        lens: lens model of all cameras, or "auto" to choose by held-out error.
        known_rig: cameras that are taken as they are; the others are calibrated into their world.
        rolling_shutter: estimate the time between image lines.
        overwrite: replace an earlier calibration.
        progress: progress bar.

    Raises:
        Mv3dError: what is wrong; an earlier calibration stays as it was.
    """
    session = Session(Path(root))
    if not session.root.is_dir():
        raise SessionError(f"{session.root}: no such session folder")
    refuse_overwriting(session.rig, overwrite)
    check_output_folder(session.root)
    config = CalibrationConfig(lens=LensConfig(model=lens), time=TimeConfig(rolling_shutter=rolling_shutter))
    pattern = load_board(board)
    observations = observe_session(session, pattern, progress=progress)
    result = calibrate_rig(observations, config, known_rig=known_rig)
    with written_together(session.root) as folder:
        staged = Session(folder)
        result.rig.save(staged.rig)
        reports = folder / "calibration"
        _save_uncertainty(reports / "uncertainty.npz", result)
        facts = {"board": pattern.describe(), "lens": lens, "mv3d": mv3d.__version__, "fit": result.status}
        title = f"Calibration of {session.root.resolve().name}"
        write_report(reports / "report.html", observations, result, title, facts)
    outputs = {"rig": session.rig, "report": session.root / "calibration" / "report.html"}
    return Calibrated(observations, result, outputs)


def _save_uncertainty(path: Path, result: CalibrationResult) -> None:
    """Covariance of the cameras' parameters and time offsets, as plain arrays."""
    arrays: dict[str, np.ndarray | np.integer] = {
        "format_version": np.int64(FORMAT_VERSION),
        "cameras": np.array(result.rig.names, dtype=np.str_),
        "noise_px": result.noise_px,
        "time_offsets": result.time.mean,
        "time_offsets_sd": result.time.mean_sd,
        "excluded": np.array(
            [json.dumps([e.camera, e.frame, e.reason, e.joint_only]) for e in result.excluded], dtype=np.str_
        ),
    }
    if result.uncertainty is not None:
        arrays |= {
            "parameters": np.array(result.uncertainty.parameters, dtype=np.str_),
            "covariance": result.uncertainty.covariance,
            "distances": result.uncertainty.distances,
            "distances_sd": result.uncertainty.distances_sd,
        }
    with whole_file(path) as part, part.open("wb") as file:
        np.savez_compressed(file, allow_pickle=False, **arrays)
