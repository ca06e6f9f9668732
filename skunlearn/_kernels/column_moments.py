"""Per-column weight, mean and scatter: compute, and take rows out again.

Columns are independent and NaN entries are passed over. A set of moments is one array of shape
(5, n_features):

* total weight, mean, scatter about the mean;
* a power of two above the largest scatter that the column has had since its moments were last
  computed from rows, which bounds the rounding error in units of the machine epsilon (the exact
  one would tell what the removed rows were);
* what rounding cut off the mean, without which the means of columns far from zero would drift by
  much of their spread over many updates.

References
----------
Chan, Golub, LeVeque: Algorithms for computing the sample variance, The American Statistician 37(3),
1983, equations 2.1 and 1.5.
"""

import numpy as np
from numba import njit

BLOCK = 256
EPS = 2.220446049250313e-16

# What a removal may add to the rounding error of moments, in units of EPS times the magnification.
PER_UPDATE = 8.0

# Total weight up to which scikit-learn takes a class to be empty.
NO_WEIGHT = 1e-8


@njit(cache=True)
def power_of_two_above(value):
    """Round a positive number up so far that it does not give away what made it; others to 0."""
    return 2.0 ** np.ceil(np.log2(value)) if value > 0.0 else 0.0


@njit(cache=True)
def two_sum(a, b):
    """Add two floats; return the rounded sum and what rounding cut off (Knuth's TwoSum)."""
    total = a + b
    part = total - a
    return total, (a - (total - part)) + (b - part)


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
    moments : ndarray of shape (5, n_features), float64
    """
    n_features = X.shape[1]
    moments = np.zeros((5, n_features))
    total, mean, scatter, peak, low = moments
    weighted = weights.size > 0
    part = np.zeros(n_features)
    part_square = np.zeros(n_features)
    shift = np.zeros(n_features)
    for start in range(0, rows.size, BLOCK):
        part[:] = 0.0
        for position in range(start, min(start + BLOCK, rows.size)):
            row = rows[position]
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
        for position in range(start, min(start + BLOCK, rows.size)):
            row = rows[position]
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
            scatter[j] = max(scatter[j] - shift[j] * (shift[j] / total[j]), 0.0)
            mean[j], low[j] = two_sum(mean[j], shift[j] / total[j])
        peak[j] = power_of_two_above(scatter[j])
    return moments


@njit(cache=True)
def remove_rows(moments, X, weights, rows):
    """Take rows out of a set of moments.

    Parameters
    ----------
    moments : ndarray of shape (5, n_features), float64
    X : ndarray of shape (n_slots, n_features), float32 or float64
    weights : ndarray of shape (n_slots,) or (0,), float64
    rows : ndarray of shape (n_rows,), intp

    Returns
    -------
    left : ndarray of shape (5, n_features), float64
    loss : float
        Largest ratio of a column's peak scatter to the scatter left; infinite where so little
        weight is left that only the rows themselves can tell the moments.
    """
    n_features = X.shape[1]
    left = np.empty((5, n_features))
    weighted = weights.size > 0
    loss = 1.0
    for j in range(n_features):
        total, mean, scatter, peak, low = moments[:, j]
        gone, first, second = 0.0, 0.0, 0.0
        for row in rows:
            x = np.float64(X[row, j])
            w = weights[row] if weighted else 1.0
            if x == x:
                gap = x - mean - low
                gone += w
                first += w * gap
                second += w * gap * gap
        kept = total - gone
        if kept > 0.0:
            move = -first / kept
            mean, low = two_sum(mean, low + move)
            scatter = scatter - second + move * first
            if not abs(scatter) < np.inf:  # a square overflowed: only the rows can tell
                scatter, peak = 0.0, np.inf
            scatter = max(scatter, 0.0)
            if weighted:
                peak = max(peak, power_of_two_above(-move * first * (total / kept)))
        else:
            kept, mean, scatter, low = 0.0, 0.0, 0.0, 0.0
        left[0, j] = kept
        left[1, j] = mean
        left[2, j] = scatter
        left[3, j] = peak
        left[4, j] = low
        if kept < 1e-6 * total:
            loss = np.inf
        if peak > 0.0:
            loss = max(loss, peak / scatter if scatter > 0.0 else np.inf)
    return left, loss


@njit(cache=True)
def nearly_uniform(moments, tolerance):
    """Tell whether columns have the same total weight but for rounding, and not quite.

    Parameters
    ----------
    moments : ndarray of shape (5, n_features), float64
    tolerance : float
        Largest difference that is rounding, relative to the largest weight.

    Returns
    -------
    nearly_uniform : bool
    """
    least = most = moments[0, 0]
    for total in moments[0]:
        least, most = min(least, total), max(most, total)
    return 0.0 < most - least <= tolerance * most


@njit(cache=True)
def scale_of(moments):
    """Derive mean, variance and scale; constant columns get scale 1.

    Parameters
    ----------
    moments : ndarray of shape (5, n_features), float64

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
    uniform = True
    for j in range(n_features):
        total = moments[0, j]
        uniform &= total == moments[0, 0]
        mean[j] = moments[1, j] if total > 0.0 else np.nan
        var[j] = moments[2, j] / total if total > 0.0 else np.nan
        rounding = total * mean[j] * EPS
        constant = var[j] <= total * EPS * var[j] + rounding * rounding
        scale[j] = 1.0 if constant else np.sqrt(var[j])
    return mean, var, scale, uniform


