"""The certificate of how far a point is from the optimum.

Notation as in :mod:`skunlearn.linear_model._glm.problem`.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import sparse

from skunlearn._linalg.precision import EPS
from skunlearn._samples.centred_table import CentredTable
from skunlearn._samples.device_table import DeviceTable
from skunlearn.linear_model._glm.extent import Extent, gradient_rounding, hessian_rounding
from skunlearn.linear_model._glm.losses import GradientSums, blocks, n_terms
from skunlearn.linear_model._glm.problem import Factor, Problem, State, norm

# Up to here a bound on the change of predictors is as good as its exact value.
_NEAR_BY = 0.1


def gradient_error(problem: Problem, sums: GradientSums, theta: np.ndarray, radius: float) -> float:
    """Bound the rounding error of a gradient, in the Euclidean norm.

    It comes from the sums within a block and over blocks, from the predictors, and from the
    evaluation of the derivative.
    """
    predictors = (problem.X.shape[1] + 3) * radius * norm(theta)
    terms = (n_terms(problem.X) + 8) * sums.magnitude
    return EPS / 2 * radius * (terms + predictors * sums.curvature)


def hessian_error(problem: Problem, state: State) -> float:
    """Bound the rounding error of the Hessian and of its Cholesky factor, in the spectral norm.

    It comes from the sums over rows, from the predictors, from taking rows out, and from the
    factorisation, each in proportion to the trace of what was summed.
    """
    terms = n_terms(problem.X) + state.n_out + 4 * state.theta.size + 16
    predictors = (problem.X.shape[1] + 3) * state.radius * norm(state.reference)
    trace = float(state.peak.sum() + problem.penalty.sum())
    if problem.null_curvature is not None:
        trace += float(np.trace(problem.null_curvature))
    return EPS / 2 * (terms + problem.loss.concordance * predictors) * trace


def log_weight_change(problem: Problem, state: State) -> float:
    """Bound the logarithm of the change of H by the change of the weights of classes."""
    if np.array_equal(problem.loss.class_weight, state.factors):
        return 0.0
    return float(np.abs(np.log(problem.loss.class_weight / state.factors)).max())


@dataclass(frozen=True)
class Certificate:
    """What one pass proves.

    Parameters
    ----------
    bound : float
        On the distance to the optimum in the norm of H at theta; infinite if the theorem does not
        apply.

    norm_ratio : float
        That norm is at least the one of the factor at hand divided by this.

    gradient : ndarray of shape (n_params,)
        G at theta, as computed.

    gradient_error : float
        Bound on the Euclidean norm of what the exact G differs from that by.

    loose : bool
        Whether the Hessian at theta, or the rows' exact norms, would give a clearly better bound.
    """

    bound: float
    norm_ratio: float
    gradient: np.ndarray
    gradient_error: float
    loose: bool

    @property
    def residual(self) -> float:
        """Bound on the Euclidean norm of the exact G."""
        return norm(self.gradient) + self.gradient_error


@np.errstate(over="ignore", invalid="ignore")
def certify(
    problem: Problem, state: State, factor: Factor, *, sharply: bool = False
) -> Certificate:
    """Bound the distance to the optimum by one pass over the rows.

    For a loss whose third derivative is at most c times its second, and rows of norm at most R, let
    ``kappa = c R / sqrt(l)`` with l the least eigenvalue of H, and ``nu = ||G||_{H^-1}``. If
    ``kappa nu < 1``, the optimum exists and

        ``||theta - theta*||_H <= -log(1 - kappa nu) / kappa``,

    since on the way to the optimum H shrinks by no more than ``exp(-r)`` where predictors move by
    r. With H at another point, from which predictors have moved by at most rho, nu and kappa
    grow by ``exp(rho / 2)``.

    Parameters
    ----------
    problem : Problem
    state : State
    factor : Factor
        Of H at ``state.reference``.
    sharply : bool, default=False
        Whether to spend another pass on the rows' norms, and an eigenvalue.

    Returns
    -------
    certificate : Certificate

    References
    ----------
    Sun, Tran-Dinh: Generalized self-concordant functions, Mathematical Programming 178, 2019,
    section 2, for the class of losses; the bound follows from integrating the Hessian.
    """
    radius, inverse_norm = state.radius, factor.inverse_norm
    extent = state.extent if factor.definite else None
    if sharply:
        radius = min(radius, largest_norm(problem))
        if np.isfinite(inverse_norm):
            inverse_norm = float(np.linalg.eigvalsh(factor.inverse)[-1]) * (1.0 + 1e-10)
    direction = state.reference - state.theta
    near = log_hessian_change(problem, radius, direction, extent=extent) <= _NEAR_BY
    # Near by, the norms of the rows bound the change of predictors well enough without a product.
    sums = problem.gradient_sums(state.theta, None if near else direction)
    gradient = sums.gradient
    rounding = gradient_error(problem, sums, state.theta, radius)
    log_change = log_hessian_change(
        problem, radius, direction, sums.predictor_change, extent=extent
    )
    log_change += log_weight_change(problem, state)
    error = hessian_error(problem, state) * inverse_norm
    noise, reach = rounding * math.sqrt(inverse_norm), radius * math.sqrt(inverse_norm)
    if extent is not None:
        found = precision(problem, state, factor, sums, log_change)
        error, noise, reach = (min(a, b) for a, b in zip(found, (error, noise, reach), strict=True))
    if not error < 0.5:
        return Certificate(np.inf, np.inf, gradient, rounding, not sharply)
    size = math.sqrt(max(float(gradient @ factor.inverse @ gradient), 0.0))
    nu = ((1.0 + 1e-8) * size + noise) / math.sqrt(1.0 - error)
    self_concordance = problem.loss.concordance * reach
    bound, norm_ratio, ratio = distance(self_concordance, log_change, 1.0 / (1.0 - error), nu)
    loose = not sharply and (norm_ratio > 1.1 or ratio > 0.1)
    return Certificate(bound, norm_ratio / math.sqrt(1.0 - error), gradient, rounding, loose)


def precision(
    problem: Problem, state: State, factor: Factor, sums: GradientSums, log_change: float
) -> tuple[float, float, float]:
    """Measure by the factor at hand what rounding may have done, column by column.

    Parameters
    ----------
    problem : Problem
    state : State
        With an extent.
    factor : Factor
        Of H at ``state.reference``.
    sums : GradientSums
        At ``state.theta``.
    log_change : float
        Bound on the logarithm of the change of H between the two.

    Returns
    -------
    error : float
        Relative error of the factor's matrix.
    noise : float
        Error of the gradient, in the norm of the inverse.
    reach : float
        Largest norm of a row, in the norm of the inverse.
    """
    extent = state.extent
    assert extent is not None
    size = np.abs(factor.inverse)
    hessian_errors = hessian_rounding(problem, extent, state)
    gradient_errors, predictor_noise = gradient_rounding(problem, extent, sums, state.theta)
    error = float(hessian_errors @ size @ hessian_errors)
    noise = math.sqrt(float(gradient_errors @ size @ gradient_errors))
    # From the norm of H there to that of the factor.
    noise += predictor_noise * math.exp(0.5 * min(log_change, 300.0)) * 1.5
    return error, noise, extent.dual_norm(size)


def largest_norm(problem: Problem) -> float:
    """Return the largest norm of a row that weighs, intercept included."""
    X = problem.X
    if isinstance(X, DeviceTable):
        squares = X.squares()
    elif isinstance(X, CentredTable):
        squares = np.concatenate([_row_squares(X[span]) for span in blocks(X)])
    else:
        squares = _row_squares(X)
    squares = squares[problem.weights != 0.0]
    return float(np.sqrt(squares.max() + problem.loss.fit_intercept)) * (1.0 + 1e-6)


def longest_row(problem: Problem) -> float:
    """Return a power of two above the norm of every row that weighs."""
    largest = largest_norm(problem)
    return float(2.0 ** np.ceil(np.log2(largest))) if largest > 0.0 else 1.0


def _row_squares(X: Any) -> np.ndarray:
    squares = X.multiply(X).sum(axis=1) if sparse.issparse(X) else np.einsum("ij,ij->i", X, X)
    return np.asarray(squares, dtype=np.float64).ravel()


def log_hessian_change(
    problem: Problem,
    radius: float,
    direction: np.ndarray,
    predictor_change: float = math.inf,
    *,
    extent: Extent | None = None,
) -> float:
    """Bound the logarithm of the change of H where parameters change by `direction`.

    By the norms of the rows, by their extent, and by the largest change of a predictor, where
    these are known.
    """
    longest = radius * norm(direction)
    if extent is not None:
        longest = min(longest, extent.reach(direction))
    # The computed change has its own rounding, which is relative to `longest`.
    computed = predictor_change * (1.0 + 1e-6) + 1e-10 * longest
    return problem.loss.concordance * min(longest, computed)


def distance(
    self_concordance: float, log_change: float, inverse_norm: float, nu: float
) -> tuple[float, float, float]:
    """Bound the distance to the optimum.

    Parameters
    ----------
    self_concordance : float
        Largest third derivative relative to the second, times the largest norm of a row.
    log_change : float
        Logarithm of the most that H has changed since it was evaluated.
    inverse_norm : float
        Of the inverse of H as it was evaluated.
    nu : float
        Norm of the gradient, in that of the inverse of H as it was evaluated.

    Returns
    -------
    bound : float
        In the norm of H.
    norm_ratio : float
        By what the norm may have changed.
    ratio : float
        ``kappa nu`` of :func:`certify`.
    """
    norm_ratio = math.exp(min(0.5 * log_change, 300.0))
    nu *= norm_ratio
    kappa = self_concordance * math.sqrt(inverse_norm) * norm_ratio
    if not kappa * nu < 1.0:
        return np.inf, norm_ratio, np.inf
    bound = -math.log1p(-kappa * nu) / kappa if kappa > 0.0 else nu
    return bound, norm_ratio, kappa * nu
