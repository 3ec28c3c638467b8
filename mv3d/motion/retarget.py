"""Names and rest poses of other rigs, and a fitted motion under them.

A map says which joint of the body a joint of the target is, so that the target's rig finds every channel by its name.
The rotations are those of the body over the target's rest pose (T, or A with the arms 45 degrees down), in frames that
are parallel to the world at rest, as BVH has them: retargeting tools match rest poses, not bones' local axes. Joints
that the target has and the body has not (twist bones, a third joint of the spine) keep still there.
"""

from dataclasses import dataclass
from typing import Literal

import numpy as np

from mv3d.data.motion import Armature, Motion
from mv3d.errors import ConfigError
from mv3d.motion.rests import a_pose

_FINGERS = ("Thumb", "Index", "Middle", "Ring", "Pinky")


@dataclass(frozen=True, slots=True)
class Retarget:
    """Another rig's names.

    Attributes:
        name: of the rig.
        rest: the pose in which the rig is bound.
        up: axis that is up in the rig's own program, with the one that a character faces.
        joints: joint of the body -> joint of the rig.
    """

    name: str
    rest: Literal["T", "A"]
    up: str
    joints: dict[str, str]


def _sided(pattern: str, sides: tuple[str, str], names: dict[str, str]) -> dict[str, str]:
    """Both sides of a table; `pattern` puts side and name together."""
    return {
        own + joint: pattern.format(side=side, name=name)
        for own, side in zip("LR", sides, strict=True)
        for joint, name in names.items()
    }


def _fingers(pattern: str, fingers: dict[str, str], phalanges: tuple[str, str, str]) -> dict[str, str]:
    return {
        f"Hand_{finger}{k + 1}": pattern.format(finger=name, k=phalanges[k])
        for finger, name in fingers.items()
        for k in range(3)
    }


_SAME: dict[str, str] = dict(zip(_FINGERS, _FINGERS, strict=True))
_LOWER: dict[str, str] = {finger: finger.lower() for finger in _FINGERS}

MIXAMO = Retarget(
    "mixamo",
    "T",
    "y, facing z",
    {
        "MidHip": "mixamorig:Hips",
        "Spine": "mixamorig:Spine",
        "Chest": "mixamorig:Spine2",
        "Neck": "mixamorig:Neck",
        "Head": "mixamorig:Head",
        **_sided(
            "mixamorig:{side}{name}",
            ("Left", "Right"),
            {
                "Clavicle": "Shoulder",
                "Shoulder": "Arm",
                "Elbow": "ForeArm",
                "Wrist": "Hand",
                "Hip": "UpLeg",
                "Knee": "Leg",
                "Ankle": "Foot",
                **_fingers("Hand{finger}{k}", _SAME, ("1", "2", "3")),
            },
        ),
    },
)
UNREAL = Retarget(
    "unreal",
    "A",
    "z, facing y",
    {
        "MidHip": "pelvis",
        "Spine": "spine_01",
        "Chest": "spine_03",
        "Neck": "neck_01",
        "Head": "head",
        **_sided(
            "{name}_{side}",
            ("l", "r"),
            {
                "Clavicle": "clavicle",
                "Shoulder": "upperarm",
                "Elbow": "lowerarm",
                "Wrist": "hand",
                "Hip": "thigh",
                "Knee": "calf",
                "Ankle": "foot",
                **_fingers("{finger}_{k}", _LOWER, ("01", "02", "03")),
            },
        ),
    },
)
RIGIFY = Retarget(
    "rigify",
    "T",
    "z, facing -y",
    {
        # The human metarig: spine is the pelvis, spine.001 to .003 the trunk, .004 the neck and .006 the head.
        "MidHip": "spine",
        "Spine": "spine.001",
        "Chest": "spine.003",
        "Neck": "spine.004",
        "Head": "spine.006",
        **_sided(
            "{name}.{side}",
            ("L", "R"),
            {
                "Clavicle": "shoulder",
                "Shoulder": "upper_arm",
                "Elbow": "forearm",
                "Wrist": "hand",
                "Hip": "thigh",
                "Knee": "shin",
                "Ankle": "foot",
                **_fingers(
                    "{finger}.{k}", {**{f: f"f_{f.lower()}" for f in _FINGERS}, "Thumb": "thumb"}, ("01", "02", "03")
                ),
            },
        ),
    },
)
RETARGETS = {map.name: map for map in (MIXAMO, UNREAL, RIGIFY)}
"""The maps by name."""

OPENSIM_MARKERS = {
    # Keypoint -> marker of Pose2Sim's models and of OpenSim's gait models with keypoints as virtual markers.
    "Nose": "Nose",
    "Neck": "Neck",
    "MidHip": "CHip",
    "HeadTop": "Head",
    "Head": "Head",
    **{
        side + joint: side + joint
        for side in "RL"
        for joint in ("Shoulder", "Elbow", "Wrist", "Hip", "Knee", "Ankle", "BigToe", "SmallToe", "Heel", "Eye", "Ear")
    },
}
"""OpenSim has no joints by name in a marker file: keypoint -> name of the marker."""


def retargeted(motion: Motion, target: Retarget | str) -> Motion:
    """The motion under another rig's names and rest pose; joints that the map does not name keep theirs.

    Args:
        motion: of `fit_motion`, in its T pose.
        target: a map, or the name of one.

    Raises:
        ConfigError: no such map, or a motion without arms where an A pose is asked for.
    """
    if isinstance(target, str):
        if target not in RETARGETS:
            raise ConfigError(f"there is no rig {target!r}; there are {', '.join(RETARGETS)}")
        target = RETARGETS[target]
    if target.rest == "A":
        if not {"LShoulder", "RShoulder"} <= set(motion.armature.joints):
            raise ConfigError(f"{target.name} is bound in an A pose, which needs arms; {motion.armature.name} has none")
        motion = a_pose(motion)
    old = motion.armature
    names = tuple(target.joints.get(joint, joint) for joint in old.joints)
    armature = Armature(old.name, names, old.parents, np.array(old.offsets), np.array(old.end_offsets))
    return Motion(armature, motion.rotations, motion.translation, motion.timestamps, motion.person_id)
