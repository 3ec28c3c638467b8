"""Is yesterday's calibration still true? A session's boards against a rig: `mv3d calibrate --check`."""

import zipfile
from dataclasses import replace
from pathlib import Path

import numpy as np

from calib.boards import load_board
from calib.calibrate import calibrate_rig
from calib.config import CalibrationConfig
from calib.lenses import fitted_lenses
from calib.recheck import Recheck, compare_rigs
from calib.result import Uncertainty
from calib.sampling import observe_session
from mv3d.data.intrinsics import Intrinsics
from mv3d.data.rig import Rig
from mv3d.data.session import Session
from mv3d.errors import CalibrationError, FormatError, SessionError
from mv3d.files.progress import Progress, silent


def check_session(
    root: str | Path,
    board: str,
    rig_file: str | Path | None = None,
    config: CalibrationConfig | None = None,
    *,
    progress: Progress = silent,
) -> Recheck:
    """Hold a rig against what its cameras see of a board now. Writes nothing.

    Args:
        root: the session folder with new pictures of the board, as for a calibration.
        board: YAML file or name of a shipped board.
        rig_file: the rig; the session's cameras.yaml if None. What is known of its uncertainty lies beside it in
            calibration/uncertainty.npz.
        config: settings; lens models are those of the rig.
        progress: progress bar.

    Raises:
        Mv3dError: no rig, no pictures, or a camera of the rig that shows no board.
    """
    session, config = Session(Path(root)), config or CalibrationConfig()
    path = Path(rig_file) if rig_file is not None else session.rig
    if not path.is_file():
        raise SessionError(f"{path}: no rig to check; name it with --known-rig")
    rig = Rig.load(path)
    observations = observe_session(session, load_board(board), progress=progress)
    strange = sorted(set(observations.cameras) ^ set(rig.names))
    if strange:
        raise CalibrationError(
            f"{session.root}: camera {', '.join(strange)} is not both in {path} and among the pictures of the board"
        )
    observations = observations.select_cameras(rig.names)
    known = fitted_lenses(tuple(Intrinsics(c.name, c.size, c.lens) for c in rig), observations)
    old_sd = load_uncertainty(path.parent / "calibration" / "uncertainty.npz", rig)
    resized = Rig(tuple(replace(c, lens=known[c.name], size=_size(observations.sizes[i])) for i, c in enumerate(rig)))
    if old_sd is None or any(a.size != b.size for a, b in zip(rig, resized, strict=True)):
        new, old_sd = calibrate_rig(observations, config, known_lenses=known), None
    else:
        models = {c.name: c.lens.model for c in rig}
        new = calibrate_rig(observations, replace(config, lens=replace(config.lens, per_camera=models)))
    if new.uncertainty is None:
        raise CalibrationError(
            f"{session.root}: the views do not tell every camera's pose; show the board in more ways"
        )
    try:
        return compare_rigs(resized, new.rig, new.uncertainty, old_sd)
    except ValueError as error:
        raise CalibrationError(f"{path}: {error}; calibrate anew") from error


def _size(size: np.ndarray) -> tuple[int, int]:
    return int(size[0]), int(size[1])


def load_uncertainty(path: Path, rig: Rig) -> Uncertainty | None:
    """What `mv3d calibrate` knew of a rig's parameters; None if there is no such file, or it is of other cameras.

    Raises:
        FormatError: the file cannot be read.
    """
    if not path.is_file():
        return None
    try:
        with np.load(path, allow_pickle=False) as arrays:
            if "covariance" not in arrays or tuple(map(str, arrays["cameras"])) != rig.names:
                return None
            parameters, covariance = tuple(map(str, arrays["parameters"])), np.array(arrays["covariance"], float)
            distances = [np.array(arrays[name], float) for name in ("distances", "distances_sd")]
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile) as error:
        raise FormatError(f"{path}: cannot read it ({' '.join(str(error).split())}); calibrate again") from error
    if covariance.shape != (len(rig) * len(parameters),) * 2 or not {"fx", "rx", "tz"} <= set(parameters):
        raise FormatError(f"{path}: not the covariance of {len(rig)} cameras; calibrate again")
    return Uncertainty(rig.names, parameters, covariance, *distances)
