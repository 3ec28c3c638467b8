from pathlib import Path

import numpy as np
import pytest

from mv3d.data.motion import Armature, Motion
from mv3d.errors import FormatError
from mv3d.geometry.rotations import rotation_from_vector

_NAN = np.full(3, np.nan)


def _armature(**changes: object) -> Armature:
    fields = {
        "name": "Arm é",
        "joints": ("Shoulder", "Elbow", "Wrist joint"),
        "parents": (-1, 0, 1),
        "offsets": np.array([[0, 0, 0], [0.3, 0, 0], [0.25, 0, 0]]),
        "end_offsets": np.array([_NAN, _NAN, [0.1, 0, 0]]),
    }
    return Armature(**(fields | changes))  # type: ignore[arg-type]


def _motion(vectors: list, translation: object = ((1.0, 2.0, 3.0),)) -> Motion:
    return Motion(
        _armature(), rotation_from_vector(np.array(vectors, float)), np.array(translation), np.array([0.5]), 3
    )


def test_rest_pose_is_the_sum_of_the_offsets() -> None:
    motion = _motion([[[0, 0, 0]] * 3])
    np.testing.assert_allclose(motion.positions()[0], [[1, 2, 3], [1.3, 2, 3], [1.55, 2, 3]], atol=1e-12)
    np.testing.assert_allclose(motion.armature.rest, motion.positions()[0] - [1, 2, 3], atol=1e-12)
    np.testing.assert_allclose(motion.ends()[0, 2], [1.65, 2, 3], atol=1e-12)
    assert np.isnan(motion.ends()[0, :2]).all()


def test_a_turn_of_a_joint_moves_what_hangs_on_it() -> None:
    quarter = np.pi / 2
    motion = _motion([[[0, 0, quarter], [0, 0, quarter], [0, 0, 0]]])
    # The upper arm turns from x to y; the forearm, a further quarter, to -x.
    np.testing.assert_allclose(motion.positions()[0], [[1, 2, 3], [1, 2.3, 3], [0.75, 2.3, 3]], atol=1e-12)
    np.testing.assert_allclose(
        motion.world_frames()[0][0, 2], rotation_from_vector(np.array([0, 0, np.pi])), atol=1e-12
    )


def test_saved_and_loaded_is_the_same(tmp_path: Path) -> None:
    motion = _motion([[[0.1, 0.2, 0.3]] * 3])
    motion.save(tmp_path / "motion.npz")
    again = Motion.load(tmp_path / "motion.npz")
    assert (again.armature.name, again.armature.joints, again.armature.parents, again.person_id) == (
        motion.armature.name,
        motion.armature.joints,
        motion.armature.parents,
        3,
    )
    for name in ("rotations", "translation", "timestamps"):
        np.testing.assert_array_equal(getattr(again, name), getattr(motion, name))
    np.testing.assert_array_equal(again.armature.end_offsets, motion.armature.end_offsets)


@pytest.mark.parametrize(
    "change",
    [
        {"parents": (-1, 0, 2)},
        {"parents": (-1, -1, 0)},
        {"parents": (0, 0, 1)},
        {"joints": ("a", "a", "b")},
        {"joints": (), "parents": ()},
        {"offsets": np.ones((3, 3))},
        {"offsets": np.full((3, 3), np.nan)},
        {"end_offsets": np.zeros((3, 3))},
        {"end_offsets": np.array([_NAN, _NAN, [0, np.nan, 0]])},
    ],
)
def test_an_armature_that_is_no_tree_is_refused(change: dict) -> None:
    with pytest.raises(ValueError, match=r"Arm é|offsets"):
        _armature(**change)


def test_what_is_no_rotation_is_refused() -> None:
    for matrix in (2 * np.eye(3), -np.eye(3), np.full((3, 3), np.nan)):
        with pytest.raises(ValueError, match="rotation"):
            Motion(_armature(), np.tile(matrix, (1, 3, 1, 1)), np.zeros((1, 3)), np.zeros(1))


def test_no_frames_is_a_motion(tmp_path: Path) -> None:
    motion = Motion(_armature(), np.zeros((0, 3, 3, 3)), np.zeros((0, 3)), np.zeros(0))
    assert (len(motion), motion.fps, motion.positions().shape) == (0, 0.0, (0, 3, 3))
    motion.save(tmp_path / "m.npz")
    assert len(Motion.load(tmp_path / "m.npz")) == 0


def test_a_file_of_another_kind_gives_one_line(tmp_path: Path) -> None:
    path = tmp_path / "m.npz"
    path.write_bytes(b"not a zip")
    with pytest.raises(FormatError, match=r"m\.npz") as caught:
        Motion.load(path)
    assert "\n" not in str(caught.value)
    np.savez(path, joints=np.zeros(3))
    with pytest.raises(FormatError, match="lacks"):
        Motion.load(path)
