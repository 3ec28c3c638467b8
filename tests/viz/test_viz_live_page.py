"""A live run's page, really served: people of any number, the floor around the first, thumbnails and text."""

import socket
from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pytest
import viser

from mv3d.data.poses import Poses3D
from mv3d.viz.live_page import LivePage
from mv3d.viz.live_view import LiveContent
from mv3d.viz.people import skeleton_geometry
from mv3d.viz.scene import some_frames


def several(poses: Poses3D, people: int) -> Poses3D:
    """One frame of so many times the same person."""
    one = some_frames(poses, 1)
    names = ("xyz", "score", "reprojection_error", "n_views", "covariance", "state", "xyz_per_frame")
    copies = {name: np.repeat(getattr(one, name)[:, :1], people, axis=1) for name in names}
    return replace(one, **copies, person_id=np.arange(people))


@pytest.fixture
def page(scenario) -> Iterator[LivePage]:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    server = viser.ViserServer(host="127.0.0.1", port=port, verbose=False)
    try:
        yield LivePage(server, scenario.rig, several(scenario.poses3d, 0))
    finally:
        server.stop()


def shown(page: LivePage) -> np.ndarray:
    """Where joints are drawn, m."""
    joints = page._people._joints
    return joints.batched_positions[joints.batched_scales[:, 0] > 1e-5]


def test_people_come_and_go_and_there_is_room_for_all(page: LivePage, scenario) -> None:
    nothing = [None] * len(scenario.rig)
    for people in (0, 1, 9, 2, 0):
        poses = several(scenario.poses3d, people)
        page.show(LiveContent(nothing, {}, poses, ("a line",), ("a camera: unplugged",)))
        np.testing.assert_allclose(shown(page), skeleton_geometry(poses, 0).joint_xyz, atol=1e-6)
    assert page._text.content == "a line\n\n**a camera: unplugged**"


def test_the_floor_is_drawn_anew_around_the_first_people(page: LivePage, scenario) -> None:
    poses = several(scenario.poses3d, 1)
    away = replace(poses, xyz=poses.xyz + np.array([7.0, 0.0, 0.0]))
    page.show(LiveContent([None] * len(scenario.rig), {}, away, ()))
    before = page._fixed._handle.points.copy()
    page.show(LiveContent([None] * len(scenario.rig), {}, poses, ()))
    np.testing.assert_array_equal(page._fixed._handle.points, before)
    middle = np.nanmean(away.xyz[0, 0], axis=0)
    assert np.linalg.norm(page._scene.extent.mean(0) - middle) < 1.0


def test_each_camera_has_a_thumbnail_in_rows_of_two(page: LivePage, scenario) -> None:
    red = [np.zeros((c.size[1], c.size[0], 3), np.uint8) for c in scenario.rig]
    for image in red:
        image[..., 2] = 200
    for images in (red, [None] * len(red), red):
        page.show(LiveContent(images, {}, several(scenario.poses3d, 1), ()))
    assert len(page._rows) == (len(scenario.rig) + 1) // 2
    # RGB, where the images are BGR.
    assert np.median(page._rows[0].image.reshape(-1, 3), axis=0).tolist() == [200, 0, 0]
