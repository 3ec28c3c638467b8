"""OpenPose's JSON with 3D: exact keys, missing points, the right person, and what our own reader makes of it."""

import json
import os
from pathlib import Path

import numpy as np
import pytest

from mv3d.data.poses import MISSING, Poses2D
from mv3d.data.skeletons import BODY_25
from mv3d.errors import SessionError
from mv3d.export.openpose_json import write_openpose_json
from mv3d.files.openpose_json import read_openpose_json

KEYS = [
    *("person_id", "pose_keypoints_2d", "face_keypoints_2d", "hand_left_keypoints_2d", "hand_right_keypoints_2d"),
    *("pose_keypoints_3d", "face_keypoints_3d", "hand_left_keypoints_3d", "hand_right_keypoints_3d"),
]


def _load(folder: Path, camera: str, frame: int) -> dict:
    return json.loads((folder / camera / f"walk_{frame:012d}_keypoints.json").read_text())


def test_keys_and_their_order(tmp_path, poses, rig, poses2d):
    write_openpose_json(poses, tmp_path / "openpose", "walk", rig, poses2d)
    text = (tmp_path / "openpose" / "cam1" / "walk_000000000000_keypoints.json").read_text()
    assert text.startswith('{"version":1.3,"people":[{"person_id":[0],"pose_keypoints_2d":[')
    (person,) = json.loads(text)["people"]
    assert list(person) == KEYS
    assert [len(person[key]) for key in KEYS] == [1, 54, 0, 0, 0, 72, 0, 0, 0]
    assert sorted(os.listdir(tmp_path)) == ["openpose"]
    assert sorted(os.listdir(tmp_path / "openpose")) == ["cam1", "cam2"]


def test_missing_points_and_frames(tmp_path, poses, rig, poses2d):
    write_openpose_json(poses, tmp_path, "walk", rig, poses2d)
    assert _load(tmp_path, "cam1", 4)["people"] == []
    for camera in poses.cameras:
        for i in (0, 1, 2, 3, 5):
            (person,) = _load(tmp_path, camera, i)["people"]
            points = np.reshape(person["pose_keypoints_3d"], (18, 4))
            missing = poses.state[i, 0] == MISSING
            assert not points[missing].any()
            assert (points[~missing, 3] > 0).all()
            np.testing.assert_allclose(points[~missing, :3], poses.xyz[i, 0, ~missing], atol=5.1e-7)


def test_2d_is_the_person_and_can_be_read_back(tmp_path, poses, rig, poses2d):
    """The bystander, surer and first in half of the frames, is in no file."""
    write_openpose_json(poses, tmp_path, "walk", rig, poses2d)
    for camera in rig:
        found = read_openpose_json(tmp_path / camera.name, fps=60)
        assert found.xy.shape == (6, 1, 18, 2)
        wanted = camera.project(poses.xyz_per_frame[:, 0])
        np.testing.assert_allclose(found.xy[:, 0], wanted, atol=1e-3)  # float32 pixels, printed to 1e-4


def test_a_bystander_alone_is_nobody(tmp_path, poses, rig, poses2d):
    alone = {}
    for name, view in poses2d.items():
        shifted = view.xy + np.where(view.score[..., None] > 0.7, 0, np.nan)  # the person was not seen
        alone[name] = Poses2D(view.skeleton, shifted, view.score, view.timestamps)
    write_openpose_json(poses, tmp_path, "walk", rig, alone)
    assert not any(_load(tmp_path, "cam1", 0)["people"][0]["pose_keypoints_2d"])


def test_frames_are_matched_by_time(tmp_path, poses, rig, poses2d):
    """A view whose clock is 0.5 s ahead and that lost frame 1."""
    keep = [0, 2, 3, 4, 5]
    late = {
        name: Poses2D(p.skeleton, p.xy[keep], p.score[keep], p.timestamps[keep] + 0.5) for name, p in poses2d.items()
    }
    shifted = {**{f: getattr(poses, f) for f in poses.__slots__}, "time_offsets": np.array([-0.5, -0.5])}
    write_openpose_json(type(poses)(**shifted), tmp_path, "walk", rig, late)
    found = read_openpose_json(tmp_path / "cam2", fps=60)
    wanted = rig["cam2"].project(poses.xyz_per_frame[:, 0])
    wanted[1] = np.nan
    np.testing.assert_allclose(found.xy[:, 0], wanted, atol=1e-3)


def test_without_keypoints_the_2d_blocks_are_empty(tmp_path, poses):
    write_openpose_json(poses, tmp_path, "walk")
    assert _load(tmp_path, "cam2", 0)["people"][0]["pose_keypoints_2d"] == []


def test_other_skeletons_are_refused(tmp_path, poses, rig):
    other = Poses2D(BODY_25, np.zeros((1, 1, 25, 2)), np.ones((1, 1, 25)), np.zeros(1))
    with pytest.raises(ValueError, match="BODY_25"):
        write_openpose_json(poses, tmp_path / "openpose", "walk", rig, {"cam1": other})
    assert os.listdir(tmp_path) == []


def test_old_frames_go_but_other_files_stay(tmp_path, poses):
    folder = tmp_path / "cam1"
    folder.mkdir()
    for name in ("walk_000000000900_keypoints.json", "run_000000000900_keypoints.json", "notes.txt"):
        (folder / name).write_text("old")
    write_openpose_json(poses, tmp_path, "walk")
    assert len(os.listdir(folder)) == 6 + 2
    assert not (folder / "walk_000000000900_keypoints.json").exists()


def test_a_folder_that_cannot_be_written(tmp_path, poses):
    (tmp_path / "file").write_text("")
    with pytest.raises(SessionError, match="cannot be written"):
        write_openpose_json(poses, tmp_path / "file" / "openpose", "walk")
