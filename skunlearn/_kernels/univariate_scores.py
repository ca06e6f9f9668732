"""Joint scatter of columns and a target."""

import numpy as np
from numba import njit

BLOCK = 256


@njit(cache=True)
def cross_scatter(X, gap, mean, rows):
    """Sum the products of columns' distances to their means and of a target's to its own.

    Parameters
    ----------
    X : ndarray of shape (n_slots, n_features), float32 or float64
    gap : ndarray of shape (n_rows,), float64
        Distance of the target of each of the rows to the target's mean.
    mean : ndarray of shape (n_features,), float64
    rows : ndarray of shape (n_rows,), intp

    Returns
    -------
    scatter : ndarray of shape (n_features,), float64
    """
    n_features = X.shape[1]
    scatter = np.zeros(n_features)
    part = np.empty(n_features)
    for start in range(0, rows.size, BLOCK):
        part[:] = 0.0
        for position in range(start, min(start + BLOCK, rows.size)):
            row, step = rows[position], gap[position]
            for j in range(n_features):
                part[j] += (np.float64(X[row, j]) - mean[j]) * step
        scatter += part
    return scatter
