from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from mv3d.data.camera import Camera
from mv3d.data.lens import Pinhole
from mv3d.data.rig import Rig
from mv3d.data.session import Session
from mv3d.errors import CalibrationError, SessionError, VideoError
from mv3d.files.recording import open_recording, session_rig
from mv3d.files.video import VideoWriter

SIZE = (64, 48)


def _rig(size: tuple[int, int], names: tuple[str, ...] = ("cam1", "cam2")) -> Rig:
    K = np.array([[80.0, 0, (size[0] - 1) / 2], [0, 80, (size[1] - 1) / 2], [0, 0, 1]])
    dist = np.array([-0.1, 0.02, 0.0, 0.0])
    return Rig(
        tuple(Camera(n, size, Pinhole(K, dist), np.eye(3), np.array([0.1 * i, 0, 2.0])) for i, n in enumerate(names))
    )


@pytest.fixture
def film(tmp_path: Path) -> Callable[..., Path]:
    """A session with two videos, 6 frames each unless told otherwise, and a rig."""

    def make(
        rig: Rig | None = None,
        sizes: tuple[tuple[int, int], ...] = (SIZE, SIZE),
        counts: tuple[int, ...] = (6, 6),
        names: tuple[str, ...] = ("cam1", "cam2"),
    ) -> Path:
        for name, size, count in zip(names, sizes, counts, strict=True):
            with VideoWriter(tmp_path / "videos" / f"{name}.mp4", 25.0) as writer:
                for i in range(count):
                    writer.write(np.full((size[1], size[0], 3), 8 * i, np.uint8))
        if rig is not None:
            rig.save(tmp_path / "cameras.yaml")
        return tmp_path

    return make


def test_equal_sizes(film: Callable[..., Path]) -> None:
    recording = open_recording(film(_rig(SIZE)))
    assert recording.notes == ()
    assert recording.rig.names == ("cam1", "cam2")
    assert [video.path.name for video in recording.videos] == ["cam1.mp4", "cam2.mp4"]
    np.testing.assert_array_equal(recording.rig[0].lens.K, _rig(SIZE)[0].lens.K)
    assert [len(images) for images in recording.images()] == [2] * 6


@pytest.mark.parametrize("calibrated", [(64, 40), (64, 54), (72, 56)])
def test_a_border_that_a_codec_cut_or_added(film: Callable[..., Path], calibrated: tuple[int, int]) -> None:
    """1080 lines are often recorded as 1088: the principal point stays where it was from the top left."""
    recording = open_recording(film(_rig(calibrated)))
    for camera, before in zip(recording.rig, _rig(calibrated), strict=True):
        assert camera.size == SIZE
        np.testing.assert_array_equal(camera.lens.K, before.lens.K)
    assert len(recording.notes) == 2
    shown = f"the video is 64x48, the calibration {calibrated[0]}x{calibrated[1]}; taken as cropped at right and bottom"
    assert recording.notes[1] == f"cam2: {shown}"


@pytest.mark.parametrize("factor", [2, 3, 0.5])
def test_another_resolution_of_the_same_picture(film: Callable[..., Path], factor: float) -> None:
    calibrated = (round(64 * factor), round(48 * factor))
    recording = open_recording(film(_rig(calibrated)))
    point = np.array([0.2, -0.1, 0.3])
    for camera, before in zip(recording.rig, _rig(calibrated), strict=True):
        assert camera.size == SIZE
        # Pixel centres are at the integers, so that it is the pixels' edges, half a pixel off, that scale.
        np.testing.assert_allclose((camera.project(point) + 0.5) * factor, before.project(point) + 0.5, atol=1e-9)
    assert f"cam1: calibration scaled from {calibrated[0]}x{calibrated[1]} to the video's 64x48" in recording.notes


def test_one_video_of_another_resolution(film: Callable[..., Path]) -> None:
    recording = open_recording(film(_rig((128, 96)), sizes=((128, 96), SIZE)))
    assert [camera.size for camera in recording.rig] == [(128, 96), SIZE]
    assert len(recording.notes) == 1


