"""GLB by a reader that follows the specification, and by hand where the answer is plain."""

import dataclasses
import json
import struct
from pathlib import Path

import numpy as np
import pytest

from mv3d.data.motion import Armature, Motion
from mv3d.errors import FormatError
from mv3d.export.gltf import write_glb
from mv3d.export.options import place
from mv3d.export.readback_gltf import read_glb_motions
from mv3d.geometry.rotations import vector_from_rotation

# (x, y, z) of a z-up world is (x, z, -y) with y up.
Y_UP = np.array([[1.0, 0, 0], [0, 0, 1], [0, -1, 0]])


def document(path: Path) -> dict:
    data = path.read_bytes()
    return json.loads(data[20 : 20 + struct.unpack_from("<I", data, 12)[0]])


def assert_same_motion(read, motion: Motion, turn: np.ndarray, scale: float = 1.0) -> None:
    """Places within 0.1 mm and turns within 0.01 degree; float32 does a thousand times better."""
    assert read.joints == motion.armature.joints
    assert read.parents == motion.armature.parents
    R, x = read.frames(slice(None))
    wanted_R, wanted_x = motion.world_frames()
    np.testing.assert_allclose(x / scale, wanted_x @ turn.T, atol=1e-6)
    apart = vector_from_rotation(R @ np.swapaxes(turn @ wanted_R @ turn.T, -1, -2))
    assert np.rad2deg(np.linalg.norm(apart, axis=-1)).max() < 1e-4
    np.testing.assert_allclose(read.times, motion.timestamps - motion.timestamps[0], atol=1e-6)


def test_known_poses(tmp_path, dance):
    write_glb([dance], tmp_path / "a.glb")
    (read,) = read_glb_motions(tmp_path / "a.glb")
    assert_same_motion(read, dance, Y_UP)
    # By hand: frame 2 turns root and shoulder by 90 degrees about x. The left arm, along x, stays along x.
    _, x = read.frames(slice(None))
    at = {name: x[2, joint] for joint, name in enumerate(read.joints)}
    np.testing.assert_allclose(at["LElbow"] - at["LShoulder"], [0.3, 0, 0], atol=1e-6)
    # The trunk, up at rest, lies along -y of the world, which is +z of the file.
    np.testing.assert_allclose(at["Chest"] - at["MidHip"], [0, 0, 0.28], atol=1e-6)
    np.testing.assert_allclose(at["MidHip"], [0.4, 0.97, 0.26], atol=1e-6)


def test_a_world_whose_up_is_not_z(tmp_path, dance):
    """In a world with -y up, a body on its feet stands on its feet in the file."""
    R = np.array([[1.0, 0, 0], [0, 0, -1], [0, 1, 0]])  # world from a z-up world
    turned = dataclasses.replace(
        dance,
        rotations=np.concatenate([R @ dance.rotations[:, :1], dance.rotations[:, 1:]], axis=1),
        translation=dance.translation @ R.T,
    )
    write_glb([turned], tmp_path / "a.glb", place("y_up", "m", (0.0, -1.0, 0.0)))
    write_glb([dance], tmp_path / "b.glb")
    (a,), (b,) = read_glb_motions(tmp_path / "a.glb"), read_glb_motions(tmp_path / "b.glb")
    np.testing.assert_allclose(a.frames(slice(None))[1], b.frames(slice(None))[1], atol=1e-6)
    np.testing.assert_allclose(a.offsets, b.offsets)


def test_several_people_and_what_the_file_says(tmp_path, dance):
    other = dataclasses.replace(dance, translation=dance.translation + 1, person_id=9)
    write_glb([dance, other], tmp_path / "a.glb")
    first, second = read_glb_motions(tmp_path / "a.glb")
    assert_same_motion(first, dance, Y_UP)
    assert_same_motion(second, other, Y_UP)
    read = document(tmp_path / "a.glb")
    assert [node["name"] for node in read["nodes"] if node["name"].startswith("Person")] == ["Person5", "Person9"]
    stated = read["asset"]["extras"]
    assert (stated["fps"], stated["frames"], stated["start_time"], stated["person_id"]) == (50, 12, 2.0, [5, 9])
    assert "up is +Y; unit: m" in stated["frame"]


def test_quaternions_go_the_short_way(tmp_path, human):
    """A joint that turns on and on has no two neighbouring keys in opposite hemispheres."""
    angles = np.linspace(0, 4 * np.pi, 60)
    rotations = np.tile(np.eye(3), (60, len(human), 1, 1))
    c, s = np.cos(angles), np.sin(angles)
    rotations[:, 3, :2, :2] = np.stack([np.stack([c, -s], -1), np.stack([s, c], -1)], -2)
    motion = Motion(human, rotations, np.zeros((60, 3)), np.arange(60) / 60)
    write_glb([motion], tmp_path / "a.glb")
    q = read_glb_motions(tmp_path / "a.glb")[0].quaternions[:, 3]
    assert np.sum(q[1:] * q[:-1], axis=-1).min() > 0.99


def test_names_of_all_kinds_and_a_single_joint_and_frame(tmp_path):
    nowhere = np.full((1, 3), np.nan)
    lone = Armature("one", ('Hüfte "links" 関節\n',), (-1,), np.zeros((1, 3)), nowhere)
    motion = Motion(lone, np.eye(3)[None, None], np.ones((1, 3)), np.array([7.0]))
    write_glb([motion], tmp_path / "a.glb")
    (read,) = read_glb_motions(tmp_path / "a.glb")
    assert_same_motion(read, motion, Y_UP)


def test_what_cannot_be_written(tmp_path, dance):
    empty = dict.fromkeys(("rotations", "translation", "timestamps"), slice(0))
    still = dataclasses.replace(dance, **{name: getattr(dance, name)[part] for name, part in empty.items()})
    with pytest.raises(FormatError, match="without frames"):
        write_glb([still], tmp_path / "a.glb")
    with pytest.raises(FormatError, match="no motion"):
        write_glb([], tmp_path / "a.glb")
    with pytest.raises(ValueError, match="y up and metres"):
        write_glb([dance], tmp_path / "a.glb", place("z_up", "m"))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(("at", "message"), [(0, "not a whole GLB"), (8, "not a whole GLB")])
def test_a_damaged_file_is_told(tmp_path, dance, at, message):
    write_glb([dance], tmp_path / "a.glb")
    data = bytearray((tmp_path / "a.glb").read_bytes())
    data[at] ^= 1
    (tmp_path / "a.glb").write_bytes(data)
    with pytest.raises(FormatError, match=message):
        read_glb_motions(tmp_path / "a.glb")
