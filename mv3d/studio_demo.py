"""`mv3d demo --synthetic`: a recording that is rendered, calibrated and reconstructed from its pixels, and judged."""

from dataclasses import replace
from pathlib import Path

from mv3d.calibration import calibrate_session
from mv3d.config import Config
from mv3d.data.rig import Rig
from mv3d.data.session import Session
from mv3d.demonstration import MADE_BY_SYNTHETIC, refuse_foreign, shown
from mv3d.files.progress import Progress, silent
from mv3d.files.writing import check_output_folder
from mv3d.pipeline import run
from mv3d.result import Result
from mv3d.studio import StudioConfig, render_session
from mv3d.studio_truth import StudioErrors, StudioTruth, placed_like, studio_errors


def run_rendered(
    out: Path, studio: StudioConfig, config: Config, progress: Progress = silent
) -> tuple[Result, StudioErrors]:
    """Render boards and a performer, calibrate from the boards, reconstruct the performer, compare with the truth.

    The calibrated cameras are moved as a whole into the world of the true ones, which boards cannot tell.

    Args:
        out: session folder, new or made by this demo before.
        studio: what is rendered; it needs a board and one person.
        config: of the chain.
        progress: progress bar.

    Raises:
        Mv3dError: what is wrong with the folder or the settings, or did not work out.
    """
    refuse_foreign(out, MADE_BY_SYNTHETIC)
    check_output_folder(out)
    render_session(out, studio, overwrite=True, progress=progress)
    report = calibrate_session(out, studio.board, overwrite=True, progress=progress).outputs["report"]
    truth, session = StudioTruth.load(out / "truth"), Session(out)
    rig = placed_like(Rig.load(session.rig), truth.rig)
    rig.save(session.rig)
    result = run(out, shown(config), overwrite=True, progress=progress, made_by=MADE_BY_SYNTHETIC)
    errors = studio_errors(truth, rig, result.poses2d, result.poses3d)
    errors.save(out / "truth" / "errors.json")
    outputs = {"boards": report, **result.outputs, "truth": out / "truth"}
    return replace(result, outputs=outputs), errors
