"""The finite Newton method for the l2-penalised squared hinge loss."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from scipy import sparse
from scipy.linalg import lapack
from scipy.sparse.linalg import LinearOperator, cg

from skunlearn._linalg.precision import EPS, heights_of, width_of

# Up to so many columns the Hessian is formed and factored; above, its products are enough.
_DENSE = 1000

_MAX_STEPS = 200

# Bytes of a block of rows: one that fits the cache is read from memory once.
_BLOCK_BYTES = 3 << 18


def augmented(X: Any, scaling: float) -> Any:
    """Append a column of the given value to rows, or none if it is zero."""
    if not scaling:
        return X
    column = np.full((X.shape[0], 1), scaling)
    if sparse.issparse(X):
        return sparse.csr_array(sparse.hstack([X, column], format="csr"))
    return np.hstack([X, column])


def blocks(X: Any) -> list[slice]:
    """Divide rows into blocks to pass over; a CSR array is one."""
    size = X.shape[0] if sparse.issparse(X) else max(64, _BLOCK_BYTES // (8 * X.shape[1]))
    return [slice(start, start + size) for start in range(0, X.shape[0], max(size, 1))]


def newton_point(X: Any, target: np.ndarray, cost: np.ndarray, start: np.ndarray) -> np.ndarray:
    """Minimise ``w'w/2 + sum_i cost_i (target_i - x_i'w)^2``.

    Parameters
    ----------
    X : ndarray or CSR array of shape (n_rows, n_columns)
        Rows.

    target, cost : ndarray of shape (n_rows,)
        Signs and costs; a row of cost zero does not count.

    start : ndarray of shape (n_columns,)
        Where an iterative solution starts.
    """
    n_columns = X.shape[1]
    if n_columns > _DENSE:
        return _conjugate_gradients(X, cost, X.T @ (2.0 * cost * target), start, 1e-13)
    matrix, right = system(X, target, cost)
    _, solution, failed = lapack.dposv(matrix, right)
    if failed:
        raise ValueError("The rows are too large for the squared hinge loss. Rescale X or C.")
    return solution


def _conjugate_gradients(
    X: Any, cost: np.ndarray, right: np.ndarray, start: np.ndarray, tolerance: float
) -> np.ndarray:
    """Solve the equations of a Newton point without forming their matrix."""
    n_columns = X.shape[1]
    rooted = _rooted(X, cost)[0]

    def product(vector: np.ndarray) -> np.ndarray:
        return vector + rooted.T @ (rooted @ vector)

    matrix = LinearOperator((n_columns, n_columns), matvec=product, dtype=np.float64)
    return cg(matrix, right, x0=start, rtol=tolerance, atol=0.0, maxiter=10 * n_columns)[0]


def system(X: Any, target: np.ndarray, cost: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the matrix and the right-hand side of the equations of a Newton point."""
    n_columns = X.shape[1]
    matrix, right = np.zeros((n_columns, n_columns)), np.zeros(n_columns)
    for span in blocks(X):
        part, root = _rooted(X[span], cost[span])
        right += part.T @ (root * target[span][cost[span] > 0.0])
        matrix += (part.T @ part).toarray() if sparse.issparse(part) else part.T @ part
    matrix.flat[:: n_columns + 1] += 1.0
    return matrix, right


def _rooted(X: Any, cost: np.ndarray) -> tuple[Any, np.ndarray]:
    """Return the rows that cost something times the roots of their curvature, and these."""
    rows = np.flatnonzero(cost > 0.0)
    part, root = X[rows], np.sqrt(2.0 * cost[rows])
    if sparse.issparse(part):
        return part.multiply(root[:, np.newaxis]).tocsr(), root
    part *= root[:, np.newaxis]
    return part, root


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
        point = newton_point(X, signs, np.where(loses, cost, 0.0), w)
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


