"""Robust triangulation of every joint of every frame on its own, with the noise of each view and joint measured."""

import itertools
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from mv3d.geometry.triangulation import pixel_residuals, triangulate_robust
from mv3d.reconstruct.observations import Observations

# Median of the squared length of a 2D standard normal vector, 2 ln 2: turns a median of squares into a variance.
_MEDIAN_CHI2_2 = 2 * np.log(2)


@dataclass(frozen=True, slots=True)
class TriangulationConfig:
    """Robust triangulation.

    Attributes:
        first_scale_m: disagreement, at the person's distance, that halves a view's support before the noise is known.
            A detector's blunder is a limb's width or more.
        scale_sigmas: the same once the noise is known, in standard deviations.
        inlier_sigmas: a view within this many standard deviations counts as agreeing.
        pair_chi2: two rays alone have one degree of freedom, their distance; its square in variances must stay below
            this (9 is three standard deviations).
        reach_m: no joint of a person lies farther than this from the median of the joints.
        least_noise_px: floor of the measured noise; below it nothing is gained and exact data would divide by zero.
        most_noise_m: ceiling of the measured noise at the person's distance; what scatters more is a blunder.
        rounds: how often noise and points are estimated in turn.
    """

    first_scale_m: float = 0.06
    scale_sigmas: float = 4.0
    inlier_sigmas: float = 4.0
    pair_chi2: float = 9.0
    reach_m: float = 1.5
    least_noise_px: float = 0.2
    most_noise_m: float = 0.03
    rounds: int = 2


@dataclass(frozen=True, slots=True, eq=False)
class PerFrame:
    """Points without any model of time or bones.

    Attributes:
        xyz: (frame, joint, 3) m; NaN with fewer than two agreeing views.
        covariance: (frame, joint, 3, 3) m2 from the agreeing views; NaN where xyz is.
        inlier: (frame, view, joint) bool, the views that agree.
        noise_px: (frame, view, joint) standard deviation per axis of each observation; inf where missing.
    """

    xyz: np.ndarray
    covariance: np.ndarray
    inlier: np.ndarray
    noise_px: np.ndarray


def triangulate_frames(observations: Observations, config: TriangulationConfig) -> PerFrame:
    """Triangulate, measure the noise from what is left over, and triangulate again.

    Returns:
        Points with covariances. A joint seen by two views only is kept when their rays meet within the noise.
    """
    pixels_per_metre = _pixels_per_metre(observations, config)
    noise = np.where(observations.seen, config.first_scale_m / 3 * pixels_per_metre, np.inf)
    scale = config.first_scale_m * pixels_per_metre
    points = _solve(observations, noise, scale)
    for _ in range(config.rounds):
        noise = _measured_noise(observations, points, pixels_per_metre, config)
        points = _solve(observations, noise, config.scale_sigmas * noise)
    return _accepted(observations, points, noise, config)


@dataclass(frozen=True, slots=True, eq=False)
class _Points:
    xyz: np.ndarray
    information: np.ndarray
    robust: np.ndarray


def _rows(array: np.ndarray) -> np.ndarray:
    """(frame, view, joint, ...) -> (point, view, ...), points in frame-major order."""
    moved = np.moveaxis(array, 1, 2)
    return np.ascontiguousarray(moved.reshape(-1, *moved.shape[2:]))


def _solve(observations: Observations, noise: np.ndarray, scale: np.ndarray) -> _Points:
    frames, views, joints = noise.shape
    weight = observations.precision(noise)
    xyz, information, robust = triangulate_robust(
        observations.rig.centers,
        _rows(observations.bearings),
        _rows(observations.pixel_jacobians),
        _rows(np.nan_to_num(weight, nan=0.0, posinf=0.0)),
        _rows(np.where(np.isfinite(scale), scale, 1.0)),
    )
    robust = np.moveaxis(robust.reshape(frames, joints, views), 2, 1)
    return _Points(xyz.reshape(frames, joints, 3), information.reshape(frames, joints, 3, 3), robust)


