"""Other rest poses for the same motion: T and A, facing another way, or any; the joints' places do not change."""

import numpy as np
from jaxtyping import Float

from mv3d.data.motion import Armature, Motion
from mv3d.geometry.rotations import rotation_from_vector

_Y, _Z = np.eye(3)[1:]
# Where arms point in the A pose: this far below level.
_A_POSE = np.radians(45.0)


def with_rest(motion: Motion, turns: Float[np.ndarray, "joint 3 3"]) -> Motion:
    """The same motion over the rest pose in which every joint's frame, as it was, stands turned.

    With Q the turns, o offsets and R rotations: o'_j = Q_parent o_j, R'_j = Q_parent R_j Q_j^T, with the identity for
    the parent of the root, so that world places stay.

    Args:
        motion: over its own rest pose.
        turns: orientation, in the world of the new rest pose, of each joint's old frame.
    """
    armature = motion.armature
    before = np.stack([np.eye(3) if p < 0 else turns[p] for p in armature.parents])
    rotations = before @ motion.rotations @ np.swapaxes(turns, -1, -2)
    offsets = np.einsum("jab,jb->ja", before, armature.offsets)
    ends = np.einsum("jab,jb->ja", turns, armature.end_offsets)
    rested = Armature(armature.name, armature.joints, armature.parents, offsets, ends)
    return Motion(rested, rotations, motion.translation, motion.timestamps, motion.person_id)


def facing(motion: Motion, yaw: float) -> Motion:
    """The same motion over a rest pose that is turned by `yaw` (rad) about z as a whole."""
    return with_rest(motion, np.tile(rotation_from_vector(yaw * _Z), (len(motion.armature), 1, 1)))


def a_pose(motion: Motion) -> Motion:
    """The same motion over the A pose: both arms lowered by 45 degrees from the T pose of `fit_motion`.

    Raises:
        ValueError: the armature has no LShoulder or RShoulder.
    """
    armature = motion.armature
    turns = np.tile(np.eye(3), (len(armature), 1, 1))
    for side, sign in (("R", -1.0), ("L", 1.0)):
        if f"{side}Shoulder" not in armature.joints:
            raise ValueError(f"an A pose needs {side}Shoulder; there are {', '.join(armature.joints)}")
        turn = rotation_from_vector(sign * _A_POSE * _Y)
        for j in _below(armature, armature.joints.index(f"{side}Shoulder")):
            turns[j] = turn
    return with_rest(motion, turns)


def _below(armature: Armature, joint: int) -> list[int]:
    """The joint and all that hang on it."""
    found = [joint]
    for j, parent in enumerate(armature.parents):
        if parent in found and j not in found:
            found.append(j)
    return found
