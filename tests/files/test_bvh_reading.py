"""BVH as other programs write it, and broken or hostile files."""

import numpy as np
import pytest

from mv3d.errors import FormatError
from mv3d.files.bvh import read_bvh

# Blanks, tabs, lower case, an End Site in the middle, channels in odd orders, positions on every joint.
_OTHER = """hierarchy
root Hips \t
{
  offset 1 2 3
  channels 6 Yrotation Xposition zrotation Yposition Xrotation Zposition
  JOINT Left Leg {
    OFFSET 0 -40.0 0
    CHANNELS 6 Xposition Yposition Zposition Xrotation Yrotation Zrotation
    End Site
    { OFFSET 0 -4e1 0 }
  }
  JOINT Rigid
  {
    OFFSET 5 0 0
    CHANNELS 0
  }
}
MOTION
Frames : 2
Frame Time: .04
0 100 0 0 0 0 0 -40 0 0 0 0

90 100 0 50 0 0  0 -40 0  90 0 0
"""


def _written(tmp_path, text: str):
    path = tmp_path / "other.bvh"
    path.write_text(text, encoding="utf-8")
    return path


def test_channels_of_another_program(tmp_path):
    motion = read_bvh(_written(tmp_path, _OTHER), axes="world")
    assert motion.armature.joints == ("Hips", "Left Leg", "Rigid")
    assert motion.armature.parents == (-1, 0, 0)
    assert motion.timestamps.tolist() == [0, 0.04]
    # The root is where its position channels say, not at its offset; y was named second among the positions.
    np.testing.assert_allclose(motion.translation, [[1, 0, 0], [1, 0.5, 0]], atol=1e-12)
    # Frame 2: the root turns x to -z (90 about y), then the leg swings 90 about its own x, forward from down.
    np.testing.assert_allclose(motion.positions()[1, 1:], [[1, 0.1, 0], [1, 0.5, -0.05]], atol=1e-12)
    np.testing.assert_allclose(motion.ends()[1, 1], [1 - 0.4, 0.1, 0], atol=1e-12)


def test_y_up_becomes_z_up(tmp_path):
    motion = read_bvh(_written(tmp_path, _OTHER))
    np.testing.assert_allclose(motion.positions()[0], [[1, 0, 0], [1, 0, -0.4], [1.05, 0, 0]], atol=1e-12)


def test_bones_that_stretch_are_refused_unless_allowed(tmp_path):
    path = _written(tmp_path, _OTHER.replace("0 -40 0  90", "0 -44 0  90"))
    with pytest.raises(FormatError, match=r"Left Leg.*40 mm"):
        read_bvh(path)
    assert read_bvh(path, rigid=False).armature.offsets[1].tolist() == pytest.approx([0, 0, -0.42])


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (("hierarchy", "HIERARCHIE"), "line 1: 'HIERARCHIE' where HIERARCHY"),
        (("Frames : 2", "Frames: 3"), "2 rows"),
        (("Frames : 2", "Frames: 1e18"), "frames"),
        (("Frames : 2", "Frames: -1"), "frames"),
        (("Frames : 2", "Frames: nan"), "number"),
        ((".04", "0"), "frame time"),
        ((".04", "-1"), "frame time"),
        (("90 100", "ninety 100"), "no row of numbers"),
        (("90 100", "nan 100"), "not finite"),
        (("90 100", "100"), "no row of numbers"),
        (("Yrotation Xposition", "Wrotation Xposition"), "Wrotation"),
        (("Yrotation Xposition", "Xposition Xposition"), "positions once"),
        (("channels 6", "channels 60"), "60 channels"),
        (("channels 6", "channels -1"), "-1 channels"),
        (("OFFSET 5 0 0", "OFFSET 5 0"), "'CHANNELS' where a number"),
        (("End Site", "OFFSET"), "where a number"),
        (("MOTION", ""), "MOTION"),
        (("MOTION", "} MOTION"), "MOTION"),
        (("root", "joint"), "ROOT"),
    ],
)
def test_broken_files_give_one_line(tmp_path, change, message):
    with pytest.raises(FormatError, match=message) as caught:
        read_bvh(_written(tmp_path, _OTHER.replace(*change)))
    assert "\n" not in str(caught.value)
    assert "other.bvh" in str(caught.value)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "ends in the middle"),
        ("HIERARCHY\nROOT a\n{\n", "ends in the middle"),
        ("x" * 50_000, "10,000"),
        ("HIERARCHY\nROOT a\n{\n" + "JOINT b\n{\n" * 400, "200 in a row"),
        ("HIERARCHY\nROOT a\n{\n" + "JOINT b\n{\n}\n" * 3000, "2000 joints"),
        ("\0\0\0", "HIERARCHY"),
    ],
)
def test_hostile_files_give_one_line(tmp_path, text, message):
    with pytest.raises(FormatError, match=message) as caught:
        read_bvh(_written(tmp_path, text))
    assert len(str(caught.value)) < 300


def test_a_file_that_is_not_there(tmp_path):
    with pytest.raises(FormatError, match="cannot be read"):
        read_bvh(tmp_path / "none.bvh")


def test_no_frames(tmp_path):
    text = _OTHER.split("Frames :")[0] + "Frames: 0\nFrame Time: 0.04\n"
    motion = read_bvh(_written(tmp_path, text), axes="world")
    assert len(motion) == 0
    np.testing.assert_allclose(motion.armature.offsets[1], [0, -0.4, 0])


def test_joints_of_one_name_get_numbers(tmp_path):
    assert read_bvh(_written(tmp_path, _OTHER.replace("Rigid", "Hips"))).armature.joints[2] == "Hips_2"
