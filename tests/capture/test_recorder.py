"""Simulated network cameras into a session: every frame with its number and its time, whatever goes wrong."""

import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import yaml

from mv3d.capture.addresses import CameraAddress
from mv3d.capture.frames import SourceSettings
from mv3d.capture.recorder import Recorder, RecorderConfig, open_recorder
from mv3d.capture.summary import Recorded
from mv3d.errors import CaptureError, SessionError
from mv3d.files.video import probe_video
from mv3d.synthetic.camera_server import CameraServer

Serve = Callable[..., CameraServer]
Numbers = Callable[[Path], np.ndarray]
# A stalled camera counts as lost after this, s; the simulated stall is longer.
CONFIG = RecorderConfig(SourceSettings(timeout=0.6))


def _until_frames(count: int) -> Callable[[Recorder], bool]:
    return lambda recorder: all(c.counts.written + c.counts.other_size >= count for c in recorder.cameras)


def _record(root: Path, cameras: dict[str, str], frames: int, config: RecorderConfig = CONFIG) -> Recorded:
    addresses = [CameraAddress(name, source) for name, source in cameras.items()]
    with open_recorder(root, addresses, config) as recorder:
        recorder.start()
        recorder.wait(30.0, _until_frames(frames))
        return recorder.stop()


def test_four_cameras_lose_nothing(tmp_path: Path, serve: Serve, numbers: Numbers) -> None:
    servers = {name: serve() for name in ("front", "left", "right", "back")}
    recorded = _record(tmp_path, {name: server.url for name, server in servers.items()}, 40)
    for camera in recorded.cameras:
        video = probe_video(tmp_path / "videos" / camera.file)
        seen = numbers(video.path)
        assert len(seen) == camera.frames >= 40
        np.testing.assert_array_equal(np.diff(seen), 1)
        # One clock: a frame sent later arrives later, by the sender's schedule up to the delays of this machine.
        sent = np.array([servers[camera.name].due(int(n)) for n in seen])
        assert np.median(np.abs((video.timestamps - sent) - np.median(video.timestamps - sent))) < 0.1
        assert camera.passed_through
        assert not camera.ended
        assert {camera.counts[k] for k in ("dropped", "damaged", "repeated", "reconnects")} == {0}
    assert recorded.notes == []
    assert not list(tmp_path.glob(".*"))


def test_session_yaml_tells_what_was_recorded(tmp_path: Path, serve: Serve) -> None:
    server = serve(login="me:pass/w@rd")
    url = server.url.replace("://", "://me:pass%2Fw%40rd@")
    (tmp_path / "session.yaml").write_text("subject: 7\n")
    _record(tmp_path, {"front": url}, 5)
    text = (tmp_path / "session.yaml").read_text()
    assert "pass" not in text.replace("passed_through", "")
    document = yaml.safe_load(text)
    assert document["subject"] == 7
    camera = document["recording"]["cameras"][0]
    assert document["recording"]["state"] == "finished"
    assert (camera["name"], camera["size"], camera["codec"]) == ("front", [128, 96], "mjpeg")
    assert camera["frames"] == probe_video(tmp_path / "videos" / "front.mkv").frame_count


@pytest.mark.parametrize("codec", ["h264", "ffv1"])
def test_encoded_on_the_way(tmp_path: Path, serve: Serve, numbers: Numbers, codec) -> None:
    recorded = _record(tmp_path, {"front": serve(fps=25.0).url}, 10, RecorderConfig(codec=codec))
    assert recorded.cameras[0].codec == codec
    np.testing.assert_array_equal(np.diff(numbers(tmp_path / "videos/front.mkv")), 1)


def test_device_times_are_preferred(tmp_path: Path, serve: Serve) -> None:
    recorded = _record(tmp_path, {"front": serve(timestamps=True).url}, 12)
    assert recorded.cameras[0].times == "device"
    steps = np.diff(probe_video(tmp_path / "videos/front.mkv").timestamps)
    # The schedule to the microseconds of the file, not the arrivals.
    np.testing.assert_allclose(steps, np.round(steps / 0.02) * 0.02, atol=3e-6)


