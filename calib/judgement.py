"""Whether a calibration can be used: its figures held against limits, in words."""

import numpy as np

from calib.lenses import LensResult
from calib.observations import BoardObservations
from calib.result import CalibrationResult, ExcludedView
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
_LEVELS: tuple[Level, ...] = ("good", "usable", "look at this")


def judge(observations: BoardObservations, result: CalibrationResult) -> Verdict:
    """Hold a calibration against this module's limits."""
    cameras = range(len(observations.cameras))
    reasons = [
        *(_noise_reason(observations, result.residuals, c) for c in cameras),
        *_focal_reasons(observations, result),
        *(_view_reason(observations, result.residuals, c) for c in cameras),
        *_excluded_reasons(observations, result.excluded),
        *_time_reasons(observations, result),
        *([] if result.converged else [Reason("look at this", f"The fit did not settle: {result.status}.")]),
    ]
    return _verdict(reasons)


def judge_lenses(observations: BoardObservations, result: LensResult) -> Verdict:
    """Hold lenses that were fitted one by one against this module's limits."""
    cameras = range(len(observations.cameras))
    focal = ((fit, camera.name) for fit, camera in zip(result.fits, result.cameras, strict=True))
    reasons = [
        *(_noise_reason(observations, result.residuals, c) for c in cameras),
        *(_focal_reason(name, fit.focal_sd / fit.lens.K[0, 0]) for fit, name in focal),
        *(_view_reason(observations, result.residuals, c) for c in cameras),
        *_excluded_reasons(observations, result.excluded),
    ]
    return _verdict(reasons)


def _verdict(reasons: list[Reason]) -> Verdict:
    reasons = sorted(reasons, key=lambda reason: -_LEVELS.index(reason.level))
    return Verdict(reasons[0].level, tuple(reasons))


def _noise_reason(observations: BoardObservations, residuals: np.ndarray, camera: int) -> Reason:
    rms = rms_length(residuals[camera]) / np.sqrt(2)
    level = _grade(rms, _NOISE_GOOD_PX, _NOISE_USABLE_PX)
    return Reason(level, f"{observations.cameras[camera]}: corners fit to {rms:.2f} px per coordinate.")


def _focal_reasons(observations: BoardObservations, result: CalibrationResult) -> list[Reason]:
    if result.uncertainty is None:
        return [Reason("look at this", "The views do not tell every parameter; tilt the board more, near and far.")]
    uncertainty = result.uncertainty
    reasons = [_focal_reason(c.name, uncertainty.sd(c.name, "fx") / c.lens.K[0, 0]) for c in result.rig]
    return [reason for reason in reasons if reason.level != "good"]


def _focal_reason(name: str, share: float) -> Reason:
    level = _grade(share, _FOCAL_GOOD, _FOCAL_USABLE)
    if level == "good":
        return Reason(level, f"{name}: the focal length is known to {share:.2%}.")
    advice = "film it with the board tilted by 30 to 45 degrees, near and far"
    return Reason(level, f"{name}: the focal length is known to {share:.2%} only; {advice}.")


def _view_reason(observations: BoardObservations, residuals: np.ndarray, camera: int) -> Reason:
    views = int(np.isfinite(residuals[camera]).any((-1, -2)).sum())
    covered = _covered(observations, camera)
    grades = (
        _grade(1 / max(views, 1), 1 / _VIEWS_GOOD, 1 / _VIEWS_USABLE),
        _grade(-covered, -_COVERED_GOOD, -_COVERED_USABLE),
    )
    worst = grades[0] if _LEVELS.index(grades[0]) > _LEVELS.index(grades[1]) else grades[1]
    name = observations.cameras[camera]
    advice = "" if worst == "good" else " Show it more views, also in the corners of its image."
    return Reason(worst, f"{name}: {views} views that cover {covered:.0%} of the image.{advice}")


def _excluded_reasons(observations: BoardObservations, excluded: tuple[ExcludedView, ...]) -> list[Reason]:
    reasons = []
    for c, name in enumerate(observations.cameras):
        left_out = [e for e in excluded if e.camera == name]
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


def _covered(observations: BoardObservations, camera: int) -> float:
    """Share of the cells of a coarse grid over the image that hold a corner."""
    corners = observations.xy[camera][observations.seen[camera]]
    cell = np.clip((corners / observations.sizes[camera] * _COVERAGE_CELLS).astype(int), 0, _COVERAGE_CELLS - 1)
    return len(np.unique(cell[:, 0] * _COVERAGE_CELLS + cell[:, 1])) / _COVERAGE_CELLS**2


def rms_length(residuals: np.ndarray) -> float:
    """Root mean square length of the residuals that were used; NaN if none was."""
    square = (residuals**2).sum(-1)
    return float(np.sqrt(np.nanmean(square))) if np.isfinite(square).any() else float("nan")


def _grade(value: float, good: float, usable: float) -> Level:
    """Level of a figure of which less is better; what is not known is to be looked at."""
    return "good" if value <= good else "usable" if value <= usable else "look at this"
