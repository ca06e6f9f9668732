"""Newton's method with a stale factor, and the certificate of how far a point is from the optimum.

Notation of the docstrings: F is the penalised loss summed over the rows held, H its Hessian, G its
gradient, ``||v||_H = sqrt(v' H v)``.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from scipy import linalg, sparse
from scipy.linalg import lapack

from skunlearn._array_api import DeviceTable
from skunlearn._statistics.column_moments import power_of_two_above
from skunlearn.linear_model._glm.losses import Slope, n_terms

EPS = float(np.finfo(np.float64).eps)

# Relative Newton decrement at which a solution counts as exact.
TARGET = 1e-12

# Up to here knowing the change of predictors exactly may save a pass when a model is polished.
_WORTH_A_LOOK = 0.01

# Up to here a bound on the change of predictors is as good as its exact value.
_NEAR_BY = 0.1


@dataclass(frozen=True)
class Problem:
    """A penalised loss over some rows.

    Parameters
    ----------
    loss : SingleLoss or SoftmaxLoss
        The loss of a row.

    X : ndarray or CSR array of shape (n_slots, n_features)
        Rows.

    y, weights : ndarray of shape (n_slots,)
        Targets and weights; a row of weight zero does not count.

    penalty : ndarray of shape (n_params,)
        The penalty is half the sum of penalty * theta^2.

    pin : ndarray of shape (n_params, n_params) or None
        Curvature added along directions in which neither loss nor penalty changes.
    """

    loss: Any
    X: Any
    y: np.ndarray
    weights: np.ndarray
    penalty: np.ndarray
    pin: np.ndarray | None = None

    def slope(self, theta: np.ndarray, way: np.ndarray | None = None) -> Slope:
        """Compute the gradient of F and what bounds its rounding, in one pass.

        With `way`, also find how far predictors are changed by adding it to `theta`.
        """
        slope = self.loss.slope(self.X, self.y, self.weights, theta, way)
        return replace(slope, gradient=slope.gradient + self.penalty * theta)

    def value(self, theta: np.ndarray) -> float:
        """Compute F."""
        loss = self.loss.value(self.X, self.y, self.weights, theta)
        return loss + 0.5 * float(self.penalty @ theta**2)

    def hessian(self, theta: np.ndarray) -> np.ndarray:
        """Compute the rows' part of H."""
        return self.loss.hessian(self.X, self.y, self.weights, theta)

    def full(self, hessian: np.ndarray) -> np.ndarray:
        """Complete the rows' part of H by the penalty."""
        matrix = hessian.copy()
        matrix.flat[:: self.penalty.size + 1] += self.penalty
        return matrix if self.pin is None else matrix + self.pin


@dataclass
class State:
    """Where a model stands.

    Parameters
    ----------
    theta : ndarray of shape (n_params,)
        Parameters.

    reference : ndarray of shape (n_params,)
        Where `hessian` was evaluated.

    hessian : ndarray of shape (n_params, n_params)
        The rows' part of H at `reference`.

    gram : ndarray of shape (n_params, n_params) or None
        Weighted sum of x x', kept where requests are served without a pass.

    radius : float
        A power of two above the norm of every row.

    penalty : ndarray of shape (n_params,)
        The penalty under which `theta` was found.

    gradient : ndarray of shape (n_params,)
        What is known of the gradient at `theta`; zero at an optimum.

    peak : ndarray of shape (n_params,)
        Powers of two above the diagonal of `hessian` when it was evaluated; they bound what
        taking rows out of it has lost since.

    residual : float
        Bound on what the gradient at `theta` differs from `gradient` by, in the norm of the inverse
        of H at `reference`; infinite where none is known.

    least : float
        Where the residual is known, a lower bound of the eigenvalues of H at `reference`.

    spread : float
        Where the residual is known, an upper bound of the eigenvalues of `gram` relative to H.

    n_out : int
        Rows taken out of `hessian` since it was evaluated.

    factors : ndarray of shape (n_classes,)
        Weights of classes with which it was evaluated.
    """

    theta: np.ndarray
    reference: np.ndarray
    hessian: np.ndarray
    gram: np.ndarray | None
    radius: float
    penalty: np.ndarray
    gradient: np.ndarray
    peak: np.ndarray
    residual: float = np.inf
    least: float = 0.0
    spread: float = np.inf
    n_out: int = 0
    factors: np.ndarray = field(default_factory=lambda: np.ones(1))

    def wipe(self) -> None:
        """Overwrite the state, when another takes its place."""
        for buffer in (self.theta, self.reference, self.hessian, self.gram, self.gradient):
            if buffer is not None:
                buffer.fill(0)
        self.residual = self.spread = np.inf
        self.least = 0.0


def state_at(problem: Problem, theta: np.ndarray, radius: float) -> State:
    """Evaluate the Hessian at a point."""
    hessian = problem.hessian(theta)
    peak = power_of_two_above(hessian.diagonal())
    here = theta.copy()
    return State(
        here,
        here.copy(),
        hessian,
        None,
        radius,
        problem.penalty,
        np.zeros(here.size),
        peak,
        factors=problem.loss.class_weight,
    )


