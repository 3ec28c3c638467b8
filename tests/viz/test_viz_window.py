"""The window: keys and clock of its player with stand-ins, and the real thing, hidden, in a process of its own."""

from pathlib import Path

import cv2
import numpy as np
import pytest

from mv3d.files.video import probe_video
from mv3d.viz import window as window_module
from mv3d.viz.content import content
from mv3d.viz.display import Display
from mv3d.viz.scene import scene_geometry
from mv3d.viz.viewpoint import Viewpoint, default_viewpoint
from mv3d.viz.window import Player
from mv3d.viz.window_texts import camera_names, plate_corners

_SPACE, _RIGHT = 32, 262


class _Scene:
    """Stands in for what Open3D draws: remembers what was shown last."""

    frame, display = -1, Display()

    def __init__(self, *_: object) -> None: ...

    def show(self, frame: int, display: Display) -> None:
        _Scene.frame, _Scene.display = frame, display


class _Window:
    """Stands in for Open3D's window: keeps what was registered, so that a test can press keys."""

    def __init__(self) -> None:
        self.keys: dict[int, object] = {}
        self.film_until = -1

    def register_key_callback(self, key: int, call: object) -> None:
        self.keys[key] = call

    def register_animation_callback(self, call: object) -> None:
        self.tick = call

    def capture_screen_float_buffer(self, _: bool) -> np.ndarray:
        return np.full((16, 32, 3), (1.0, 0.0, 0.0), np.float32)

    def poll_events(self) -> None:
        if _Scene.frame == self.film_until:
            self.keys[ord("V")](self)


class _Texts:
    def __init__(self, *_: object) -> None: ...

    def show(self, left: np.ndarray | None, right: np.ndarray | None) -> None:
        _Texts.help = right


