"""The optimum of Huber's regression with concomitant scale, by a finite Newton method.

With residuals ``r_i = y_i - x_i'w - c`` and weights s_i the objective is

    ``sum_i s_i (sigma + H(r_i / sigma) sigma) + alpha |w|^2``,

``H(z) = z^2`` for ``|z| <= epsilon``, else ``2 epsilon |z| - epsilon^2``. It is jointly convex.
Given the rows inside, ``|r_i| <= epsilon sigma``, it is smooth, and its Hessian has rank one per
row.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
from scipy import linalg, sparse
from scipy.linalg import lapack

from skunlearn._linalg.precision import EPS, width_of
from skunlearn._samples.tables import overwrite
from skunlearn._statistics.column_moments import power_of_two_above
from skunlearn.linear_model._glm.losses import SingleLoss
from skunlearn.linear_model._glm.pointwise_losses import NormalLoss

# Relative Newton decrement at which a solution counts as exact; one step more is then made.
TARGET = 1e-12

# The same once so many steps in a row have not shrunk.
_STALLED = 1e-10
_PATIENCE = 5

# Multiple of the least scale up to which a start near by may lead to where the rounding of the
# residuals alone decides.
_SUSPECT = 1e3

# The scale is at least this share of the weighted median of |y|: below, residuals are rounding.
LEAST_SCALE = 1e-9

# Smallest squared pivot of a matrix of unit diagonal that counts as definite, over EPS.
_LEAST_PIVOT = 1e5

# Relative error of an updated Gram matrix from which on it is summed anew.
_MOST_GRAM_ERROR = 1e-9

# By how much the scale may shrink in a step.
_SHRINK = 0.1

# Steps that a request may take before it is solved from scratch.
MAX_STEPS = 100


@dataclass(frozen=True)
class Problem:
    """The objective on some rows.

    Parameters
    ----------
    X : ndarray or CSR array of shape (n_slots, n_features), float64
        Rows.

    y, weights : ndarray of shape (n_slots,)
        Targets and weights; a row of weight zero does not count.

    epsilon, alpha : float
        Where the loss becomes linear, and the strength of the penalty.

    fit_intercept : bool
        Whether parameters end with an intercept.
    """

    X: Any
    y: np.ndarray
    weights: np.ndarray
    epsilon: float
    alpha: float
    fit_intercept: bool

    @cached_property
    def penalty(self) -> np.ndarray:
        """Half the second derivative of the penalty, shape (n_params,)."""
        penalty = np.full(self.X.shape[1] + self.fit_intercept, float(self.alpha))
        if self.fit_intercept:
            penalty[-1] = 0.0
        return penalty

    @cached_property
    def total(self) -> float:
        """The sum of weights."""
        return float(self.weights.sum())

    @cached_property
    def least_scale(self) -> float:
        """The lower bound of the scale."""
        return max(LEAST_SCALE * self.median(np.abs(self.y)), 10.0 * EPS)

    def median(self, values: np.ndarray) -> float:
        """Return the lower weighted median."""
        order = np.argsort(values)
        rank = int(np.searchsorted(np.cumsum(self.weights[order]), self.total / 2.0))
        return float(values[order[min(rank, order.size - 1)]])

    def bounded(self, scale: float) -> float:
        """Return a scale, or the least one if that is larger."""
        return scale if scale >= LEAST_SCALE * self._largest else max(scale, self.least_scale)

    def trusts(self, scale: float) -> bool:
        """Tell whether a scale is so far from its bound that a solution is a start for others."""
        return scale > _SUSPECT * self.least_scale

    @cached_property
    def _largest(self) -> float:
        return max(float(np.abs(self.y).max()), 1e-6)

    def residuals(self, theta: np.ndarray) -> np.ndarray:
        """Return the residuals, zero for rows that weigh nothing."""
        return np.where(self.weights > 0.0, self.y - self.fitted(theta), 0.0)

    def fitted(self, theta: np.ndarray) -> np.ndarray:
        """Return the linear predictors."""
        fitted = self.X @ theta[: self.X.shape[1]]
        return fitted + theta[-1] if self.fit_intercept else fitted

    def transposed_product(self, vectors: np.ndarray) -> np.ndarray:
        """Sum rows, with their constant, times vectors of shape (n_slots, n_vectors)."""
        sums = np.asarray(self.X.T @ vectors)
        return np.vstack([sums, vectors.sum(axis=0)]) if self.fit_intercept else sums

    def inside(self, residuals: np.ndarray, scale: float) -> np.ndarray:
        """Tell which rows weigh and have a quadratic loss."""
        return (self.weights > 0.0) & (np.abs(residuals) <= self.epsilon * scale)

    def sum_of_squares(self, rows: np.ndarray) -> float:
        """Sum ``s y^2`` over rows given by a mask."""
        return float((self.weights * rows) @ self.y**2)

    def gram(self, rows: np.ndarray) -> np.ndarray:
        """Sum ``s x x'`` over rows given by a mask or by slots."""
        loss = SingleLoss(NormalLoss(), self.fit_intercept, np.ones(2))
        if rows.dtype == bool:
            return loss.gram(self.X, self.y, self.weights * rows, self.penalty.size)
        return loss.gram(self.X[rows], self.y[rows], self.weights[rows], self.penalty.size)

    @cached_property
    def norms(self) -> np.ndarray:
        """Return the norms of columns over rows that weigh, shape (n_params, 1)."""
        X = self.X.multiply(self.X) if sparse.issparse(self.X) else self.X**2
        squares = np.asarray(self.weights @ X).ravel()
        if self.fit_intercept:
            squares = np.append(squares, self.total)
        return np.sqrt(squares)[:, np.newaxis]

    def roots(self, weights: np.ndarray, scale: float) -> np.ndarray:
        """Return B such that ``B'B`` is a weighted Gram matrix plus the scaled penalty."""
        rows = np.flatnonzero(weights)
        X = self.X[rows]
        X = X.toarray() if sparse.issparse(X) else X
        if self.fit_intercept:
            X = np.hstack([X, np.ones((X.shape[0], 1))])
        X = X * np.sqrt(weights[rows])[:, np.newaxis]
        return np.vstack([X, np.diag(np.sqrt(scale * self.penalty))])

    def scale(self, sizes: np.ndarray, guess: float, low: float) -> float:
        """Minimise the objective over scales of at least `low`, given absolute residuals.

        The derivative by the scale, ``sum_i s_i (1 - min(epsilon^2, r_i^2 t))``, is convex and
        piecewise linear in ``t = sigma^-2``, so that Newton's method ends.
        """
        squares, square = sizes**2, self.epsilon**2

        def terms(scale: float) -> tuple[float, float]:
            inside = self.weights * (sizes <= self.epsilon * scale)
            return self.total - square * (self.total - inside.sum()), float(inside @ squares)

        slack, spread = terms(low)
        if slack >= 0.0 and slack * low**2 >= spread:
            return low
        scale = max(guess, low)
        highest = float(sizes[self.weights > 0.0].max()) / self.epsilon
        for _ in range(100):
            slack, spread = terms(scale)
            best = np.sqrt(spread / slack) if slack > 0.0 else highest
            if best == scale:
                break
            scale = float(best)
        return max(scale, low)


