"""Power transforms and the likelihood of their exponent, column by column.

A value is held as its logarithm u (Box-Cox: log x; Yeo-Johnson: the logarithm of 1 + |x|) and the
slope with which the exponent acts on it (Yeo-Johnson: lambda above zero, 2 - lambda below).
The log-likelihood of lambda is ``-n/2 log var(t) + (lambda - 1) sum(s u)`` for transformed values t
and signs s.

References
----------
Box, Cox: An analysis of transformations, Journal of the Royal Statistical Society B 26(2), 1964,
pages 211-252. Yeo, Johnson: A new family of power transformations to improve normality or
symmetry, Biometrika 87(4), 2000, pages 954-959.
"""

import numpy as np
from numba import njit

STEPS = 100
BLOCK = 512

# Exponents times logarithms below which a power series takes the place of differences that cancel.
SMALL = 0.05
SERIES = np.array([1 / 1, 1 / 2, 1 / 6, 1 / 24, 1 / 120, 1 / 720, 1 / 5040, 1 / 40320, 1 / 362880])


@njit(cache=True)
def power_and_slopes(power, u):
    """Compute ``(exp(power u) - 1) / power`` and its first two derivatives in `power`.

    Parameters
    ----------
    power, u : float

    Returns
    -------
    value, first, second : float
    """
    z = power * u
    if abs(z) < SMALL:
        # (e^z - 1)/z and its derivatives in z
        a = b = c = 0.0
        for k in range(SERIES.size - 1, -1, -1):
            a = a * z + SERIES[k]
        for k in range(SERIES.size - 1, 0, -1):
            b = b * z + k * SERIES[k]
        for k in range(SERIES.size - 1, 1, -1):
            c = c * z + k * (k - 1) * SERIES[k]
        return u * a, u * u * b, u * u * u * c
    grown = np.expm1(z)
    value = grown / power
    first = (u * (grown + 1.0) - value) / power
    return value, first, (u * u * (grown + 1.0) - 2.0 * first) / power


@njit(cache=True)
def likelihood(u, negative, lam):
    """Compute the log-likelihood of an exponent per row, up to a constant, and its slopes.

    Parameters
    ----------
    u : ndarray of shape (n_rows,), float64
        Logarithms of the values of a column.
    negative : ndarray of shape (n_rows,), bool
        Which values count as negative.
    lam : float

    Returns
    -------
    value, slope, curvature : float
        Not finite where the transformed values are all equal or overflow.
    """
    n = u.size
    # Sums about the transform of the first value, so that they do not cancel.
    sums = np.zeros(7)
    part = np.empty(7)
    t0, d0, e0 = power_and_slopes(2.0 - lam if negative[0] else lam, u[0])
    if negative[0]:
        t0, e0 = -t0, -e0
    for start in range(0, n, BLOCK):
        part[:] = 0.0
        for row in range(start, min(start + BLOCK, n)):
            if negative[row]:
                t, d, e = power_and_slopes(2.0 - lam, u[row])
                t, e = -t, -e
                part[6] -= u[row]
            else:
                t, d, e = power_and_slopes(lam, u[row])
                part[6] += u[row]
            t -= t0
            d -= d0
            e -= e0
            part[0] += t
            part[1] += d
            part[2] += e
            part[3] += t * t
            part[4] += t * d
            part[5] += d * d + t * e
        sums += part
    m = sums / n
    var = m[3] - m[0] * m[0]
    var_1 = 2.0 * (m[4] - m[0] * m[1])
    var_2 = 2.0 * (m[5] - m[1] * m[1] - m[0] * m[2])
    if not var > 0.0:
        return -np.inf, 0.0, 0.0
    ratio = var_1 / var
    return (
        -0.5 * np.log(var) + (lam - 1.0) * m[6],
        -0.5 * ratio + m[6],
        -0.5 * (var_2 / var - ratio * ratio),
    )


