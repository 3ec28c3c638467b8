import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mv3d.geometry import pinhole

_K = np.array([[1180.0, 0, 955.5], [0, 1205.0, 548.25], [0, 0, 1]])
# A mild lens that uses every coefficient; its first k entries are the lens of k coefficients.
_DIST = np.array([-0.21, 0.06, 1.2e-3, -8e-4, 0.011, 0.03, -0.015, 0.004, 2e-3, -1e-3, 1.5e-3, 8e-4, 0.02, -0.03])
_COUNTS = pinhole.DISTORTION_COUNTS


def _points(seed: int, n: int = 200) -> np.ndarray:
    """Points up to 39 degrees from the axis, in front of the camera."""
    rng = np.random.default_rng(seed)
    return np.concatenate([rng.uniform(-0.8, 0.8, (n, 2)), np.ones((n, 1))], axis=1) * rng.uniform(0.5, 9, (n, 1))


def _differences(function: object, at: np.ndarray, step: float) -> np.ndarray:
    """Central differences of a function of one vector, on the last axis."""
    assert callable(function)
    columns = [(function(at + e) - function(at - e)) / (2 * step) for e in step * np.eye(len(at))]
    return np.stack(columns, axis=-1)


@pytest.mark.parametrize("count", _COUNTS)
def test_projects_as_opencv(count: int) -> None:
    x_cam, dist = _points(0), _DIST[:count]
    expected = cv2.projectPoints(x_cam, np.zeros(3), np.zeros(3), _K, dist if count else np.zeros(5))[0][:, 0]
    # Two evaluations of the same polynomials in doubles, at pixels of 1e3.
    np.testing.assert_allclose(pinhole.project(x_cam, _K, dist), expected, atol=1e-9)


@pytest.mark.parametrize("count", _COUNTS)
def test_jacobian_by_point_agrees_with_differences(count: int) -> None:
    for x_cam in _points(1, 20):
        _, by_cam, _ = pinhole.project_with_jacobians(x_cam, _K, _DIST[:count])
        slope = _differences(lambda x: pinhole.project(x, _K, _DIST[:count]), x_cam, 1e-6)
        # Central differences at 1e-6: truncation 1e-9, rounding 1e-13 px / 1e-6, against entries of up to 2e3.
        np.testing.assert_allclose(by_cam, slope, atol=1e-5 * np.abs(slope).max())


@pytest.mark.parametrize("count", _COUNTS)
def test_jacobian_by_point_is_the_same_alone(count: int) -> None:
    skewed = _K + np.array([[0, 3.0, 0], [0, 0, 0], [0, 0, 0]])
    x_image, by_cam, _ = pinhole.project_with_jacobians(_points(5), skewed, _DIST[:count])
    alone = pinhole.project_with_point_jacobian(_points(5), skewed, _DIST[:count])
    # The same products in another order, of numbers up to 2e3.
    np.testing.assert_allclose(alone[0], x_image, atol=1e-9)
    np.testing.assert_allclose(alone[1], by_cam, atol=1e-9)


@pytest.mark.parametrize("count", _COUNTS)
def test_jacobian_by_parameters_agrees_with_differences(count: int) -> None:
    def at(parameters: np.ndarray) -> np.ndarray:
        K = np.array([[parameters[0], 0, parameters[2]], [0, parameters[1], parameters[3]], [0, 0, 1]])
        return pinhole.project(x_cam, K, parameters[4:])

    parameters = np.concatenate([_K[[0, 1, 0, 1], [0, 1, 2, 2]], _DIST[:count]])
    for x_cam in _points(2, 10):
        _, _, by_parameters = pinhole.project_with_jacobians(x_cam, _K, _DIST[:count])
        assert by_parameters.shape == (2, 4 + count)
        np.testing.assert_allclose(by_parameters, _differences(at, parameters, 1e-6), atol=1e-4, rtol=1e-6)


def test_jacobian_by_tilt_holds_at_zero_tilt() -> None:
    untilted = np.concatenate([_DIST[:12], [0, 0]])
    x_norm = np.array([0.3, -0.2])
    _, _, by_dist = pinhole.distort_with_jacobians(x_norm, untilted)
    np.testing.assert_allclose(
        by_dist, _differences(lambda d: pinhole.distort(x_norm, d), untilted, 1e-6), atol=1e-9, rtol=1e-6
    )


def test_jacobians_come_with_the_same_pixels() -> None:
    x_cam = _points(3)
    for count in _COUNTS:
        x_image, _, _ = pinhole.project_with_jacobians(x_cam, _K, _DIST[:count])
        np.testing.assert_allclose(x_image, pinhole.project(x_cam, _K, _DIST[:count]), atol=1e-10)


@given(st.sampled_from(_COUNTS), st.integers(0, 2**31))
def test_undistort_undoes_project(count: int, seed: int) -> None:
    x_cam = _points(seed, 20)
    x_norm = pinhole.undistort(pinhole.project(x_cam, _K, _DIST[:count]), _K, _DIST[:count])
    # Newton stops at a residual of 1e-10 on the normalised plane, and this lens shrinks by less than 2.
    np.testing.assert_allclose(x_norm, x_cam[:, :2] / x_cam[:, 2:], atol=2e-10)


