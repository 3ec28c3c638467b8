"""A human body for any skeleton that has hips and shoulders: measured on its keypoints, as far as they go.

The root is the middle of the hips. Two joints bend the trunk, one lifts each shoulder; the neck and the head share what
the head does. Feet, hands and fingers turn only where keypoints show them; bones that no keypoint shows are left out
beyond a nominal tip.
"""

from dataclasses import replace

import numpy as np

from mv3d.data.skeleton import Skeleton
from mv3d.motion import human_freedom as freedom
from mv3d.motion.builder import Builder, frames_of, median_in, median_length
from mv3d.motion.human_hand import add_hand, has_hand
from mv3d.motion.model import Body, Freedom

_X, _Y, _Z = np.eye(3)
_DOWN = -_Z
_FACE = ("Nose", "LEye", "REye", "LEar", "REar")
_MORE_OF_HEAD = (
    *("LEyeInner", "LEyeOuter", "REyeInner", "REyeOuter", "LMouth", "RMouth", "Head", "HeadTop"),
    *(f"Face_{i}" for i in range(70)),
)
_FEET = ("Heel", "BigToe", "SmallToe")
# The tables have x forward, y left; at rest a body faces -y with its left at x: Blender's front, and once y is up, z is
# the front of glTF and of most BVH files.
_BODY_TO_REST = np.array([[0.0, 1.0, 0.0], [-1.0, 0.0, 0.0], [0.0, 0.0, 1.0]])
# Shares of the trunk at which the lumbar and the thoracic spine bend, and of the shoulder at which the clavicle turns.
_SPINE_SHARES = {"Spine": 0.2, "Chest": 0.35, "Neck": 0.45}
_CLAVICLE_SHARE = 0.15
# Height of the skull's base over the base of the neck, as a share of that of the face.
_SKULL_SHARE = 0.6
# Nominal tips of bones whose end is not measured, as shares of the bone before it.
_FOOT_TIP = np.array([0.35, 0.0, -0.12])
_HEAD_TIP_SHARE = 0.4
_HAND_TIP_SHARE = 0.7
# Points that are needed to tell the orientation of a rigid part.
_SITES_OF_A_FRAME = 3


def is_human(skeleton: Skeleton, xyz: np.ndarray) -> bool:
    """Whether hips and shoulders are there and measured."""
    return Builder(skeleton, xyz, "").has("RHip", "LHip", "RShoulder", "LShoulder")


def human_body(skeleton: Skeleton, xyz: np.ndarray) -> Body:
    """The body of a person, with lengths as medians over the frames.

    Args:
        skeleton: names of the keypoints.
        xyz: (frame, keypoint, 3) m in any world; NaN where missing. `is_human` holds.
    """
    b = Builder(skeleton, xyz, "MidHip")
    _add_trunk(b)
    for side in "RL":
        _add_leg(b, side)
    b.bone("hips", b.length("RHip", "LHip"), {"RHip": -_Y / 2, "LHip": _Y / 2})
    for side in "RL":
        _add_arm(b, side)
    _add_head(b)
    return replace(b.body(), shares={"Chest": "Spine", "Head": "Neck"}).turned(_BODY_TO_REST)


def _side(side: str, right: np.ndarray) -> np.ndarray:
    """A vector of the right side's table on this side."""
    return right if side == "R" else right * [1, -1, 1]


def _sided(side: str, right: Freedom) -> Freedom:
    return right if side == "R" else right.mirrored()


def _neck_points(b: Builder) -> np.ndarray:
    return b.points("Neck") if b.has("Neck") else (b.points("RShoulder") + b.points("LShoulder")) / 2


def _trunk_frames(b: Builder) -> np.ndarray:
    """Orientation of the upper trunk: left by the shoulders, up by hips and neck."""
    left = b.points("LShoulder") - b.points("RShoulder")
    up = _neck_points(b) - (b.points("RHip") + b.points("LHip")) / 2
    return frames_of(np.cross(left, up), up)


def _add_trunk(b: Builder) -> None:
    middle, neck = (b.points("RHip") + b.points("LHip")) / 2, _neck_points(b)
    b.joint("Spine", "MidHip", freedom.SPINE)
    b.joint("Chest", "Spine", freedom.CHEST)
    b.joint("Neck", "Chest", freedom.NECK if _head_sites(b) else None)
    shares: dict[str, np.ndarray] = {name: share * _Z for name, share in _SPINE_SHARES.items()}
    for side in "RL":
        b.joint(f"{side}Clavicle", "Chest", _sided(side, freedom.CLAVICLE))
        b.joint(f"{side}Shoulder", f"{side}Clavicle", _sided(side, freedom.shoulder()) if _reaches(b, side) else None)
        shares[f"{side}Clavicle"] = shares["Neck"]
    b.bone("Neck", median_length(neck - middle), shares)
    for side in "RL":
        vector = median_in(_trunk_frames(b), b.points(f"{side}Shoulder") - neck)
        length = float(np.linalg.norm(vector))
        parts = {f"{side}Clavicle": _CLAVICLE_SHARE, f"{side}Shoulder": 1 - _CLAVICLE_SHARE}
        b.bone(f"{side}Shoulder", length, {joint: share * vector / length for joint, share in parts.items()})
        b.site(f"{side}Shoulder", f"{side}Shoulder")
    if b.has("Neck"):
        b.site("Neck", "Neck")
    if b.has("Chest"):
        b.site("Chest", "Chest", np.zeros(3))
    if b.has("MidHip"):
        b.site("MidHip", "MidHip", median_in(_trunk_frames(b), b.points("MidHip") - middle))


