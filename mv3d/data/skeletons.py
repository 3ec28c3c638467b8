"""The skeletons that are known by name, with OpenPose's joint names.

COCO_18, BODY_25, BODY_25B, MPI_15, HAND_21 and FACE_70 are OpenPose's: joint orders, limb pairs and PAF channels are
those that its networks write (1.7). The others are what further detectors write. A joint's name begins with R or L for
the side of the person, not of the image.
"""

from mv3d.data.correction import Side
from mv3d.data.skeleton import Skeleton

_ARMS = ("RShoulder", "RElbow", "RWrist", "LShoulder", "LElbow", "LWrist")
_LEGS = ("RHip", "RKnee", "RAnkle", "LHip", "LKnee", "LAnkle")
_FACE_OF_BODY = ("REye", "LEye", "REar", "LEar")
_FEET = ("LBigToe", "LSmallToe", "LHeel", "RBigToe", "RSmallToe", "RHeel")

LIMB_JOINTS = _ARMS + _LEGS
"""The twelve joints that quality figures are quoted on: shoulders, elbows, wrists, hips, knees, ankles."""

LIMB_BONES = (
    ("RShoulder", "RElbow"),
    ("RElbow", "RWrist"),
    ("LShoulder", "LElbow"),
    ("LElbow", "LWrist"),
    ("RHip", "RKnee"),
    ("RKnee", "RAnkle"),
    ("LHip", "LKnee"),
    ("LKnee", "LAnkle"),
    ("RShoulder", "LShoulder"),
    ("RHip", "LHip"),
)
"""The ten bones between the limb joints whose length should stay constant."""


def judged_joints(skeleton: Skeleton) -> tuple[int, ...]:
    """Joints that quality figures are quoted on: the limb joints, or all joints of what is no human body."""
    return skeleton.indices(LIMB_JOINTS) or tuple(range(len(skeleton)))


def judged_bones(skeleton: Skeleton) -> tuple[tuple[str, str], ...]:
    """Bones whose length should stay constant: those of the limbs, or all bones of what is no human body."""
    names = skeleton.keypoints
    if skeleton.indices(LIMB_JOINTS):
        return tuple((a, b) for a, b in LIMB_BONES if a in names and b in names)
    return tuple((names[a], names[b]) for a, b in skeleton.bones)


def _whole(count: int, name: str = "body") -> tuple[tuple[str, tuple[int, ...]], ...]:
    return ((name, tuple(range(count))),)


def _table(rows: str) -> tuple[tuple[tuple[int, int], ...], tuple[tuple[int, int], ...]]:
    """Parse "a-b@x,y ..." into limbs and their PAF channels."""
    limbs, channels = [], []
    for row in rows.split():
        pair, _, at = row.partition("@")
        a, b = pair.split("-")
        x, y = at.split(",")
        limbs.append((int(a), int(b)))
        channels.append((int(x), int(y)))
    return tuple(limbs), tuple(channels)


_COCO_LIMBS, _COCO_PAFS = _table(
    "1-2@12,13 1-5@20,21 2-3@14,15 3-4@16,17 5-6@22,23 6-7@24,25 1-8@0,1 8-9@2,3 9-10@4,5 1-11@6,7 11-12@8,9"
    " 12-13@10,11 1-0@28,29 0-14@30,31 14-16@34,35 0-15@32,33 15-17@36,37 2-16@18,19 5-17@26,27"
)
COCO_18 = Skeleton(
    "COCO_18",
    ("Nose", "Neck", *_ARMS, *_LEGS, *_FACE_OF_BODY),
    _COCO_LIMBS,
    _COCO_PAFS,
    redundant_limbs=frozenset({17, 18}),
    groups=_whole(18),
)

_BODY_25_LIMBS, _BODY_25_PAFS = _table(
    "1-8@0,1 1-2@14,15 1-5@22,23 2-3@16,17 3-4@18,19 5-6@24,25 6-7@26,27 8-9@6,7 9-10@2,3 10-11@4,5 8-12@8,9"
    " 12-13@10,11 13-14@12,13 1-0@30,31 0-15@32,33 15-17@36,37 0-16@34,35 16-18@38,39 2-17@20,21 5-18@28,29"
    " 14-19@40,41 19-20@42,43 14-21@44,45 11-22@46,47 22-23@48,49 11-24@50,51"
)
BODY_25 = Skeleton(
    "BODY_25",
    ("Nose", "Neck", *_ARMS, "MidHip", *_LEGS, *_FACE_OF_BODY, *_FEET),
    _BODY_25_LIMBS,
    _BODY_25_PAFS,
    redundant_limbs=frozenset({18, 19}),
    groups=_whole(25),
)

