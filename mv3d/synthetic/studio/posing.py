"""The performer's motions (`mv3d.synthetic.motions`, `performer`) on the studio's rig.

Those motions turn body segments that hang straight down or stand straight up; the rig rests with its arms 45 degrees
down. So every bone is first laid along its segment, then turned as the segment is.
"""

from collections.abc import Mapping

import numpy as np
from jaxtyping import Float

from mv3d.geometry.quaternions import rotation_of_quaternion, steady_quaternions
from mv3d.geometry.rotations import rotation_from_vector
from mv3d.synthetic.studio.clips import Clip, bone_places, make_clip
from mv3d.synthetic.studio.human import Human, RestBody

_DOWN = np.array([0.0, 0.0, -1.0])
# How much of the arm's elevation the collar bone takes, and how much it can (rad).
_CLAVICLE_SHARE, _CLAVICLE_LIMIT = 0.22, 0.45
_FINGERS = ("index", "middle", "ring", "pinky")
# Soles: rest points this near to the floor carry the body, m.
_SOLE = 0.02


def posed_segments(
    human: Human,
    body: RestBody,
    segments: Mapping[str, Float[np.ndarray, "sample 3 3"]],
    curl: tuple[float, float] = (0.3, 0.3),
) -> Float[np.ndarray, "sample bone 3 3"]:
    """World orientations of the bones.

    Args:
        human: the rig.
        body: whose rest pose is laid along the segments.
        segments: as `mv3d.synthetic.performer.pose_on_floor` takes them.
        curl: of the fingers of the left and the right hand, rad a joint.
    """
    own = aligned_bones(human, body)
    pelvis, trunk, head = segments["pelvis"], segments["trunk"], segments["head"]
    turns = {"Root": pelvis, "pelvis": pelvis, "head": head, "neck_01": between(trunk, head, 0.5)}
    turns |= {f"spine_0{k}": between(pelvis, trunk, k / 3) for k in (1, 2, 3)}
    for side, letter in (("L", "l"), ("R", "r")):
        for bone, segment in (("thigh", "thigh"), ("calf", "shank"), ("foot", "foot"), ("ball", "foot")):
            turns[f"{bone}_{letter}"] = segments[side + segment]
        upper, fore = segments[f"{side}upper_arm"], segments[f"{side}forearm"]
        turns[f"clavicle_{letter}"] = _raised_clavicle(trunk, upper)
        turns[f"upperarm_{letter}"], turns[f"lowerarm_{letter}"] = upper, fore
        turns[f"hand_{letter}"] = fore
    out = np.empty((len(pelvis), len(human.bones), 3, 3))
    for b, name in enumerate(human.bones):
        base = name if name in turns else f"hand_{name[-1]}"
        out[:, b] = turns[base] @ own[base if base != "Root" else "pelvis"]
    return curled_fingers(human, body, out, curl)


def aligned_bones(human: Human, body: RestBody) -> dict[str, np.ndarray]:
    """Rotation (3, 3) of each main bone from the rest pose to the pose in which arms and legs hang straight down."""
    own = {name: np.eye(3) for name in human.bones}
    heads = dict(zip(human.bones, body.heads, strict=True))
    for letter in "lr":
        for first, second, third in (("upperarm", "lowerarm", "hand"), ("thigh", "calf", "foot")):
            a, b, c = (heads[f"{name}_{letter}"] for name in (first, second, third))
            own[f"{first}_{letter}"] = shortest_turn(b - a, _DOWN)
            # The second bone follows the first before it is laid straight, so that the hinge keeps its axis.
            follows = own[f"{first}_{letter}"]
            own[f"{second}_{letter}"] = shortest_turn(follows @ (c - b), _DOWN) @ follows
        own[f"hand_{letter}"] = own[f"lowerarm_{letter}"]
    return own


