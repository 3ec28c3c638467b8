"""Cameras that do not fit, and cameras that were knocked: found by what a walking person shows."""

from dataclasses import replace

import numpy as np
import pytest

from mv3d.data.camera import Camera
from mv3d.data.rig import Rig
from mv3d.data.skeletons import BODY_25, LIMB_JOINTS
from mv3d.geometry.rotations import rotation_from_vector
from mv3d.reconstruct.keypoints import Keypoints
from mv3d.reconstruct.per_frame import TriangulationConfig
from mv3d.reconstruct.rig_check import RigCheckConfig, check_rig
from mv3d.reconstruct.rig_moves import MoveConfig, find_moves
from mv3d.reconstruct.rig_refinement import RefinementConfig, refine_rig
from mv3d.synthetic.observations import observe
from mv3d.synthetic.performer import walking_person
from mv3d.synthetic.rigs import camera_ring

FRAMES = 120
# Slow enough that the person crosses the room in few frames: 8 s.
FPS = 15.0
LIMBS = list(BODY_25.indices(LIMB_JOINTS))
TRIANGULATION, CONFIG = TriangulationConfig(), RefinementConfig()


def seen_by(rig: Rig, first: int = 0, frames: int = FRAMES) -> tuple[np.ndarray, np.ndarray]:
    """Limb joints (frame, view, joint, 2) and scores: 2 px of noise, 10 % missing, 5 % wrong."""
    xyz, t = walking_person(FRAMES, fps=FPS, seed=0)
    poses = observe(rig, xyz, t, BODY_25, seed=0)
    views = [poses[name] for name in rig.names]
    xy, score = np.stack([p.xy[:, 0] for p in views], 1), np.stack([p.score[:, 0] for p in views], 1)
    kept = slice(first, first + frames)
    return xy[kept][:, :, LIMBS].astype(float), score[kept][:, :, LIMBS].astype(float)


def knocked(camera: Camera, turn_deg: float, moved: tuple[float, float, float]) -> Camera:
    """Turned about its own y axis and moved in its own axes."""
    R = rotation_from_vector(np.array([0.0, np.deg2rad(turn_deg), 0.0]))
    return replace(camera, R=R @ camera.R, t=R @ camera.t + np.array(moved))


def with_camera(rig: Rig, view: int, camera: Camera) -> Rig:
    return Rig(tuple(camera if v == view else c for v, c in enumerate(rig)))


@pytest.fixture(scope="module")
def rig() -> Rig:
    return camera_ring(4, seed=0)


def test_an_image_shift_is_found_and_put_into_the_principal_point(rig: Rig) -> None:
    xy, score = seen_by(rig)
    xy[:, 1] += [30.0, -20.0]
    refined = refine_rig(rig, xy, score, "image-shift", TRIANGULATION, CONFIG)
    # Some 1,000 joints of 2 px: 0.1 px by noise; the pull to the rig as given and the gauge take up to a few percent.
    assert np.abs(refined.change - [[0, 0], [30, -20], [0, 0], [0, 0]]).max() < 2.0
    assert refined.rig[1].lens.K[:2, 2] - rig[1].lens.K[:2, 2] == pytest.approx(refined.change[1])
    np.testing.assert_array_equal(refined.rig[1].R, rig[1].R)


def test_a_wrong_focal_length(rig: Rig) -> None:
    K = rig[2].lens.K.copy()
    K[[0, 1], [0, 1]] *= 1.05
    given = with_camera(rig, 2, replace(rig[2], lens=replace(rig[2].lens, K=K)))
    xy, score = seen_by(rig)
    refined = refine_rig(given, xy, score, "focal", TRIANGULATION, CONFIG)
    # 1 % of 250 px, a person's half height, is 2.5 px: a thousandth is told easily; the prior of 1 % pulls little.
    assert refined.change[:, 0] == pytest.approx([0, 0, -np.log(1.05), 0], abs=0.005)