class Factor:
    """The inverse of a positive definite matrix, or the pseudo-inverse of a semidefinite one.

    Parameters
    ----------
    matrix : ndarray of shape (n_params, n_params)
    """

    def __init__(self, matrix: np.ndarray) -> None:
        self.matrix = matrix
        factor, failed = lapack.dpotrf(matrix.T)
        if not failed:
            inverse, failed = lapack.dpotri(factor, overwrite_c=True)
        self.definite = not failed
        if failed:
            values, vectors = linalg.eigh(matrix)
            kept = values > EPS * values.size * max(values[-1], 0.0)
            self.inverse = (vectors[:, kept] / values[kept]) @ vectors[:, kept].T
        else:
            self.inverse = np.triu(inverse) + np.triu(inverse, 1).T

    def solve(self, right: np.ndarray) -> np.ndarray:
        """Solve for one right-hand side, with one step of refinement."""
        solution = self.inverse @ right
        return solution + self.inverse @ (right - self.matrix @ solution)

    @property
    def inverse_norm(self) -> float:
        """An upper bound of the spectral norm of the inverse; infinite if semidefinite."""
        size = float(np.linalg.norm(self.inverse))
        return size if self.definite and np.isfinite(size) else np.inf


def rounding(problem: Problem, slope: Slope, theta: np.ndarray, radius: float) -> float:
    """Bound the rounding error of a gradient, in the Euclidean norm.

    It comes from the sums within a block and over blocks, from the predictors, and from the
    evaluation of the derivative.
    """
    predictors = (problem.X.shape[1] + 3) * radius * norm(theta)
    return EPS / 2 * radius * ((n_terms(problem.X) + 8) * slope.size + predictors * slope.bend)


def wear(problem: Problem, state: State) -> float:
    """Bound the rounding error of the Hessian and of its Cholesky factor, in the spectral norm.

    It comes from the sums over rows, from the predictors, from taking rows out, and from the
    factorisation, each in proportion to the trace of what was summed.
    """
    terms = n_terms(problem.X) + state.n_out + 4 * state.theta.size + 16
    predictors = (problem.X.shape[1] + 3) * state.radius * norm(state.reference)
    trace = float(state.peak.sum() + problem.penalty.sum())
    if problem.pin is not None:
        trace += float(np.trace(problem.pin))
    return EPS / 2 * (terms + problem.loss.concordance * predictors) * trace


def strain(problem: Problem, state: State) -> float:
    """Bound the logarithm of the change of H by the change of the weights of classes."""
    if np.array_equal(problem.loss.class_weight, state.factors):
        return 0.0
    return float(np.abs(np.log(problem.loss.class_weight / state.factors)).max())


def norm(vector: np.ndarray) -> float:
    """Return the Euclidean norm."""
    return math.sqrt(vector @ vector)


@dataclass(frozen=True)
class Certificate:
    """What one pass proves.

    Parameters
    ----------
    bound : float
        On the distance to the optimum in the norm of H at theta; infinite if the theorem does not
        apply.

    stretch : float
        That norm is at least the one of the factor at hand divided by this.

    gradient : ndarray of shape (n_params,)
        G at theta, as computed.

    slack : float
        Bound on the Euclidean norm of what the exact G differs from that by.

    loose : bool
        Whether the Hessian at theta, or the rows' exact norms, would give a clearly better bound.
    """

    bound: float
    stretch: float
    gradient: np.ndarray
    slack: float
    loose: bool

    @property
    def residual(self) -> float:
        """Bound on the Euclidean norm of the exact G."""
        return norm(self.gradient) + self.slack


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
    if sharply:
        radius = min(radius, largest_norm(problem))
        if np.isfinite(inverse_norm):
            inverse_norm = float(np.linalg.eigvalsh(factor.inverse)[-1]) * (1.0 + 1e-10)
    way = state.reference - state.theta
    near = _reach(problem, radius, way, np.inf) <= _NEAR_BY
    slope = problem.slope(state.theta) if near else problem.slope(state.theta, way)
    slack = rounding(problem, slope, state.theta, radius)
    worn = wear(problem, state) * inverse_norm
    if not worn < 0.5:
        return Certificate(np.inf, np.inf, slope.gradient, slack, not sharply)
    inverse_norm /= 1.0 - worn
    size = math.sqrt(max(float(slope.gradient @ factor.inverse @ slope.gradient), 0.0))
    nu = (1.0 + 1e-8) * size / math.sqrt(1.0 - worn) + slack * math.sqrt(inverse_norm)
    moved = _reach(problem, radius, way, slope.far) + strain(problem, state)
    bound, stretch, ratio = distance(problem.loss.concordance * radius, moved, inverse_norm, nu)
    loose = not sharply and (stretch > 1.1 or ratio > 0.1)
    return Certificate(bound, stretch / math.sqrt(1.0 - worn), slope.gradient, slack, loose)


