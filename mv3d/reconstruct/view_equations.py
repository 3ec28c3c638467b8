"""What the skeletons say of the cameras: least squares in parameters of the views, the points eliminated.

With X the points, theta the views' parameters and r the residuals (px), to first order r = D theta + A dX. For every
point, dX is eliminated by the Schur complement, so that a camera is held against the others and not against points
that it pulled along itself:

    H = D^T W D - D^T W A (A^T W A)^-1 A^T W D,    g = D^T W r - D^T W A (A^T W A)^-1 A^T W r

(Triggs et al., Bundle Adjustment - A Modern Synthesis, 2000, section 6). The sums are kept apart by joint and by block
of frames: blocks and joints are the clusters of the covariance, and blocks tell when something changed.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int

from mv3d.data.rig import Rig

# Relative ridge on a point's normal matrix: two nearly parallel rays must not divide by zero.
_POINT_RIDGE = 1e-9


@dataclass(frozen=True, slots=True, eq=False)
class Linearized:
    """Residuals and what moves them.

    Attributes:
        residual: (frame, view, joint, 2) px, detection minus projection; 0 where there is none.
        weight: (frame, view, joint) inverse variance by robust weight, 1/px^2; 0 where there is none.
        by_point: (frame, view, joint, 2, 3) pixels by world point.
        by_camera: (frame, view, joint, 2, 3) pixels by point in the camera frame.
        x_cam: (frame, view, joint, 3) m.
        x_image: (frame, view, joint, 2) px, the projections.
    """

    residual: np.ndarray
    weight: np.ndarray
    by_point: np.ndarray
    by_camera: np.ndarray
    x_cam: np.ndarray
    x_image: np.ndarray


@dataclass(frozen=True, slots=True, eq=False)
class Equations:
    """Normal equations of the views' parameters, view by view.

    Attributes:
        H: (joint, block, parameter, parameter).
        g: (joint, block, parameter).
    """

    H: np.ndarray
    g: np.ndarray


def linearize(
    rig: Rig,
    xy: Float[np.ndarray, "frame view joint 2"],
    precision: Float[np.ndarray, "frame view joint"],
    xyz: Float[np.ndarray, "frame joint 3"],
    scale_sigmas: float,
) -> Linearized:
    """Residuals of detections at points, with Geman-McClure weights.

    Args:
        rig: cameras in view order.
        xy: px; NaN where missing.
        precision: inverse variance of each detection, 1/px^2; 0 where missing.
        xyz: m; NaN where unknown.
        scale_sigmas: residual, in standard deviations, at which a detection loses half of its support.
    """
    x_cam = np.stack([camera.to_camera(xyz) for camera in rig], axis=1)
    seen = [camera.lens.project_with_jacobian(x_cam[:, v]) for v, camera in enumerate(rig)]
    x_image, by_camera = np.stack([x for x, _ in seen], axis=1), np.stack([J for _, J in seen], axis=1)
    residual = xy - x_image
    usable = np.isfinite(residual).all(-1) & np.isfinite(by_camera).all((-1, -2)) & (precision > 0)
    usable &= usable.sum(1, keepdims=True) >= 2
    residual = np.where(usable[..., None], residual, 0.0)
    precision = np.where(usable, precision, 0.0)
    chi2 = precision * (residual**2).sum(-1)
    weight = precision / (1 + chi2 / scale_sigmas**2) ** 2
    by_camera = np.where(usable[..., None, None], by_camera, 0.0)
    R = np.stack([camera.R for camera in rig])[None, :, None]
    x_cam = np.where(usable[..., None], x_cam, 0.0)
    return Linearized(residual, weight, by_camera @ R, by_camera, x_cam, np.where(usable[..., None], x_image, 0.0))


def view_equations(
    linear: Linearized, design: Float[np.ndarray, "frame view joint 2 own"], blocks: Int[np.ndarray, " frame"]
) -> Equations:
    """Normal equations of every view's own parameters, points eliminated.

    Args:
        linear: residuals around the present state.
        design: change of the projection by the view's own parameters; parameters of all views follow one another.
        blocks: (frame,) number of each frame's block, increasing from 0.
    """
    _, views, joints, _, own = design.shape
    count, last = views * own, int(blocks.max(initial=-1)) + 1
    H, g = np.zeros((joints, last, count, count)), np.zeros((joints, last, count))
    starts = np.searchsorted(blocks, np.arange(last + 1))
    for j in range(joints):
        used = (linear.weight[:, :, j] > 0).sum(1) >= 2
        for b in range(last):
            frames = np.arange(starts[b], starts[b + 1])
            frames = frames[used[frames]]
            if len(frames):
                H[j, b], g[j, b] = _summed(linear, design, frames, j)
    return Equations(H, g)


def _summed(linear: Linearized, design: np.ndarray, frames: np.ndarray, joint: int) -> tuple[np.ndarray, np.ndarray]:
    """H and g of one joint over some frames."""
    A, D = linear.by_point[frames, :, joint], design[frames, :, joint]
    w, r = linear.weight[frames, :, joint, None], linear.residual[frames, :, joint]
    wA, wD = w[..., None] * A, w[..., None] * D
    count, views, own = len(frames), D.shape[1], D.shape[-1]
    M = np.einsum("fvik,fvil->fkl", wA, A)
    M += (_POINT_RIDGE * np.trace(M, axis1=1, axis2=2) + 1e-12)[:, None, None] * np.eye(3)
    coupling = np.einsum("fvik,fvip->fkvp", wA, D).reshape(count, 3, -1)
    right = np.concatenate([coupling, np.einsum("fvik,fvi->fk", wA, r)[..., None]], axis=2)
    Z = np.linalg.solve(np.linalg.cholesky(M), right).reshape(3 * count, -1)
    reduced = Z.T @ Z
    H, g = -reduced[:-1, :-1], np.einsum("fvip,fvi->vp", wD, r).reshape(-1) - reduced[:-1, -1]
    for v in range(views):
        at = slice(v * own, (v + 1) * own)
        H[at, at] += np.einsum("fip,fiq->pq", wD[:, v], D[:, v])
    return H, g
