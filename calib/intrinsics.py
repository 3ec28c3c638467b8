"""Lens of one camera from its views of a board."""

from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Bool, Float

from calib.config import LensConfig, OutlierConfig
from calib.layout import focal_sd
from calib.lens_start import as_model
from calib.planar import usable_views
from calib.single_camera import (
    SingleCamera,
    SingleSolution,
    fit_from_scratch,
    robust_sigma,
    solve_single,
)
from mv3d.data.lens import DoubleSphere, Fisheye, Lens, Pinhole
from mv3d.errors import CalibrationError

# With fewer views a held-out error says nothing, and a model with more than four coefficients has nothing to hold.
_FEWEST_VIEWS_TO_CHOOSE = 8
_FEWEST_VIEWS = 3
_FOLDS = 4
# With few views a wide lens must lower the error to this share of a pinhole's.
_FAR_BETTER = 0.5
_WIDE_MODELS = (DoubleSphere.kind, Fisheye.kind)
# Where corners lie farther from the axis (rad) a pinhole that does not fit better than a wide lens is none: beyond the
# corners, towards 90 degrees, its polynomial stands on nothing.
_TOO_WIDE = 1.05
# A gain counts that is larger than this many of its own standard deviations.
_SURE = 2.5
# Above this the focal length is a guess.
WORST_FOCAL_SD = 0.1


@dataclass(frozen=True, slots=True, eq=False)
class CameraFit:
    """One camera alone.

    Attributes:
        lens: of the camera.
        model: its name.
        R, t: (frame, 3, 3), (frame, 3) m, board in the camera; NaN where there is none.
        keep: (frame, corner) which corners count.
        excluded: frames that do not count, with the reason.
        noise_px: robust standard deviation of a coordinate.
        rms_px: root mean square of the kept corners' residuals (2D lengths).
        focal_sd: of the lens's focal length along x, px.
        held_out_px: held-out rms by model, where the model was chosen.
    """

    lens: Lens
    model: str
    R: np.ndarray
    t: np.ndarray
    keep: np.ndarray
    excluded: dict[int, str]
    noise_px: float
    rms_px: float
    focal_sd: float
    held_out_px: dict[str, float]


def fit_camera(
    points: Float[np.ndarray, "corner 3"],
    xy: Float[np.ndarray, "frame corner 2"],
    sigma_px: Float[np.ndarray, " frame"],
    size: tuple[int, int],
    *,
    model: str = "auto",
    name: str = "camera",
    known: Lens | None = None,
    config: LensConfig | None = None,
    outliers: OutlierConfig | None = None,
    worst_focal_sd: float = WORST_FOCAL_SD,
) -> CameraFit:
    """Lens and board poses of one camera.

    Args:
        points: corners on the board, m.
        xy: observed corners px; NaN where not seen.
        sigma_px: their standard deviation, frame by frame.
        size: (width, height) px.
        model: lens model's name, or auto.
        name: for messages.
        known: the lens, if it is not to be estimated.
        config: of the lens.
        outliers: what is left out.
        worst_focal_sd: relative uncertainty of the focal length above which the views are refused.

    Raises:
        CalibrationError: too few views, or views that do not tell the focal length.
    """
    # Frames without a board are left out, and put back at the end.
    frames = np.flatnonzero(np.all(np.isfinite(xy), axis=-1).any(1))
    if not len(frames):
        raise CalibrationError(f"{name}: no board in any of its images; check the board's description and the images")
    sigma = np.where(np.isfinite(sigma_px), sigma_px, np.nanmedian(sigma_px))[frames]
    problem = SingleCamera(points, xy[frames], sigma, size, config or LensConfig())
    fit = _fit_seen(problem, model, name, known, outliers or OutlierConfig())
    check_focal(name, fit.focal_sd / fit.lens.focal, worst_focal_sd)
    return _expanded(fit, frames, len(xy))


def _fit_seen(problem: SingleCamera, model: str, name: str, known: Lens | None, outliers: OutlierConfig) -> CameraFit:
    keep, excluded = usable_views(problem.points, problem.xy)
    _check_usable(name, keep, excluded, known)
    if known is not None:
        solved = solve_single(problem, known, keep, free=False)
        return _finish(problem, known.model, solved, excluded, outliers, False, {})
    first = "pinhole4" if model == "auto" else model
    solved = fit_from_scratch(problem, first, keep)
    scores: dict[str, float] = {}
    if model == "auto":
        first, scores = _choose(problem, solved, keep)
        solved = fit_from_scratch(problem, first, keep)
    return _finish(problem, first, solved, excluded, outliers, True, scores)


