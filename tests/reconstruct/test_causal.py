"""The causal filter: exact where it can be, robust like the whole sequence, and never told of the future."""

from dataclasses import replace

import numpy as np
import pytest

from mv3d.data.poses import FILLED, MEASURED, MISSING
from mv3d.data.skeletons import BODY_25
from mv3d.reconstruct.causal import CausalReconstructor
from mv3d.reconstruct.causal_lag import CausalSkeleton
from mv3d.reconstruct.causal_model import CausalConfig
from mv3d.reconstruct.reconstruction import ReconstructConfig, reconstruct_person
from mv3d.synthetic.families import FAMILIES, Trial, make_trial
from mv3d.synthetic.faults import Faults
from mv3d.synthetic.rigs import camera_ring

RIG = camera_ring(4, seed=0)
UNTAUGHT = CausalConfig(learn_at=(), learn_every=10**9)
CLEAN = Faults(noise_px=0.0, missing=0.0, wrong=0.0)


def skeletons(trial: Trial, config: CausalConfig, frames: int | None = None) -> list[CausalSkeleton]:
    reconstructor = CausalReconstructor(trial.rig, trial.skeleton, config)
    found = [
        reconstructor.step(trial.xy[f], trial.score[f], float(trial.timestamps[f]))
        for f in range(len(trial.truth) if frames is None else frames)
    ]
    return [one for one in found if one is not None] + reconstructor.finish()


def errors_mm(found: list[CausalSkeleton], trial: Trial) -> np.ndarray:
    return 1e3 * np.linalg.norm(np.stack([one.xyz for one in found]) - trial.truth[: len(found)], axis=-1)


@pytest.fixture(scope="module")
def walk() -> Trial:
    return make_trial(FAMILIES["clean-noise"], 4, 240, 1)


@pytest.fixture(scope="module")
def clean() -> Trial:
    return make_trial(replace(FAMILIES["clean-noise"], faults=CLEAN), 4, 90, 2)


@pytest.mark.parametrize("lag", [0, 5])
def test_straight_motion_without_noise_is_exact(lag: int):
    times = np.arange(40) / 30
    start = np.random.default_rng(0).normal((0.0, 0.0, 1.0), 0.3, (len(BODY_25), 3))
    truth = start + times[:, None, None] * np.array([0.4, -0.2, 0.05])
    xy = np.stack([camera.project(truth) for camera in RIG], axis=1)
    trial = Trial(RIG, xy, np.ones(xy.shape[:3]), truth, times, BODY_25, ())
    found = skeletons(trial, replace(UNTAUGHT, lag=lag))
    assert [one.time for one in found] == times.tolist()
    error = errors_mm(found, trial)
    # At first it is taken to stand still, give or take 3 m/s; in the end there are left the straight lines between
    # the nodes of the ray table: 0.01 px are 0.05 mm at 5 m.
    assert error.max() < 2.0
    assert error[-10:].max() < 0.1
    assert all((one.state == MEASURED).all() for one in found)


def test_error_stays_near_that_of_the_whole_sequence(walk: Trial):
    whole = reconstruct_person(walk.rig, walk.skeleton, walk.xy, walk.score, walk.timestamps, ReconstructConfig())
    offline = np.nanmean(1e3 * np.linalg.norm(whole.xyz[:, 0] - walk.truth, axis=-1))
    own, lagged = (np.nanmean(errors_mm(skeletons(walk, CausalConfig(lag=lag)), walk)) for lag in (0, 5))
    # White noise is the worst case: the offline solver, cut off after the newest frame, is 2.1 times worse as well.
    assert own < 2.8 * offline
    assert lagged < 1.6 * offline


def test_mode_causal_fills_poses(walk: Trial):
    config = ReconstructConfig(mode="causal", causal=CausalConfig(lag=2))
    poses = reconstruct_person(walk.rig, walk.skeleton, walk.xy, walk.score, walk.timestamps, config)
    found = skeletons(walk, CausalConfig(lag=2))
    assert np.array_equal(poses.xyz[:, 0], np.stack([one.xyz for one in found]), equal_nan=True)
    assert (poses.state[:, 0] == np.stack([one.state for one in found])).all()
    assert np.nanmedian(poses.reprojection_error) < 5.0


