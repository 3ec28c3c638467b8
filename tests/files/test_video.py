"""Frame times, order, rotation and colours of videos; damaged ones; writing."""

import os
from pathlib import Path

import av
import cv2
import numpy as np
import pytest

from mv3d.errors import FormatError, VideoError
from mv3d.files.container import turn_upright
from mv3d.files.video import VideoWriter, probe_video, read_frames

STEP = 8


def number_of(image: np.ndarray) -> int:
    return round(float(image.mean()) / STEP)


@pytest.mark.parametrize(
    ("name", "codec"), [("a.mp4", "libx264"), ("a.mkv", "libx264"), ("a.avi", "mpeg4"), ("a.mov", "libx264")]
)
def test_every_frame_comes_in_order_with_its_time(make_video, name, codec):
    path = make_video(name, codec=codec)
    info = probe_video(path)
    assert info.size == (64, 48)
    assert info.frame_count == 30
    assert info.fps == pytest.approx(25)
    assert info.duration == pytest.approx(30 / 25)
    frames = list(read_frames(path))
    assert [number_of(image) for _, image in frames] == list(range(30))
    # Containers keep times to 1 ms or finer, and these are whole ms.
    np.testing.assert_allclose([t for t, _ in frames], np.arange(30) / 25, atol=1e-9)
    np.testing.assert_array_equal([t for t, _ in frames], info.timestamps)


@pytest.mark.parametrize(("name", "codec"), [("a.mp4", "libx264"), ("a.mkv", "libx264"), ("a.avi", "mpeg4")])
@pytest.mark.parametrize(("start", "stop"), [(0, 3), (7, 11), (29, None), (12, 12), (40, None), (25, 90)])
def test_reading_from_the_middle(make_video, name, codec, start, stop):
    path = make_video(name, codec=codec)
    wanted = list(range(30))[start:stop]
    frames = list(read_frames(path, start, stop, probe_video(path)))
    assert [number_of(image) for _, image in frames] == wanted
    np.testing.assert_allclose([t for t, _ in frames], np.array(wanted) / 25, atol=1e-9)


@pytest.mark.parametrize("name", ["vfr.mp4", "vfr.mkv"])
def test_variable_frame_rate_is_respected(make_video, name):
    pts = [500, 540, 613, 620, 700, 1000, 1001, 1040]
    path = make_video(name, pts)
    wanted = (np.array(pts) - 500) / 1000
    np.testing.assert_allclose(probe_video(path).timestamps, wanted, atol=1e-6)
    frames = list(read_frames(path, 2))
    np.testing.assert_allclose([t for t, _ in frames], wanted[2:], atol=1e-6)
    assert [number_of(image) for _, image in frames] == list(range(2, 8))


def test_frames_cut_off_by_an_edit_list_are_not_counted(make_video, tmp_path):
    """A trim without re-encoding keeps the frames from the last key frame on, and marks them as not to be shown."""
    if not hasattr(av.container.OutputContainer, "add_stream_from_template"):
        pytest.skip("this PyAV copies streams otherwise")
    with av.open(str(make_video())) as source, av.open(str(tmp_path / "trim.mp4"), "w") as target:
        stream = target.add_stream_from_template(source.streams.video[0])
        for packet in source.demux(video=0):
            if packet.dts is not None:
                cut = 8 * packet.duration
                packet.pts, packet.dts, packet.stream = packet.pts - cut, packet.dts - cut, stream
                target.mux(packet)
    info = probe_video(tmp_path / "trim.mp4")
    frames = list(read_frames(tmp_path / "trim.mp4"))
    assert [number_of(image) for _, image in frames] == list(range(8, 30))
    np.testing.assert_allclose(info.timestamps, np.arange(22) / 25, atol=1e-9)