def check_focal(name: str, relative_sd: float, worst: float = WORST_FOCAL_SD) -> None:
    """Refuse a focal length that the views do not tell."""
    if not relative_sd < worst:
        raise CalibrationError(
            f"{name}: its views do not tell the focal length (+- {100 * relative_sd:.0f} %): the board always faces it"
            " alike; film the board tilted by 20 to 45 degrees to all sides"
        )


def _expanded(fit: CameraFit, frames: np.ndarray, count: int) -> CameraFit:
    """The fit in all frames again."""

    def put(values: np.ndarray, fill: float | bool) -> np.ndarray:
        out = np.full((count, *values.shape[1:]), fill, values.dtype)
        out[frames] = values
        return out

    excluded = {int(frames[view]): reason for view, reason in fit.excluded.items()}
    return replace(fit, R=put(fit.R, np.nan), t=put(fit.t, np.nan), keep=put(fit.keep, False), excluded=excluded)


def _check_usable(name: str, keep: np.ndarray, excluded: dict[int, str], known: Lens | None) -> None:
    usable = int(keep.any(1).sum())
    mirrored = sum("mirrored" in reason for reason in excluded.values())
    if mirrored > 0.5 * len(keep):
        raise CalibrationError(f"{name}: its images are mirrored ({mirrored} of {len(keep)} boards); unflip the video")
    if usable < (1 if known is not None else _FEWEST_VIEWS):
        raise CalibrationError(
            f"{name}: {usable} usable views of the board, at least {_FEWEST_VIEWS} are needed; film it longer, and"
            " check the number of squares"
        )


def _choose(problem: SingleCamera, solved: SingleSolution, keep: np.ndarray) -> tuple[str, dict[str, float]]:
    """The simplest model whose held-out error a richer one does not lower by a good share."""
    candidates = problem.config.candidates
    if keep.any(1).sum() < _FEWEST_VIEWS_TO_CHOOSE:
        return _choose_of_few(problem, solved, keep), {}
    tried = {model: _held_out(problem, model, solved, keep) for model in candidates}
    errors = {model: error for model, (error, _) in tried.items()}
    scores = {model: float(np.sqrt(np.nanmean(error))) for model, error in errors.items()}
    best = candidates[0]
    for model in candidates[1:]:
        # View by view, so that a gain which a few views make by chance does not count.
        gain = errors[best] - errors[model]
        gain = gain[np.isfinite(gain)]
        sure = gain.mean() > _SURE * gain.std() / np.sqrt(max(len(gain), 1))
        if sure and scores[model] < scores[best] * (1 - problem.config.gain):
            best = model
    wide = min((model for model in candidates if model in _WIDE_MODELS), key=lambda m: scores[m], default=best)
    alike = scores[wide] <= scores[best] * (1 + problem.config.gain)
    return (wide if alike and _reach(tried[wide][1], problem, keep) > _TOO_WIDE else best), scores


def _reach(lens: Lens, problem: SingleCamera, keep: np.ndarray) -> float:
    """Largest angle from the axis of a corner, rad."""
    z = lens.unproject(problem.xy[keep])[:, 2]
    return float(np.arccos(np.clip(np.nanmin(z), -1, 1)))


