"""What a reader finds in an exported animation: a tree of joints, evaluated at its frames."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from mv3d.geometry.kinematics import joint_frames
from mv3d.geometry.quaternions import rotation_of_quaternion


@dataclass(frozen=True, slots=True, eq=False)
class MotionRead:
    """One person's animation, as it stands in a file.

    Attributes:
        joints: names, parents before their children.
        parents: index of each joint's parent; -1 for the root.
        offsets: (joint, 3) places in the frames of the parents, in the unit of the file.
        quaternions: (frame, joint, 4) x, y, z, w, of the joints in their parents' frames.
        translation: (frame, 3) place of the root.
        times: (frame,) s from the first one on.
    """

    joints: tuple[str, ...]
    parents: tuple[int, ...]
    offsets: Float[np.ndarray, "joint 3"]
    quaternions: np.ndarray
    translation: np.ndarray
    times: Float[np.ndarray, " frame"]

    def frames(self, block: slice) -> tuple[Float[np.ndarray, "frame joint 3 3"], Float[np.ndarray, "frame joint 3"]]:
        """Orientations and places of the joints, in the axes and the unit of the file."""
        R = rotation_of_quaternion(self.quaternions[block].astype(float))
        return joint_frames(np.array(self.parents), self.offsets, R, self.translation[block].astype(float))
