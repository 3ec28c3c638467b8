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