@dataclass
class State:
    """Where a model stands.

    Parameters
    ----------
    theta : ndarray of shape (n_params,)
        Weights and, with an intercept, the intercept.

    scale : float
        The scale.

    inside : ndarray of shape (n_slots,), dtype bool
        Rows that weigh and whose loss was quadratic when `gram` was last brought up to date.

    gram : ndarray of shape (n_params, n_params) or None
        Sum of ``s x x'`` over these rows; None in copies and pickles, for which it is summed anew.

    peak : ndarray of shape (n_params,)
        Powers of two above the diagonal of `gram` when it was last summed: they bound what
        updates have lost since.
    """

    theta: np.ndarray
    scale: float
    inside: np.ndarray
    gram: Any
    peak: Any

    def wipe(self) -> None:
        """Overwrite the state, when another takes its place."""
        overwrite(self.theta, self.inside, self.gram)
        self.scale = 0.0

    def __getstate__(self) -> dict[str, Any]:
        return self.__dict__ | {"gram": None, "peak": None}


def cold(problem: Problem) -> State:
    """Start at zero, or at the median of the targets."""
    theta = np.zeros(problem.penalty.size)
    if problem.fit_intercept:
        theta[-1] = problem.median(problem.y)
    sizes = np.abs(problem.residuals(theta))
    scale = problem.median(sizes) or float(problem.weights @ sizes) / problem.total
    gram = np.zeros((theta.size, theta.size))
    return State(theta, scale, np.zeros(problem.y.size, dtype=bool), gram, np.zeros(theta.size))