def test_a_turned_camera_and_the_world_stays(rig: Rig) -> None:
    given = with_camera(rig, 1, knocked(rig[1], 1.0, (0.02, 0.0, 0.01)))
    xy, score = seen_by(rig)
    refined = refine_rig(given, xy, score, "extrinsics", TRIANGULATION, CONFIG)
    turn = np.rad2deg(np.linalg.norm(refined.change[:, :3], axis=1))
    # A turn and a step to the side look alike: 20 mm at 5 m are 0.23 degrees.
    assert turn[1] == pytest.approx(1.0, abs=0.35)
    assert turn[[0, 2, 3]].max() < 0.15
    assert np.linalg.norm(refined.rig.centers - given.centers, axis=1).max() < 0.025
    x_world = np.array([[0.0, 0.0, 1.0]])
    # The image is right again: to a few px of the 20 that it was off.
    assert np.linalg.norm(refined.rig[1].project(x_world) - rig[1].project(x_world)) < 3.0


def test_the_calibration_holds_what_it_knows(rig: Rig) -> None:
    xy, score = seen_by(rig)
    xy[:, 1] += [12.0, 0.0]
    tight = np.diag(np.full(8, 0.05**2))
    free = refine_rig(rig, xy, score, "image-shift", TRIANGULATION, CONFIG)
    held = refine_rig(rig, xy, score, "image-shift", TRIANGULATION, CONFIG, covariance=tight)
    assert np.abs(held.change).max() < np.abs(free.change).max()


def test_a_rig_that_fits_gains_nothing(rig: Rig) -> None:
    xy, score = seen_by(rig)
    keypoints = Keypoints(BODY_25, np.arange(FRAMES) / FPS, *_all_joints(xy, score))
    check = check_rig(rig, keypoints, tuple(LIMBS), TRIANGULATION, RigCheckConfig(frames=80))
    assert check is not None
    assert check.moves == ()
    assert all(c.left_out_px.mean() > 0.9 * check.left_out_px.mean() for c in check.corrections)
    assert check_rig(rig.subset(rig.names[:2]), keypoints, tuple(LIMBS), TRIANGULATION, RigCheckConfig()) is None


@pytest.mark.parametrize(("turn_deg", "moved"), [(0.4, (0.011, 0.0, 0.0)), (3.0, (0.05, 0.0, 0.0))])
def test_a_camera_that_was_knocked_is_named_with_the_time(
    rig: Rig, turn_deg: float, moved: tuple[float, float, float]
) -> None:
    after = with_camera(rig, 1, knocked(rig[1], turn_deg, moved))
    xy, score = seen_by(rig)
    later, later_score = seen_by(after, 70, FRAMES - 70)
    xy[70:], score[70:] = later, later_score
    times = np.arange(FRAMES) / FPS
    (move,) = find_moves(rig, xy, score, times, TRIANGULATION, CONFIG, MoveConfig())
    assert move.view == 1
    # Three frames: noise of 2 px over twelve joints against a jump of 10 px or more.
    assert move.time == pytest.approx(70 / FPS, abs=3 / FPS)
    # Turn and step look alike (11 mm at 5 m are 0.13 degrees), together they make the jump.
    assert np.rad2deg(move.rotation) == pytest.approx(turn_deg, rel=0.5)
    middle = np.array([[0.0, 0.0, 1.0]])
    expected = after[1].project(middle) - rig[1].project(middle)
    assert np.linalg.norm(move.shift_px - expected) < 0.2 * np.linalg.norm(expected) + 1.0


def test_no_camera_is_said_to_have_moved_where_none_did(rig: Rig) -> None:
    xy, score = seen_by(rig)
    xy[:, 2] += [20.0, 5.0]  # it never fitted, but stood still
    assert find_moves(rig, xy, score, np.arange(FRAMES) / FPS, TRIANGULATION, CONFIG, MoveConfig()) == ()


def _all_joints(xy: np.ndarray, score: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The limbs among all joints of the skeleton."""
    every = np.full((*xy.shape[:2], len(BODY_25), 2), np.nan)
    scores = np.zeros(every.shape[:-1])
    every[:, :, LIMBS], scores[:, :, LIMBS] = xy, score
    return every, scores
