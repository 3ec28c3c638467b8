import numpy as np
import pytest

from mv3d.data.skeletons import BODY_25, COCO_18, LIMB_BONES
from mv3d.synthetic.motions import MOTIONS, moving_person
from mv3d.synthetic.performer import walking_person

_ALL = pytest.mark.parametrize("motion", list(MOTIONS))


def _at(xyz: np.ndarray, name: str) -> np.ndarray:
    return xyz[:, BODY_25.index(name)]


def _bend(xyz: np.ndarray, names: tuple[str, str, str]) -> np.ndarray:
    a, b, c = (_at(xyz, name) for name in names)
    cosine = ((b - a) * (c - b)).sum(-1) / np.linalg.norm(b - a, axis=-1) / np.linalg.norm(c - b, axis=-1)
    return np.degrees(np.arccos(np.clip(cosine, -1, 1)))


@_ALL
def test_bones_keep_their_length_and_feet_stay_above_the_floor(motion: str) -> None:
    xyz, timestamps = moving_person(motion, 600, seed=1)
    for a, b in LIMB_BONES:
        # Products of a few rotations and sums of a dozen vectors of 2 m in doubles.
        assert np.ptp(np.linalg.norm(_at(xyz, a) - _at(xyz, b), axis=-1)) < 1e-12
    assert xyz[..., 2].min() > -1e-9
    np.testing.assert_allclose(np.diff(timestamps), 1 / 60)


@_ALL
@pytest.mark.parametrize("seed", range(3))
def test_motions_are_smooth_human_and_near_the_origin(motion: str, seed: int) -> None:
    xyz, _ = moving_person(motion, 600, fps=120.0, seed=seed)
    velocity = np.diff(xyz, axis=0) * 120
    assert np.linalg.norm(velocity, axis=-1).max() < 12  # m/s: a boxer's fist reaches 8 to 10
    assert np.linalg.norm(np.diff(velocity, axis=0) * 120, axis=-1).max() < 250  # m/s2; twice that is an impact
    assert np.abs(xyz[..., :2]).max() < 1.5
    for side in "RL":
        for joints, most in ((("Hip", "Knee", "Ankle"), 150), (("Shoulder", "Elbow", "Wrist"), 150)):
            bend = _bend(xyz, tuple(side + joint for joint in joints))
            assert bend.max() < most, joints


def test_each_motion_does_what_it_says() -> None:
    jump, sit, wave, box, dance = (
        moving_person(motion, 900, seed=0)[0] for motion in ("jump", "sit", "wave", "box", "dance")
    )
    feet = [BODY_25.index(side + joint) for side in "RL" for joint in ("Heel", "BigToe", "SmallToe")]
    assert jump[:, feet, 2].min(1).max() > 0.15  # both feet are off the floor
    assert np.ptp(_at(sit, "MidHip")[:, 2]) > 0.3
    assert _bend(sit, ("RHip", "RKnee", "RAnkle")).max() > 75
    assert (_at(wave, "RWrist")[:, 2] > _at(wave, "RShoulder")[:, 2]).all()
    reach = np.linalg.norm(_at(box, "RWrist") - _at(box, "RShoulder"), axis=-1)
    assert np.ptp(reach) > 0.25
    speed = np.linalg.norm(np.diff(_at(dance, "RWrist"), axis=0), axis=-1) * 60
    assert np.percentile(speed, 90) > 3


def test_walking_is_the_performer_s_and_other_motions_follow_the_seed() -> None:
    np.testing.assert_array_equal(moving_person("walk", 20, seed=3)[0], walking_person(20, seed=3)[0])
    a, b, c = (moving_person("box", 60, seed=seed)[0] for seed in (1, 1, 2))
    np.testing.assert_array_equal(a, b)
    assert np.abs(a - c).max() > 0.01
    assert moving_person("dance", 5, skeleton=COCO_18)[0].shape == (5, 18, 3)
    assert moving_person("jump", 0)[0].shape == (0, 25, 3)


@_ALL
def test_the_frame_rate_only_samples_the_motion(motion: str) -> None:
    slow, fast = (moving_person(motion, n, fps=fps, seed=4)[0] for n, fps in ((30, 30.0), (59, 60.0)))
    if motion == "box":  # how many punches are drawn depends on the duration, which differs by half a frame
        slow, fast = slow[:20], fast[:39]
    np.testing.assert_allclose(fast[::2], slow, atol=1e-9)


def test_refuses_an_unknown_motion() -> None:
    with pytest.raises(ValueError, match="swim"):
        moving_person("swim")
