"""A motion in the axes and the unit of a file.

The rest pose of a Motion has z up in any world. In a file with y up it stands upright too: with B the turn of the rest
pose and A that of the world, offsets become B o, rotations of joints B R B^T, and the root's A R B^T.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from mv3d.data.motion import Motion
from mv3d.export.options import Placement
from mv3d.geometry.kinematics import joint_frames
from mv3d.geometry.quaternions import steady_quaternions

_Y_UP = np.array([[1.0, 0, 0], [0, 0, 1], [0, -1, 0]])


@dataclass(frozen=True, slots=True, eq=False)
class PlacedMotion:
    """A motion as a file holds it; rotations are made a joint or a block of frames at a time.

    Attributes:
        motion: the motion in the world.
        placement: axes and unit of the file.
    """

    motion: Motion
    placement: Placement

    @property
    def rest_turn(self) -> Float[np.ndarray, "3 3"]:
        """The turn of the rest pose, from z up."""
        return _Y_UP if self.placement.axes == "y_up" else np.eye(3)

    @property
    def offsets(self) -> Float[np.ndarray, "joint 3"]:
        """Places of the joints in the frames of their parents at rest, in the unit of the file."""
        return self.motion.armature.offsets @ self.rest_turn.T * self.placement.scale

    @property
    def rest(self) -> Float[np.ndarray, "joint 3"]:
        """Places of the joints at rest, the root at the origin, in the unit of the file."""
        return self.motion.armature.rest @ self.rest_turn.T * self.placement.scale

    @property
    def translation(self) -> Float[np.ndarray, "frame 3"]:
        """Places of the root, in the unit of the file."""
        return self.placement.points(self.motion.translation)

    def joint_quaternions(self, joint: int) -> Float[np.ndarray, "frame 4"]:
        """Rotations of one joint in its parent's frame as (x, y, z, w), steady from frame to frame."""
        before = self.placement.axes_from_world if joint == 0 else self.rest_turn
        return steady_quaternions(before @ self.motion.rotations[:, joint] @ self.rest_turn.T)

    def frames(self, block: slice) -> tuple[Float[np.ndarray, "frame joint 3 3"], Float[np.ndarray, "frame joint 3"]]:
        """Orientations and places of all joints in some frames, as a reader of the file finds them."""
        armature, motion = self.motion.armature, self.motion
        R, x = joint_frames(
            np.array(armature.parents), armature.offsets, motion.rotations[block], motion.translation[block]
        )
        return self.placement.axes_from_world @ R @ self.rest_turn.T, self.placement.points(x)