def without(problem: Problem, state: State, rows: np.ndarray, held: Problem) -> State:
    """Take rows out of a state; `held` still has them, `problem` does not."""
    gone = rows[state.inside[rows]]
    inside = state.inside.copy()
    inside[rows] = False
    gram = None if state.gram is None else state.gram - held.gram(gone)
    return _follow(problem, replace(state, gram=gram, inside=inside), inside)


def _follow(problem: Problem, state: State, inside: np.ndarray) -> State:
    """Bring the Gram matrix up to date with the rows inside."""
    new = np.flatnonzero(inside & ~state.inside)
    gone = np.flatnonzero(state.inside & ~inside)
    gram, peak = state.gram, state.peak
    few = gram is not None and 8 * (new.size + gone.size) < inside.size
    if few and new.size:
        gram = gram + problem.gram(new)
        peak = np.maximum(peak, power_of_two_above(gram.diagonal()))
    if few and gone.size:
        gram = gram - problem.gram(gone)
    if not few or not (EPS * peak * peak.size <= _MOST_GRAM_ERROR * gram.diagonal()).all():
        return _summed_anew(problem, state, inside)
    return replace(state, inside=inside, gram=gram, peak=peak)


def _summed_anew(problem: Problem, state: State, inside: np.ndarray) -> State:
    gram = problem.gram(inside)
    return replace(state, inside=inside, gram=gram, peak=power_of_two_above(gram.diagonal()))


def minimise(problem: Problem, state: State, max_steps: int) -> tuple[State, float, bool, int]:
    """Find the optimum.

    Given weights and intercept, the best scale is found in passing, so that steps are Newton's in
    the weights on the objective minimised over scales. Where the best scale moves much, steps are
    Newton's at a fixed scale. Where the rows inside do not determine a step, all rows do, those
    outside with the curvature of a parabola above their loss.

    Parameters
    ----------
    problem : Problem
    state : State
        Where to start.
    max_steps : int
        Steps to make at most.

    Returns
    -------
    state : State
        With new buffers.
    error : float
        Relative Newton decrement.
    unique : bool
        Whether the curvature is definite, and the scale far from its bound.
    n_steps : int
        Steps made.
    """
    theta = state.theta.copy()
    residuals = problem.residuals(theta)
    low = problem.bounded(_SHRINK * state.scale)
    scale = problem.scale(np.abs(residuals), state.scale, low)
    inside = problem.inside(residuals, scale)
    settled, size, stalled, n_steps = False, np.inf, 0, 0
    while True:
        state = _follow(problem, state, inside)
        step, slope, error, unique = _direction(
            problem, state, theta, residuals / scale, scale, scale > low, settled
        )
        before, size = size, float(np.linalg.norm(step * np.sqrt(state.gram.diagonal())))
        stalled = stalled + 1 if size > 0.5 * before else 0
        small = stalled > 0 or size <= TARGET * np.sqrt(problem.sum_of_squares(state.inside))
        open_below = scale == low and low > problem.bounded(_SHRINK * low)
        if n_steps >= max_steps or not (slope < 0.0 or open_below):
            error = np.inf if open_below else error
            break
        enough = _STALLED if stalled >= _PATIENCE else TARGET
        final = error <= enough and small and not open_below
        length = 1.0
        if slope < 0.0:
            length = _step_length(problem, theta, step, residuals, scale, low, slope)
        theta = theta + length * step
        residuals = problem.residuals(theta)
        scale = problem.scale(np.abs(residuals), scale, low)
        if final:
            break
        n_steps += 1
        inside = problem.inside(residuals, scale)
        settled = length == 1.0 and np.array_equal(inside, state.inside)
        if scale == low and (settled or error <= TARGET):
            low = problem.bounded(_SHRINK * low)
            scale = problem.scale(np.abs(residuals), scale, low)
            inside = problem.inside(residuals, scale)
    unique = unique and problem.trusts(scale)
    return replace(state, theta=theta, scale=scale), max(error, EPS), unique, n_steps


