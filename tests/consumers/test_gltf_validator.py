"""Khronos' validator has nothing to say about a GLB file: no error, no warning."""

import dataclasses

import numpy as np

from mv3d.data.motion import Armature, Motion
from mv3d.export.gltf import write_glb


def test_people(tmp_path, gltf_validator, dance):
    other = dataclasses.replace(dance, translation=dance.translation + 1, person_id=9)
    write_glb([dance, other], tmp_path / "a.glb")
    report = gltf_validator(tmp_path / "a.glb")
    assert report["issues"]["messages"] == []
    assert (report["info"]["animationCount"], report["info"]["hasSkins"]) == (1, True)


def test_a_lone_joint_in_a_lone_frame_with_a_name_of_all_kinds(tmp_path, gltf_validator):
    lone = Armature("one", ('Hüfte "links" 関節\n',), (-1,), np.zeros((1, 3)), np.full((1, 3), np.nan))
    write_glb([Motion(lone, np.eye(3)[None, None], np.ones((1, 3)), np.array([7.0]))], tmp_path / "a.glb")
    assert gltf_validator(tmp_path / "a.glb")["issues"]["messages"] == []