# The limbs of BODY_25B are for drawing and bone lengths; its PAF layout is not published with the facts used here.
_BODY_25B_KEYPOINTS = (
    *("Nose", "LEye", "REye", "LEar", "REar", "LShoulder", "RShoulder", "LElbow", "RElbow", "LWrist", "RWrist"),
    *("LHip", "RHip", "LKnee", "RKnee", "LAnkle", "RAnkle", "Neck", "HeadTop"),
    *_FEET,
)
BODY_25B = Skeleton(
    "BODY_25B",
    _BODY_25B_KEYPOINTS,
    tuple(
        (_BODY_25B_KEYPOINTS.index(a), _BODY_25B_KEYPOINTS.index(b))
        for a, b in (
            *(("Nose", "LEye"), ("Nose", "REye"), ("LEye", "LEar"), ("REye", "REar"), ("Neck", "HeadTop")),
            *(("Neck", "LShoulder"), ("Neck", "RShoulder"), ("LShoulder", "LElbow"), ("RShoulder", "RElbow")),
            *(("LElbow", "LWrist"), ("RElbow", "RWrist"), ("LShoulder", "LHip"), ("RShoulder", "RHip")),
            *(("LHip", "RHip"), ("LHip", "LKnee"), ("RHip", "RKnee"), ("LKnee", "LAnkle"), ("RKnee", "RAnkle")),
            *(("LAnkle", "LBigToe"), ("LBigToe", "LSmallToe"), ("LAnkle", "LHeel")),
            *(("RAnkle", "RBigToe"), ("RBigToe", "RSmallToe"), ("RAnkle", "RHeel"), ("Nose", "Neck")),
        )
    ),
    has_background=False,
    groups=_whole(25),
)

_MPI_LIMBS = (
    *((0, 1), (1, 2), (2, 3), (3, 4), (1, 5), (5, 6), (6, 7), (1, 14), (14, 8), (8, 9), (9, 10)),
    *((14, 11), (11, 12), (12, 13)),
)
MPI_15 = Skeleton(
    "MPI_15",
    ("Head", "Neck", *_ARMS, *_LEGS, "Chest"),
    _MPI_LIMBS,
    tuple((2 * i, 2 * i + 1) for i in range(len(_MPI_LIMBS))),
    groups=_whole(15),
)

_FINGERS = ("Thumb", "Index", "Middle", "Ring", "Pinky")
HAND_21 = Skeleton(
    "HAND_21",
    ("Wrist", *(f"{finger}{k}" for finger in _FINGERS for k in range(1, 5))),
    tuple((0 if k == 0 else 4 * f + k, 4 * f + k + 1) for f in range(5) for k in range(4)),
    groups=_whole(21, "hand"),
)


def _chain(first: int, last: int, *, closed: bool = False) -> tuple[tuple[int, int], ...]:
    links = tuple((i, i + 1) for i in range(first, last))
    return (*links, (last, first)) if closed else links


FACE_70 = Skeleton(
    "FACE_70",
    tuple(f"Face_{i}" for i in range(70)),
    _chain(0, 16)  # contour
    + _chain(17, 21)  # right brow
    + _chain(22, 26)  # left brow
    + _chain(27, 30)  # nose bridge
    + _chain(31, 35)  # nose base
    + _chain(36, 41, closed=True)  # right eye
    + _chain(42, 47, closed=True)  # left eye
    + _chain(48, 59, closed=True)  # outer mouth
    + _chain(60, 67, closed=True),  # inner mouth
    groups=_whole(70, "face"),
)

_COCO_17 = (
    *("Nose", "LEye", "REye", "LEar", "REar", "LShoulder", "RShoulder", "LElbow", "RElbow", "LWrist", "RWrist"),
    *("LHip", "RHip", "LKnee", "RKnee", "LAnkle", "RAnkle"),
)
# Big toes, small toes and heels in pairs, unlike OpenPose's feet.
_HALPE_26 = (
    *(*_COCO_17, "Head", "Neck", "MidHip"),
    *("LBigToe", "RBigToe", "LSmallToe", "RSmallToe", "LHeel", "RHeel"),
)
_BLAZEPOSE_33 = (
    *("Nose", "LEyeInner", "LEye", "LEyeOuter", "REyeInner", "REye", "REyeOuter", "LEar", "REar", "LMouth", "RMouth"),
    *("LShoulder", "RShoulder", "LElbow", "RElbow", "LWrist", "RWrist", "LPinky", "RPinky", "LIndex", "RIndex"),
    *("LThumb", "RThumb", "LHip", "RHip", "LKnee", "RKnee", "LAnkle", "RAnkle", "LHeel", "RHeel"),
    *("LBigToe", "RBigToe"),
)
_SIDED_LIMBS = (
    *("Shoulder-Elbow", "Elbow-Wrist", "Hip-Knee", "Knee-Ankle", "Ankle-BigToe", "BigToe-SmallToe", "Ankle-Heel"),
    *("Eye-Ear", "Wrist-Pinky", "Wrist-Index", "Wrist-Thumb"),
)
_NECK_LIMBS = (
    "Neck-Nose",
    "Neck-Head",
    "Neck-MidHip",
    *(f"{m}-{s}{j}" for m, j in (("Neck", "Shoulder"), ("MidHip", "Hip")) for s in "LR"),
)


