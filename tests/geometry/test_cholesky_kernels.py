import numpy as np

from mv3d.geometry.cholesky_kernels import factor, gather, invert, solve


def positive(n: int) -> np.ndarray:
    rows = np.random.default_rng(n).normal(size=(2 * n, n))
    return rows.T @ rows


def test_factor_solve_and_invert() -> None:
    A = positive(20)
    L, inverse, b = np.zeros_like(A), np.zeros_like(A), np.arange(20.0)
    assert factor(A, L)
    np.testing.assert_allclose(np.tril(L) @ np.tril(L).T, A, rtol=1e-10)
    x = b.copy()
    solve(L, x)
    np.testing.assert_allclose(A @ x, b, atol=1e-9)
    invert(L, inverse)
    np.testing.assert_allclose(inverse @ A, np.eye(20), atol=1e-9)


def test_a_singular_matrix_is_refused() -> None:
    A = np.ones((3, 3))
    assert not factor(A, np.zeros_like(A))


def test_gather_sums_parts_fixes_and_ties() -> None:
    parts = np.stack([np.tril(positive(4)), np.tril(positive(4)) * 0.5])
    rhs = np.arange(8.0).reshape(2, 4)
    owner = np.array([0, 0, -1, 1])
    A, b = np.empty((2, 2)), np.empty(2)
    gather(parts, rhs, owner, A, b)
    full = parts.sum(0)
    full = full + np.tril(full, -1).T
    T = np.array([[1.0, 0], [1, 0], [0, 0], [0, 1]])
    np.testing.assert_allclose(A, T.T @ full @ T)
    np.testing.assert_allclose(b, T.T @ rhs.sum(0))