@np.errstate(over="ignore", invalid="ignore")
def spread(problem: Problem, state: State) -> float:
    """Estimate the relative error of weights and intercept that rounding leaves.

    It is what the gradient, and the rounding of its sums and of the residuals, come to by the
    inverse of the curvature; infinite where that is not clearly definite.
    """
    theta, scale = state.theta, state.scale
    ratios = problem.residuals(theta) / scale
    bounded = np.clip(ratios, -problem.epsilon, problem.epsilon)
    gradient = problem.penalty * theta
    gradient -= problem.transposed_product((problem.weights * bounded)[:, np.newaxis])[:, 0]
    norms = problem.norms[:, 0]
    missed = (width_of(problem.X) + 4) * float(norms @ np.abs(theta)) / scale
    terms = (problem.y.size + 8) * np.sqrt(problem.weights @ bounded**2) + missed
    errors = np.abs(gradient) + EPS / 2 * (terms * norms + 4.0 * problem.penalty * np.abs(theta))
    curvature = state.gram + np.diag(scale * problem.penalty)
    root = np.sqrt(curvature.diagonal())
    used = root > 0.0
    unit = np.where(used, root, 1.0)
    matrix = curvature / unit / unit[:, np.newaxis] + np.diag((~used).astype(np.float64))
    factor, failed = lapack.dpotrf(matrix)
    if failed:
        return np.inf
    inverse = np.abs(lapack.dpotrs(factor, np.diag(1.0 / unit))[0] / unit[:, np.newaxis])
    peak = state.peak + scale * problem.penalty
    off = EPS / 2 * (problem.y.size + 4 * theta.size + 16)
    off *= float(np.sqrt(peak) @ inverse @ np.sqrt(peak))
    if not off < 0.5:
        return np.inf
    apart = scale * (inverse @ errors) / (1.0 - off)
    n_features = problem.X.shape[1]
    size = float(np.abs(theta[:n_features]).max())
    found = float(apart[:n_features].max()) / (size or 1.0)
    return max(found, float(apart.max()) / (float(np.abs(theta).max()) or 1.0))


