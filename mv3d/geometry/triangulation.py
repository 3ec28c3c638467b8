"""Triangulation of many points at once from bearings of any central camera.

Each view v sees a point along the unit direction b in the world from its centre c. With depth s = b . (X - c) and the
lens's Jacobian A = (d x_image / d x_cam at b) R, which has A b = 0, the residual of X in pixels is, to first order,

    r = A (X - c) / s,    d r / d X = (A - r b^T) / s

so lens distortion enters through b and A alone and costs nothing. The loss is Geman-McClure's r^2 / (1 + r^2 / c^2),
whose minimum is sought from the best supported meeting point of any two rays (Hartley and Sturm, Triangulation, 1997,
for the geometry; Barron, A General and Adaptive Robust Loss, 2019, for the loss).
"""

import numpy as np
from jaxtyping import Bool, Float

from mv3d.geometry import triangulation_kernels as kernels


def pixel_scale(jacobian: Float[np.ndarray, "*batch 2 3"]) -> Float[np.ndarray, "*batch"]:
    """Pixels per unit across the line of sight: square root of the area in px^2 that a unit square there covers."""
    a, b = jacobian[..., 0, :], jacobian[..., 1, :]
    x = a[..., 1] * b[..., 2] - a[..., 2] * b[..., 1]
    y = a[..., 2] * b[..., 0] - a[..., 0] * b[..., 2]
    z = a[..., 0] * b[..., 1] - a[..., 1] * b[..., 0]
    return np.asarray(np.sqrt(np.sqrt(x * x + y * y + z * z)))


def triangulate_robust(
    centers: Float[np.ndarray, "view 3"],
    bearings: Float[np.ndarray, "point view 3"],
    pixel_jacobians: Float[np.ndarray, "point view 2 3"],
    weight: Float[np.ndarray, "point view"],
    scale_px: Float[np.ndarray, "point view"],
) -> tuple[Float[np.ndarray, "point 3"], Float[np.ndarray, "point 3 3"], Float[np.ndarray, "point view"]]:
    """Robust least-squares points.

    Args:
        centers: camera positions, m.
        bearings: unit directions in the world; ignored where weight is 0.
        pixel_jacobians: A of the module's text, px.
        weight: inverse variance of each observation, 1/px^2; 0 where there is none.
        scale_px: residual at which an observation loses half of its support.

    Returns:
        xyz (m; NaN with fewer than two rays, or where rays are parallel or meet behind the cameras), the information
        matrix (1/m^2, inverse of the covariance), and each observation's robust weight in [0, 1].
    """
    points, views = weight.shape
    xyz = np.full((points, 3), np.nan)
    information = np.zeros((points, 3, 3))
    robust = np.zeros((points, views))
    kernels.triangulate(
        np.ascontiguousarray(centers, float),
        np.ascontiguousarray(bearings, float),
        np.ascontiguousarray(pixel_jacobians, float),
        np.ascontiguousarray(weight, float),
        np.ascontiguousarray(scale_px, float) ** 2,
        xyz,
        information,
        robust,
    )
    return xyz, information, robust


def triangulate_dlt(
    P: Float[np.ndarray, "view 3 4"],
    x_norm: Float[np.ndarray, "point view 2"],
    weight: Float[np.ndarray, "point view"],
) -> Float[np.ndarray, "point 3"]:
    """Homogeneous linear triangulation (DLT): null vector of the rows w (x P3 - P1), w (y P3 - P2).

    Args:
        P: projection matrices in the frame of `x_norm`, e.g. [R | t] for ideal normalised coordinates.
        x_norm: observations; ignored where weight is 0.
        weight: factor of each view's rows.

    Returns:
        Points; NaN with fewer than two views. No outlier is resisted: this is the field's reference, for comparison.
    """
    seen = (weight > 0) & np.isfinite(x_norm).all(-1)
    x = np.where(seen[..., None], x_norm, 0.0)
    rows = (x[..., None] * P[None, :, None, 2] - P[None, :, :2]) * np.where(seen, weight, 0.0)[..., None, None]
    _, _, vt = np.linalg.svd(rows.reshape(len(x), -1, 4))
    at_infinity = vt[:, -1, 3:] == 0
    xyz = np.where(at_infinity, np.nan, vt[:, -1, :3] / np.where(at_infinity, 1.0, vt[:, -1, 3:]))
    xyz[seen.sum(1) < 2] = np.nan
    return xyz


def pixel_residuals(
    xyz: Float[np.ndarray, "point 3"],
    centers: Float[np.ndarray, "view 3"],
    bearings: Float[np.ndarray, "point view 3"],
    pixel_jacobians: Float[np.ndarray, "point view 2 3"],
) -> tuple[Float[np.ndarray, "point view 2"], Float[np.ndarray, "point view"], Bool[np.ndarray, "point view"]]:
    """Tangent-plane residuals in px, depth along each bearing in m, and whether the point lies in front."""
    residual, depth = np.empty((*bearings.shape[:2], 2)), np.empty(bearings.shape[:2])
    kernels.residuals(
        np.ascontiguousarray(xyz, float),
        np.ascontiguousarray(centers, float),
        np.ascontiguousarray(bearings, float),
        np.ascontiguousarray(pixel_jacobians, float),
        residual,
        depth,
    )
    return residual, depth, depth > 0


def covariances(information: Float[np.ndarray, "*batch 3 3"]) -> Float[np.ndarray, "*batch 3 3"]:
    """Covariances (m2) of points from their information matrices (1/m2); NaN where those are singular."""
    covariance = np.empty(information.shape)
    kernels.covariances(np.ascontiguousarray(information, float).reshape(-1, 3, 3), covariance.reshape(-1, 3, 3))
    return covariance
