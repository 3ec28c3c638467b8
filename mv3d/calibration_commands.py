"""Commands around boards and calibration; see `mv3d.commands` for what a command is."""

from pathlib import Path

from mv3d.commands import Lines, Session
from mv3d.errors import SessionError
from mv3d.settings import Settings


def calibrate(
    session: Session,
    board: str,
    lens: str = "auto",
    known_rig: Path | None = None,
    rolling_shutter: bool = False,
    overwrite: bool = False,
    quiet: bool = False,
) -> Lines:
    """Pictures of a board in, calibrated rig out: writes cameras.yaml and calibration/report.html.

    Pictures lie in calibration/extrinsics/<camera>/ (all cameras at the same instants; or videos/), and of single
    cameras in calibration/intrinsics/<camera>/.

    Args:
        session: the session folder.
        board: YAML file of the board, or name of a shipped one.
        lens: auto, pinhole0, pinhole4, pinhole5, pinhole8, pinhole12, pinhole14 or fisheye, for all cameras.
        known_rig: cameras.yaml of cameras that are taken as they are; the others are calibrated into their world.
        rolling_shutter: estimate the time between image lines.
        overwrite: replace an earlier calibration.
        quiet: no progress bar and no summary.
    """
    from calib.report import summary_lines
    from mv3d.calibration import calibrate_session
    from mv3d.data.rig import Rig

    settings = Settings(quiet=quiet)
    done = calibrate_session(
        session,
        board,
        lens=lens,
        known_rig=Rig.load(known_rig) if known_rig else None,
        rolling_shutter=rolling_shutter,
        overwrite=overwrite,
        progress=settings.progress,
    )
    files = [f"{name:<10}{path}" for name, path in done.outputs.items()]
    return settings.unless_quiet(["", *summary_lines(done.observations, done.result), "", *files])


def board(board: str, out: Path, page: str = "A4", overwrite: bool = False) -> Lines:
    """Write a board as a print-ready PDF (or PNG) at true size, with a ruler to check the print.

    Args:
        board: YAML file of the board, or name of a shipped one.
        out: file to write, .pdf or .png.
        page: A4, A3, letter, or width x height in mm, e.g. 600x400.
        overwrite: replace the file if it is already there.
    """
    from calib.board_sheet import lay_out, write_sheet
    from calib.boards import load_board

    if out.exists() and not overwrite:
        raise SessionError(f"{out}: already there; pass --overwrite to replace it")
    pattern = load_board(board)
    write_sheet(lay_out(pattern, page), out)
    return [f"{out}: {pattern.describe()}; print at 100 % and measure the ruler"]
