"""The finite Newton method for the l2-penalised squared hinge loss."""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy import sparse
from scipy.linalg import lapack
from scipy.sparse.linalg import LinearOperator, cg

from skunlearn._linalg.precision import EPS

# Up to so many columns the Hessian is formed and factored; above, its products are enough.
_DENSE = 1000

_MAX_STEPS = 200


def augmented(X: Any, scaling: float) -> Any:
    """Append a column of the given value to rows, or none if it is zero."""
    if not scaling:
        return X
    column = np.full((X.shape[0], 1), scaling)
    if sparse.issparse(X):
        return sparse.csr_array(sparse.hstack([X, column], format="csr"))
    return np.hstack([X, column])


def newton_point(X: Any, target: np.ndarray, cost: np.ndarray, start: np.ndarray) -> np.ndarray:
    """Minimise ``w'w/2 + sum_i cost_i (target_i - x_i'w)^2``.

    Parameters
    ----------
    X : ndarray or CSR array of shape (n_rows, n_columns)
        The rows with a loss.

    target, cost : ndarray of shape (n_rows,)
        Signs and costs.

    start : ndarray of shape (n_columns,)
        Where an iterative solution starts.
    """
    n_columns = X.shape[1]
    root = np.sqrt(2.0 * cost)
    X = X.multiply(root[:, np.newaxis]).tocsr() if sparse.issparse(X) else X * root[:, np.newaxis]
    right = X.T @ (root * target)
    if n_columns > _DENSE:

        def product(vector: np.ndarray) -> np.ndarray:
            return vector + X.T @ (X @ vector)

        hessian = LinearOperator((n_columns, n_columns), matvec=product, dtype=np.float64)
        return cg(hessian, right, x0=start, rtol=1e-13, atol=0.0, maxiter=10 * n_columns)[0]
    gram = (X.T @ X).toarray() if sparse.issparse(X) else X.T @ X
    gram.flat[:: n_columns + 1] += 1.0
    _, solution, failed = lapack.dposv(gram, right)
    if failed:
        raise ValueError("The rows are too large for the squared hinge loss. Rescale X or C.")
    return solution


def minimise(
    X: Any, signs: np.ndarray, cost: np.ndarray, start: np.ndarray
) -> tuple[np.ndarray, float]:
    """Minimise ``w'w/2 + sum_i cost_i max(0, 1 - sign_i x_i'w)^2``.

    The objective is quadratic as long as the same rows have a loss, so that a Newton step which
    leaves them the same ends at the minimum.

    Parameters
    ----------
    X : ndarray or CSR array of shape (n_rows, n_columns)
        Rows.

    signs, cost : ndarray of shape (n_rows,)
        1 or -1, and non-negative.

    start : ndarray of shape (n_columns,)
        Where to start.

    Returns
    -------
    w : ndarray of shape (n_columns,)
        The minimum.

    error : float
        Relative size of the last Newton step.

    References
    ----------
    Keerthi, DeCoste: A modified finite Newton method for fast solution of large scale linear SVMs,
    Journal of Machine Learning Research 6, 2005, section 3.
    """
    w, value = start, X @ start
    error = np.inf
    for _ in range(_MAX_STEPS):
        loses = (signs * value < 1.0) & (cost > 0.0)
        point = newton_point(X[loses], signs[loses], cost[loses], w)
        change, value_change = point - w, X @ point - value
        size = max(float(np.linalg.norm(point)), float(np.linalg.norm(w)))
        error = float(np.linalg.norm(change)) / size if size > 0.0 else 0.0
        length = _step_length(w, change, signs * value, signs * value_change, cost)
        done = length == 1.0 and np.array_equal(
            loses, (signs * (value + value_change) < 1.0) & (cost > 0.0)
        )
        w = point if length == 1.0 else w + length * change
        value = value + length * value_change
        if done or error <= 4.0 * EPS:
            break
    if done:
        error = EPS
    return w, max(error, EPS)


def _step_length(
    w: np.ndarray,
    change: np.ndarray,
    margin: np.ndarray,
    value_change: np.ndarray,
    cost: np.ndarray,
) -> float:
    """Return 1 if a whole step overshoots by little, else where the slope along it is zero."""

    def slope(length: float) -> float:
        short = np.maximum(1.0 - (margin + length * value_change), 0.0)
        return float((w + length * change) @ change - 2.0 * (cost * short) @ value_change)

    begin = slope(0.0)
    if slope(1.0) <= 0.5 * abs(begin) or begin >= 0.0:
        return 1.0
    low, high = 0.0, 1.0
    for _ in range(40):
        middle = (low + high) / 2.0
        if slope(middle) > 0.0:
            high = middle
        else:
            low = middle
    return low