def _reaches(b: Builder, side: str) -> bool:
    return b.has(f"{side}Elbow")


def _add_leg(b: Builder, side: str) -> None:
    hip, knee, ankle = (side + name for name in ("Hip", "Knee", "Ankle"))
    b.joint(hip, "MidHip", _sided(side, freedom.HIP) if b.has(knee) else None)
    b.site(hip, hip)
    if not b.has(knee):
        return
    b.limb(knee, hip, _DOWN, b.length(hip, knee), _sided(side, freedom.KNEE) if b.has(ankle) else None)
    if not b.has(ankle):
        return
    shank = b.length(knee, ankle)
    feet = [side + name for name in _FEET if b.has(side + name)]
    turns = len(feet) and b.has(f"{side}BigToe")
    b.limb(ankle, knee, _DOWN, shank, _sided(side, freedom.ANKLE) if turns else None)
    b.tip(ankle, shank * _side(side, _FOOT_TIP))
    if turns:
        _add_foot(b, side, feet)


def _add_foot(b: Builder, side: str, names: list[str]) -> None:
    """Heel and toes, rigid on the ankle; at rest the sole is level and the foot points forward."""
    ankle, toe = b.points(f"{side}Ankle"), b.points(f"{side}BigToe")
    heel = b.points(f"{side}Heel") if f"{side}Heel" in names else ankle
    up = ankle - heel if f"{side}Heel" in names else b.points(f"{side}Knee") - ankle
    if f"{side}SmallToe" in names:
        small = b.points(f"{side}SmallToe")
        up = np.cross(small - heel, toe - heel) * (1.0 if side == "R" else -1.0)
        toe = (toe + small) / 2
    R = frames_of(toe - heel, up)
    for name in names:
        b.site(name, f"{side}Ankle", median_in(R, b.points(name) - ankle))
    b.tip(f"{side}Ankle", median_in(R, b.points(f"{side}BigToe") - ankle))


def _add_arm(b: Builder, side: str) -> None:
    shoulder, elbow, wrist = (side + name for name in ("Shoulder", "Elbow", "Wrist"))
    along = _side(side, -_Y)
    if not _reaches(b, side):
        return
    moves = b.has(wrist)
    hand = moves and has_hand(b, side)
    turns = (freedom.FOREARM if hand else freedom.ELBOW) if moves else None
    b.limb(elbow, shoulder, along, b.length(shoulder, elbow), turns and _sided(side, turns))
    if not moves:
        return
    forearm = b.length(elbow, wrist)
    b.limb(wrist, elbow, along, forearm, _sided(side, freedom.WRIST) if hand else None)
    if hand:
        add_hand(b, side)
    else:
        b.tip(wrist, _HAND_TIP_SHARE * forearm * along)


def _head_sites(b: Builder) -> list[str]:
    return [name for name in (*_FACE, *_MORE_OF_HEAD) if b.has(name)]


def _head_frames(b: Builder) -> np.ndarray:
    """Orientation of the head by ears, eyes and nose; that of the trunk where there are too few of them."""
    pairs = [name for name in ("Ear", "Eye") if b.has(f"L{name}", f"R{name}")]
    front = [name for name in ("LEye", "REye", "Nose") if b.has(name)]
    if "Ear" not in pairs or not front:
        return _trunk_frames(b)
    left = np.sum([b.points(f"L{name}") - b.points(f"R{name}") for name in pairs], axis=0)
    ears = (b.points("LEar") + b.points("REar")) / 2
    forward = np.mean([b.points(name) for name in front], axis=0) - ears
    forward = forward - (forward * left).sum(-1, keepdims=True) / (left * left).sum(-1, keepdims=True) * left
    return frames_of(forward, np.cross(forward, left))


def _add_head(b: Builder) -> None:
    names, neck = _head_sites(b), _neck_points(b)
    if not names:
        return
    R = _head_frames(b)
    if not np.isfinite(R).all(axis=(1, 2)).any():
        R = _trunk_frames(b)
    places = {name: median_in(R, b.points(name) - neck) for name in names}
    places = {name: place for name, place in places.items() if np.isfinite(place).all()}
    height = max(float(np.mean([place[2] for place in places.values()])), 0.0)
    base = _SKULL_SHARE * height * _Z
    b.joint("Head", "Neck", freedom.HEAD if len(places) >= _SITES_OF_A_FRAME else None, base)
    for name, place in places.items():
        b.site(name, "Head", place - base)
    top = max([place[2] for place in places.values()]) - base[2]
    b.tip("Head", (top + _HEAD_TIP_SHARE * height) * _Z)
