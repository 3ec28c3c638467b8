from dataclasses import replace

import numpy as np
import pytest

from mv3d.data.camera import Camera
from mv3d.data.lens import Fisheye
from mv3d.data.poses import FILLED, MISSING
from mv3d.data.rig import Rig
from mv3d.data.skeletons import BODY_25, COCO_18, HAND_21
from mv3d.geometry.rotations import look_along, rotation_from_vector
from mv3d.viz.body import facing_direction, foot_height, up_direction
from mv3d.viz.colors import BACKGROUND, PAPER
from mv3d.viz.content import content
from mv3d.viz.display import Display
from mv3d.viz.frame_meshes import fixed_lines
from mv3d.viz.people import skeleton_geometry
from mv3d.viz.scene import camera_frusta, scene_geometry
from mv3d.viz.viewpoint import default_viewpoint


def _nobody(poses3d, people: int = 1):
    shape = (len(poses3d), people, len(poses3d.skeleton))
    return replace(
        poses3d,
        xyz=np.full((*shape, 3), np.nan),
        xyz_per_frame=np.full((*shape, 3), np.nan),
        score=np.zeros(shape),
        state=np.zeros(shape),
        n_views=np.zeros(shape),
        reprojection_error=np.full(shape, np.nan),
        covariance=np.full((*shape, 3, 3), np.nan),
        person_id=np.arange(people),
    )


def _moved(scenario, R: np.ndarray, t: np.ndarray):
    """The same rig and people in a world that was turned and shifted."""
    cameras = tuple(Camera(c.name, c.size, c.lens, c.R @ R.T, c.t - c.R @ R.T @ t) for c in scenario.rig)
    poses = replace(
        scenario.poses3d, xyz=scenario.poses3d.xyz @ R.T + t, xyz_per_frame=scenario.poses3d.xyz_per_frame @ R.T + t
    )
    return Rig(cameras), poses


@pytest.mark.parametrize("skeleton", [COCO_18, BODY_25], ids=lambda s: s.name)
def test_joints_and_bones_are_where_the_skeleton_is(scenario_of, skeleton) -> None:
    poses = scenario_of(skeleton).poses3d
    geometry = skeleton_geometry(poses, 0)
    np.testing.assert_array_equal(geometry.joint_xyz, poses.xyz[0, 0])
    a, b = np.array(skeleton.bones).T
    np.testing.assert_array_equal(geometry.bones.segments, np.stack([poses.xyz[0, 0, a], poses.xyz[0, 0, b]], axis=1))
    assert (geometry.joint_radius > 0).all()


def test_colors_follow_the_side_and_filled_is_paler(scenario) -> None:
    left, right = (BODY_25.index(name) for name in ("LWrist", "RWrist"))
    measured, filled = (skeleton_geometry(scenario.poses3d, frame) for frame in (0, 6))
    assert scenario.poses3d.state[6, 0, left] == FILLED
    np.testing.assert_allclose(measured.joint_rgb[left] * 255, PAPER.left)
    np.testing.assert_allclose(measured.joint_rgb[right] * 255, PAPER.right)

    def to_background(rgb: np.ndarray) -> float:
        return float(np.abs(rgb - BACKGROUND).sum())

    assert to_background(filled.joint_rgb[left]) < 0.5 * to_background(measured.joint_rgb[left])
    forearm = BODY_25.bones.index((BODY_25.index("LElbow"), left))
    assert to_background(filled.bones.rgb[forearm]) < 0.5 * to_background(measured.bones.rgb[forearm])


def test_a_missing_joint_leaves_no_geometry(scenario) -> None:
    wrist = BODY_25.index("RWrist")
    assert scenario.poses3d.state[2, 0, wrist] == MISSING
    geometry = skeleton_geometry(scenario.poses3d, 2)
    assert len(geometry.joint_xyz) == 24
    assert len(geometry.bones.segments) == len(BODY_25.bones) - sum(wrist in bone for bone in BODY_25.bones)
    mesh = geometry.mesh()
    assert np.isfinite(mesh.vertices).all()
    assert np.isfinite(geometry.bones.segments).all()


