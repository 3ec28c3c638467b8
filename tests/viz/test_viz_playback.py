import numpy as np
import pytest

from mv3d.viz.display import Display
from mv3d.viz.playback import HELP, Playback, advanced, at_frame, frame_of, pressed

_TIMES = 5.0 + np.arange(300) / 30  # ten seconds that do not begin at zero
_CAMERAS = ("cam01", "cam02", "cam03")


def _after(*keys: str, state: Playback | None = None) -> Playback:
    state = Playback(is_playing=False) if state is None else state
    for key in keys:
        state = pressed(state, key, _TIMES, _CAMERAS)
    return state


def _frame(*keys: str) -> int:
    return frame_of(_after(*keys), _TIMES)


def test_it_plays_at_the_pace_of_the_recording_and_begins_again() -> None:
    state = advanced(Playback(), 10.4 / 30, _TIMES)
    assert frame_of(state, _TIMES) == 10
    state = advanced(state, 9.8, _TIMES)  # past the end, in the pause
    assert frame_of(state, _TIMES) == 299
    assert frame_of(advanced(state, 1.0, _TIMES), _TIMES) == 0


@pytest.mark.parametrize(("keys", "speed"), [("-", 0.5), ("=", 2.0), ("==-", 2.0), ("-" * 9, 1 / 16), ("=" * 9, 16)])
def test_speed(keys: str, speed: float) -> None:
    state = _after(*keys, state=Playback())
    assert state.speed == speed
    assert advanced(state, 0.1, _TIMES).elapsed == pytest.approx(0.1 * speed)


def test_frames_of_irregular_times() -> None:
    times = np.array([0.0, 0.1, 0.5, 0.6])
    assert [frame_of(Playback(elapsed=t), times) for t in (0.0, 0.09, 0.1, 0.49, 0.5, 9.0)] == [0, 0, 1, 1, 2, 3]
    # Every frame is found again from its own time.
    assert [frame_of(at_frame(Playback(), f, _TIMES), _TIMES) for f in range(300)] == list(range(300))


def test_steps_stop_and_go_round() -> None:
    assert _frame("right", "right", "left") == 1
    assert _frame("left") == 299
    assert not _after("right", state=Playback()).is_playing


@pytest.mark.parametrize(
    ("keys", "frame"),
    [
        (("up",), 30),
        (("up", "up", "down"), 30),
        (("down",), 0),
        (("end",), 299),
        (("end", "up"), 299),
        (("end", "home"), 0),
        (("end", "down"), 269),
        # A tenth of the 299 intervals is 29.9, which shows frame 29.
        (("page up",), 29),
        (("page up", "page down"), 0),
    ],
)
def test_scrubbing_stays_within_the_recording(keys: tuple[str, ...], frame: int) -> None:
    assert _frame(*keys) == frame


def test_scrubbing_goes_on_playing() -> None:
    assert _after("up", state=Playback()).is_playing
    # Also out of the pause at the end, which is no frame of its own.
    late = Playback(elapsed=10.3)
    assert frame_of(_after("down", state=late), _TIMES) == 269


def test_space_stops_and_goes_on_from_there() -> None:
    state = _after("space", state=Playback(elapsed=3.0))
    assert advanced(state, 60.0, _TIMES) == state
    assert _after("space", state=state) == Playback(elapsed=3.0)


@pytest.mark.parametrize(
    ("key", "layer"),
    [*zip("itgfkdh", ("images", "trails", "ghost", "floor", "cameras", "detections", "help"), strict=True)],
)
def test_a_key_switches_its_layer_and_no_other(key: str, layer: str) -> None:
    once, twice = _after(key).display, _after(key, key).display
    differing = {name for name in Display.__slots__ if getattr(once, name) != getattr(Display(), name)}
    assert differing == {layer}
    assert twice == Display()


def test_ellipsoids_go_round() -> None:
    assert [_after(*"u" * n).display.ellipsoids for n in range(5)] == [0, 1, 5, 0, 1]


def test_cameras_by_digit_and_in_turn() -> None:
    assert _after("2").display.camera == "cam02"
    assert _after("2", "9").display.camera == "cam02"  # there is no ninth
    assert _after("2", "0").display.camera is None
    assert [_after(*"c" * n).display.camera for n in range(5)] == [None, *_CAMERAS, None]


@pytest.mark.parametrize("times", [np.array([7.0]), np.array([0.0, 0.04])])
def test_one_and_two_frames(times: np.ndarray) -> None:
    for key in [key for keys, _ in HELP for key in keys.split(", ")]:
        state = pressed(Playback(), key, times, _CAMERAS)
        assert 0 <= frame_of(state, times) < len(times)
        assert 0 <= frame_of(advanced(state, 0.3, times), times) < len(times)


def test_other_keys_change_nothing() -> None:
    assert _after("x", "", "escape") == Playback(is_playing=False)


@pytest.mark.parametrize("wrong", [{"trail_s": 0.0}, {"trail_s": float("nan")}, {"ellipsoids": -1.0}])
def test_wrong_layers_are_refused(wrong: dict) -> None:
    with pytest.raises(ValueError, match="wanted"):
        Display(**wrong)
