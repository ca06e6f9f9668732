"""Numba kernel: rows leave the gradient and the curvature of a generalised linear model."""

import numpy as np
from numba import njit

LOGISTIC, POISSON, GAMMA, TWEEDIE, NORMAL = range(5)


@njit(cache=True)
def derivatives(kind, power, eta, y):
    """Differentiate the loss of one row twice by its linear predictor.

    Parameters
    ----------
    kind : int
        LOGISTIC (y is 0 or 1); POISSON, GAMMA, TWEEDIE with the log link; NORMAL, squared error.
    power : float
        Power of the variance function, for TWEEDIE.
    eta, y : float

    Returns
    -------
    first, second : float
    """
    if kind == LOGISTIC:
        tail = np.exp(-abs(eta))
        chance = 1.0 / (1.0 + tail) if eta >= 0.0 else tail / (1.0 + tail)
        return chance - y, tail / ((1.0 + tail) * (1.0 + tail))
    if kind == NORMAL:
        return eta - y, 1.0
    if kind == POISSON:
        mean = np.exp(eta)
        return mean - y, mean
    if kind == GAMMA:
        ratio = y * np.exp(-eta)
        return 1.0 - ratio, ratio
    up = np.exp((2.0 - power) * eta)
    down = y * np.exp((1.0 - power) * eta)
    return up - down, (2.0 - power) * up - (1.0 - power) * down


@njit(cache=True)
def take_out(hessian, gram, X, y, weights, rows, theta, reference, kind, power, class_weight):
    """Take rows out of the curvature, and add up the gradients that they leave behind.

    Parameters
    ----------
    hessian, gram : ndarray of shape (n_params, n_params)
        Sums over rows of ``w phi'' x x'`` at `reference` and of ``w x x'``; the latter may be
        of size 0. n_params is n_features, plus 1 with an intercept, which comes last.
    X : ndarray of shape (n_slots, n_features), float32 or float64
    y, weights : ndarray of shape (n_slots,), float64
    rows : ndarray of shape (n_rows,), intp
    theta, reference : ndarray of shape (n_params,)
    kind : int
    power : float
        See :func:`derivatives`.
    class_weight : ndarray of shape (2,)
        Factor of the weights of rows with y = 0 and with y = 1, for LOGISTIC.

    Returns
    -------
    hessian, gram : ndarray
        Without the rows.
    sides : ndarray of shape (1 + n_rows, n_params)
        Sum of ``w phi' x`` over the rows, at `theta`; then each row's ``sqrt(w phi'') x``, whose
        squares were taken out of the curvature.
    """
    n_features = X.shape[1]
    n_params = theta.size
    hessian = hessian.copy()
    gram = gram.copy()
    sides = np.zeros((1 + rows.size, n_params))
    gradient = sides[0]
    x = np.ones(n_params)
    for position in range(rows.size):
        row = rows[position]
        now, then = 0.0, 0.0
        for j in range(n_features):
            x[j] = np.float64(X[row, j])
        for j in range(n_params):
            now += x[j] * theta[j]
            then += x[j] * reference[j]
        w = weights[row]
        if kind == LOGISTIC:
            w *= class_weight[1] if y[row] > 0.5 else class_weight[0]
        slope = w * derivatives(kind, power, now, y[row])[0]
        curvature = w * derivatives(kind, power, then, y[row])[1]
        root = np.sqrt(curvature)
        for i in range(n_params):
            gradient[i] += slope * x[i]
            sides[1 + position, i] = root * x[i]
            scaled = curvature * x[i]
            for j in range(n_params):
                hessian[i, j] -= scaled * x[j]
        if gram.size:
            for i in range(n_params):
                scaled = w * x[i]
                for j in range(n_params):
                    gram[i, j] -= scaled * x[j]
    return hessian, gram, sides
