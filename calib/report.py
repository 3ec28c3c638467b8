"""What a calibration is worth, in words, in lines for the terminal and as one HTML file."""

from pathlib import Path

import numpy as np

from calib import report_plots
from calib.boards import BoardSet
from calib.judgement import judge, rms_length
from calib.observations import BoardObservations
from calib.result import CalibrationResult
from calib.result_making import sd_ms
from mv3d.viz.page import Page, Table, drawing, number
from mv3d.viz.plots import to_png
from mv3d.viz.verdict import Verdict

_MOST_ROWS = 25
_FOOTER = (
    "A residual is the model minus the observation, with the camera's time offset taken out. The world is the first"
    " camera's frame: x right, y down, z forward."
)


def summary_lines(observations: BoardObservations, result: CalibrationResult) -> list[str]:
    """A short report for the terminal."""
    header = f"{'camera':<14}{'views':>7}{'rms px':>8}{'focal px':>16}{'lens':>11}{'offset ms':>15}"
    lines = [header, "-" * len(header)]
    for c, camera in enumerate(result.rig):
        focal = f"{camera.lens.K[0, 0]:.1f}"
        if result.uncertainty is not None:
            focal += f" +- {result.uncertainty.sd(camera.name, 'fx'):.1f}"
        offset = "-"
        if result.time.estimated:
            offset = f"{1e3 * result.time.mean[c]:+.1f} +- {sd_ms(float(result.time.mean_sd[c])):.1f}"
        views = int(np.isfinite(result.view_rms[c]).sum())
        rms = rms_length(result.residuals[c])
        lines.append(
            f"{camera.name[:13]:<14}{views:>7}{rms:>8.2f}{focal:>16}{result.lenses_alone[c].model:>11}{offset:>15}"
        )
    verdict = judge(observations, result)
    lines += ["", verdict.headline]
    lines += [f"  {reason.text}" for reason in verdict.reasons if reason.level != "good"]
    return [*lines, *(f"  {note}" for note in notes(observations, result))]


def notes(observations: BoardObservations, result: CalibrationResult) -> list[str]:
    """What there is to know beside the verdict."""
    return [*result.warnings, *_shape_notes(observations, result), square_size_note(observations)]


def _shape_notes(observations: BoardObservations, result: CalibrationResult) -> list[str]:
    if isinstance(observations.board, BoardSet):
        return []  # where they are on one another is told apart
    moved = np.linalg.norm(result.board_points - observations.board.points, axis=1)
    if not moved.any():
        return []
    rms, most = 1e3 * np.sqrt(np.mean(moved**2)), 1e3 * moved.max()
    return [f"the board's corners were found {rms:.2f} mm (rms; at most {most:.2f} mm) from where they are described"]


def square_size_note(observations: BoardObservations) -> str:
    """What a rig's scale hangs on."""
    return (
        f"all lengths follow from {observations.board.scale()}: no picture of a board tells a"
        " wrong one, a distance measured with a tape does"
    )


def write_report(
    path: str | Path, observations: BoardObservations, result: CalibrationResult, title: str, facts: dict[str, str]
) -> Verdict:
    """Write calibration/report.html; it appears whole or not at all.

    Raises:
        SessionError: the file cannot be written.
    """
    verdict = judge(observations, result)
    page = Page(
        title=title,
        verdict=verdict,
        warnings=notes(observations, result),
        summary=_summary(observations, result),
        tables=[_lens_table(result), _place_table(result), _distance_table(result), _view_table(observations, result)],
        plots=_plots(observations, result),
        facts=facts,
        footer=_FOOTER,
    )
    page.write(path)
    return verdict


def _summary(observations: BoardObservations, result: CalibrationResult) -> list[tuple[str, str]]:
    return [
        ("cameras", str(len(result.rig))),
        ("frames with a board", str(int(observations.views.any(0).sum()))),
        ("views used", str(int(np.isfinite(result.view_rms).sum()))),
        ("residual, rms", number(result.rms, "px", 2)),
        ("scatter of offsets", number(1e3 * result.time.spread, "ms") if result.time.estimated else "none"),
    ]


