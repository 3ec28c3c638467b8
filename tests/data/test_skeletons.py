"""The tables against the published facts of the networks: joint orders, PAF channels, channel counts."""

import numpy as np
import pytest

from mv3d.data.skeleton import Skeleton, mirrored_name
from mv3d.data.skeletons import (
    BODY_25,
    BODY_25B,
    COCO_18,
    COCO_133,
    FACE_70,
    HAND_21,
    LIMB_BONES,
    LIMB_JOINTS,
    MPI_15,
    SKELETONS,
    joints_of,
    skeleton_named,
    with_hands_and_face,
)

_ALL = list(SKELETONS.values())
_PUBLISHED_ORDER = {
    "BODY_25": "Nose Neck RShoulder RElbow RWrist LShoulder LElbow LWrist MidHip RHip RKnee RAnkle LHip LKnee LAnkle"
    " REye LEye REar LEar LBigToe LSmallToe LHeel RBigToe RSmallToe RHeel",
    "COCO_18": "Nose Neck RShoulder RElbow RWrist LShoulder LElbow LWrist RHip RKnee RAnkle LHip LKnee LAnkle"
    " REye LEye REar LEar",
    "MPI_15": "Head Neck RShoulder RElbow RWrist LShoulder LElbow LWrist RHip RKnee RAnkle LHip LKnee LAnkle Chest",
    "BODY_25B": "Nose LEye REye LEar REar LShoulder RShoulder LElbow RElbow LWrist RWrist LHip RHip LKnee RKnee"
    " LAnkle RAnkle Neck HeadTop LBigToe LSmallToe LHeel RBigToe RSmallToe RHeel",
}


@pytest.mark.parametrize("name", _PUBLISHED_ORDER)
def test_joint_order(name: str) -> None:
    assert list(SKELETONS[name].keypoints) == _PUBLISHED_ORDER[name].split()


@pytest.mark.parametrize(("skeleton", "channels"), [(BODY_25, 78), (COCO_18, 57), (MPI_15, 44)])
def test_output_channels_of_the_body_networks(skeleton: Skeleton, channels: int) -> None:
    assert skeleton.heatmap_count + skeleton.paf_count == channels


@pytest.mark.parametrize(("skeleton", "channels"), [(HAND_21, 22), (FACE_70, 71), (BODY_25B, 25)])
def test_output_channels_of_the_others(skeleton: Skeleton, channels: int) -> None:
    assert skeleton.heatmap_count == channels


@pytest.mark.parametrize("skeleton", [BODY_25, COCO_18, MPI_15], ids=lambda s: s.name)
def test_pafs_use_every_channel_once(skeleton: Skeleton) -> None:
    assert sorted(c for pair in skeleton.paf_channels for c in pair) == list(range(skeleton.paf_count))
    assert all(y == x + 1 for x, y in skeleton.paf_channels)


@pytest.mark.parametrize(
    ("skeleton", "a", "b", "x"),
    [
        (BODY_25, "Neck", "MidHip", 0),
        (BODY_25, "RHip", "RKnee", 2),
        (BODY_25, "MidHip", "RHip", 6),
        (BODY_25, "Neck", "RShoulder", 14),
        (BODY_25, "RShoulder", "REar", 20),
        (BODY_25, "Neck", "Nose", 30),
        (BODY_25, "LEye", "LEar", 38),
        (BODY_25, "LAnkle", "LHeel", 44),
        (BODY_25, "RAnkle", "RHeel", 50),
        (COCO_18, "Neck", "RHip", 0),
        (COCO_18, "Neck", "RShoulder", 12),
        (COCO_18, "RShoulder", "REar", 18),
        (COCO_18, "LShoulder", "LEar", 26),
        (COCO_18, "Neck", "Nose", 28),
        (COCO_18, "LEye", "LEar", 36),
        (MPI_15, "Head", "Neck", 0),
        (MPI_15, "Chest", "RHip", 16),
        (MPI_15, "LKnee", "LAnkle", 26),
    ],
)
def test_paf_channels_by_name(skeleton: Skeleton, a: str, b: str, x: int) -> None:
    limb = skeleton.limbs.index((skeleton.index(a), skeleton.index(b)))
    assert skeleton.paf_channels[limb] == (x, x + 1)


