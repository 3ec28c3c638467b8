"""What lenses without a rig are worth, in lines for the terminal and as one HTML file."""

from pathlib import Path

import numpy as np

from calib import report_plots
from calib.judgement import judge_lenses, rms_length
from calib.lenses import LensResult
from calib.observations import BoardObservations
from mv3d.viz.page import Page, Table, drawing, number
from mv3d.viz.plots import to_png
from mv3d.viz.verdict import Verdict

_FOOTER = (
    "Lenses only: no two cameras were shown the board at once, so nothing is known of where they stand. A residual is"
    " the model minus the observation. The lens does not depend on the size of the squares."
)
_MOST_ROWS = 40


def lens_table_lines(result: LensResult) -> list[str]:
    """The lenses as a table for the terminal."""
    header = f"{'camera':<14}{'views':>7}{'rms px':>8}{'focal px':>18}{'lens':>11}"
    lines = [header, "-" * len(header)]
    for c, (camera, fit) in enumerate(zip(result.cameras, result.fits, strict=True)):
        views, focal = int(fit.keep.any(1).sum()), f"{camera.lens.K[0, 0]:.1f} +- {fit.focal_sd:.1f}"
        rms = rms_length(result.residuals[c])
        lines.append(f"{camera.name[:13]:<14}{views:>7}{rms:>8.2f}{focal:>18}{fit.model:>11}")
    return lines


def lens_summary_lines(observations: BoardObservations, result: LensResult) -> list[str]:
    """A short report for the terminal."""
    verdict = judge_lenses(observations, result)
    reasons = [f"  {reason.text}" for reason in verdict.reasons if reason.level != "good"]
    return [*lens_table_lines(result), "", verdict.headline, *reasons]


def write_lens_report(
    path: str | Path, observations: BoardObservations, result: LensResult, title: str, facts: dict[str, str]
) -> Verdict:
    """Write calibration/report.html of lenses alone; it appears whole or not at all.

    Raises:
        SessionError: the file cannot be written.
    """
    verdict = judge_lenses(observations, result)
    page = Page(
        title=title,
        verdict=verdict,
        warnings=[],
        summary=[
            ("cameras", str(len(result.cameras))),
            ("views used", str(sum(int(fit.keep.any(1).sum()) for fit in result.fits))),
            ("residual, rms", number(rms_length(result.residuals), "px", 2)),
        ],
        tables=[_lens_table(result), _view_table(observations, result)],
        plots=_plots(observations, result),
        facts=facts,
        footer=_FOOTER,
    )
    page.write(path)
    return verdict


def _lens_table(result: LensResult) -> Table:
    rows = []
    for c, (camera, fit) in enumerate(zip(result.cameras, result.fits, strict=True)):
        K = camera.lens.K
        cells = (
            camera.name,
            fit.model,
            f"{K[0, 0]:.2f} +- {number(fit.focal_sd, digits=2)}",
            f"{K[0, 2]:.1f}, {K[1, 2]:.1f}",
            " ".join(f"{d:.4f}" for d in camera.lens.dist),
            number(rms_length(result.residuals[c]), digits=3),
        )
        rows.append(cells)
    note = "The standard deviation follows from the corners' scatter."
    return Table("Lenses", note, ("camera", "lens", "fx, px", "centre, px", "distortion", "rms, px"), rows)


def _view_table(observations: BoardObservations, result: LensResult) -> Table:
    """The views that were left out, then those used, the worst first."""
    rows = [(e.camera, observations.frame_names[e.frame], "left out", e.reason) for e in result.excluded][:_MOST_ROWS]
    marked = frozenset(range(len(rows)))
    used = np.asarray(np.isfinite(result.residuals).all(-1))
    square = np.where(used, (result.residuals**2).sum(-1), 0.0).sum(-1) / np.maximum(used.sum(-1), 1)
    for flat in np.argsort(-square, axis=None)[: max(_MOST_ROWS - len(rows), 5)]:
        c, f = np.unravel_index(flat, square.shape)
        if used[c, f].any():
            rms = number(float(np.sqrt(square[c, f])), "px", 2)
            rows.append((observations.cameras[c], observations.frame_names[f], rms, ""))
    note = "Views that were left out, with the reason, and those used, the worst first."
    return Table("Views", note, ("camera", "view", "rms", "reason"), rows, marked)


def _plots(observations: BoardObservations, result: LensResult) -> list:
    drawn = [
        (
            "Coverage",
            "Where corners were seen; pale parts of an image are where its lens is guessed.",
            report_plots.coverage(observations),
        ),
        (
            "Residual fields",
            "Mean residuals, magnified. Noise points anywhere; a pattern tells that the lens model is too weak.",
            report_plots.residual_fields(observations, result.residuals),
        ),
        (
            "Residuals",
            "Should be one narrow hill around zero.",
            report_plots.residual_histograms(observations, result.residuals),
        ),
    ]
    return [drawing(title, note, to_png(figure)) for title, note, figure in drawn]
