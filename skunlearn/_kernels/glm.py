"""Losses of generalised linear models by the linear predictor, and a kernel by which rows leave.

A formula is written once, for numbers inside of kernels and for arrays outside, of whatever
namespace: `exp` is the exponential of that namespace, and kernels pass NumPy's.
"""

import numpy as np
from numba import njit
from numba.extending import register_jitable

LOGISTIC, POISSON, GAMMA, TWEEDIE, NORMAL = range(5)


@register_jitable
def logistic_first(exp, eta, y):
    """Differentiate the logistic loss of y in {0, 1}."""
    # In place, since this is most of what a pass costs; overflow gives the limit, -y.
    part = exp(-eta)
    part += 1.0
    part = 1.0 / part
    part -= y
    return part


@register_jitable
def logistic_second(exp, eta):
    """Differentiate the logistic loss twice."""
    # The derivative is even in eta, and this side of it has no overflow.
    tail = exp(-abs(eta))
    return tail / (1.0 + tail) ** 2


@register_jitable
def normal_first(eta, y):
    """Differentiate half the squared error; its second derivative is 1."""
    return eta - y


@register_jitable
def poisson_first(exp, eta, y):
    """Differentiate the Poisson loss with the log link."""
    return exp(eta) - y


@register_jitable
def poisson_second(exp, eta):
    """Differentiate the Poisson loss with the log link twice."""
    return exp(eta)


@register_jitable
def gamma_first(exp, eta, y):
    """Differentiate the Gamma loss with the log link."""
    return 1.0 - y * exp(-eta)


@register_jitable
def gamma_second(exp, eta, y):
    """Differentiate the Gamma loss with the log link twice."""
    return y * exp(-eta)


@register_jitable
def tweedie_first(exp, power, eta, y):
    """Differentiate the Tweedie loss with the log link; `power` is that of the variance."""
    return exp((2.0 - power) * eta) - y * exp((1.0 - power) * eta)


@register_jitable
def tweedie_second(exp, power, eta, y):
    """Differentiate the Tweedie loss with the log link twice."""
    up, down = 2.0 - power, 1.0 - power
    return up * exp(up * eta) - down * y * exp(down * eta)


@njit(cache=True)
def first(kind, power, eta, y):
    """Differentiate the loss of one row by its linear predictor.

    Parameters
    ----------
    kind : int
        LOGISTIC (y is 0 or 1); POISSON, GAMMA, TWEEDIE with the log link; NORMAL, squared error.
    power : float
        Power of the variance function, for TWEEDIE.
    eta, y : float

    Returns
    -------
    first : float
    """
    if kind == LOGISTIC:
        return logistic_first(np.exp, eta, y)
    if kind == NORMAL:
        return normal_first(eta, y)
    if kind == POISSON:
        return poisson_first(np.exp, eta, y)
    if kind == GAMMA:
        return gamma_first(np.exp, eta, y)
    return tweedie_first(np.exp, power, eta, y)


@njit(cache=True)
def second(kind, power, eta, y):
    """Differentiate the loss of one row twice, as :func:`first` does once."""
    if kind == LOGISTIC:
        return logistic_second(np.exp, eta)
    if kind == NORMAL:
        return 1.0
    if kind == POISSON:
        return poisson_second(np.exp, eta)
    if kind == GAMMA:
        return gamma_second(np.exp, eta, y)
    return tweedie_second(np.exp, power, eta, y)


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
        See :func:`first`.
    class_weight : ndarray of shape (2,)
        Factor of the weights of rows with y = 0 and with y = 1; ones where there are no classes.

    Returns
    -------
    hessian, gram : ndarray
        Without the rows.
    right_sides : ndarray of shape (1 + n_rows, n_params)
        Sum of ``w phi' x`` over the rows, at `theta`; then each row's ``sqrt(w phi'') x``, whose
        squares were taken out of the curvature.
    """
    n_features = X.shape[1]
    n_params = theta.size
    hessian = hessian.copy()
    gram = gram.copy()
    right_sides = np.zeros((1 + rows.size, n_params))
    gradient = right_sides[0]
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
        w *= class_weight[1] if y[row] > 0.5 else class_weight[0]
        derivative = w * first(kind, power, now, y[row])
        curvature = w * second(kind, power, then, y[row])
        root = np.sqrt(curvature)
        for i in range(n_params):
            gradient[i] += derivative * x[i]
            right_sides[1 + position, i] = root * x[i]
            scaled = curvature * x[i]
            for j in range(n_params):
                hessian[i, j] -= scaled * x[j]
        if gram.size:
            for i in range(n_params):
                scaled = w * x[i]
                for j in range(n_params):
                    gram[i, j] -= scaled * x[j]
    return hessian, gram, right_sides
