"""How noisy the detections are: by view, by joint and by the person's size in the picture, measured from residuals."""

import math
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float

from mv3d.reconstruct.observations import Observations
from mv3d.reconstruct.rays import Rays, leverages, rays_of, squared_residuals, triangulate_rays

# Median of the squared length of a 2D standard normal vector, 2 ln 2: turns a median of squares into a variance.
_MEDIAN_CHI2_2 = 2 * np.log(2)
# A view that decides a point alone leaves no residual: nothing is told by what is scaled up more than this.
_MOST_LEVERAGE = 0.9
# Variance of the logarithm of a median of n squared lengths, times n; and how many frames a detector's error lasts.
_LOG_MEDIAN_VARIANCE, _LASTING = 2.1, 10.0
# Before anything is known, noise may grow with the person's size or not: mean and standard deviation of the exponent.
_GROWTH, _GROWTH_SD = 0.5, 0.5


@dataclass(frozen=True, slots=True)
class NoiseConfig:
    """Measuring the noise of the detections.

    Attributes:
        first_scale_m: disagreement, at the person's distance, that halves a view's support before the noise is known.
            A detector's blunder is a limb's width or more.
        scale_sigmas: the same once the noise is known, in standard deviations.
        least_px: floor of the measured noise; below it nothing is gained and exact data would divide by zero.
        most_m: ceiling of the measured noise at the person's distance; what scatters more is a blunder.
        rounds: how often noise and points are estimated in turn.
        frames: the noise is measured on at most this many frames, evenly spread: each view and joint has one figure
            for the whole sequence, and the median of a thousand residuals scatters by 4 % only.
    """

    first_scale_m: float = 0.06
    scale_sigmas: float = 4.0
    least_px: float = 0.2
    most_m: float = 0.03
    rounds: int = 2
    frames: int = 400


@dataclass(frozen=True, slots=True, eq=False)
class Noise:
    """How noisy a recording is, measured once so that its parts can be triangulated alike.

    Attributes:
        metres: (joint, view) standard deviation per axis at the person's usual distance, m.
        pixels_per_metre: (view,) the person's usual size.
        growth: exponent with which the noise in px grows with the person's size: 0 the same px at any distance, 1 the
            same share of the person.
    """

    metres: np.ndarray
    pixels_per_metre: np.ndarray
    growth: float

    def pixels(
        self, size: Float[np.ndarray, "frame view"], config: NoiseConfig
    ) -> Float[np.ndarray, "frame joint view"]:
        """Standard deviations per axis of frames in which a metre at the person has this many px (NaN: as usual)."""
        return np.maximum(self.metres * _grown(size, self.pixels_per_metre, self.growth), config.least_px)


def _grown(size: np.ndarray, usual: np.ndarray, growth: float) -> Float[np.ndarray, "frame 1 view"]:
    """Px that a metre of noise makes: as many as the person has, by the growth; where size is NaN, as usual."""
    ratio = np.where(np.isfinite(size), size, usual) / usual
    return (usual * ratio**growth)[:, None]


def measure_noise(observations: Observations, config: NoiseConfig) -> Noise:
    """Noise from what first points leave over, on a sample of the frames."""
    sample = _sample(observations.seen, config.frames)
    observations = observations.of(sample)
    rays = rays_of(observations)
    size = person_sizes(rays, observations)
    usual = nanmedian(size, axis=0)
    usual = np.where(np.isfinite(usual), usual, _tolerance(observations) / config.first_scale_m)
    return _measured(rays, size, usual, config)


def _measured(rays: Rays, size: np.ndarray, usual: np.ndarray, config: NoiseConfig) -> Noise:
    """Points and noise estimated in turn."""
    noise = Noise(np.full(rays.precision.shape[1:], config.first_scale_m / 3), usual, 1.0)
    noise_px = noise.pixels(size, config)
    scale_px = 3 * noise_px
    for _ in range(config.rounds):
        xyz, information = triangulate_rays(rays, noise_px, scale_px)
        squared = _unbiased(rays, xyz, information, noise_px)
        growth = _growth(squared, size / usual)
        noise = Noise(_spread(squared, _grown(size, usual, growth), config), usual, growth)
        noise_px = noise.pixels(size, config)
        scale_px = config.scale_sigmas * noise_px
    return noise


def person_sizes(rays: Rays, observations: Observations) -> Float[np.ndarray, "frame view"]:
    """Px that a metre at the person has in each view, from a first triangulation; NaN where a frame does not tell.

    The person's joints are all about as far away, so the median over a view's joints is taken.
    """
    scale = np.broadcast_to(_tolerance(observations), rays.precision.shape)
    xyz, _ = triangulate_rays(rays, scale, scale)
    _, depth = squared_residuals(rays, xyz)
    per_radian = np.moveaxis(observations.pixels_per_radian, 1, 2)
    per_metre = np.where(depth > 0, per_radian / np.where(depth > 0, depth, 1.0), np.nan)
    return nanmedian(per_metre, axis=1)


