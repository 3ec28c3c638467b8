"""What the filters promise: cut-off, delay, spikes, gaps."""

from dataclasses import replace

import numpy as np
import pytest

from mv3d.data.poses import MISSING
from mv3d.data.skeletons import BODY_25
from mv3d.errors import ConfigError
from mv3d.motion.filters import FilterConfig, filtered, filtered_poses
from mv3d.synthetic.performer import walking_person

_TIMES = np.arange(1200) / 120


def _wave(hz: float) -> np.ndarray:
    return np.sin(2 * np.pi * hz * _TIMES)[:, None]


def _gain(hz: float, config: FilterConfig) -> float:
    """Amplitude that is left, in the middle of the wave."""
    return float(np.abs(filtered(_wave(hz), _TIMES, config)[300:900]).max())


@pytest.mark.parametrize("order", [1, 2, 4])
def test_butterworth_halves_the_power_at_its_cutoff_and_is_not_late(order):
    config = FilterConfig("butterworth", cutoff_hz=6.0, order=order)
    assert _gain(6.0, config) == pytest.approx(np.sqrt(0.5), abs=0.01)
    assert _gain(0.5, config) > 0.99
    assert _gain(40.0, config) < 0.05
    out = filtered(_wave(2.0), _TIMES, config)[300:900, 0]
    late = np.argmax([np.dot(out[30:-30], _wave(2.0)[300 + 30 - k : 900 - 30 - k, 0]) for k in range(-5, 6)]) - 5
    assert late == 0
    assert config.delay() == 0


def test_one_euro_is_late_by_what_it_says():
    config = FilterConfig("one_euro", cutoff_hz=2.0, beta=0.0)
    ramp = _TIMES[:, None]
    out = filtered(ramp, _TIMES, config)[:, 0]
    # In steady motion a low pass of first order is late by its time constant, up to half a frame of its discrete form.
    assert _TIMES[-1] - out[-1] == pytest.approx(config.delay(), abs=1 / 120)
    quick = filtered(ramp, _TIMES, replace(config, beta=5.0))[:, 0]
    assert _TIMES[-1] - quick[-1] < 0.3 * config.delay()


def test_hampel_takes_spikes_and_leaves_the_rest():
    x = _wave(1.0)
    spiked = x.copy()
    spiked[[200, 500, 501]] += 3.0
    out = filtered(spiked, _TIMES, FilterConfig("hampel"))
    assert np.abs(out - x).max() < 0.1
    assert np.mean(out == x) > 0.95


def test_gaps_are_not_mixed_and_short_runs_stay():
    x = np.ones((30, 1))
    x[10] = np.nan
    x[11:] = 5.0
    x[20] = np.nan
    out = filtered(x, _TIMES[:30], FilterConfig(cutoff_hz=6.0))
    np.testing.assert_allclose(out[:10], 1.0)
    np.testing.assert_allclose(out[21:], 5.0)
    np.testing.assert_array_equal(np.isnan(out), np.isnan(x))
    for kind in ("butterworth", "one_euro", "hampel"):
        for frames in (0, 1, 2, 3):
            assert filtered(x[:frames], _TIMES[:frames], FilterConfig(kind)).shape == (frames, 1)


def test_poses_with_a_cutoff_for_one_joint(make_poses):
    truth, times = walking_person(120)
    truth[50:60, BODY_25.index("Nose")] = np.nan
    poses = make_poses(truth, times)
    out = filtered_poses(poses, FilterConfig(cutoff_hz=20.0, joints={"RWrist": 2.0}))
    assert np.all(np.isnan(out.xyz[50:60, 0, 0]))
    assert np.all(out.state[50:60, 0, 0] == MISSING)

    def roughness(p, joint):
        return np.abs(np.diff(p.xyz[:, 0, BODY_25.index(joint)], n=3, axis=0)).mean()

    assert roughness(out, "RWrist") < 0.2 * roughness(out, "LWrist")
    assert roughness(out, "LWrist") < roughness(poses, "LWrist")


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda p: filtered_poses(p, FilterConfig(joints={"Tail": 2.0})), "Tail"),
        (lambda p: filtered_poses(p, FilterConfig(cutoff_hz=40.0)), "too high for 60"),
        (lambda p: FilterConfig(cutoff_hz=0.0), "above 0"),
        (lambda p: FilterConfig(cutoff_hz=float("nan")), "above 0"),
        (lambda p: FilterConfig(joints={"Nose": -1.0}), "above 0"),
    ],
)
def test_what_cannot_be_is_one_line(make_poses, make, message):
    poses = make_poses(*walking_person(30))
    with pytest.raises(ConfigError, match=message):
        make(poses)
