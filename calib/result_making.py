"""The result of a calibration from the state at its end."""

from collections.abc import Iterator

import numpy as np
from jaxtyping import Float

from calib.bundle import Bundle
from calib.clocks import clock_offsets, mean_offset_covariance
from calib.config import CalibrationConfig
from calib.covariance import uncertainty_of
from calib.intrinsics import CameraFit, check_focal
from calib.joint import Joint
from calib.observations import BoardObservations
from calib.result import CalibrationResult, ExcludedView, TimeEstimate, Uncertainty
from calib.rolling_shutter import hinted_line_times
from mv3d.data.camera import Camera
from mv3d.data.rig import Rig
from mv3d.geometry.damping import Outcome

# Corners of one camera that are this many times noisier than the others' hint at blur.
_NOISY = 2.0
# A camera that found the board in less than this share of the typical camera's views misses most of what it could tell.
_FEW_VIEWS = 0.5
# More views than this share left out hint at more than bad luck.
_MANY_EXCLUDED = 0.2
# An offset is reported that is significant and would matter to a fast hand (5 m/s, 1 cm).
_LAG_S, _LAG_SIGMAS = 2e-3, 3.0
_LEAST_SHOWN_MS = 0.1


def make_result(
    observations: BoardObservations,
    joint: Joint,
    bundle: Bundle,
    outcome: Outcome,
    fits: tuple[CameraFit, ...],
    sources: np.ndarray,
    shifts: np.ndarray,
    known_rig: Rig | None,
    config: CalibrationConfig,
    unsure: Float[np.ndarray, "unknown unknown"] | None = None,
) -> CalibrationResult:
    """Everything in the frames that the observations came in, and what is suspicious about it.

    Args:
        observations: what was calibrated from.
        joint: the state at the end.
        bundle: its last problem.
        outcome: how that ended.
        fits: of the cameras alone.
        sources: (camera, frame) the observations' frame of each frame of the joint fit, -1 for none.
        shifts: (camera,) whole frames.
        known_rig: whose world this is; None for that of the first camera.
        config: settings that it was made with.
        unsure: what else was estimated and adds to the covariance of the cameras' unknowns.
    """
    names, step = observations.cameras, np.nan_to_num(joint.usual_s)
    uncertainty = uncertainty_of(bundle, names, unsure)
    cameras = tuple(
        Camera(name, (int(size[0]), int(size[1])), joint.lenses[c], *_pose(joint, c, known_rig))
        for c, (name, size) in enumerate(zip(names, observations.sizes, strict=True))
    )
    if uncertainty is not None:
        for c, name in enumerate(names):
            check_focal(name, uncertainty.focal_share(name, joint.lenses[c]))
    residuals, offsets = _in_their_frames(joint, bundle, sources, shifts * step)
    time = _time_estimate(joint, bundle, uncertainty, offsets, shifts, joint.mean - shifts * step, names, config)
    found = _excluded(joint, fits, sources, names)
    return CalibrationResult(
        Rig(cameras), *_boards(joint, known_rig), joint.points, residuals, joint.noise.copy(), time, found, fits,
        uncertainty, tuple(_warnings(observations, joint, time, found)),
        outcome.converged, outcome.status,
    )  # fmt: skip


def _in_their_frames(
    joint: Joint, bundle: Bundle, sources: np.ndarray, shift: np.ndarray
) -> tuple[Float[np.ndarray, "camera frame corner 2"], Float[np.ndarray, "camera frame"]]:
    """Residuals (px) and clock offsets (s), `shift` s of each camera taken off, in the observations' frames."""
    shape = joint.keep.shape
    aligned = np.full((*shape, 2), np.nan)
    views = bundle.views
    counts = np.diff(views.starts)
    aligned[np.repeat(views.camera, counts), np.repeat(views.frame, counts), views.corner] = bundle.residuals()
    residuals, offsets = np.full_like(aligned, np.nan), np.full(shape[:2], np.nan)
    absolute = clock_offsets(joint)
    for c in range(shape[0]):
        there = sources[c] >= 0
        residuals[c, sources[c, there]] = aligned[c, there]
        used = there & joint.keep[c].any(-1) & ~joint.alone[c]
        offsets[c, sources[c, used]] = absolute[c, used] - shift[c]
    return residuals, offsets


def _excluded(
    joint: Joint, fits: tuple[CameraFit, ...], sources: np.ndarray, names: tuple[str, ...]
) -> tuple[ExcludedView, ...]:
    """Views that were left out, by the fits of single cameras and by the joint one, each once."""
    alone = [
        ExcludedView(names[c], frame, reason, False)
        for c, fit in enumerate(fits)
        for frame, reason in fit.excluded.items()
    ]
    together = [
        ExcludedView(names[c], int(sources[c, f]), reason, bool(joint.keep[c, f].any()))
        for (c, f), reason in joint.reasons.items()
    ]
    return tuple(sorted({*alone, *together}, key=lambda e: (e.camera, e.frame)))


