"""The skeletons of the OpenPose family: COCO_18, BODY_25, BODY_25B, MPI_15, HAND_21, FACE_70.

Joint orders, limb pairs and PAF channels are those that the published networks write (OpenPose 1.7). A joint's
name begins with R or L for the side of the person, not of the image.
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

SKELETONS = {s.name: s for s in (COCO_18, BODY_25, BODY_25B, MPI_15, HAND_21, FACE_70)}


def skeleton_named(name: str) -> Skeleton:
    """Look a skeleton up by name.

    Raises:
        KeyError: with the names there are.
    """
    if name not in SKELETONS:
        raise KeyError(f"no skeleton {name!r}; there are {', '.join(SKELETONS)}")
    return SKELETONS[name]


def joints_of(skeleton: Skeleton, what: Side) -> tuple[int, ...]:
    """Indices of the joints of both legs (hips and feet included), of both arms (shoulders included), or of all."""
    names = {"all": skeleton.keypoints, "legs": (*_LEGS, *_FEET), "arms": _ARMS}[what]
    return skeleton.indices(names)
