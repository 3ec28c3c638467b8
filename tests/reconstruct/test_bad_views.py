"""What a rig or its keypoints can have wrong: told in one line, or a clean result that says what it lacks."""

from dataclasses import replace

import numpy as np
import pytest

from mv3d.data.poses import MEASURED, MISSING
from mv3d.data.rig import Rig
from mv3d.data.skeletons import BODY_25
from mv3d.errors import ReconstructionError
from mv3d.reconstruct.keypoints import Keypoints, reconstruct_keypoints
from mv3d.reconstruct.observations import observe as observations
from mv3d.reconstruct.quality import measure_quality
from mv3d.reconstruct.reconstruction import ReconstructConfig
from mv3d.synthetic.observations import observe
from mv3d.synthetic.performer import walking_person
from mv3d.synthetic.rigs import camera_ring
from mv3d.viz.verdict import averted_cameras, judge

FRAMES = 60
RIG = camera_ring(4, seed=0)
TRUTH, TIMES = walking_person(FRAMES, seed=0)


def keypoints(rig: Rig = RIG) -> Keypoints:
    """What the true rig sees, on the joint order of the views of `rig`."""
    views = observe(rig, TRUTH, TIMES, BODY_25, noise_px=1.0, missing=0.05, outliers=0.02, seed=0)
    xy = np.stack([views[name].xy[:, 0] for name in rig.names], 1).astype(float)
    score = np.stack([views[name].score[:, 0] for name in rig.names], 1).astype(float)
    return Keypoints(BODY_25, TIMES, xy, score)


def reconstructed(rig: Rig, seen: Keypoints):
    return reconstruct_keypoints(rig, seen, ReconstructConfig())[0]


def with_camera(rig: Rig, view: int, **changes: np.ndarray) -> Rig:
    return Rig(tuple(replace(c, **changes) if v == view else c for v, c in enumerate(rig)))


def errors_mm(poses) -> np.ndarray:
    return np.linalg.norm(poses.xyz[:, 0] - TRUTH, axis=-1) * 1e3


def test_cameras_that_all_stand_in_one_place():
    pair = Rig(tuple(RIG)[:2])
    together = with_camera(pair, 1, R=pair["cam01"].R, t=pair["cam01"].t)
    with pytest.raises(ReconstructionError, match=r"cam01, cam02.* in one place, which shows no depth"):
        reconstructed(together, keypoints(pair))


def test_one_video_given_twice():
    seen = keypoints()
    xy, score = seen.xy.copy(), seen.score.copy()
    xy[:, 2], score[:, 2] = xy[:, 0], score[:, 0]
    with pytest.raises(ReconstructionError, match="cam01 and cam03 show the very same keypoints"):
        reconstructed(RIG, replace(seen, xy=xy, score=score))


def test_a_camera_with_the_pose_of_another_is_outvoted_and_named():
    wrong = with_camera(RIG, 1, R=RIG["cam01"].R, t=RIG["cam01"].t)
    seen = keypoints()
    poses = reconstructed(wrong, seen)
    # Three good cameras are left: the error is that of a ring of three with a wide gap, not of a wrong rig.
    assert np.nanmean(errors_mm(poses)) < 10
    quality = measure_quality(wrong, seen.xy, seen.score, poses, ReconstructConfig().triangulation)
    assert any(reason.camera == "cam02" and "fits worst" in reason.text for reason in judge(wrong, quality).reasons)


def test_a_camera_that_looks_away_is_named_and_the_others_go_on():
    about = np.diag([-1.0, 1.0, -1.0])
    camera = RIG["cam01"]
    wrong = with_camera(RIG, 0, R=about @ camera.R, t=about @ camera.t)
    seen = keypoints()
    poses = reconstructed(wrong, seen)
    assert np.nanmean(errors_mm(poses)) < 10
    quality = measure_quality(wrong, seen.xy, seen.score, poses, ReconstructConfig().triangulation)
    assert averted_cameras(quality) == ("cam01",)
    verdict = judge(wrong, quality)
    assert verdict.level == "look at this"
    assert "cam01 looks away" in verdict.reasons[0].text


def test_no_camera_of_a_good_rig_looks_away():
    seen = keypoints()
    quality = measure_quality(RIG, seen.xy, seen.score, reconstructed(RIG, seen), ReconstructConfig().triangulation)
    assert averted_cameras(quality) == ()


@pytest.mark.parametrize("emptied", ["xy", "score"])
def test_nothing_but_nan_or_scores_of_zero(emptied: str):
    seen = keypoints()
    empty = np.full_like(seen.xy, np.nan) if emptied == "xy" else np.zeros_like(seen.score)
    seen = replace(seen, **{emptied: empty})
    with pytest.raises(ReconstructionError, match=r"no person|no joint"):
        reconstructed(RIG, seen)


def test_a_person_whom_one_camera_sees_is_missing_there_and_measured_elsewhere():
    seen = keypoints()
    score = seen.score.copy()
    score[:20, 1:] = 0
    poses = reconstructed(RIG, replace(seen, score=score))
    assert (poses.state[:5] == MISSING).all()
    assert np.isnan(poses.xyz[:5]).all()
    assert (poses.state[25:] == MEASURED).mean() > 0.95


def test_scores_of_any_scale_give_the_same_skeleton():
    seen = keypoints()
    one, many = reconstructed(RIG, seen), reconstructed(RIG, replace(seen, score=seen.score * 50))
    # Weights are relative to the recording's typical score; what differs is the order of sums.
    np.testing.assert_allclose(one.xyz, many.xyz, atol=1e-6)


def test_keypoints_far_outside_of_the_picture_are_missing(recwarn: pytest.WarningsRecorder):
    seen = keypoints()
    xy = seen.xy.copy()
    xy[5:40, 0] = 1e30
    xy[10, 1] = np.inf
    xy[11, 2] = [-3000.0, 500.0]
    poses = reconstructed(RIG, replace(seen, xy=xy))
    assert not recwarn.list
    assert not observations(RIG, xy, seen.score).seen[5:40, 0].any()
    assert not observations(RIG, xy, seen.score).seen[11, 2].any()
    assert np.nanmean(errors_mm(poses)) < 6
