"""Frames at another rate."""

import dataclasses

import numpy as np
import pytest

from mv3d.data.poses import FILLED, MEASURED, MISSING
from mv3d.errors import FormatError
from mv3d.export.timing import blend, is_regular, nominal_rate, resample_poses, resampling


def test_times_of_a_clock_that_counts_milliseconds_have_their_true_rate():
    times = np.round(np.arange(600) / 60, 3)
    assert nominal_rate(times) == 60
    assert is_regular(times)
    film = np.arange(600) * 1001 / 60_000
    assert nominal_rate(film) == pytest.approx(60_000 / 1001, rel=1e-12)
    assert nominal_rate(np.array([3.0])) == 0


def test_dropped_frames_are_no_constant_rate():
    times = np.delete(np.arange(100) / 30, [40, 41])
    assert not is_regular(times)
    assert is_regular(np.zeros(1))


@pytest.mark.parametrize("fps", [25.0, 60.0, 119.88, 240.0])
def test_a_straight_line_stays_one(poses, fps):
    """What moves at constant speed is interpolated without error, and the new frames lie in the old time."""
    line = np.linspace(0, 1, len(poses))[:, None, None, None] * np.array([1.0, -2.0, 3.0])
    whole = dataclasses.replace(
        poses, xyz=np.broadcast_to(line, poses.xyz.shape), state=np.full(poses.state.shape, MEASURED)
    )
    new = resample_poses(whole, fps)
    share = (new.timestamps - poses.timestamps[0]) / np.ptp(poses.timestamps)
    np.testing.assert_allclose(new.xyz[:, 0, 0], share[:, None] * [1.0, -2.0, 3.0], atol=1e-12)
    np.testing.assert_allclose(np.diff(new.timestamps), 1 / fps, atol=1e-12)
    assert share[-1] <= 1 + 1e-9
    assert (len(new) - 1) / fps == pytest.approx(np.ptp(poses.timestamps), abs=1 / fps)


def test_gaps_stay_gaps_and_are_not_filled(poses):
    """Beside a missing point there is no interpolation; on a frame the frame counts alone."""
    new = resample_poses(poses, 120.0)
    assert len(new) == 2 * len(poses) - 1
    np.testing.assert_allclose(new.xyz[::2], poses.xyz, atol=1e-12)
    np.testing.assert_array_equal(new.state[::2], poses.state)
    missing = poses.state == MISSING
    np.testing.assert_array_equal(new.state[1::2] == MISSING, missing[1:] | missing[:-1])
    assert new.state[1, 0, 5] == FILLED
    assert new.n_views[1, 0, 5] == 0
    assert new.state[1, 0, 6] == MEASURED


def test_nothing_is_made_up_over_a_hole_in_the_recording():
    times = np.array([0.0, 0.1, 0.2, 1.2, 1.3])
    values = blend(np.arange(5.0)[:, None], resampling(times, 10.0))
    assert np.isnan(values[3:12]).all()
    np.testing.assert_allclose(values[[0, 1, 2, 12, 13], 0], [0, 1, 2, 3, 4], atol=1e-9)


def test_one_frame_stays_one(poses):
    single = resampling(poses.timestamps[:1], 100.0)
    np.testing.assert_allclose(blend(poses.xyz[:1], single), poses.xyz[:1])


def test_a_rate_that_fills_the_disk_is_refused():
    with pytest.raises(FormatError, match="choose a lower --fps"):
        resampling(np.array([0.0, 1e6]), 10_000.0)