@pytest.mark.parametrize("people", [0, 1, 2])
def test_nobody_leaves_nothing(scenario, people: int) -> None:
    poses = _nobody(scenario.poses3d, people)
    geometry = skeleton_geometry(poses, 0)
    assert geometry.joint_xyz.shape == (0, 3)
    assert geometry.mesh().triangles.shape == (0, 3)
    scene = scene_geometry(scenario.rig, poses)
    assert np.isfinite(fixed_lines(content(scenario.rig, poses), scene, Display()).segments).all()
    assert np.isfinite(default_viewpoint(scene, (640, 360)).eye_from_world).all()


def test_everyone_is_drawn(scenario) -> None:
    one = scenario.poses3d
    fields = ("xyz", "xyz_per_frame", "score", "state", "n_views", "reprojection_error", "covariance")
    two = replace(one, **{f: np.repeat(getattr(one, f), 2, axis=1) for f in fields}, person_id=np.arange(2))
    assert len(skeleton_geometry(two, 0).joint_xyz) == 2 * len(skeleton_geometry(one, 0).joint_xyz)


def test_the_floor_is_the_world_s_where_the_feet_are_near_it(scenario) -> None:
    scene = scene_geometry(scenario.rig, scenario.poses3d)
    assert scene.floor_height == 0
    assert scene.note == ""
    np.testing.assert_allclose(scene.grid.segments[..., 2], 0, atol=1e-12)
    np.testing.assert_array_equal(scene.up, [0, 0, 1])
    # The figure stays within 0.6 m of the origin; there must be floor all around it.
    assert (scene.grid.segments[..., :2].min((0, 1)) < -1).all()
    assert (scene.grid.segments[..., :2].max((0, 1)) > 1).all()


def test_the_floor_goes_to_feet_that_are_far_from_it_and_says_so(scenario) -> None:
    rig, poses = _moved(scenario, np.eye(3), np.array([0.5, -2.0, 1.25]))
    scene = scene_geometry(rig, poses)
    lowest = foot_height(poses, scene.up)
    # The soles swing up from 1.27 m; the percentile may lie a little above the lowest.
    assert lowest == pytest.approx(1.27, abs=0.03)
    np.testing.assert_allclose(scene.grid.segments[..., 2], lowest, atol=1e-12)
    assert "floor drawn at the feet (+1.2" in scene.note


@pytest.mark.parametrize("axis", [0, 1])
def test_up_is_found_in_a_world_that_was_never_aligned(scenario, axis: int) -> None:
    R = rotation_from_vector(np.eye(3)[axis] * np.deg2rad(100.0))
    rig, poses = _moved(scenario, R, np.array([1.0, 2, 3]))
    up = up_direction(rig, poses)
    # The figure's trunk is upright; only its joints' swing could tilt it.
    np.testing.assert_allclose(up, R @ [0, 0, 1], atol=0.02)
    scene = scene_geometry(rig, poses)
    assert "z is not up" in scene.note
    np.testing.assert_allclose(scene.grid.segments @ up, scene.floor_height, atol=1e-9)
    view = default_viewpoint(scene, (640, 360))
    head, foot = view.project(poses.xyz[0, 0, list(BODY_25.indices(("Nose", "LHeel")))])
    assert head[1] < foot[1]


def test_lying_down_does_not_turn_the_world(scenario) -> None:
    R = rotation_from_vector(np.array([np.pi / 2, 0, 0]))
    lying = replace(scenario.poses3d, xyz=scenario.poses3d.xyz @ R.T)
    np.testing.assert_array_equal(up_direction(scenario.rig, lying), [0, 0, 1])


def test_facing_is_where_the_figure_looks(scenario) -> None:
    up = np.array([0.0, 0, 1])
    np.testing.assert_allclose(facing_direction(scenario.poses3d, up), [1, 0, 0], atol=1e-9)
    R = rotation_from_vector(np.array([0, 0, 2.0]))
    turned = replace(scenario.poses3d, xyz=scenario.poses3d.xyz @ R.T)
    np.testing.assert_allclose(facing_direction(turned, up), R @ [1, 0, 0], atol=1e-9)


