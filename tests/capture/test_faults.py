"""A recording that is killed, and one that fills its disk: every frame that was written is read back."""

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
import yaml

from mv3d.capture.addresses import CameraAddress
from mv3d.capture.frames import SourceSettings
from mv3d.capture.recorder import RecorderConfig, open_recorder
from mv3d.cli import main
from mv3d.errors import SessionError
from mv3d.files.matroska_index import scan_matroska
from mv3d.files.sessions import find_sources
from mv3d.files.video import probe_video
from mv3d.synthetic.camera_server import CameraServer

Serve = Callable[..., CameraServer]
Numbers = Callable[[Path], np.ndarray]
CONFIG = RecorderConfig(SourceSettings(timeout=1.0))


def _start(root: Path, servers: list[CameraServer], *more: str) -> subprocess.Popen:
    cameras = [text for i, s in enumerate(servers) for text in ("--camera", f"cam{i}={s.url}")]
    command = [sys.executable, "-m", "mv3d.cli", "record", str(root), *cameras, "--quiet", *more]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def _wait_for_frames(root: Path, names: list[str], count: int) -> None:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        paths = [root / f"videos/{name}.mkv" for name in names]
        if all(p.exists() and p.stat().st_size and len(scan_matroska(p).times_us) >= count for p in paths):
            return
        time.sleep(0.05)
    raise AssertionError("no frames came")


def test_killed(tmp_path: Path, serve: Serve, numbers: Numbers, capsys: pytest.CaptureFixture[str]) -> None:
    servers = [serve(), serve()]
    process = _start(tmp_path, servers)
    try:
        _wait_for_frames(tmp_path, ["cam0", "cam1"], 25)
    finally:
        process.send_signal(signal.SIGKILL)
        process.wait()
    before = {name: scan_matroska(tmp_path / f"videos/{name}.mkv") for name in ("cam0", "cam1")}
    assert not any(found.finished for found in before.values())
    main(["session", "repair", str(tmp_path)])
    for name, found in before.items():
        path = tmp_path / f"videos/{name}.mkv"
        seen = numbers(path)
        assert len(seen) == len(found.times_us) >= 25
        # In a row: none was lost before the kill either.
        np.testing.assert_array_equal(np.diff(seen), 1)
        np.testing.assert_allclose(probe_video(path).timestamps, found.times_us / 1e6, atol=1e-6)
    document = yaml.safe_load((tmp_path / "session.yaml").read_text())
    assert document["recording"]["state"] == "repaired"
    assert not list(tmp_path.glob(".*.reserve"))
    capsys.readouterr()
    main(["session", "repair", str(tmp_path)])
    assert capsys.readouterr().out.count("nothing to do") == 2
    main(["session", "info", str(tmp_path)])
    assert re.search(r"cam0: 128x96, \d+ frames at [\d.]+ fps, \d+ missing", capsys.readouterr().out)


@pytest.mark.skipif(os.name != "posix", reason="signals of POSIX")
def test_terminated_is_stopped_well(tmp_path: Path, serve: Serve, numbers: Numbers) -> None:
    process = _start(tmp_path, [serve()])
    _wait_for_frames(tmp_path, ["cam0"], 5)
    process.terminate()
    assert process.wait(30) == 0, process.stderr.read() if process.stderr else ""
    assert yaml.safe_load((tmp_path / "session.yaml").read_text())["recording"]["state"] == "finished"
    np.testing.assert_array_equal(np.diff(numbers(tmp_path / "videos/cam0.mkv")), 1)


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 3 MB, where one can be mounted."""
    where = tmp_path / "disk"
    where.mkdir()
    made = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=3m", "tmpfs", str(where)], capture_output=True)
    if made.returncode:
        pytest.skip("mounting is not allowed here; test_a_file_that_may_not_grow stands in")
    yield where
    subprocess.run(["umount", "-l", str(where)], check=True, capture_output=True)


def test_full_disk(small_disk: Path, serve: Serve, numbers: Numbers, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mv3d.capture.recorder.check_output_folder", lambda root: None)
    addresses = [CameraAddress(name, serve().url) for name in ("one", "two")]
    root = small_disk / "session"
    with open_recorder(root, addresses, CONFIG) as recorder:
        recorder.start()
        recorder.wait(60.0, lambda r: False)
        assert [c.state for c in recorder.cameras] == ["failed", "failed"]
        written = [c.counts.written for c in recorder.cameras]
        recorded = recorder.stop()
    assert all("the disk is full" in c.ended for c in recorded.cameras)
    assert recorded.notes == []
    for camera, count in zip(recorded.cameras, written, strict=True):
        seen = numbers(root / "videos" / camera.file)
        assert camera.frames == len(seen) >= count > 10
        np.testing.assert_array_equal(np.diff(seen), 1)
        assert len(probe_video(root / "videos" / camera.file).timestamps) == len(seen)
    assert yaml.safe_load((root / "session.yaml").read_text())["recording"]["state"] == "finished"


def test_no_room_from_the_start(small_disk: Path, serve: Serve) -> None:
    opened = open_recorder(small_disk / "session", [CameraAddress("one", serve().url)], CONFIG)
    with pytest.raises(SessionError, match="MB free, 20 MB are needed"), opened:
        pass


@pytest.mark.skipif(os.name != "posix", reason="limits of POSIX")
def test_a_file_that_may_not_grow(tmp_path: Path, serve: Serve, numbers: Numbers) -> None:
    """A limit on the size of files ends one write in the middle, as a full disk does."""
    limit = "import resource, sys; resource.setrlimit(resource.RLIMIT_FSIZE, (2_100_000, 2_100_000))"
    run = "import signal; signal.signal(signal.SIGXFSZ, signal.SIG_IGN); from mv3d.cli import main; main(sys.argv[1:])"
    url = serve(fps=400.0).url
    command = [sys.executable, "-c", f"{limit}; {run}", "record", str(tmp_path / "s"), "--camera", f"cam={url}"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert done.returncode == 1
    last = done.stderr.splitlines()[-1]
    assert last.startswith("mv3d: error: ")
    assert "cam.mkv: cannot be written" in last
    path = find_sources(tmp_path / "s/videos")["cam"]
    scanned = scan_matroska(path)
    assert scanned.torn_bytes == 0
    seen = numbers(path)
    assert len(seen) == len(scanned.times_us) == len(probe_video(path).timestamps)
    assert str(len(seen)) in last


def test_nothing_to_repair(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["session", "repair", str(tmp_path)])
    assert "nothing to repair" in capsys.readouterr().err
