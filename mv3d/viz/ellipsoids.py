"""How far each joint may be from where it is drawn: 95 % ellipsoids of the covariances, as rings one can look into."""

import numpy as np
from jaxtyping import Float

from mv3d.data.poses import Poses3D
from mv3d.viz.colors import joint_colors
from mv3d.viz.lines import Lines, lines

# Radius, in standard deviations, of the ball that holds 95 % of a normal distribution in three dimensions: the root of
# the chi-square quantile with three degrees of freedom.
RADIUS_SD = 2.7955
_PIECES = 20
_LINE_RADIUS_M = 0.0022
# The rings are darker than the joints that they go around.
_DARKER = 0.72


def ellipsoids(poses3d: Poses3D, frame: int, scale: float = 1.0) -> Lines:
    """Three rings a joint, in the planes of the ellipsoid's axes.

    Args:
        poses3d: the people; joints without a covariance have no rings.
        frame: which frame.
        scale: magnification; 1 is true to scale.
    """
    found = [_of_person(poses3d, frame, person, scale) for person in range(poses3d.xyz.shape[1])]
    segments = np.concatenate([np.zeros((0, 2, 3)), *(s for s, _ in found)])
    return Lines(
        segments, np.full(len(segments), _LINE_RADIUS_M), np.concatenate([np.zeros((0, 3)), *(c for _, c in found)])
    )


def semi_axes(covariance: Float[np.ndarray, "*batch 3 3"]) -> Float[np.ndarray, "*batch 3 3"]:
    """Half axes of the 95 % ellipsoids as rows, m, the longest last; covariance in m2 and finite."""
    variance, directions = np.linalg.eigh(covariance.astype(float))
    # Rounding to float32 may leave a tiny negative variance.
    length = RADIUS_SD * np.sqrt(np.clip(variance, 0, None))
    return length[..., None] * np.swapaxes(directions, -1, -2)


def _of_person(poses3d: Poses3D, frame: int, person: int, scale: float) -> tuple[np.ndarray, np.ndarray]:
    xyz, covariance = poses3d.xyz[frame, person], poses3d.covariance[frame, person]
    there = np.isfinite(xyz).all(-1) & np.isfinite(covariance).all((-2, -1))
    if not there.any():
        return lines([]).segments, np.zeros((0, 3))
    axes = scale * semi_axes(covariance[there])
    angle = 2 * np.pi * np.arange(_PIECES + 1) / _PIECES
    rings = []
    for a, b in ((0, 1), (1, 2), (2, 0)):
        offset = np.cos(angle)[:, None] * axes[:, None, a] + np.sin(angle)[:, None] * axes[:, None, b]
        points = xyz[there][:, None] + offset
        rings.append(np.stack([points[:, :-1], points[:, 1:]], axis=2))
    segments = np.stack(rings, axis=1)
    rgb = _DARKER * joint_colors(poses3d.skeleton)[there] / 255
    return segments.reshape(-1, 2, 3), np.repeat(rgb, segments.shape[1] * segments.shape[2], axis=0)