@pytest.mark.parametrize("lag", [0, 3])
def test_the_future_changes_nothing(walk: Trial, lag: int):
    whole = skeletons(walk, CausalConfig(lag=lag, learn_at=(30,)))
    part = skeletons(walk, CausalConfig(lag=lag, learn_at=(30,)), frames=60)
    for a, b in zip(whole[: 60 - lag], part, strict=False):
        assert np.array_equal(a.xyz, b.xyz, equal_nan=True)
        assert np.array_equal(a.covariance, b.covariance, equal_nan=True)


def test_a_blunder_that_lasts_does_not_pull(clean: Trial):
    xy = clean.xy.copy()
    wrist = BODY_25.index("RWrist")
    xy[50:70, 1, wrist] += np.array([80.0, 40.0])
    found = skeletons(replace(clean, xy=xy), CausalConfig())
    clean_found = skeletons(clean, CausalConfig())
    # A view less is a little less exact; 80 px would be 0.1 m among four views.
    assert errors_mm(found, clean)[50:70, wrist].max() < errors_mm(clean_found, clean)[50:70, wrist].max() + 5.0


def test_swapped_legs_of_a_view_are_put_right(clean: Trial):
    legs = [j for j, name in enumerate(BODY_25.keypoints) if name.endswith(("Knee", "Ankle", "Heel", "Toe", "RHip"))]
    legs = [*legs, BODY_25.index("LHip")]
    swapped = clean.xy.copy()
    mirror = np.array(BODY_25.mirror)
    swapped[50:70, 1, legs] = clean.xy[50:70, 1][:, mirror[legs]]
    found, plain = skeletons(replace(clean, xy=swapped), CausalConfig()), skeletons(clean, CausalConfig())
    # Put right it is the same observation; where legs pass each other nothing can be said and little is wrong.
    assert errors_mm(found, clean)[50:70, legs].mean() < errors_mm(plain, clean)[50:70, legs].mean() + 2.0


def test_a_gap_is_filled_for_a_while_and_then_missing(clean: Trial):
    score = clean.score.copy()
    wrist = BODY_25.index("LWrist")
    score[40:70, :, wrist] = 0.0
    state = np.stack([one.state for one in skeletons(replace(clean, score=score), CausalConfig())])[:, wrist]
    assert state[39] == MEASURED
    assert state[40] == FILLED
    assert (state[40:51] == FILLED).all()  # 0.2 s at 60 fps
    assert (state[53:70] == MISSING).all()
    assert (state[70:] == MEASURED).all()


def test_who_comes_back_after_two_seconds_is_found_at_once(clean: Trial):
    reconstructor = CausalReconstructor(clean.rig, clean.skeleton, CausalConfig())
    for f in range(50):
        reconstructor.step(clean.xy[f], clean.score[f], float(clean.timestamps[f]))
    nobody = np.full_like(clean.xy[0], np.nan), np.zeros_like(clean.score[0])
    for k in range(120):
        gone = reconstructor.step(*nobody, 1.0 + k / 60)
        assert gone is not None
    assert (gone.state == MISSING).all()
    back = reconstructor.step(clean.xy[80], clean.score[80], 3.5)
    assert back is not None
    seen = (clean.score[80] > 0).sum(0) >= 2
    assert (back.state[seen] == MEASURED).all()
    assert 1e3 * np.linalg.norm(back.xyz - clean.truth[80], axis=-1)[seen].max() < 1.0  # exact rays


def test_nobody_is_no_error_and_time_runs_forward(clean: Trial):
    reconstructor = CausalReconstructor(clean.rig, clean.skeleton, CausalConfig(learn_at=(5,)))
    for f in range(10):
        found = reconstructor.step(np.full_like(clean.xy[0], np.nan), np.zeros_like(clean.score[0]), float(f))
        assert found is not None
        assert (found.state == MISSING).all()
    with pytest.raises(ValueError, match="not later"):
        reconstructor.step(clean.xy[0], clean.score[0], 9.0)


def test_learning_beside_the_frames_arrives(walk: Trial):
    reconstructor = CausalReconstructor(walk.rig, walk.skeleton, CausalConfig(learn_at=(45,), in_background=True))
    guessed = reconstructor.model
    for f in range(45):
        reconstructor.step(walk.xy[f], walk.score[f], float(walk.timestamps[f]))
    reconstructor.wait_for_model()
    reconstructor.step(walk.xy[45], walk.score[45], float(walk.timestamps[45]))
    assert reconstructor.model is not guessed
    assert len(reconstructor.model.bone_order) > 10
