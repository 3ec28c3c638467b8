"""Whether a calibration can be used: its figures held against limits, in words."""

import numpy as np

from calib.lenses import LensResult
from calib.observations import BoardObservations
from calib.result import CalibrationResult, ExcludedView
from mv3d.viz.reason import LEVELS, Level, Reason
from mv3d.viz.verdict import Verdict

# Scatter of a corner coordinate: a sharp board in a still camera leaves 0.1 to 0.3 px; beyond 1 px something moves,
# bends or is blurred.
_NOISE_GOOD_PX, _NOISE_USABLE_PX = 0.4, 1.0
# Standard deviation of the focal length as a share: 0.1 % is 5 mm in 5 m.
_FOCAL_GOOD, _FOCAL_USABLE = 0.001, 0.005
# Views of a camera: five distinct ones determine a lens on paper, twenty in practice.
_VIEWS_GOOD, _VIEWS_USABLE = 20, 8
# Share of a camera's image (of a coarse grid's cells) that corners covered. Little is no fault by itself: a board in
# the middle of a ring covers a quarter, just where the person will be. Beyond it the lens is extrapolated.
_COVERED_GOOD = 0.6
_COVERAGE_CELLS = 8
# Views left out: a few are normal; a third tells that something was wrong with the recording.
_LEFT_OUT_GOOD, _LEFT_OUT_USABLE = 0.1, 0.3
# An offset below this is what genlocked cameras show.
_OFFSET_NOTED_S = 0.004
_TO_DO = "Redo: film the board again, as the marked lines say, before you rely on this."


def judge(observations: BoardObservations, result: CalibrationResult) -> Verdict:
    """Hold a calibration against this module's limits."""
    cameras = range(len(observations.cameras))
    reasons = [
        *(_noise_reason(observations, result.residuals, c) for c in cameras),
        *_focal_reasons(observations, result),
        *(_view_reason(observations, result.residuals, c, _focal_share(result, c)) for c in cameras),
        *_excluded_reasons(observations, result.excluded),
        *_time_reasons(result),
        *_shutter_reasons(result),
        *([] if result.converged else [Reason("look at this", f"The fit did not settle: {result.status}.")]),
    ]
    return _verdict(reasons)


def judge_lenses(observations: BoardObservations, result: LensResult) -> Verdict:
    """Hold lenses that were fitted one by one against this module's limits."""
    cameras = range(len(observations.cameras))
    shares = [fit.focal_sd / fit.lens.focal for fit in result.fits]
    reasons = [
        *(_noise_reason(observations, result.residuals, c) for c in cameras),
        *(_focal_reason(camera.name, share) for camera, share in zip(result.cameras, shares, strict=True)),
        *(_view_reason(observations, result.residuals, c, shares[c]) for c in cameras),
        *_excluded_reasons(observations, result.excluded),
    ]
    return _verdict(reasons)


def _verdict(reasons: list[Reason]) -> Verdict:
    reasons = sorted(reasons, key=lambda reason: -LEVELS.index(reason.level))
    return Verdict(reasons[0].level, tuple(reasons), _TO_DO)


def _noise_reason(observations: BoardObservations, residuals: np.ndarray, camera: int) -> Reason:
    rms = rms_length(residuals[camera]) / np.sqrt(2)
    level = _grade(rms, _NOISE_GOOD_PX, _NOISE_USABLE_PX)
    return Reason(level, f"{observations.cameras[camera]}: corners fit to {rms:.2f} px per coordinate.")


def _focal_reasons(observations: BoardObservations, result: CalibrationResult) -> list[Reason]:
    if result.uncertainty is None:
        return [Reason("look at this", "The views do not tell every parameter; tilt the board more, near and far.")]
    uncertainty = result.uncertainty
    reasons = [_focal_reason(c.name, uncertainty.focal_share(c.name, c.lens)) for c in result.rig]
    return [reason for reason in reasons if reason.level != "good"]


def _focal_share(result: CalibrationResult, camera: int) -> float:
    """Standard deviation of a focal length as a share of it; infinite where it is not known."""
    found = result.rig[camera]
    return result.uncertainty.focal_share(found.name, found.lens) if result.uncertainty else np.inf


def _focal_reason(name: str, share: float) -> Reason:
    level = _grade(share, _FOCAL_GOOD, _FOCAL_USABLE)
    if level == "good":
        return Reason(level, f"{name}: the focal length is known to {share:.2%}.")
    advice = "film it with the board tilted by 30 to 45 degrees, near and far"
    return Reason(level, f"{name}: the focal length is known to {share:.2%} only; {advice}.")


def _view_reason(observations: BoardObservations, residuals: np.ndarray, camera: int, focal_share: float) -> Reason:
    """How many views there are; few well chosen ones that tell the focal length are no reason to film again."""
    views = int(np.isfinite(residuals[camera]).any((-1, -2)).sum())
    covered = _covered(observations, camera)
    level = _grade(1 / max(views, 1), 1 / _VIEWS_GOOD, 1 / _VIEWS_USABLE)
    if level == "look at this" and focal_share <= _FOCAL_GOOD:
        level = "usable"
    text = f"{observations.cameras[camera]}: {views} views that cover {covered:.0%} of the image."
    if level != "good":
        text += " Show it more views."
    if covered < _COVERED_GOOD:
        level = "usable" if level == "good" else level
        text += " If the person is seen elsewhere in it, show it the board there too."
    return Reason(level, text)


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


def _time_reasons(result: CalibrationResult) -> list[Reason]:
    """One line: which cameras, and by how much, is among the result's warnings."""
    time = result.time
    if not time.estimated or not (np.abs(time.mean) > np.maximum(_OFFSET_NOTED_S, 3 * time.mean_sd)).any():
        return []
    apart = f"The cameras are not in sync, by up to {1e3 * np.ptp(time.mean):.0f} ms"
    return [Reason("usable", f"{apart}; the person's videos may be out of it too.")]


def _shutter_reasons(result: CalibrationResult) -> list[Reason]:
    hinted = result.time.hinted
    if not hinted:
        return []
    lines = 1e6 * float(np.median([*hinted.values()]))
    text = f"{', '.join(hinted)}: the board is skewed as by a rolling shutter of {lines:.0f} microseconds a line"
    return [Reason("look at this", f"{text}; leave out --global-shutter, or lenses and places are bent to follow it.")]


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
