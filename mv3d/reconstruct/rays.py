"""Observations laid out for the kernels of triangulation, a joint of a frame after the other."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float

from mv3d.geometry.triangulation import covariances, pixel_residuals, triangulate_robust
from mv3d.reconstruct.observations import Observations


@dataclass(frozen=True, slots=True, eq=False)
class Rays:
    """Observations with the views innermost, as the kernels read them.

    Attributes:
        centers: (view, 3) m.
        bearings: (frame, joint, view, 3).
        pixel_jacobians: (frame, joint, view, 2, 3).
        precision: (frame, joint, view) inverse variance where the noise is one; 0 where unseen.
    """

    centers: np.ndarray
    bearings: np.ndarray
    pixel_jacobians: np.ndarray
    precision: np.ndarray

    @property
    def seen(self) -> Bool[np.ndarray, "frame joint view"]:
        """Where there is an observation."""
        return self.precision > 0

    def of_pair(self, frame: np.ndarray, joint: np.ndarray, pair: list[int]) -> "Rays":
        """The rays of two views to some joints, each joint as a frame of its own."""
        at = frame[:, None], joint[:, None], pair
        bearings, pixel_jacobians, precision = self.bearings[at], self.pixel_jacobians[at], self.precision[at]
        return Rays(self.centers[pair], bearings[:, None], pixel_jacobians[:, None], precision[:, None])


def rays_of(observations: Observations) -> Rays:
    """The same observations with the views innermost."""
    bearings, jacobians, precision = (
        np.ascontiguousarray(np.moveaxis(array, 1, 2))
        for array in (
            observations.bearings,
            observations.pixel_jacobians,
            observations.precision(np.ones(observations.score.shape)),
        )
    )
    return Rays(observations.rig.centers, bearings, jacobians, precision)


def triangulate_rays(
    rays: Rays, noise: Float[np.ndarray, "frame joint view"], scale: Float[np.ndarray, "frame joint view"]
) -> tuple[Float[np.ndarray, "frame joint 3"], Float[np.ndarray, "frame joint 3 3"]]:
    """Robust points (m) and their information matrices (1/m2).

    Args:
        rays: observations.
        noise: standard deviation per axis, px.
        scale: residual at which an observation loses half of its support, px.
    """
    frames, joints, views = rays.precision.shape
    xyz, information, _ = triangulate_robust(
        rays.centers,
        rays.bearings.reshape(-1, views, 3),
        rays.pixel_jacobians.reshape(-1, views, 2, 3),
        (rays.precision / noise**2).reshape(-1, views),
        scale.reshape(-1, views),
    )
    return xyz.reshape(frames, joints, 3), information.reshape(frames, joints, 3, 3)


def squared_residuals(
    rays: Rays, xyz: Float[np.ndarray, "frame joint 3"]
) -> tuple[Float[np.ndarray, "frame joint view"], Float[np.ndarray, "frame joint view"]]:
    """Squared residuals of points in px2, NaN where unseen or behind; and depths along the rays in m."""
    shape = rays.precision.shape
    residual, depth, _ = pixel_residuals(
        xyz.reshape(-1, 3),
        rays.centers,
        rays.bearings.reshape(-1, shape[2], 3),
        rays.pixel_jacobians.reshape(-1, shape[2], 2, 3),
    )
    squared = residual[..., 0] ** 2 + residual[..., 1] ** 2
    return np.where(rays.seen, squared.reshape(shape), np.nan), depth.reshape(shape)


def leverages(
    rays: Rays,
    xyz: Float[np.ndarray, "frame joint 3"],
    information: Float[np.ndarray, "frame joint 3 3"],
    noise: Float[np.ndarray, "frame joint view"],
) -> Float[np.ndarray, "frame joint view"]:
    """Share of each view's variance that a fit of this information absorbs, mean of the two axes; NaN where unseen.

    With J the derivative of a view's residual, trace(J information^-1 J^T) / (2 noise^2).
    """
    away = xyz[..., None, :] - rays.centers
    depth = np.einsum("...i,...i->...", away, rays.bearings)[..., None]
    residual = (rays.pixel_jacobians @ away[..., None])[..., 0] / depth
    J = (rays.pixel_jacobians - residual[..., None] * rays.bearings[..., None, :]) / depth[..., None]
    spread = np.einsum("...ki,...ki->...", J @ covariances(information)[..., None, :, :], J)
    return np.where(rays.seen, spread * rays.precision / noise**2 / 2, np.nan)
