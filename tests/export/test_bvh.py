"""BVH written here, read by bvhio, a reader of its own, and by mv3d's."""

from pathlib import Path

import bvhio
import numpy as np
import pytest

from mv3d.data.motion import Armature, Motion
from mv3d.data.poses import Poses3D
from mv3d.errors import FormatError
from mv3d.export.bvh import bvh_names, write_bvh
from mv3d.export.options import place
from mv3d.export.registry import export_poses
from mv3d.files.bvh import read_bvh
from mv3d.geometry.euler import ORDERS

# The goal of the format: a tenth of a millimetre, a hundredth of a degree. bvhio works in single precision.
_PLACE_M, _TURN = 1e-4, np.radians(0.01)


def _by_bvhio(path: Path) -> tuple[list[str], np.ndarray, np.ndarray]:
    """Names, places (frame, joint, 3) in the file's axes and unit, and world rotations."""
    root = bvhio.readAsHierarchy(str(path))
    joints = [joint for joint, *_ in root.layout()]
    first, last = root.getKeyframeRange()
    places, turns = [], []
    for frame in range(first, last + 1):
        root.loadPose(frame)
        places.append([list(joint.PositionWorld) for joint in joints])
        # bvhio's rest pose may be turned; what counts is the turn from it.
        turns.append([np.array(_matrix(joint.RotationWorld)) for joint in joints])
    return [joint.Name for joint in joints], np.array(places), np.array(turns)


def _matrix(q) -> list[list[float]]:
    w, x, y, z = q.w, q.x, q.y, q.z
    return [
        [1 - 2 * (y * y + z * z), 2 * (x * y - w * z), 2 * (x * z + w * y)],
        [2 * (x * y + w * z), 1 - 2 * (x * x + z * z), 2 * (y * z - w * x)],
        [2 * (x * z - w * y), 2 * (y * z + w * x), 1 - 2 * (x * x + y * y)],
    ]


