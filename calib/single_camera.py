"""Least squares of one camera: its lens and the poses of the boards that it saw."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from calib.bundle import Bundle, solve_bundle, start_state
from calib.config import LensConfig
from calib.layout import lens_of, make_layout
from calib.lens_start import start_lens
from calib.planar import board_poses
from calib.views import Views, make_views
from mv3d.data.lens import Lens

# The first fit meets wrong corners: a tighter loss holds them off better.
_START_HUBER = 1.5


@dataclass(frozen=True, slots=True, eq=False)
class SingleCamera:
    """What all fits of one camera share: corners (m), observations px, sigma px, image size, settings."""

    points: np.ndarray
    xy: np.ndarray
    sigma: np.ndarray
    size: tuple[int, int]
    config: LensConfig


@dataclass(frozen=True, slots=True, eq=False)
class SingleSolution:
    """Lens, board poses in the camera by frame, and each kept corner's error (frame, corner) px, NaN elsewhere."""

    lens: Lens
    R: np.ndarray
    t: np.ndarray
    bundle: Bundle
    views: Views
    error: np.ndarray


def robust_sigma(error: Float[np.ndarray, " n"]) -> float:
    """Standard deviation of a coordinate from lengths of 2D residuals, by their median: sigma sqrt(2 ln 2)."""
    return float(np.median(error) / np.sqrt(2 * np.log(2))) if len(error) else float("nan")


def fit_from_scratch(problem: SingleCamera, model: str, keep: np.ndarray) -> SingleSolution:
    """A fit that needs no start: focal length by trial, then with two coefficients, then all."""
    kept = np.where(keep[..., None], problem.xy, np.nan)[keep.any(1)]
    lens, _ = start_lens(problem.points, kept, problem.size, model)
    solved = solve_single(problem, lens, keep, only_focal=True)
    # Poses may have sat in the wrong one of a plane's two minima while the lens was wrong.
    solved = solve_single(problem, solved.lens, keep, only_focal=True)
    return solve_single(problem, solved.lens, keep, poses=(solved.R, solved.t))


def solve_single(
    problem: SingleCamera,
    lens: Lens,
    keep: np.ndarray,
    *,
    free: bool = True,
    only_focal: bool = False,
    poses: tuple[np.ndarray, np.ndarray] | None = None,
    huber: float = _START_HUBER,
    sigma: float | None = None,
) -> SingleSolution:
    """Least squares over lens (if free) and board poses of the kept corners."""
    R, t = poses if poses is not None else board_poses(problem.points, problem.xy, lens, keep)
    missing = np.isnan(t[:, 0]) & keep.any(1)
    if poses is not None and missing.any():
        again = board_poses(problem.points, problem.xy, lens, keep & missing[:, None])
        R, t = np.where(missing[:, None, None], again[0], R), np.where(missing[:, None], again[1], t)
    keep = keep & np.all(np.isfinite(t), axis=1)[:, None]
    sigmas = problem.sigma if sigma is None else np.full(len(problem.xy), sigma)
    views = make_views(problem.xy[None], problem.points, keep[None], sigmas[None])
    sizes = np.array([problem.size])
    layout = make_layout(
        [lens],
        sizes,
        fixed_lenses=frozenset() if free else frozenset({0}),
        only_focal=only_focal,
        prior=problem.config.prior,
    )
    frames = views.board_frames
    state = start_state([lens], (np.eye(3)[None], np.zeros((1, 3))), (R[frames], t[frames]), len(views), layout.count)
    bundle = Bundle(views, layout, state, sizes, huber=huber)
    solve_bundle(bundle, tolerance=1e-7)
    R, t = np.full_like(R, np.nan), np.full_like(t, np.nan)
    R[frames], t[frames] = bundle.state.Rb, bundle.state.tb
    error = np.full(keep.shape, np.nan)
    error[keep] = np.linalg.norm(bundle.residuals(), axis=1)
    return SingleSolution(lens_of(layout, 0, bundle.state.K[0], bundle.state.dist[0]), R, t, bundle, views, error)
