"""How boards are fixed to one another, with everything else: Newton's method over the places, all others following.

For each of the few unknowns of the places the joint fit is solved once more with the board moved a little. How the
gradient changes by that is the curvature of the cost over the places alone, and how the cameras change is what they
would have to follow if the places were others: both together give the covariance with the places unknown.
Source: the reduced cost of separable least squares, Golub and Pereyra, SIAM J. Numerical Analysis 1973.
"""

import copy

import numpy as np
from jaxtyping import Float

from calib.board_shape import point_rows
from calib.boards import BoardSet
from calib.bundle import HUBER, Bundle, BundleState
from calib.config import CalibrationConfig
from calib.contradictions import judge_views
from calib.joint import Joint, measure, solve_joint
from calib.rigid_boards import part_motions, rigid_places
from mv3d.geometry.damping import Outcome
from mv3d.geometry.rotations import vector_from_rotation

# Small against what is linear, large against what a solution leaves open: m, and rad.
_STEP = 1e-4
_ROUNDS = 6
# A step of the corners that no longer matters, m.
_STILL = 1e-6
_TOLERANCE = 1e-11


def fit_places(
    joint: Joint, config: CalibrationConfig, boards: BoardSet
) -> tuple[Bundle, Outcome, Float[np.ndarray, "unknown unknown"]]:
    """Solve for the places and everything else; `joint` has both in the end.

    Returns:
        The last problem, how it ended, and what the places add to the covariance of the cameras' unknowns.
    """
    for round_ in range(_ROUNDS):
        if round_ == 1:
            bundle, _ = solve_joint(joint, config, HUBER, 1e-6)
            measure(joint, bundle)
            judge_views(joint, config.outliers)
        bundle, outcome = solve_joint(joint, config, HUBER, _TOLERANCE)
        motions = part_motions(boards, joint.points)
        gradient, curvature, follow = _reduced(joint, config, bundle, motions)
        step = -(motions @ np.linalg.pinv(curvature, hermitian=True) @ gradient).reshape(joint.points.shape)
        joint.points = boards.placed(rigid_places(boards, joint.points + step))
        if round_ > 1 and np.abs(step).max() < _STILL:
            break
    bundle, outcome = solve_joint(joint, config, HUBER, 1e-9)
    return bundle, outcome, follow @ np.linalg.pinv(curvature, hermitian=True) @ follow.T


def _reduced(
    joint: Joint, config: CalibrationConfig, bundle: Bundle, motions: Float[np.ndarray, "coordinate free"]
) -> tuple[Float[np.ndarray, " free"], Float[np.ndarray, "free free"], Float[np.ndarray, "unknown free"]]:
    """Gradient and curvature of half the cost over the places, and how the cameras' unknowns follow them."""
    gradient, state = _gradient(bundle, motions), bundle.state.copy()
    curvature, follow = np.zeros((motions.shape[1],) * 2), []
    for k, motion in enumerate(motions.T):
        moved = copy.deepcopy(joint)
        moved.points = joint.points + _STEP * motion.reshape(joint.points.shape)
        other, _ = solve_joint(moved, config, HUBER, _TOLERANCE)
        curvature[:, k] = (_gradient(other, motions) - gradient) / _STEP
        follow.append(_change(state, other.state, bundle.layout.size) / _STEP)
    return gradient, (curvature + curvature.T) / 2, np.stack(follow, axis=1)


def _gradient(bundle: Bundle, motions: np.ndarray) -> Float[np.ndarray, " free"]:
    """By the places with all else held, which at the optimum of all else is that of the reduced cost."""
    residual, by_point, _ = point_rows(bundle)
    by_corner = np.zeros((len(motions) // 3, 3))
    np.add.at(by_corner, bundle.views.corner, np.einsum("nki,nk->ni", by_point, residual))
    return motions.T @ by_corner.ravel()


def _change(before: BundleState, after: BundleState, size: int) -> Float[np.ndarray, " unknown"]:
    """What the cameras' unknowns changed by, in the units and order of the covariance."""
    turn = after.Rc @ np.swapaxes(before.Rc, 1, 2)
    shift = after.tc - np.einsum("cij,cj->ci", turn, before.tc)
    lens = [after.K - before.K, after.dist - before.dist]
    parts = np.concatenate([*lens, vector_from_rotation(turn), shift, after.extra - before.extra], axis=1)
    return parts[:, :size].ravel()
