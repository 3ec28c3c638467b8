import numpy as np
import pytest

from mv3d.data.skeletons import BODY_25
from mv3d.reconstruct.observations import observe as undo_lenses
from mv3d.reconstruct.per_frame import TriangulationConfig, triangulate_frames
from mv3d.reconstruct.sequence import smooth_sequence
from mv3d.reconstruct.sequence_fit import SequenceConfig
from mv3d.reconstruct.sequence_model import difference_prior
from mv3d.synthetic.observations import observe
from mv3d.synthetic.performer import walking_person
from mv3d.synthetic.rigs import camera_ring


def dense(band):
    n, columns = band.shape
    out = np.zeros((n, n))
    for k in range(columns):
        out[np.arange(k, n), np.arange(n - k)] = band[k:, k]
    return out + np.tril(out, -1).T


@pytest.mark.parametrize("order", [1, 2, 3])
def test_prior_ignores_polynomials_of_lower_degree_also_at_irregular_times(order):
    times = np.cumsum(np.random.default_rng(0).uniform(0.01, 0.05, 30))
    P = dense(difference_prior(times, order))
    scale = np.abs(P).max()
    for degree in range(order):
        # Rounding of terms of the size of the matrix.
        assert np.abs(P @ (times / times[-1]) ** degree).max() < 1e-9 * scale
    assert (times**order) @ P @ (times**order) > 0


def test_prior_measures_the_derivative():
    times = np.linspace(0, 2, 101)
    x = 3.0 * times**2  # second derivative 6
    value = x @ dense(difference_prior(times, 2)) @ x
    # 99 differences, each standing for one interval of 0.02 s, of 6^2.
    assert value == pytest.approx(36 * 99 * 0.02, rel=1e-9)


def smoothed(frames=150, config=SequenceConfig(), seed=0, timestamps=None, **noise):  # noqa: B008
    rig = camera_ring(4, seed=seed)
    truth, times = walking_person(frames, seed=seed)
    poses = observe(rig, truth, times, BODY_25, seed=seed, **noise)
    xy = np.stack([poses[n].xy[:, 0] for n in rig.names], 1)
    score = np.stack([poses[n].score[:, 0] for n in rig.names], 1)
    seen = undo_lenses(rig, xy, score)
    per_frame = triangulate_frames(seen, TriangulationConfig())
    return truth, per_frame, smooth_sequence(seen, per_frame, BODY_25, times, config)


def test_exact_keypoints_are_not_smoothed_away():
    truth, _, result = smoothed(noise_px=0.0, missing=0.0, outliers=0.0)
    # The noise floor of 0.2 px is 0.9 mm at 5 m: within it the motion prior has a little to say.
    assert np.linalg.norm(result.xyz - truth, axis=-1).max() < 2e-3
    assert np.linalg.norm(result.xyz - truth, axis=-1).mean() < 3e-4


def test_smoothing_beats_the_single_frames_threefold():
    truth, per_frame, result = smoothed(noise_px=2.0, missing=0.1, outliers=0.05)
    single = np.nanmean(np.linalg.norm(per_frame.xyz - truth, axis=-1))
    smooth = np.mean(np.linalg.norm(result.xyz - truth, axis=-1))
    # Joints move within some 5 Hz at 60 frames/s: about one in six directions of the noise is left, sqrt(1/6) = 0.41,
    # and less with the bones; 0.45 allows for the sequence's ends.
    assert smooth < 0.45 * single


def test_covariance_holds_the_truth():
    truth, _, result = smoothed(frames=300, noise_px=2.0, missing=0.1, outliers=0.05)
    error = result.xyz - truth
    distance2 = np.einsum("fji,fji->fj", error, np.linalg.solve(result.covariance, error[..., None])[..., 0])
    # 95 % ellipsoids; of 7500 joints perhaps 500 are independent, so 1 % is one standard deviation.
    assert 0.93 <= (distance2 < 7.815).mean() <= 0.98


def test_outliers_of_one_view_that_last_are_resisted():
    rig = camera_ring(4, seed=0)
    truth, times = walking_person(120, seed=0)
    poses = observe(rig, truth, times, BODY_25, noise_px=1.0, missing=0.0, outliers=0.0, seed=0)
    xy = np.stack([poses[n].xy[:, 0] for n in rig.names], 1).astype(float)
    xy[40:60, 1, 4] += (60.0, -40.0)  # a drift of the wrist in one view, 72 px for a third of a second
    seen = undo_lenses(rig, xy, np.full(xy.shape[:3], 0.9))
    per_frame = triangulate_frames(seen, TriangulationConfig())
    result = smooth_sequence(seen, per_frame, BODY_25, times, SequenceConfig())
    # 72 px are 36 cm; three good views at 1 px (5 mm) hold the wrist.
    assert np.linalg.norm(result.xyz[40:60, 4] - truth[40:60, 4], axis=-1).max() < 0.02


@pytest.mark.parametrize("frames", [1, 2, 3, 4])
def test_short_recordings(frames):
    truth, _, result = smoothed(frames=frames, noise_px=0.5, missing=0.0, outliers=0.0)
    assert result.xyz.shape == truth.shape
    # 0.5 px is 2.5 mm at 5 m; five standard deviations.
    assert np.nanmax(np.linalg.norm(result.xyz - truth, axis=-1)) < 0.02
