"""Whether errors that last from frame to frame make a calibration less sure than the noise of its corners lets expect.

A board's motion between frames is taken from frames whose clocks jitter themselves, so errors of a view's corners go
together, and those of neighbouring frames do. The pull of each stretch of frames on the cameras, zero in sum at the
optimum, then scatters more than independent noise would make it. Source of the idea: dispersion of quasi-likelihood,
Wedderburn 1974; stretches as clusters, Liang and Zeger 1986.
"""

import numpy as np
from jaxtyping import Float

from calib.bundle import Bundle
from mv3d.geometry import se3_kernels

# Frames in a stretch: a motion is taken from five, so errors of frames further apart have little to do with each other.
_STRETCH = 8


def score_dispersion(bundle: Bundle, covariance: Float[np.ndarray, "unknown unknown"]) -> float:
    """Mean square pull of stretches of frames on the cameras over what independent noise makes it; at least 1.

    Args:
        bundle: timed, at its optimum, its covariance taken.
        covariance: as `Bundle.covariance` gives it.
    """
    blocks, pulls, on_board = _view_blocks(bundle)
    views = bundle.views
    W, inverse = bundle.elimination()
    n, size = blocks.shape[1], len(covariance)
    stretch = views.board_frames // _STRETCH
    found = expected = 0.0
    for number in np.unique(stretch):
        S, pull = np.zeros((size, size)), np.zeros(size)
        for b in np.flatnonzero(stretch == number):
            mine = np.arange(views.boards[b], views.boards[b + 1])
            at = (views.camera[mine][:, None] * n + np.arange(n)).ravel()
            coupling = W[mine].reshape(-1, 6)
            S[np.ix_(at, at)] -= coupling @ inverse[b] @ coupling.T
            pull[at] += pulls[mine].ravel() - coupling @ (inverse[b] @ on_board[b])
            for v in mine:
                own = slice(views.camera[v] * n, (views.camera[v] + 1) * n)
                S[own, own] += blocks[v]
        told = covariance @ S
        found += float(pull @ covariance @ pull)
        # At the optimum the pulls are smaller by what they have taken part in.
        expected += float(np.trace(told) - np.einsum("ij,ji->", told, told))
    return max(found / max(expected, 1e-9), 1.0)


def _view_blocks(bundle: Bundle) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Normal matrices and right-hand sides of the views with their offsets eliminated; what they say of the boards."""
    views, state = bundle.views, bundle.state
    H, g, pose = bundle.normal_matrices(), bundle.gradients(), 4 + state.dist.shape[1]
    pivot = H[:, -1, -1] + bundle.precision
    ahead = g[:, -1] + bundle.precision * (state.s - state.extra[views.camera, 1])
    blocks = H - H[:, :, None, -1] * H[:, None, -1] / pivot[:, None, None]
    pulls = g - H[:, -1] * (ahead / pivot)[:, None]
    blocks[:, -1], blocks[:, :, -1], pulls[:, -1] = 0.0, 0.0, 0.0
    A = np.zeros((len(state.K), 6, 6))
    for c in range(len(A)):
        se3_kernels.adjoint(state.Rc[c], state.tc[c], A[c])
    said = np.einsum("vki,vk->vi", A[views.camera], pulls[:, pose : pose + 6])
    return blocks, pulls, np.add.reduceat(said, views.boards[:-1])
