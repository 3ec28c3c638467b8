import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mv3d.geometry import double_sphere

_K = np.array([[420.0, 0, 641.5], [0, 424.0, 478.25], [0, 0, 1]])
# A wide lens, one of less than a half sphere's worth, and the unified model (xi = 0, alpha = 1/2 is stereographic).
_DISTS = [np.array(d) for d in ([-0.2, 0.58], [0.4, 0.62], [0.0, 0.5], [-0.1, 0.4])]


def _directions(seed: int, widest: float, n: int = 100) -> np.ndarray:
    """Points at 0.5 to 6 m, up to `widest` radians from the axis."""
    rng = np.random.default_rng(seed)
    theta, phi = rng.uniform(0, widest, n), rng.uniform(0, 2 * np.pi, n)
    unit = np.stack([np.sin(theta) * np.cos(phi), np.sin(theta) * np.sin(phi), np.cos(theta)], -1)
    return unit * rng.uniform(0.5, 6, (n, 1))


def _edge(dist: np.ndarray) -> float:
    return float(np.arccos(np.clip(double_sphere.edge_cosine(dist), -1, 1)))


def test_the_stereographic_lens_is_one_of_them() -> None:
    theta = np.radians([10.0, 80.0, 120.0])
    x_cam = 3 * np.stack([np.sin(theta), 0 * theta, np.cos(theta)], -1)
    x = double_sphere.project(x_cam, np.eye(3), np.array([0.0, 0.5]))[:, 0]
    np.testing.assert_allclose(x, 2 * np.tan(theta / 2), rtol=1e-12)


def test_the_pinhole_is_one_of_them() -> None:
    x_cam = np.array([[0.5, -0.2, 2.0], [-1.0, 1.0, 1.5]])
    expected = x_cam[:, :2] / x_cam[:, 2:]
    np.testing.assert_allclose(double_sphere.project(x_cam, np.eye(3), np.zeros(2)), expected, rtol=1e-12)


@pytest.mark.parametrize("dist", _DISTS, ids=str)
@pytest.mark.parametrize("widest", [1e-9, 1e-4, 1.2, 0.98])
def test_jacobians_agree_with_differences(dist: np.ndarray, widest: float) -> None:
    step = 1e-6
    parameters = np.concatenate([_K[[0, 1, 0, 1], [0, 1, 2, 2]], dist])

    def at(p: np.ndarray) -> np.ndarray:
        return double_sphere.project(x_cam, np.array([[p[0], 0, p[2]], [0, p[1], p[3]], [0, 0, 1]]), p[4:])

    for x_cam in _directions(1, widest * _edge(dist) if widest == 0.98 else widest, 15):
        x_image, by_cam, by_parameters = double_sphere.project_with_jacobians(x_cam, _K, dist)
        np.testing.assert_allclose(x_image, double_sphere.project(x_cam, _K, dist), atol=1e-10)
        by_x = [
            double_sphere.project(x_cam + e, _K, dist) - double_sphere.project(x_cam - e, _K, dist)
            for e in step * np.eye(3)
        ]
        # Truncation of the differences is step^2 times third derivatives, which grow towards the edge; rounding 1e-7.
        np.testing.assert_allclose(by_cam, np.stack(by_x, -1) / (2 * step), atol=1e-5 * np.abs(by_cam).max() + 1e-6)
        by_p = [at(parameters + e) - at(parameters - e) for e in step * np.eye(6)]
        np.testing.assert_allclose(by_parameters, np.stack(by_p, -1) / (2 * step), atol=1e-3, rtol=1e-6)


@given(st.integers(0, 2**31), st.sampled_from([1e-10, 1e-5, 0.6, 0.97]), st.sampled_from(range(len(_DISTS))))
def test_unproject_undoes_project(seed: int, share: float, which: int) -> None:
    dist = _DISTS[which]
    x_cam = _directions(seed, share * _edge(dist), 20)
    direction = x_cam / np.linalg.norm(x_cam, axis=-1, keepdims=True)
    found = double_sphere.unproject(double_sphere.project(x_cam, _K, dist), _K, dist)
    # Pixels of up to 1e4 are good to 1e-12; towards the edge the radius grows by a fiftieth of what it does inside.
    np.testing.assert_allclose(found, direction, atol=1e-10)


@pytest.mark.parametrize("dist", _DISTS, ids=str)
def test_the_radius_grows_up_to_the_edge_and_pixels_beyond_have_no_ray(dist: np.ndarray) -> None:
    theta = np.linspace(0, _edge(dist) - 1e-6, 10_001)
    x = double_sphere.project(np.stack([np.sin(theta), 0 * theta, np.cos(theta)], -1), np.eye(3), dist)[:, 0]
    assert (np.diff(x) > 0).all()
    if dist[1] > 0.5:  # else the whole plane is reached
        beyond = _K[:2, 2] + np.array([[1.01 * _K[0, 0] * x[-1], 0], [0, -20 * _K[1, 1] * x[-1]]])
        assert np.isnan(double_sphere.unproject(beyond, _K, dist)).all()


def test_the_principal_point_looks_along_the_axis() -> None:
    np.testing.assert_allclose(double_sphere.unproject(_K[:2, 2], _K, _DISTS[0]), [0, 0, 1], atol=1e-15)
    np.testing.assert_allclose(double_sphere.project(np.array([0.0, 0, 2]), _K, _DISTS[0]), _K[:2, 2], atol=1e-12)


def test_no_direction_no_pixel() -> None:
    for nowhere in ([0.0, 0, 0], [0.0, 0, -1], [np.nan, 0, 1]):
        assert np.isnan(double_sphere.project(np.array(nowhere), _K, np.array([-0.2, 0.4]))).all()
    assert np.isnan(double_sphere.unproject(np.array([np.nan, 3.0]), _K, _DISTS[0])).all()