@njit(cache=True)
def best_exponent(u, negative, start, low, high):
    """Find the exponent of maximum likelihood within bounds, by Newton steps kept in a bracket.

    Parameters
    ----------
    u, negative : ndarray of shape (n_rows,)
        As in `likelihood`.
    start : float
        Where to begin.
    low, high : float
        Bounds.

    Returns
    -------
    lam : float
    """
    lam = min(max(start, low), high)
    for _ in range(STEPS):
        value, slope, curvature = likelihood(u, negative, lam)
        if not np.isfinite(value + slope + curvature):
            # Too far out for floats: back towards 1, where values are as they are.
            middle = min(max(1.0, low), high)
            if lam == middle:
                return lam
            if lam > middle:
                high = lam
            else:
                low = lam
            lam = 0.5 * (lam + middle)
            continue
        if slope > 0.0:
            low = lam
        elif slope < 0.0:
            high = lam
        else:
            return lam
        target = lam - slope / curvature if curvature < 0.0 else np.inf * slope
        if not low < target < high:
            target = 0.5 * (low + high)
        moved = abs(target - lam)
        lam = target
        if moved <= 1e-9 * (1.0 + abs(lam)):
            # Newton steps square the distance: one more leaves nothing but rounding.
            _, slope, curvature = likelihood(u, negative, lam)
            if curvature < 0.0 and np.isfinite(slope / curvature):
                lam = min(max(lam - slope / curvature, low), high)
            return lam
    return lam


@njit(cache=True)
def best_exponents(X, rows, box_cox, start, constant, log_tiny, log_max):
    """Find the exponent of each column.

    Parameters
    ----------
    X : ndarray of shape (n_slots, n_features), float32 or float64
        NaN entries are passed over; a column may not have nothing else.
    rows : ndarray of shape (n_rows,), intp
    box_cox : bool
        The method; values must be positive then.
    start : ndarray of shape (n_features,), float64
        Where to begin.
    constant : ndarray of shape (n_features,), bool
        Columns that keep the exponent 1.
    log_tiny, log_max : float
        Logarithms of the least and largest transformed value.

    Returns
    -------
    lambdas : ndarray of shape (n_features,), float64
    """
    n_features = X.shape[1]
    lambdas = np.ones(n_features)
    u = np.empty(rows.size)
    negative = np.empty(rows.size, dtype=np.bool_)
    for j in range(n_features):
        if constant[j]:
            continue
        n, n_negative, furthest = 0, 0, 0.0
        for row in rows:
            x = np.float64(X[row, j])
            if x != x:
                continue
            negative[n] = not box_cox and x < 0.0
            n_negative += negative[n]
            u[n] = np.log(x) if box_cox else np.log1p(abs(x))
            furthest = max(furthest, abs(u[n]) if box_cox else abs(x))
            n += 1
        if box_cox:
            low, high = -log_max / furthest, log_max / furthest
        else:
            reach = np.log1p(20.0 * furthest)
            low, high = log_tiny / reach, log_max / reach
            if n_negative == n:
                low, high = 2.0 - high, 2.0 - low
            elif n_negative > 0:
                low, high = max(2.0 - high, low), min(2.0 - low, high)
        lambdas[j] = best_exponent(u[:n], negative[:n], start[j], low, high)
    return lambdas


@njit(cache=True)
def transform_in_place(X, lambdas, box_cox):
    """Transform each column of X by its exponent, in place.

    Parameters
    ----------
    X : ndarray of shape (n_rows, n_features), float32 or float64
    lambdas : ndarray of shape (n_features,), float64
    box_cox : bool
        The method.
    """
    for row in range(X.shape[0]):
        for j in range(X.shape[1]):
            x, lam = np.float64(X[row, j]), lambdas[j]
            below = not box_cox and x < 0.0
            power = 2.0 - lam if below else lam
            u = np.log(x) if box_cox else np.log1p(abs(x))
            grown = u if abs(power) < 2.220446049250313e-16 else np.expm1(power * u) / power
            X[row, j] = -grown if below else grown
