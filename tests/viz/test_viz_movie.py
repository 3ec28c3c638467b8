from pathlib import Path

import numpy as np
import pytest

from mv3d.errors import VideoError
from mv3d.files.video import read_frames
from mv3d.viz.movie import write_movie


def _pictures(count: int):
    for k in range(count):
        picture = np.full((48, 64, 3), 40, np.uint8)
        picture[:, : 8 * k] = 220
        yield picture


def test_pictures_become_a_video_of_that_rate(tmp_path: Path) -> None:
    path = tmp_path / "scene.mp4"
    assert write_movie(path, _pictures(6), 25.0) == 6
    frames = list(read_frames(path))
    np.testing.assert_allclose([time for time, _ in frames], np.arange(6) / 25, atol=1e-4)
    # H.264 loses a little; the bright bar is 180 levels above the rest.
    bars = [int((image[24, :, 0] > 130).sum()) for _, image in frames]
    np.testing.assert_allclose(bars, 8 * np.arange(6), atol=1)


def test_pictures_that_fail_leave_the_older_video(tmp_path: Path) -> None:
    path = tmp_path / "scene.mp4"
    path.write_bytes(b"older")

    def failing():
        yield from _pictures(2)
        raise RuntimeError("lost the window")

    with pytest.raises(RuntimeError, match="lost the window"):
        write_movie(path, failing(), 25.0)
    assert path.read_bytes() == b"older"
    assert list(tmp_path.iterdir()) == [path]


def test_no_pictures_are_refused(tmp_path: Path) -> None:
    with pytest.raises(VideoError, match="no frames"):
        write_movie(tmp_path / "scene.mp4", iter(()), 25.0)