def set_on_floor(
    human: Human,
    body: RestBody,
    R: Float[np.ndarray, "sample bone 3 3"],
    path: Float[np.ndarray, "sample 2"],
    lift: float | Float[np.ndarray, " sample"],
    rate: float,
) -> Clip:
    """A clip whose hips follow a path on the ground and whose lowest sole is `lift` (m) above the floor."""
    places = bone_places(human, body, R, np.zeros((len(R), 3)))
    lowest = np.full(len(R), np.inf)
    for bone, points in _soles(human, body).items():
        z = places[:, bone, None, 2] + np.einsum("sj,pj->sp", R[:, bone, 2], points - body.heads[bone])
        lowest = np.minimum(lowest, z.min(1))
    hips = places[:, [human.bones.index("thigh_l"), human.bones.index("thigh_r")]].mean(1)
    place = np.concatenate([path - hips[:, :2], (lift - lowest)[:, None]], axis=1)
    return make_clip(rate, R, place)


def curled_fingers(
    human: Human, body: RestBody, R: Float[np.ndarray, "sample bone 3 3"], curl: tuple[float, float]
) -> Float[np.ndarray, "sample bone 3 3"]:
    """The fingers bent by `curl` (rad a joint; left, right) from how they rest; each turns on what its parent did."""
    heads = dict(zip(human.bones, body.heads, strict=True))
    for letter, angle in zip("lr", curl, strict=True):
        across = heads[f"index_01_{letter}"] - heads[f"pinky_01_{letter}"]
        # Bending turns a finger towards the palm: about the way from pinky to index on the left, back on the right.
        axis = across / np.linalg.norm(across) * (1.0 if letter == "l" else -1.0)
        hand = human.bones.index(f"hand_{letter}")
        for finger in _FINGERS:
            for k in (1, 2, 3):
                turn = rotation_from_vector(k * angle * axis)
                R[:, human.bones.index(f"{finger}_0{k}_{letter}")] = R[:, hand] @ turn
    return R


def between(a: Float[np.ndarray, "n 3 3"], b: Float[np.ndarray, "n 3 3"], share: float) -> Float[np.ndarray, "n 3 3"]:
    """Rotations between two, by normalised linear interpolation of quaternions."""
    p, q = steady_quaternions(a), steady_quaternions(b)
    q = np.where((p * q).sum(-1, keepdims=True) < 0, -q, q)
    return rotation_of_quaternion((1 - share) * p + share * q)


def shortest_turn(a: Float[np.ndarray, "3"], b: Float[np.ndarray, "3"]) -> Float[np.ndarray, "3 3"]:
    """The rotation by the smallest angle that lays direction a along b."""
    a, b = a / np.linalg.norm(a), b / np.linalg.norm(b)
    axis = np.cross(a, b)
    sine = float(np.linalg.norm(axis))
    if sine < 1e-9:
        return np.eye(3) if a @ b > 0 else rotation_from_vector(np.pi * _any_across(a))
    return rotation_from_vector(np.arctan2(sine, float(a @ b)) * axis / sine)


def _any_across(a: np.ndarray) -> np.ndarray:
    across = np.cross(a, np.eye(3)[np.argmin(np.abs(a))])
    return across / np.linalg.norm(across)


def _raised_clavicle(trunk: np.ndarray, upper_arm: np.ndarray) -> np.ndarray:
    """The collar bone lifts with the arm, about the trunk's forward axis for the most part."""
    hanging = trunk @ _DOWN
    arm = upper_arm @ _DOWN
    axis = np.cross(hanging, arm)
    sine = np.linalg.norm(axis, axis=-1, keepdims=True)
    angle = np.arctan2(sine, (hanging * arm).sum(-1, keepdims=True))
    lifted = np.minimum(_CLAVICLE_SHARE * np.maximum(angle - 0.5, 0), _CLAVICLE_LIMIT)
    return rotation_from_vector(lifted * axis / np.maximum(sine, 1e-9)) @ trunk


def _soles(human: Human, body: RestBody) -> dict[int, np.ndarray]:
    """Rest points under the feet by bone."""
    strongest = human.skin_index[:, 0]
    low = body.vertices[:, 2] < body.vertices[:, 2].min() + _SOLE
    bones = [human.bones.index(f"{name}_{s}") for name in ("foot", "ball") for s in "lr"]
    return {b: body.vertices[low & (strongest == b)] for b in bones if (low & (strongest == b)).any()}