@njit(cache=True)
def remove_labelled_rows(moments, counts, X, weights, labels, rows):
    """Take rows out of per-class moments and out of the unweighted moments of all rows.

    Parameters
    ----------
    moments : ndarray of shape (n_classes + 1, 5, n_features), float64
        One set per class, then one of all rows without weights.
    counts : ndarray of shape (4, n_classes + 1), float64
        For each set: numbers of rows, of rows whose weight is not zero, and of updates since the
        set was last computed from rows; a power of two above its total weight at that time.
    X : ndarray of shape (n_slots, n_features)
    weights : ndarray of shape (n_slots,) or (0,), float64
    labels : ndarray of shape (n_rows,), intp
        Class of each of the rows.
    rows : ndarray of shape (n_rows,), intp

    Returns
    -------
    moments, counts : ndarray
        New arrays.
    """
    left, counts = moments.copy(), counts.copy()
    everything = moments.shape[0] - 1
    for label in range(everything + 1):
        if label == everything:
            gone, w = rows, weights[:0]
        else:
            gone, w = rows[labels == label], weights
        if gone.size == 0:
            continue
        left[label] = remove_rows(moments[label], X, w, gone)[0]
        counts[0, label] -= gone.size
        counts[1, label] -= np.count_nonzero(w[gone]) if w.size > 0 else gone.size
        counts[2, label] += 1
    return left, counts


@njit(cache=True)
def magnification(peak, left):
    """Tell how many times larger a sum once was, hence how much more its rounding shows."""
    if peak <= left:
        return 1.0
    return peak / left if left > 0.0 else np.inf


@njit(cache=True)
def rounding(magnified, n_updates):
    """Estimate the relative rounding error of moments after some updates.

    Parameters
    ----------
    magnified : float
        Largest :func:`magnification` among them.
    n_updates : int or float
        Updates since they were last computed from rows.

    Returns
    -------
    error : float
    """
    worn = magnified * n_updates if n_updates > 0 else 0.0
    return PER_UPDATE * EPS * (1.0 + worn)


@njit(cache=True)
def gaussians_of(moments, counts, smoothing):
    """Derive the parameters of Gaussian naive Bayes.

    Parameters
    ----------
    moments : ndarray of shape (n_classes + 1, 5, n_features), float64
    counts : ndarray of shape (4, n_classes + 1), float64
        As in `remove_labelled_rows`.
    smoothing : float
        Part of the largest variance of a column that is added to all variances.

    Returns
    -------
    theta, var : ndarray of shape (n_classes, n_features), float64
    class_count, class_prior : ndarray of shape (n_classes,), float64
    epsilon : float
        What was added to the variances.
    error : ndarray of shape (n_classes + 1,), float64
        Estimated relative rounding error of each set.
    """
    n_classes, _, n_features = moments.shape
    n_classes -= 1
    theta = np.zeros((n_classes, n_features))
    var = np.empty((n_classes, n_features))
    class_count = moments[:n_classes, 0, 0].copy()
    error = np.empty(n_classes + 1)
    widest = moments[n_classes, 2].max()
    epsilon = smoothing * widest / moments[n_classes, 0, 0]
    error[n_classes] = magnification(moments[n_classes, 3].max(), widest)
    for label in range(n_classes):
        total = class_count[label]
        loss = magnification(counts[3, label], total)
        for j in range(n_features):
            spread = epsilon
            if total > NO_WEIGHT:
                theta[label, j] = moments[label, 1, j]
                spread += moments[label, 2, j] / total
                loss = max(loss, magnification(moments[label, 3, j], spread * total))
            var[label, j] = spread
        error[label] = loss
    for part in range(n_classes + 1):
        error[part] = rounding(error[part], counts[2, part])
    return theta, var, class_count, class_count / class_count.sum(), epsilon, error
