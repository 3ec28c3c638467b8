"""A short walk of one person with gaps, and the cameras that saw it."""

import numpy as np
import pytest

from mv3d.data.camera import Camera
from mv3d.data.lens import Pinhole
from mv3d.data.poses import FILLED, MEASURED, MISSING, Poses2D, Poses3D
from mv3d.data.rig import Rig
from mv3d.data.skeletons import COCO_18
from mv3d.geometry.rotations import look_along

FRAMES = 6


@pytest.fixture
def poses() -> Poses3D:
    """Six frames at 60 fps; the nose is missing in frame 2, the last joint in frame 3, everybody in frame 4."""
    xyz = np.random.default_rng(0).uniform(-0.5, 0.5, (FRAMES, 1, 18, 3)) + np.array([0, 0, 1])
    state = np.full(xyz.shape[:3], MEASURED)
    state[0, 0, 5] = FILLED
    state[2, 0, 0] = state[3, 0, 17] = state[4] = MISSING
    xyz[state == MISSING] = np.nan
    measured = state == MEASURED
    return Poses3D(
        skeleton=COCO_18,
        xyz=xyz,
        score=np.where(measured, 0.75, 0),
        reprojection_error=np.where(measured, 2.5, np.nan),
        n_views=np.where(measured, 2, 0),
        covariance=np.full((*state.shape, 3, 3), np.nan),
        state=state,
        xyz_per_frame=np.where(measured[..., None], xyz, np.nan),
        timestamps=2 + np.arange(FRAMES) / 60,
        cameras=("cam1", "cam2"),
    )


@pytest.fixture
def rig() -> Rig:
    K = np.array([[800.0, 0, 320], [0, 800, 240], [0, 0, 1]])
    cameras = []
    for i, center in enumerate(np.array([[4.0, 0, 1], [0, 4, 1]])):
        R = look_along(np.array([0.0, 0, 1]) - center, np.array([0.0, 0, 1]))
        cameras.append(Camera(f"cam{i + 1}", (640, 480), Pinhole(K, np.zeros(0)), R, -R @ center))
    return Rig(tuple(cameras))


@pytest.fixture
def poses2d(poses: Poses3D, rig: Rig) -> dict[str, Poses2D]:
    """What each camera saw: a bystander 300 px beside, who is surer and comes first in odd frames, and the person."""
    views = {}
    for camera in rig:
        person = np.nan_to_num(camera.project(poses.xyz_per_frame[:, 0]), nan=0)
        seen = np.isfinite(poses.xyz_per_frame[:, 0, :, 0])
        xy = np.stack([person, person + np.array([300, 0])], axis=1)
        score = np.stack([np.where(seen, 0.5, 0), np.full(seen.shape, 0.9)], axis=1)
        xy[1::2], score[1::2] = xy[1::2, ::-1].copy(), score[1::2, ::-1].copy()
        views[camera.name] = Poses2D(COCO_18, xy, score, poses.timestamps)
    return views
