"""A live run on a stage: frame sets handed in, exact detections, a clock that the test sets."""

import json
import socket
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest

from mv3d.capture.frames import SourceInfo
from mv3d.capture.live_camera import LiveCamera
from mv3d.capture.live_frames import FrameSet, LiveFrames, LiveFramesConfig
from mv3d.config import Config
from mv3d.data.skeletons import COCO_18
from mv3d.errors import ConfigError
from mv3d.live.browser import browser_address, show_in_browser
from mv3d.live.following import OnePerson
from mv3d.live.senders import UdpSender, WebSocketSender
from mv3d.synthetic.performer import standing_person
from mv3d.synthetic.rigs import camera_ring
from mv3d.viz.live_page import LivePage

SIZE, FPS, FRAMES = (320, 200), 10.0, 12
RIG = camera_ring(4, size=SIZE, focal=190.0, seed=3)
INFO = SourceInfo("image", SIZE, FPS)


class Clock:
    """Goes on by 10 ms whenever it is looked at."""

    now = 1000.0

    def __call__(self) -> float:
        self.now += 0.01
        return self.now


def staged_run(live_run, staged_estimator, truth, config: Config | None = None):
    clock = Clock()
    frames = LiveFrames([LiveCamera(c.name, INFO, 8, clock) for c in RIG], LiveFramesConfig(), clock)
    config = config or Config()
    follower = OnePerson(RIG, staged_estimator(RIG, truth, None), config)
    return *live_run(RIG, follower, frames, clock), clock


def frame_set(coded, frame: int, complete: float, without: int | None = None) -> FrameSet:
    images = tuple(None if v == without else coded(frame, v, SIZE) for v in range(len(RIG)))
    trouble = {} if without is None else {RIG.names[without]: "unplugged"}
    return FrameSet(frame / FPS, complete, images, np.zeros(len(RIG)), trouble)


def test_skeletons_come_out_and_a_camera_that_stops_is_named(live_run, staged_estimator, coded) -> None:
    truth = standing_person((0.0, 0.0), 0.5, FRAMES, fps=FPS, skeleton=COCO_18, seed=1)
    run, kept, clock = staged_run(live_run, staged_estimator, truth)
    for frame in range(FRAMES):
        run.take(frame_set(coded, frame, clock.now, 1 if 3 <= frame < 8 else None))
    assert [m["frame"] for m in kept.messages] == list(range(FRAMES))
    assert [bool(m["trouble"]) for m in kept.messages] == [3 <= frame < 8 for frame in range(FRAMES)]
    assert run.summary.without == {RIG.names[1]: 5}
    assert run.summary.with_people == FRAMES
    for frame, message in enumerate(kept.messages):
        (person,) = message["people"]
        for name, xyz in person["joints"].items():
            # The pictures are small: a px is 2.5 cm, and what moves while nothing is known is a px off.
            assert np.linalg.norm(np.array(xyz[:3]) - truth[frame, COCO_18.index(name)]) < 0.05


def test_the_first_set_is_looked_at_once_more_than_the_next(staged_estimator, coded) -> None:
    truth = standing_person((0.0, 0.0), 0.5, FRAMES, fps=FPS, skeleton=COCO_18, seed=1)
    estimator = staged_estimator(RIG, truth, None)
    follower = OnePerson(RIG, estimator, Config())
    for frame in range(2):
        follower.look([coded(frame, v, SIZE) for v in range(len(RIG))], frame / FPS)
    assert estimator.searched == [0]
    assert [frame for frame, _ in estimator.crops] == [0, 1]


def test_latency_counts_from_the_last_frame_of_the_set_also_with_a_lag(live_run, staged_estimator, coded) -> None:
    truth = standing_person((0.0, 0.0), 0.5, FRAMES, fps=FPS, skeleton=COCO_18, seed=1)
    config = Config()
    config = type(config)(reconstruct=_with_lag(config, 2))
    run, kept, clock = staged_run(live_run, staged_estimator, truth, config)
    completed = []
    for frame in range(6):
        completed.append(clock.now)
        run.take(frame_set(coded, frame, clock.now))
    # Three looks at the clock in a set: when it is begun, seen and done.
    assert kept.messages[0]["latency_ms"] == pytest.approx(30.0)
    assert not kept.messages[0]["people"]
    assert kept.messages[5]["time"] == pytest.approx(0.3)
    assert kept.messages[5]["latency_ms"] == pytest.approx(1e3 * (completed[5] + 0.03 - completed[3]))


def _with_lag(config: Config, lag: int):
    from dataclasses import replace

    return replace(config.reconstruct, causal=replace(config.reconstruct.causal, lag=lag))


