"""Clocks of cameras from synthetic motion whose offsets are known."""

from dataclasses import replace

import numpy as np
import pytest

from mv3d.data.rig import Rig
from mv3d.data.skeletons import BODY_25, LIMB_JOINTS
from mv3d.reconstruct.keypoints import Keypoints
from mv3d.reconstruct.local_motion import local_motion
from mv3d.reconstruct.sync import estimate_sync
from mv3d.reconstruct.sync_refinement import SyncConfig
from mv3d.reconstruct.sync_scan import scan_offsets
from mv3d.reconstruct.tracks import tracks_of
from mv3d.synthetic.observations import observe
from mv3d.synthetic.performer import walking_person
from mv3d.synthetic.rigs import camera_ring

FPS = 60.0
# The performer is made at this many times the frame rate, so that offsets may be fractions of a frame.
FINE = 10
LIMBS = BODY_25.indices(LIMB_JOINTS)
# The scan's own reach in these short recordings is a third of them.
CONFIG = SyncConfig(most_frames=240)


def session(
    offsets: list[float],
    frames: int = 240,
    *,
    drift: list[float] | None = None,
    fps: float = FPS,
    missing: float = 0.3,
    shift: np.ndarray | None = None,
    seed: int = 0,
) -> tuple[Rig, Keypoints]:
    """Cameras on a ring; camera v's stamp t is the world at t + offsets[v] frames + drift[v] (t - middle)."""
    rig = camera_ring(len(offsets), seed=seed)
    stamps = np.arange(frames) / fps
    pad = 2 * FINE * int(max(map(abs, offsets)) + 20)
    xyz, _ = walking_person(frames * FINE + 2 * pad, fps=fps * FINE, seed=seed)
    xy, score = [], []
    for v, name in enumerate(rig.names):
        moved = offsets[v] / fps + (0.0 if drift is None else drift[v]) * (stamps - stamps.mean())
        at = np.round((stamps + moved) * fps * FINE).astype(int) + pad
        poses = observe(rig, xyz[at], stamps, BODY_25, missing=missing, outliers=0.05, seed=seed)[name]
        xy.append(poses.xy[:, 0].astype(float) + (0.0 if shift is None else shift[v]))
        score.append(poses.score[:, 0].astype(float))
    return rig, Keypoints(BODY_25, stamps, np.stack(xy, 1), np.stack(score, 1))


def relative(offsets: np.ndarray) -> np.ndarray:
    """Offsets around their mean: all clocks late alike cannot be seen."""
    return np.asarray(offsets, float) - np.mean(offsets)


@pytest.mark.parametrize("offsets", [[0.0, 7.3, -12.6, 28.4], [0.0, 0.0, 2.6, 0.0]])
def test_offsets_to_a_tenth_of_a_frame(offsets: list[float]) -> None:
    rig, keypoints = session(offsets)
    sync = estimate_sync(rig, keypoints, LIMBS, CONFIG)
    assert sync is not None
    assert sync.applied
    # Image velocities of about 4 px a frame against 2 px of noise, some 1,500 seen joints: 0.03 frames; 0.1 is wanted.
    assert np.abs(relative(sync.time_offsets * FPS) - relative(offsets)).max() < 0.1
    assert sync.left_out_synced_px.mean() < 0.8 * sync.left_out_px.mean()


def test_eight_cameras_that_are_off_in_both_directions() -> None:
    offsets = [0.0, 10.0, 0.0, -20.0, 0.0, 5.5, 0.0, 0.4]
    rig, keypoints = session(offsets, frames=160)
    sync = estimate_sync(rig, keypoints, LIMBS, CONFIG)
    assert sync is not None
    assert np.abs(relative(sync.time_offsets * FPS) - relative(offsets)).max() < 0.1


def test_one_camera_is_named_not_the_others() -> None:
    rig, keypoints = session([0.0, 0.0, -2.6, 0.0])
    sync = estimate_sync(rig, keypoints, LIMBS, CONFIG)
    assert sync is not None
    assert np.flatnonzero(sync.time_offsets).tolist() == [2]
    assert sync.time_offsets[2] * FPS == pytest.approx(-2.6, abs=0.1)


