"""The tables against the published facts of the networks: joint orders, PAF channels, channel counts."""

import numpy as np
import pytest

from mv3d.data.skeleton import Skeleton
from mv3d.data.skeletons import (
    BODY_25,
    BODY_25B,
    COCO_18,
    FACE_70,
    HAND_21,
    LIMB_BONES,
    LIMB_JOINTS,
    MPI_15,
    SKELETONS,
    skeleton_named,
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
    if skeleton is not FACE_70:  # its chains run around the face
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