def largest_norm(problem: Problem) -> float:
    """Return the largest norm of a row that weighs, intercept included."""
    X = problem.X
    if isinstance(X, DeviceTable):
        squares = X.squares()
    else:
        squares = X.multiply(X).sum(axis=1) if sparse.issparse(X) else np.einsum("ij,ij->i", X, X)
    squares = np.asarray(squares, dtype=np.float64).ravel()[problem.weights != 0.0]
    return float(np.sqrt(squares.max() + problem.loss.fit_intercept)) * (1.0 + 1e-6)


def _reach(problem: Problem, radius: float, way: np.ndarray, far: float) -> float:
    """Bound the logarithm of the change of H where parameters change by `way`.

    By the norms of the rows, and by the largest change of a predictor where it is known.
    """
    longest = radius * norm(way)
    return problem.loss.concordance * min(longest, far * (1.0 + 1e-6) + 1e-10 * longest)


def distance(
    reach: float, moved: float, inverse_norm: float, nu: float
) -> tuple[float, float, float]:
    """Bound the distance to the optimum.

    Parameters
    ----------
    reach : float
        Largest third derivative relative to the second, times the largest norm of a row.
    moved : float
        Logarithm of the most that H has changed since it was evaluated.
    inverse_norm : float
        Of the inverse of H as it was evaluated.
    nu : float
        Norm of the gradient, in that of the inverse of H as it was evaluated.

    Returns
    -------
    bound : float
        In the norm of H.
    stretch : float
        By what the norm may have changed.
    ratio : float
        ``kappa nu`` of :func:`certify`.
    """
    stretch = math.exp(min(0.5 * moved, 300.0))
    nu *= stretch
    kappa = reach * math.sqrt(inverse_norm) * stretch
    if not kappa * nu < 1.0:
        return np.inf, stretch, np.inf
    bound = -math.log1p(-kappa * nu) / kappa if kappa > 0.0 else nu
    return bound, stretch, kappa * nu


@np.errstate(over="ignore", invalid="ignore")
def polish(
    problem: Problem, state: State, *, target: float = TARGET, max_passes: int = 200
) -> tuple[State, float, int]:
    """Iterate to the optimum; the Hessian is evaluated anew only when it no longer contracts.

    Parameters
    ----------
    problem : Problem
    state : State
        Where to start; not changed.
    target : float
        Relative Newton decrement to reach.
    max_passes : int
        Gradients to compute at most.

    Returns
    -------
    state : State
    error : float
        Relative Newton decrement at the end, ``||G||_{H^-1} / ||theta||_H``.
    n_passes : int
        Gradients computed.
    """
    theta, reference, hessian = state.theta.copy(), state.reference.copy(), state.hessian
    factor = Factor(problem.full(hessian))
    before = error = np.inf
    n_passes = 0
    way = reference - theta
    factors, strained = state.factors, strain(problem, state)
    anchor, moved = theta, _reach(problem, state.radius, way, np.inf) + strained
    while n_passes < max_passes:
        looks = n_passes == 0 and 0.0 < moved <= _WORTH_A_LOOK
        slope = problem.slope(theta, way) if looks else problem.slope(theta)
        n_passes += 1
        if looks:
            moved = _reach(problem, state.radius, way, slope.far) + strained
        step = factor.solve(slope.gradient)
        decrement = float(np.sqrt(max(slope.gradient @ step, 0.0)))
        size = float(np.sqrt(max(theta @ factor.matrix @ theta, 0.0)))
        error = decrement / size if size > 0.0 else decrement
        if error <= target or (decrement >= 0.5 * before and error <= 1e-9):
            break
        if decrement > 0.2 * before and (strained or not np.array_equal(theta, reference)):
            reference, hessian = theta.copy(), problem.hessian(theta)
            factors, strained = problem.loss.class_weight, 0.0
            factor = Factor(problem.full(hessian))
            step = factor.solve(slope.gradient)
            anchor, moved = theta, 0.0
        theta = _descend(problem, theta, step, slope.gradient, state.radius)
        reach = moved + _reach(problem, state.radius, theta - anchor, np.inf)
        contraction = math.expm1(min(reach, 50.0))
        if contraction * error <= target:
            error *= contraction
            break
        before = decrement
    there = replace(
        state,
        theta=theta,
        reference=reference,
        hessian=hessian.copy(),
        peak=state.peak if hessian is state.hessian else power_of_two_above(hessian.diagonal()),
        penalty=problem.penalty,
        gradient=np.zeros(theta.size),
        residual=np.inf,
        n_out=state.n_out if hessian is state.hessian else 0,
        factors=factors,
    )
    return there, max(error, EPS), n_passes


def _descend(
    problem: Problem, theta: np.ndarray, step: np.ndarray, gradient: np.ndarray, radius: float
) -> np.ndarray:
    """Take a Newton step, shortened where it is so long that it may not descend."""
    if problem.loss.concordance * radius * float(np.linalg.norm(step)) < 0.5:
        return theta - step
    slope, here = float(gradient @ step), problem.value(theta)
    length = 1.0
    while length > 1e-10:
        there = problem.value(theta - length * step)
        if there <= here - 1e-4 * length * slope + 1e-12 * abs(here):
            break
        length *= 0.5
    return theta - length * step