def _time_estimate(
    joint: Joint,
    bundle: Bundle,
    uncertainty: Uncertainty | None,
    offsets: np.ndarray,
    shifts: np.ndarray,
    mean: np.ndarray,
    names: tuple[str, ...],
    config: CalibrationConfig,
) -> TimeEstimate:
    """Clocks against the middle one."""
    middle = _middle(mean)
    covariance = np.zeros((len(names), len(names)))
    if joint.timed:
        covariance = mean_offset_covariance(joint, bundle, uncertainty.covariance if uncertainty else None)
    against = np.eye(len(names)) - middle
    return TimeEstimate(
        joint.timed or bool(np.any(shifts)),
        offsets - middle @ mean,
        mean - middle @ mean,
        np.sqrt(np.maximum(np.diag(against @ covariance @ against.T), 0.0)),
        joint.spread / np.sqrt(2) if joint.timed else 0.0,
        shifts,
        joint.line,
        {names[c]: line for c, line in hinted_line_times(joint, config).items()},
    )


def _middle(mean: np.ndarray) -> np.ndarray:
    """Weights of the cameras whose clocks are the middle one: of two the first, of an even number both middle ones."""
    if len(mean) < 3:
        return np.eye(len(mean))[0]
    order, half = np.argsort(mean, kind="stable"), len(mean) // 2
    weights = np.zeros(len(mean))
    weights[order[[half]] if len(mean) % 2 else order[[half - 1, half]]] = 1 if len(mean) % 2 else 0.5
    return weights


def _pose(joint: Joint, c: int, known_rig: Rig | None) -> tuple[np.ndarray, np.ndarray]:
    """Camera from the first camera's frame, or from the known rig's world."""
    if known_rig is not None:
        return joint.R[c], joint.t[c]
    R = joint.R[c] @ joint.R[0].T
    return R, joint.t[c] - R @ joint.t[0]


def _boards(joint: Joint, known_rig: Rig | None) -> tuple[np.ndarray, np.ndarray]:
    used = np.any(joint.keep.any(-1) & ~joint.alone, axis=0)
    R, t = joint.board_R, joint.board_t
    if known_rig is None:
        R, t = joint.R[0] @ R, t @ joint.R[0].T + joint.t[0]
    return np.where(used[:, None, None], R, np.nan), np.where(used[:, None], t, np.nan)


def sd_ms(sd: float) -> float:
    """Standard deviation of an offset as it is shown, ms: a small one is rounded up, for none is known exactly."""
    return max(1e3 * sd, _LEAST_SHOWN_MS) if sd > 0 else 0.0


def _warnings(
    observations: BoardObservations, joint: Joint, time: TimeEstimate, excluded: tuple[ExcludedView, ...]
) -> Iterator[str]:
    typical = float(np.median(joint.noise))
    views = observations.views.sum(1)
    for c, name in enumerate(observations.cameras):
        mean, sd = time.mean[c], time.mean_sd[c]
        if time.estimated and abs(mean) > max(_LAG_S, _LAG_SIGMAS * sd):
            way = "lags" if mean < 0 else "leads"
            yield f"{name} {way} the others by {1e3 * abs(mean):.1f} +- {sd_ms(sd):.1f} ms: not in sync"
        if len(views) > 1 and joint.noise[c] > _NOISY * typical:
            yield f"{name}: its corners are {joint.noise[c] / typical:.1f} times noisier than the others': blurred?"
        if len(views) > 1 and views[c] < _FEW_VIEWS * np.median(views):
            yield (
                f"{name}: the board was found in {views[c]} of its pictures, in {np.median(views):.0f} of a typical"
                " camera: blurred, dark or aimed elsewhere?"
            )
        out = [e for e in excluded if e.camera == name]
        if len(out) > _MANY_EXCLUDED * views[c]:
            reasons = [e.reason.split(" (by")[0] for e in out]
            main = max(set(reasons), key=reasons.count)
            yield f"{name}: {len(out)} of {views[c]} views left out, most of them because: {main}"
    if joint.line.any():
        lines = 1e6 * float(np.median(joint.line))
        yield f"the cameras read their images line by line, {lines:.0f} microseconds a line: taken into account"
    if time.spread > _LAG_S:
        yield f"the cameras' clocks scatter by {1e3 * time.spread:.0f} ms from frame to frame: a trigger would help"
