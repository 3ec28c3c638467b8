"""Commands around boards and calibration."""

from pathlib import Path
from typing import TYPE_CHECKING

import tyro

from mv3d.commands.arguments import Lines, Session, check_free
from mv3d.commands.settings import Settings
from mv3d.errors import ConfigError

if TYPE_CHECKING:
    from calib.config import CalibrationConfig
    from mv3d.calibration import Known

_NO_RIG = (
    "  lenses only: no two cameras were shown the board at once; film it so into calibration/extrinsics/<camera>/"
    " for a rig"
)


def calibrate(
    session: Session,
    board: str | None = None,
    lens: str = "auto",
    lens_of: tyro.conf.UseAppendAction[tuple[str, ...]] = (),
    known_lenses: Path | None = None,
    known_rig: Path | None = None,
    only: tyro.conf.UseAppendAction[tuple[str, ...]] = (),
    lenses_only: bool = False,
    rolling_shutter: bool = False,
    global_shutter: bool = False,
    board_shape: bool = False,
    check: bool = False,
    overwrite: bool = False,
    quiet: bool = False,
) -> Lines:
    """Pictures of a board in, calibrated rig out: writes cameras.yaml and calibration/report.html.

    Pictures lie in calibration/extrinsics/<camera>/ (all cameras at the same instants; or videos/), and of single
    cameras in calibration/intrinsics/<camera>/. Without pictures that the cameras took at the same instants there is no
    rig to be had: then the lenses are calibrated one by one into calibration/lenses.yaml.

    Args:
        session: the session folder.
        board: YAML file of the board, or name of a shipped one. Without one --check, and --only a camera, go by the
            people in pose2d/, or in videos/.
        lens: auto, pinhole0, pinhole4, pinhole5, pinhole8, pinhole12, pinhole14, double-sphere or fisheye, for all
            cameras.
        lens_of: lens models of single cameras, over --lens, NAME=MODEL, given once per camera.
        known_lenses: cameras.yaml or lenses.yaml whose lenses are taken as they are; only the poses are calibrated.
        known_rig: cameras.yaml of cameras that are taken as they are; the others are calibrated into their world.
        only: camera to calibrate anew, e.g. one that was moved, given once per camera; the others are those of
            --known-rig, or of the session's cameras.yaml.
        lenses_only: no rig, only the lenses, from calibration/intrinsics/.
        rolling_shutter: estimate the time between image lines in any case; else where the pictures tell of it.
        global_shutter: the cameras take all lines of an image at once.
        board_shape: estimate where the board's corners really are: for a bent sheet, or a print that is out of true.
        check: write nothing; say whether --known-rig, or the session's cameras.yaml, still fits the pictures of the
            board, or the people, and which camera was moved since and by how much.
        overwrite: replace an earlier calibration.
        quiet: no progress bar and no summary.
    """
    from calib.config import BoardShapeConfig, CalibrationConfig, LensConfig, TimeConfig
    from calib.lens_report import lens_summary_lines
    from calib.report import summary_lines
    from mv3d import calibration

    if board is None:
        return _by_people(session, known_rig, only, check, overwrite, Settings(quiet=quiet))
    models = dict(_name_and_value(text) for text in lens_of)
    config = CalibrationConfig(
        lens=LensConfig(model=lens, per_camera=models),
        time=TimeConfig(rolling_shutter=_lines(rolling_shutter, global_shutter)),
        board_shape=BoardShapeConfig(enabled=board_shape),
    )
    progress = Settings(quiet=quiet).progress
    if check:
        return _checked(session, board, known_rig, config, Settings(quiet=quiet))
    known = _known(session, known_lenses, known_rig, only)
    if lenses_only and (known_lenses or known_rig or only):
        raise ConfigError("--lenses-only calibrates every lens; leave out --known-lenses, --known-rig and --only")
    if lenses_only or _only_single_cameras(session):
        done = calibration.calibrate_session_lenses(session, board, config, overwrite=overwrite, progress=progress)
        lines = [*lens_summary_lines(done.observations, done.result), _NO_RIG]
    else:
        done = calibration.calibrate_session(session, board, config, known, overwrite=overwrite, progress=progress)
        lines = summary_lines(done.observations, done.result)
    files = [f"{name:<10}{path}" for name, path in done.outputs.items()]
    return [] if quiet else ["", *lines, "", *files]


def _checked(session: Path, board: str, rig: Path | None, config: "CalibrationConfig", settings: Settings) -> Lines:
    from calib.recheck import recheck_lines
    from mv3d.calibration_check import check_session

    return recheck_lines(check_session(session, board, rig, config, progress=settings.progress))


def _by_people(
    session: Path, rig: Path | None, only: tuple[str, ...], check: bool, overwrite: bool, settings: Settings
) -> Lines:
    from mv3d.person_check import check_by_people, person_check_lines, place_by_people

    if check:
        return person_check_lines(check_by_people(session, rig, settings.load(), progress=settings.progress))
    if len(only) != 1:
        raise ConfigError("--board is missing; without a board only --check works, and --only one camera")
    place_by_people(session, rig, only[0], settings.load(), overwrite=overwrite, progress=settings.progress)
    return settings.unless_quiet(
        [f"{session / 'cameras.yaml'}: {only[0]} placed anew by the people; the others as before"]
    )


def _lines(rolling_shutter: bool, global_shutter: bool) -> bool | None:
    if rolling_shutter and global_shutter:
        raise ConfigError("--rolling-shutter and --global-shutter exclude each other; leave out both to find out")
    return True if rolling_shutter else False if global_shutter else None


def _name_and_value(text: str) -> tuple[str, str]:
    name, separator, value = text.rpartition("=")
    if not (name and separator and value):
        raise ConfigError(f"--lens-of {text}: NAME=MODEL is wanted, e.g. cam03=fisheye")
    return name, value


def _known(session: Path, lenses: Path | None, rig: Path | None, only: tuple[str, ...]) -> "Known":
    from mv3d import calibration
    from mv3d.data.intrinsics import load_intrinsics
    from mv3d.data.rig import Rig

    if only and rig is None:
        rig = session / "cameras.yaml"
    return calibration.Known(load_intrinsics(lenses) if lenses else (), Rig.load(rig) if rig else None, only)


def _only_single_cameras(session: Path) -> bool:
    """Whether there are pictures of single cameras, and none that the cameras took together."""
    from mv3d import calibration

    return (session / "calibration" / "intrinsics").is_dir() and not calibration.has_pictures_together(session)


def board(board: str, out: Path, page: str = "A4", overwrite: bool = False) -> Lines:
    """Write a board as a print-ready PDF (or PNG) at true size, with a ruler to check the print.

    Args:
        board: YAML file of the board, or name of a shipped one.
        out: file to write, .pdf or .png; of several boards, one file each, numbered.
        page: A4, A3, letter, or width x height in mm, e.g. 600x400.
        overwrite: replace the file if it is already there.
    """
    from calib.board_sheet import lay_out, write_sheet
    from calib.boards import each_board, load_board

    parts = each_board(load_board(board))
    files = [out] if len(parts) == 1 else [out.with_stem(f"{out.stem}_{k}") for k in range(1, len(parts) + 1)]
    for path in files:
        check_free(path, overwrite)
    sheets = [lay_out(part, page) for part in parts]
    for sheet, path in zip(sheets, files, strict=True):
        write_sheet(sheet, path)
    return [
        f"{path}: {part.describe()}; print at 100 % and measure the ruler"
        for path, part in zip(files, parts, strict=True)
    ]
