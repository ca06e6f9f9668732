"""Newton's method with a stale factor, and the certificate of how far a point is from the optimum.

Notation of the docstrings: F is the penalised loss summed over the rows held, H its Hessian, G its
gradient, ``||v||_H = sqrt(v' H v)``.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from scipy import linalg, sparse
from scipy.linalg import lapack

from skunlearn._column_moments import power_of_two_above
from skunlearn.linear_model._glm_losses import BLOCK, Slope

EPS = float(np.finfo(np.float64).eps)

# Relative Newton decrement at which a solution counts as exact.
TARGET = 1e-12


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

    def slope(self, theta: np.ndarray) -> Slope:
        """Compute the gradient of F and what bounds its rounding, in one pass."""
        slope = self.loss.slope(self.X, self.y, self.weights, theta)
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
        Bound on the norm of the gradient at `theta`; infinite where none is known.
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

    def wipe(self) -> None:
        """Overwrite the state, when another takes its place."""
        for buffer in (self.theta, self.reference, self.hessian, self.gram, self.gradient):
            if buffer is not None:
                buffer.fill(0)
        self.residual = np.inf


def state_at(problem: Problem, theta: np.ndarray, radius: float) -> State:
    """Evaluate the Hessian at a point."""
    hessian = problem.hessian(theta)
    peak = power_of_two_above(hessian.diagonal())
    here = theta.copy()
    return State(
        here, here.copy(), hessian, None, radius, problem.penalty, np.zeros(here.size), peak
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
    n_rows, n_features = problem.X.shape
    terms = min(n_rows, BLOCK) + n_rows / BLOCK + 8
    predictors = (n_features + 3) * radius * float(np.linalg.norm(theta))
    return EPS / 2 * radius * (terms * slope.size + predictors * slope.bend)


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

    residual : float
        Bound on the Euclidean norm of the exact G.

    loose : bool
        Whether the Hessian at theta, or the rows' exact norms, would give a clearly better bound.
    """

    bound: float
    stretch: float
    gradient: np.ndarray
    residual: float
    loose: bool


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
    slope = problem.slope(state.theta)
    slack = rounding(problem, slope, state.theta, radius)
    size = np.sqrt(max(float(slope.gradient @ factor.inverse @ slope.gradient), 0.0))
    nu = (1.0 + 1e-8) * float(size) + slack * float(np.sqrt(inverse_norm))
    bound, stretch, ratio = _distance(problem, state, radius, inverse_norm, nu)
    residual = float(np.linalg.norm(slope.gradient)) + slack
    loose = not sharply and (stretch > 1.02 or ratio > 0.02)
    return Certificate(bound, stretch, slope.gradient, residual, loose)


def largest_norm(problem: Problem) -> float:
    """Return the largest norm of a row that weighs, intercept included."""
    X = problem.X
    squares = X.multiply(X).sum(axis=1) if sparse.issparse(X) else np.einsum("ij,ij->i", X, X)
    squares = np.asarray(squares, dtype=np.float64).ravel()[problem.weights != 0.0]
    return float(np.sqrt(squares.max() + problem.loss.fit_intercept)) * (1.0 + 1e-6)


def distance_from_residual(problem: Problem, state: State, factor: Factor) -> float:
    """Bound the distance to the optimum from the bound on the gradient that the state carries."""
    nu = state.residual * float(np.sqrt(factor.inverse_norm))
    return _distance(problem, state, state.radius, factor.inverse_norm, nu)[0]


def _distance(
    problem: Problem, state: State, radius: float, inverse_norm: float, nu: float
) -> tuple[float, float, float]:
    """Return the bound, the stretch of the norm, and ``kappa nu``."""
    reach = problem.loss.concordance * radius
    moved = float(np.linalg.norm(state.theta - state.reference))
    stretch = float(np.exp(min(0.5 * reach * moved, 300.0)))
    nu *= stretch
    kappa = reach * float(np.sqrt(inverse_norm)) * stretch
    if not kappa * nu < 1.0:
        return np.inf, stretch, np.inf
    bound = float(-np.log1p(-kappa * nu) / kappa) if kappa > 0.0 else nu
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
    while n_passes < max_passes:
        slope = problem.slope(theta)
        n_passes += 1
        step = factor.solve(slope.gradient)
        decrement = float(np.sqrt(max(slope.gradient @ step, 0.0)))
        size = float(np.sqrt(max(theta @ factor.matrix @ theta, 0.0)))
        error = decrement / size if size > 0.0 else decrement
        if error <= target or (decrement >= 0.5 * before and error <= 1e-9):
            break
        if decrement > 0.2 * before and not np.array_equal(theta, reference):
            reference, hessian = theta.copy(), problem.hessian(theta)
            factor = Factor(problem.full(hessian))
            step = factor.solve(slope.gradient)
        theta = _descend(problem, theta, step, slope.gradient, state.radius)
        reach = problem.loss.concordance * state.radius
        contraction = np.expm1(min(reach * float(np.linalg.norm(theta - reference)), 50.0))
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