@pytest.fixture
def playing(scenario, monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    """A started player with a window and a clock that the test holds."""
    clock = [100.0]
    for name, stand_in in (("Open3dScene", _Scene), ("Texts", _Texts), ("camera_names", lambda *_: [])):
        monkeypatch.setattr(window_module, name, stand_in)
    monkeypatch.setattr(window_module, "look_from", lambda *_: None)
    monkeypatch.setattr(window_module.time, "monotonic", lambda: clock[0])
    window = _Window()
    player = Player(window, content(scenario.rig, scenario.poses3d), Display(), tmp_path)
    player.start()
    return player, window, clock


def test_it_plays_in_real_time(playing) -> None:
    _, window, clock = playing
    clock[0] += 10.4 / 30
    assert window.tick(window)
    assert _Scene.frame == 10
    assert not window.tick(window)  # nothing new to draw at the same moment


def test_every_key_of_the_help_is_listened_to(playing) -> None:
    from mv3d.viz.playback import HELP

    _, window, _ = playing
    named = {**window_module._NAMED_KEYS, **{chr(c).lower(): c for c in range(33, 97)}}
    keys = {key for keys, _ in HELP for key in keys.replace("1 to 9", "1, 9").split(", ")}
    # q is Open3D's own.
    assert keys - {"q"} <= set(named)
    assert {named[key] for key in keys - {"q"}} <= set(window.keys)


def test_keys_reach_the_scene(playing) -> None:
    _, window, clock = playing
    window.keys[_SPACE](window)
    clock[0] += 60
    assert not window.tick(window)
    window.keys[_RIGHT](window)
    assert _Scene.frame == 1
    assert window.keys[ord("T")](window)
    assert _Scene.display.trails
    window.keys[ord("H")](window)
    assert _Texts.help is not None


def test_pictures_and_videos_are_numbered_and_told(playing, tmp_path: Path) -> None:
    player, window, _ = playing
    for _ in range(2):
        window.keys[ord("S")](window)
    window.keys[_RIGHT](window)
    window.keys[ord("V")](window)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["view_001.mp4", "view_001.png", "view_002.png"]
    assert probe_video(tmp_path / "view_001.mp4").frame_count == 24
    assert _Scene.frame == 1  # the window is where it was
    assert player._message == "saved view_001.mp4"


def test_filming_ends_when_the_key_is_pressed_again(playing, tmp_path: Path) -> None:
    _, window, _ = playing
    window.film_until = 6
    window.keys[ord("V")](window)
    assert probe_video(tmp_path / "view_001.mp4").frame_count == 7


def test_a_folder_that_takes_no_files_is_told_in_the_window(playing, tmp_path: Path) -> None:
    player, window, _ = playing
    player._folder = tmp_path / "file" / "x"
    (tmp_path / "file").write_text("")
    window.keys[ord("S")](window)
    assert "cannot be written" in player._message


def test_plates_lie_in_the_corners_of_the_picture() -> None:
    eye = Viewpoint(np.array([1.0, 2.0, 3.0]), np.array([0.0, 0.5, 1.0]), np.array([0.0, 0.0, 1.0]), (640, 360))
    for side, left in (("left", 8), ("right", 640 - 8 - 100)):
        xy = eye.project(plate_corners(eye, (100, 50), side)) + 0.5
        np.testing.assert_allclose(xy, [[left, 8], [left + 100, 8], [left + 100, 58], [left, 58]], atol=1e-6)


def test_the_names_stand_above_their_cameras(scenario) -> None:
    pytest.importorskip("open3d", reason="Open3D cannot be loaded here", exc_type=ImportError)
    scene = scene_geometry(scenario.rig, scenario.poses3d)
    view = default_viewpoint(scene, (640, 360))
    meshes = camera_names(scene, view)
    assert len(meshes) == 4
    right, down, forward = view.eye_from_world[:3, :3]
    for mesh, at in zip(meshes, scene.camera_xyz, strict=True):
        offset = np.asarray(mesh.vertices) - at
        np.testing.assert_allclose(offset @ forward, 0, atol=1e-9)
        assert abs((offset @ right).min() + (offset @ right).max()) < 1e-6
        assert (offset @ down).max() < 1e-6
        assert np.ptp(offset @ down) == pytest.approx(0.12)


_RUN = """
import sys
from pathlib import Path
import numpy as np
from mv3d.data.poses import Poses3D
from mv3d.data.rig import Rig
from mv3d.viz.content import content
from mv3d.viz.display import Display
from mv3d.viz.renderer import open3d, quiet_start, style_window
from mv3d.viz.window import Player
folder = Path(sys.argv[1])
shown = content(Rig.load(folder / "cameras.yaml"), Poses3D.load(folder / "pose3d.npz"))
window = open3d().visualization.VisualizerWithKeyCallback()
with quiet_start():
    opened = window.create_window(width=1280, height=720, visible=False)
if not opened or window.get_render_option() is None:
    sys.exit(77)
style_window(window)
player = Player(window, shown, Display(), folder)
player.start()
pictures = {}
for name, key in (("start", "space"), ("step", "right"), ("help", "h"), ("trails", "t"), ("through", "2")):
    player.press(key)
    window.poll_events()
    pictures[name] = np.rint(255 * np.asarray(window.capture_screen_float_buffer(True))).astype(np.uint8)
player._picture()
player._video()
window.poll_events()
pictures["after"] = np.rint(255 * np.asarray(window.capture_screen_float_buffer(True))).astype(np.uint8)
np.savez(folder / "pictures.npz", **pictures)
"""


@pytest.fixture(scope="module")
def hidden(drawn_by):
    """Pictures of the real window, which nobody sees, after some keys."""
    drawn = drawn_by(_RUN)
    return drawn.folder, {name: picture.astype(int) for name, picture in drawn.arrays.items()}


def test_text_is_in_the_corners_of_the_real_window(hidden) -> None:
    _, pictures = hidden
    # The status plate has dark letters on white; the help appears on the right, and only when asked for.
    assert (pictures["start"][8:40, 8:200].min(-1) < 90).sum() > 50
    right = (slice(8, 350), slice(1000, 1272))
    assert (pictures["help"][right] != pictures["step"][right]).any(-1).mean() > 0.5
    assert (pictures["help"][right].min(-1) < 120).sum() > 500


def test_keys_change_the_real_picture(hidden, scenario_of) -> None:
    _, pictures = hidden
    below = slice(360, 720)
    assert (pictures["step"] != pictures["start"]).any()
    # Through a camera its pyramid and all others are gone, and the person is somewhere else.
    assert (pictures["through"][below] != pictures["trails"][below]).any(-1).mean() > 0.05


def test_the_real_window_writes_pictures_and_videos(hidden) -> None:
    folder, pictures = hidden
    saved = cv2.imread(str(folder / "view_001.png"))
    np.testing.assert_allclose(saved[..., ::-1].astype(int), pictures["through"], atol=1)
    assert probe_video(folder / "view_001.mp4").frame_count == 8
    # The window is where it was before it was filmed, but for the message.
    assert (np.abs(pictures["after"][360:] - pictures["through"][360:]) > 2).mean() < 0.001