@pytest.mark.parametrize("skeleton", [BODY_25, COCO_18], ids=lambda s: s.name)
def test_only_shoulder_to_ear_is_redundant(skeleton: Skeleton) -> None:
    names = {(skeleton.keypoints[a], skeleton.keypoints[b]) for a, b in set(skeleton.limbs) - set(skeleton.bones)}
    assert names == {("RShoulder", "REar"), ("LShoulder", "LEar")}


@pytest.mark.parametrize("skeleton", _ALL, ids=lambda s: s.name)
def test_mirror_is_an_involution_that_swaps_sides(skeleton: Skeleton) -> None:
    mirror = skeleton.mirror
    np.testing.assert_array_equal(mirror[mirror], np.arange(len(skeleton)))
    for i, name in enumerate(skeleton.keypoints):
        other = skeleton.keypoints[mirror[i]]
        is_sided = name[0] in "RL" and name[1].isupper()
        assert (other[1:] == name[1:] and {other[0], name[0]} == {"L", "R"}) if is_sided else other == name


@pytest.mark.parametrize(("skeleton", "pairs"), [(BODY_25, 11), (COCO_18, 8), (MPI_15, 6), (BODY_25B, 11)])
def test_mirror_pairs(skeleton: Skeleton, pairs: int) -> None:
    assert np.count_nonzero(skeleton.mirror != np.arange(len(skeleton))) == 2 * pairs


@pytest.mark.parametrize("skeleton", _ALL, ids=lambda s: s.name)
def test_limbs_join_the_skeleton_without_repeating(skeleton: Skeleton) -> None:
    assert len({frozenset(limb) for limb in skeleton.limbs}) == len(skeleton.limbs)
    sides = skeleton.mirror
    mirrored = {frozenset((sides[a], sides[b])) for a, b in skeleton.limbs}
    if "Face_0" not in skeleton.keypoints:  # its chains run around the face
        assert mirrored == {frozenset(limb) for limb in skeleton.limbs}


@pytest.mark.parametrize("skeleton", [BODY_25, COCO_18, MPI_15, BODY_25B, HAND_21], ids=lambda s: s.name)
def test_every_joint_is_reached(skeleton: Skeleton) -> None:
    reached = {0}
    for _ in skeleton.limbs:
        reached |= {j for limb in skeleton.limbs if reached & set(limb) for j in limb}
    assert reached == set(range(len(skeleton)))


def test_hand_fingers_start_at_the_wrist() -> None:
    starts = [b for a, b in HAND_21.limbs if a == 0]
    assert [HAND_21.keypoints[j] for j in starts] == ["Thumb1", "Index1", "Middle1", "Ring1", "Pinky1"]
    assert starts == [1, 5, 9, 13, 17]


@pytest.mark.parametrize("skeleton", [BODY_25, COCO_18, MPI_15, BODY_25B], ids=lambda s: s.name)
def test_limb_joints_and_bones_are_there(skeleton: Skeleton) -> None:
    assert len(skeleton.indices(LIMB_JOINTS)) == 12
    assert {j for bone in LIMB_BONES for j in bone} == set(LIMB_JOINTS)


def test_look_up() -> None:
    assert skeleton_named("BODY_25") is BODY_25
    with pytest.raises(KeyError, match="COCO_18, BODY_25"):
        skeleton_named("BODY_26")
    with pytest.raises(KeyError, match="MidHip"):
        COCO_18.index("MidHip")
    assert COCO_18.indices(("MidHip", "RWrist")) == (4,)


@pytest.mark.parametrize(
    ("keypoints", "limbs", "pafs"),
    [
        (("A", "A"), (), ()),
        (("A", "B"), ((0, 2),), ()),
        (("A", "B"), ((1, 1),), ()),
        (("A", "B"), ((-1, 0),), ()),
        (("A", "B"), ((0, 1),), ((0, 1), (2, 3))),
    ],
)
def test_refuses_tables_that_contradict_themselves(
    keypoints: tuple[str, ...], limbs: tuple[tuple[int, int], ...], pafs: tuple[tuple[int, int], ...]
) -> None:
    with pytest.raises(ValueError, match="X: "):
        Skeleton("X", keypoints, limbs, pafs)


