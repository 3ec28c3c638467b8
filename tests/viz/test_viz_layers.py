"""Trails, ellipsoids, ghosts and people as geometry."""

from dataclasses import replace

import numpy as np
import pytest

from mv3d.data.poses import MISSING
from mv3d.data.skeletons import BODY_25, HAND_21
from mv3d.files.skeleton_yaml import find_skeleton
from mv3d.viz.colors import PAPER
from mv3d.viz.content import content
from mv3d.viz.display import Display
from mv3d.viz.ellipsoids import RADIUS_SD, ellipsoids
from mv3d.viz.frame_meshes import GHOST_RGB, fixed_lines, frame_meshes, planes
from mv3d.viz.moments import ABSENT, at_times, frames_at
from mv3d.viz.people import skeleton_geometry, trunk_lengths
from mv3d.viz.scene import scene_geometry, some_frames
from mv3d.viz.trails import trail_joints, trails


def test_trails_follow_the_wrists_and_fade(scenario) -> None:
    poses = scenario.poses3d
    found = trails(poses, 20, 0.5, trunk_lengths(poses))
    wrist = poses.skeleton.index("RWrist")
    own = found.segments[np.isclose(found.segments[:, 1], poses.xyz[20, 0, wrist]).all(-1)]
    np.testing.assert_array_equal(own[0, 0], poses.xyz[19, 0, wrist])
    # 0.5 s are 15 intervals, of four joints without a gap in there.
    assert len(found) == 15 * 4
    newest, oldest = found.rgb[-4:], found.rgb[:4]
    assert (np.abs(newest - 0.96).mean(1) > np.abs(oldest - 0.96).mean(1) + 0.1).all()
    assert (found.radius[-4:] > found.radius[:4]).all()


def test_trails_break_where_a_joint_is_missing(scenario) -> None:
    poses = scenario.poses3d
    right, left = (poses.skeleton.index(name) for name in ("RWrist", "LAnkle"))
    assert (poses.state[2:4, 0, right] == MISSING).all()
    found = trails(poses, 10, 1.0, trunk_lengths(poses))

    def pieces(joint: int) -> int:
        path = poses.xyz[:, 0, joint]
        return sum(bool((np.abs(path[:, None] - s[0]) < 1e-12).all(-1).any()) for s in found.segments)

    assert np.isfinite(found.segments).all()
    assert pieces(left) - pieces(right) == 3  # into frames 2 and 3, and out of 3


def test_long_trails_have_few_pieces_that_do_not_shimmer(scenario_of) -> None:
    poses = scenario_of(frames=600).poses3d
    trunks = trunk_lengths(poses)
    first, second = (trails(poses, frame, 20.0, trunks).segments for frame in (590, 591))
    assert len(first) <= 4 * 61
    # One frame later all but the newest pieces, and perhaps the oldest, are the same.
    same = {s.tobytes() for s in first} & {s.tobytes() for s in second}
    assert len(same) >= len(first) - 4 * 2


def test_trails_of_an_animal_are_those_of_its_ends(repository) -> None:
    dog = find_skeleton(str(repository / "configs" / "skeletons" / "quadruped.yaml"))
    names = {dog.keypoints[j] for j in trail_joints(dog)}
    assert {"left_front_paw", "right_hind_paw", "tail_tip"} <= names
    assert "withers" not in names
    assert len(trail_joints(HAND_21)) == 5 + (1 if np.bincount(np.ravel(HAND_21.bones))[0] == 1 else 0)


def test_a_single_frame_has_no_trail(scenario) -> None:
    assert len(trails(scenario.poses3d, 0, 1.0, np.array([0.5]))) == 0


