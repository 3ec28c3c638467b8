"""Uncertainty of cameras and of the distances between them, from the normal equations at the optimum."""

import numpy as np
from jaxtyping import Float

from calib.bundle import Bundle
from calib.dispersion import score_dispersion
from calib.layout import block_of
from calib.result import Uncertainty


def uncertainty_of(
    bundle: Bundle, names: tuple[str, ...], more: Float[np.ndarray, "unknown unknown"] | None = None
) -> Uncertainty | None:
    """Covariance of all cameras' parameters, perhaps with `more`; None where the views do not tell every one.

    A camera's centre is -R^T t; to first order a change of its pose from the left moves it by -R^T u, u the change's
    translation: its rotation turns the camera on the spot.
    """
    covariance = bundle.covariance()
    if covariance is None:
        return None
    layout, state = bundle.layout, bundle.state
    if layout.timed:
        covariance = covariance * score_dispersion(bundle, covariance)
    if more is not None:
        covariance = covariance + more
    parameters = layout.names()
    at = parameters.index("tx")
    centers = -np.einsum("cji,cj->ci", state.Rc, state.tc)
    count = len(names)
    distances, sd = np.zeros((count, count)), np.zeros((count, count))
    for a in range(count):
        for b in range(a + 1, count):
            apart = centers[a] - centers[b]
            length = float(np.linalg.norm(apart))
            direction = apart / max(length, 1e-12)
            rows = np.zeros((1, len(covariance)))
            rows[0, block_of(layout, a)][at : at + 3] = -direction @ state.Rc[a].T
            rows[0, block_of(layout, b)][at : at + 3] = direction @ state.Rc[b].T
            distances[a, b] = distances[b, a] = length
            sd[a, b] = sd[b, a] = np.sqrt(max(float((rows @ covariance @ rows.T)[0, 0]), 0.0))
    return Uncertainty(names, tuple(parameters), covariance, distances, sd)