def _residuals(observations: Observations, xyz: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Residual length (frame, view, joint) px, NaN where unseen or behind; depth likewise in m."""
    frames, views, joints = observations.score.shape
    residual, depth, _ = pixel_residuals(
        xyz.reshape(-1, 3), observations.rig.centers, _rows(observations.bearings), _rows(observations.pixel_jacobians)
    )
    shape = (frames, joints, views)
    length = np.moveaxis(np.linalg.norm(residual, axis=-1).reshape(shape), 2, 1)
    return np.where(observations.seen, length, np.nan), np.moveaxis(depth.reshape(shape), 2, 1)


def _pixels_per_metre(observations: Observations, config: TriangulationConfig) -> Float[np.ndarray, "frame view joint"]:
    """Size of a metre at the person in each view, from a first triangulation with OpenPose's tolerance of 25 px.

    The person's distance changes slowly, so the median over a view's joints, frame by frame, is taken.
    """
    sizes = np.array([camera.size for camera in observations.rig], float)
    tolerance = 25.0 * np.sqrt(sizes.prod(1) / 1310720.0)[None, :, None]
    scale = np.broadcast_to(tolerance, observations.score.shape)
    points = _solve(observations, np.where(observations.seen, scale, np.inf), scale)
    _, depth = _residuals(observations, points.xyz)
    per_metre = np.where(depth > 0, observations.pixels_per_radian / np.where(depth > 0, depth, 1.0), np.nan)
    by_frame = _nanmedian(per_metre, axis=2)
    by_view = _nanmedian(by_frame, axis=0)
    by_view = np.where(np.isfinite(by_view), by_view, tolerance[0, :, 0] / config.first_scale_m)
    return np.broadcast_to(np.where(np.isfinite(by_frame), by_frame, by_view)[..., None], per_metre.shape).copy()


def _measured_noise(
    observations: Observations, points: _Points, pixels_per_metre: np.ndarray, config: TriangulationConfig
) -> np.ndarray:
    """Noise per axis as (view) x (joint), relative to the person's size in each frame.

    The median of squared residuals is not moved by outliers. A fit to n views leaves 2n - 3 of 2n degrees of freedom,
    which the square is scaled up by.
    """
    length, _ = _residuals(observations, points.xyz)
    count = observations.seen.sum(1, keepdims=True)
    freedom = 2 * count / np.maximum(2 * count - 3, 1)
    relative2 = np.where(count >= 3, length**2 * freedom, np.nan) / pixels_per_metre**2 / _MEDIAN_CHI2_2
    by_view = _nanmedian(relative2, axis=(0, 2))
    by_view = np.where(np.isfinite(by_view), by_view, (config.first_scale_m / 3) ** 2)
    by_joint = _nanmedian(relative2 / by_view[None, :, None], axis=(0, 1))
    by_joint = np.where(np.isfinite(by_joint), by_joint, 1.0)
    noise_m = np.minimum(np.sqrt(by_view[:, None] * by_joint[None, :]), config.most_noise_m)
    noise = np.maximum(noise_m[None] * pixels_per_metre, config.least_noise_px)
    return np.where(observations.seen, noise, np.inf)


def _accepted(observations: Observations, points: _Points, noise: np.ndarray, config: TriangulationConfig) -> PerFrame:
    inlier = _agreeing(observations, points.xyz, noise, config)
    xyz = np.where((inlier.sum(1) >= 2)[..., None], points.xyz, np.nan)
    contested = (inlier.sum(1) <= 2) & (observations.seen.sum(1) >= 3)
    xyz, inlier, information = _settle_contested(
        observations, xyz, inlier, points.information, noise, contested, config
    )
    found = np.all(np.isfinite(xyz), axis=-1)
    covariance = np.full(information.shape, np.nan)
    covariance[found] = np.linalg.inv(information[found])
    return PerFrame(xyz, covariance, inlier & found[:, None], noise)


def _agreeing(
    observations: Observations, xyz: np.ndarray, noise: np.ndarray, config: TriangulationConfig
) -> np.ndarray:
    """Views whose residual is within the noise; none where only two are left and their rays pass each other."""
    length, depth = _residuals(observations, xyz)
    sigmas = np.where(observations.seen & (depth > 0), length / noise, np.inf)
    inlier = sigmas < config.inlier_sigmas
    chi2 = np.where(inlier, sigmas**2, 0.0).sum(1)
    reachable = np.linalg.norm(xyz - _nanmedian(xyz, axis=1)[:, None], axis=-1) < config.reach_m
    kept = reachable & ((inlier.sum(1) != 2) | (chi2 < config.pair_chi2))
    return inlier & kept[:, None]


def _settle_contested(
    observations: Observations,
    xyz: np.ndarray,
    inlier: np.ndarray,
    information: np.ndarray,
    noise: np.ndarray,
    contested: np.ndarray,
    config: TriangulationConfig,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Of joints that only two of three or more views agree on, keep those for which no other pair agrees as well.

    A wrong detection that lies near another view's epipolar line makes such a second pair; without a model of the body
    or of time nothing tells which is right.
    """
    views = len(observations.rig)
    candidates = np.zeros(contested.shape, int)
    xyz, inlier, information = xyz.copy(), inlier.copy(), information.copy()
    xyz[contested], inlier[np.repeat(contested[:, None], views, 1)] = np.nan, False
    centre = _nanmedian(xyz, axis=1)[:, None]
    for pair in itertools.combinations(range(views), 2):
        in_pair = np.isin(np.arange(views), pair)[:, None] & contested[:, None]
        only = observations.only_where(in_pair)
        both = contested & (only.seen.sum(1) == 2)
        if not both.any():
            continue
        met = _solve(only, noise, config.scale_sigmas * noise)
        agrees = _agreeing(only, np.where(both[..., None], met.xyz, np.nan), noise, config).sum(1) == 2
        agrees &= np.linalg.norm(met.xyz - centre, axis=-1) < config.reach_m
        candidates += agrees
        xyz[agrees], information[agrees] = met.xyz[agrees], met.information[agrees]
        inlier |= agrees[:, None] & in_pair
    refused = contested & (candidates != 1)
    xyz[refused] = np.nan
    return xyz, inlier & ~refused[:, None], information


def _nanmedian(values: np.ndarray, axis: int | tuple[int, ...]) -> np.ndarray:
    """np.nanmedian without its warning for slices that hold nothing (they stay NaN)."""
    empty = np.isnan(values).all(axis=axis, keepdims=True)
    median = np.nanmedian(np.where(empty, 0.0, values), axis=axis)
    return np.where(np.squeeze(empty, axis=axis), np.nan, median)
