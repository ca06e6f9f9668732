"""What certified logistic regression adds: a tilted loss, a norm for the noise, secret draws."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from scipy import sparse, special

from skunlearn._linalg.precision import EPS
from skunlearn.linear_model._glm.certificate import certify
from skunlearn.linear_model._glm.losses import BLOCK, GradientSums, n_terms
from skunlearn.linear_model._glm.problem import Factor, Problem, State

# Rows may exceed a declared norm by this much, relatively: what scaling them to it leaves.
NORM_SLACK = 1e-6


@dataclass(frozen=True)
class TiltedProblem(Problem):
    """A penalised loss with a linear term.

    Parameters
    ----------
    tilt : ndarray of shape (n_params,)
        The linear term is ``tilt @ theta``.
    """

    tilt: np.ndarray | float = 0.0

    def gradient_sums(self, theta: np.ndarray, direction: np.ndarray | None = None) -> GradientSums:
        """Compute the gradient and what bounds its rounding, in one pass."""
        sums = super().gradient_sums(theta, direction)
        return replace(sums, gradient=sums.gradient + self.tilt)

    def value(self, theta: np.ndarray) -> float:
        """Compute the penalised and tilted loss."""
        return super().value(theta) + float(np.sum(self.tilt * theta))


def row_norms(X: Any) -> np.ndarray:
    """Return the Euclidean norm of each row."""
    squares = X.multiply(X).sum(axis=1) if sparse.issparse(X) else np.einsum("ij,ij->i", X, X)
    return np.sqrt(np.asarray(squares, dtype=np.float64).ravel())


def shortened(X: Any, limit: float) -> Any:
    """Scale rows that are longer than a limit to it; the others stay bit for bit."""
    norms = row_norms(X)
    long = norms > limit * (1.0 + NORM_SLACK)
    if not long.any():
        return X
    factors = np.where(long, limit / np.where(long, norms, 1.0), 1.0).astype(X.dtype)
    if sparse.issparse(X):
        return sparse.csr_array(sparse.diags_array(factors) @ X)
    return X * factors[:, np.newaxis]


def largest_eigenvalue(matrix: np.ndarray) -> float:
    """Return an upper bound of the largest eigenvalue, close to it."""
    return float(np.linalg.eigvalsh(matrix)[-1]) * (1.0 + 1e-10)


def sums_of_squares(problem: Problem) -> np.ndarray:
    """Sum the weighted squares of each column, the intercept's last.

    Parameters
    ----------
    problem : Problem
        Of binary logistic loss.

    Returns
    -------
    squares : ndarray of shape (n_params,)
        Each with a relative error of a few units of rounding.
    """
    weights = problem.loss.weights_of(problem.y, problem.weights)
    squares = np.zeros(problem.penalty.size)
    for start in range(0, problem.X.shape[0], BLOCK):
        span = slice(start, start + BLOCK)
        part = problem.X[span]
        part = part.multiply(part) if sparse.issparse(part) else np.square(part, dtype=np.float64)
        squares[: part.shape[1]] += weights[span] @ part
    if problem.loss.fit_intercept:
        squares[-1] = weights.sum()
    return squares


# Passes that the sharp bound of a distance makes.
SHARP_PASSES = 3


def distance(problem: Problem, state: State, shape: np.ndarray, enough: float) -> float:
    """Bound the distance to the optimum in another norm than that of the Hessian.

    With H the Hessian at the state's reference, ``||v||_M <= sqrt(trace(H^-1 M)) ||v||_H``.

    Parameters
    ----------
    problem : Problem
        Of binary logistic loss.

    state : State

    shape : ndarray of shape (n_params,)
        The diagonal of the matrix M of the norm.

    enough : float
        A bound at which to stop; if the cheap one, of one pass, exceeds it, several passes are
        made.

    Returns
    -------
    bound : float
        Infinite if none can be proved.
    """
    factor = Factor(problem.full(state.hessian))
    found = certify(problem, state, factor)
    bound = found.bound * found.norm_ratio * exchange(factor, shape)
    if bound <= enough:
        return bound
    return _sharp_distance(problem, state, shape)


def exchange(factor: Factor, shape: np.ndarray) -> float:
    """Bound the norm given by `shape` of vectors whose norm is 1 in the matrix factored."""
    if not np.isfinite(factor.inverse_norm):
        return np.inf
    return float(np.sqrt(factor.inverse.diagonal() @ shape)) * (1.0 + 1e-6)


@np.errstate(over="ignore", invalid="ignore")
def _sharp_distance(problem: Problem, state: State, shape: np.ndarray) -> float:
    """Bound the distance with rounding errors counted column by column and leverages row by row.

    Columns of very different scales, or a few very long rows, do not spoil this bound.
    """
    theta, loss = state.theta, problem.loss
    factor = Factor(problem.full(problem.hessian(theta)))
    gradient = problem.gradient_sums(theta).gradient
    n_rows = problem.X.shape[0]
    n_added = n_terms(problem.X) + 16
    size = np.abs(theta)
    error = 8.0 * (problem.penalty * size + np.abs(gradient))
    leverage = 0.0
    for start in range(0, n_rows, BLOCK):
        span = slice(start, start + BLOCK)
        part = problem.X[span]
        part = part.toarray() if sparse.issparse(part) else np.asarray(part, dtype=np.float64)
        if loss.fit_intercept:
            part = np.hstack([part, np.ones((part.shape[0], 1))])
        w = loss.weights_of(problem.y[span], problem.weights[span])
        part = part[w != 0.0]
        y, w = problem.y[span][w != 0.0], w[w != 0.0]
        eta = part @ theta
        bulk = np.abs(part)
        shift = (theta.size + 3) * (bulk @ size)
        derivative = np.abs(loss.pointwise.first(eta, y))
        curvature = loss.pointwise.second(eta, y) * np.exp(EPS * shift)
        # each row's derivative is off by its own rounding and by that of its predictor
        own = n_added * derivative + 8.0 * special.expit(eta)
        error += (w * (own + curvature * shift)) @ bulk
        leverages = np.einsum("ij,ij->i", part @ factor.inverse, part)
        leverage = max(leverage, float(leverages.max(initial=0.0)))
    nu = float(np.sqrt(max(gradient @ factor.inverse @ gradient, 0.0))) * (1.0 + 1e-8)
    nu += EPS / 2 * float(error @ np.sqrt(np.maximum(factor.inverse.diagonal(), 0.0)))
    kappa = loss.concordance * float(np.sqrt(leverage)) * (1.0 + 1e-6)
    if not kappa * nu < 1.0:
        return np.inf
    bound = float(-np.log1p(-kappa * nu) / kappa) if kappa > 0.0 else nu
    return bound * exchange(factor, shape)
