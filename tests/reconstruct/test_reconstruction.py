from dataclasses import replace

import numpy as np
import pytest

from mv3d.data.poses import FILLED, MEASURED, MISSING
from mv3d.data.skeletons import BODY_25
from mv3d.errors import ReconstructionError
from mv3d.reconstruct.gravity import up_direction
from mv3d.reconstruct.keypoints import Keypoints, reconstruct_keypoints, select_performer
from mv3d.reconstruct.quality import measure_quality
from mv3d.reconstruct.reassociation import reassociate
from mv3d.reconstruct.reconstruction import ReconstructConfig, reconstruct_person
from mv3d.synthetic.observations import observe
from mv3d.synthetic.performer import walking_person
from mv3d.synthetic.rigs import camera_ring

WRIST = BODY_25.index("RWrist")


def recording(frames=120, noise_px=1.0, missing=0.0, outliers=0.0, seed=0):
    rig = camera_ring(4, seed=seed)
    truth, times = walking_person(frames, seed=seed)
    poses = observe(rig, truth, times, BODY_25, noise_px=noise_px, missing=missing, outliers=outliers, seed=seed)
    xy = np.stack([poses[n].xy[:, 0] for n in rig.names], 1).astype(float)
    score = np.stack([poses[n].score[:, 0] for n in rig.names], 1).astype(float)
    return rig, truth, times, xy, score


def test_short_gaps_are_filled_and_flagged_long_ones_are_missing():
    rig, truth, times, xy, score = recording()
    score[20:30, :, WRIST] = 0  # 1/6 s
    score[60:100, :, WRIST] = 0  # 2/3 s
    poses = reconstruct_person(rig, BODY_25, xy, score, times, ReconstructConfig())
    state = poses.state[:, 0, WRIST]
    assert (state[20:30] == FILLED).all()
    assert (state[60:100] == MISSING).all()
    assert (state[:20] == MEASURED).all()
    assert np.isnan(poses.xyz[60:100, 0, WRIST]).all()
    filled = poses.xyz[20:30, 0, WRIST]
    # Never frozen: a filled wrist moves on, and near the true one (it travels some 20 cm in that time).
    assert (np.linalg.norm(np.diff(filled, axis=0), axis=1) > 1e-4).all()
    assert np.linalg.norm(filled - truth[20:30, WRIST], axis=1).max() < 0.05
    assert (poses.n_views[20:30, 0, WRIST] == 0).all()
    others = np.delete(poses.state[:, 0], WRIST, axis=1)
    assert (others == MEASURED).all()


def test_uncertainty_grows_in_a_gap():
    rig, _, times, xy, score = recording()
    score[20:30, :, WRIST] = 0
    poses = reconstruct_person(rig, BODY_25, xy, score, times, ReconstructConfig())
    sigma = np.sqrt(np.trace(poses.covariance[:, 0, WRIST], axis1=-2, axis2=-1))
    assert sigma[25] > 2 * sigma[15]


def test_frame_mode_keeps_each_frame_on_its_own():
    rig, _, times, xy, score = recording(noise_px=2.0)
    config = ReconstructConfig(mode="frame")
    poses = reconstruct_person(rig, BODY_25, xy, score, times, config)
    np.testing.assert_array_equal(poses.xyz, poses.xyz_per_frame)
    assert (poses.n_views[np.isfinite(poses.xyz[..., 0])] >= 2).all()


def test_reprojection_error_is_that_of_the_noise():
    rig, _, times, xy, score = recording(noise_px=2.0)
    poses = reconstruct_person(rig, BODY_25, xy, score, times, ReconstructConfig())
    # Mean length of a 2D normal vector of sigma 2 is 2 sqrt(pi / 2) = 2.5; the fit takes up to a sixth of it.
    assert np.nanmean(poses.reprojection_error) == pytest.approx(2.5, rel=0.2)


def test_a_left_right_swap_of_one_view_for_many_frames_does_not_flip_the_legs():
    rig, truth, times, xy, score = recording(noise_px=2.0, missing=0.05)
    legs = [
        i for i, k in enumerate(BODY_25.keypoints) if k[1:] in {"Hip", "Knee", "Ankle", "Heel", "BigToe", "SmallToe"}
    ]
    xy[30:60, 2, legs] = xy[30:60, 2, BODY_25.mirror[legs]]
    score[30:60, 2, legs] = score[30:60, 2, BODY_25.mirror[legs]]
    poses = reconstruct_person(rig, BODY_25, xy, score, times, ReconstructConfig())
    # Three good views remain at 10 mm a frame.
    assert np.nanmax(np.linalg.norm(poses.xyz[30:60, 0][:, legs] - truth[30:60][:, legs], axis=-1)) < 0.06


def test_nothing_to_agree_on_is_an_error():
    rig, _, times, xy, score = recording(frames=10)
    score[:, 1:] = 0
    with pytest.raises(ReconstructionError, match="two cameras"):
        reconstruct_person(rig, BODY_25, xy, score, times, ReconstructConfig())