@pytest.mark.parametrize(
    ("fault", "count", "lost"),
    [
        ("garbage", {"damaged": 1}, 1),
        ("truncated", {"damaged": 1}, 1),
        ("skip", {}, 1),
        ("repeat", {"repeated": 1}, 1),
        ("wrong-length", {}, 0),
        ("no-length", {}, 0),
    ],
)
def test_a_fault_costs_its_own_frame_only(tmp_path, serve: Serve, numbers: Numbers, fault, count, lost) -> None:
    faults: dict[int, str] = {}
    server = serve(faults=faults)
    addresses = [CameraAddress("front", server.url)]
    with open_recorder(tmp_path, addresses, CONFIG) as recorder:
        recorder.start()
        at = int((time.monotonic() - server.epoch) * 50) + 20
        faults[at] = fault
        recorder.wait(30.0, lambda r: time.monotonic() > server.due(at + 10))
        recorded = recorder.stop()
    seen = numbers(tmp_path / "videos/front.mkv")
    missing = sorted(set(range(seen[0], seen[-1] + 1)) - set(seen))
    assert missing == [at][:lost]
    for name, value in count.items():
        assert recorded.cameras[0].counts[name] == value


@pytest.mark.parametrize("fault", ["close", "stall"])
def test_a_lost_camera_comes_back_and_the_other_goes_on(tmp_path, serve: Serve, numbers: Numbers, fault) -> None:
    faults: dict[int, str] = {}
    bad, good = serve(faults=faults), serve()
    addresses = [CameraAddress("bad", bad.url), CameraAddress("good", good.url)]
    with open_recorder(tmp_path, addresses, CONFIG) as recorder:
        recorder.start()
        at = int((time.monotonic() - bad.epoch) * 50) + 10
        faults[at] = fault
        recorder.wait(30.0, lambda r: r.cameras[0].counts.reconnects == 1 and _more(r.cameras[0], 10))
        recorded = recorder.stop()
    assert [c.counts["reconnects"] for c in recorded.cameras] == [1, 0]
    seen = numbers(tmp_path / "videos/bad.mkv")
    assert at - 1 in seen
    assert seen[-1] > at
    np.testing.assert_array_equal(np.diff(numbers(tmp_path / "videos/good.mkv")), 1)


def _more(camera, count: int) -> bool:
    """Whether so many frames came since the camera is back."""
    camera.back_at = getattr(camera, "back_at", camera.counts.written)
    return camera.counts.written >= camera.back_at + count


def test_a_camera_that_dies_is_named(tmp_path: Path, serve: Serve, numbers: Numbers) -> None:
    dying, good = serve(), serve()
    addresses = [CameraAddress("dying", dying.url), CameraAddress("good", good.url)]
    with open_recorder(tmp_path, addresses, CONFIG) as recorder:
        recorder.start()
        recorder.wait(30.0, _until_frames(10))
        dying.close()
        recorder.wait(30.0, lambda r: r.cameras[0].state == "reconnecting" and r.cameras[1].counts.written > 60)
        recorded = recorder.stop()
    assert "127.0.0.1" in recorded.cameras[0].ended
    assert not recorded.cameras[1].ended
    assert yaml.safe_load((tmp_path / "session.yaml").read_text())["recording"]["cameras"][0]["ended"]
    for name in ("dying", "good"):
        np.testing.assert_array_equal(np.diff(numbers(tmp_path / f"videos/{name}.mkv")), 1)


