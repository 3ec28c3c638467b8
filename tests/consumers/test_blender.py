"""Known poses opened in Blender: every joint within 0.1 mm of its place and 0.01 degree of its turn."""

import dataclasses

import numpy as np
import pytest

from mv3d.data.motion import Motion
from mv3d.export.fbx import write_fbx
from mv3d.export.gltf import write_glb
from mv3d.export.options import place
from mv3d.export.usda import write_usda
from mv3d.geometry.rotations import vector_from_rotation


def assert_body(body: dict, motion: Motion, millimetres: float = 0.1, degrees: float = 0.01) -> None:
    """Blender's world has z up, as the motion's; at rest the joints are parallel to it."""
    order = [body["joints"].index(joint) for joint in motion.armature.joints]
    R, x = motion.world_frames()
    off = np.linalg.norm(body["places"][:, order] - x, axis=-1)
    turned = vector_from_rotation(body["turns"][:, order] @ np.swapaxes(R, -1, -2))
    assert off.max() * 1000 < millimetres
    assert np.rad2deg(np.linalg.norm(turned, axis=-1)).max() < degrees


@pytest.mark.parametrize("format", ["glb", "usda", "usda_y_up_cm"])
def test_two_people(tmp_path, blender, dance, format):
    other = dataclasses.replace(dance, translation=dance.translation + 1, person_id=9)
    path = tmp_path / f"a.{format[:4].rstrip('_')}"
    if format == "glb":
        write_glb([dance, other], path)
    else:
        write_usda([dance, other], path, place("y_up", "cm") if format.endswith("cm") else None)
    bodies = blender(path, dance.fps, len(dance))
    assert len(bodies) == 2
    bodies.sort(key=lambda body: body["places"][0, 0, 0])
    for body, motion in zip(bodies, (dance, other), strict=True):
        assert_body(body, motion)
        assert len(body["vertices"]) == 1
        assert body["vertices"][0] > 1000


def test_fbx_through_blender(tmp_path, blender, blender_on_path, dance):
    write_fbx(dance, tmp_path / "a.fbx")
    (body,) = blender(tmp_path / "a.fbx", dance.fps, len(dance))
    # Blender's FBX has Euler angles in degrees of single precision, and its own leaf of a joint's frame.
    assert_body(body, dance)
    assert len(body["vertices"]) == 1
