import numpy as np
import pytest

from mv3d.geometry import double_sphere, fisheye, pinhole
from mv3d.geometry.lens_kernels import DOUBLE_SPHERE, FISHEYE, PINHOLE, bend

DIST = np.array([-0.2, 0.1, 1e-3, -2e-3, 0.03, 0.02, -0.01, 0.004, 1e-3, -5e-4, 2e-3, 3e-4, 0.02, -0.015])
K = np.eye(3)


def run(kind: int, dist: np.ndarray, x_cam: np.ndarray, room: int) -> tuple[bool, np.ndarray, np.ndarray, np.ndarray]:
    n = len(x_cam)
    bent, by_point, by_dist = np.full((2, n), 9.0), np.full((6, n), 9.0), np.full((2 * room, n), 9.0)
    padded = np.zeros(room)
    padded[: len(dist)] = dist
    ok = bend(kind, padded, len(dist), room, np.ascontiguousarray(x_cam.T), n, bent, by_point, by_dist)
    return ok, bent.T, by_point.reshape(2, 3, n).transpose(2, 0, 1), by_dist.reshape(2, room, n).transpose(2, 0, 1)


@pytest.mark.parametrize("count", [0, 4, 5, 8, 12, 14])
def test_pinhole_agrees_with_the_reference(count: int) -> None:
    x_cam = np.random.default_rng(0).uniform([-1, -1, 2], [1, 1, 4], (9, 3))
    ok, bent, by_point, by_dist = run(PINHOLE, DIST[:count], x_cam, 14)
    image, by_cam, by_parameters = pinhole.project_with_jacobians(x_cam, K, DIST[:count])
    assert ok
    # Both are closed forms of the same equations: only rounding differs.
    np.testing.assert_allclose(bent, image, atol=1e-12)
    np.testing.assert_allclose(by_point, by_cam, atol=1e-12)
    np.testing.assert_allclose(by_dist[..., :count], by_parameters[..., 4:], atol=1e-12)
    assert not by_dist[..., count:].any()


def test_fisheye_agrees_with_the_reference_also_behind_the_camera() -> None:
    x_cam = np.random.default_rng(1).uniform([-1, -1, -0.5], [1, 1, 1], (20, 3))
    dist = np.array([0.05, -0.01, 0.003, -0.001])
    ok, bent, by_point, by_dist = run(FISHEYE, dist, x_cam, 5)
    image, by_cam, by_parameters = fisheye.project_with_jacobians(x_cam, K, dist)
    assert ok
    np.testing.assert_allclose(bent, image, atol=1e-12)
    np.testing.assert_allclose(by_point, by_cam, atol=1e-10)
    np.testing.assert_allclose(by_dist[..., :4], by_parameters[..., 4:], atol=1e-12)


def test_pinhole_refuses_a_point_behind_it() -> None:
    assert not run(PINHOLE, DIST[:4], np.array([[0.0, 0, 1], [0, 0, -1]]), 4)[0]


@pytest.mark.parametrize("dist", [np.array([-0.2, 0.58]), np.array([0.3, 0.45])], ids=str)
def test_double_sphere_agrees_with_the_reference_also_behind_the_camera(dist: np.ndarray) -> None:
    x_cam = np.random.default_rng(1).uniform([-1, -1, -0.3], [1, 1, 1], (20, 3))
    ok, bent, by_point, by_dist = run(DOUBLE_SPHERE, dist, x_cam, 5)
    image, by_cam, by_parameters = double_sphere.project_with_jacobians(x_cam, K, dist)
    assert ok
    np.testing.assert_allclose(bent, image, rtol=1e-11)
    np.testing.assert_allclose(by_point, by_cam, rtol=1e-9, atol=1e-10)
    np.testing.assert_allclose(by_dist[..., :2], by_parameters[..., 4:], rtol=1e-9, atol=1e-11)
    assert not by_dist[..., 2:].any()


def test_double_sphere_refuses_what_it_cannot_show_and_cannot_be() -> None:
    ahead, behind = np.array([[0.1, 0, 1.0]]), np.array([[0.1, 0, 1], [0.1, 0, -1.0]])
    assert not run(DOUBLE_SPHERE, np.array([-0.2, 0.58]), behind, 2)[0]
    for dist in ([-1.2, 0.5], [0.0, -0.1], [0.0, 1.1]):
        assert not run(DOUBLE_SPHERE, np.array(dist), ahead, 2)[0]
