"""Sources of a session folder and their match to the cameras of a rig."""

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mv3d.errors import SessionError
from mv3d.files.natural import natural_key
from mv3d.files.sessions import find_sources, match_names


def test_sources_are_found_in_natural_order(tmp_path):
    for name in ("cam10.mp4", "cam2.MKV", "cam1.timestamps.csv", ".cam3.mp4", "notes.txt"):
        (tmp_path / name).write_bytes(b"")
    (tmp_path / "cam1").mkdir()
    cv2.imwrite(str(tmp_path / "cam1" / "0.png"), np.zeros((4, 4, 3), np.uint8))
    (tmp_path / "thumbnails").mkdir()
    found = find_sources(tmp_path)
    assert list(found) == ["cam1", "cam2", "cam10"]
    assert found["cam2"] == tmp_path / "cam2.MKV"


def test_no_sources_and_two_of_a_name(tmp_path):
    with pytest.raises(SessionError, match="no such folder"):
        find_sources(tmp_path / "videos")
    with pytest.raises(SessionError, match="no videos"):
        find_sources(tmp_path)
    (tmp_path / "cam1.mp4").write_bytes(b"")
    (tmp_path / "cam1.mkv").write_bytes(b"")
    with pytest.raises(SessionError, match=r"cam1 has two sources, cam1\.mkv and cam1\.mp4"):
        find_sources(tmp_path)


@given(st.permutations([f"cam{i}" for i in (1, 2, 9, 10, 11, 100)] + ["Cam3", "b"]))
def test_natural_order_does_not_depend_on_the_start(names):
    assert sorted(names, key=natural_key) == ["b", "cam1", "cam2", "Cam3", "cam9", "cam10", "cam11", "cam100"]


@pytest.mark.parametrize(
    ("rig", "videos", "wanted"),
    [
        (("a", "b"), ("b", "a"), ["a", "b"]),
        (("cam_01", "cam_02"), ("cam02", "cam01"), ["cam01", "cam02"]),
        (("Left Hand", "RIGHT-HAND"), ("right_hand", "lefthand"), ["lefthand", "right_hand"]),
        (("cam1", "cam10"), ("cam010", "cam_01"), ["cam_01", "cam010"]),
        # Equal names go first, so that what is left is clear.
        (("cam1", "cam_1"), ("cam1", "CAM-1"), ["cam1", "CAM-1"]),
        (("rig1_cam01",), ("rig01-cam1",), ["rig01-cam1"]),
    ],
)
def test_names_that_match(rig, videos, wanted):
    assert match_names(rig, videos) == dict(zip(rig, wanted, strict=True))
    assert list(match_names(rig, videos)) == list(rig)


@pytest.mark.parametrize(
    ("rig", "videos", "message"),
    [
        (("a", "b"), ("a",), "no video for camera b of the rig"),
        (("a",), ("a", "c", "d"), "no camera in the rig for video c, d"),
        (("a", "b"), ("a", "c"), "no video for camera b of the rig and no camera in the rig for video c"),
        (("cam1",), ("cam_1", "cam-1"), "more than one way"),
        (("cam_1", "cam-1"), ("cam1",), "more than one way"),
    ],
)
def test_names_that_do_not_match(rig, videos, message):
    with pytest.raises(SessionError, match=message) as caught:
        match_names(rig, videos)
    assert "\n" not in str(caught.value)