# Joint orders of the detectors' own documents: COCO key points, Halpe Full-Body, COCO-WholeBody, MediaPipe Pose.
@pytest.mark.parametrize(
    ("name", "count", "indices"),
    [
        ("COCO_17", 17, {"Nose": 0, "REye": 2, "LShoulder": 5, "RWrist": 10, "LHip": 11, "RAnkle": 16}),
        (
            "HALPE_26",
            26,
            {"LShoulder": 5, "Head": 17, "Neck": 18, "MidHip": 19, "LBigToe": 20, "RBigToe": 21, "RHeel": 25},
        ),
        (
            "COCO_133",
            133,
            {"LBigToe": 17, "LHeel": 19, "RHeel": 22, "Face_0": 23, "LHand_Wrist": 91, "RHand_Pinky4": 132},
        ),
        ("HALPE_136", 136, {"RHeel": 25, "Face_0": 26, "LHand_Wrist": 94, "RHand_Wrist": 115}),
        (
            "BLAZEPOSE_33",
            33,
            {"LEye": 2, "REar": 8, "LShoulder": 11, "RWrist": 16, "LHip": 23, "LHeel": 29, "RBigToe": 32},
        ),
    ],
)
def test_joint_order_of_other_detectors(name: str, count: int, indices: dict[str, int]) -> None:
    assert len(SKELETONS[name]) == count
    assert {joint: SKELETONS[name].index(joint) for joint in indices} == indices
    assert len(SKELETONS[name].indices(LIMB_JOINTS)) == 12


@pytest.mark.parametrize(
    ("name", "other"),
    [
        *(("RKnee", "LKnee"), ("LHand_Thumb1", "RHand_Thumb1"), ("left_paw", "right_paw"), ("paw_left", "paw_right")),
        *(("hipLeft", "hipRight"), ("leftEar1", "rightEar1"), ("Left-Paw", "Right-Paw"), ("LEFT_EAR", "RIGHT_EAR")),
        *(("paw_L", "paw_R"), ("r.hock", "l.hock"), ("front_left_paw", "front_right_paw")),
        *((name, name) for name in ("Nose", "tail", "bright", "upright_x", "Lungs", "Rump", "lefty", "left.right")),
    ],
)
def test_names_tell_left_from_right(name: str, other: str) -> None:
    assert mirrored_name(name) == other
    assert mirrored_name(other) == name


def test_a_name_without_its_counterpart_mirrors_itself() -> None:
    assert Skeleton("X", ("left_paw", "tail"), ()).mirror.tolist() == [0, 1]


def test_mirror_pairs_that_are_told_override_names() -> None:
    assert Skeleton("X", ("left_a", "right_a", "b"), (), mirror_pairs=((0, 2),)).mirror.tolist() == [2, 1, 0]
    with pytest.raises(ValueError, match="X: a mirror pair"):
        Skeleton("X", ("a", "b"), (), mirror_pairs=((0, 1), (1, 0)))
    with pytest.raises(ValueError, match="X: a mirror pair"):
        Skeleton("X", ("a", "b"), (), mirror_pairs=((0, 2),))


def test_hands_and_face_are_appended_once() -> None:
    whole = with_hands_and_face(BODY_25, True, 70)
    assert len(whole) == 25 + 42 + 70
    assert with_hands_and_face(BODY_25, False, 0) is BODY_25
    assert with_hands_and_face(COCO_133, True, 68) is COCO_133
    assert (whole.index("LHand_Wrist"), whole.index("LHand_Thumb1")) in whole.bones
    assert (whole.index("Neck"), whole.index("RShoulder")) in whole.bones


def test_hands_go_with_the_arms() -> None:
    whole = with_hands_and_face(BODY_25, True, 0)
    assert len(joints_of(whole, "arms")) == 6 + 42
    assert whole.index("LHand_Wrist") not in joints_of(whole, "legs")
