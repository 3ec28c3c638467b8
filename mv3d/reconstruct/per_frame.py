"""Robust triangulation of every joint of every frame on its own, with the noise of each view and joint measured."""

import itertools
from dataclasses import dataclass, field

import numpy as np

from mv3d.geometry.triangulation import covariances
from mv3d.reconstruct.middle import middle_of_body
from mv3d.reconstruct.noise import Noise, NoiseConfig, measure_noise, person_sizes
from mv3d.reconstruct.observations import Observations
from mv3d.reconstruct.rays import Rays, rays_of, squared_residuals, triangulate_rays


@dataclass(frozen=True, slots=True)
class TriangulationConfig:
    """Robust triangulation.

    Attributes:
        inlier_sigmas: a view within this many standard deviations counts as agreeing.
        pair_chi2: two rays alone have one degree of freedom, their distance; its square in variances must stay below
            this (9 is three standard deviations).
        reach_m: no joint of a person lies farther than this from the median of the body's.
        noise: measuring the noise.
    """

    inlier_sigmas: float = 4.0
    pair_chi2: float = 9.0
    reach_m: float = 1.5
    noise: NoiseConfig = field(default_factory=NoiseConfig)


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


def triangulate_frames(observations: Observations, config: TriangulationConfig, noise: Noise | None = None) -> PerFrame:
    """Triangulate every joint of every frame on its own.

    Args:
        observations: of any frames; with a given noise a frame's result does not depend on the others.
        config: settings.
        noise: of the recording; measured on these frames if not given.

    Returns:
        Points with covariances. A joint seen by two views only is kept when their rays meet within the noise.
    """
    noise = noise or measure_noise(observations, config.noise)
    rays = rays_of(observations)
    noise_px = noise.pixels(person_sizes(rays, observations), config.noise)
    xyz, information = triangulate_rays(rays, noise_px, config.noise.scale_sigmas * noise_px)
    return _accepted(rays, xyz, information, noise_px, config)


def _accepted(
    rays: Rays, xyz: np.ndarray, information: np.ndarray, noise: np.ndarray, config: TriangulationConfig
) -> PerFrame:
    inlier = _agreeing(rays, xyz, noise, config)
    inlier &= (_distance(xyz, middle_of_body(xyz)[:, None]) < config.reach_m)[..., None]
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
    seen, centre = rays.seen[frame, joint], middle_of_body(xyz)[frame]
    candidates = np.zeros(len(frame), int)
    for u, v in itertools.combinations(range(len(rays.centers)), 2):
        both = np.flatnonzero(seen[:, u] & seen[:, v])
        f, j = frame[both], joint[both]
        only, noise_px = rays.of_pair(f, j, [u, v]), noise[f[:, None], j[:, None], [u, v]][:, None]
        met, met_information = triangulate_rays(only, noise_px, config.noise.scale_sigmas * noise_px)
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
