"""A first guess of the root: the rigid motion that brings the trunk's rest places to its points."""

import numpy as np
from jaxtyping import Float

from mv3d.geometry.rotations import nearest_rotation
from mv3d.motion.model import Body
from mv3d.motion.observed import Targets

# Sites that tell the root's orientation: those near the root in the tree, by the number of turning joints between.
_LEAST_SITES = 3


def root_guess(body: Body, targets: Targets) -> tuple[Float[np.ndarray, "frame 3 3"], Float[np.ndarray, "frame 3"]]:
    """Rotation and place (m) of the root: Procrustes over trunk sites; of the nearest frame where too few are seen."""
    chosen, rest = _trunk(body)
    seen = np.trace(targets.information[:, chosen], axis1=-2, axis2=-1) > 0
    weight = seen.astype(float)[..., None]
    total = np.maximum(weight.sum(1), 1)
    points = targets.position[:, chosen]
    centre, rest_centre = (weight * points).sum(1) / total, (weight * rest).sum(1) / total
    spread = np.einsum("fsa,fsb->fab", weight * (points - centre[:, None]), rest - rest_centre[:, None])
    R = nearest_rotation(spread)
    t = centre - np.einsum("fab,fb->fa", R, rest_centre)
    return _held(R, t, seen.sum(1) >= min(_LEAST_SITES, len(chosen)))


def _trunk(body: Body) -> tuple[np.ndarray, np.ndarray]:
    """Sites for the guess and their rest places: of the trunk, or of everything where the trunk is too thin."""
    rest = body.armature.rest[[s.joint for s in body.sites]] + np.array([s.offset for s in body.sites])
    names = [body.armature.joints[s.joint] for s in body.sites]
    trunk = [i for i, name in enumerate(names) if name in ("RHip", "LHip", "RShoulder", "LShoulder", "Neck")]
    chosen = np.array(trunk if len(trunk) >= _LEAST_SITES else range(len(names)))
    return chosen, rest[chosen]


def _held(R: np.ndarray, t: np.ndarray, good: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The guesses of bad frames from the nearest good one; identity if there is none."""
    frames, at = np.arange(len(R)), np.flatnonzero(good)
    if not len(at):
        return np.tile(np.eye(3), (len(R), 1, 1)), t
    nearest = _nearest(at, frames)
    return R[nearest], t[nearest]


def _nearest(at: np.ndarray, frames: np.ndarray) -> np.ndarray:
    right = np.clip(np.searchsorted(at, frames), 0, len(at) - 1)
    left = np.maximum(right - 1, 0)
    return np.where(np.abs(at[left] - frames) <= np.abs(at[right] - frames), at[left], at[right])
