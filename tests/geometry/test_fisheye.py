import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mv3d.geometry import fisheye

_K = np.array([[420.0, 0, 641.5], [0, 424.0, 478.25], [0, 0, 1]])
_DIST = np.array([0.03, -0.006, 1.1e-3, -1e-4])


def _directions(seed: int, widest: float, n: int = 100) -> np.ndarray:
    """Points at 0.5 to 6 m, up to `widest` radians from the axis."""
    rng = np.random.default_rng(seed)
    theta, phi = rng.uniform(0, widest, n), rng.uniform(0, 2 * np.pi, n)
    unit = np.stack([np.sin(theta) * np.cos(phi), np.sin(theta) * np.sin(phi), np.cos(theta)], -1)
    return unit * rng.uniform(0.5, 6, (n, 1))


def test_projects_as_opencv_in_front() -> None:
    x_cam = _directions(0, 1.4)
    expected = cv2.fisheye.projectPoints(x_cam[:, None], np.zeros(3), np.zeros(3), _K, _DIST)[0][:, 0]
    np.testing.assert_allclose(fisheye.project(x_cam, _K, _DIST), expected, atol=1e-9)


def test_formula_beyond_ninety_degrees() -> None:
    theta = np.radians([95.0, 110.0])
    k = _DIST
    x_cam = np.stack([0 * theta, np.sin(theta), np.cos(theta)], -1)
    bent = theta * (1 + k[0] * theta**2 + k[1] * theta**4 + k[2] * theta**6 + k[3] * theta**8)
    expected = np.stack([np.full(2, _K[0, 2]), _K[1, 1] * bent + _K[1, 2]], -1)
    np.testing.assert_allclose(fisheye.project(x_cam, _K, _DIST), expected, atol=1e-9)


@pytest.mark.parametrize("widest", [1e-9, 1e-4, 1.5, 2.0])
def test_jacobians_agree_with_differences(widest: float) -> None:
    step = 1e-6
    parameters = np.concatenate([_K[[0, 1, 0, 1], [0, 1, 2, 2]], _DIST])

    def at(p: np.ndarray) -> np.ndarray:
        return fisheye.project(x_cam, np.array([[p[0], 0, p[2]], [0, p[1], p[3]], [0, 0, 1]]), p[4:])

    for x_cam in _directions(1, widest, 15):
        x_image, by_cam, by_parameters = fisheye.project_with_jacobians(x_cam, _K, _DIST)
        np.testing.assert_allclose(x_image, fisheye.project(x_cam, _K, _DIST), atol=1e-10)
        by_x = [
            (fisheye.project(x_cam + e, _K, _DIST) - fisheye.project(x_cam - e, _K, _DIST)) for e in step * np.eye(3)
        ]
        # Truncation of the differences is step^2 times third derivatives of up to 1e4 px / m^3, rounding 1e-7.
        np.testing.assert_allclose(by_cam, np.stack(by_x, -1) / (2 * step), atol=1e-5 * np.abs(by_cam).max() + 1e-6)
        by_p = [at(parameters + e) - at(parameters - e) for e in step * np.eye(8)]
        np.testing.assert_allclose(by_parameters, np.stack(by_p, -1) / (2 * step), atol=1e-4, rtol=1e-6)


@given(st.integers(0, 2**31), st.sampled_from([1e-10, 1e-5, 1.0, 2.0]))
def test_unproject_undoes_project(seed: int, widest: float) -> None:
    x_cam = _directions(seed, widest, 20)
    direction = x_cam / np.linalg.norm(x_cam, axis=-1, keepdims=True)
    # Pixels of 1e3 are good to 1e-13, divided by f of 400 and a slope of theta_d of at least 0.3.
    np.testing.assert_allclose(fisheye.unproject(fisheye.project(x_cam, _K, _DIST), _K, _DIST), direction, atol=1e-11)


@given(st.integers(0, 2**31))
def test_project_undoes_unproject_over_the_whole_image(seed: int) -> None:
    pixels = np.random.default_rng(seed).uniform([0, 0], [1280, 960], (20, 2))
    direction = fisheye.unproject(pixels, _K, _DIST)
    np.testing.assert_allclose(np.linalg.norm(direction, axis=-1), 1, atol=1e-12)
    np.testing.assert_allclose(fisheye.project(direction, _K, _DIST), pixels, atol=1e-8)


def test_the_principal_point_looks_along_the_axis() -> None:
    np.testing.assert_allclose(fisheye.unproject(_K[:2, 2], _K, _DIST), [0, 0, 1], atol=1e-15)
    np.testing.assert_allclose(fisheye.project(np.array([0.0, 0, 2]), _K, _DIST), _K[:2, 2], atol=1e-12)


def test_no_direction_no_pixel() -> None:
    for nowhere in ([0.0, 0, 0], [0.0, 0, -1], [np.nan, 0, 1]):
        assert np.isnan(fisheye.project(np.array(nowhere), _K, _DIST)).all()
    assert np.isnan(fisheye.unproject(np.array([np.nan, 3.0]), _K, _DIST)).all()


def test_beside_and_behind_are_seen() -> None:
    x_cam = np.array([[1.0, 0, 0], [1.0, 0, -0.2]])
    assert (np.diff(fisheye.project(x_cam, _K, _DIST)[:, 0]) > 0).all()


_FOLDING = [np.array(d) for d in ([-0.1, 0, 0, 0], [0.05, -0.03, 0, 0], [-0.2, 0.03, -0.003, 0])]


@pytest.mark.parametrize("dist", _FOLDING, ids=str)
def test_fold_angle_is_where_the_image_stops_growing(dist: np.ndarray) -> None:
    theta = np.linspace(0, np.pi, 200_001)[1:-1]
    bent = fisheye.project(np.stack([np.sin(theta), 0 * theta, np.cos(theta)], -1), np.eye(3), dist)[:, 0]
    assert fisheye.fold_angle(dist) == pytest.approx(theta[np.argmax(np.diff(bent) < 0)], abs=4e-5)  # the grid's step


@pytest.mark.parametrize("dist", _FOLDING, ids=str)
def test_pixels_beyond_the_fold_have_no_ray(dist: np.ndarray) -> None:
    reach = fisheye.fold_angle(dist)
    edge = _K[0, 0] * np.hypot(*fisheye.project(np.array([np.sin(reach), 0, np.cos(reach)]), np.eye(3), dist))
    beyond = _K[:2, 2] + np.array([[1.05 * edge, 0], [-3 * edge, 0], [20 * edge, 5 * edge]])
    assert np.isnan(fisheye.unproject(beyond, _K, dist)).all()
    inside = fisheye.unproject(_K[:2, 2] + np.array([0.97 * edge, 0]), _K, dist)
    assert 0 < np.arctan2(inside[0], inside[2]) < reach


def test_a_lens_without_fold_reaches_all_around() -> None:
    assert fisheye.fold_angle(np.zeros(4)) == np.pi
