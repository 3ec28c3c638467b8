import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mv3d.geometry.rotations import look_along, nearest_rotation, rotation_from_vector, skew, vector_from_rotation

# Products of a handful of unit-size numbers: a few hundred units in the last place of a double.
_EXACT = 1e-13
_coordinate = st.floats(-1, 1)
_directions = st.tuples(_coordinate, _coordinate, _coordinate).filter(lambda v: np.linalg.norm(v) > 1e-3)
# Ordinary angles, and magnitudes packed near 0 and near pi where closed forms lose digits.
_tiny = st.integers(0, 17).map(lambda n: 10.0**-n)
_angles = st.one_of(st.floats(0, np.pi), _tiny, _tiny.map(lambda e: np.pi - min(e, np.pi)), st.just(0.0))


def _unit(v: tuple[float, ...]) -> np.ndarray:
    return np.array(v) / np.linalg.norm(v)


@given(_directions, _angles)
def test_exponential_is_a_rotation(direction: tuple[float, ...], angle: float) -> None:
    R = rotation_from_vector(angle * _unit(direction))
    np.testing.assert_allclose(R @ R.T, np.eye(3), atol=_EXACT)
    assert np.linalg.det(R) == pytest.approx(1, abs=_EXACT)
    np.testing.assert_allclose(R @ _unit(direction), _unit(direction), atol=_EXACT)
    assert np.trace(R) == pytest.approx(1 + 2 * np.cos(angle), abs=_EXACT)


@given(_directions, _angles)
def test_logarithm_undoes_exponential(direction: tuple[float, ...], angle: float) -> None:
    vector = angle * _unit(direction)
    back = vector_from_rotation(rotation_from_vector(vector))
    # At pi both signs of the axis are the same rotation; within 1e-7 of it rounding may choose either.
    wrong = min(np.abs(back - vector).max(), np.abs(back + vector).max() if angle > np.pi - 1e-7 else np.inf)
    assert wrong < 1e-12 if angle < np.pi - 1e-7 else wrong < 3e-7
    assert np.linalg.norm(back) <= np.pi + _EXACT


@given(_directions, _angles)
def test_exponential_undoes_logarithm(direction: tuple[float, ...], angle: float) -> None:
    R = rotation_from_vector(angle * _unit(direction))
    np.testing.assert_allclose(rotation_from_vector(vector_from_rotation(R)), R, atol=1e-12)


@pytest.mark.parametrize("axis", np.eye(3))
def test_half_turns_about_the_axes(axis: np.ndarray) -> None:
    R = 2 * np.outer(axis, axis) - np.eye(3)
    np.testing.assert_allclose(np.abs(vector_from_rotation(R)), np.pi * axis, atol=_EXACT)


def test_small_angles_keep_their_digits() -> None:
    vector = np.array([1.0, -2.0, 0.5]) * 10.0 ** -np.arange(4, 12)[:, None]
    back = vector_from_rotation(rotation_from_vector(vector))
    # R holds 1 + v: what is left of v is good to the last place of 1, not of v.
    np.testing.assert_allclose(back, vector, rtol=0, atol=4e-16)


def test_batches_of_any_shape() -> None:
    vectors = np.random.default_rng(0).normal(size=(2, 3, 3))
    R = rotation_from_vector(vectors)
    assert R.shape == (2, 3, 3, 3)
    assert vector_from_rotation(R).shape == (2, 3, 3)
    np.testing.assert_array_equal(R[1, 2], rotation_from_vector(vectors[1, 2]))
    assert vector_from_rotation(np.zeros((0, 3, 3))).shape == (0, 3)


def test_nan_stays_nan() -> None:
    assert np.isnan(rotation_from_vector(np.full(3, np.nan))).any()
    assert np.isnan(vector_from_rotation(np.full((3, 3), np.nan))).all()


def test_skew_is_the_cross_product() -> None:
    a, b = np.random.default_rng(1).normal(size=(2, 5, 3))
    np.testing.assert_allclose((skew(a) @ b[..., None])[..., 0], np.cross(a, b), atol=_EXACT)


@given(_directions, _angles, st.floats(0, 0.2), st.integers(0, 99))
def test_nearest_rotation_is_a_rotation_and_no_farther_than_the_true_one(
    direction: tuple[float, ...], angle: float, noise: float, seed: int
) -> None:
    R = rotation_from_vector(angle * _unit(direction))
    noisy = R + noise * np.random.default_rng(seed).normal(size=(3, 3))
    near = nearest_rotation(noisy)
    np.testing.assert_allclose(near @ near.T, np.eye(3), atol=_EXACT)
    assert np.linalg.det(near) > 0
    assert np.linalg.norm(near - noisy) <= np.linalg.norm(R - noisy) + _EXACT


def test_nearest_rotation_repairs_reflections() -> None:
    mirrored = np.stack([np.diag([1.0, 1.0, -1.0]), np.eye(3)])
    np.testing.assert_allclose(np.linalg.det(nearest_rotation(mirrored)), [1, 1], atol=_EXACT)


@given(_directions, _directions)
def test_look_along_points_the_axes(forward: tuple[float, ...], up: tuple[float, ...]) -> None:
    forward_unit, up_unit = _unit(forward), _unit(up)
    if np.linalg.norm(np.cross(forward_unit, up_unit)) < 1e-3:
        return
    R = look_along(np.array(forward), np.array(up))
    np.testing.assert_allclose(R @ R.T, np.eye(3), atol=1e-12)
    assert np.linalg.det(R) == pytest.approx(1, abs=1e-12)
    np.testing.assert_allclose(R @ forward_unit, [0, 0, 1], atol=1e-12)
    x, y, _ = R @ up_unit
    assert abs(x) < 1e-12  # level horizon
    assert y < 0  # up is towards the top of the image


def test_look_along_refuses_up_along_the_view() -> None:
    with pytest.raises(ValueError, match="parallel"):
        look_along(np.array([0.0, 0, 2]), np.array([0.0, 0, -1]))
