"""Which way is up, as far as a rig can tell."""

import numpy as np
from jaxtyping import Float

from mv3d.data.rig import Rig

# Cameras are mounted more or less upright; where the mean of their image tops is shorter, they are not.
_LEAST_AGREEMENT = 0.5
# An axis of the world within this angle of the cameras' common up is taken for the vertical itself.
_SNAP = np.cos(np.deg2rad(35.0))


def up_direction(rig: Rig) -> Float[np.ndarray, "3"] | None:
    """Unit vector against gravity in the world of the rig, or None if the cameras do not agree on it.

    The mean of the directions to the images' tops is up to within the cameras' pitch, which cancels around a ring. A
    world axis close to it is preferred: worlds are mostly made with one axis vertical.
    """
    tops = np.stack([-camera.R[1] for camera in rig])
    mean = tops.mean(0)
    agreement = np.linalg.norm(mean)
    if agreement < _LEAST_AGREEMENT:
        return None
    mean = mean / agreement
    axes = np.concatenate([np.eye(3), -np.eye(3)])
    nearest = axes[np.argmax(axes @ mean)]
    return nearest if nearest @ mean > _SNAP else mean
