"""Keypoints of a moving body: a Motion, of a BVH file for instance, as the truth of a synthetic session."""

from collections.abc import Mapping

import numpy as np

from mv3d.data.motion import Motion
from mv3d.data.poses import MEASURED, MISSING, Poses3D
from mv3d.data.skeleton import Skeleton


def poses_of_motion(
    motion: Motion, skeleton: Skeleton | None = None, joints: Mapping[str, str] | None = None
) -> Poses3D:
    """The joints of a motion as skeletons without error.

    Args:
        motion: any.
        skeleton: which keypoints; one of the armature's own joints and bones if None.
        joints: keypoint -> joint of the armature, where their names differ. Keypoints without a joint are missing.

    Returns:
        One person, measured with covariance 0; no cameras.

    Raises:
        ValueError: no keypoint of the skeleton is a joint of the motion.
    """
    armature = motion.armature
    skeleton = skeleton or _skeleton_of(motion)
    names = [(joints or {}).get(keypoint, keypoint) for keypoint in skeleton.keypoints]
    at = [armature.joints.index(name) if name in armature.joints else -1 for name in names]
    if max(at, default=-1) < 0:
        raise ValueError(f"no keypoint of {skeleton.name} is a joint of {armature.name}; say which is which")
    there = np.broadcast_to(np.array(at) >= 0, (len(motion), 1, len(at)))
    xyz = motion.positions()[:, None, at]
    xyz[~there] = np.nan
    return Poses3D(
        skeleton=skeleton,
        xyz=xyz,
        score=there.astype(float),
        reprojection_error=np.full(there.shape, np.nan),
        n_views=np.zeros(there.shape),
        covariance=np.where(there[..., None, None], np.zeros((3, 3)), np.nan),
        state=np.where(there, MEASURED, MISSING),
        xyz_per_frame=xyz,
        timestamps=motion.timestamps,
        cameras=(),
        person_id=np.array([motion.person_id]),
    )


def _skeleton_of(motion: Motion) -> Skeleton:
    armature = motion.armature
    bones = tuple((parent, j) for j, parent in enumerate(armature.parents) if parent >= 0)
    return Skeleton(armature.name, armature.joints, bones, has_background=False)