def _held_out(problem: SingleCamera, model: str, solved: SingleSolution, keep: np.ndarray) -> tuple[np.ndarray, Lens]:
    """Mean square error px2 of each frame by a lens that was fitted without it, and the lens that was fitted to all.

    Wrong corners count as five sigma.
    """
    if isinstance(solved.lens, Pinhole) and model.startswith(Pinhole.kind):
        full = solve_single(problem, as_model(solved.lens, model, 0.0), keep, poses=(solved.R, solved.t))
    else:
        full = fit_from_scratch(problem, model, keep)
    if not np.isfinite(full.error).any():
        return np.where(keep.any(1), float(max(problem.size)) ** 2, np.nan), full.lens
    cap = (5 * robust_sigma(full.error[keep & np.isfinite(full.error)])) ** 2
    frames = np.flatnonzero(keep.any(1))
    out = np.full(len(keep), np.nan)
    for fold in range(_FOLDS):
        # Blocks: neighbouring frames of a video are nearly the same view.
        test = np.zeros(len(keep), bool)
        test[frames[(np.arange(len(frames)) * 2 * _FOLDS // len(frames)) % _FOLDS == fold]] = True
        trained = solve_single(problem, full.lens, keep & ~test[:, None], poses=(full.R, full.t))
        tested = solve_single(problem, trained.lens, keep & test[:, None], free=False, poses=(full.R, full.t))
        out[test] = _mean_square(tested.error, keep, cap)[test]
    return out, full.lens


def _mean_square(error: np.ndarray, keep: np.ndarray, cap: float) -> np.ndarray:
    """Of each frame's kept corners, px2; what the lens does not show at all counts as the cap."""
    square = np.where(keep, np.minimum(np.nan_to_num(error, nan=np.inf) ** 2, cap), 0.0)
    return square.sum(1) / np.maximum(keep.sum(1), 1)


def _choose_of_few(problem: SingleCamera, solved: SingleSolution, keep: np.ndarray) -> str:
    """The simplest model, unless a wide lens fits the same views by far better, more than coefficients can feign."""
    simplest, wide = problem.config.candidates[0], [m for m in problem.config.candidates if m in _WIDE_MODELS]
    lost = float(max(problem.size)) ** 2
    fits = {simplest: solved, **{model: fit_from_scratch(problem, model, keep) for model in wide}}
    errors = {model: float(np.median(_mean_square(fit.error, keep, lost)[keep.any(1)])) for model, fit in fits.items()}
    best = min(errors, key=lambda model: errors[model])
    return best if errors[best] < _FAR_BETTER**2 * errors[simplest] else simplest


def _finish(
    problem: SingleCamera,
    model: str,
    solved: SingleSolution,
    excluded: dict[int, str],
    outliers: OutlierConfig,
    free: bool,
    scores: dict[str, float],
) -> CameraFit:
    """Leave outliers out, take back what fits after all, and fit once more with the measured noise."""
    seen = np.all(np.isfinite(problem.xy), axis=-1)
    barred = dict(excluded)
    sigma = 1.0
    keep = np.isfinite(solved.error)
    for _ in range(outliers.rounds):
        sigma = max(robust_sigma(solved.error[keep]), 1e-3)
        keep, excluded = select_corners(problem, solved, seen, barred, sigma, outliers)
        solved = solve_single(problem, solved.lens, keep, free=free, poses=(solved.R, solved.t), huber=3.0, sigma=sigma)
        keep = np.isfinite(solved.error)
    error = solved.error[keep]
    covariance = solved.bundle.covariance() if free else np.zeros((4, 4))
    sd = focal_sd(solved.lens, covariance) if covariance is not None else float("inf")
    unknowns = solved.bundle.layout.free_count + 6 * len(solved.views.board_frames)
    freedom = max(2 * len(error) - unknowns, 1) / max(2 * len(error), 1)
    return CameraFit(
        solved.lens, model, solved.R, solved.t, keep, excluded, robust_sigma(error) / np.sqrt(freedom),
        float(np.sqrt((error**2).mean())), sd, scores,
    )  # fmt: skip


def select_corners(
    problem: SingleCamera,
    solved: SingleSolution,
    seen: Bool[np.ndarray, "frame corner"],
    barred: dict[int, str],
    sigma: float,
    outliers: OutlierConfig,
) -> tuple[Bool[np.ndarray, "frame corner"], dict[int, str]]:
    """Which corners count now; every seen corner is judged anew by the lens and the pose that its view has."""
    poses = np.all(np.isfinite(solved.t), axis=1)
    x_cam = problem.points @ np.swapaxes(solved.R, 1, 2) + solved.t[:, None]
    error = np.full(seen.shape, np.inf)
    error[poses] = np.nan_to_num(
        np.linalg.norm(solved.lens.project(x_cam[poses]) - problem.xy[poses], axis=-1), nan=np.inf
    )
    # A length of 2D residuals is below `corner` sigma with probability 1 - exp(-corner^2 / 2).
    good = seen & (error < outliers.corner * sigma)
    square = np.where(good, error, 0.0) ** 2
    rms = np.sqrt(square.sum(1) / np.maximum(good.sum(1), 1))
    typical = np.median(rms[good.any(1)]) if good.any() else np.inf
    excluded = dict(barred)
    for view in np.flatnonzero(seen.any(1)):
        if view in barred:
            good[view] = False
        elif good[view].sum() < max(4, 0.5 * seen[view].sum()) or rms[view] > outliers.view * typical:
            good[view] = False
            excluded[int(view)] = "corners do not fit the board through this lens"
    return good, excluded
