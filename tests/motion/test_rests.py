"""Other rest poses and names: the same places under them."""

import numpy as np
import pytest

from mv3d.errors import ConfigError
from mv3d.motion.fit import fit_motion
from mv3d.motion.rests import a_pose, facing, with_rest
from mv3d.motion.retarget import OPENSIM_MARKERS, RETARGETS, retargeted
from mv3d.synthetic.performer import walking_person


@pytest.fixture
def motion(make_poses):
    truth, times = walking_person(20, seed=1)
    return fit_motion(make_poses(truth, times)).motion


def _at_rest(motion, joint: str, parent: str) -> np.ndarray:
    armature = motion.armature
    way = armature.rest[armature.joints.index(joint)] - armature.rest[armature.joints.index(parent)]
    return way / np.linalg.norm(way)


def test_fitted_rest_is_a_t_pose_that_faces_minus_y(motion):
    np.testing.assert_allclose(_at_rest(motion, "LWrist", "LShoulder"), [1, 0, 0], atol=1e-12)
    np.testing.assert_allclose(_at_rest(motion, "RWrist", "RShoulder"), [-1, 0, 0], atol=1e-12)
    np.testing.assert_allclose(_at_rest(motion, "RAnkle", "RHip"), [0, 0, -1], atol=1e-12)
    toes = motion.armature.end_offsets[motion.armature.joints.index("RAnkle")]
    assert toes[1] < -0.1, "toes in front"


def test_a_pose_and_facing_keep_all_places(motion):
    for other in (a_pose(motion), facing(motion, 1.2)):
        np.testing.assert_allclose(other.positions(), motion.positions(), atol=1e-12)
        np.testing.assert_allclose(other.ends(), motion.ends(), atol=1e-12)
    down = np.sqrt(0.5)
    np.testing.assert_allclose(_at_rest(a_pose(motion), "LWrist", "LShoulder"), [down, 0, -down], atol=1e-12)
    np.testing.assert_allclose(_at_rest(a_pose(motion), "RWrist", "RShoulder"), [-down, 0, -down], atol=1e-12)
    np.testing.assert_allclose(_at_rest(facing(motion, np.pi / 2), "LWrist", "LShoulder"), [0, 1, 0], atol=1e-12)


def test_with_rest_makes_any_frame_the_rest_pose(motion):
    R = motion.world_frames()[0][7]
    other = with_rest(motion, R)
    np.testing.assert_allclose(other.rotations[7], np.tile(np.eye(3), (len(R), 1, 1)), atol=1e-12)
    np.testing.assert_allclose(other.positions(), motion.positions(), atol=1e-12)


@pytest.mark.parametrize("name", RETARGETS)
def test_retargeted_has_the_names_of_the_rig(motion, name):
    other = retargeted(motion, name)
    assert {RETARGETS[name].joints[j] for j in motion.armature.joints} == set(other.armature.joints)
    np.testing.assert_allclose(other.positions(), motion.positions(), atol=1e-12)
    arm = _at_rest(other, RETARGETS[name].joints["LElbow"], RETARGETS[name].joints["LShoulder"])
    assert arm[2] == pytest.approx(-np.sqrt(0.5) if RETARGETS[name].rest == "A" else 0, abs=1e-12)


def test_no_name_twice_and_both_sides():
    for target in RETARGETS.values():
        assert len(set(target.joints.values())) == len(target.joints)
        left = {j[1:] for j in target.joints if j[0] == "L"}
        assert left == {j[1:] for j in target.joints if j[0] == "R"}
    assert OPENSIM_MARKERS["MidHip"] == "CHip"


def test_unknown_rig_and_missing_arms(motion, known_motion):
    with pytest.raises(ConfigError, match="mixamo, unreal, rigify"):
        retargeted(motion, "maya")
    with pytest.raises(ConfigError, match="needs arms"):
        retargeted(known_motion.motion, "unreal")
