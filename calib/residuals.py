"""Residuals of the bundle's model at a state, corner by corner."""

from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Float

from calib.layout import Layout, lens_of
from calib.views import Views

if TYPE_CHECKING:
    from calib.bundle import BundleState


def residuals_px(
    views: Views, layout: Layout, state: "BundleState", middle_line: Float[np.ndarray, " camera"]
) -> Float[np.ndarray, "corner 2"]:
    """Model minus observation, px; the motion since the frame's instant is taken out."""
    counts = np.diff(views.starts)
    camera, board = np.repeat(views.camera, counts), np.repeat(views.board, counts)
    x_world = np.einsum("nij,jn->ni", state.Rb[board], views.X) + state.tb[board]
    out = np.empty((len(camera), 2))
    for c in range(len(state.K)):
        mine = camera == c
        lens = lens_of(layout, c, state.K[c], state.dist[c])
        out[mine] = lens.equation(x_world[mine] @ state.Rc[c].T + state.tc[c])
    z, motion = views.z, views.motion
    tau = np.repeat(state.s, counts) + state.extra[camera, 0] * (z[1] - middle_line[camera])
    out += (tau * (motion[:2] - tau * motion[2:]) - z).T
    return out
