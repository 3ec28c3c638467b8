import numpy as np
import pytest

from mv3d.data.skeleton import Skeleton
from mv3d.data.skeletons import BODY_25, COCO_18, HAND_21, LIMB_BONES
from mv3d.synthetic.performer import standing_person, walking_person

_SEEDS = pytest.mark.parametrize("seed", range(5))


def _at(xyz: np.ndarray, name: str) -> np.ndarray:
    return xyz[:, BODY_25.index(name)]


def _angle(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    cosine = (a * b).sum(-1) / np.linalg.norm(a, axis=-1) / np.linalg.norm(b, axis=-1)
    return np.degrees(np.arccos(np.clip(cosine, -1, 1)))


def _forward(xyz: np.ndarray) -> np.ndarray:
    """Horizontal unit vector (frame, 3) that the hips face."""
    left = _at(xyz, "LHip") - _at(xyz, "RHip")
    forward = np.cross(left, [0, 0, 1])
    return forward / np.linalg.norm(forward, axis=-1, keepdims=True)


@_SEEDS
@pytest.mark.parametrize("skeleton", [BODY_25, COCO_18], ids=lambda s: s.name)
def test_bones_keep_their_length(skeleton: Skeleton, seed: int) -> None:
    xyz, _ = walking_person(300, skeleton=skeleton, seed=seed)
    pairs = [(skeleton.index(a), skeleton.index(b)) for a, b in LIMB_BONES] + list(skeleton.bones)
    for a, b in pairs:
        length = np.linalg.norm(xyz[:, a] - xyz[:, b], axis=-1)
        # Products of three rotations and sums of a dozen vectors of 2 m in doubles.
        assert np.ptp(length) < 1e-12, f"{skeleton.keypoints[a]}-{skeleton.keypoints[b]}"
        assert length.mean() > 0.01


@_SEEDS
def test_left_and_right_are_alike_and_on_their_sides(seed: int) -> None:
    xyz, _ = walking_person(300, seed=seed)
    for a, b in (("Hip", "Knee"), ("Knee", "Ankle"), ("Shoulder", "Elbow"), ("Elbow", "Wrist")):
        right, left = (np.linalg.norm(_at(xyz, s + a)[0] - _at(xyz, s + b)[0]) for s in "RL")
        assert right == pytest.approx(left, abs=1e-12)
    # The toes, the nose and the walk all point forward; with that, left is on the left.
    forward = _forward(xyz)
    assert ((_at(xyz, "Nose") - _at(xyz, "Neck")) * forward).sum(-1).min() > 0
    velocity = np.diff(_at(xyz, "MidHip"), axis=0)
    assert np.mean((velocity * forward[:-1]).sum(-1) > 0) > 0.99


@_SEEDS
def test_joints_bend_within_their_limits(seed: int) -> None:
    xyz, _ = walking_person(600, seed=seed)
    forward = _forward(xyz)
    for side in "RL":
        hip, knee, ankle = (_at(xyz, side + name) for name in ("Hip", "Knee", "Ankle"))
        bend = _angle(knee - hip, ankle - knee)
        assert bend.min() > 3
        assert 40 < bend.max() < 110
        # A bent knee points forward: it lies before the line from hip to ankle.
        off_line = (
            knee
            - hip
            - (ankle - hip) * (((knee - hip) * (ankle - hip)).sum(-1) / ((ankle - hip) ** 2).sum(-1))[:, None]
        )
        assert ((off_line * forward).sum(-1)[bend > 15] > 0).all()
        shoulder, elbow, wrist = (_at(xyz, side + name) for name in ("Shoulder", "Elbow", "Wrist"))
        bend = _angle(elbow - shoulder, wrist - elbow)
        assert bend.min() > 3
        assert bend.max() < 130


def test_arms_rise_at_times() -> None:
    xyz, _ = walking_person(900, seed=0)
    for side in "RL":
        above = _at(xyz, side + "Wrist")[:, 2] - _at(xyz, side + "Shoulder")[:, 2]
        assert above.max() > 0.2
        assert np.mean(above < 0) > 0.5


@_SEEDS
def test_the_feet_stand_on_the_floor_and_the_body_upright(seed: int) -> None:
    xyz, _ = walking_person(600, seed=seed)
    lowest = np.stack([_at(xyz, s + j)[:, 2] for s in "RL" for j in ("Heel", "BigToe", "SmallToe")]).min(0)
    # The soft minimum of six joints lies up to ln(6) / 80 = 2.2 cm below the lowest.
    assert lowest.min() > -1e-9
    assert lowest.max() < 0.0225
    assert (_at(xyz, "Nose")[:, 2] > _at(xyz, "MidHip")[:, 2] + 0.4).all()
    assert 1.45 < _at(xyz, "Nose")[:, 2].mean() < 1.75


@_SEEDS
def test_the_motion_is_smooth_and_human(seed: int) -> None:
    xyz, timestamps = walking_person(600, fps=60.0, seed=seed)
    velocity = np.diff(xyz, axis=0) * 60
    assert np.linalg.norm(velocity, axis=-1).max() < 8  # m/s: a swinging foot reaches 4 to 6
    assert np.linalg.norm(np.diff(velocity, axis=0) * 60, axis=-1).max() < 80  # m/s2
    speed = np.linalg.norm(velocity[:, BODY_25.index("MidHip"), :2], axis=-1)
    assert 0.6 < speed.mean() < 1.4
    np.testing.assert_allclose(np.diff(timestamps), 1 / 60)


def test_turns_both_ways() -> None:
    xyz, _ = walking_person(900, seed=1)
    forward = _forward(xyz)
    turning = np.diff(np.unwrap(np.arctan2(forward[:, 1], forward[:, 0])))
    assert turning.max() > 0.005  # rad per frame
    assert turning.min() < -0.005


def test_the_same_motion_at_another_frame_rate_or_size() -> None:
    slow, _ = walking_person(50, fps=25.0, seed=2)
    fast, _ = walking_person(99, fps=50.0, seed=2)
    # The distance walked, which drives the steps, is summed over frames: a chord is shorter than its arc.
    np.testing.assert_allclose(fast[::2], slow, atol=2e-3)
    tall, _ = walking_person(10, height=2.0, seed=2)
    small, _ = walking_person(10, height=1.0, seed=2)
    shank = [np.linalg.norm(_at(x, "RKnee")[0] - _at(x, "RAnkle")[0]) for x in (tall, small)]
    assert shank[0] == pytest.approx(2 * shank[1])


def test_seeds() -> None:
    a, b, c = (walking_person(20, seed=seed)[0] for seed in (1, 1, 2))
    np.testing.assert_array_equal(a, b)
    assert np.abs(a - c).max() > 0.1


def test_a_bystander_stays_and_faces_where_told() -> None:
    xyz = standing_person((2.0, -1.5), np.pi / 2, 300)
    assert np.abs(_at(xyz, "MidHip")[:, :2] - [2, -1.5]).max() < 0.1
    assert (_forward(xyz)[:, 1] > 0.9).all()


def test_subsets_of_the_skeleton() -> None:
    whole, _ = walking_person(5, seed=4)
    coco, _ = walking_person(5, seed=4, skeleton=COCO_18)
    np.testing.assert_array_equal(coco, whole[:, list(BODY_25.indices(COCO_18.keypoints))])
    with pytest.raises(ValueError, match="Thumb1"):
        walking_person(5, skeleton=HAND_21)
    assert walking_person(0)[0].shape == (0, 25, 3)
    assert walking_person(1)[0].shape == (1, 25, 3)
