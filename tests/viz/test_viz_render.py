"""Open3D draws in processes of their own: a graphics driver that fails may take its process with it."""

import sys
from pathlib import Path

import numpy as np
import pytest

from mv3d.data.poses import FILLED
from mv3d.errors import Mv3dError
from mv3d.viz.content import content
from mv3d.viz.display import Display
from mv3d.viz.renderer import SceneError, has_display
from mv3d.viz.scene import scene_geometry
from mv3d.viz.viewpoint import default_viewpoint
from mv3d.viz.window import show

_SIZE = (640, 360)
_RENDER = """
import sys
import numpy as np
from mv3d.data.poses import Poses3D
from mv3d.data.rig import Rig
from mv3d.viz.content import content
from mv3d.viz.display import Display
from mv3d.viz.renderer import SceneError
from mv3d.viz.viewer import render_scene
folder = sys.argv[1]
rig, poses = Rig.load(folder + "/cameras.yaml"), Poses3D.load(folder + "/pose3d.npz")
try:
    pictures = list(render_scene(rig, poses, (640, 360)))
    turning = list(render_scene(rig, poses, (640, 360), 90.0))
except SceneError as error:
    sys.stderr.write(str(error))
    sys.exit(77)
np.savez(folder + "/pictures.npz", pictures=np.stack(pictures), turning=np.stack(turning))
"""


@pytest.fixture(scope="module")
def rendered(drawn_by):
    """A scenario of 8 frames, its pictures, and those of an eye that walks around; all from one subprocess."""
    drawn = drawn_by(_RENDER)
    return drawn.scenario, drawn.arrays["pictures"], drawn.arrays["turning"], drawn.said


def _color_at(picture: np.ndarray, xy: np.ndarray) -> np.ndarray:
    """Median RGB around a point."""
    x, y = np.rint(xy).astype(int)
    return np.median(picture[y - 1 : y + 2, x - 1 : x + 2].reshape(-1, 3), axis=0)[::-1]


def test_joints_are_drawn_where_the_viewpoint_projects_them(rendered) -> None:
    scenario, pictures, _, _ = rendered
    poses = scenario.poses3d
    view = default_viewpoint(scene_geometry(scenario.rig, poses), _SIZE)
    assert pictures.shape == (8, 360, 640, 3)
    for frame in (0, 7):
        for joint in ("Shoulder", "Knee", "Ankle"):
            left, right = (poses.xyz[frame, 0, poses.skeleton.index(side + joint)] for side in "LR")
            left_rgb, right_rgb = (
                _color_at(pictures[frame], view.project(left)),
                _color_at(pictures[frame], view.project(right)),
            )
            assert left_rgb[2] > left_rgb[0] + 60, (frame, joint)  # blue
            assert right_rgb[0] > right_rgb[2] + 60, (frame, joint)  # vermilion


def test_a_filled_forearm_is_pale(rendered) -> None:
    scenario, pictures, _, _ = rendered
    poses = scenario.poses3d
    wrist = poses.skeleton.index("LWrist")
    assert poses.state[5, 0, wrist] == FILLED
    view = default_viewpoint(scene_geometry(scenario.rig, poses), _SIZE)
    measured, filled = (_color_at(pictures[f], view.project(poses.xyz[f, 0, wrist])) for f in (0, 5))
    assert filled.mean() > measured.mean() + 40


def test_the_figure_moves_on_a_light_background(rendered) -> None:
    _, pictures, turning, _ = rendered
    assert (pictures[0] != pictures[7]).any()
    assert np.median(pictures[0]) > 230
    # The eye that walks around changes the floor and the cameras too, not only the figure.
    assert (turning[0] != turning[7]).mean() > 2 * (pictures[0] != pictures[7]).mean()


def test_starting_is_quiet(rendered) -> None:
    assert "XDG_RUNTIME_DIR" not in rendered[3]
    assert "Open3D" not in rendered[3]


@pytest.mark.skipif(sys.platform != "linux", reason="only there does a variable tell whether there is a display")
def test_show_without_a_display_says_what_to_do(scenario, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("DISPLAY", "WAYLAND_DISPLAY"):
        monkeypatch.delenv(name, raising=False)
    assert not has_display()
    with pytest.raises(SceneError, match=r"no display.*scene\.mp4") as caught:
        show(content(scenario.rig, scenario.poses3d), Display(), Path())
    assert isinstance(caught.value, Mv3dError)
    assert "\n" not in str(caught.value)


def test_without_open3d_there_is_one_clear_line(scenario, monkeypatch: pytest.MonkeyPatch) -> None:
    from mv3d.viz.viewer import render_scene

    monkeypatch.setitem(sys.modules, "open3d", None)
    with pytest.raises(SceneError, match="Open3D cannot be loaded") as caught:
        next(render_scene(scenario.rig, scenario.poses3d))
    assert "\n" not in str(caught.value)