def test_a_changed_size_goes_to_a_video_of_its_own(tmp_path: Path, serve: Serve, numbers: Numbers) -> None:
    faults: dict[int, str] = {}
    server = serve(faults=faults)
    with open_recorder(tmp_path, [CameraAddress("front", server.url)], CONFIG) as recorder:
        recorder.start()
        recorder.wait(30.0, _until_frames(5))
        faults[int((time.monotonic() - server.epoch) * 50) + 5] = "resize"
        recorder.wait(30.0, lambda r: r.cameras[0].counts.other_size >= 5)
        assert "160x128" in recorder.cameras[0].trouble
        recorded = recorder.stop()
    first, second = (numbers(tmp_path / name) for name in ("videos/front.mkv", "other_sizes/front_160x128.mkv"))
    np.testing.assert_array_equal(np.diff(np.concatenate([first, second])), 1)
    assert recorded.cameras[0].counts["other_size"] == len(second)
    assert probe_video(tmp_path / "other_sizes/front_160x128.mkv").timestamps[0] > 0


def test_a_slow_disk_is_seen(tmp_path: Path, serve: Serve, monkeypatch, numbers: Numbers) -> None:
    from mv3d.files.matroska import MatroskaWriter

    append = MatroskaWriter.append

    def slow(self, time_us, data, key=True):
        time.sleep(0.1)
        return append(self, time_us, data, key)

    monkeypatch.setattr(MatroskaWriter, "append", slow)
    recorded = _record(tmp_path, {"front": serve().url}, 10, RecorderConfig(queue_mb=0.02))
    camera = recorded.cameras[0]
    seen = numbers(tmp_path / "videos/front.mkv")
    assert camera.counts["dropped"] > 0
    assert len(seen) == camera.frames
    assert np.all(np.diff(seen) >= 1)


def test_files_are_recorded_as_fast_as_they_can_be_read(tmp_path: Path, serve: Serve, numbers: Numbers) -> None:
    _record(tmp_path / "a", {"front": serve().url}, 12)
    source = tmp_path / "a/videos/front.mkv"
    config = RecorderConfig(SourceSettings(pace="fast"), codec="ffv1")
    addresses = [CameraAddress("one", str(source)), CameraAddress("two", str(source.resolve()) + "")]
    with open_recorder(tmp_path / "b", addresses, config) as recorder:
        recorder.start()
        recorder.wait(None, lambda r: False)
        recorder.stop()
    wanted = probe_video(source)
    for name in ("one", "two"):
        video = probe_video(tmp_path / f"b/videos/{name}.mkv")
        np.testing.assert_array_equal(numbers(video.path), numbers(source))
        # The file's own times, in microseconds, from the common start.
        np.testing.assert_allclose(video.timestamps, wanted.timestamps - wanted.timestamps[0], atol=2e-6)


def test_no_two_recorders_in_one_session(tmp_path: Path, serve: Serve) -> None:
    addresses = [CameraAddress("front", serve().url)]
    again = open_recorder(tmp_path, addresses, CONFIG)
    with open_recorder(tmp_path, addresses, CONFIG), pytest.raises(SessionError, match="in use"), again:
        pass


def test_a_session_with_a_recording_is_not_touched(tmp_path: Path, serve: Serve) -> None:
    addresses = [CameraAddress("front", serve().url)]
    _record(tmp_path, {"front": addresses[0].source}, 2)
    before = (tmp_path / "videos/front.mkv").read_bytes()
    with pytest.raises(SessionError, match="not empty"), open_recorder(tmp_path, addresses, CONFIG):
        pass
    assert (tmp_path / "videos/front.mkv").read_bytes() == before
    with open_recorder(tmp_path, addresses, CONFIG, overwrite=True) as recorder:
        recorder.start()
        recorder.wait(30.0, _until_frames(2))
        recorder.stop()
    assert (tmp_path / "videos/front.mkv").read_bytes() != before


def test_one_camera_that_does_not_open_is_named_and_nothing_is_made(tmp_path: Path, serve: Serve) -> None:
    addresses = [CameraAddress("good", serve().url), CameraAddress("bad", "http://u:secret@127.0.0.1:9/x?token=abc")]
    opened = open_recorder(tmp_path, addresses, CONFIG)
    with pytest.raises(CaptureError, match=r"camera bad: .*cannot be reached") as caught, opened:
        pass
    assert "secret" not in str(caught.value)
    assert "abc" not in str(caught.value)
    assert not (tmp_path / "videos").exists()