def _angle(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Angle between rotations (rad), by the chord, which keeps small angles exact."""
    return 2 * np.arcsin(np.clip(np.linalg.norm(a - b, axis=(-2, -1)) / np.sqrt(8), 0, 1))


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize(("units", "metres"), [("cm", 0.01), ("m", 1.0)])
def test_known_chains_in_another_reader(tmp_path, known_motion, order, units, metres):
    path = tmp_path / "arm.bvh"
    write_bvh(path, known_motion.motion, place("y_up", units), order=order)
    names, places, turns = _by_bvhio(path)
    assert names == ["Shoulder", "Elbow", "Wrist_joint"]
    # In the file y is up: (x, z, -y) of the world.
    expected = np.stack([known_motion.motion.translation, *np.moveaxis(known_motion.places[:, :2], 1, 0)], axis=1)
    expected = np.stack([expected[..., 0], expected[..., 2], -expected[..., 1]], axis=-1)
    assert np.abs(places * metres - expected).max() < _PLACE_M
    to_file = np.array([[1.0, 0, 0], [0, 0, 1], [0, -1, 0]])
    rest_to_now = turns @ np.swapaxes(turns[:1], -1, -2)  # the first frame is the rest pose
    assert _angle(rest_to_now, to_file @ known_motion.motion.world_frames()[0] @ to_file.T).max() < _TURN


@pytest.mark.parametrize("axes", ["world", "y_up"])
@pytest.mark.parametrize("order", ORDERS)
def test_read_back_is_equal_and_so_is_what_is_written_from_it(tmp_path, known_motion, axes, order):
    write_bvh(tmp_path / "a.bvh", known_motion.motion, place(axes, "cm"), order=order)
    again = read_bvh(tmp_path / "a.bvh", axes=axes)
    np.testing.assert_allclose(again.positions(), known_motion.motion.positions(), atol=1e-6)
    np.testing.assert_allclose(again.ends()[:, 2], known_motion.places[:, 2], atol=1e-6)
    np.testing.assert_allclose(again.rotations, known_motion.motion.rotations, atol=1e-7)
    assert again.fps == pytest.approx(50)
    write_bvh(tmp_path / "b.bvh", again, place(axes, "cm"), order=order)
    assert (tmp_path / "b.bvh").read_text() == (tmp_path / "a.bvh").read_text()


def test_other_rate_and_unequal_times_are_interpolated(tmp_path, known_motion):
    motion = known_motion.motion
    write_bvh(tmp_path / "a.bvh", motion, fps=100.0)
    again = read_bvh(tmp_path / "a.bvh")
    assert (len(again), again.fps) == (13, pytest.approx(100))
    np.testing.assert_allclose(again.rotations[::2], motion.rotations, atol=1e-7)
    # Half way between rest and 30 degrees about z.
    assert _angle(again.rotations[1, 0], np.eye(3)) == pytest.approx(np.radians(15), abs=1e-6)
    late = Motion(motion.armature, motion.rotations, motion.translation, motion.timestamps**2)
    write_bvh(tmp_path / "b.bvh", late)
    again = read_bvh(tmp_path / "b.bvh")
    assert len(again) == len(late)
    np.testing.assert_allclose(again.translation[[0, -1]], late.translation[[0, -1]], atol=1e-6)


def test_a_world_whose_up_is_another_axis(tmp_path, known_motion):
    """The world's up becomes the file's y; the rest pose, whose up is z, stands upright in both."""
    motion = known_motion.motion
    write_bvh(tmp_path / "a.bvh", motion, place("y_up", "cm", up=(1.0, 0.0, 0.0)))
    again = read_bvh(tmp_path / "a.bvh")
    np.testing.assert_allclose(again.armature.offsets, motion.armature.offsets, atol=1e-6)
    # x of the world is up, so it is the z of a world that is read as z up.
    np.testing.assert_allclose(again.positions()[..., 2], motion.positions()[..., 0], atol=1e-6)
    apart = np.linalg.norm(np.diff(again.positions(), axis=1), axis=-1)
    np.testing.assert_allclose(apart, np.linalg.norm(np.diff(motion.positions(), axis=1), axis=-1), atol=1e-6)


def test_names_that_bvh_cannot_hold():
    names = ("Left Hand", "Left_Hand", "Hüfte 左", "\n", "{")
    assert bvh_names(names) == ("Left_Hand", "Left_Hand_2", "Hüfte_左", "joint", "_")


def test_one_frame_and_none(tmp_path, known_motion):
    motion = known_motion.motion
    one = Motion(motion.armature, motion.rotations[:1], motion.translation[:1], motion.timestamps[:1])
    write_bvh(tmp_path / "one.bvh", one)
    np.testing.assert_allclose(read_bvh(tmp_path / "one.bvh").positions(), one.positions(), atol=1e-6)
    none = Motion(motion.armature, motion.rotations[:0], motion.translation[:0], motion.timestamps[:0])
    with pytest.raises(FormatError, match="no frames"):
        write_bvh(tmp_path / "none.bvh", none)
    assert not list(tmp_path.glob("none*"))


def test_unknown_order(tmp_path, known_motion):
    with pytest.raises(FormatError, match="ZXY"):
        write_bvh(tmp_path / "a.bvh", known_motion.motion, order="XYX")


def test_leaf_without_a_tip(tmp_path):
    armature = Armature("a", ("A", "B"), (-1, 0), np.array([[0, 0, 0], [0, 0, 1.0]]), np.full((2, 3), np.nan))
    write_bvh(tmp_path / "a.bvh", Motion(armature, np.tile(np.eye(3), (2, 2, 1, 1)), np.zeros((2, 3)), np.arange(2.0)))
    assert read_bvh(tmp_path / "a.bvh").armature.joints == ("A", "B")


def test_export_makes_a_file_a_person(tmp_path, poses: Poses3D):
    made = export_poses(poses, tmp_path, ["bvh"], "walk")
    assert made == [tmp_path / "walk.bvh"]
    assert len(read_bvh(made[0])) == len(poses)
