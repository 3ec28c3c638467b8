import numpy as np
import pytest

from mv3d.geometry.banded_kernels import factor, inverse_band, solve


def banded_matrix(n, width, seed=0):
    rng = np.random.default_rng(seed)
    L = np.tril(rng.normal(size=(n, n))) * (np.subtract.outer(np.arange(n), np.arange(n)) <= width)
    A = L @ L.T + n * np.eye(n)
    band = np.zeros((n, width + 1))
    for k in range(width + 1):
        band[k:, k] = np.diagonal(A, -k)
    return A, band


@pytest.mark.parametrize(("n", "width"), [(1, 0), (5, 2), (30, 8), (12, 11)])
def test_factor_solve_and_inverse_match_dense_algebra(n, width):
    A, band = banded_matrix(n, width)
    b = np.arange(1.0, n + 1)
    log_det = factor(band)
    assert log_det == pytest.approx(np.linalg.slogdet(A)[1], rel=1e-12)
    x = b.copy()
    solve(band, x)
    np.testing.assert_allclose(x, np.linalg.solve(A, b), rtol=1e-9)
    inverse = np.zeros_like(band)
    inverse_band(band, inverse)
    dense = np.linalg.inv(A)
    for k in range(width + 1):
        np.testing.assert_allclose(inverse[: n - k, k], np.diagonal(dense, k), rtol=1e-9, atol=1e-14)


def test_an_indefinite_matrix_is_told():
    _, band = banded_matrix(6, 2)
    band[3, 0] = -1
    assert np.isnan(factor(band))
