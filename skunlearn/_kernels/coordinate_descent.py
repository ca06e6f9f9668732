"""Numba kernels of the elastic net on a Gram matrix: coordinate descent and the duality gap.

The objective is half of ``yy - 2 c'w + w'Gw`` plus ``l1 |w|_1 + l2 / 2 w'w``, where G is the Gram
matrix of the features, c their products with the target and yy the target's with itself.

References
----------
Friedman, Hastie, Tibshirani: Regularization paths for generalized linear models via coordinate
descent, Journal of Statistical Software 33(1), 2010, section 2.2 (covariance updates).
"""

import numpy as np
from numba import njit


@njit(cache=True)
def duality_gap(products, right, square, w, l1, l2, positive):
    """Bound by how much the objective at `w` exceeds its minimum.

    Parameters
    ----------
    products : ndarray of shape (n_features,)
        The Gram matrix times `w`.
    right : ndarray of shape (n_features,)
    square : float
        What is called c and yy above.
    w : ndarray of shape (n_features,)
    l1, l2 : float
    positive : bool
        Whether weights must not be negative.

    Returns
    -------
    gap : float
        Not informative if `l1` is zero.
    """
    steepest, fit, loss, norm, ridge = 0.0, 0.0, square, 0.0, 0.0
    for j in range(w.size):
        slope = right[j] - products[j] - l2 * w[j]
        steepest = max(steepest, slope if positive else abs(slope))
        fit += right[j] * w[j]
        loss += w[j] * (products[j] - 2.0 * right[j])
        norm += abs(w[j])
        ridge += w[j] * w[j]
    shrink = l1 / steepest if steepest > l1 else 1.0
    primal = 0.5 * (loss + l2 * ridge) + l1 * norm
    dual = shrink * (square - fit) - 0.5 * shrink * shrink * (loss + l2 * ridge)
    return primal - dual


@njit(cache=True)
def descend(gram, right, square, start, l1, l2, positive, goal, max_iter):
    """Minimise by cyclic coordinate descent until the duality gap is at most `goal`.

    Parameters
    ----------
    gram : ndarray of shape (n_features, n_features)
    right, square
        As in :func:`duality_gap`.
    start : ndarray of shape (n_features,)
    l1, l2 : float
    positive : bool
    goal : float
    max_iter : int
        At least 1.

    Returns
    -------
    w : ndarray of shape (n_features,)
    gap : float
    n_iter : int
        Sweeps over the coordinates.
    """
    w = start.copy()
    n = w.size
    products = np.zeros(n)
    for j in range(n):
        if w[j] != 0.0:
            products += w[j] * gram[j]
    gap = np.inf
    n_iter = 0
    while n_iter < max_iter:
        n_iter += 1
        for j in range(n):
            curvature = gram[j, j]
            if curvature + l2 <= 0.0:
                continue
            correlation = right[j] - products[j] + curvature * w[j]
            size = (correlation if positive else abs(correlation)) - l1
            new = 0.0
            if size > 0.0:
                new = (size if correlation > 0.0 else -size) / (curvature + l2)
            if new != w[j]:
                products += (new - w[j]) * gram[j]
                w[j] = new
        gap = duality_gap(products, right, square, w, l1, l2, positive)
        if gap <= goal:
            break
    return w, gap, n_iter
