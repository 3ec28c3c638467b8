from dataclasses import replace

import numpy as np
import pytest

from mv3d.data.skeletons import BODY_25
from mv3d.synthetic.faults import Faults, detect, episodes
from mv3d.synthetic.motions import moving_person
from mv3d.synthetic.rigs import camera_ring

_NONE = Faults(noise_px=0.0, missing=0.0, wrong=0.0)
_RIG = camera_ring(3, seed=0)
_XYZ, _T = moving_person("walk", 400, seed=0)
_EXACT = np.stack([camera.project(_XYZ) for camera in _RIG], axis=1)


def _errors(faults: Faults, seed: int = 0) -> np.ndarray:
    return detect(_RIG, _XYZ, _T, BODY_25, faults, seed)[0] - _EXACT


def test_without_faults_it_is_the_projection() -> None:
    xy, score = detect(_RIG, _XYZ, _T, BODY_25, _NONE)
    np.testing.assert_allclose(xy, _EXACT, atol=1e-9)
    assert (score > 0).all()


def test_what_is_outside_the_image_is_missing() -> None:
    xy, score = detect(_RIG, _XYZ + np.array([20.0, 0, 0]), _T, BODY_25, _NONE)
    assert np.isnan(xy[score == 0]).all()
    assert (score == 0).any()


def test_noise_is_white_bias_constant_and_the_rest_correlated() -> None:
    def lagged(error: np.ndarray, lag: int) -> float:
        return float((error[lag:] * error[: len(error) - lag]).mean() / (error**2).mean())

    white = _errors(replace(_NONE, noise_px=2.0))
    # 60,000 numbers: their standard deviation scatters by 0.3 %, correlations by 0.004.
    assert white.std() == pytest.approx(2.0, rel=0.02)
    assert abs(lagged(white, 1)) < 0.02
    bias = _errors(replace(_NONE, bias_px=3.0))
    assert np.ptp(bias, axis=0).max() < 1e-9
    assert bias[0].std() == pytest.approx(3.0, rel=0.25)  # 150 numbers: 6 % at one standard deviation
    slow = _errors(replace(_NONE, correlated_px=2.0))
    # 400 frames of 150 tracks hold 3000 independent numbers: 1.3 % at one standard deviation.
    assert slow.std() == pytest.approx(2.0, rel=0.06)
    assert lagged(slow, 10) == pytest.approx(np.exp(-1), abs=0.06)


@pytest.mark.parametrize("length", [1.0, 12.0])
def test_episodes_have_their_share_and_length(length: float) -> None:
    found = episodes((4000, 50), 0.1, length, np.random.default_rng(0))
    # 20,000 frames within 1,700 episodes at the longest: 3.5 % at one standard deviation.
    assert found.mean() == pytest.approx(0.1, rel=0.12)
    starts = (found[1:] & ~found[:-1]).sum()
    assert found.sum() / starts == pytest.approx(max(length, 1 / 0.9), rel=0.12)
    assert not episodes((10, 2), 0.0, length, np.random.default_rng(0)).any()


def test_a_drift_keeps_its_vector() -> None:
    error = _errors(replace(_NONE, wrong=0.1, wrong_px=(15.0, 90.0), wrong_frames=12.0))
    distance = np.linalg.norm(error, axis=-1)
    off = distance > 1e-6
    assert off.mean() == pytest.approx(0.1, rel=0.2)  # 2,500 episodes: 3 %; those clipped at the border apart
    assert distance.max() < 90 + 1e-9
    both = off[1:] & off[:-1]
    same = np.linalg.norm(np.diff(error, axis=0), axis=-1)[both] < 1e-6
    # Where one episode follows another at once the vector changes: in 1 of about 100 frames.
    assert same.mean() > 0.97


def test_swaps_exchange_left_and_right() -> None:
    for faults, sided in ((replace(_NONE, leg_swap=0.3), "RKnee"), (replace(_NONE, body_swap=0.3), "RWrist")):
        xy, _ = detect(_RIG, _XYZ, _T, BODY_25, faults)
        joint = BODY_25.index(sided)
        moved = np.linalg.norm(xy - _EXACT, axis=-1) > 1e-6
        assert 0.15 < moved[:, :, joint].mean() < 0.45  # 100 episodes of 12 frames
        np.testing.assert_allclose(
            xy[:, :, joint][moved[:, :, joint]], _EXACT[:, :, BODY_25.mirror[joint]][moved[:, :, joint]]
        )
        assert not moved[:, :, BODY_25.index("Nose")].any()
    xy, _ = detect(_RIG, _XYZ, _T, BODY_25, replace(_NONE, leg_swap=0.3))
    np.testing.assert_allclose(xy[:, :, BODY_25.index("RWrist")], _EXACT[:, :, BODY_25.index("RWrist")], atol=1e-9)


def test_a_blackout_hides_a_joint_from_all_views_at_once() -> None:
    _, score = detect(_RIG, _XYZ, _T, BODY_25, replace(_NONE, blackout_s=1.0))
    gone = score == 0
    assert (gone.all(1) == gone.any(1)).all()
    assert set(gone[:, 0].sum(0)) <= {59, 60, 61}


def test_offsets_show_each_camera_another_instant_about_a_common_mean() -> None:
    late = detect(_RIG, _XYZ, _T, BODY_25, replace(_NONE, offset_frames=1.0))[0]
    velocity = np.gradient(_EXACT, axis=0)
    moving = np.linalg.norm(velocity, axis=-1) > 3
    shift = ((late - _EXACT) * velocity).sum(-1) / (velocity**2).sum(-1).clip(1e-9)
    offsets = np.array([np.median(shift[:, v][moving[:, v]]) for v in range(3)])
    assert abs(offsets.sum()) < 0.02
    assert 0.05 < np.ptp(offsets) <= 1.0


def test_the_same_seed_gives_the_same_keypoints() -> None:
    a, b, c = (_errors(Faults(), seed) for seed in (1, 1, 2))
    np.testing.assert_array_equal(a, b)
    assert not np.array_equal(np.isnan(a), np.isnan(c))
