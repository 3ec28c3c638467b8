"""Any motion, of a BVH file for instance, on the studio's rig: bones found by name, laid along by direction."""

import re

import numpy as np
from jaxtyping import Float

from mv3d.data.motion import Motion
from mv3d.errors import FormatError
from mv3d.synthetic.studio.clips import Clip, bone_places, make_clip
from mv3d.synthetic.studio.human import Human, RestBody
from mv3d.synthetic.studio.posing import shortest_turn

# What programs call the bones; a side is looked for apart. The end of a bone is where the next one begins.
_NAMES = {
    "pelvis": ("hips", "hip", "pelvis", "midhip", "root"),
    "spine_02": ("spine1", "spine", "chest", "abdomen", "spine01", "torso", "trunk"),
    "spine_03": ("spine2", "spine3", "chest2", "upperchest", "spine02", "thorax"),
    "neck_01": ("neck", "neck1"),
    "head": ("head",),
    "clavicle": ("shoulder", "collar", "clavicle", "clav", "collarbone"),
    "upperarm": ("upperarm", "arm", "uparm", "shldr", "humerus", "shoulder"),
    "lowerarm": ("forearm", "lowerarm", "elbow", "lowarm", "radius"),
    "hand": ("hand", "wrist"),
    "thigh": ("thigh", "upleg", "upperleg", "femur", "hip"),
    "calf": ("calf", "leg", "lowleg", "lowerleg", "shin", "knee", "tibia"),
    "foot": ("foot", "ankle"),
    "ball": ("toe", "toebase", "ball", "toes", "bigtoe"),
}
_SIDED = ("clavicle", "upperarm", "lowerarm", "hand", "thigh", "calf", "foot", "ball")
_LIMBS = (("upperarm", "lowerarm"), ("lowerarm", "hand"), ("thigh", "calf"), ("calf", "foot"))


def clip_of_motion(human: Human, body: RestBody, motion: Motion, name: str = "motion") -> Clip:
    """A motion on somebody's rig, feet on the floor where the lowest of the clip stands.

    Args:
        human: the rig.
        body: whose proportions are kept.
        motion: z up.
        name: of the source, for messages.

    Raises:
        FormatError: hips, thighs, shins or arms are not found by their names.
    """
    found = _matched(human, motion, name)
    R, places = motion.world_frames()
    rest = motion.armature.rest
    facing = _facing(rest, found)
    turns = np.empty((len(motion), len(human.bones), 3, 3))
    for b, bone in enumerate(human.bones):
        source = found.get(bone)
        parent = human.parents[b]
        if source is None:
            turns[:, b] = turns[:, parent] if parent >= 0 else R[:, found["pelvis"]] @ facing
            continue
        turns[:, b] = R[:, source] @ _laid(human, body, bone, rest, found) @ facing
    scale = _leg_length(body.heads, [human.bones.index(f"{n}_l") for n in ("thigh", "calf", "foot")])
    scale /= max(_leg_length(rest, [found[f"{n}_l"] for n in ("thigh", "calf", "foot")]), 1e-6)
    hips = scale * places[:, found["pelvis"]]
    feet = [human.bones.index(f"{n}_{s}") for n in ("foot", "ball") for s in "lr"]
    low = (bone_places(human, body, turns, hips)[:, feet, 2] - body.heads[feet, 2]).min()
    middle = hips[:, :2].mean(0)
    rate = motion.fps or 1.0
    return make_clip(rate, turns, hips - [*middle, low])


def _matched(human: Human, motion: Motion, name: str) -> dict[str, int]:
    """Index in the motion of each bone of the rig that it has."""
    known: dict[str, int] = {}
    plain = [_plain(joint) for joint in motion.armature.joints]
    taken: set[int] = set()
    for bone in human.bones:
        base, _, side = bone.rpartition("_") if bone[-2:] in ("_l", "_r") else (bone, "", "")
        for word in _NAMES.get(base, ()):
            hits = [i for i, entry in enumerate(plain) if entry == (word, side if base in _SIDED else "")]
            hits = [i for i in hits if i not in taken or base == "upperarm"]
            if hits:
                known[bone] = hits[0]
                taken.add(hits[0])
                break
    wanted = ["pelvis", *(f"{n}_{s}" for n in ("upperarm", "lowerarm", "thigh", "calf", "foot") for s in "lr")]
    missing = [bone for bone in wanted if bone not in known]
    if missing:
        raise FormatError(f"{name}: no joint is named like {', '.join(missing)}; rename them as Mixamo or CMU do")
    return known


def _plain(joint: str) -> tuple[str, str]:
    """A joint's name in lower case without prefix, separators and side, and its side."""
    word = re.sub(r"^.*:", "", joint)
    spaced = re.sub(r"(?<=[a-z])(?=[A-Z])", "_", word)
    side = ""
    for pattern, letter in ((r"(?:^|[_. ])(?:left|l)(?:$|[_. ])", "l"), (r"(?:^|[_. ])(?:right|r)(?:$|[_. ])", "r")):
        if match := re.search(pattern, spaced, re.IGNORECASE):
            side, spaced = letter, spaced[: match.start()] + spaced[match.end() :]
            break
    if not side and (match := re.match(r"([LlRr])([A-Z]\w+)$", word)):
        side, spaced = match[1].lower(), match[2]
    return re.sub(r"[^a-z0-9]", "", spaced.lower()), side


def _facing(rest: Float[np.ndarray, "joint 3"], found: dict[str, int]) -> Float[np.ndarray, "3 3"]:
    """The turn about the vertical from the rig, which looks along x, to how the motion's rest pose looks."""
    across = rest[found["thigh_l"]] - rest[found["thigh_r"]]
    yaw = np.arctan2(-across[0], across[1])
    c, s = np.cos(yaw), np.sin(yaw)
    return np.array([[c, -s, 0], [s, c, 0], [0, 0, 1.0]])


def _laid(
    human: Human, body: RestBody, bone: str, rest: Float[np.ndarray, "joint 3"], found: dict[str, int]
) -> Float[np.ndarray, "3 3"]:
    """The turn that lays a limb of the rig along that of the motion's rest pose; both look the same way."""
    base, _, side = bone.rpartition("_")
    after = dict(_LIMBS).get(base)
    if base in ("hand",):
        return _laid(human, body, f"lowerarm_{side}", rest, found)
    if after is None or f"{after}_{side}" not in found:
        return np.eye(3)
    own = body.heads[human.bones.index(f"{after}_{side}")] - body.heads[human.bones.index(bone)]
    theirs = rest[found[f"{after}_{side}"]] - rest[found[bone]]
    return shortest_turn(_facing(rest, found) @ own, theirs)


def _leg_length(joints: np.ndarray, chain: list[int]) -> float:
    return float(np.linalg.norm(np.diff(joints[chain], axis=0), axis=1).sum())