def _joined(names: tuple[str, ...]) -> tuple[tuple[int, int], ...]:
    """The usual limbs among the joints that are there; without a neck, the trunk is a square of shoulders and hips."""
    pairs = [row.split("-") for row in _NECK_LIMBS]
    pairs += [[side + joint for joint in row.split("-")] for row in _SIDED_LIMBS for side in "LR"]
    pairs += [["Nose", "LEye"], ["Nose", "REye"]]
    if "Neck" not in names:
        pairs += [["LShoulder", "RShoulder"], ["LHip", "RHip"], ["LShoulder", "LHip"], ["RShoulder", "RHip"]]
    return tuple((names.index(a), names.index(b)) for a, b in pairs if a in names and b in names)


def _found_without_pafs(name: str, keypoints: tuple[str, ...]) -> Skeleton:
    return Skeleton(name, keypoints, _joined(keypoints), has_background=False, groups=_whole(len(keypoints)))


def _appended(name: str, body: Skeleton, parts: tuple[tuple[str, str, Skeleton, int], ...]) -> Skeleton:
    """A body followed by parts: name of the group, prefix of its joints, skeleton, and how many of its points."""
    keypoints, limbs, groups = list(body.keypoints), list(body.bones), list(body.groups)
    for group, prefix, part, count in parts:
        first = len(keypoints)
        keypoints += [prefix + joint for joint in part.keypoints[:count]]
        limbs += [(first + a, first + b) for a, b in part.bones if max(a, b) < count]
        groups.append((group, tuple(range(first, first + count))))
    return Skeleton(name, tuple(keypoints), tuple(limbs), has_background=False, groups=tuple(groups))


_HANDS = (("left_hand", "LHand_", HAND_21, 21), ("right_hand", "RHand_", HAND_21, 21))
# The face of 68 points is OpenPose's without the pupils.
_FACE_68 = ("face", "", FACE_70, 68)

COCO_17 = _found_without_pafs("COCO_17", _COCO_17)
HALPE_26 = _found_without_pafs("HALPE_26", _HALPE_26)
BLAZEPOSE_33 = _found_without_pafs("BLAZEPOSE_33", _BLAZEPOSE_33)
COCO_133 = _appended("COCO_133", _found_without_pafs("COCO_23", (*_COCO_17, *_FEET)), (_FACE_68, *_HANDS))
HALPE_136 = _appended("HALPE_136", HALPE_26, (_FACE_68, *_HANDS))

_OPENPOSE = (COCO_18, BODY_25, BODY_25B, MPI_15, HAND_21, FACE_70)
SKELETONS = {s.name: s for s in (*_OPENPOSE, COCO_17, HALPE_26, BLAZEPOSE_33, COCO_133, HALPE_136)}

SKELETON_OF_COUNT = {
    len(s): s for s in (BODY_25, COCO_18, MPI_15, COCO_17, HALPE_26, BLAZEPOSE_33, COCO_133, HALPE_136)
}
"""Which skeleton a detector means that only writes so many joints; BODY_25B must be told from BODY_25."""


def with_hands_and_face(body: Skeleton, hands: bool, face_points: int) -> Skeleton:
    """A body followed by both hands (LHand_Wrist, ...) and a face of 68 or 70 points (Face_0, ...).

    A body that has such groups already is returned as it is, and so is one to which nothing is added.
    """
    parts = (*(_HANDS if hands else ()), *((("face", "", FACE_70, face_points),) if face_points else ()))
    if not parts or hands_and_face_of(body):
        return body
    ending = ("_HANDS" if hands else "") + (f"_FACE_{face_points}" if face_points else "")
    return _appended(body.name + ending, body, parts)


def hands_and_face_of(skeleton: Skeleton) -> dict[str, tuple[int, ...]]:
    """The joints of the groups left_hand, right_hand and face, those that the skeleton has."""
    return {name: joints for name, joints in skeleton.groups if name in ("left_hand", "right_hand", "face")}


def skeleton_named(name: str) -> Skeleton:
    """Look a skeleton up by name.

    Raises:
        KeyError: with the names there are.
    """
    if name not in SKELETONS:
        raise KeyError(f"no skeleton {name!r}; there are {', '.join(SKELETONS)}")
    return SKELETONS[name]


def joints_of(skeleton: Skeleton, what: Side) -> tuple[int, ...]:
    """Indices of the joints of both legs (hips and feet included), of both arms (shoulders and hands), or of all."""
    hands = tuple(name for name in skeleton.keypoints if name.startswith(("LHand_", "RHand_")))
    names = {"all": skeleton.keypoints, "legs": (*_LEGS, *_FEET), "arms": (*_ARMS, *hands)}[what]
    return skeleton.indices(names)