@given(st.integers(0, 2**31))
def test_project_undoes_undistort_over_the_whole_image(seed: int) -> None:
    pixels = np.random.default_rng(seed).uniform([0, 0], [1920, 1080], (20, 2))
    x_norm = pinhole.undistort(pixels, _K, _DIST)
    back = pinhole.project(np.concatenate([x_norm, np.ones((20, 1))], axis=1), _K, _DIST)
    np.testing.assert_allclose(back, pixels, atol=1e-6)  # 1e-10 times f of 1.2e3


@pytest.mark.parametrize("z", [0.0, -1e-9, -2.0])
def test_points_behind_the_camera_have_no_pixel(z: float) -> None:
    assert np.isnan(pinhole.project(np.array([0.1, 0.2, z]), _K, _DIST)).all()
    assert np.isnan(pinhole.project(np.array([0.1, 0.2, z]), _K, np.zeros(0))).all()


def test_missing_points_stay_missing_and_harm_no_other() -> None:
    pixels = np.array([[np.nan, np.nan], [700.0, 300.0]])
    x_norm = pinhole.undistort(pixels, _K, _DIST)
    assert np.isnan(x_norm[0]).all()
    np.testing.assert_array_equal(x_norm[1], pinhole.undistort(pixels[1], _K, _DIST))


# Barrel lenses that fold: the radius where r (1 + k1 r2 + ...) peaks, found on a fine grid below.
_FOLDING = [np.array(d) for d in ([-0.3, 0, 0, 0], [-0.35, 0.02, 1e-4, 1e-4, 0], [-0.3, 0.05, 0, 0, 0.02, 0.1, 0.2, 0])]


@pytest.mark.parametrize("dist", _FOLDING, ids=str)
def test_fold_radius_is_where_the_image_stops_growing(dist: np.ndarray) -> None:
    r = np.linspace(0, 3, 300_001)
    radial = dist.copy()
    radial[2:4] = 0
    bent = pinhole.distort(np.stack([r, 0 * r], -1), radial)[:, 0]
    assert pinhole.fold_radius(dist) == pytest.approx(r[np.argmax(np.diff(bent) < 0)], abs=2e-5)  # the grid's step


@pytest.mark.parametrize("dist", [[], [0.1, 0, 0, 0], [-0.12, 0.05, 0, 0, 0]], ids=str)
def test_lenses_that_never_fold(dist: list[float]) -> None:
    assert pinhole.fold_radius(np.array(dist, float)) == np.inf


def test_fold_of_the_rational_model() -> None:
    # r / (1 + 0.1 r2) peaks at r2 = 10.
    assert pinhole.fold_radius(np.array([0, 0, 0, 0, 0, 0.1, 0, 0])) == pytest.approx(np.sqrt(10))


def test_a_pole_of_the_rational_model_is_a_fold() -> None:
    assert pinhole.fold_radius(np.array([0, 0, 0, 0, 0, -0.25, 0, 0])) <= 2.0


@pytest.mark.parametrize("dist", _FOLDING, ids=str)
def test_pixels_beyond_the_fold_have_no_ray(dist: np.ndarray) -> None:
    reach = pinhole.fold_radius(dist)
    edge = pinhole.distort(np.array([reach, 0.0]), dist)[0] * _K[0, 0]
    beyond = _K[:2, 2] + np.array([[1.05 * edge, 0], [2 * edge, 0], [0, -1.5 * edge], [9 * edge, 9 * edge]])
    # Solutions exist there (the polynomial comes back on the other side of the axis), and must not be taken.
    assert np.isnan(pinhole.undistort(beyond, _K, dist)).all()
    inside = _K[:2, 2] + np.array([[0.97 * edge, 0], [0.5 * edge, 0.5 * edge]])
    found = pinhole.undistort(inside, _K, dist)
    assert (np.linalg.norm(found, axis=-1) < reach).all()


def test_shapes_and_emptiness() -> None:
    assert pinhole.project(np.ones((2, 3, 3)), _K, _DIST).shape == (2, 3, 2)
    assert pinhole.undistort(np.zeros((0, 2)), _K, _DIST).shape == (0, 2)
    _, by_cam, by_parameters = pinhole.project_with_jacobians(np.ones((2, 3, 3)), _K, _DIST[:8])
    assert by_cam.shape == (2, 3, 2, 3)
    assert by_parameters.shape == (2, 3, 2, 12)


def test_arguments_are_left_alone() -> None:
    pixels = np.full((3, 2), 400.0)
    for dist in (np.zeros(0), _DIST):
        pinhole.undistort(pixels, _K, dist)[:] = 0
        pinhole.distort(pixels, dist)[:] = 0
    assert (pixels == 400).all()