@pytest.mark.parametrize("calibrated", [(48, 64), (96, 96), (128, 72)])
def test_another_shape(film: Callable[..., Path], calibrated: tuple[int, int]) -> None:
    with pytest.raises(CalibrationError, match=r"cam1\.mp4: the video is 64x48, but camera cam1 was calibrated at"):
        open_recording(film(_rig(calibrated)))


def test_names_that_nearly_match(film: Callable[..., Path]) -> None:
    """The rig's order and names count; the videos follow."""
    recording = open_recording(film(_rig(SIZE, ("Cam_02", "Cam_01")), names=("cam1", "cam2")))
    assert recording.rig.names == ("Cam_02", "Cam_01")
    assert [video.path.name for video in recording.videos] == ["cam2.mp4", "cam1.mp4"]


def test_names_that_do_not_match(film: Callable[..., Path]) -> None:
    session = film(_rig(SIZE, ("cam1", "cam2", "cam3")))
    with pytest.raises(SessionError, match="no video for camera cam3 of the rig"):
        open_recording(session)
    _rig(SIZE, ("cam1", "kitchen")).save(session / "cameras.yaml")
    with pytest.raises(SessionError, match=r"kitchen.* and no camera in the rig for video cam2"):
        open_recording(session)


def test_the_common_time_of_videos_of_unequal_length(film: Callable[..., Path]) -> None:
    session = film(_rig(SIZE), counts=(6, 4))
    with pytest.raises(VideoError, match=r"cam2\.mp4: 4 frames .*--common-time"):
        open_recording(session)
    recording = open_recording(session, common_time=True)
    assert len(recording.timeline) == 4
    assert recording.timeline.present.all()
    assert sum(1 for _ in recording.images()) == 4


def _stamp(session: Path, name: str, times: np.ndarray) -> None:
    rows = "".join(f"{i},{t:.6f}\n" for i, t in enumerate(times))
    (session / "videos" / f"{name}.timestamps.csv").write_text("frame,seconds\n" + rows)


def test_the_common_time_of_cameras_that_started_apart(film: Callable[..., Path]) -> None:
    session = film(_rig(SIZE))
    _stamp(session, "cam1", 10 + 0.04 * np.arange(6))
    _stamp(session, "cam2", 10.08 + 0.04 * np.arange(6))
    recording = open_recording(session, common_time=True)
    np.testing.assert_allclose(recording.timeline.timestamps, 10.08 + 0.04 * np.arange(4))
    np.testing.assert_array_equal(recording.timeline.index, [[2, 0], [3, 1], [4, 2], [5, 3]])
    levels = [[round(float(image.mean()) / 8) for image in images] for images in recording.images()]  # type: ignore
    assert levels == [[2, 0], [3, 1], [4, 2], [5, 3]]


def test_no_common_time(film: Callable[..., Path]) -> None:
    session = film(_rig(SIZE))
    _stamp(session, "cam2", 99 + 0.04 * np.arange(6))
    with pytest.raises(VideoError, match="no moment in common; check their timestamps"):
        open_recording(session, common_time=True)


def test_what_is_not_there(film: Callable[..., Path], tmp_path: Path) -> None:
    with pytest.raises(SessionError, match="nowhere: no such session folder"):
        open_recording(tmp_path / "nowhere")
    session = film()
    with pytest.raises(SessionError, match=r"cameras\.yaml: no such file; bring a calibrated rig with `mv3d rig conv"):
        open_recording(session)


def test_the_rig_of_a_session_with_and_without_its_videos(film: Callable[..., Path]) -> None:
    session = Session(film(_rig((128, 96))))
    assert session_rig(session).cameras[0].size == SIZE
    for path in session.videos.iterdir():
        path.unlink()
    session.videos.rmdir()
    assert session_rig(session).cameras[0].size == (128, 96)
