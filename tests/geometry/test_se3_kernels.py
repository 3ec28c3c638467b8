import numpy as np
import pytest

from mv3d.geometry.rotations import rotation_from_vector
from mv3d.geometry.se3_kernels import adjoint, compose, exp_rotation, invert6


@pytest.mark.parametrize("length", [0.0, 1e-7, 1e-3, 2.5])
def test_exponential_agrees_with_the_reference(length: float) -> None:
    w = np.array([0.6, -0.64, 0.48]) * length
    out = np.empty((3, 3))
    exp_rotation(w, out)
    np.testing.assert_allclose(out, rotation_from_vector(w), atol=1e-14)


def test_adjoint_moves_a_change_of_the_board_into_the_camera() -> None:
    rng = np.random.default_rng(0)
    Rc, Rb = rotation_from_vector(rng.normal(size=(2, 3)))
    tc, tb = rng.normal(size=(2, 3))
    change = 1e-6 * rng.normal(size=6)
    A, R, t = np.empty((6, 6)), np.empty((3, 3)), np.empty(3)
    adjoint(Rc, tc, A)
    E = rotation_from_vector(change[:3])
    compose(Rc, tc, E @ Rb, E @ tb + change[3:], R, t)
    R0, t0 = Rc @ Rb, Rc @ tb + tc
    moved = A @ change
    # First order in a change of 1e-6: what is left is 1e-12.
    F = rotation_from_vector(moved[:3])
    np.testing.assert_allclose(R, F @ R0, atol=1e-10)
    np.testing.assert_allclose(t, F @ t0 + moved[3:], atol=1e-10)


def test_inverse_of_six() -> None:
    rows = np.random.default_rng(1).normal(size=(12, 6))
    V, L, inverse = rows.T @ rows, np.zeros((6, 6)), np.zeros((6, 6))
    invert6(V, 0.0, L, inverse)
    np.testing.assert_allclose(inverse @ V, np.eye(6), atol=1e-9)
