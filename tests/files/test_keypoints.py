"""Keypoints of all cameras of a rig, from npz files and from OpenPose's JSON."""

import json

import numpy as np
import pytest

from mv3d.data.poses import Poses2D
from mv3d.data.skeletons import BODY_25, BODY_25B, COCO_18
from mv3d.errors import FormatError, SessionError
from mv3d.files.keypoints import read_keypoints


def _poses(skeleton=BODY_25, frames=3):
    xy = np.random.default_rng(0).uniform(0, 100, (frames, 2, len(skeleton), 2))
    return Poses2D(skeleton, xy, np.ones(xy.shape[:3]), np.arange(frames) / 30)


def _json(folder, frames, joints=25, suffix="", people=1):
    folder.mkdir(parents=True, exist_ok=True)
    for i in frames:
        body = [value for j in range(joints) for value in (j + i, j, 0.5)]
        document = {"version": 1.3, "people": [{"pose_keypoints_2d": body}] * people}
        (folder / f"{i:012d}_keypoints{suffix}.json").write_text(json.dumps(document))


def test_native_files(tmp_path):
    poses = _poses()
    poses.save(tmp_path / "cam1.npz")
    poses.save(tmp_path / "cam2.npz")
    found = read_keypoints(tmp_path, ("cam_2", "cam_1"))
    assert list(found) == ["cam_2", "cam_1"]
    np.testing.assert_array_equal(found["cam_1"].xy, poses.xy)


@pytest.mark.parametrize("names", [("cam01_json", "cam02_json"), ("cam01", "cam02"), ("Cam_1_keypoints", "Cam_2_json")])
def test_a_folder_per_camera_covers_the_same_frames(tmp_path, names):
    _json(tmp_path / names[0], range(2, 5))
    _json(tmp_path / names[1], range(4, 8))
    found = read_keypoints(tmp_path, ("cam_01", "cam_02"), fps=10)
    for poses in found.values():
        np.testing.assert_allclose(poses.timestamps, np.arange(2, 8) / 10)
    assert (found["cam_02"].score > 0).any((1, 2)).tolist() == [False, False, True, True, True, True]
    assert found["cam_01"].xy[1, 0, 0, 0] == 3


def test_all_views_in_one_folder(tmp_path):
    _json(tmp_path, range(3), suffix="")
    _json(tmp_path, range(3), suffix="_1", people=2)
    found = read_keypoints(tmp_path, ("left", "right"))
    assert [found[name].xy.shape[1] for name in ("left", "right")] == [1, 2]
    with pytest.raises(SessionError, match="JSON of 2 views, the rig has 3"):
        read_keypoints(tmp_path, ("a", "b", "c"))


def test_a_view_with_nobody_in_it_takes_the_skeleton_of_the_others(tmp_path):
    _json(tmp_path / "a", range(3), people=0)
    _json(tmp_path / "b", range(3), joints=18)
    found = read_keypoints(tmp_path, ("a", "b"))
    assert found["a"].skeleton is COCO_18
    assert not found["a"].score.any()


def test_skeleton_as_told(tmp_path):
    _json(tmp_path / "a", range(3))
    assert read_keypoints(tmp_path, ("a",), skeleton=BODY_25B)["a"].skeleton is BODY_25B


def test_cameras_that_do_not_fit(tmp_path):
    with pytest.raises(SessionError, match="no such folder"):
        read_keypoints(tmp_path / "none", ("a",))
    with pytest.raises(SessionError, match="no keypoints"):
        read_keypoints(tmp_path, ("a",))
    _json(tmp_path / "a", range(3))
    with pytest.raises(SessionError, match="no keypoints for camera b of the rig"):
        read_keypoints(tmp_path, ("a", "b"))
    _json(tmp_path / "c", range(3))
    with pytest.raises(SessionError, match="no camera in the rig for keypoints c"):
        read_keypoints(tmp_path, ("a",))
    _json(tmp_path / "a_json", range(3))
    with pytest.raises(SessionError, match="both of camera a"):
        read_keypoints(tmp_path, ("a", "c"))


def test_skeletons_that_differ(tmp_path):
    _json(tmp_path / "json" / "a", range(3))
    _json(tmp_path / "json" / "b", range(3), joints=18)
    with pytest.raises(FormatError, match="18, 25 joints"):
        read_keypoints(tmp_path / "json", ("a", "b"))
    _poses().save(tmp_path / "a.npz")
    _poses(COCO_18).save(tmp_path / "b.npz")
    with pytest.raises(FormatError, match="a BODY_25, b COCO_18"):
        read_keypoints(tmp_path, ("a", "b"))


def test_a_corrupt_archive_is_named(tmp_path):
    (tmp_path / "a.npz").write_bytes(b"PK\x03\x04 cut short")
    with pytest.raises(FormatError, match=r"a\.npz"):
        read_keypoints(tmp_path, ("a",))