def _lens_table(result: CalibrationResult) -> Table:
    rows = []
    for c, camera in enumerate(result.rig):
        K = camera.lens.K
        sd = {p: float("nan") for p in ("fx", "cx", "cy")}
        if result.uncertainty is not None:
            sd = {p: result.uncertainty.sd(camera.name, p) for p in sd}
        cells = (
            camera.name,
            result.lenses_alone[c].model,
            f"{K[0, 0]:.2f} +- {number(sd['fx'], digits=2)}",
            f"{K[0, 2]:.1f} +- {number(sd['cx'])}, {K[1, 2]:.1f} +- {number(sd['cy'])}",
            " ".join(f"{d:.4f}" for d in camera.lens.dist),
        )
        rows.append(cells)
    note = "Standard deviations follow from the corners' scatter."
    return Table("Lenses", note, ("camera", "lens", "fx, px", "centre, px", "distortion"), rows)


def _place_table(result: CalibrationResult) -> Table:
    rows = [
        (
            camera.name,
            number(rms_length(result.residuals[c]), digits=3),
            number(result.lenses_alone[c].rms_px, digits=3),
            ", ".join(f"{x:.3f}" for x in np.round(camera.center, 3) + 0.0),  # no minus before a zero
        )
        for c, camera in enumerate(result.rig)
    ]
    note = "Residuals of the joint fit and of the camera's own; they are alike where the rig explains all that it sees."
    return Table("Residuals and places", note, ("camera", "rms, px", "rms alone, px", "position, m"), rows)


def _distance_table(result: CalibrationResult) -> Table:
    names, rows, shared = result.rig.names, [], report_plots.shared_views(result)
    distances = np.linalg.norm(result.rig.centers[:, None] - result.rig.centers, axis=-1)
    for a in range(len(names)):
        for b in range(a + 1, len(names)):
            sd = result.uncertainty.distances_sd[a, b] if result.uncertainty is not None else float("nan")
            distance = number(float(distances[a, b]), "m", 4)
            rows.append((f"{names[a]} to {names[b]}", distance, number(float(1e3 * sd), "mm", 2), str(shared[a, b])))
    note = "Measure one with a tape: a wrong square size of the board shows as the same factor in all of them."
    return Table("Distances between cameras", note, ("pair", "distance", "standard deviation", "shared views"), rows)


def _view_table(observations: BoardObservations, result: CalibrationResult) -> Table:
    """The views that were left out, then the worst of those used."""
    rows = [
        (e.camera, observations.frame_names[e.frame], "left out" + (" of the rig" if e.joint_only else ""), e.reason)
        for e in result.excluded
    ][:_MOST_ROWS]
    marked = frozenset(range(len(rows)))
    rms = np.nan_to_num(result.view_rms, nan=-1.0)
    for flat in np.argsort(-rms, axis=None)[: max(_MOST_ROWS - len(rows), 5)]:
        c, f = np.unravel_index(flat, rms.shape)
        if rms[c, f] >= 0:
            rows.append((observations.cameras[c], observations.frame_names[f], number(float(rms[c, f]), "px", 2), ""))
    note = "Views that were left out, with the reason, and those used that fit worst."
    return Table("Views to look at", note, ("camera", "view", "rms", "reason"), rows, marked)


def _pair_drawing(observations: BoardObservations, result: CalibrationResult) -> list:
    if len(result.rig) < 2:
        return []
    note = (
        "Views that cameras share, and each one's own in brackets; then where a row's camera saw the board while a"
        " column's saw it too. Two cameras that share little hang together by the others only."
    )
    return [("Pairs", note, report_plots.pair_coverage(observations, result))]


def _plots(observations: BoardObservations, result: CalibrationResult) -> list:
    drawn = [
        (
            "The rig",
            "Cameras with what they look at, and where the board was; the first camera's frame.",
            report_plots.rig_views(result),
        ),
        (
            "Coverage",
            "Where corners were seen; pale parts of an image are where its lens is guessed.",
            report_plots.coverage(observations),
        ),
        *_pair_drawing(observations, result),
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
    if result.time.estimated:
        note = "What a camera stamps t is the world at t + offset. A step is a jump of a camera's clock."
        drawn.append(("Time offsets", note, report_plots.offsets_over_time(observations, result)))
    return [drawing(title, note, to_png(figure)) for title, note, figure in drawn]
