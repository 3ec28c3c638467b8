"""Calibration of a session's cameras from its pictures of a board."""

import json
import shutil
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

import mv3d
from calib.board_sources import extrinsics_sources
from calib.boards import load_board
from calib.calibrate import calibrate_rig
from calib.config import CalibrationConfig
from calib.lens_report import write_lens_report
from calib.lenses import LensResult, calibrate_lenses, fitted_lenses
from calib.observations import BoardObservations
from calib.report import write_report
from calib.result import CalibrationResult
from calib.sampling import observe_session
from mv3d.data.intrinsics import Intrinsics, save_intrinsics
from mv3d.data.rig import Rig
from mv3d.data.session import Session
from mv3d.errors import CalibrationError, ConfigError, SessionError
from mv3d.files.progress import Progress, silent
from mv3d.files.staging import written_together
from mv3d.files.time_offsets import recorded_in
from mv3d.files.writing import check_output_folder, refuse_overwriting, whole_file

FORMAT_VERSION = 1
# Where the rig goes of which some cameras are calibrated anew.
_BEFORE = "cameras.before.yaml"


@dataclass(frozen=True, slots=True, eq=False)
class Known:
    """What is taken as it is.

    Attributes:
        lenses: of cameras that are not calibrated anew, for pictures of any size of the same shape.
        rig: cameras whose lens and place are kept; the others are calibrated into their world. Those that filmed no
            board stay in the rig as they are.
        only: cameras to calibrate anew, also where the rig knows them, and no others; all if empty.
    """

    lenses: tuple[Intrinsics, ...] = ()
    rig: Rig | None = None
    only: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if self.only and self.rig is None:
            raise ValueError("to calibrate only some cameras, the others must be known")


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


@dataclass(frozen=True, slots=True, eq=False)
class CalibratedLenses:
    """What the pictures of single cameras gave, and the files made."""

    observations: BoardObservations
    result: LensResult
    outputs: dict[str, Path]


def calibrate_session(
    root: str | Path,
    board: str,
    config: CalibrationConfig | None = None,
    known: Known | None = None,
    *,
    overwrite: bool = False,
    progress: Progress = silent,
) -> Calibrated:
    """Find the board in all pictures of a session and calibrate the rig.

    Writes cameras.yaml, calibration/report.html and calibration/uncertainty.npz, all of them or none. Where only some
    cameras are calibrated anew, the cameras.yaml of before is kept as cameras.before.yaml.

    Args:
        root: the session folder; see docs/formats.md for where pictures of boards go.
        board: YAML file or name of a shipped board.
        config: settings.
        known: what is not calibrated.
        overwrite: replace an earlier calibration.
        progress: progress bar.

    Raises:
        Mv3dError: what is wrong; an earlier calibration stays as it was.
    """
    session, config, known = _opened(root), config or CalibrationConfig(), known or Known()
    refuse_overwriting(session.rig, overwrite)
    check_output_folder(session.root)
    pattern = load_board(board)
    observations = observe_session(session, pattern, progress=progress)
    _check_cameras(observations, config)
    _check_together(session, observations)
    observations = _asked_for(observations, known)
    lenses = fitted_lenses(known.lenses, observations) if known.lenses else {}
    rig = _fitted_rig(known, observations)
    result = calibrate_rig(observations, config, known_lenses=lenses, known_rig=rig)
    with written_together(session.root) as folder:
        _whole_rig(result.rig, known.rig).save(Session(folder).rig)
        if known.only and session.rig.is_file():
            shutil.copyfile(session.rig, folder / _BEFORE)
        reports = folder / "calibration"
        _save_uncertainty(reports / "uncertainty.npz", result, _filmed_with(session))
        facts = {"board": pattern.describe(), "lens": config.lens.model, "mv3d": mv3d.__version__, "fit": result.status}
        write_report(reports / "report.html", observations, result, _title(session), facts)
    outputs = {"rig": session.rig, "report": session.root / "calibration" / "report.html"}
    return Calibrated(observations, result, outputs)