def _direction(
    problem: Problem,
    state: State,
    theta: np.ndarray,
    ratios: np.ndarray,
    scale: float,
    free: bool,
    settled: bool,
) -> tuple[np.ndarray, float, float, bool]:
    """Return a step, the objective's slope along it, the Newton decrement, and definiteness.

    `ratios` are residuals over the scale, which may change if `free`. The unit of all is half the
    objective, of whose loss psi is the weighted derivative by the ratios.
    """
    psi = problem.weights * np.clip(ratios, -problem.epsilon, problem.epsilon)
    psi_inside = np.where(state.inside, psi, 0.0)
    sums = problem.transposed_product(np.stack([psi, psi_inside], axis=1))
    gradient, cross = problem.penalty * theta - sums[:, 0], sums[:, 1]
    curvature = state.gram + np.diag(scale * problem.penalty)
    right = np.stack([-scale * gradient, cross], axis=1)
    solution = _solve_definite(curvature, right)
    unique, complete = solution is not None, True
    if solution is None:
        noise = np.array([1e-13 * scale, 0.0]) * problem.norms * np.linalg.norm(psi)
        within = problem.weights * state.inside
        solution, complete = _solve_semidefinite(problem.roots(within, scale), right, noise)
        if not complete:
            flattened = problem.weights / np.maximum(np.abs(ratios) / problem.epsilon, 1.0)
            solution = _solve_semidefinite(problem.roots(flattened, scale), right, noise)[0]
    fixed, along = solution.T
    step, newton = fixed, fixed
    spread = float(psi_inside @ ratios)
    if free and spread > 0.0:
        rest = max(spread - float(cross @ along), 1e-6 * spread)
        newton = fixed + along * (float(cross @ fixed) / rest)
        if settled or rest > 0.5 * spread:
            step = newton
    size = float(theta @ curvature @ theta) + 1e-6 * problem.sum_of_squares(state.inside)
    decrement = max(float(-gradient @ newton), 0.0) * scale
    error = np.sqrt(decrement / size) if size > 0.0 else float(decrement > 0.0)
    return step, float(gradient @ step), float(error) if complete else np.inf, unique


def _solve_definite(matrix: np.ndarray, right: np.ndarray) -> np.ndarray | None:
    """Solve by Cholesky's factor; None if the matrix is not clearly definite."""
    root = np.sqrt(matrix.diagonal())[:, np.newaxis]
    if not root.all():
        return None
    factor, failed = lapack.dpotrf(matrix / root / root.T)
    if failed or factor.diagonal().min() ** 2 <= _LEAST_PIVOT * EPS * root.size:
        return None
    return lapack.dpotrs(factor, right / root)[0] / root


def _solve_semidefinite(
    roots: np.ndarray, right: np.ndarray, noise: np.ndarray
) -> tuple[np.ndarray, bool]:
    """Solve with the matrix ``roots' roots`` by singular values that do not vanish.

    Also tell whether the right side is nothing but noise where they do.
    """
    norms = np.linalg.norm(roots, axis=0)
    unit = (1.0 / np.where(norms > 0.0, norms, 1.0))[:, np.newaxis]
    _, values, rows = linalg.svd(roots * unit.T, full_matrices=False)
    parts = rows @ (right * unit)
    flat = values <= EPS * values.size * values[0]
    complete = bool((np.abs(parts) <= np.abs(rows) @ (noise * unit))[flat, 0].all())
    solution = rows[~flat].T @ (parts[~flat] / values[~flat, np.newaxis] ** 2)
    return solution * unit, complete


def _step_length(
    problem: Problem,
    theta: np.ndarray,
    step: np.ndarray,
    residuals: np.ndarray,
    scale: float,
    low: float,
    slope: float,
) -> float:
    """Return 1 if a whole step is about right, else where the slope along it is nearly zero."""
    change = np.where(problem.weights > 0.0, problem.fitted(step), 0.0)
    limit = problem.epsilon

    def at(length: float) -> float:
        after = residuals - length * change
        best = problem.scale(np.abs(after), scale, low)
        psi = problem.weights * np.clip(after / best, -limit, limit)
        return float((problem.penalty * (theta + length * step)) @ step - psi @ change)

    here = at(1.0)
    if abs(here) <= 0.5 * abs(slope):
        return 1.0
    begin, end = 0.0, 1.0
    while here < 0.0 and end < 1e12:
        begin, end = end, 2.0 * end
        here = at(end)
    for _ in range(60):
        length = (begin + end) / 2.0
        here = at(length)
        if abs(here) <= 0.1 * abs(slope):
            break
        begin, end = (begin, length) if here > 0.0 else (length, end)
    return length
