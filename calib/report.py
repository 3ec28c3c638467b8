"""What a calibration is worth, in words, in lines for the terminal and as one HTML file."""

from pathlib import Path

import numpy as np

from calib import report_plots
from calib.observations import BoardObservations
from calib.result import CalibrationResult
from mv3d.viz.page import Page, Table, drawing, number
from mv3d.viz.plots import to_png
from mv3d.viz.verdict import Level, Reason, Verdict

# Scatter of a corner coordinate: a sharp board in a still camera leaves 0.1 to 0.3 px; beyond 1 px something moves,
# bends or is blurred.
_NOISE_GOOD_PX, _NOISE_USABLE_PX = 0.4, 1.0
# Standard deviation of the focal length as a share: 0.1 % is 5 mm in 5 m.
_FOCAL_GOOD, _FOCAL_USABLE = 0.001, 0.005
# Views of a camera: five distinct ones determine a lens on paper, twenty in practice.
_VIEWS_GOOD, _VIEWS_USABLE = 20, 8
# Share of a camera's image (of a coarse grid's cells) that corners covered.
_COVERED_GOOD, _COVERED_USABLE = 0.6, 0.3
_COVERAGE_CELLS = 8
# Views left out: a few are normal; a third tells that something was wrong with the recording.
_LEFT_OUT_GOOD, _LEFT_OUT_USABLE = 0.1, 0.3
# An offset below this is what genlocked cameras show.
_OFFSET_NOTED_S = 0.004
_MOST_ROWS = 40
_FOOTER = (
    "A residual is the model minus the observation, with the camera's time offset taken out. The world is the first"
    " camera's frame: x right, y down, z forward."
)
_LEVELS: tuple[Level, ...] = ("good", "usable", "look at this")


def judge(observations: BoardObservations, result: CalibrationResult) -> Verdict:
    """Hold a calibration against this module's limits."""
    reasons = [
        *(_noise_reason(observations, result, c) for c in range(len(observations.cameras))),
        *_focal_reasons(observations, result),
        *(_view_reason(observations, result, c) for c in range(len(observations.cameras))),
        *_excluded_reasons(observations, result),
        *_time_reasons(observations, result),
        *([] if result.converged else [Reason("look at this", f"The fit did not settle: {result.status}.")]),
    ]
    reasons.sort(key=lambda reason: -_LEVELS.index(reason.level))
    return Verdict(reasons[0].level, tuple(reasons))


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
            offset = f"{1e3 * result.time.mean[c]:+.1f} +- {1e3 * result.time.mean_sd[c]:.1f}"
        views = int(np.isfinite(result.view_rms[c]).sum())
        rms = _rms(result.residuals[c])
        lines.append(
            f"{camera.name[:13]:<14}{views:>7}{rms:>8.2f}{focal:>16}{result.lenses_alone[c].model:>11}{offset:>15}"
        )
    verdict = judge(observations, result)
    lines += ["", verdict.headline]
    lines += [f"  {reason.text}" for reason in verdict.reasons if reason.level != "good"]
    return lines + [f"  {warning}" for warning in result.warnings]


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
        warnings=list(result.warnings),
        summary=_summary(observations, result),
        tables=[_camera_table(result), _distance_table(result), _view_table(observations, result)],
        plots=_plots(observations, result),
        facts=facts,
        footer=_FOOTER,
    )
    page.write(path)
    return verdict


def _noise_reason(observations: BoardObservations, result: CalibrationResult, camera: int) -> Reason:
    rms = _rms(result.residuals[camera]) / np.sqrt(2)
    level = _grade(rms, _NOISE_GOOD_PX, _NOISE_USABLE_PX)
    return Reason(level, f"{observations.cameras[camera]}: corners fit to {rms:.2f} px per coordinate.")


def _focal_reasons(observations: BoardObservations, result: CalibrationResult) -> list[Reason]:
    if result.uncertainty is None:
        return [Reason("look at this", "The views do not tell every parameter; tilt the board more, near and far.")]
    reasons = []
    for camera in result.rig:
        share = result.uncertainty.sd(camera.name, "fx") / camera.lens.K[0, 0]
        level = _grade(share, _FOCAL_GOOD, _FOCAL_USABLE)
        if level != "good":
            advice = "film it with the board tilted by 30 to 45 degrees, near and far"
            reasons.append(Reason(level, f"{camera.name}: the focal length is known to {share:.2%} only; {advice}."))
    return reasons


def _view_reason(observations: BoardObservations, result: CalibrationResult, camera: int) -> Reason:
    views = int(np.isfinite(result.view_rms[camera]).sum())
    covered = _covered(observations, camera)
    grades = (
        _grade(1 / max(views, 1), 1 / _VIEWS_GOOD, 1 / _VIEWS_USABLE),
        _grade(-covered, -_COVERED_GOOD, -_COVERED_USABLE),
    )
    worst = grades[0] if _LEVELS.index(grades[0]) > _LEVELS.index(grades[1]) else grades[1]
    name = observations.cameras[camera]
    advice = "" if worst == "good" else " Show it more views, also in the corners of its image."
    return Reason(worst, f"{name}: {views} views that cover {covered:.0%} of the image.{advice}")


