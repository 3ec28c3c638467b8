"""Axes and units: where a file's coordinates come from."""

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from mv3d.errors import ConfigError
from mv3d.export.options import ExportOptions, axis_name, place, turn_upright

_DIRECTIONS = st.tuples(*[st.floats(-1, 1)] * 3).filter(lambda v: np.linalg.norm(v) > 1e-3)


@given(_DIRECTIONS)
@example((1e-9, 0.0, -1.0))
@example((0.0, 1e-13, -1.0))
def test_up_is_turned_onto_the_axis_by_a_rotation(up):
    for axes, axis in (("z_up", [0, 0, 1]), ("y_up", [0, 1, 0])):
        placement = place(axes, "m", up)
        R = placement.axes_from_world
        np.testing.assert_allclose(R @ R.T, np.eye(3), atol=1e-9)
        assert np.linalg.det(R) == pytest.approx(1)
        np.testing.assert_allclose(placement.up, axis, atol=1e-9)
        np.testing.assert_allclose(R @ (np.array(up) / np.linalg.norm(up)), axis, atol=1e-9)


def test_the_least_rotation():
    """A world whose z is up stays as it is; the turn is by the angle between the directions and no more."""
    np.testing.assert_array_equal(turn_upright(np.array([0.0, 0, 1])), np.eye(3))
    assert np.trace(turn_upright(np.array([0.0, -1, 0]))) == pytest.approx(1 + 2 * np.cos(np.pi / 2))
    np.testing.assert_array_equal(turn_upright(np.array([0.0, 0, -1])), np.diag([1, -1, -1]))
    np.testing.assert_array_equal(place("y_up").points(np.array([1.0, 2, 3])), [1, 3, -2])


def test_units_and_missing_points():
    points = np.array([[1.0, 2, 3], [np.nan] * 3])
    np.testing.assert_array_equal(place("world", "mm").points(points), points * 1000)
    np.testing.assert_array_equal(place().points(points), points)


def test_names_of_axes():
    assert axis_name(np.array([0.0, -1, 0])) == "-Y"
    assert axis_name(np.array([0.0, 0.6, 0.8])) is None
    assert "up is -Y" in place("world", "m", (0.0, -1.0, 0.0)).description


@pytest.mark.parametrize("fps", [0.0, float("nan"), -1.0, float("inf")])
def test_rates_that_cannot_be(fps):
    with pytest.raises(ConfigError, match="fps is"):
        ExportOptions(fps=fps)
