import numpy as np
import pytest

from mv3d.data.poses import MISSING
from mv3d.data.skeleton import Skeleton
from mv3d.synthetic.from_motion import poses_of_motion


def test_joints_become_keypoints(known_motion) -> None:
    motion = known_motion.motion
    poses = poses_of_motion(motion)
    assert poses.skeleton.keypoints == ("Shoulder", "Elbow", "Wrist joint")
    assert poses.skeleton.bones == ((0, 1), (1, 2))
    np.testing.assert_allclose(poses.xyz[:, 0, 1:], known_motion.places[:, :2], atol=1e-12)
    np.testing.assert_array_equal(poses.timestamps, motion.timestamps)


def test_names_are_mapped_and_the_rest_is_missing(known_motion) -> None:
    skeleton = Skeleton("two", ("Nose", "RElbow"), ())
    poses = poses_of_motion(known_motion.motion, skeleton, {"RElbow": "Elbow"})
    np.testing.assert_allclose(poses.xyz[:, 0, 1], known_motion.places[:, 0], atol=1e-12)
    assert np.all(poses.state[:, 0, 0] == MISSING)
    with pytest.raises(ValueError, match="say which is which"):
        poses_of_motion(known_motion.motion, skeleton)