def test_nobody_in_view_is_said(live_run, staged_estimator, coded) -> None:
    truth = standing_person((0.0, 0.0), 0.5, FRAMES, fps=FPS, skeleton=COCO_18, seed=1)
    run, kept, clock = staged_run(live_run, lambda *a: staged_estimator(*a, absent=frozenset(range(FRAMES))), truth)
    run.take(frame_set(coded, 0, clock.now))
    assert kept.messages[0]["people"] == []
    assert run.status.joints == 0
    assert run.summary.with_people == 0


@pytest.mark.parametrize("target", ["9000", "host:", "a:b", "127.0.0.1:70000"])
def test_targets_that_are_none(target: str) -> None:
    with pytest.raises(ConfigError, match="HOST:PORT"):
        UdpSender(target)


def test_a_datagram_holds_the_message() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as listener:
        listener.bind(("127.0.0.1", 0))
        listener.settimeout(5.0)
        sender = UdpSender(f"127.0.0.1:{listener.getsockname()[1]}")
        sender.send("x")
        assert listener.recv(100) == b"x\n"
        sender.close()


def test_a_listener_gets_the_newest_and_other_sites_none() -> None:
    client = pytest.importorskip("websockets.sync.client")
    exceptions = pytest.importorskip("websockets.exceptions")
    sender = WebSocketSender("127.0.0.1", 0)
    try:
        sender.send("old")
        sender.send("new")
        with client.connect(f"ws://127.0.0.1:{sender.port}", proxy=None) as connection:
            assert connection.recv(timeout=5) == "new"
        with pytest.raises(exceptions.InvalidStatus):
            client.connect(f"ws://127.0.0.1:{sender.port}", origin="https://example.org", proxy=None)
    finally:
        sender.close()


@pytest.mark.slow
def test_command_follows_files_and_records_every_frame(tmp_path: Path, coded) -> None:
    RIG.save(tmp_path / "cameras.yaml")
    cameras = []
    for v, camera in enumerate(RIG):
        folder = tmp_path / camera.name
        folder.mkdir()
        for frame in range(FRAMES):
            cv2.imwrite(str(folder / f"{frame:03d}.png"), coded(frame, v, SIZE))
        cameras += ["--camera", f"{camera.name}={folder}"]
    session, figures = tmp_path / "session", tmp_path / "figures.json"
    command = [sys.executable, "-m", "mv3d.cli", "live", "--rig", str(tmp_path / "cameras.yaml"), *cameras]
    done = subprocess.run(
        [*command, "--record", str(session), "--json", str(figures)], capture_output=True, text=True, timeout=300
    )
    assert done.returncode == 0, done.stderr
    found = json.loads(figures.read_text())
    assert found["sets"] >= 1
    assert found["with_people"] == 0
    from mv3d.files.video import probe_video

    assert [probe_video(session / "videos" / f"{c.name}.mkv").frame_count for c in RIG] == [FRAMES] * len(RIG)


@pytest.mark.parametrize(
    ("text", "address"),
    [("8080", ("127.0.0.1", 8080)), ("0.0.0.0:90", ("0.0.0.0", 90)), ("[::1]:8080", ("::1", 8080))],
)
def test_where_the_page_is(text: str, address: tuple[str, int]) -> None:
    assert browser_address(text) == address


@pytest.mark.parametrize("text", ["", "a", "localhost:", "70000", "0"])
def test_pages_that_are_nowhere(text: str) -> None:
    with pytest.raises(ConfigError, match="HOST:PORT"):
        browser_address(text)


class Files:
    """Reads nothing and is at its end."""

    active = False

    def start(self) -> float:
        return 0.0

    def stop(self) -> None:
        pass


def test_a_page_shows_what_was_found_and_ends_with_the_run(live_run, staged_estimator, coded, monkeypatch) -> None:
    pytest.importorskip("viser")
    truth = standing_person((0.0, 0.0), 0.5, FRAMES, fps=FPS, skeleton=COCO_18, seed=1)
    run, _, clock = staged_run(live_run, staged_estimator, truth)
    run.take(frame_set(coded, 0, clock.now))
    monkeypatch.setattr(run, "_feed", Files())
    pages = []
    show = LivePage.show
    monkeypatch.setattr(LivePage, "show", lambda page, content: (pages.append(content), show(page, content)))
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    show_in_browser(run, RIG, COCO_18, lambda _: False, None, ("127.0.0.1", port))
    assert len(pages) == 1
    assert pages[0].poses3d.xyz.shape[1] == 1
    assert len(pages[0].images) == len(RIG)
