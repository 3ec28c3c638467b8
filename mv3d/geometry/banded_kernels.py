"""numba kernels for symmetric positive definite banded systems A = L D L^T.

A is stored by its lower band: `band[i, k]` is A[i, i - k] for k = 0 ... width. Factoring costs n width^2.
"""

import numpy as np
from numba import njit


@njit(cache=True)
def factor(band):
    """Replace A by its factors: column 0 becomes D, the others the unit lower triangle L. Returns log det A.

    NaN if A is not positive definite.
    """
    n, columns = band.shape
    width = columns - 1
    log_det = 0.0
    for i in range(n):
        first = max(0, i - width)
        for j in range(first, i):
            total = band[i, i - j]
            for k in range(max(first, j - width), j):
                total -= band[i, i - k] * band[j, j - k]
            band[i, i - j] = total
        pivot = band[i, 0]
        for j in range(first, i):
            product = band[i, i - j]
            scaled = product / band[j, 0]
            pivot -= product * scaled
            band[i, i - j] = scaled
        if not pivot > 0:
            return np.nan
        band[i, 0] = pivot
        log_det += np.log(pivot)
    return log_det


@njit(cache=True)
def solve(factors, b):
    """Solve A x = b in place of b, given `factor`'s result."""
    n, columns = factors.shape
    width = columns - 1
    for i in range(n):
        for j in range(max(0, i - width), i):
            b[i] -= factors[i, i - j] * b[j]
    for i in range(n):
        b[i] /= factors[i, 0]
    for i in range(n - 1, -1, -1):
        for j in range(max(0, i - width), i):
            b[j] -= factors[i, i - j] * b[i]


@njit(cache=True)
def inverse_band(factors, inverse):
    """The entries of A^-1 within the band, by the recursion of Takahashi (1973): inverse[i, k] = A^-1[i + k, i]."""
    n, columns = factors.shape
    width = columns - 1
    for i in range(n - 1, -1, -1):
        last = min(n - 1, i + width)
        for j in range(last, i - 1, -1):
            total = 1.0 / factors[i, 0] if j == i else 0.0
            for k in range(i + 1, last + 1):
                low, high = (k, j) if k < j else (j, k)
                total -= factors[k, k - i] * inverse[low, high - low]
            inverse[i, j - i] = total
