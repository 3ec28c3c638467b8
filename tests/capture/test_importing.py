"""Videos of phones and OpenPose's layouts become sessions; clocks are laid over each other by a clap or a flash."""

from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np
import pytest

from mv3d.capture.alignment import Track, align
from mv3d.cli import main
from mv3d.data.poses import Poses2D
from mv3d.data.rig import Rig
from mv3d.data.skeletons import COCO_18
from mv3d.errors import Mv3dError
from mv3d.files.container import read_contents
from mv3d.files.recording import open_recording
from mv3d.files.video import VideoWriter, probe_video, read_frames
from mv3d.synthetic.frame_codes import draw_number, read_number
from mv3d.synthetic.rigs import camera_ring

SIZE = (128, 96)
RATE = 48_000


def _picture(number: int, size: tuple[int, int] = SIZE, grey: int = 80) -> np.ndarray:
    image = np.full((size[1], size[0], 3), grey, np.uint8)
    draw_number(image, number)
    return image


def _claps(start: float, seconds: float, seed: int) -> np.ndarray:
    """What a phone hears from `start` on: noise of its own, and the claps of the room at 2.0, 2.9 and 3.35 s."""
    rng = np.random.default_rng(seed)
    sound = rng.normal(0, 0.003, round(seconds * RATE))
    for clap in (2.0, 2.9, 3.35):
        at = round((clap - start) * RATE)
        sound[at : at + 960] += rng.normal(0, 0.3, 960) * np.exp(-np.arange(960) / 200)
    return sound.astype(np.float32)


