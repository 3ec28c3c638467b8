from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mv3d.errors import VideoError
from mv3d.files.multiview import Timeline, check_same_length, match_times, read_together
from mv3d.files.video import probe_video

STEP = 8  # as in conftest: frame i is grey 8 i


def _every(step: float, count: int, start: float = 0.0) -> np.ndarray:
    return start + step * np.arange(count)


def _own_frames(timeline: Timeline, view: int) -> list[int | None]:
    """The view's frame at each instant; None where it has none."""
    rows = zip(timeline.index[:, view], timeline.present[:, view], strict=True)
    return [int(i) if there else None for i, there in rows]


def test_equal_times() -> None:
    timeline = match_times([_every(0.04, 5)] * 3)
    np.testing.assert_array_equal(timeline.timestamps, _every(0.04, 5))
    for view in range(3):
        assert _own_frames(timeline, view) == [0, 1, 2, 3, 4]


def test_a_constant_lag_below_half_an_interval() -> None:
    for lag in (-0.019, 0.019):
        timeline = match_times([_every(0.04, 6), _every(0.04, 6, lag)])
        assert _own_frames(timeline, 1) == list(range(6))


def test_a_lag_of_one_frame() -> None:
    """Matched by time, not by number; the view with the most frames, here the first of equals, sets the instants."""
    timeline = match_times([_every(0.04, 6), _every(0.04, 6, 0.041)])
    assert _own_frames(timeline, 1) == [None, 0, 1, 2, 3, 4]


def test_dropped_frames_are_absent_and_shift_nothing() -> None:
    whole, dropped = _every(0.04, 8), np.delete(_every(0.04, 8), [2, 3, 7])
    timeline = match_times([dropped, whole])
    assert _own_frames(timeline, 1) == list(range(8))
    assert _own_frames(timeline, 0) == [0, 1, None, None, 2, 3, 4, None]


def test_half_the_rate() -> None:
    for start in (0.0, 0.004, -0.004):
        timeline = match_times([_every(1 / 30, 5, start), _every(1 / 60, 10)])
        assert _own_frames(timeline, 0) == [0, None, 1, None, 2, None, 3, None, 4, None]


def test_a_slow_view_that_is_nearer_to_the_second_of_two_instants() -> None:
    """Its frame shows the instant that it is nearest to, even if an earlier instant has no nearer frame either."""
    timeline = match_times([_every(1 / 60, 8), _every(1 / 30, 4, 0.016)])
    assert _own_frames(timeline, 1) == [None, 0, None, 1, None, 2, None, 3]


def test_unequal_lengths() -> None:
    timeline = match_times([_every(0.04, 4), _every(0.04, 7), _every(0.04, 2, 0.2)])
    assert len(timeline) == 7
    assert _own_frames(timeline, 0) == [0, 1, 2, 3, None, None, None]
    assert _own_frames(timeline, 2) == [None, None, None, None, None, 0, 1]


def test_one_frame_each() -> None:
    timeline = match_times([np.array([0.0]), np.array([0.5])])
    assert _own_frames(timeline, 1) == [0]


@given(
    st.lists(
        st.lists(st.floats(0, 10), min_size=1, max_size=12, unique_by=lambda x: round(x, 3)), min_size=1, max_size=4
    )
)
def test_any_times(lists: list[list[float]]) -> None:
    """No frame twice, in order, never farther than half an interval, and an exact match is always taken."""
    times = [np.sort(np.array(own)) for own in lists]
    timeline = match_times(times)
    reference = timeline.timestamps
    tolerance = 0.5 * np.median(np.diff(reference)) if len(reference) > 1 else np.inf
    for view, own in enumerate(times):
        there = timeline.present[:, view]
        used = timeline.index[there, view]
        assert (np.diff(used) > 0).all()
        assert (np.abs(own[used] - reference[there]) <= tolerance + 1e-6).all()
        for instant, time in enumerate(reference):
            if time in own:
                assert _own_frames(timeline, view)[instant] == int(np.flatnonzero(own == time)[0])


def test_reading_together_gives_the_right_images(make_video: Callable[..., Path]) -> None:
    pts = list(range(0, 400, 40))
    videos = [
        probe_video(make_video("a.mp4", pts)),
        probe_video(make_video("b.mp4", [t for t in pts if t not in (80, 320)])),
        probe_video(make_video("c.mp4", [t + 10 for t in pts[::2]])),
    ]
    timeline = match_times([video.timestamps for video in videos])
    seen = [
        [None if image is None else round(float(image.mean()) / STEP) for image in images]
        for images in read_together(videos, timeline)
    ]
    assert [row[0] for row in seen] == list(range(10))
    assert [row[1] for row in seen] == [0, 1, None, 2, 3, 4, 5, 6, None, 7]
    # A video's own times start at 0, so that its lag of 10 ms is not seen.
    assert [row[2] for row in seen] == [0, None, 1, None, 2, None, 3, None, 4, None]


def test_offsets_of_clocks_move_frames_to_others() -> None:
    """A view 2.4 frames late: its third frame shows the reference's first, 0.4 frames later than that."""
    times = np.arange(10) / 10.0
    timeline = match_times([times, times], [np.zeros(10), np.full(10, -0.24)])
    assert timeline.timestamps == pytest.approx(times)
    assert timeline.present[:, 1].tolist() == [True] * 8 + [False] * 2
    assert timeline.index[:8, 1].tolist() == list(range(2, 10))
    assert timeline.time_shift is not None
    assert timeline.time_shift[:8, 1] == pytest.approx(-0.04)
    assert not timeline.time_shift[8:].any()
    assert not timeline.time_shift[:, 0].any()


def test_a_part_of_a_timeline_keeps_its_shifts() -> None:
    times = np.arange(6) / 10.0
    part = match_times([times, times + 0.03]).only(np.arange(6) >= 4)
    assert part.time_shift is not None
    assert part.time_shift[:, 1] == pytest.approx([0.03, 0.03])
    assert Timeline(part.timestamps, part.index, part.present).only(slice(0, 1)).time_shift is None


def test_reading_a_part(make_video: Callable[..., Path]) -> None:
    video = probe_video(make_video("a.mp4", list(range(0, 400, 40))))
    timeline = match_times([video.timestamps])
    part = Timeline(timeline.timestamps[4:6], timeline.index[4:6], timeline.present[4:6])
    assert [round(float(image.mean()) / STEP) for (image,) in read_together([video], part) if image is not None] == [
        4,
        5,
    ]


def test_a_video_with_fewer_frames_than_before(make_video: Callable[..., Path]) -> None:
    """Somebody replaces the file after it was looked at."""
    video = probe_video(make_video("a.mp4", list(range(0, 400, 40))))
    make_video("a.mp4", list(range(0, 200, 40)))
    with pytest.raises(VideoError, match=r"a\.mp4"):
        list(read_together([video], match_times([video.timestamps])))


def test_lengths_that_differ(make_video: Callable[..., Path]) -> None:
    long, short = (make_video(f"{n}.mp4", list(range(0, 40 * n, 40))) for n in (10, 9))
    dropped = make_video("dropped.mp4", [t for t in range(0, 400, 40) if t != 80])
    check_same_length([probe_video(long), probe_video(dropped)])
    with pytest.raises(VideoError, match=r"9\.mp4: 9 frames \(0\.36 s\), but 10\.mp4 has 10 .*--common-time"):
        check_same_length([probe_video(long), probe_video(short)])
