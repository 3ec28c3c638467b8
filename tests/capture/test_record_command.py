"""`mv3d record`: what it says and shows, and one clear line for everything that can be wrong."""

import io
import re
import socket
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from mv3d.capture.addresses import CameraAddress
from mv3d.capture.frames import SourceSettings
from mv3d.capture.recorder import Recorder, RecorderConfig, open_recorder
from mv3d.capture.status import RecordingStatus
from mv3d.cli import main
from mv3d.commands.recording_screen import RecordingScreen
from mv3d.files.frame_times import timestamps_path
from mv3d.files.recording import open_recording
from mv3d.files.video import probe_video, read_frames
from mv3d.synthetic.camera_server import CameraServer
from mv3d.synthetic.frame_codes import read_number
from mv3d.synthetic.rigs import camera_ring

Serve = Callable[..., CameraServer]


def test_recorded_and_told(tmp_path: Path, serve: Serve, capsys: pytest.CaptureFixture[str]) -> None:
    cameras = ["--camera", f"front={serve().url}", "--camera", f"left={serve().url}"]
    main(["record", str(tmp_path / "s"), *cameras, "--seconds", "0.6"])
    shown = capsys.readouterr()
    assert "0.6 s recorded" in shown.out
    assert re.search(r"front: \d+ frames, .*, 0 lost\n", shown.out)
    assert "128x96, mjpeg, kept as it comes" in shown.err