def test_ellipsoids_hold_95_percent(scenario) -> None:
    poses = scenario.poses3d
    rng = np.random.default_rng(0)
    root = rng.normal(0, 0.01, (3, 3))
    covariance = poses.covariance.copy()
    covariance[0, 0, :] = root @ root.T
    found = ellipsoids(replace(poses, covariance=covariance), 0)
    points = found.segments.reshape(len(poses.skeleton), -1, 3) - poses.xyz[0, 0][:, None]
    # Every point of every ring is as many standard deviations away; float32 covariances have seven digits.
    distance = np.sqrt(np.einsum("jpa,ab,jpb->jp", points, np.linalg.inv(covariance[0, 0, 0].astype(float)), points))
    np.testing.assert_allclose(distance, RADIUS_SD, rtol=1e-4)
    drawn = rng.multivariate_normal(np.zeros(3), root @ root.T, 20000)
    inside = np.einsum("pa,ab,pb->p", drawn, np.linalg.inv(root @ root.T), drawn) < RADIUS_SD**2
    # The standard deviation of a share of 0.95 of 20,000 is 0.0015.
    assert inside.mean() == pytest.approx(0.95, abs=0.006)


def test_ellipsoids_only_where_the_uncertainty_is_known(scenario) -> None:
    poses = scenario.poses3d
    rings = 3 * 20
    assert len(ellipsoids(poses, 0)) == rings * len(poses.skeleton)
    assert len(ellipsoids(poses, 2)) == rings * (len(poses.skeleton) - 1)  # the missing wrist
    large, small = (np.ptp(ellipsoids(poses, 0, scale).segments[:rings], axis=(0, 1)) for scale in (5.0, 1.0))
    np.testing.assert_allclose(large, 5 * small)


def _two(poses, shift: float):
    """A second person beside the first."""

    def doubled(name: str) -> np.ndarray:
        return np.concatenate([getattr(poses, name)] * 2, axis=1)

    names = ("xyz", "xyz_per_frame", "score", "state", "n_views", "reprojection_error", "covariance")
    both = {name: doubled(name) for name in names}
    for name in ("xyz", "xyz_per_frame"):
        both[name] = both[name] + np.array([0.0, shift, 0.0]) * np.arange(2)[:, None, None]
    return replace(poses, **both, person_id=np.arange(2))


def test_people_differ_in_the_middle_and_agree_in_their_sides(scenario) -> None:
    two = _two(scenario.poses3d, 1.0)
    rgb = skeleton_geometry(two, 0).joint_rgb.reshape(2, len(two.skeleton), 3)
    neck, wrist = two.skeleton.index("Neck"), two.skeleton.index("LWrist")
    assert np.abs(rgb[0, neck] - rgb[1, neck]).max() > 0.2
    np.testing.assert_array_equal(rgb[0, wrist], rgb[1, wrist])
    np.testing.assert_allclose(255 * rgb[0, wrist], PAPER.left)
    assert len(trails(two, 10, 0.3, trunk_lengths(two))) == 2 * len(
        trails(scenario.poses3d, 10, 0.3, trunk_lengths(scenario.poses3d))
    )


def test_limbs_of_a_hand_are_thinner_than_those_of_a_body(scenario_of) -> None:
    poses = scenario_of(BODY_25).poses3d
    small = replace(poses, xyz=0.1 * poses.xyz, skeleton=replace(poses.skeleton, keypoints=tuple(map(str, range(25)))))
    # Joints without known names: the bones tell the size, which is a tenth.
    assert trunk_lengths(small)[0] == pytest.approx(0.1 * trunk_lengths(poses)[0], rel=0.5)


