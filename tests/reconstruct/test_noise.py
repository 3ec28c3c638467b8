import numpy as np
import pytest

from mv3d.data.skeletons import BODY_25
from mv3d.reconstruct.noise import NoiseConfig, measure_noise
from mv3d.reconstruct.observations import Observations
from mv3d.reconstruct.observations import observe as undo_lenses
from mv3d.reconstruct.rays import leverages, rays_of, triangulate_rays
from mv3d.synthetic.performer import walking_person
from mv3d.synthetic.rigs import camera_ring

FRAMES = 240
RIG = camera_ring(4, radius=3.0, focal=900.0, seed=0)
TRUTH, _ = walking_person(FRAMES, seed=0)


def depths() -> np.ndarray:
    """(frame, view) m."""
    return np.stack([np.linalg.norm(TRUTH.mean(1) - camera.center, axis=-1) for camera in RIG], axis=1)


def recording(noise_px: np.ndarray, seed: int = 0) -> Observations:
    """Exact keypoints and noise of so many px (frame, view)."""
    rng = np.random.default_rng(seed)
    xy = np.stack([camera.project(TRUTH) for camera in RIG], axis=1)
    xy = xy + rng.normal(size=xy.shape) * noise_px[..., None, None]
    return undo_lenses(RIG, xy, np.ones(xy.shape[:-1]))


def test_noise_that_is_the_same_at_any_distance():
    noise = measure_noise(recording(np.full((FRAMES, 4), 2.0)), NoiseConfig())
    # The halves of 6000 squares each differ by 5 % of chance, their sizes by 20 % or more: sd of the exponent 0.1.
    assert noise.growth < 0.35
    np.testing.assert_allclose(noise.metres.mean(0) * noise.pixels_per_metre, 2.0, rtol=0.06)


def test_noise_that_grows_with_the_person():
    noise = measure_noise(recording(2.0 * 3.0 / depths()), NoiseConfig())
    assert noise.growth > 0.65


def test_a_person_who_keeps_the_distance_leaves_the_growth_open():
    camera_far = camera_ring(4, radius=300.0, focal=90000.0, seed=0)
    xy = np.stack([camera.project(TRUTH) for camera in camera_far], axis=1)
    xy = xy + np.random.default_rng(0).normal(size=xy.shape)
    noise = measure_noise(undo_lenses(camera_far, xy, np.ones(xy.shape[:-1])), NoiseConfig())
    assert noise.growth == pytest.approx(0.5, abs=0.1)


def test_a_near_camera_is_not_taken_for_a_better_one():
    # Cameras that decide a point pull it to themselves: without regard to that, the nearest would look the best.
    near = np.where(np.arange(4) == 0, 3.0, 2.0)
    noise = measure_noise(recording(np.broadcast_to(near, (FRAMES, 4))), NoiseConfig())
    np.testing.assert_allclose(noise.metres.mean(0) * noise.pixels_per_metre, near, rtol=0.08)


def test_leverages_of_all_views_are_the_degrees_of_freedom_of_a_point():
    rays = rays_of(recording(np.full((FRAMES, 4), 1.0)))
    noise = np.ones(rays.precision.shape)
    xyz, information = triangulate_rays(rays, noise, 1e6 * noise)
    # Three coordinates over the two axes of a view; the scale is so wide that all weights are one.
    np.testing.assert_allclose(leverages(rays, xyz, information, noise).sum(-1), 1.5, rtol=1e-4)


def test_a_joint_that_nobody_sees_has_the_noise_of_the_view():
    seen = recording(np.full((FRAMES, 4), 2.0))
    keep = np.ones((FRAMES, 4, len(BODY_25)), bool)
    keep[:, :, 7] = False
    noise = measure_noise(seen.only_where(keep), NoiseConfig())
    assert np.isfinite(noise.metres).all()