def _tolerance(observations: Observations) -> Float[np.ndarray, " view"]:
    """OpenPose's 25 px, scaled to each view's size."""
    sizes = np.array([camera.size for camera in observations.rig], float)
    return 25.0 * np.sqrt(sizes.prod(1) / 1310720.0)


def _sample(seen: Bool[np.ndarray, "frame view joint"], most: int) -> np.ndarray:
    """At most so many frames, evenly spread over those with a joint that three views see, if there are any."""
    frames = np.flatnonzero((seen.sum(1) >= 3).any(1))
    if len(frames) == 0:
        frames = np.arange(len(seen))
    if len(frames) <= most:
        return frames
    return frames[np.linspace(0, len(frames) - 1, most).astype(int)]


def _unbiased(
    rays: Rays, xyz: np.ndarray, information: np.ndarray, noise_px: np.ndarray
) -> Float[np.ndarray, "frame joint view"]:
    """Squared residuals, px2, scaled up by what the fit took from them; NaN with fewer than three views.

    A view's residual has the share 1 - h of its variance left, h being its leverage (the trace of its hat matrix over
    two): a view that is close to the person pulls the point towards its own error.
    """
    squared, _ = squared_residuals(rays, xyz)
    leverage = leverages(rays, xyz, information, noise_px)
    told = (rays.seen.sum(2, keepdims=True) >= 3) & (leverage < _MOST_LEVERAGE)
    return np.where(told, squared / np.where(told, 1 - leverage, 1.0), np.nan)


def _growth(squared: Float[np.ndarray, "frame joint view"], ratio: Float[np.ndarray, "frame view"]) -> float:
    """Exponent of the noise by the person's size: views' frames with a larger person against those with a smaller.

    In each view the ratio of the halves' median squares is (ratio of sizes)^(2 exponent); all views are weighted by
    what they tell, with a wide prior.
    """
    told, known = _GROWTH / _GROWTH_SD**2, 1 / _GROWTH_SD**2
    sizes = np.log(ratio)
    middle = nanmedian(sizes, axis=0)
    for v in range(ratio.shape[1]):
        halves = sizes[:, v] <= middle[v], sizes[:, v] > middle[v]
        squares = [squared[half, :, v][np.isfinite(squared[half, :, v])] for half in halves]
        counts = [len(values) for values in squares]
        if min(counts) == 0:
            continue
        small, big = (math.log(max(float(np.median(values)), 1e-12)) for values in squares)
        apart = 2 * (sizes[halves[1], v].mean() - sizes[halves[0], v].mean())
        variance = _LASTING * _LOG_MEDIAN_VARIANCE * (1 / counts[0] + 1 / counts[1])
        told, known = told + apart * (big - small) / variance, known + apart**2 / variance
    return min(max(told / known, 0.0), 1.0)


def _spread(
    squared: Float[np.ndarray, "frame joint view"],
    pixels_per_metre: Float[np.ndarray, "frame 1 view"],
    config: NoiseConfig,
) -> Float[np.ndarray, "joint view"]:
    """Noise in m as (joint) x (view) from squared residuals; the median is not moved by outliers."""
    relative2 = squared / pixels_per_metre**2 / _MEDIAN_CHI2_2
    by_view = nanmedian(relative2, axis=(0, 1))
    by_view = np.where(np.isfinite(by_view), by_view, (config.first_scale_m / 3) ** 2)
    by_joint = nanmedian(relative2 / by_view, axis=(0, 2))
    by_joint = np.where(np.isfinite(by_joint), by_joint, 1.0)
    return np.minimum(np.sqrt(by_joint[:, None] * by_view), config.most_m)


def nanmedian(values: np.ndarray, axis: int | tuple[int, ...]) -> np.ndarray:
    """np.nanmedian, faster on short axes and without its warning for slices that hold nothing (they stay NaN)."""
    axes = (axis,) if isinstance(axis, int) else axis
    last = np.moveaxis(values, axes, range(-len(axes), 0))
    ordered = np.sort(last.reshape(*last.shape[: -len(axes)], math.prod(last.shape[-len(axes) :])), axis=-1)
    if ordered.shape[-1] == 0:
        return np.full(ordered.shape[:-1], np.nan)
    count = np.sum(~np.isnan(ordered), axis=-1, keepdims=True)
    low, high = (np.take_along_axis(ordered, at, -1)[..., 0] for at in (np.maximum(count - 1, 0) // 2, count // 2))
    return (low + high) / 2