def test_a_camera_that_never_sees_the_performer_is_named():
    rig, _, times, xy, score = recording(frames=30)
    score[:, 2] = 0
    keypoints = Keypoints(BODY_25, times, xy, score)
    with pytest.raises(ReconstructionError, match=r"cam03.*--allow-empty-views"):
        reconstruct_keypoints(rig, keypoints, ReconstructConfig())
    poses, _ = reconstruct_keypoints(rig, keypoints, ReconstructConfig(allow_empty_views=True))
    assert (poses.state == MEASURED).mean() > 0.95


def test_the_right_peak_is_taken_when_it_is_only_the_second_best():
    rig, truth, times, xy, score = recording(noise_px=1.0)
    peaks_xy = np.full((*xy.shape[:3], 3, 2), np.nan)
    peaks_score = np.zeros(peaks_xy.shape[:-1])
    peaks_xy[..., 0, :], peaks_score[..., 0] = xy, score
    # In two views the first guess of the wrist is the other wrist for half a second, its own peak comes second.
    for v in (0, 2):
        other = xy[40:70, v, BODY_25.mirror[WRIST]]
        peaks_xy[40:70, v, WRIST, 1], peaks_score[40:70, v, WRIST, 1] = xy[40:70, v, WRIST], 0.4
        peaks_xy[40:70, v, WRIST, 0], peaks_score[40:70, v, WRIST, 0] = other, 0.8
    first = replace(Keypoints(BODY_25, times, peaks_xy[..., 0, :], peaks_score[..., 0]))
    with_peaks = replace(first, peaks_xy=peaks_xy, peaks_score=peaks_score)
    poses, chosen = reconstruct_keypoints(rig, with_peaks, ReconstructConfig())
    error = np.linalg.norm(poses.xyz[40:70, 0, WRIST] - truth[40:70, WRIST], axis=-1)
    assert np.nanmax(error) < 0.03
    np.testing.assert_allclose(chosen.xy[50, 0, WRIST], xy[50, 0, WRIST])


def test_reassociation_leaves_far_peaks_alone():
    rig, truth, _, xy, score = recording(frames=2, noise_px=0.0)
    peaks_xy, peaks_score = xy[..., None, :] + 400.0, score[..., None]
    found, found_score = reassociate(rig, peaks_xy, peaks_score, truth, 0.12)
    assert np.isnan(found).all()
    assert (found_score == 0).all()


def test_quality_finds_a_shifted_camera_and_what_correcting_it_would_gain():
    rig, _, times, xy, score = recording(noise_px=2.0, missing=0.05)
    shift = np.array([12.0, -9.0])
    xy[:, 1] += shift
    poses = reconstruct_person(rig, BODY_25, xy, score, times, ReconstructConfig())
    quality = measure_quality(rig, xy, score, poses, ReconstructConfig().triangulation)
    # A part of the shift moves the scene instead and cannot be seen; most of it must be found, and in that camera.
    assert np.linalg.norm(quality.shift_px[1] - shift) < 6
    assert np.argmax(np.linalg.norm(quality.shift_px, axis=1)) == 1
    assert quality.left_out_px.mean() > 2 * quality.left_out_without_shift_px.mean()
    assert quality.limb_coverage > 0.99


def test_quality_of_a_good_rig_shows_no_shift():
    rig, _, times, xy, score = recording(noise_px=2.0, missing=0.05)
    poses = reconstruct_person(rig, BODY_25, xy, score, times, ReconstructConfig())
    quality = measure_quality(rig, xy, score, poses, ReconstructConfig().triangulation)
    # Between cameras a mean over 60 frames x 12 joints at 2 px scatters by less than 0.1 px. A shift common to all
    # cameras is a movement of the scene, which only the weak pull to zero holds: 1 px is 5 mm here.
    assert np.abs(quality.shift_px).max() < 1.0
    assert np.ptp(quality.shift_px[:, 1]) < 0.4
    # Prediction from three views (2 px) against a detection (2 px): median of 2D length about 1.18 * sqrt(2) * 2.
    assert 2.5 < quality.left_out_px.mean() < 5
    assert (quality.bone_cv < quality.bone_cv_per_frame).all()


def test_selecting_from_unequal_frame_rates_uses_only_frames_that_are_there():
    rig, _, times, _, _ = recording(frames=20)
    truth, _ = walking_person(20, seed=0)
    poses = observe(rig, truth, times, BODY_25, seed=0)
    index = np.tile(np.arange(20)[:, None], (1, 4))
    present = np.ones((20, 4), bool)
    present[7, 1] = False
    keypoints = select_performer(rig, [poses[n] for n in rig.names], times, index, present, ReconstructConfig())
    assert (keypoints.score[7, 1] == 0).all()
    assert (keypoints.score[8, 1] > 0).any()


def test_up_is_the_vertical_axis_of_a_ring_and_unknown_for_tumbled_cameras():
    rig = camera_ring(5, seed=3)
    np.testing.assert_array_equal(up_direction(rig), [0, 0, 1])
    tumbled = type(rig)(
        tuple(
            replace(c, R=np.diag([-1.0, -1.0, 1.0]) @ c.R, t=np.diag([-1.0, -1.0, 1.0]) @ c.t) if i % 2 else c
            for i, c in enumerate(camera_ring(4))
        )
    )
    assert up_direction(tumbled) is None
