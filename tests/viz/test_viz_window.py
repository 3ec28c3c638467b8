import numpy as np
import pytest

from mv3d.viz import window as window_module
from mv3d.viz.window import Player

_SPACE, _RIGHT, _LEFT = 32, 262, 263


class _Meshes:
    """Stands in for Open3D's meshes: remembers which frame was shown last."""

    frame = 0

    def add_to(self, window: object) -> None: ...

    def move(self, window: object, scene: object, poses3d: object, frame: int) -> None:
        self.frame = frame


class _Window:
    """Stands in for Open3D's window: keeps what was registered, so that a test can press keys."""

    def __init__(self) -> None:
        self.keys: dict[int, object] = {}

    def register_key_callback(self, key: int, call: object) -> None:
        self.keys[key] = call

    def register_animation_callback(self, call: object) -> None:
        self.tick = call

    def run(self) -> None: ...

    def add_geometry(self, mesh: object) -> None: ...


@pytest.fixture
def playing(scenario, monkeypatch: pytest.MonkeyPatch):
    """A running player with a window and a clock that the test holds."""
    meshes, clock = _Meshes(), [100.0]
    monkeypatch.setattr(window_module, "open3d_geometries", lambda *_: meshes)
    monkeypatch.setattr(window_module, "_camera_names", lambda *_: [])
    monkeypatch.setattr(window_module, "look_from", lambda *_: None)
    monkeypatch.setattr(window_module.time, "monotonic", lambda: clock[0])
    window = _Window()
    Player(window, scenario.rig, scenario.poses3d).run()
    return window, meshes, clock


def test_it_plays_in_real_time_and_begins_again(playing, scenario) -> None:
    window, meshes, clock = playing
    clock[0] += 10.4 / 30
    assert window.tick(window)
    assert meshes.frame == 10
    assert not window.tick(window)  # nothing new to draw at the same moment
    clock[0] += 0.6  # past the end, in the pause
    window.tick(window)
    assert meshes.frame == len(scenario.poses3d) - 1
    clock[0] += 1.0
    window.tick(window)
    assert meshes.frame == 0


def test_space_stops_and_goes_on_from_there(playing) -> None:
    window, meshes, clock = playing
    clock[0] += 5.4 / 30
    window.tick(window)
    window.keys[_SPACE](window)
    clock[0] += 60
    assert not window.tick(window)
    assert meshes.frame == 5
    window.keys[_SPACE](window)
    clock[0] += 1.2 / 30
    window.tick(window)
    assert meshes.frame == 6


def test_arrows_step_and_wrap(playing, scenario) -> None:
    window, meshes, clock = playing
    window.keys[_RIGHT](window)
    assert meshes.frame == 1
    window.keys[_LEFT](window)
    window.keys[_LEFT](window)
    assert meshes.frame == len(scenario.poses3d) - 1
    clock[0] += 1
    assert not window.tick(window)  # stepping stopped it


def test_the_names_stand_above_their_cameras(scenario) -> None:
    pytest.importorskip("open3d", reason="Open3D cannot be loaded here", exc_type=ImportError)
    from mv3d.viz.scene import scene_geometry
    from mv3d.viz.viewpoint import default_viewpoint

    scene = scene_geometry(scenario.rig, scenario.poses3d)
    view = default_viewpoint(scene, (640, 360))
    meshes = window_module._camera_names(scene, view)
    assert len(meshes) == 4
    right, down, forward = view.eye_from_world[:3, :3]
    for mesh, at in zip(meshes, scene.camera_xyz, strict=True):
        offset = np.asarray(mesh.vertices) - at
        np.testing.assert_allclose(offset @ forward, 0, atol=1e-9)
        assert abs((offset @ right).min() + (offset @ right).max()) < 1e-6
        assert (offset @ down).max() < 1e-6
        assert np.ptp(offset @ down) == pytest.approx(0.12)