@pytest.mark.parametrize(("rotation", "bright"), [(0, (0, 0)), (90, (1, 0)), (180, (1, 1)), (-90, (0, 1))])
def test_rotation_metadata(make_video, rotation, bright):
    """The stored image is bright at top left; `bright` says in which (row, column) half it is shown."""
    path = make_video(rotation=rotation, corner=True)
    info = probe_video(path)
    assert info.size == ((48, 64) if rotation % 180 else (64, 48))
    _, image = next(iter(read_frames(path)))
    assert image.shape == (info.size[1], info.size[0], 3)
    halves = image.mean(-1).reshape(2, image.shape[0] // 2, 2, image.shape[1] // 2).mean((1, 3))
    assert np.unravel_index(halves.argmax(), (2, 2)) == bright


@pytest.mark.parametrize("matrix", [np.array(m) for m in ([[1, 0], [0, 1]], [[0, 1], [1, 0]])])
@pytest.mark.parametrize("signs", [(1, 1), (1, -1), (-1, 1), (-1, -1)])
def test_display_matrix_moves_pixels_as_it_says(matrix, signs):
    matrix = (matrix * signs).astype(float)
    height, width = 3, 5
    image = np.arange(height * width * 3).reshape(height, width, 3).astype(np.uint8)
    shown = turn_upright(image, matrix)
    y, x = np.mgrid[:height, :width]
    where = np.stack([x, y], -1) @ matrix
    where = (where - where.min((0, 1))).astype(int)
    np.testing.assert_array_equal(shown[where[..., 1], where[..., 0]], image)


def test_full_and_limited_range_give_the_same_colours(tmp_path):
    image = np.zeros((32, 96, 3), np.uint8)
    image[:, 32:64], image[:, 64:] = (255, 255, 255), (20, 60, 220)
    for name, wide in (("limited.mp4", False), ("full.mp4", True)):
        with av.open(str(tmp_path / name), "w") as container:
            stream = container.add_stream("libx264", rate=25)
            stream.width, stream.height, stream.pix_fmt = 96, 32, "yuv420p"
            stream.codec_context.color_range, stream.codec_context.colorspace = (2 if wide else 1), 1
            frame = av.VideoFrame.from_ndarray(image, format="bgr24").reformat(
                format="yuv420p", dst_colorspace="ITU709", dst_color_range="JPEG" if wide else "MPEG"
            )
            if wide and min(bytes(frame.planes[0])) > 0:
                pytest.skip("this PyAV cannot make a full range image")
            container.mux(stream.encode(frame))
            container.mux(stream.encode())
        _, got = next(iter(read_frames(tmp_path / name)))
        # 8-bit chroma at half resolution and the quantiser cost up to 6 levels; a wrong range costs 16 to 20.
        np.testing.assert_allclose(got[16, [10, 48, 85]].astype(int), image[16, [10, 48, 85]].astype(int), atol=7)


@pytest.mark.parametrize(("name", "codec"), [("a.mp4", "libx264"), ("a.mkv", "libx264"), ("a.avi", "mpeg4")])
@pytest.mark.parametrize("share", [0.5, 0.9])
def test_truncated_video_says_how_much_is_left(make_video, name, codec, share):
    path = make_video(name, codec=codec, options={"movflags": "+faststart"}, noise=255)
    data = path.read_bytes()
    path.write_bytes(data[: int(share * len(data))])
    with pytest.raises(VideoError, match=rf"{name}: cut short, about \d+ of the 30 promised frames") as caught:
        probe_video(path)
    readable = int(str(caught.value).split("about ")[1].split()[0])
    assert abs(readable - share * 30) <= 3  # noise frames are all about equally large
    assert "\n" not in str(caught.value)
    with pytest.raises(VideoError):
        list(read_frames(path))


def test_mp4_without_its_index_is_an_error(make_video):
    path = make_video()
    path.write_bytes(path.read_bytes()[:-200])
    with pytest.raises(VideoError, match=r"cam\.mp4"):
        probe_video(path)


def test_damage_in_the_middle_names_the_frame(make_video):
    path = make_video(noise=255)
    data = bytearray(path.read_bytes())
    middle = len(data) // 2
    data[middle : middle + 3000] = bytes(3000)
    path.write_bytes(data)
    read = []
    with pytest.raises(VideoError, match=r"damaged, frame \d+ of 30") as caught:
        read.extend(t for t, _ in read_frames(path))
    assert f"frame {len(read)} of 30" in str(caught.value)
    assert 10 < len(read) < 20


def test_consumers_own_errors_pass_through(make_video):
    path = make_video()
    frames = read_frames(path)
    next(frames)
    with pytest.raises(PermissionError, match="mine"):
        _consume(frames)


def _consume(frames):
    for _ in frames:
        raise PermissionError("mine")


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("no.mp4", None),
        ("empty.mp4", b""),
        ("text.mp4", b"not a video"),
        # A playlist must not make the reader open what it lists.
        ("list.mp4", b"#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\nother.ts\n#EXT-X-ENDLIST\n"),
        ("concat.mkv", b"ffconcat version 1.0\nfile other.mp4\n"),
    ],
)
def test_what_is_not_a_video_is_one_line(tmp_path, make_video, name, content):
    make_video("other.mp4")
    if content is not None:
        (tmp_path / name).write_bytes(content)
    with pytest.raises(VideoError, match=name) as caught:
        probe_video(tmp_path / name)
    assert "\n" not in str(caught.value)


def test_sound_alone_is_not_a_video(tmp_path):
    with av.open(str(tmp_path / "a.mkv"), "w") as container:
        stream = container.add_stream("pcm_s16le", rate=8000)
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 800), np.int16), format="s16", layout="mono")
        frame.sample_rate = 8000
        container.mux(stream.encode(frame))
    with pytest.raises(VideoError, match="no video stream"):
        probe_video(tmp_path / "a.mkv")


def test_recorded_times_win_and_keep_their_clock(make_video):
    path = make_video()
    times = 100 + np.arange(30) / 24.7
    path.with_name("cam.timestamps.csv").write_text(
        "frame,seconds\n" + "".join(f"{i},{t:.9f}\n" for i, t in enumerate(times))
    )
    info = probe_video(path)
    np.testing.assert_allclose(info.timestamps, times, atol=1e-9)
    assert info.fps == pytest.approx(24.7)
    np.testing.assert_allclose([t for t, _ in read_frames(path, 28)], times[28:], atol=1e-9)


