"""A motion of bones as points, so that it can be laid beside a reconstruction."""

import numpy as np

from mv3d.data.motion import Motion
from mv3d.data.poses import MEASURED, Poses3D
from mv3d.data.skeleton import Skeleton


def poses_of_motion(motion: Motion, start: float | None = None) -> Poses3D:
    """Joints and bones of a motion as one person, all measured, without uncertainties.

    Args:
        motion: in the world of the reconstruction.
        start: s, time of its first frame; its own if None.
    """
    armature = motion.armature
    limbs = tuple((parent, joint) for joint, parent in enumerate(armature.parents) if parent >= 0)
    xyz = motion.positions()[:, None]
    points = xyz.shape[:3]
    shift = 0.0 if start is None or not len(motion) else start - float(motion.timestamps[0])
    return Poses3D(
        Skeleton(armature.name, armature.joints, limbs, has_background=False),
        xyz,
        np.ones(points),
        np.full(points, np.nan),
        np.zeros(points),
        np.full((*points, 3, 3), np.nan),
        np.full(points, MEASURED),
        xyz,
        motion.timestamps + shift,
        (),
    )
