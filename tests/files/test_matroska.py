"""Recorded Matroska files: read by FFmpeg at any moment, cut off anywhere, finished in place."""

from pathlib import Path

import av
import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mv3d.errors import FormatError, SessionError
from mv3d.files import ebml
from mv3d.files.matroska import MatroskaWriter, VideoTrack
from mv3d.files.matroska_index import finish_matroska, scan_matroska
from mv3d.files.video import probe_video, read_frames

STEP = 8
TIMES_US = [250, 33_000, 66_500, 150_000, 170_000, 1_200_000, 1_233_333, 2_500_000]


def _picture(number: int) -> bytes:
    return cv2.imencode(".jpg", np.full((48, 64, 3), STEP * number, np.uint8))[1].tobytes()


@pytest.fixture
def recorded(tmp_path: Path) -> Path:
    path = tmp_path / "cam.mkv"
    writer = MatroskaWriter(path, VideoTrack("mjpeg", (64, 48), 30.0))
    for number, time in enumerate(TIMES_US):
        assert writer.append(time, _picture(number)) == time
    writer.close()
    return path


def _numbers(path: Path, start: int = 0) -> list[int]:
    return [round(float(image.mean()) / STEP) for _, image in read_frames(path, start)]


@pytest.mark.parametrize("finish", [False, True])
def test_ffmpeg_reads_every_frame_with_its_time(recorded: Path, finish: bool) -> None:
    if finish:
        finish_matroska(recorded)
    info = probe_video(recorded)
    assert info.size == (64, 48)
    # Written in whole microseconds; the video's own times start at its first frame.
    np.testing.assert_allclose(info.timestamps, (np.array(TIMES_US) - TIMES_US[0]) / 1e6, atol=1e-9)
    assert _numbers(recorded) == list(range(8))
    assert _numbers(recorded, 5) == [5, 6, 7]


def test_finishing_gives_duration_and_index_and_is_done_once(recorded: Path) -> None:
    finish_matroska(recorded)
    with av.open(str(recorded)) as container:
        assert container.duration is not None
        # The shortest interval stands for the last frame's.
        assert container.duration / 1e6 == pytest.approx(2.52, abs=1e-3)
    assert scan_matroska(recorded).finished
    before = recorded.read_bytes()
    assert finish_matroska(recorded).finished
    assert recorded.read_bytes() == before


def test_a_file_that_lacks_most_of_its_frames_is_read(tmp_path: Path) -> None:
    """A recorder that could not keep up leaves gaps longer than what it has."""
    times = [k * 33_333 for k in (0, 1, 7, 15, 24, 30)]
    writer = MatroskaWriter(tmp_path / "cam.mkv", VideoTrack("mjpeg", (64, 48), 30.0))
    for number, time in enumerate(times):
        writer.append(time, _picture(number))
    writer.close()
    finish_matroska(tmp_path / "cam.mkv")
    assert _numbers(tmp_path / "cam.mkv") == list(range(6))
    np.testing.assert_allclose(probe_video(tmp_path / "cam.mkv").timestamps, np.array(times) / 1e6, atol=1e-9)


def test_a_file_cut_off_anywhere_keeps_its_whole_frames(recorded: Path, tmp_path: Path) -> None:
    data, found = recorded.read_bytes(), scan_matroska(recorded)
    ends = [*found.positions[1:], found.end]
    assert found.end == len(data)
    for cut in range(int(found.positions[0]), len(data), 97):
        path = tmp_path / "cut.mkv"
        path.write_bytes(data[:cut])
        whole = sum(end <= cut for end in ends)
        assert finish_matroska(path).torn_bytes == cut - max((e for e in ends if e <= cut), default=found.positions[0])
        assert len(scan_matroska(path).times_us) == whole
        if whole:
            assert _numbers(path) == list(range(whole))


def test_times_never_stand_still(tmp_path: Path) -> None:
    writer = MatroskaWriter(tmp_path / "a.mkv", VideoTrack("mjpeg", (64, 48)))
    assert [writer.append(t, _picture(0)) for t in (10, 10, 5, 12)] == [10, 11, 12, 13]
    writer.close()


def test_other_files_are_left_alone(tmp_path: Path, recorded: Path) -> None:
    foreign = tmp_path / "foreign.mkv"
    for content in (b"", b"not a video at all", recorded.read_bytes()[:20]):
        foreign.write_bytes(content)
        with pytest.raises(FormatError, match="not a Matroska file that mv3d recorded"):
            finish_matroska(foreign)
        assert foreign.read_bytes() == content


def test_a_folder_that_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(SessionError, match="cannot be written"):
        MatroskaWriter(tmp_path / "file" / "cam.mkv", VideoTrack("mjpeg", (64, 48)))


@given(st.integers(0, 2**48), st.sampled_from([0xE7, 0x4489, 0x2AD7B1, 0x1F43B675]))
def test_heads_read_back(size: int, identifier: int) -> None:
    head = ebml.element_head(identifier, size)
    assert ebml.read_head(head) == (identifier, size, len(head))
    assert all(ebml.read_head(head[:k]) is None for k in range(len(head)))


@pytest.mark.parametrize("total", [2, 11, 96, 128, 129, 1000])
def test_room_is_as_large_as_asked(total: int) -> None:
    made = ebml.void(total)
    head = ebml.read_head(made)
    assert head is not None
    assert len(made) == total == head[2] + (head[1] or 0)
