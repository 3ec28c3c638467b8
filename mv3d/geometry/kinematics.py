"""Forward kinematics of a tree of rigid bones."""

import numpy as np
from jaxtyping import Float, Int

from mv3d.geometry.kinematics_kernels import forward


def joint_frames(
    parents: Int[np.ndarray, " joint"],
    offsets: Float[np.ndarray, "joint 3"],
    rotations: Float[np.ndarray, "frame joint 3 3"],
    translation: Float[np.ndarray, "frame 3"],
) -> tuple[Float[np.ndarray, "frame joint 3 3"], Float[np.ndarray, "frame joint 3"]]:
    """Where the joints of a tree are, and how their frames stand.

    Args:
        parents: index of each joint's parent, before the joint; the first joint is the root, its entry is not read.
        offsets: m, of a joint in its parent's frame.
        rotations: parent_from_joint; world_from_root for the root.
        translation: m, the root in the world.

    Returns:
        R: world_from_joint.
        x: positions in the world, m.
    """
    R, x = np.empty(rotations.shape), np.empty(rotations.shape[:3])
    forward(parents, offsets, rotations, translation, R, x)
    return R, x
