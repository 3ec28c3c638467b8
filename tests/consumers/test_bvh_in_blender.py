"""BVH as Blender's importer sees it."""

import numpy as np
import pytest

from mv3d.export.bvh import write_bvh
from mv3d.geometry.euler import ORDERS


@pytest.mark.parametrize("order", ORDERS)
def test_known_chains(tmp_path, consumer, known_motion, order):
    path = tmp_path / "arm.bvh"
    write_bvh(path, known_motion.motion, order=order)
    found = consumer("bpy", "bvh_in_blender.py", path)
    assert found["names"] == ["Shoulder", "Elbow", "Wrist_joint"]
    assert found["fps"] == pytest.approx(50, abs=0.01)
    head, tail = np.array(found["head"]), np.array(found["tail"])
    # The goal: 0.1 mm and 0.01 degree. Blender works in single precision.
    assert np.abs(head[:, 0] - known_motion.motion.translation).max() < 1e-4
    assert np.abs(head[:, 1:] - known_motion.places[:, :2]).max() < 1e-4
    assert np.abs(tail[:, 2] - known_motion.places[:, 2]).max() < 1e-4
    wrong = np.array(found["turn"]) - known_motion.motion.world_frames()[0]
    assert np.linalg.norm(wrong, axis=(-2, -1)).max() / np.sqrt(2) < np.radians(0.01)