def calibrate_session_lenses(
    root: str | Path,
    board: str,
    config: CalibrationConfig | None = None,
    *,
    overwrite: bool = False,
    progress: Progress = silent,
) -> CalibratedLenses:
    """Calibrate the lenses of a session's cameras from calibration/intrinsics/ alone; there is no rig then.

    Writes calibration/lenses.yaml and calibration/report.html, both or none; for the rest see `calibrate_session`.
    """
    session, config = _opened(root), config or CalibrationConfig()
    lenses, report = (session.root / "calibration" / name for name in ("lenses.yaml", "report.html"))
    for path in (lenses, report):
        refuse_overwriting(path, overwrite)
    check_output_folder(session.root)
    pattern = load_board(board)
    observations = observe_session(session, pattern, progress=progress, alone_only=True)
    _check_cameras(observations, config)
    result = calibrate_lenses(observations, config)
    with written_together(session.root) as folder:
        save_intrinsics(folder / "calibration" / lenses.name, result.cameras)
        facts = {"board": pattern.describe(), "lens": config.lens.model, "mv3d": mv3d.__version__}
        write_lens_report(folder / "calibration" / report.name, observations, result, _title(session), facts)
    return CalibratedLenses(observations, result, {"lenses": lenses, "report": report})


def has_pictures_together(root: str | Path) -> bool:
    """Whether a session has pictures that its cameras took at the same instants, of whatever."""
    return bool(extrinsics_sources(Session(Path(root))))


def _opened(root: str | Path) -> Session:
    session = Session(Path(root))
    if not session.root.is_dir():
        raise SessionError(f"{session.root}: no such session folder")
    return session


def _title(session: Session) -> str:
    return f"Calibration of {session.root.resolve().name}"


def _check_cameras(observations: BoardObservations, config: CalibrationConfig) -> None:
    unknown = sorted(set(config.lens.per_camera) - set(observations.cameras))
    if unknown:
        raise ConfigError(
            f"no camera {', '.join(unknown)} in the pictures; there are {', '.join(observations.cameras)}"
        )


def _check_together(session: Session, observations: BoardObservations) -> None:
    """Lenses can be had from pictures of single cameras, a rig cannot."""
    together = [f for f, name in enumerate(observations.frame_names) if not name.startswith("intrinsics/")]
    if len(observations.cameras) > 1 and not observations.views[:, together].any():
        raise CalibrationError(
            f"{session.root}: the board shows only in pictures of single cameras, which do not tell where the cameras"
            " stand; film it with two or more at once into calibration/extrinsics/<camera>/, or pass --lenses-only"
        )


def _asked_for(observations: BoardObservations, known: Known) -> BoardObservations:
    """Of the known cameras and those to calibrate only."""
    if not known.only or known.rig is None:
        return observations
    missing = sorted(set(known.only) - set(observations.cameras))
    if missing:
        raise ConfigError(f"--only {' '.join(missing)}: no pictures of it; there are {', '.join(observations.cameras)}")
    wanted = {*known.only, *known.rig.names}
    return observations.select_cameras([name for name in observations.cameras if name in wanted])


def _fitted_rig(known: Known, observations: BoardObservations) -> Rig | None:
    """The known cameras that filmed the board, for the size of the pictures that they took."""
    if known.rig is None:
        return None
    kept = tuple(Intrinsics(c.name, c.size, c.lens) for c in known.rig if c.name not in known.only)
    if not kept:
        raise ConfigError("--only names every camera of the known rig; leave it out to calibrate all of them")
    lenses = fitted_lenses(kept, observations)
    sizes = {name: (int(w), int(h)) for name, (w, h) in zip(observations.cameras, observations.sizes, strict=True)}
    return Rig(tuple(replace(known.rig[name], lens=lens, size=sizes[name]) for name, lens in lenses.items()))


def _whole_rig(found: Rig, known: Rig | None) -> Rig:
    """What was found, and the known cameras that filmed no board; in the order of the known rig, new ones last."""
    if known is None:
        return found
    old = [found[c.name] if c.name in found.names else c for c in known]
    return Rig((*old, *(camera for camera in found if camera.name not in known.names)))


def _filmed_with(session: Session) -> dict[str, np.ndarray]:
    return recorded_in(session, {source.camera: source.path for source in extrinsics_sources(session)})


def _save_uncertainty(path: Path, result: CalibrationResult, recording: dict[str, np.ndarray]) -> None:
    """Covariance of the cameras' parameters, time offsets and the recording they are of, as plain arrays."""
    arrays: dict[str, np.ndarray | np.integer] = {
        "format_version": np.int64(FORMAT_VERSION),
        "cameras": np.array(result.rig.names, dtype=np.str_),
        "noise_px": result.noise_px,
        "time_offsets": result.time.mean,
        "board_points": result.board_points,
        "time_offsets_sd": result.time.mean_sd,
        "excluded": np.array(
            [json.dumps([e.camera, e.frame, e.reason, e.joint_only]) for e in result.excluded], dtype=np.str_
        ),
        **recording,
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