@pytest.mark.parametrize("rows", ["0,1.0\n", "0;1\n" * 30, "0,x\n" * 30, "0,1\n" * 30, "0,nan\n" * 30])
def test_recorded_times_that_do_not_fit(make_video, rows):
    path = make_video()
    path.with_name("cam.timestamps.csv").write_text(rows)
    with pytest.raises(FormatError, match=r"cam\.timestamps\.csv"):
        probe_video(path)


def test_image_folder_is_a_source(tmp_path):
    folder = tmp_path / "cam1"
    folder.mkdir()
    for i in (1, 2, 10):
        cv2.imwrite(str(folder / f"f{i}.png"), np.full((20, 30, 3), STEP * i, np.uint8))
    (folder / "notes.txt").write_text("not an image")
    info = probe_video(folder, fps=5)
    assert (info.size, info.frame_count, info.fps) == ((30, 20), 3, 5)
    frames = list(read_frames(folder, 1, info=info))
    assert [(t, number_of(image)) for t, image in frames] == [(0.2, 2), (0.4, 10)]
    assert probe_video(folder).fps == 30


def test_image_folder_problems(tmp_path):
    folder = tmp_path / "cam1"
    folder.mkdir()
    with pytest.raises(VideoError, match="without images"):
        probe_video(folder)
    cv2.imwrite(str(folder / "0.png"), np.zeros((20, 30, 3), np.uint8))
    cv2.imwrite(str(folder / "1.png"), np.zeros((20, 31, 3), np.uint8))
    with pytest.raises(VideoError, match=r"1\.png: is 31x20"):
        list(read_frames(folder))
    (folder / "1.png").write_bytes((folder / "0.png").read_bytes()[:30])
    with pytest.raises(VideoError, match=r"1\.png"):
        list(read_frames(folder))


@pytest.mark.parametrize("fps", [30, 60, 30000 / 1001, 7.3])
@pytest.mark.parametrize("size", [(64, 48), (65, 49)])
def test_writer_round_trip(tmp_path, fps, size):
    path = tmp_path / "new" / "out.mp4"
    with VideoWriter(path, fps) as writer:
        for i in range(10):
            writer.write(np.full((size[1], size[0], 3), STEP * i, np.uint8))
    info = probe_video(path)
    assert info.size == (size[0] + size[0] % 2, size[1] + size[1] % 2)
    np.testing.assert_allclose(info.timestamps, np.arange(10) / fps, atol=1 / 90_000)  # the file's time base
    assert [number_of(image) for _, image in read_frames(path)] == list(range(10))
    data = path.read_bytes()
    assert data.index(b"moov") < data.index(b"mdat")  # faststart
    assert os.listdir(path.parent) == ["out.mp4"]
    with av.open(str(path)) as container:
        context = container.streams.video[0].codec_context
        assert (context.name, context.pix_fmt) == ("h264", "yuv420p")


def test_writer_keeps_times_and_colours(tmp_path):
    times = [0.0, 0.1, 0.15, 0.9]
    image = np.zeros((32, 64, 3), np.uint8)
    image[:, 32:] = (20, 60, 220)
    with VideoWriter(tmp_path / "a.mp4", 30) as writer:
        for t in times:
            writer.write(image, t)
    np.testing.assert_allclose(probe_video(tmp_path / "a.mp4").timestamps, times, atol=1e-5)
    _, got = next(iter(read_frames(tmp_path / "a.mp4")))
    np.testing.assert_allclose(got[16, [10, 50]].astype(int), image[16, [10, 50]].astype(int), atol=7)


def _write(path: Path, images: list[np.ndarray], error: Exception | None = None) -> None:
    with VideoWriter(path, 30) as writer:
        for image in images:
            writer.write(image)
        if error is not None:
            raise error


def test_failed_writing_leaves_the_old_file(tmp_path):
    path = tmp_path / "a.mp4"
    path.write_bytes(b"old")
    image = np.zeros((48, 64, 3), np.uint8)
    with pytest.raises(RuntimeError):
        _write(path, [image], RuntimeError())
    with pytest.raises(ValueError, match="first was"):
        _write(path, [image, np.zeros((48, 66, 3), np.uint8)])
    with pytest.raises(VideoError, match="no frames"):
        _write(path, [])
    assert path.read_bytes() == b"old"
    assert os.listdir(tmp_path) == ["a.mp4"]


def test_writing_where_a_file_is_in_the_way(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(VideoError, match="cannot be written"):
        _write(tmp_path / "file" / "a.mp4", [np.zeros((48, 64, 3), np.uint8)])


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full, a disk that is always full")
def test_writing_to_a_full_disk(tmp_path):
    (tmp_path / "a.mp4.part").symlink_to("/dev/full")
    noise = np.random.default_rng(0).integers(0, 255, (20, 480, 640, 3), dtype=np.uint8)
    with pytest.raises(VideoError, match=r"a\.mp4: cannot be written"):
        _write(tmp_path / "a.mp4", list(noise))
    assert os.listdir(tmp_path) == []
