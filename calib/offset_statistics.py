"""How well the views tell their time offsets."""

import numpy as np
from jaxtyping import Float

from calib.bundle import Bundle
from mv3d.geometry import se3_kernels


def offset_variances(bundle: Bundle) -> Float[np.ndarray, " view"]:
    """Variance (s2) of each view's offset with cameras held and its board's pose left free, prior included."""
    views, state = bundle.views, bundle.state
    H, pose = bundle.normal_matrices(), 4 + state.dist.shape[1]
    last = H.shape[1] - 1
    out = np.zeros(len(views))
    A = np.empty((6, 6))
    for b in range(len(views.board_frames)):
        mine = np.arange(views.boards[b], views.boards[b + 1])
        information = np.zeros((6 + len(mine), 6 + len(mine)))
        for i, v in enumerate(mine):
            c = views.camera[v]
            se3_kernels.adjoint(state.Rc[c], state.tc[c], A)
            information[:6, :6] += A.T @ H[v, pose : pose + 6, pose : pose + 6] @ A
            information[:6, 6 + i] = information[6 + i, :6] = A.T @ H[v, pose : pose + 6, last]
            information[6 + i, 6 + i] = H[v, last, last] + bundle.precision[v]
        # Scaled to a unit diagonal: metres, radians and seconds differ by orders.
        scale = 1 / np.sqrt(np.maximum(np.diag(information), 1e-30))
        inverse = np.linalg.pinv(information * scale[:, None] * scale, hermitian=True)
        out[mine] = np.diag(inverse)[6:] * scale[6:] ** 2
    return out


def offset_slopes(bundle: Bundle, weights: Float[np.ndarray, "sum view"]) -> Float[np.ndarray, "sum unknown"]:
    """How weighted sums of the views' offsets follow the cameras' unknowns, board poses going along; s per unit.

    Args:
        bundle: solved, and its covariance taken.
        weights: of the views' offsets in each sum.
    """
    views, state, H = bundle.views, bundle.state, bundle.normal_matrices()
    n, pose = H.shape[1], 4 + state.dist.shape[1]
    W, inverse = bundle.elimination()
    pull = -weights / (H[:, n - 1, n - 1] + bundle.precision)
    A = np.zeros((len(state.K), 6, 6))
    for c in range(len(A)):
        se3_kernels.adjoint(state.Rc[c], state.tc[c], A[c])
    on_board = pull[..., None] * np.einsum("vki,vk->vi", A[views.camera], H[:, n - 1, pose : pose + 6])
    boards = np.einsum("sbi,bij->sbj", np.add.reduceat(on_board, views.boards[:-1], axis=1), inverse)
    by_camera = pull[..., None] * H[:, n - 1] - np.einsum("vnk,svk->svn", W, boards[:, views.board])
    slopes = np.zeros((len(weights), len(A), n))
    np.add.at(slopes.swapaxes(0, 1), views.camera, by_camera.swapaxes(0, 1))
    return slopes.reshape(len(weights), -1)
