"""Missing frames, jitter and clocks that run apart, from frame times alone."""

import numpy as np
import pytest

from mv3d.files.arrival_clock import GapCounter, arrival_jitter, missing_before, on_common_clock

FPS = 30.0


def _beat(count: int, without: tuple[int, ...] = ()) -> np.ndarray:
    return np.delete(np.arange(count) / FPS, list(without))


@pytest.mark.parametrize("without", [(), (40,), (40, 41, 42), (10, 90, 91), (197,)])
def test_missing_frames_are_counted_where_they_are(without: tuple[int, ...]) -> None:
    times = _beat(200, without)
    missing = missing_before(times)
    assert missing.sum() == len(without)
    for first in without:
        if first - 1 not in without:
            assert missing[first - sum(w < first for w in without)] > 0


def test_late_frames_are_not_missing() -> None:
    """A network that holds three frames back and then hands them over at once."""
    times = _beat(200)
    times[60:63] = times[63] - np.array([3, 2, 1]) * 1e-3
    assert missing_before(times).sum() == 0
    times = np.delete(times, 61)
    assert missing_before(times).sum() == 1


def test_a_rate_that_changes_is_not_missing() -> None:
    """In the dark, webcams halve their rate."""
    times = np.concatenate([_beat(150), 150 / FPS + np.arange(150) * 2 / FPS])
    assert missing_before(times).sum() <= 1  # where it changes, one cannot know


@pytest.mark.parametrize("without", [(), (40,), (100, 101), (20, 60, 61, 150)])
def test_counted_while_they_come(without: tuple[int, ...]) -> None:
    counter = GapCounter()
    for time in _beat(200, without):
        counter.add(float(time))
    assert counter.missing == len(without)


def test_jitter() -> None:
    rng = np.random.default_rng(0)
    times = _beat(3000, (500, 501, 1200)) + rng.normal(0, 0.002, 2997)
    sd, p95 = arrival_jitter(times)
    # 3000 draws: the standard deviation of the estimate is 1.3 %; lines through 61 frames take 2 of 61 degrees away.
    assert sd == pytest.approx(0.002, rel=0.06)
    assert p95 == pytest.approx(1.96 * 0.002, rel=0.08)
    assert np.isnan(arrival_jitter(times[:5])).all()


@pytest.mark.parametrize("drift", [0.0, 5e-5, -5e-5])
def test_a_camera_with_its_own_clock(drift: float) -> None:
    rng = np.random.default_rng(1)
    world = np.arange(9000) / FPS
    device = 1e9 + world * (1 + drift)
    arrivals = world + 0.050 + rng.exponential(0.004, len(world))
    own = on_common_clock(device, arrivals)
    assert own is not None
    late = own - world
    # A constant delay stays, 50 ms and the median of the rest; what varies is gone.
    assert np.median(late) == pytest.approx(0.050 + 0.004 * np.log(2), abs=3e-4)
    assert np.ptp(late) < 5e-4


def test_device_times_that_cannot_be_used() -> None:
    arrivals = np.arange(2000) / FPS
    assert on_common_clock(np.full(2000, np.nan), arrivals) is None
    assert on_common_clock(np.where(np.arange(2000) == 7, np.nan, arrivals), arrivals) is None
    assert on_common_clock(np.zeros(2000), arrivals) is None
    assert on_common_clock(np.arange(2000) / 25.0, arrivals) is None, "counts frames at another rate"
    assert on_common_clock(np.empty(0), np.empty(0)) is None
