"""The window of a live run: its thumbnails, and what it draws."""

from dataclasses import replace

import numpy as np

from mv3d.viz.live_view import LiveContent, thumbnails
from mv3d.viz.people import skeleton_geometry
from mv3d.viz.scene import some_frames

_DRAW = """
import sys
from dataclasses import replace
import numpy as np
from mv3d.data.poses import Poses3D
from mv3d.data.rig import Rig
from mv3d.viz.live_view import LiveContent, LiveView
from mv3d.viz.renderer import SceneError, captured, hidden_window
from mv3d.viz.scene import some_frames
folder = sys.argv[1]
rig, poses = Rig.load(folder + "/cameras.yaml"), some_frames(Poses3D.load(folder + "/pose3d.npz"), 1)
nobody = replace(
    poses, xyz=np.full_like(poses.xyz, np.nan), state=np.zeros_like(poses.state), score=np.zeros_like(poses.score)
)
size, pictures = (640, 360), []
try:
    with hidden_window(size) as window:
        view = LiveView(window, rig, nobody, size)
        for shown in (nobody, poses, nobody):
            view.show(LiveContent([None] * len(rig), {}, shown, ("a line",)))
            pictures.append(captured(window, size))
except SceneError as error:
    sys.stderr.write(str(error))
    sys.exit(77)
np.savez(folder + "/pictures.npz", pictures=np.stack(pictures))
"""


def _colourful(picture: np.ndarray) -> int:
    """Pixels of a person's colours: the scene's and the text's are nearly grey."""
    upper = picture[: int(0.7 * len(picture))].astype(int)
    return int((np.ptp(upper, axis=-1) > 120).sum())


def test_people_come_and_go(drawn_by) -> None:
    before, there, after = drawn_by(_DRAW).arrays["pictures"]
    assert _colourful(there) > 500 + max(_colourful(before), _colourful(after))


def test_thumbnails_show_each_camera_and_say_where_one_has_no_image(scenario) -> None:
    rig, poses3d = scenario.rig, scenario.poses3d
    blue = np.zeros((640, 480, 3), np.uint8)
    blue[..., 0] = 255
    images = [blue if view else None for view in range(len(rig))]
    strip = thumbnails(rig, LiveContent(images, scenario.poses2d, poses3d, ()), (1280, 720))
    assert strip.shape[0] <= 0.26 * 720
    tile = strip.shape[1] // len(rig)
    bottoms = [strip[-4, (view * tile + tile // 8)] for view in range(len(rig))]
    assert [int(pixel[0]) > 200 for pixel in bottoms] == [view > 0 for view in range(len(rig))]


def test_a_persons_colours_are_those_of_the_number(scenario) -> None:
    """Who is first in a frame of a live run may be second in the next."""
    poses = some_frames(scenario.poses3d, 1)
    first, second = (skeleton_geometry(replace(poses, person_id=np.array([number])), 0).joint_rgb for number in (0, 1))
    assert (first != second).any()
