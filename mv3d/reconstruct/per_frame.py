"""Robust triangulation of every joint of every frame on its own, with the noise of each view and joint measured."""

import itertools
import math
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from mv3d.geometry.triangulation import covariances
from mv3d.reconstruct.observations import Observations
from mv3d.reconstruct.rays import Rays, rays_of, squared_residuals, triangulate_rays

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
        noise_frames: the noise is measured on at most this many frames, evenly spread: each view and joint has one
            figure for the whole sequence, and the median of a thousand residuals scatters by 4 % only.
    """

    first_scale_m: float = 0.06
    scale_sigmas: float = 4.0
    inlier_sigmas: float = 4.0
    pair_chi2: float = 9.0
    reach_m: float = 1.5
    least_noise_px: float = 0.2
    most_noise_m: float = 0.03
    rounds: int = 2
    noise_frames: int = 400


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


@dataclass(frozen=True, slots=True, eq=False)
class Noise:
    """How noisy a recording is, measured once so that its parts can be triangulated alike.

    Attributes:
        metres: (joint, view) standard deviation per axis at the person's distance, m.
        pixels_per_metre: (view,) at the person, where a frame does not tell.
    """

    metres: np.ndarray
    pixels_per_metre: np.ndarray


def measure_noise(observations: Observations, config: TriangulationConfig) -> Noise:
    """Noise from what first points leave over, on a sample of the frames."""
    rays = rays_of(observations)
    by_frame = _pixels_per_metre(rays, observations, config)
    usual = _usual_size(by_frame, observations, config)
    sample = _sample(rays, config.noise_frames)
    size = _filled_sizes(by_frame[sample], usual)
    return Noise(_measured_noise(rays.of(sample), size, config), usual)


def triangulate_frames(observations: Observations, config: TriangulationConfig, noise: Noise | None = None) -> PerFrame:
    """Triangulate every joint of every frame on its own.

    Args:
        observations: of any frames; with a given noise a frame's result does not depend on the others.
        config: settings.
        noise: of the recording; measured on these frames if not given.

    Returns:
        Points with covariances. A joint seen by two views only is kept when their rays meet within the noise.
    """
    noise = noise or measure_noise(observations, config)
    rays = rays_of(observations)
    size = _filled_sizes(_pixels_per_metre(rays, observations, config), noise.pixels_per_metre)
    noise_px = np.maximum(noise.metres * size, config.least_noise_px)
    xyz, information = triangulate_rays(rays, noise_px, config.scale_sigmas * noise_px)
    return _accepted(rays, xyz, information, noise_px, config)


def _tolerance(observations: Observations) -> Float[np.ndarray, " view"]:
    """OpenPose's 25 px, scaled to each view's size."""
    sizes = np.array([camera.size for camera in observations.rig], float)
    return 25.0 * np.sqrt(sizes.prod(1) / 1310720.0)


def _pixels_per_metre(
    rays: Rays, observations: Observations, config: TriangulationConfig
) -> Float[np.ndarray, "frame view"]:
    """Size of a metre at the person in each view, from a first triangulation; NaN where a frame does not tell.

    The person's joints are all about as far away, so the median over a view's joints is taken.
    """
    scale = np.broadcast_to(_tolerance(observations), rays.precision.shape)
    xyz, _ = triangulate_rays(rays, scale, scale)
    _, depth = squared_residuals(rays, xyz)
    per_radian = np.moveaxis(observations.pixels_per_radian, 1, 2)
    per_metre = np.where(depth > 0, per_radian / np.where(depth > 0, depth, 1.0), np.nan)
    return _nanmedian(per_metre, axis=1)


def _usual_size(
    by_frame: np.ndarray, observations: Observations, config: TriangulationConfig
) -> Float[np.ndarray, " view"]:
    usual = _nanmedian(by_frame, axis=0)
    return np.where(np.isfinite(usual), usual, _tolerance(observations) / config.first_scale_m)


def _filled_sizes(by_frame: np.ndarray, usual: np.ndarray) -> Float[np.ndarray, "frame 1 view"]:
    return np.where(np.isfinite(by_frame), by_frame, usual)[:, None]


def _sample(rays: Rays, most: int) -> np.ndarray:
    """At most so many frames, evenly spread over those with a joint that three views see, if there are any."""
    frames = np.flatnonzero((rays.seen.sum(2) >= 3).any(1))
    if len(frames) == 0:
        frames = np.arange(len(rays.precision))
    if len(frames) <= most:
        return frames
    return frames[np.linspace(0, len(frames) - 1, most).astype(int)]


def _measured_noise(
    rays: Rays, pixels_per_metre: np.ndarray, config: TriangulationConfig
) -> Float[np.ndarray, "joint view"]:
    """Noise per axis as (view) x (joint), in m at the person, from points and noise estimated in turn."""
    pixels_per_metre = np.broadcast_to(pixels_per_metre, rays.precision.shape)
    noise = config.first_scale_m / 3 * pixels_per_metre
    scale = config.first_scale_m * pixels_per_metre
    noise_m = np.full(rays.precision.shape[1:], config.first_scale_m / 3)
    for _ in range(config.rounds):
        xyz, _ = triangulate_rays(rays, noise, scale)
        noise_m = _left_over(rays, xyz, pixels_per_metre, config)
        noise = np.maximum(noise_m * pixels_per_metre, config.least_noise_px)
        scale = config.scale_sigmas * noise
    return noise_m


def _left_over(
    rays: Rays, xyz: np.ndarray, pixels_per_metre: np.ndarray, config: TriangulationConfig
) -> Float[np.ndarray, "joint view"]:
    """Noise in m from the residuals of points.

    The median of squared residuals is not moved by outliers. A fit to n views leaves 2n - 3 of 2n degrees of freedom,
    which the square is scaled up by.
    """
    squared, _ = squared_residuals(rays, xyz)
    count = rays.seen.sum(2, keepdims=True)
    freedom = 2 * count / np.maximum(2 * count - 3, 1)
    relative2 = np.where(count >= 3, squared * freedom, np.nan) / pixels_per_metre**2 / _MEDIAN_CHI2_2
    by_view = _nanmedian(relative2, axis=(0, 1))
    by_view = np.where(np.isfinite(by_view), by_view, (config.first_scale_m / 3) ** 2)
    by_joint = _nanmedian(relative2 / by_view, axis=(0, 2))
    by_joint = np.where(np.isfinite(by_joint), by_joint, 1.0)
    return np.minimum(np.sqrt(by_joint[:, None] * by_view), config.most_noise_m)


def _accepted(
    rays: Rays, xyz: np.ndarray, information: np.ndarray, noise: np.ndarray, config: TriangulationConfig
) -> PerFrame:
    inlier = _agreeing(rays, xyz, noise, config)
    inlier &= (_distance(xyz, _nanmedian(xyz, axis=1)[:, None]) < config.reach_m)[..., None]
    agreeing = inlier.sum(2)
    xyz = np.where((agreeing >= 2)[..., None], xyz, np.nan)
    contested = (agreeing <= 2) & (rays.seen.sum(2) >= 3)
    xyz[contested], inlier[contested] = np.nan, False
    _settle_contested(rays, xyz, inlier, information, noise, contested, config)
    found = np.all(np.isfinite(xyz), axis=-1)
    covariance = np.where(found[..., None, None], covariances(information), np.nan)
    inlier &= found[..., None]
    noise = np.where(rays.seen, noise, np.inf)
    inlier, noise = (np.ascontiguousarray(np.moveaxis(array, 2, 1)) for array in (inlier, noise))
    return PerFrame(xyz, covariance, inlier, noise)


def _agreeing(rays: Rays, xyz: np.ndarray, noise: np.ndarray, config: TriangulationConfig) -> np.ndarray:
    """Views whose residual is within the noise; none where only two are left and their rays pass each other."""
    squared, depth = squared_residuals(rays, xyz)
    chi2 = np.where(depth > 0, squared / noise**2, np.inf)
    inlier = chi2 < config.inlier_sigmas**2
    kept = (inlier.sum(2) != 2) | (np.where(inlier, chi2, 0.0).sum(2) < config.pair_chi2)
    return inlier & kept[..., None]


def _settle_contested(
    rays: Rays,
    xyz: np.ndarray,
    inlier: np.ndarray,
    information: np.ndarray,
    noise: np.ndarray,
    contested: np.ndarray,
    config: TriangulationConfig,
) -> None:
    """Of joints that only two of three or more views agree on, keep those for which no other pair agrees as well.

    A wrong detection that lies near another view's epipolar line makes such a second pair; without a model of the body
    or of time nothing tells which is right. Fills xyz, inlier and information, empty where contested, in place.
    """
    frame, joint = np.nonzero(contested)
    seen, centre = rays.seen[frame, joint], _nanmedian(xyz, axis=1)[frame]
    candidates = np.zeros(len(frame), int)
    for u, v in itertools.combinations(range(len(rays.centers)), 2):
        both = np.flatnonzero(seen[:, u] & seen[:, v])
        f, j = frame[both], joint[both]
        only, noise_px = rays.of_pair(f, j, [u, v]), noise[f[:, None], j[:, None], [u, v]][:, None]
        met, met_information = triangulate_rays(only, noise_px, config.scale_sigmas * noise_px)
        agrees = _agreeing(only, met, noise_px, config)[:, 0].all(1)
        agrees &= _distance(met[:, 0], centre[both]) < config.reach_m
        f, j = f[agrees], j[agrees]
        candidates[both[agrees]] += 1
        xyz[f, j], information[f, j] = met[agrees, 0], met_information[agrees, 0]
        inlier[f, j, u] = inlier[f, j, v] = True
    refused = frame[candidates != 1], joint[candidates != 1]
    xyz[refused], inlier[refused] = np.nan, False


def _distance(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    return np.sqrt(np.sum((a - b) ** 2, axis=-1))


def _nanmedian(values: np.ndarray, axis: int | tuple[int, ...]) -> np.ndarray:
    """np.nanmedian, faster on short axes and without its warning for slices that hold nothing (they stay NaN)."""
    axes = (axis,) if isinstance(axis, int) else axis
    last = np.moveaxis(values, axes, range(-len(axes), 0))
    ordered = np.sort(last.reshape(*last.shape[: -len(axes)], math.prod(last.shape[-len(axes) :])), axis=-1)
    if ordered.shape[-1] == 0:
        return np.full(ordered.shape[:-1], np.nan)
    count = np.sum(~np.isnan(ordered), axis=-1, keepdims=True)
    low, high = (np.take_along_axis(ordered, at, -1)[..., 0] for at in (np.maximum(count - 1, 0) // 2, count // 2))
    return (low + high) / 2
