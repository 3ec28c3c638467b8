"""OpenPose's JSON: versions, gaps, several people, and files that are wrong."""

import json
from pathlib import Path

import numpy as np
import pytest

from mv3d.data.skeletons import BODY_25, BODY_25B, COCO_18, MPI_15
from mv3d.errors import FormatError
from mv3d.files.openpose_json import read_openpose_json


def person(joints: int, shift: float = 0.0, score: float = 0.5) -> list[float]:
    """Joint j at (j + shift, 2 j), all but joint 1 found."""
    body = [[j + shift, 2.0 * j, score] for j in range(joints)]
    body[1] = [0, 0, 0]
    return [value for point in body for value in point]


def write(
    folder: Path, frame: int, people: list[list[float]], key: str = "pose_keypoints_2d", suffix: str = ""
) -> Path:
    folder.mkdir(exist_ok=True)
    path = folder / f"walk_{frame:012d}_keypoints{suffix}.json"
    path.write_text(json.dumps({"version": 1.3, "people": [{"person_id": [-1], key: body} for body in people]}))
    return path


@pytest.mark.parametrize("skeleton", [BODY_25, COCO_18, MPI_15])
def test_skeleton_is_told_by_the_count(tmp_path, skeleton):
    write(tmp_path, 0, [person(len(skeleton))])
    poses = read_openpose_json(tmp_path, fps=50)
    assert poses.skeleton is skeleton
    assert poses.xy.shape == (1, 1, len(skeleton), 2)
    np.testing.assert_array_equal(poses.xy[0, 0, 2], [2, 4])
    # c == 0 is missing, not a point at the origin; joint 0 was found at (0, 0).
    assert np.isnan(poses.xy[0, 0, 1]).all()
    np.testing.assert_array_equal(poses.xy[0, 0, 0], [0, 0])
    np.testing.assert_allclose(poses.score[0, 0, :2], [0.5, 0])


def test_skeleton_as_told(tmp_path):
    write(tmp_path, 0, [person(25)])
    assert read_openpose_json(tmp_path, 50, BODY_25B).skeleton is BODY_25B
    with pytest.raises(FormatError, match="25 joints, COCO_18 has 18"):
        read_openpose_json(tmp_path, 50, COCO_18)


def test_numbers_left_out_are_empty_frames(tmp_path):
    write(tmp_path, 3, [person(25, 1)])
    write(tmp_path, 4, [])
    write(tmp_path, 7, [person(25, 2), person(25, 3)])
    poses = read_openpose_json(tmp_path, fps=10)
    assert poses.xy.shape == (5, 2, 25, 2)
    np.testing.assert_allclose(poses.timestamps, [0.3, 0.4, 0.5, 0.6, 0.7])
    assert (poses.score > 0).any((1, 2)).tolist() == [True, False, False, False, True]
    np.testing.assert_array_equal(poses.xy[4, :, 0, 0], [2, 3])


@pytest.mark.parametrize(
    "name", ["a_7.json", "Static_cam_01.00007.json", "7_keypoints.json", "x12_0007_KEYPOINTS.JSON"]
)
def test_the_frame_is_the_last_number_of_the_name(tmp_path, name):
    write(tmp_path, 0, [person(25)]).rename(tmp_path / name)
    np.testing.assert_allclose(read_openpose_json(tmp_path, 1).timestamps, [7])


def test_older_versions(tmp_path):
    path = write(tmp_path, 0, [person(18)], key="pose_keypoints")
    document = json.loads(path.read_text())
    document.pop("version")
    document["people"][0].pop("person_id")
    path.write_text(json.dumps(document))
    assert read_openpose_json(tmp_path, 1).skeleton is COCO_18


def test_bodies_that_were_not_asked_for_are_no_people(tmp_path):
    write(tmp_path, 0, [[], person(25, 5)])
    np.testing.assert_array_equal(read_openpose_json(tmp_path, 1).xy[0, :, 0, 0], [5])


def test_only_the_best_people_are_kept(tmp_path):
    scores = [0.3, 0.9, 0.1, 0.8, 0.5, 0.6, 0.7, 0.2, 0.4, 0.05]
    write(tmp_path, 0, [person(25, 10 * i, score) for i, score in enumerate(scores)])
    poses = read_openpose_json(tmp_path, 1)
    assert poses.xy.shape[1] == 8
    np.testing.assert_array_equal(poses.xy[0, :, 0, 0] / 10, [0, 1, 3, 4, 5, 6, 7, 8])
    np.testing.assert_array_equal(read_openpose_json(tmp_path, 1, max_people=2).xy[0, :, 0, 0] / 10, [1, 3])


def test_odd_numbers_are_missing_points(tmp_path):
    body = person(25)
    body[6:9], body[9:12] = [float("nan"), 1, 0.5], [1, 1, 1.02]
    write(tmp_path, 0, [body])
    poses = read_openpose_json(tmp_path, 1)
    assert poses.score[0, 0, 3] == 1
    assert np.isfinite(poses.xy[0, 0, 3]).all()
    assert np.isnan(poses.xy[0, 0, 2]).all()
    assert poses.score[0, 0, 2] == 0


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{",
        b"\xff\xfe",
        b"[]",
        b"{}",
        b'{"people": {}}',
        b'{"people": [1]}',
        b'{"people": [{"person_id": [-1]}]}',
        b'{"people": [{"pose_keypoints_2d": "x"}]}',
        b'{"people": [{"pose_keypoints_2d": [1, 2]}]}',
        b'{"people": [{"pose_keypoints_2d": [1, 2, "x"]}]}',
        b'{"people": [{"pose_keypoints_2d": [1, 2, 1e400]}]}',
        b'{"people": [{"pose_keypoints_2d": [1, 2, 1' + b"0" * 400 + b"]}]}",
        b'{"people": ' + b"[" * 100_000,
    ],
)
def test_a_bad_file_is_named(tmp_path, content):
    write(tmp_path, 0, [person(25)])
    write(tmp_path, 1, [person(25)]).write_bytes(content)
    with pytest.raises(FormatError) as caught:
        read_openpose_json(tmp_path, 1)
    assert "\n" not in str(caught.value)
    if b"1e400" not in content:  # one joint is no known skeleton: the folder is named
        assert "walk_000000000001_keypoints.json" in str(caught.value)


def test_folders_that_make_no_sequence(tmp_path):
    with pytest.raises(FormatError, match="no JSON files"):
        read_openpose_json(tmp_path, 1)
    write(tmp_path, 0, [person(25)])
    (tmp_path / "other_0_keypoints.json").write_text('{"people": []}')
    with pytest.raises(FormatError, match="second file for frame 0"):
        read_openpose_json(tmp_path, 1)
    (tmp_path / "other_0_keypoints.json").rename(tmp_path / "walk_999999999999_keypoints.json")
    with pytest.raises(FormatError, match="must be its frame"):
        read_openpose_json(tmp_path, 1)
    (tmp_path / "walk_999999999999_keypoints.json").rename(tmp_path / "walk.json")
    with pytest.raises(FormatError, match="no frame number"):
        read_openpose_json(tmp_path, 1)