def _film(
    path: Path,
    frames: int = 100,
    fps: int = 25,
    sound: np.ndarray | None = None,
    flash: float | None = None,
    rotation: int | None = None,
    pts: list[int] | None = None,
) -> Path:
    """A phone's video; `pts` in 1/1000 s."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with av.open(str(path), "w") as out:
        stream = out.add_stream("libx264", rate=fps)
        stream.width, stream.height, stream.pix_fmt = *SIZE, "yuv420p"
        stream.time_base = stream.codec_context.time_base = Fraction(1, 1000)
        stream.options = {"g": "10"}
        if rotation is not None:
            stream.set_display_rotation(rotation) if hasattr(stream, "set_display_rotation") else None
        track = out.add_stream("aac", rate=RATE, layout="mono") if sound is not None else None
        for number in range(frames):
            time = (pts[number] if pts else round(1000 * number / fps)) / 1000
            frame = av.VideoFrame.from_ndarray(_picture(number, grey=230 if flash and time >= flash else 60), "bgr24")
            frame.pts, frame.time_base = round(1000 * time), Fraction(1, 1000)
            out.mux(stream.encode(frame))
        out.mux(stream.encode())
        if track is not None and sound is not None:
            for at in range(0, len(sound) - 1023, 1024):
                heard = av.AudioFrame.from_ndarray(sound[None, at : at + 1024], "fltp", "mono")
                heard.sample_rate, heard.pts, heard.time_base = RATE, at, Fraction(1, RATE)
                out.mux(track.encode(heard))
            out.mux(track.encode())
    return path


def _numbers(path: Path) -> list[int | None]:
    return [read_number(image) for _, image in read_frames(path)]


@pytest.fixture
def refused(capsys: pytest.CaptureFixture[str]) -> Callable[..., str]:
    """Runs a command that must fail with one line; returns it."""

    def run(*arguments: object) -> str:
        with pytest.raises(SystemExit) as exit:
            main([str(a) for a in arguments])
        assert exit.value.code == 1
        (line,) = capsys.readouterr().err.splitlines()
        return line

    return run


def test_phones_by_their_sound(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    starts = {"anna": 0.0, "ben": 0.6137, "carl": -0.25}
    for seed, (name, start) in enumerate(starts.items()):
        _film(tmp_path / f"phones/{name}.mp4", 120, sound=_claps(start, 4.8, seed))
    main(["session", "import", str(tmp_path / "phones"), str(tmp_path / "s"), "--align", "sound"])
    times = {name: probe_video(tmp_path / f"s/videos/{name}.mp4").timestamps for name in starts}
    assert min(t[0] for t in times.values()) == 0
    for name in ("ben", "carl"):
        found = times[name][0] - times["anna"][0]
        # Steps of 1 ms, and the encoder's delay is that of all.
        assert found == pytest.approx(starts[name] - starts["anna"], abs=0.003)
    assert "ms" in capsys.readouterr().out


def test_phones_by_a_flash(tmp_path: Path) -> None:
    for name, start in (("a", 0.0), ("b", 0.72)):
        _film(tmp_path / f"phones/{name}.mp4", 100, flash=2.0 - start)
    main(["session", "import", str(tmp_path / "phones"), str(tmp_path / "s"), "--align", "flash"])
    first = {name: probe_video(tmp_path / f"s/videos/{name}.mp4").timestamps[0] for name in "ab"}
    # The flash falls between two frames, anywhere.
    assert first["b"] - first["a"] == pytest.approx(0.72, abs=1 / 25)


def test_sounds_that_have_nothing_in_common(tmp_path: Path, refused) -> None:
    rng = np.random.default_rng(0)
    for name in "ab":
        _film(tmp_path / f"phones/{name}.mp4", 50, sound=rng.normal(0, 0.1, 2 * RATE).astype(np.float32))
    assert "no sounds that the other cameras share" in refused(
        "session", "import", tmp_path / "phones", tmp_path / "s", "--align", "sound"
    )
    assert not list((tmp_path / "s").glob("*"))


def test_one_without_sound(tmp_path: Path, refused) -> None:
    _film(tmp_path / "phones/a.mp4", 50, sound=_claps(0.0, 4.0, 0))
    _film(tmp_path / "phones/b.mp4", 50)
    assert "b: no sound in b.mp4" in refused(
        "session", "import", tmp_path / "phones", tmp_path / "s", "--align", "sound"
    )


def test_lengths_rates_and_folders_are_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    uneven = [round(1000 * (k + 0.4 * (k % 2)) / 25) for k in range(60)]
    _film(tmp_path / "phones/a.MP4", 60, pts=uneven)
    _film(tmp_path / "phones/gopro/GX010012.MP4", 90)
    main(["session", "import", str(tmp_path / "phones"), str(tmp_path / "s")])
    out = capsys.readouterr().out
    assert "a: frames are uneven" in out
    assert "lengths differ (a 2.4 s, gopro 3.6 s)" in out
    assert _numbers(tmp_path / "s/videos/gopro.mp4") == list(range(90))
    np.testing.assert_allclose(probe_video(tmp_path / "s/videos/a.mp4").timestamps, np.array(uneven) / 1000, atol=1e-6)


def test_side_by_side(tmp_path: Path) -> None:
    with av.open(str(tmp_path / "both.mp4"), "w") as out:
        stream = out.add_stream("libx264", rate=25)
        stream.width, stream.height, stream.pix_fmt = 3 * SIZE[0], SIZE[1], "yuv420p"
        for number in range(12):
            image = np.hstack([_picture(number + 1000 * view) for view in range(3)])
            out.mux(stream.encode(av.VideoFrame.from_ndarray(image, "bgr24")))
        out.mux(stream.encode())
    arguments = ["--layout", "side-by-side", "--views", "3"]
    main(["session", "import", str(tmp_path / "both.mp4"), str(tmp_path / "s"), *arguments])
    for view in range(3):
        path = tmp_path / f"s/videos/cam{view + 1:02d}.mkv"
        assert probe_video(path).size == SIZE
        assert _numbers(path) == [number + 1000 * view for number in range(12)]


def test_consecutive_images(tmp_path: Path) -> None:
    (tmp_path / "images").mkdir()
    for k in range(12):
        cv2.imwrite(str(tmp_path / f"images/frame_{k}.png"), _picture(k))
    arguments = ["--layout", "consecutive", "--views", "3", "--fps", "10"]
    main(["session", "import", str(tmp_path / "images"), str(tmp_path / "s"), *arguments])
    for view in range(3):
        folder = tmp_path / f"s/videos/cam{view + 1:02d}"
        assert _numbers(folder) == [view, view + 3, view + 6, view + 9]
        np.testing.assert_allclose(probe_video(folder).timestamps, [0, 0.1, 0.2, 0.3])


def test_what_cannot_be_imported(tmp_path: Path, refused) -> None:
    _film(tmp_path / "one.mp4", 3)
    (tmp_path / "images").mkdir()
    cv2.imwrite(str(tmp_path / "images/a.png"), _picture(0))
    (tmp_path / "empty").mkdir()
    for name in ("GX010012.MP4", "GX020012.MP4"):
        _film(tmp_path / f"phones/gopro/{name}", 3)
    cases = [
        ((tmp_path / "nowhere",), "no such file or folder"),
        ((tmp_path / "empty",), "no videos"),
        ((tmp_path / "one.mp4",), "for views in one, see --layout"),
        ((tmp_path / "phones",), "several videos of one camera (GX010012.MP4, GX020012.MP4)"),
        ((tmp_path / "one.mp4", "--layout", "side-by-side", "--views", "3"), "128 px cannot be cut into 3"),
        ((tmp_path / "images", "--layout", "consecutive"), "holds 1 images, which is no multiple of 2"),
    ]
    for (source, *more), words in cases:
        assert words in refused("session", "import", source, tmp_path / "s", *more)
    (tmp_path / "s/videos").mkdir(parents=True)
    (tmp_path / "s/videos/mine.mp4").touch()
    assert "already there" in refused("session", "import", tmp_path / "empty", tmp_path / "s")


@pytest.mark.parametrize("offset", [-0.4, 0.0, 1.2345])
def test_alignment_of_clean_signals(offset: float) -> None:
    rng = np.random.default_rng(3)
    room = np.where(rng.random(8000) > 0.998, rng.random(8000), 0.0)
    tracks = {"a": Track(room, 0.0), "b": Track(room[1000:6000], 1.0 - offset)}
    found = align(tracks)
    assert found["a"].offset == 0
    assert found["b"].found
    assert found["b"].offset == pytest.approx(offset, abs=1e-3)  # the step


def test_silence_is_not_aligned() -> None:
    found = align({"a": Track(np.zeros(1000), 0.0), "b": Track(np.zeros(900), 0.0)})
    assert not found["b"].found


@pytest.fixture
def session(tmp_path: Path) -> Path:
    rig: Rig = camera_ring(2, size=SIZE, focal=95.0, seed=5)
    for name in rig.names:
        _film(tmp_path / f"s/videos/{name}.mp4", 60)
    rig.save(tmp_path / "s/cameras.yaml")
    return tmp_path / "s"


def test_trimmed_without_encoding(session: Path, tmp_path: Path) -> None:
    names = [path.stem for path in (session / "videos").iterdir()]
    main(["session", "trim", str(session), "--out", str(tmp_path / "t"), "--start", "1.0", "--end", "2.0"])
    for name in names:
        numbers = _numbers(tmp_path / f"t/videos/{name}.mkv")
        times = probe_video(tmp_path / f"t/videos/{name}.mkv").timestamps
        # From the key frame (every tenth) at or before 1 s; frames that others build on may follow the end.
        assert numbers[0] == 20
        assert set(range(25, 50)) <= set(numbers)
        np.testing.assert_allclose(times, np.array(numbers, float) / 25 - 1.0, atol=1e-6)
        original = dict(enumerate(image for _, image in read_frames(session / f"videos/{name}.mp4")))
        for number, (_, image) in zip(numbers, read_frames(tmp_path / f"t/videos/{name}.mkv"), strict=True):
            np.testing.assert_array_equal(image, original[number])
    assert len(open_recording(tmp_path / "t").timeline) >= 25


def test_trimmed_with_blurred_faces(session: Path, tmp_path: Path, refused) -> None:
    out = tmp_path / "b"
    arguments = ["session", "trim", session, "--out", out, "--start", "0.99", "--blur-faces", "--quiet"]
    assert "no keypoints to find faces by" in refused(*arguments)
    names = [path.stem for path in (session / "videos").iterdir()]
    for name in names:
        xy, score = np.full((60, 1, 18, 2), np.nan, np.float32), np.zeros((60, 1, 18), np.float32)
        for joint, x in ((0, 20), (16, 12), (17, 28)):  # nose and ears
            xy[:, 0, joint], score[:, 0, joint] = (x, 70), 0.9
        Poses2D(COCO_18, xy, score, np.arange(60) / 25).save(session / f"pose2d/{name}.npz")
        # Something to be recognised, around the nose.
        noise = np.random.default_rng(0).integers(0, 255, (7, 7, 3), dtype=np.uint8)
        with VideoWriter(session / f"videos/{name}.mp4", 25.0) as writer:
            for number in range(60):
                image = _picture(number)
                image[60:80, 10:30] = cv2.resize(noise, (20, 20), interpolation=cv2.INTER_NEAREST)
                writer.write(image)
    main([str(a) for a in arguments])
    for name in names:
        shown = [image for _, image in read_frames(out / f"videos/{name}.mp4")]
        assert [read_number(image) for image in shown] == list(range(25, 60))
        np.testing.assert_allclose(probe_video(out / f"videos/{name}.mp4").timestamps[0], 0.01, atol=1e-6)
        _, original = next(iter(read_frames(session / f"videos/{name}.mp4", 25)))
        changed = np.abs(shown[0].astype(int) - original.astype(int))
        # The grey levels of the pattern differ by 70; codecs by a few.
        assert changed[60:80, 10:30].mean() > 20
        assert changed[:, 60:].mean() < 5


def test_trim_says_what_is_there(session: Path, tmp_path: Path, refused) -> None:
    said = refused("session", "trim", session, "--out", tmp_path / "t", "--start", "5")
    assert "nothing from 5 to inf s; it has 0 to 2.36 s" in said
    assert not (tmp_path / "t").exists() or not list((tmp_path / "t").iterdir())


def test_trimmed_images(tmp_path: Path) -> None:
    (tmp_path / "s/videos/a").mkdir(parents=True)
    for k in range(30):
        cv2.imwrite(str(tmp_path / f"s/videos/a/{k}.png"), _picture(k))
    main(["session", "trim", str(tmp_path / "s"), "--out", str(tmp_path / "t"), "--start", "0.5", "--end", "0.7"])
    assert _numbers(tmp_path / "t/videos/a") == [15, 16, 17, 18, 19, 20]


def test_rotation_is_kept(tmp_path: Path) -> None:
    """A phone held upright: the metadata turn the picture, before and after."""
    if not hasattr(av.VideoStream, "set_display_rotation"):
        pytest.skip("this PyAV writes no rotation")
    _film(tmp_path / "phones/a.mp4", 30, rotation=90)
    main(["session", "import", str(tmp_path / "phones"), str(tmp_path / "s")])
    main(["session", "trim", str(tmp_path / "s"), "--out", str(tmp_path / "t"), "--end", "0.5"])
    assert read_contents(tmp_path / "t/videos/a.mkv").size == (SIZE[1], SIZE[0])


def test_info_of_a_folder_without_videos(tmp_path: Path, refused) -> None:
    assert "no such session folder" in refused("session", "info", tmp_path / "nowhere")
    (tmp_path / "videos").mkdir()
    assert "no videos" in refused("session", "info", tmp_path)
    with pytest.raises(Mv3dError):
        open_recording(tmp_path)