def test_a_hand_alone_can_be_shown(scenario) -> None:
    rng = np.random.default_rng(0)
    xyz = rng.normal(0, 0.1, (3, 1, 21, 3)) + np.array([0, 0, 1])
    shape = xyz.shape[:3]
    hand = replace(
        scenario.poses3d,
        skeleton=HAND_21,
        xyz=xyz,
        xyz_per_frame=xyz,
        score=np.ones(shape),
        state=np.ones(shape),
        n_views=np.full(shape, 2),
        reprojection_error=np.ones(shape),
        covariance=np.ones((*shape, 3, 3)),
        timestamps=np.arange(3) / 30,
    )
    scene = scene_geometry(scenario.rig, hand)
    assert scene.floor_height == 0
    assert np.isfinite(skeleton_geometry(hand, 0).mesh().vertices).all()


def test_frusta_begin_at_the_cameras_and_look_where_they_look(scenario) -> None:
    lines = camera_frusta(scenario.rig, 0.4)
    per_camera = lines.segments.reshape(len(scenario.rig), -1, 2, 3)
    for camera, segments in zip(scenario.rig, per_camera, strict=True):
        np.testing.assert_allclose(segments[:4, 0], np.broadcast_to(camera.center, (4, 3)))
        w, h = camera.size
        corners = np.array([[-0.5, -0.5], [w - 0.5, -0.5], [w - 0.5, h - 0.5], [-0.5, h - 0.5]])
        np.testing.assert_allclose(camera.project(segments[:4, 1]), corners, atol=1e-6)
        # The notch marks the top of the image: it projects above it.
        assert camera.project(segments[-1, 1])[1] < -0.5


def test_frusta_of_a_lens_that_cannot_see_its_corners_are_finite(scenario) -> None:
    first = scenario.rig[0]
    # theta_d peaks at 0.6: the corners of this image lie beyond what the lens can show.
    folding = replace(first, lens=Fisheye(first.lens.K, np.array([-0.8, 0.0, 0.0, 0.0])))
    assert np.isnan(folding.rays(np.array([[-0.5, -0.5]]))).any()
    lines = camera_frusta(Rig((folding,)), 0.3)
    assert np.isfinite(lines.segments).all()


def test_scene_names_every_camera_above_it(scenario) -> None:
    scene = scene_geometry(scenario.rig, scenario.poses3d)
    assert scene.camera_names == scenario.rig.names
    assert (scene.camera_xyz[:, 2] > scenario.rig.centers[:, 2]).all()
    np.testing.assert_allclose(scene.camera_xyz, scenario.rig.centers, atol=0.5)


def test_default_view_holds_the_whole_movement_in_front(scenario) -> None:
    scene = scene_geometry(scenario.rig, scenario.poses3d)
    for size in ((1280, 720), (720, 1280)):
        view = default_viewpoint(scene, size)
        xy = view.project(scenario.poses3d.xyz[:, 0])
        xy = xy[np.isfinite(xy).all(-1)]
        assert (xy > 0).all()
        assert (xy < size).all()
        towards = view.eye - view.target
        assert towards @ scene.facing > 0  # the face is seen
        assert towards @ scene.up > 0


def test_turning_keeps_distance_and_target(scenario) -> None:
    view = default_viewpoint(scene_geometry(scenario.rig, scenario.poses3d), (640, 360))
    turned = view.turned(0.7)
    assert np.linalg.norm(turned.eye - turned.target) == pytest.approx(np.linalg.norm(view.eye - view.target))
    np.testing.assert_allclose(turned.project(view.target), [319.5, 179.5], atol=1e-6)
    np.testing.assert_allclose(view.turned(2 * np.pi).eye, view.eye, atol=1e-9)


def test_default_view_avoids_a_camera_in_front_of_the_person(scenario) -> None:
    scene = scene_geometry(scenario.rig, scenario.poses3d)
    usual = default_viewpoint(scene, (1280, 720))
    # A camera on the line of sight, two thirds of the way to the person.
    center = usual.eye / 3 + usual.target * 2 / 3
    R = look_along(usual.target - center, np.array([0.0, 0, 1]))
    blocking = replace(scenario.rig[0], name="blocking", R=R, t=-R @ center)
    rig = Rig((*scenario.rig, blocking))
    view = default_viewpoint(scene_geometry(rig, scenario.poses3d), (1280, 720))
    body = view.project(scenario.poses3d.xyz[0, 0])
    assert np.linalg.norm(view.eye - usual.eye) > 0.5
    at = view.project(center)
    assert not ((at > body.min(0)) & (at < body.max(0))).all()
