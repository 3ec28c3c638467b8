import numpy as np
import pytest

from mv3d.data.skeletons import BODY_25
from mv3d.reconstruct.noise import NoiseConfig
from mv3d.reconstruct.observations import observe as undo_lenses
from mv3d.reconstruct.per_frame import TriangulationConfig, triangulate_frames
from mv3d.synthetic.observations import observe
from mv3d.synthetic.performer import walking_person
from mv3d.synthetic.rigs import camera_ring


def recording(views=4, frames=60, seed=0, **noise):
    rig = camera_ring(views, distortion=np.array([-0.12, 0.05, 3e-4, -3e-4]), seed=seed)
    truth, timestamps = walking_person(frames, seed=seed)
    poses = observe(rig, truth, timestamps, BODY_25, seed=seed, **noise)
    xy = np.stack([poses[n].xy[:, 0] for n in rig.names], 1)
    score = np.stack([poses[n].score[:, 0] for n in rig.names], 1)
    return truth, undo_lenses(rig, xy, score)


def errors_mm(found, truth):
    return np.linalg.norm(found.xyz - truth, axis=-1) * 1e3


def test_exact_keypoints_give_exact_points():
    truth, seen = recording(noise_px=0.0, missing=0.0, outliers=0.0)
    found = triangulate_frames(seen, TriangulationConfig())
    # float32 pixels of up to 1920 are exact to 1e-4 px, 5e-4 mm at 5 m.
    assert np.nanmax(errors_mm(found, truth)) < 0.01
    assert np.isfinite(found.xyz).all()


@pytest.mark.parametrize("views", [4, 8])
def test_noisy_keypoints_come_near_the_cramer_rao_bound(views):
    truth, seen = recording(views, frames=150, noise_px=2.0, missing=0.1, outliers=0.05)
    found = triangulate_frames(seen, TriangulationConfig())
    # The bound with the inliers known: covariance from noise of 2 px through those views alone.
    bound = np.sqrt(np.trace(found.covariance, axis1=-2, axis2=-1) * 1e6).mean(where=np.isfinite(found.xyz[..., 0]))
    error = errors_mm(found, truth)
    assert np.isfinite(error).mean() > 0.97
    # Robust weights cost some 5 %, undetected outliers of two-view points some more; mean |e| is below rms.
    assert np.nanmean(error) < 1.15 * bound


def test_measured_noise_is_the_noise():
    _, seen = recording(frames=150, noise_px=3.0, missing=0.0, outliers=0.1)
    found = triangulate_frames(seen, TriangulationConfig())
    typical = np.median(found.noise_px[np.isfinite(found.noise_px)])
    # A median of 15,000 residuals scatters by 1 %; ten per cent of outliers shift it by some 10 %.
    assert typical == pytest.approx(3.0, rel=0.15)


def test_a_joint_seen_once_or_never_is_nan_and_no_warning_is_given(recwarn):
    _, seen = recording(frames=10, noise_px=1.0, missing=0.0, outliers=0.0)
    keep = np.ones(seen.score.shape, bool)
    keep[:, 1:, 4] = False
    keep[:, :, 7] = False
    found = triangulate_frames(seen.only_where(keep), TriangulationConfig())
    assert np.isnan(found.xyz[:, [4, 7]]).all()
    assert np.isfinite(np.delete(found.xyz, [4, 7], axis=1)).all()
    assert not recwarn.list


def test_two_pairs_of_views_that_contradict_each_other_are_refused():
    truth, seen = recording(frames=80, noise_px=0.5, missing=0.0, outliers=0.0)
    elsewhere = truth[30:40, 4] + np.array([0.25, 0.1, 0.1])
    xy = seen.xy.copy()
    for view in (2, 3):
        xy[30:40, view, 4] = seen.rig[view].project(elsewhere)
    found = triangulate_frames(undo_lenses(seen.rig, xy, seen.score), TriangulationConfig())
    assert np.isnan(found.xyz[30:40, 4]).all()
    assert np.isfinite(found.xyz[:30]).all()
    assert np.isfinite(found.xyz[:, 5]).all()


def test_noise_is_measured_where_the_person_is():
    _, seen = recording(frames=120, noise_px=2.0, missing=0.0, outliers=0.05)
    present = np.arange(120)[:, None, None] >= 90
    config = TriangulationConfig(noise=NoiseConfig(frames=30))
    sampled = triangulate_frames(seen.only_where(present), config)
    alone = triangulate_frames(undo_lenses(seen.rig, seen.xy[90:], seen.score[90:]), config)
    np.testing.assert_allclose(sampled.noise_px[90:], alone.noise_px)
    np.testing.assert_allclose(sampled.xyz[90:], alone.xyz)
    assert np.isnan(sampled.xyz[:90]).all()


def test_noise_of_a_sample_is_that_of_all_frames():
    _, seen = recording(frames=200, noise_px=2.0, missing=0.0, outliers=0.05)
    every, few = (triangulate_frames(seen, TriangulationConfig(noise=NoiseConfig(frames=n))) for n in (200, 50))
    # The median of 50 frames x 4 views for a joint and of 50 x 25 joints for a view: some 8 % and 4 %.
    assert np.median(np.abs(few.noise_px / every.noise_px - 1)) < 0.1
    assert not np.array_equal(few.noise_px, every.noise_px)


def test_no_frames_give_no_points(recwarn):
    _, seen = recording(frames=2, noise_px=0.0, missing=0.0, outliers=0.0)
    found = triangulate_frames(undo_lenses(seen.rig, seen.xy[:0], seen.score[:0]), TriangulationConfig())
    assert found.xyz.shape == (0, 25, 3)
    assert not recwarn.list
