"""Look again at what the network saw: each joint takes the candidate peak that the 3D skeleton explains best.

A forearm that crosses the trunk often has its right peak as the second best of its heatmap. Once the whole sequence
says where the joint should be, that peak is recognised.
"""

import numpy as np
from jaxtyping import Float

from mv3d.data.rig import Rig
from mv3d.geometry.triangulation import pixel_scale


def reassociate(
    rig: Rig,
    peaks_xy: Float[np.ndarray, "frame view joint candidate 2"],
    peaks_score: Float[np.ndarray, "frame view joint candidate"],
    xyz: Float[np.ndarray, "frame joint 3"],
    tolerance_m: float,
) -> tuple[Float[np.ndarray, "frame view joint 2"], Float[np.ndarray, "frame view joint"]]:
    """Choose the peak of greatest score / (1 + (d / tolerance)^2)^2, d its distance from the projection in metres.

    Args:
        rig: cameras in view order.
        peaks_xy: candidates, source px; NaN where there are none.
        peaks_score: their scores; 0 where there are none.
        xyz: where the joints are thought to be, m; a joint that is NaN gets no peak.
        tolerance_m: distance at which a peak has lost three quarters of its claim.

    Returns:
        Keypoints and scores; NaN and 0 where no candidate lies within reach.
    """
    reach2 = (4 * tolerance_m) ** 2
    projected = np.stack([camera.project(xyz) for camera in rig], axis=1)
    distance2 = ((peaks_xy - projected[:, :, :, None]) ** 2).sum(-1) * _metres_per_pixel(rig, xyz)[..., None] ** 2
    claim = np.where(distance2 < reach2, peaks_score / (1 + distance2 / tolerance_m**2) ** 2, 0.0)
    best = claim.argmax(-1)[..., None]
    found = np.take_along_axis(claim, best, -1)[..., 0] > 0
    xy = np.take_along_axis(peaks_xy, best[..., None], -2)[..., 0, :]
    score = np.take_along_axis(peaks_score, best, -1)[..., 0]
    return np.where(found[..., None], xy, np.nan), np.where(found, score, 0.0)


def _metres_per_pixel(rig: Rig, xyz: np.ndarray) -> Float[np.ndarray, "frame view joint"]:
    """Size of a pixel at each joint: distance over the focal length along the ray."""
    out = []
    for camera in rig:
        x_cam = camera.to_camera(xyz)
        _, J = camera.lens.project_with_jacobian(x_cam)
        out.append(1 / np.maximum(pixel_scale(J), 1e-3))
    return np.stack(out, axis=1)