def test_a_ghost_is_grey_and_at_the_same_instant(scenario) -> None:
    poses = scenario.poses3d
    half = slice(0, None, 2)
    names = ("xyz", "xyz_per_frame", "score", "state", "n_views", "reprojection_error", "covariance", "timestamps")
    slow = replace(poses, **{name: getattr(poses, name)[half] for name in names})
    shown = content(scenario.rig, poses, ghost=replace(slow, xyz=slow.xyz + 0.5))
    scene = scene_geometry(scenario.rig, poses)
    with_ghost = frame_meshes(shown, scene, 10, Display()).body
    alone = frame_meshes(shown, scene, 10, Display(ghost=False)).body
    ghost_rgb = with_ghost.rgb[len(alone.rgb) :]
    np.testing.assert_allclose(255 * ghost_rgb, np.broadcast_to(GHOST_RGB, ghost_rgb.shape))
    joints = skeleton_geometry(slow, 5).joint_xyz + 0.5
    # Poles of the spheres around the joints: their mean is the centre.
    spheres = with_ghost.vertices[len(alone.rgb) :][: 100 * len(joints)].reshape(len(joints), 100, 3)
    np.testing.assert_allclose(spheres.mean(1), joints, atol=1e-9)


def test_limbs_are_thin_and_without_shadow_where_that_would_hide_something(scenario) -> None:
    shown = content(scenario.rig, scenario.poses3d)
    scene = scene_geometry(scenario.rig, scenario.poses3d)
    thick, thin = (frame_meshes(shown, scene, 0, Display(ellipsoids=e)) for e in (0.0, 1.0))
    assert np.ptp(thin.body.vertices[:100], axis=0).max() < 0.4 * np.ptp(thick.body.vertices[:100], axis=0).max()
    assert len(thick.marks.vertices) == 0
    assert len(thin.marks.vertices) > 0
    assert len(frame_meshes(shown, scene, 0, Display(camera="cam01")).shadow.vertices) == 0
    assert len(frame_meshes(shown, scene, 0, Display(floor=False)).shadow.vertices) == 0


def test_floor_and_cameras_can_be_left_out(scenario) -> None:
    shown = content(scenario.rig, scenario.poses3d)
    scene = scene_geometry(scenario.rig, scenario.poses3d)

    def size(**layers) -> int:
        return len(fixed_lines(shown, scene, Display(**layers)))

    assert size(floor=False, cameras=False) == 0
    assert size() == size(floor=False) + size(cameras=False)
    assert size(camera="cam01") == size(cameras=False)


def test_without_videos_there_are_no_pictures(scenario) -> None:
    shown = content(scenario.rig, scenario.poses3d)
    scene = scene_geometry(scenario.rig, scenario.poses3d)
    assert planes(shown, scene, 0, Display(images=True)) == {}
    assert planes(shown, scene, 0, Display(camera="cam02")) == {}


def test_long_recordings_are_looked_at_in_places(scenario_of) -> None:
    poses = scenario_of(frames=60).poses3d
    few = some_frames(poses, 7)
    assert len(few) == 7
    assert few.timestamps[[0, -1]].tolist() == poses.timestamps[[0, -1]].tolist()
    assert some_frames(poses, 60) is poses


def test_frames_of_another_clock() -> None:
    wanted = np.arange(10) / 10
    assert frames_at(wanted + 0.004, wanted).tolist() == list(range(10))
    assert frames_at(wanted[:4], wanted).tolist() == [0, 1, 2, 3, *[ABSENT] * 6]
    assert frames_at(wanted[::2], wanted).tolist() == [0, 0, 1, 1, 2, 2, 3, 3, 4, 4]
    assert frames_at(np.zeros(0), wanted).tolist() == [ABSENT] * 10
    assert frames_at(np.array([0.3]), np.array([8.0])).tolist() == [0]


def test_keypoints_on_another_clock(scenario) -> None:
    seen = scenario.poses2d["cam01"]
    late = replace(seen, timestamps=seen.timestamps - 3 / 30)
    moved = at_times(late, seen.timestamps, 0.0)
    np.testing.assert_array_equal(moved.xy[:-3], seen.xy[3:])
    assert np.isnan(moved.xy[-3:]).all()
    assert (moved.score[-3:] == 0).all()
    np.testing.assert_array_equal(at_times(late, seen.timestamps, 3 / 30).xy, seen.xy)
