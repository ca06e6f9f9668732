"""Per-column weight, mean and scatter: compute, and take rows out again.

Columns are independent and NaN entries are passed over. A set of moments is one array of shape
(4, n_features): total weight, mean, scatter about the mean, and a power of two above the largest
scatter that the column has had since its moments were last computed from rows, which bounds the
rounding error in units of the machine epsilon. The exact one would tell what the removed rows were.

References
----------
Chan, Golub, LeVeque: Algorithms for computing the sample variance, The American Statistician 37(3),
1983, equations 2.1 and 1.5.
"""

import numpy as np
from numba import njit

BLOCK = 256


@njit(cache=True)
def column_moments(X, weights, rows):
    """Compute the moments of some rows of X in two passes.

    Parameters
    ----------
    X : ndarray of shape (n_slots, n_features), float32 or float64
    weights : ndarray of shape (n_slots,) or (0,), float64
        Empty for unit weights.
    rows : ndarray of shape (n_rows,), intp

    Returns
    -------
    moments : ndarray of shape (4, n_features), float64
    """
    n_features = X.shape[1]
    moments = np.zeros((4, n_features))
    total, mean, scatter, peak = moments
    weighted = weights.size > 0
    part = np.zeros(n_features)
    part_square = np.zeros(n_features)
    shift = np.zeros(n_features)
    for start in range(0, rows.size, BLOCK):
        part[:] = 0.0
        for place in range(start, min(start + BLOCK, rows.size)):
            row = rows[place]
            w = weights[row] if weighted else 1.0
            for j in range(n_features):
                x = np.float64(X[row, j])
                seen = x == x
                part[j] += w * x if seen else 0.0
                total[j] += w if seen else 0.0
        mean += part
    for j in range(n_features):
        mean[j] = mean[j] / total[j] if total[j] != 0.0 else 0.0
    for start in range(0, rows.size, BLOCK):
        part[:] = 0.0
        part_square[:] = 0.0
        for place in range(start, min(start + BLOCK, rows.size)):
            row = rows[place]
            w = weights[row] if weighted else 1.0
            for j in range(n_features):
                x = np.float64(X[row, j])
                gap = x - mean[j] if x == x else 0.0
                part[j] += w * gap
                part_square[j] += w * gap * gap
        shift += part
        scatter += part_square
    for j in range(n_features):
        if total[j] != 0.0:
            scatter[j] = max(scatter[j] - shift[j] * shift[j] / total[j], 0.0)
            mean[j] += shift[j] / total[j]
        peak[j] = 2.0 ** np.ceil(np.log2(scatter[j])) if scatter[j] > 0.0 else 0.0
    return moments


@njit(cache=True)
def remove_rows(moments, X, weights, rows):
    """Take rows out of a set of moments.

    Parameters
    ----------
    moments : ndarray of shape (4, n_features), float64
    X : ndarray of shape (n_slots, n_features), float32 or float64
    weights : ndarray of shape (n_slots,) or (0,), float64
    rows : ndarray of shape (n_rows,), intp

    Returns
    -------
    left : ndarray of shape (4, n_features), float64
    loss : float
        Largest ratio of a column's peak scatter to the scatter left; infinite where so little
        weight is left that only the rows themselves can tell the moments.
    """
    n_features = X.shape[1]
    left = np.empty((4, n_features))
    weighted = weights.size > 0
    loss = 1.0
    for j in range(n_features):
        gone, centre, spread = 0.0, 0.0, 0.0
        for row in rows:
            x = np.float64(X[row, j])
            w = weights[row] if weighted else 1.0
            if x == x and w != 0.0:
                gone += w
                gap = x - centre
                centre += gap * w / gone
                spread += w * gap * (x - centre)
        total, mean, scatter, peak = moments[0, j], moments[1, j], moments[2, j], moments[3, j]
        kept = total - gone
        if kept > 0.0:
            mean += (gone / kept) * (mean - centre)
            gap = centre - mean
            scatter = max(scatter - spread - (gone * kept / total) * gap * gap, 0.0)
        else:
            kept, mean, scatter = 0.0, 0.0, 0.0
        left[0, j] = kept
        left[1, j] = mean
        left[2, j] = scatter
        left[3, j] = peak
        if kept < 1e-6 * total:
            loss = np.inf
        if peak > 0.0:
            loss = max(loss, peak / scatter if scatter > 0.0 else np.inf)
    return left, loss


@njit(cache=True)
def scale_of(moments):
    """Derive mean, variance and scale; constant columns get scale 1.

    Parameters
    ----------
    moments : ndarray of shape (4, n_features), float64

    Returns
    -------
    mean, var, scale : ndarray of shape (n_features,), float64
    uniform : bool
        Whether all columns have the same total weight.
    """
    n_features = moments.shape[1]
    mean = np.empty(n_features)
    var = np.empty(n_features)
    scale = np.empty(n_features)
    eps = 2.220446049250313e-16
    uniform = True
    for j in range(n_features):
        total = moments[0, j]
        uniform &= total == moments[0, 0]
        mean[j] = moments[1, j] if total > 0.0 else np.nan
        var[j] = moments[2, j] / total if total > 0.0 else np.nan
        rounding = total * mean[j] * eps
        constant = var[j] <= total * eps * var[j] + rounding * rounding
        scale[j] = 1.0 if constant else np.sqrt(var[j])
    return mean, var, scale, uniform