def _excluded_reasons(observations: BoardObservations, result: CalibrationResult) -> list[Reason]:
    reasons = []
    for c, name in enumerate(observations.cameras):
        left_out = [e for e in result.excluded if e.camera == name]
        seen = int(observations.views[c].sum())
        if left_out and seen:
            level = _grade(len(left_out) / seen, _LEFT_OUT_GOOD, _LEFT_OUT_USABLE)
            causes = sorted({e.reason for e in left_out}, key=lambda r: -sum(e.reason == r for e in left_out))
            reasons.append(Reason(level, f"{name}: {len(left_out)} of {seen} views were left out ({causes[0]})."))
    return reasons


def _time_reasons(observations: BoardObservations, result: CalibrationResult) -> list[Reason]:
    if not result.time.estimated:
        return []
    reasons = []
    for c, name in enumerate(observations.cameras):
        mean, spread = result.time.mean[c], result.time.mean_sd[c]
        if abs(mean) > max(_OFFSET_NOTED_S, 3 * spread):
            lags = "lags" if mean < 0 else "leads"
            text = f"{name} {lags} by {1e3 * abs(mean):.0f} +- {1e3 * spread:.0f} ms: not in sync."
            reasons.append(Reason("usable", text))
    return reasons


def _summary(observations: BoardObservations, result: CalibrationResult) -> list[tuple[str, str]]:
    return [
        ("cameras", str(len(result.rig))),
        ("frames with a board", str(int(observations.views.any(0).sum()))),
        ("views used", str(int(np.isfinite(result.view_rms).sum()))),
        ("residual, rms", number(result.rms, "px", 2)),
        ("scatter of offsets", number(1e3 * result.time.spread, "ms") if result.time.estimated else "none"),
    ]


def _camera_table(result: CalibrationResult) -> Table:
    rows = []
    for c, camera in enumerate(result.rig):
        K = camera.lens.K
        sd = {p: float("nan") for p in ("fx", "cx", "cy")}
        if result.uncertainty is not None:
            sd = {p: result.uncertainty.sd(camera.name, p) for p in sd}
        rows.append(
            (
                camera.name,
                result.lenses_alone[c].model,
                f"{K[0, 0]:.2f} +- {number(sd['fx'], digits=2)}",
                f"{K[0, 2]:.1f} +- {number(sd['cx'])}, {K[1, 2]:.1f} +- {number(sd['cy'])}",
                " ".join(f"{d:.4f}" for d in camera.lens.dist),
                number(_rms(result.residuals[c]), digits=3),
                number(result.lenses_alone[c].rms_px, digits=3),
                ", ".join(f"{x:.3f}" for x in camera.center),
            )
        )
    note = "Standard deviations follow from the corners' scatter. Alone: the residual of the camera's own fit."
    heads = ("camera", "lens", "fx, px", "centre, px", "distortion", "rms, px", "rms alone, px", "position, m")
    return Table("Cameras", note, heads, rows)


def _distance_table(result: CalibrationResult) -> Table:
    names, rows = result.rig.names, []
    distances = np.linalg.norm(result.rig.centers[:, None] - result.rig.centers, axis=-1)
    for a in range(len(names)):
        for b in range(a + 1, len(names)):
            sd = result.uncertainty.distances_sd[a, b] if result.uncertainty is not None else float("nan")
            rows.append(
                (f"{names[a]} to {names[b]}", number(float(distances[a, b]), "m", 4), number(float(1e3 * sd), "mm", 2))
            )
    note = "Measure one with a tape: a wrong square size of the board shows as the same factor in all of them."
    return Table("Distances between cameras", note, ("pair", "distance", "standard deviation"), rows)


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


def _plots(observations: BoardObservations, result: CalibrationResult) -> list:
    drawn = [
        (
            "The rig",
            "Cameras with their viewing directions, and where the board was.",
            report_plots.rig_from_above(result),
        ),
        (
            "Coverage",
            "Where corners were seen; pale parts of an image are where its lens is guessed.",
            report_plots.coverage(observations),
        ),
        (
            "Residual fields",
            "Mean residuals, magnified. Noise points anywhere; a pattern tells that the lens model is too weak.",
            report_plots.residual_fields(observations, result),
        ),
        ("Residuals", "Should be one narrow hill around zero.", report_plots.residual_histograms(observations, result)),
    ]
    if result.time.estimated:
        note = "What a camera stamps t is the world at t + offset. A step is a jump of a camera's clock."
        drawn.append(("Time offsets", note, report_plots.offsets_over_time(observations, result)))
    return [drawing(title, note, to_png(figure)) for title, note, figure in drawn]


def _covered(observations: BoardObservations, camera: int) -> float:
    """Share of the cells of a coarse grid over the image that hold a corner."""
    corners = observations.xy[camera][observations.seen[camera]]
    cell = np.clip((corners / observations.sizes[camera] * _COVERAGE_CELLS).astype(int), 0, _COVERAGE_CELLS - 1)
    return len(np.unique(cell[:, 0] * _COVERAGE_CELLS + cell[:, 1])) / _COVERAGE_CELLS**2


def _rms(residuals: np.ndarray) -> float:
    """Root mean square length of the residuals that were used; NaN if none was."""
    square = (residuals**2).sum(-1)
    return float(np.sqrt(np.nanmean(square))) if np.isfinite(square).any() else float("nan")


def _grade(value: float, good: float, usable: float) -> Level:
    """Level of a figure of which less is better; what is not known is to be looked at."""
    return "good" if value <= good else "usable" if value <= usable else "look at this"
