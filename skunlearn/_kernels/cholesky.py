"""Cholesky factors of matrices that lose a row and its column."""

import numpy as np
from numba import njit


@njit(cache=True)
def without_row(lower, row):
    """Factor a positive definite matrix without one of its rows and columns.

    What the column of the factor that goes contributed to the rows below is added back by plane
    rotations, which is stable whatever the condition of the matrix.

    Parameters
    ----------
    lower : ndarray of shape (n, n), float64
        Lower triangular Cholesky factor.
    row : int

    Returns
    -------
    lower : ndarray of shape (n - 1, n - 1), float64

    References
    ----------
    Golub, Van Loan: Matrix Computations, 4th edition, 2013, section 6.5.
    """
    n = lower.shape[0] - 1
    left = np.zeros((n, n))
    cosines = np.empty(n)
    sines = np.empty(n)
    for i in range(row):
        left[i, : i + 1] = lower[i, : i + 1]
    for i in range(row, n):
        left[i, :row] = lower[i + 1, :row]
        rest = lower[i + 1, row]
        for j in range(row, i):
            entry = lower[i + 1, j + 1]
            left[i, j] = cosines[j] * entry + sines[j] * rest
            rest = cosines[j] * rest - sines[j] * entry
        entry = lower[i + 1, i + 1]
        length = np.sqrt(entry * entry + rest * rest)
        left[i, i] = length
        cosines[i] = entry / length
        sines[i] = rest / length
    return left