def test_quiet(tmp_path: Path, serve: Serve, capsys: pytest.CaptureFixture[str]) -> None:
    main(["record", str(tmp_path / "s"), "--camera", f"a={serve().url}", "--seconds", "0.2", "--quiet"])
    shown = capsys.readouterr()
    assert shown.out == shown.err == ""
    assert probe_video(tmp_path / "s/videos/a.mkv").frame_count > 0


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ([], "no cameras; give each with --camera NAME=SOURCE"),
        (["--camera", "front"], "--camera front: NAME=SOURCE is wanted"),
        (["--camera", "a=0", "--camera", "A=1"], "have the same name"),
        (["--camera", "a=no_such_file.mp4"], "camera a: no_such_file.mp4: no such file or folder"),
        (["--camera", "a=/dev/video97"], "camera a: camera /dev/video97: cannot be opened; it is missing, or another"),
        (["--camera", "a=0?gamma=1"], "camera a: 0?gamma=1: no setting gamma"),
        (["--camera", "a=0", "--size", "big"], "--size big: WIDTHxHEIGHT is wanted"),
        (["--camera", "a=0", "--seconds", "0"], "--seconds is 0; a positive number is wanted"),
        (["--camera", "a=0", "--fps", "-3"], "--fps is -3; a positive number is wanted"),
        (["--camera", "a=http://u:geheim@127.0.0.1:9/x"], "camera a: http://u:***@127.0.0.1:9/x: cannot be reached"),
        (["--camera", "a=rtsp://u:geheim@127.0.0.1:9/x"], "camera a: rtsp://u:***@127.0.0.1:9/x: cannot be reached"),
        (["--camera", "a=http://no-such-host.invalid/x"], "cannot be reached"),
    ],
)
def test_one_line(tmp_path: Path, arguments, words: str, capfd: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as exit:
        main(["record", str(tmp_path / "s"), *arguments, "--timeout", "1"])
    assert exit.value.code == 1
    shown = capfd.readouterr()
    # OpenCV and FFmpeg write past Python; nothing of theirs may be in it.
    (line,) = shown.err.splitlines()
    assert line.startswith("mv3d: error: ")
    assert words in line
    assert "geheim" not in shown.err + shown.out


def test_refused_by_the_camera(tmp_path: Path, serve: Serve, capsys: pytest.CaptureFixture[str]) -> None:
    url = serve(login="me:right").url.replace("://", "://me:wrong@")
    with pytest.raises(SystemExit):
        main(["record", str(tmp_path / "s"), "--camera", f"a={url}"])
    assert "refused (401 No); check user and password" in capsys.readouterr().err


def test_a_camera_that_accepts_and_says_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        camera = f"a=http://127.0.0.1:{silent.getsockname()[1]}/"
        with pytest.raises(SystemExit):
            main(["record", str(tmp_path / "s"), "--camera", camera, "--timeout", "0.3"])
    assert "no answer in time" in capsys.readouterr().err


def test_the_screen(tmp_path: Path, serve: Serve) -> None:
    faults: dict[int, str] = {}
    servers = [serve(), serve(faults=faults)]
    addresses = [CameraAddress(name, s.url) for name, s in zip(("front", "a_very_long_name"), servers, strict=True)]
    status = RecordingStatus()
    faults.update({number: "garbage" for number in range(int(1e6)) if number % 10 == 0 and number < 5000})
    with open_recorder(tmp_path, addresses, RecorderConfig(SourceSettings(timeout=1.0))) as recorder:
        recorder.start()
        status.lines(recorder)
        recorder.wait(20.0, lambda r: r.cameras[0].counts.written > 25)
        lines = status.lines(recorder)
        recorder.stop()
    assert lines[0].startswith("REC 00:0")
    assert "GB free" in lines[0]
    assert lines[1].split()[:4] == ["camera", "state", "frames", "fps"]
    assert lines[2].split()[:2] == ["front", "recording"]
    assert lines[3].startswith("a_very_long ")
    assert int(lines[3].split()[7]) > 0, "damaged"
    assert "belong to no picture" in lines[4] or "no whole JPEG" in lines[4]
    assert max(map(len, lines)) <= 79


class _Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_the_screen_is_drawn_over(tmp_path: Path, serve: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
    out = _Terminal()
    monkeypatch.setattr("sys.stderr", out)
    screen = RecordingScreen(quiet=False)
    with open_recorder(tmp_path, [CameraAddress("front", serve().url)], RecorderConfig()) as recorder, screen:
        recorder.start()
        screen.finish(recorder)
        screen.finish(recorder)
        recorder.stop()
    first, second = out.getvalue().split("\x1b[3F\x1b[J")
    assert first.count("\n") == second.count("\n") == 3


def test_a_lost_frame_is_absent_at_its_instant_only(tmp_path: Path, serve: Serve) -> None:
    """What is missing in a video of one camera must not shift what comes after it against the others."""
    rig = camera_ring(2, size=(128, 96), focal=95.0, seed=5)
    faults: dict[int, str] = {}
    servers = [serve(timestamps=True), serve(timestamps=True, faults=faults)]
    servers[1].epoch = servers[0].epoch
    addresses = [CameraAddress(name, server.url) for name, server in zip(rig.names, servers, strict=True)]

    def enough(recorder: Recorder) -> bool:
        if recorder.cameras[1].counts.written > 8 and not faults:
            soon = int(recorder.cameras[1].counts.received + _first_number(recorder)) + 50
            faults.update(dict.fromkeys((soon, soon + 1, soon + 6), "skip"))
        return recorder.cameras[1].counts.written > 90

    with open_recorder(tmp_path, addresses, RecorderConfig()) as recorder:
        recorder.start()
        recorder.wait(30.0, enough)
        recorder.stop()
    rig.save(tmp_path / "cameras.yaml")
    recording = open_recording(tmp_path)
    pairs = [tuple(None if i is None else read_number(i) for i in images) for images in recording.images()]
    lost = set(faults)
    assert {a for a, b in pairs if b is None} >= lost
    assert all(a == b for a, b in pairs if a is not None and b is not None)
    assert sum(b is None for _, b in pairs) == len(lost)
    assert timestamps_path(recording.videos[0].path).is_file()


def _first_number(recorder: Recorder) -> int:
    """Number of the first frame that was written of the second camera."""
    path = recorder.cameras[1].files.paths[0]
    from mv3d.files.container import decode_frames, read_contents

    return read_number(next(iter(decode_frames(path, read_contents(path), 0, 1)))[1]) or 0


def test_frames_have_the_same_numbers(tmp_path: Path, serve: Serve) -> None:
    """A file source plays back what was recorded, to the frame."""
    with open_recorder(tmp_path / "a", [CameraAddress("x", serve().url)], RecorderConfig()) as recorder:
        recorder.start()
        recorder.wait(20.0, lambda r: r.cameras[0].counts.written > 10)
        recorder.stop()
    source = tmp_path / "a/videos/x.mkv"
    main(["record", str(tmp_path / "b"), "--camera", f"x={source}", "--pace", "fast", "--quiet"])
    first, second = ([read_number(i) for _, i in read_frames(p)] for p in (source, tmp_path / "b/videos/x.mkv"))
    assert first == second
    np.testing.assert_array_equal(np.diff(first), 1)
