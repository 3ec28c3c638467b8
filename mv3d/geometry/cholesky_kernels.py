"""numba kernels for dense symmetric positive definite systems of a few hundred unknowns.

Written out because a threaded BLAS takes longer to wake its threads than such a system takes to solve: measured 61 ms
against 2 ms for 240 unknowns on two shared cores.
"""

import numpy as np
from numba import njit


@njit(cache=True, fastmath=True)
def factor(A, L):
    """Lower triangle L with A = L L^T, from A's lower triangle. Returns False if A is not positive definite."""
    n = len(A)
    for i in range(n):
        for j in range(i):
            total = A[i, j]
            for k in range(j):
                total -= L[i, k] * L[j, k]
            L[i, j] = total / L[j, j]
        pivot = A[i, i]
        for k in range(i):
            pivot -= L[i, k] * L[i, k]
        if not pivot > 1e-14 * A[i, i]:
            return False
        L[i, i] = np.sqrt(pivot)
    return True


@njit(cache=True, fastmath=True)
def solve(L, b):
    """Solve L L^T x = b in place of b."""
    n = len(L)
    for i in range(n):
        total = b[i]
        for k in range(i):
            total -= L[i, k] * b[k]
        b[i] = total / L[i, i]
    for i in range(n - 1, -1, -1):
        b[i] /= L[i, i]
        value = b[i]
        for k in range(i):
            b[k] -= L[i, k] * value


@njit(cache=True, fastmath=True)
def invert(L, inverse):
    """(L L^T)^-1, column by column."""
    n = len(L)
    for j in range(n):
        column = np.zeros(n)
        column[j] = 1.0
        solve(L, column)
        for i in range(n):
            inverse[i, j] = column[i]


@njit(cache=True)
def gather(parts, rhs_parts, owner, A, b):
    """Sum partial systems, of which only the lower triangle counts, into the free unknowns.

    Unknown i moves with free unknown owner[i]; it is fixed where owner[i] < 0, and unknowns with one owner move
    together.
    """
    A[:] = 0.0
    b[:] = 0.0
    n = len(owner)
    for i in range(n):
        r = owner[i]
        if r < 0:
            continue
        for p in range(len(parts)):
            b[r] += rhs_parts[p, i]
        for j in range(i + 1):
            c = owner[j]
            if c < 0:
                continue
            total = 0.0
            for p in range(len(parts)):
                total += parts[p, i, j]
            A[r, c] += total
            if i != j:
                A[c, r] += total
