"""What the fit aims at: the keypoints of one person as targets with information, in the order of a body's sites."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from mv3d.data.poses import MISSING, Poses3D
from mv3d.motion.model import Site

# m; keypoints that a detector marks and joint centres differ by this even where they are measured perfectly.
_MARK_M = 0.005


@dataclass(frozen=True, slots=True, eq=False)
class Targets:
    """Where sites are wanted, and how surely.

    Attributes:
        position: (frame, site, 3) m; zeros where there is no information.
        information: (frame, site, 3, 3) 1/m2; zeros where missing.
        times: (frame,) s.
    """

    position: np.ndarray
    information: np.ndarray
    times: np.ndarray

    def cut(self, frames: slice) -> "Targets":
        """Some of the frames."""
        return Targets(self.position[frames], self.information[frames], self.times[frames])


def targets(poses: Poses3D, person: int, sites: tuple[Site, ...], frames: slice = slice(None)) -> Targets:
    """The targets of one person; what is missing or not finite has no information.

    The covariance of a keypoint gets the error of marking a joint added, so that no keypoint pulls without end.
    """
    keypoints = [site.keypoint for site in sites]
    xyz = poses.xyz[frames, person][:, keypoints]
    covariance = poses.covariance[frames, person][:, keypoints].astype(float)
    there = (poses.state[frames, person][:, keypoints] != MISSING) & np.isfinite(xyz).all(-1)
    covariance[~np.isfinite(covariance).all(axis=(-1, -2))] = 0.0
    information = _inverse(covariance + _MARK_M**2 * np.eye(3))
    information[~there] = 0.0
    return Targets(np.where(there[..., None], xyz, 0.0), information, poses.timestamps[frames])


def _inverse(m: Float[np.ndarray, "*batch 3 3"]) -> Float[np.ndarray, "*batch 3 3"]:
    """Inverse of symmetric positive matrices by cofactors; numpy's general one is slow for many small ones."""
    a, b, c = m[..., 0, :], m[..., 1, :], m[..., 2, :]
    rows = np.stack([np.cross(b, c), np.cross(c, a), np.cross(a, b)], axis=-1)
    return rows / (a * rows[..., 0]).sum(-1)[..., None, None]
