"""Hands and face from the keypoints of several views to every export: groups of one concatenated skeleton."""

from pathlib import Path

import numpy as np
import pytest

from mv3d import api
from mv3d.data.poses import Poses2D, Poses3D
from mv3d.data.rig import Rig
from mv3d.data.skeletons import BODY_25, hands_and_face_of, with_hands_and_face
from mv3d.export.registry import ExportOptions, export_poses
from mv3d.files.keypoints import read_keypoints
from mv3d.reconstruct.reconstruction import ReconstructConfig
from mv3d.synthetic.observations import observe
from mv3d.synthetic.performer import walking_person
from mv3d.synthetic.rigs import camera_ring

SKELETON = with_hands_and_face(BODY_25, True, 70)
FRAMES = 16
FPS = 60.0
POINTS = ("trc", "c3d", "csv", "csv_tidy", "json", "npz", "openpose")
MOTIONS = ("bvh", "glb", "usda")


def _hand(body: np.ndarray, side: str) -> np.ndarray:
    """21 points (frame, point, 3) beyond the wrist, along the forearm: the fingers as rays that spread a little."""
    wrist, elbow = (body[:, BODY_25.index(side + name)] for name in ("Wrist", "Elbow"))
    along = wrist - elbow
    along /= np.linalg.norm(along, axis=1, keepdims=True)
    across = np.cross(along, [0.3, 0.5, 0.8])
    across /= np.linalg.norm(across, axis=1, keepdims=True)
    points = [wrist]
    for finger in range(5):
        spread = 0.02 * (finger - 2) * (1 if side == "L" else -1)
        points += [wrist + (0.05 + 0.025 * k) * along + (0.6 + 0.2 * k) * spread * across for k in range(4)]
    return np.stack(points, axis=1)


def _face(body: np.ndarray) -> np.ndarray:
    """70 points on a disc of 8 cm before the nose, turned with the head."""
    nose, ears = body[:, BODY_25.index("Nose")], [body[:, BODY_25.index(side + "Ear")] for side in "LR"]
    left = ears[0] - ears[1]
    left /= np.linalg.norm(left, axis=1, keepdims=True)
    up = np.array([0.0, 0.0, 1.0])
    turn = np.arange(70) * 2.4
    radius = 0.08 * np.sqrt(np.arange(70) / 70)
    return nose[:, None] + radius[:, None] * (np.cos(turn)[:, None] * left[:, None] + np.sin(turn)[:, None] * up)


@pytest.fixture(scope="module")
def scene() -> tuple[Rig, np.ndarray, dict[str, Poses2D]]:
    body, times = walking_person(FRAMES, fps=FPS, seed=4)
    xyz = np.concatenate([body, _hand(body, "L"), _hand(body, "R"), _face(body)], axis=1)
    rig = camera_ring(4, seed=2)
    return rig, xyz, observe(rig, xyz, times, SKELETON, noise_px=1.0, missing=0.03, outliers=0.02, seed=1)


@pytest.fixture(scope="module")
def poses(scene) -> Poses3D:
    rig, _, keypoints = scene
    return api.reconstruct(rig, keypoints)


def test_every_group_is_reconstructed(scene, poses: Poses3D) -> None:
    _, xyz, _ = scene
    assert poses.skeleton == SKELETON
    # Half of the points are in the face: the middle of the person must not be, or the feet are out of its reach.
    assert np.isfinite(poses.xyz_per_frame).mean() > 0.99
    error = np.linalg.norm(poses.xyz[:, 0] - xyz, axis=-1)
    for name, joints in {"body": tuple(range(25)), **hands_and_face_of(SKELETON)}.items():
        own = error[:, list(joints)]
        assert np.isfinite(own).mean() > 0.99, name
        # 1 px at 5 m and 1100 px of focal length is 4.5 mm; four views and the model of time leave less.
        assert np.nanmedian(own) < 0.005, name
        assert np.nanquantile(own, 0.99) < 0.02, name


def test_feet_are_followed_beside_hands_and_face_forward_in_time(scene) -> None:
    rig, xyz, keypoints = scene
    config = api.Config(reconstruct=ReconstructConfig(mode="causal"))
    found = api.reconstruct(rig, keypoints, config)
    feet = [BODY_25.index(side + joint) for side in "LR" for joint in ("Ankle", "Heel", "BigToe")]
    error = np.linalg.norm(found.xyz[:, 0, feet] - xyz[:, feet], axis=-1)
    # From the third frame on all are known; the filter has no future, so it is off by more than the whole sequence.
    assert np.isfinite(error[3:]).mean() > 0.99
    assert np.nanmedian(error) < 0.01


def test_every_format_holds_hands_and_face(scene, poses: Poses3D, tmp_path: Path) -> None:
    rig, _, keypoints = scene
    said: list[str] = []
    export_poses(poses, tmp_path, [*POINTS, *MOTIONS], "walk", rig, keypoints, check=said.append)
    assert len(said) == len(POINTS) + len(MOTIONS)
    assert sum(f"{FRAMES} frames x {len(SKELETON)} points" in line for line in said) == len(POINTS)
    for finger in ("LHand_Index", "RHand_Pinky"):
        for name in ("walk.bvh", "walk.usda"):
            assert finger in (tmp_path / name).read_text(), f"{finger} in {name}"
    text = (tmp_path / "walk.trc").read_text()
    assert "LHand_Wrist" in text
    assert "Face_69" in text


def test_openposes_files_give_the_keypoints_back(scene, poses: Poses3D, tmp_path: Path) -> None:
    rig, _, keypoints = scene
    export_poses(poses, tmp_path, ["openpose"], "walk", rig, keypoints, ExportOptions())
    again = read_keypoints(tmp_path / "openpose", rig.names, FPS)
    for name, poses2d in keypoints.items():
        assert again[name].skeleton == SKELETON
        # Four digits after the point.
        np.testing.assert_allclose(again[name].xy[:, 0], poses2d.xy[:, 0], atol=1e-3)
