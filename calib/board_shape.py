"""The shape of the board: where its corners really are, where a sheet is bent or a print is out of true.

Corners and board poses are solved for together, with the cameras held; then the joint fit is solved with the new
corners, and so on in turn. The prior keeps each corner near where the board's description has it. What no picture can
tell apart from a moved board or another scale - the seven similarities of the whole - is kept at zero, so that all
lengths still follow from the size of the squares.
Source of the elimination: Triggs et al., Bundle Adjustment - A Modern Synthesis, 2000, section 6.
"""

import numpy as np
from jaxtyping import Float

from calib.bundle import HUBER, Bundle
from calib.config import CalibrationConfig
from calib.contradictions import judge_views
from calib.joint import Joint, measure, solve_joint
from calib.layout import lens_of
from mv3d.geometry.damping import Outcome

# m; a movement of the corners that no longer matters: a hundredth of a pixel at a meter.
_STILL = 1e-5


def fit_board_shape(
    joint: Joint, config: CalibrationConfig, described: Float[np.ndarray, "corner 3"]
) -> tuple[Bundle, Outcome]:
    """Solve for corners and everything else in turn; `joint` has both in the end.

    Args:
        joint: the fit with the corners where they were thought to be, solved.
        config: settings; those of `board_shape` matter here.
        described: m, where the prior has the corners.
    """
    free = _without_similarities(described)
    bundle, _ = solve_joint(joint, config, HUBER, 1e-6)
    for _ in range(config.board_shape.rounds):
        before = joint.points
        joint.points = before + _step(bundle, before, described, free, config.board_shape.sd_m)
        bundle, _ = solve_joint(joint, config, HUBER, 1e-6)
        measure(joint, bundle)
        judge_views(joint, config.outliers)
        bundle, _ = solve_joint(joint, config, HUBER, 1e-6)
        if np.abs(joint.points - before).max() < _STILL:
            break
    return solve_joint(joint, config, HUBER, 1e-9)


def _without_similarities(points: Float[np.ndarray, "corner 3"]) -> Float[np.ndarray, "coordinate free"]:
    """Orthonormal basis of the movements of corners that neither shift, turn nor scale the whole."""
    offset = points - points.mean(0)
    shifts = [np.tile(axis, (len(points), 1)) for axis in np.eye(3)]
    turns = [np.cross(axis, offset) for axis in np.eye(3)]
    similar = np.stack([motion.ravel() for motion in (*shifts, *turns, offset)], axis=1)
    return np.linalg.qr(similar, mode="complete")[0][:, similar.shape[1] :]


def _step(
    bundle: Bundle, points: np.ndarray, described: np.ndarray, free: np.ndarray, sd: float
) -> Float[np.ndarray, "corner 3"]:
    """Gauss-Newton step of the corners, board poses following."""
    residual, by_point, by_pose = point_rows(bundle)
    corner, count = bundle.views.corner, points.size
    board = np.repeat(bundle.views.board, np.diff(bundle.views.starts))
    H, g = np.zeros((len(points), 3, 3)), np.zeros((len(points), 3))
    np.add.at(H, corner, np.swapaxes(by_point, 1, 2) @ by_point)
    np.add.at(g, corner, np.einsum("nki,nk->ni", by_point, residual))
    V, pull = np.zeros((len(bundle.state.Rb), 6, 6)), np.zeros((len(bundle.state.Rb), 6))
    np.add.at(V, board, np.swapaxes(by_pose, 1, 2) @ by_pose)
    np.add.at(pull, board, np.einsum("nki,nk->ni", by_pose, residual))
    W = np.zeros((len(V), len(points), 3, 6))
    np.add.at(W, (board, corner), np.swapaxes(by_point, 1, 2) @ by_pose)
    W = W.reshape(len(V), count, 6)
    inverse = np.linalg.pinv(V, hermitian=True)
    A = np.zeros((len(points), 3, len(points), 3))
    A[np.arange(len(points)), :, np.arange(len(points))] = H
    reach = W @ inverse
    A = A.reshape(count, count) - np.einsum("bif,bjf->ij", reach, W, optimize=True) + np.eye(count) / sd**2
    right = g.ravel() - np.einsum("bif,bf->i", reach, pull) + (points - described).ravel() / sd**2
    step = -free @ np.linalg.solve(free.T @ A @ free, free.T @ right)
    return step.reshape(points.shape)


def point_rows(bundle: Bundle) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Whitened, robustly weighted residuals (row, 2), by the corner (row, 2, 3) and by the board's pose (row, 2, 6)."""
    views, state, layout = bundle.views, bundle.state, bundle.layout
    counts = np.diff(views.starts)
    camera, board = np.repeat(views.camera, counts), np.repeat(views.board, counts)
    turned = np.einsum("nij,jn->ni", state.Rb[board], views.X)
    x_cam = np.einsum("nij,nj->ni", state.Rc[camera], turned + state.tb[board]) + state.tc[camera]
    by_cam = np.empty((len(camera), 2, 3))
    for c in range(len(state.K)):
        mine, lens = camera == c, lens_of(layout, c, state.K[c], state.dist[c])
        by_cam[mine] = lens.equation_with_jacobian(x_cam[mine])[1]
    by_world = by_cam @ state.Rc[camera]
    residual = bundle.residuals()
    weight = np.repeat(views.inverse_sigma, counts)
    error = np.linalg.norm(residual, axis=1) * weight
    weight = (weight * np.sqrt(np.minimum(1.0, bundle.huber / np.maximum(error, 1e-12))))[:, None]
    # The pose changes by R <- exp(w) R, t <- t + u: by w a corner moves across the way from the board's origin.
    by_turn = np.cross(turned[:, None], by_world)
    by_pose = np.concatenate([by_turn, by_world], axis=2) * weight[..., None]
    return residual * weight, by_world @ state.Rb[board] * weight[..., None], by_pose