@np.errstate(over="ignore", invalid="ignore")
def distances(
    X: Any, signs: np.ndarray, cost: np.ndarray, w: np.ndarray, *, sharply: bool = False
) -> tuple[np.ndarray, float, np.ndarray]:
    """Bound how far a point can be from the exact minimum, rounding included.

    On the way to the minimum the gradient changes by an average Hessian, to which rows that have a
    loss all the way contribute in full. As no curvature is below that of the penalty, the gradient
    itself bounds the way, and so tells which rows these are.

    Parameters
    ----------
    X, signs, cost
        As for :func:`minimise`.

    w : ndarray of shape (n_columns,)
        The point.

    sharply : bool, default=False
        Whether to bound the rounding of each row's value by its own products, not by norms.

    Returns
    -------
    distances : ndarray of shape (n_columns,)
        For each entry of `w`.

    distance : float
        Of `w`, in the Euclidean norm.

    step : ndarray of shape (n_columns,)
        From there to the minimum, as far as the gradient can tell.
    """
    unit, width = EPS / 2.0, width_of(X)
    gradient, squares, sizes = w.copy(), 0.0, np.zeros(w.size)
    short, reach, rounding, curve = np.empty((4, X.shape[0]))
    for span in blocks(X):
        part, sign, c = X[span], signs[span], cost[span]
        reach[span] = _norms(part)
        size = np.asarray(abs(part) @ np.abs(w)).ravel() if sharply else reach[span] * _norm(w)
        rounding[span] = unit * ((width + 3) * size + 2.0)
        short[span] = 1.0 - sign * (part @ w)
        curve[span] = 2.0 * np.where(short[span] > -rounding[span], c, 0.0)
        loss = np.maximum(short[span], 0.0)
        pull = curve[span] * loss
        gradient -= part.T @ (pull * sign)
        squares += float(pull @ loss)
        entries = part.multiply(part) if sparse.issparse(part) else part**2
        sizes += np.asarray(entries.T @ curve[span])
    n_terms = 2 * len(blocks(X)) + np.minimum(heights_of(X), blocks(X)[0].stop) + 8
    errors = unit * (n_terms * np.sqrt(sizes * squares) + 4.0 * np.abs(w))
    near = _norm(gradient) + _norm(errors)
    missed = curve * rounding**2
    surely = short - rounding > reach * (near + math.sqrt(missed.sum() * sizes.sum()))
    # What passes through the curvature of rows that have it all the way is, in the norm of the
    # inverse, no more than it is there.
    noise = math.sqrt(missed[surely].sum()) + float((curve * rounding * reach)[~surely].sum())
    farthest = near + noise
    everywhere = np.full(w.size, farthest)
    held = np.where(surely, cost, 0.0)
    if w.size > _DENSE:
        return (
            everywhere,
            farthest,
            _conjugate_gradients(X, held, -gradient, np.zeros(w.size), 1e-6),
        )
    matrix = system(X, signs, held)[0]
    factor, failed = lapack.dpotrf(matrix)
    inverse, failed = (factor, failed) if failed else lapack.dpotri(factor)
    if failed:
        return everywhere, farthest, np.zeros(w.size)
    inverse = np.triu(inverse) + np.triu(inverse, 1).T
    size, scale = np.abs(inverse), np.sqrt(matrix.diagonal() * (n_terms + 4 * w.size + 16))
    error = unit * float(scale @ size @ scale)
    step = -(inverse @ gradient)
    if not error < 0.5:
        return everywhere, farthest, step
    whole = math.sqrt(max(float(-gradient @ step), 0.0)) + math.sqrt(float(errors @ size @ errors))
    each = (whole + noise) * np.sqrt(inverse.diagonal()) / (1.0 - error)
    each = np.minimum(each * (1.0 + 1e-6), farthest)
    return each, min(farthest, _norm(each)), step


def _norms(X: Any) -> np.ndarray:
    squares = X.multiply(X).sum(axis=1) if sparse.issparse(X) else np.einsum("ij,ij->i", X, X)
    return np.sqrt(np.asarray(squares).ravel()) * (1.0 + 1e-6)


def _norm(vector: np.ndarray) -> float:
    return math.sqrt(float(vector @ vector))
