"""Numba kernels around the normal equations: moments without a few rows, assembly, assessment.

Joint moments are those of the table (X, y): mean and scatter of n_features + n_targets columns.
Rows are removed by rank-one updates; the factorisation between assembly and assessment is LAPACK's.
"""

import numpy as np
from numba import njit

from skunlearn._kernels.column_moments import two_sum


@njit(cache=True)
def remove_rows(weight, mean, low, scatter, X, y, weights, rows, centred):
    """Take rows out of joint moments, one rank-one update each.

    Parameters
    ----------
    weight : float
        Total weight before.
    mean, low : ndarray of shape (n_columns,)
        Mean in two parts, of which the second is what rounding cuts off the first.
    scatter : ndarray of shape (n_columns, n_columns)
    X : ndarray of shape (n_slots, n_features), float32 or float64
    y : ndarray of shape (n_slots, n_targets), float64
    weights : ndarray of shape (n_slots,) or (0,)
        Empty for unit weights.
    rows : ndarray of shape (n_rows,), intp
    centred : bool
        Whether moments are about the mean or about zero.

    Returns
    -------
    weight : float
    mean, low, scatter : ndarray
        Moments of the remaining rows.
    """
    n_features = X.shape[1]
    n_columns = mean.size
    mean = mean.copy()
    low = low.copy()
    scatter = scatter.copy()
    gap = np.empty(n_columns)
    for row in rows:
        w = weights[row] if weights.size else 1.0
        if w == 0.0:
            continue
        left = weight - w
        for j in range(n_features):
            gap[j] = (np.float64(X[row, j]) - mean[j]) - low[j]
        for j in range(n_features, n_columns):
            gap[j] = (y[row, j - n_features] - mean[j]) - low[j]
        factor = w
        if centred:
            factor = w * (weight / left)
            share = w / left
            for j in range(n_columns):
                mean[j], low[j] = two_sum(mean[j], low[j] - gap[j] * share)
        weight = left
        for i in range(n_columns):
            scaled = factor * gap[i]
            for j in range(n_columns):
                scatter[i, j] -= scaled * gap[j]
    return weight, mean, low, scatter


@njit(cache=True)
def remove_batch(weight, mean, low, X, y, weights, rows, centred):
    """Collect a batch of rows for a matrix product, and move the mean.

    Parameters
    ----------
    weight, mean, low, X, y, weights, rows, centred
        As in :func:`remove_rows`.

    Returns
    -------
    weight : float
    mean, low : ndarray of shape (n_columns,)
        Of the remaining rows.
    gap : ndarray of shape (n_rows + 1, n_columns)
        Minus its product with itself, transposed first, is the change of the scatter: gaps of the
        rows from the mean before, times the root of their weight, and last what centring about
        the mean after takes.
    """
    n_features = X.shape[1]
    n_columns = mean.size
    gap = np.empty((rows.size + 1, n_columns))
    total = np.zeros(n_columns)
    left = weight
    for position in range(rows.size):
        row = rows[position]
        w = weights[row] if weights.size else 1.0
        root = np.sqrt(w)
        left -= w
        for j in range(n_features):
            gap[position, j] = (np.float64(X[row, j]) - mean[j]) - low[j]
        for j in range(n_features, n_columns):
            gap[position, j] = (y[row, j - n_features] - mean[j]) - low[j]
        for j in range(n_columns):
            total[j] += w * gap[position, j]
            gap[position, j] *= root
    mean = mean.copy()
    low = low.copy()
    root = np.sqrt(left)
    for j in range(n_columns):
        gap[rows.size, j] = total[j] / root if centred else 0.0
        if centred:
            mean[j], low[j] = two_sum(mean[j], low[j] - total[j] / left)
    return left, mean, low, gap


@njit(cache=True)
def normal_equations(scatter, scale, penalty):
    """Assemble the penalised normal equations of features divided by `scale`.

    Parameters
    ----------
    scatter : ndarray of shape (n_columns, n_columns)
    scale : ndarray of shape (n_features,)
    penalty : float

    Returns
    -------
    matrix : ndarray of shape (n_features, n_features)
    right : ndarray of shape (n_targets, n_features)
    """
    n = scale.size
    n_targets = scatter.shape[0] - n
    matrix = np.empty((n, n))
    right = np.empty((n_targets, n))
    inverse = 1.0 / scale
    for i in range(n):
        for j in range(n):
            matrix[i, j] = scatter[i, j] * inverse[i] * inverse[j]
        matrix[i, i] += penalty
    for t in range(n_targets):
        for j in range(n):
            right[t, j] = scatter[n + t, j] * inverse[j]
    return matrix, right


@njit(cache=True)
def assess(factor, solution, scatter, peak, scale, penalty):
    """Measure how far a solution of the normal equations can be trusted.

    Parameters
    ----------
    factor : ndarray of shape (n_features, n_features)
        Cholesky factor of the matrix, of which the diagonal is read.
    solution : ndarray of shape (n_targets, n_features)
    scatter : ndarray of shape (n_columns, n_columns)
    peak : ndarray of shape (n_columns,)
        Largest diagonal of `scatter` since it was computed from rows.
    scale : ndarray of shape (n_features,)
    penalty : float
        What the matrix was assembled from.

    Returns
    -------
    loss : float
        Largest ratio of a column's peak scatter to what is left of it given the others before it.
    residual : float
        Relative residual of the normal equations.
    share : float
        Smallest squared pivot of the factor as a share of the trace of the matrix.
    tolerance : float
        Smallest squared pivot as a share of its own diagonal entry: how much of the least
        determined column the columns before it leave unexplained.
    """
    n = scale.size
    n_targets = solution.shape[0]
    inverse = 1.0 / scale
    loss = 1.0
    smallest = np.inf
    tolerance = 1.0
    trace = 0.0
    for j in range(n):
        square = factor[j, j] * factor[j, j]
        diagonal = scatter[j, j] * inverse[j] * inverse[j] + penalty
        loss = max(loss, (peak[j] * inverse[j] * inverse[j] + penalty) / square)
        smallest = min(smallest, square)
        tolerance = min(tolerance, square / diagonal)
        trace += diagonal
    for t in range(n, n + n_targets):
        if peak[t] > 0.0:
            loss = max(loss, peak[t] / scatter[t, t] if scatter[t, t] > 0.0 else np.inf)
    residual = 0.0
    rest = np.empty(n)
    for t in range(n_targets):
        size = 0.0
        for i in range(n):
            rest[i] = scatter[n + t, i] * inverse[i] - penalty * solution[t, i]
            size = max(size, abs(scatter[n + t, i] * inverse[i]))
        for j in range(n):
            w = solution[t, j] * inverse[j]
            for i in range(n):
                rest[i] -= w * scatter[j, i] * inverse[i]
        if size > 0.0:
            residual = max(residual, np.abs(rest).max() / size)
    return loss, residual, smallest / trace, tolerance
