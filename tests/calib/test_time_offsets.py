import numpy as np
import pytest

from calib.pose_graph import ViewPoses, agree, distances, place_cameras
from calib.time_offsets import image_motion, shifted_sources, usual_interval, whole_frame_shifts
from mv3d.errors import CalibrationError
from mv3d.geometry.rotations import rotation_from_vector
from mv3d.synthetic.boards import carried_board, film_board
from mv3d.synthetic.rigs import camera_ring

POINTS = np.stack([*np.meshgrid(np.arange(5) * 0.1, np.arange(4) * 0.1), np.zeros((4, 5))], -1).reshape(-1, 3)
RIG = camera_ring(10, radius=3.0, seed=1).subset(["cam01", "cam02", "cam03"])
TOWARD = RIG["cam02"].center
IDENTITY = np.eye(3, 4)[None]


def exact_poses(frames: int, fps: float, delays: tuple[float, ...]) -> ViewPoses:
    """Board in each camera, each `delays` frames late."""
    R, t = zip(*(carried_board((np.arange(frames) - d) / fps, toward=TOWARD) for d in delays), strict=True)
    in_R = np.stack([camera.R @ r for camera, r in zip(RIG, R, strict=True)])
    in_t = np.stack([x @ camera.R.T + camera.t for camera, x in zip(RIG, t, strict=True)])
    return ViewPoses(in_R, in_t, np.full(in_t.shape[:2], 20.0))


def test_the_motion_predicts_where_corners_are_a_little_later() -> None:
    fps, s = 15.0, 0.02
    middle = POINTS.mean(0)
    poses = exact_poses(40, fps, (0, 0, 0))
    poses = ViewPoses(poses.R, poses.t - poses.R @ middle, poses.weight)
    times = np.repeat(np.arange(40.0)[None] / fps, 3, axis=0)
    motion, known = image_motion(POINTS, [c.lens for c in RIG], poses, times, np.zeros(40, np.int64))
    assert known.all()
    R, t = carried_board(times[0] + s, toward=TOWARD)
    for c, camera in enumerate(RIG):
        now = camera.lens.project(POINTS @ np.swapaxes(poses.R[c], 1, 2) + poses.t[c][:, None])
        later = camera.project((POINTS - middle) @ np.swapaxes(R, 1, 2) + t[:, None])
        v, a = motion[c, ..., :2], motion[c, ..., 2:]
        moved = np.linalg.norm(later - now, axis=-1)
        error = np.linalg.norm(now + v * s + a * s * s - later, axis=-1)
        assert np.median(moved) > 3
        # The third order of a hand's motion in 20 ms: some hundredths of a pixel; frames at the ends have fewer
        # neighbours.
        assert error[3:-3].max() < 0.1


def test_a_still_has_no_motion_and_segments_do_not_mix() -> None:
    poses = exact_poses(6, 15.0, (0, 0, 0))
    lenses = [c.lens for c in RIG]
    stills = np.full((3, 6), np.nan)
    assert not image_motion(POINTS, lenses, poses, stills, np.arange(6))[1].any()
    times = np.repeat(np.arange(6.0)[None] / 15, 3, axis=0)
    known = image_motion(POINTS, lenses, poses, times, np.array([0, 1, 1, 1, 2, 3]))[1]
    np.testing.assert_array_equal(known[0], [False, True, True, True, False, False])
    assert np.isnan(usual_interval(stills)).all()


@pytest.mark.parametrize("delays", [(0, 0, 0), (0, 3, 0), (0, 0, -2), (5, 0, 0)])
def test_whole_frames_are_found(delays: tuple[int, ...]) -> None:
    poses = exact_poses(60, 10.0, delays)
    found = whole_frame_shifts(poses, np.zeros(60, np.int64), IDENTITY, 10)
    # A camera that is d frames late shows at f + d what the others show at f.
    np.testing.assert_array_equal(found, delays)


def test_sources_stay_within_a_recording() -> None:
    np.testing.assert_array_equal(shifted_sources(1, np.array([0, 0, 0, 1, 1])), [1, 2, -1, 4, -1])
    np.testing.assert_array_equal(shifted_sources(-1, np.array([0, 0, 0, 1, 1])), [-1, 0, 1, -1, 3])


def test_a_consensus_ignores_a_third_of_nonsense() -> None:
    rng = np.random.default_rng(0)
    R = rotation_from_vector(rng.normal(0, 0.005, (30, 3)))
    t = np.array([1.0, 0, 2]) + rng.normal(0, 0.005, (30, 3))
    R[:10], t[:10] = rotation_from_vector(rng.normal(0, 2, (10, 3))), rng.normal(0, 2, (10, 3))
    found = agree(R, t, np.ones(30), 3.0)
    # Twenty motions with 5 mrad each: their mean is good to about 1 mrad an axis.
    assert distances(found.R, found.t, np.eye(3)[None], np.array([[1.0, 0, 2]]), 3.0)[0] < 0.01
    assert 15 <= found.inliers <= 21


def test_cameras_are_placed_through_others() -> None:
    poses = exact_poses(40, 10.0, (0, 0, 0))
    weight = poses.weight.copy()
    weight[0, 20:], weight[2, :20] = 0.0, 0.0
    known = {0: (RIG[0].R, RIG[0].t)}
    R, t = place_cameras(ViewPoses(poses.R, poses.t, weight), RIG.names, IDENTITY, known)
    np.testing.assert_allclose(R[2], RIG[2].R, atol=1e-9)
    np.testing.assert_allclose(t[2], RIG[2].t, atol=1e-9)
    weight[1] = 0.0
    with pytest.raises(CalibrationError, match=r"film the board where cam01 and cam0\d both see it"):
        place_cameras(ViewPoses(poses.R, poses.t, weight), RIG.names, IDENTITY, known)


def test_the_film_agrees_with_these_poses() -> None:
    made = film_board(RIG, POINTS, frames=40, fps=10.0, noise_px=0.0, toward=TOWARD)
    poses = exact_poses(40, 10.0, (0, 0, 0))
    middle = POINTS.mean(0)
    image = RIG[0].lens.project((POINTS - middle) @ np.swapaxes(poses.R[0], 1, 2) + poses.t[0][:, None])
    seen = np.isfinite(made.xy[0])
    np.testing.assert_allclose(made.xy[0][seen], image[seen], atol=1e-6)
