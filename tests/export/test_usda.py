"""USD by Pixar's own library: it opens, it is valid, and UsdSkel puts every joint where it belongs."""

import dataclasses

import numpy as np
import pytest
from pxr import Gf, Usd, UsdGeom, UsdSkel, UsdValidation

from mv3d.data.motion import Armature, Motion
from mv3d.errors import FormatError
from mv3d.export.options import place
from mv3d.export.readback_usda import read_usda_motions
from mv3d.export.usda import write_usda
from mv3d.geometry.rotations import vector_from_rotation

Y_UP = np.array([[1.0, 0, 0], [0, 0, 1], [0, -1, 0]])


def by_usd_skel(path, person: int) -> tuple[np.ndarray, np.ndarray]:
    """Orientations (frame, joint, 3, 3) and places of all joints at every time code."""
    stage = Usd.Stage.Open(str(path))
    root = UsdSkel.Root(stage.GetPrimAtPath(f"/Scene/Person{person}"))
    cache = UsdSkel.Cache()
    cache.Populate(root, Usd.PrimDefaultPredicate)
    query = cache.GetSkelQuery(UsdSkel.Skeleton(stage.GetPrimAtPath(f"/Scene/Person{person}/Skeleton")))
    codes = query.GetAnimQuery().GetJointTransformTimeSamples()
    matrices = np.array([[np.array(m) for m in query.ComputeJointSkelTransforms(code)] for code in codes])
    return np.swapaxes(matrices[..., :3, :3], -1, -2), matrices[..., 3, :3]


@pytest.mark.parametrize(("axes", "units", "scale"), [("z_up", "m", 1), ("y_up", "cm", 100), ("world", "mm", 1000)])
def test_known_poses(tmp_path, dance, axes, units, scale):
    other = dataclasses.replace(dance, translation=dance.translation + 1, person_id=9)
    write_usda([dance, other], tmp_path / "a.usda", place(axes, units))
    turn = Y_UP if axes == "y_up" else np.eye(3)
    for person, motion in enumerate((dance, other)):
        R, x = by_usd_skel(tmp_path / "a.usda", person)
        wanted_R, wanted_x = motion.world_frames()
        # 0.1 mm and 0.01 degree are wanted; seven digits do better.
        np.testing.assert_allclose(x / scale, wanted_x @ turn.T, atol=2e-6)
        apart = vector_from_rotation(R @ np.swapaxes(turn @ wanted_R @ turn.T, -1, -2))
        assert np.rad2deg(np.linalg.norm(apart, axis=-1)).max() < 1e-3
    stage = Usd.Stage.Open(str(tmp_path / "a.usda"))
    assert UsdGeom.GetStageUpAxis(stage) == ("Y" if axes == "y_up" else "Z")
    assert UsdGeom.GetStageMetersPerUnit(stage) == pytest.approx(1 / scale)
    assert (stage.GetTimeCodesPerSecond(), stage.GetEndTimeCode()) == (50, 11)


def test_valid_by_the_library_s_own_rules(tmp_path, dance):
    write_usda([dance], tmp_path / "a.usda")
    validators = UsdValidation.ValidationRegistry().GetOrLoadAllValidators()
    assert len(validators) > 10
    stage = Usd.Stage.Open(str(tmp_path / "a.usda"))
    assert [error.GetMessage() for error in UsdValidation.ValidationContext(validators).Validate(stage)] == []


def test_the_body_is_bound(tmp_path, dance):
    """In the bind pose the skin is where it was; in motion the left wrist takes its vertices along."""
    write_usda([dance], tmp_path / "a.usda")
    stage = Usd.Stage.Open(str(tmp_path / "a.usda"))
    root = UsdSkel.Root(stage.GetPrimAtPath("/Scene/Person0"))
    assert UsdSkel.BakeSkinning(root, Gf.Interval(2.0))
    mesh = UsdGeom.Mesh(stage.GetPrimAtPath("/Scene/Person0/Body"))
    points = np.array(mesh.GetPointsAttr().Get(2.0))
    _, x = dance.world_frames()
    wrist = dance.armature.joints.index("LWrist")
    assert np.linalg.norm(points - x[2, wrist], axis=1).min() < 0.05
    assert points[:, 2].min() > 0


def test_own_reader_finds_the_same(tmp_path, dance):
    write_usda([dance], tmp_path / "a.usda", place("y_up", "cm"))
    (read,) = read_usda_motions(tmp_path / "a.usda")
    R, x = by_usd_skel(tmp_path / "a.usda", 0)
    own_R, own_x = read.frames(slice(None))
    np.testing.assert_allclose(own_x, x, atol=1e-3)
    np.testing.assert_allclose(own_R, R, atol=1e-5)
    np.testing.assert_allclose(read.times, dance.timestamps - 2, atol=1e-6)
    assert read.joints == dance.armature.joints


def test_names_that_are_no_identifiers_and_a_lone_joint_and_frame(tmp_path):
    nowhere = np.full((3, 3), np.nan)
    names = ("left ear", "関節", 'a "b"\n')
    armature = Armature("odd", names, (-1, 0, 0), np.array([[0, 0, 0], [0, 0, 0.1], [0.1, 0, 0]]), nowhere)
    motion = Motion(armature, np.tile(np.eye(3), (1, 3, 1, 1)), np.ones((1, 3)), np.array([7.0]))
    write_usda([motion], tmp_path / "a.usda")
    stage = Usd.Stage.Open(str(tmp_path / "a.usda"))
    skeleton = UsdSkel.Skeleton(stage.GetPrimAtPath("/Scene/Person0/Skeleton"))
    assert list(skeleton.GetJointsAttr().Get()) == ["left_ear", "left_ear/joint", "left_ear/a_b"]
    assert list(skeleton.GetJointNamesAttr().Get()) == ["left ear", "関節", 'a "b"']
    np.testing.assert_allclose(by_usd_skel(tmp_path / "a.usda", 0)[1][0], [[1, 1, 1], [1, 1, 1.1], [1.1, 1, 1]])


def test_uneven_times_keep_their_places(tmp_path, dance):
    times = dance.timestamps + np.where(np.arange(12) > 5, 0.109, 0)
    write_usda([dataclasses.replace(dance, timestamps=times)], tmp_path / "a.usda")
    (read,) = read_usda_motions(tmp_path / "a.usda")
    np.testing.assert_allclose(read.times, times - times[0], atol=1e-5)


def test_an_up_that_usd_has_no_name_for(tmp_path, dance):
    with pytest.raises(FormatError, match="use --axes z_up or y_up"):
        write_usda([dance], tmp_path / "a.usda", place("world", "m", (0.0, -1.0, 0.0)))
    with pytest.raises(FormatError, match="no motion"):
        write_usda([], tmp_path / "a.usda")
    assert list(tmp_path.iterdir()) == []
