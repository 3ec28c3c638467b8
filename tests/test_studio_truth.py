"""Errors against a truth whose distance is known."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from mv3d.data.npz import save_npz
from mv3d.data.poses import Poses2D, Poses3D
from mv3d.data.rig import Rig
from mv3d.data.skeletons import BODY_25
from mv3d.errors import FormatError
from mv3d.geometry.rotations import rotation_from_vector
from mv3d.studio_truth import StudioTruth, camera_errors, placed_like, studio_errors
from mv3d.synthetic.performer import walking_person
from mv3d.synthetic.rigs import camera_ring

_FRAMES = 5


@pytest.fixture
def truth(tmp_path: Path) -> StudioTruth:
    rig = camera_ring(3, size=(640, 480), focal=500.0, seed=1)
    xyz, times = walking_person(_FRAMES, fps=10.0)
    arrays = {"keypoints": np.array(BODY_25.keypoints), "xyz": xyz[:, None], "timestamps": times}
    for camera in rig:
        arrays[f"xy_{camera.name}"] = camera.project(xyz[:, None]).astype(np.float32)
        arrays[f"visible_{camera.name}"] = np.ones((_FRAMES, 1, 25), bool)
    rig.save(tmp_path / "cameras.yaml")
    save_npz(tmp_path / "truth.npz", arrays)
    return StudioTruth.load(tmp_path)


def _poses3d(truth: StudioTruth, shift: np.ndarray) -> Poses3D:
    one = np.ones((_FRAMES, 1, 25))
    return Poses3D(
        skeleton=BODY_25,
        xyz=truth.xyz + shift,
        score=one,
        reprojection_error=one,
        n_views=np.full((_FRAMES, 1, 25), 3),
        covariance=np.broadcast_to(1e-6 * np.eye(3), (_FRAMES, 1, 25, 3, 3)),
        state=np.ones((_FRAMES, 1, 25), np.uint8),
        xyz_per_frame=truth.xyz + shift,
        timestamps=truth.timestamps,
        cameras=truth.rig.names,
    )


def test_errors_are_those_that_were_made(truth: StudioTruth) -> None:
    wrong = rotation_from_vector(np.radians([0.0, 0.2, 0.0]))
    first = truth.rig[0]
    center = first.center + np.array([0.003, 0, 0])
    rig = Rig((replace(first, R=wrong @ first.R, t=-wrong @ first.R @ center), *tuple(truth.rig)[1:]))
    poses2d = {}
    for name, xy in truth.xy.items():
        # The second detection is the person, 5 px beside it, and one joint 20 px; the first is somebody else.
        own = xy[:, 0] + np.array([3, 4], np.float32)
        own[:, 7] += np.array([20, 0], np.float32)
        both = np.stack([xy[:, 0] + 200, own], axis=1)
        poses2d[name] = Poses2D(BODY_25, both, np.ones(both.shape[:-1], np.float32), truth.timestamps)
    errors = studio_errors(truth, rig, poses2d, _poses3d(truth, np.array([0.0, 0.006, 0.008])))
    assert errors.cameras[0].center_mm == pytest.approx(3.0)
    assert errors.cameras[0].angle_deg == pytest.approx(0.2)
    assert errors.cameras[1].center_mm == pytest.approx(0.0, abs=1e-9)
    assert errors.views[0].found == pytest.approx(24 / 25)
    assert errors.views[0].median_px == pytest.approx(5.0, abs=1e-3)
    assert errors.pose.mpjpe_mm == pytest.approx(10.0)
    assert errors.pose.limb_mpjpe_mm == pytest.approx(10.0)
    assert errors.pose.bone_mm == pytest.approx(0.0, abs=1e-9)
    assert errors.pose.found == 1.0
    assert any("MPJPE" in line and "10.0 mm" in line for line in errors.lines())


def test_invisible_joints_do_not_count(truth: StudioTruth) -> None:
    poses2d = {
        name: Poses2D(BODY_25, xy, np.ones(xy.shape[:-1], np.float32), truth.timestamps)
        for name, xy in truth.xy.items()
    }
    far = {name: poses.xy.copy() for name, poses in poses2d.items()}
    for name in far:
        far[name][:, 0, 3] += 100
        truth.visible[name][:, 0, 3] = False
    poses2d = {name: replace(poses, xy=far[name]) for name, poses in poses2d.items()}
    errors = studio_errors(truth, truth.rig, poses2d, _poses3d(truth, np.zeros(3)))
    assert [view.found for view in errors.views] == [1.0, 1.0, 1.0]


def test_a_rig_that_was_only_moved_has_no_error(truth: StudioTruth) -> None:
    Q, shift = rotation_from_vector(np.array([0.3, -0.8, 1.9])), np.array([3.0, -2.0, 1.0])
    moved = Rig(tuple(replace(c, R=c.R @ Q, t=c.t + c.R @ shift) for c in truth.rig))
    for error in camera_errors(placed_like(moved, truth.rig), truth.rig):
        assert error.center_mm == pytest.approx(0, abs=1e-6)
        assert error.angle_deg == pytest.approx(0, abs=1e-5)


def test_a_folder_without_truth(tmp_path: Path) -> None:
    camera_ring(2).save(tmp_path / "cameras.yaml")
    with pytest.raises(FormatError, match=r"truth\.npz"):
        StudioTruth.load(tmp_path)