def test_cameras_in_sync_are_left_alone_where_the_rig_does_not_fit() -> None:
    # The image shifts of a real recording, which pass for two or three frames where a person walks one way.
    shift = np.array([[16.0, 8], [-7, 0], [11, 16], [5, -7]])
    rig, keypoints = session([0.0] * 4, shift=shift)
    sync = estimate_sync(rig, keypoints, LIMBS, CONFIG)
    assert sync is not None
    assert not sync.applied
    assert np.abs(sync.time_offsets * FPS).max() < 0.2
    assert not sync.shift_at(keypoints.timestamps, 0).any()


def test_a_clock_that_drifts() -> None:
    # 30 s at 20 frames/s; a drift of 2e-3 (far worse than any crystal) moves a camera by 0.6 frames at either end.
    rig, keypoints = session([0.0, 0.0, 0.0, 0.0], 600, drift=[0.0, 2e-3, 0.0, 0.0], fps=20.0)
    sync = estimate_sync(rig, keypoints, LIMBS, replace(CONFIG, most_frames=600, most_drift=1e-2))
    assert sync is not None
    assert sync.applied
    assert sync.drift[1] == pytest.approx(2e-3, rel=0.15)
    assert sync.shift_at(keypoints.timestamps, 1)[[0, -1]] * 20.0 == pytest.approx([-0.6, 0.6], abs=0.1)


def test_frame_times_of_the_cameras_are_used() -> None:
    """A camera that is late by its own stamps is in sync."""
    rig, keypoints = session([0.0, 0.0, 0.4, 0.0])
    time_shift = np.zeros((len(keypoints.timestamps), 4))
    time_shift[:, 2] = 0.4 / FPS
    sync = estimate_sync(rig, replace(keypoints, time_shift=time_shift), LIMBS, CONFIG)
    assert sync is not None
    assert not sync.applied


def test_a_slower_camera_and_dropped_frames() -> None:
    offsets = [0.0, 4.5, 0.0, 0.0]
    rig, keypoints = session(offsets, missing=0.1)
    score = keypoints.score.copy()
    score[1::2, 1] = 0.0  # half the frame rate
    score[40:55, 2] = 0.0
    xy = np.where(score[..., None] > 0, keypoints.xy, np.nan)
    sync = estimate_sync(rig, replace(keypoints, xy=xy, score=score), LIMBS, CONFIG)
    assert sync is not None
    assert np.abs(relative(sync.time_offsets * FPS) - relative(offsets)).max() < 0.1


def test_what_cannot_be_told_is_none() -> None:
    rig, keypoints = session([0.0] * 4, frames=20)
    two = replace(keypoints, xy=keypoints.xy[:, :2], score=keypoints.score[:, :2])
    assert estimate_sync(rig.subset(rig.names[:2]), two, LIMBS, CONFIG) is None
    blind = replace(keypoints, score=keypoints.score * np.array([1, 1, 1, 0.0])[:, None])
    assert estimate_sync(rig, blind, LIMBS, CONFIG) is None
    assert estimate_sync(rig, keypoints, (), CONFIG) is None


def test_the_scan_finds_whole_frames() -> None:
    rig, keypoints = session([0.0, 15.0, -8.0, 3.0], frames=150)
    scan = scan_offsets(rig, tracks_of(keypoints), list(LIMBS), 0.8, 100)
    assert scan is not None
    assert np.abs(scan.offsets * FPS - [0, 15, -8, 3]).max() <= 1.0
    assert np.nanargmin(scan.cost, axis=1).tolist() == [len(scan.lags) // 2] * 4


def test_local_motion_is_exact_on_parabolas_and_blind_beyond_a_window() -> None:
    t = np.arange(40) / 50.0
    path = np.stack([1 + 2 * t - t**2, 3 * t, np.ones_like(t)], axis=-1)[:, None]
    windows = np.repeat([0, 1], 20)
    path[20:] += 100.0  # another time, another place
    path[7] = np.nan
    position, velocity = local_motion(path, t, windows, 0.1)
    assert np.abs(position[:, 0] - np.where(np.isnan(path[:, 0]), position[:, 0], path[:, 0])).max() < 1e-6
    # The ridge of 1e-9 on positions of 100 m.
    assert np.abs(velocity[:, 0] - np.stack([2 - 2 * t, 3 + 0 * t, 0 * t], axis=-1)).max() < 1e-4
    assert np.isnan(local_motion(path[:4], t[:4], windows[:4], 0.1)[0]).all()
