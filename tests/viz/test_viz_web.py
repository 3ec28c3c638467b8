"""The browser viewer, really served: what its page holds, who is let in, and what a client gets."""

import socket
import sys
import threading
import time
import urllib.request
from collections.abc import Iterator

import numpy as np
import pytest
import viser
from websockets.sync.client import connect

from mv3d.errors import Mv3dError
from mv3d.viz.content import content
from mv3d.viz.display import Display
from mv3d.viz.people import skeleton_geometry
from mv3d.viz.playback import frame_of
from mv3d.viz.web import WebError, serve
from mv3d.viz.web_page import WebPage
from mv3d.viz.web_shapes import turns_from_z, wxyz_of


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return probe.getsockname()[1]


@pytest.fixture
def page(scenario) -> Iterator[WebPage]:
    server = viser.ViserServer(host="127.0.0.1", port=_free_port(), verbose=False)
    try:
        yield WebPage(server, content(scenario.rig, scenario.poses3d, ghost=scenario.poses3d), Display())
    finally:
        server.stop()


def _matrix(wxyz: np.ndarray) -> np.ndarray:
    w, x, y, z = wxyz
    return np.array(
        [
            [1 - 2 * (y * y + z * z), 2 * (x * y - w * z), 2 * (x * z + w * y)],
            [2 * (x * y + w * z), 1 - 2 * (x * x + z * z), 2 * (y * z - w * x)],
            [2 * (x * z - w * y), 2 * (y * z + w * x), 1 - 2 * (x * x + y * y)],
        ]
    )


def test_quaternions_turn_as_the_matrices_do(scenario) -> None:
    half_turns = [np.diag(d).astype(float) for d in ((1, -1, -1), (-1, 1, -1), (-1, -1, 1))]
    for R in [np.eye(3), *half_turns, *(camera.R.T for camera in scenario.rig)]:
        np.testing.assert_allclose(_matrix(wxyz_of(R)), R, atol=1e-12)
    directions = np.array([[0, 0, 2.0], [0, 0, -1], [1, 0, 0], [0.3, -0.5, -0.8], [0, 0, 0]])
    turned = np.stack([_matrix(q) @ [0, 0, 1] for q in turns_from_z(directions)])
    np.testing.assert_allclose(turned[:4], directions[:4] / np.linalg.norm(directions[:4], axis=1)[:, None], atol=1e-9)
    np.testing.assert_allclose(turned[4], [0, 0, 1])


def test_the_page_holds_the_scene_of_the_window(page: WebPage, scenario) -> None:
    page._set(page._with(trails=True, ellipsoids=1.0))
    for frame in (2, 10):
        page.state = page.state.__class__(page.state.display, float(scenario.poses3d.timestamps[frame]), False)
        page.tick()
        wanted = skeleton_geometry(scenario.poses3d, frame, None, 0.3)
        count = len(wanted.joint_xyz)
        np.testing.assert_allclose(page._people._joints.batched_positions[:count], wanted.joint_xyz, atol=1e-6)
        # Joints that are missing in this frame are nowhere to be seen.
        assert (page._people._joints.batched_scales[count:] < 1e-5).all()
        # Cylinders begin at a joint and reach to the next.
        bones = page._people._bones
        ends = [
            p + s[2] * _matrix(q)[:, 2]
            for p, q, s in zip(bones.batched_positions, bones.batched_wxyzs, bones.batched_scales, strict=True)
        ]
        np.testing.assert_allclose(ends[: len(wanted.bones)], wanted.bones.segments[:, 1], atol=1e-5)
    assert page._slider.value == 10
    assert page._trails._handle.visible
    page._set(page._with(trails=False, cameras=False))
    page.tick()
    assert not page._trails._handle.visible
    assert not any(name.visible for name in page._names)


def test_the_page_plays_and_its_own_slider_does_not_stop_it(page: WebPage, scenario) -> None:
    page._clock -= 5.3 / 30
    page.tick()
    assert 5 <= frame_of(page.state, scenario.poses3d.timestamps) < 24
    assert page.state.is_playing


@pytest.fixture
def served(scenario) -> Iterator[int]:
    """A port at which the scene is served for a while."""
    port, said = _free_port(), threading.Event()
    shown = content(scenario.rig, scenario.poses3d)
    thread = threading.Thread(
        target=serve, args=(shown, Display()), kwargs={"port": port, "said": lambda _: said.set(), "seconds": 4.0}
    )
    thread.start()
    assert said.wait(20)
    yield port
    thread.join(20)
    assert not thread.is_alive()


def test_a_browser_gets_the_page_and_the_moving_scene(served: int) -> None:
    with urllib.request.urlopen(f"http://127.0.0.1:{served}", timeout=10) as answer:
        assert answer.status == 200
        assert b"<html" in answer.read().lower()
    received = 0
    with connect(f"ws://127.0.0.1:{served}", max_size=None, subprotocols=[_protocol()]) as client:
        end = time.monotonic() + 1.5
        while time.monotonic() < end:
            try:
                received += len(client.recv(timeout=0.2))
            except TimeoutError:
                continue
    # The skeleton's meshes alone are more; a page without a scene sends a few hundred bytes.
    assert received > 5_000


def _protocol() -> str:
    """viser refuses clients of another version than its own."""
    return f"viser-v{viser.__version__}"


@pytest.mark.skipif(sys.platform != "linux", reason="only there is all of 127.0.0.0/8 this computer")
def test_nobody_else_is_let_in(served: int) -> None:
    # Another address of this computer stands for another computer: a server that listens everywhere would answer.
    with pytest.raises(OSError, match="refused"):
        socket.create_connection(("127.0.0.2", served), timeout=2)


def test_a_port_that_is_taken_is_told(scenario) -> None:
    with (
        socket.create_server(("127.0.0.1", 0)) as taken,
        pytest.raises(WebError, match=r"cannot listen there.*try another --port") as caught,
    ):
        serve(content(scenario.rig, scenario.poses3d), Display(), port=taken.getsockname()[1])
    assert isinstance(caught.value, Mv3dError)
    with pytest.raises(WebError, match="--port is 70000"):
        serve(content(scenario.rig, scenario.poses3d), Display(), port=70000)


def test_without_viser_there_is_one_clear_line(scenario, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "viser", None)
    with pytest.raises(WebError, match=r"pip install mv3d\[web\]"):
        serve(content(scenario.rig, scenario.poses3d), Display())
