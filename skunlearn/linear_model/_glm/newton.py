"""Newton's method with a stale factor, and how close it has come.

Notation as in :mod:`skunlearn.linear_model._glm.problem`.
"""

from __future__ import annotations

import math
import warnings
from dataclasses import dataclass, replace
from functools import partial

import numpy as np
from sklearn.exceptions import ConvergenceWarning

from skunlearn._linalg.precision import EPS
from skunlearn._statistics.column_moments import power_of_two_above
from skunlearn.linear_model._glm.certificate import (
    distance,
    log_hessian_change,
    log_weight_change,
    precision,
)
from skunlearn.linear_model._glm.losses import GradientSums
from skunlearn.linear_model._glm.problem import Factor, Problem, State

# Relative Newton decrement at which a solution counts as exact.
TARGET = 1e-12

# Relative error to the optimum that a polished model keeps below.
TOLERANCE = 1e-9

# Up to here knowing the change of predictors exactly may save a pass when a model is polished.
_WORTH_A_LOOK = 0.01

# Logarithm of the change of H in one step from which on its factor no longer serves: it might
# contract, and still take a pass more than another factor would.
_FAR = 2.0

# Relative change of a Hessian from which on another one would bound the distance better.
_STALE = 0.1


@dataclass(frozen=True)
class Claim:
    """How far from the exact optimum a point can be, rounding included.

    Parameters
    ----------
    bound : float
        In the norm of H; infinite where nothing is proved.

    size : float
        That norm of the point.

    spread : ndarray of shape (n_params,)
        Parameter by parameter.

    stale : bool
        Whether the Hessian at the point would give a clearly better bound.
    """

    bound: float
    size: float
    spread: np.ndarray
    stale: bool = False


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
    return polish_and_claim(problem, state, target=target, max_passes=max_passes)[:3]


@np.errstate(over="ignore", invalid="ignore")
def polish_and_claim(
    problem: Problem, state: State, *, target: float = TARGET, max_passes: int = 200
) -> tuple[State, float, int, Claim]:
    """Iterate as :func:`polish` does, and bound the distance to the optimum that is left.

    Nothing is proved where the state has no extent.
    """
    theta, reference, hessian = state.theta.copy(), state.reference.copy(), state.hessian
    factor = Factor(problem.full(hessian))
    before = error = np.inf
    n_passes, moved = 0, 0.0
    direction = reference - theta
    factors, weight_change = state.factors, log_weight_change(problem, state)
    # H at theta differs from the factor's by at most exp(log_change), and from there on by what
    # the steps since `anchor` add.
    anchor = theta
    hessian_change = partial(log_hessian_change, problem, state.radius, extent=state.extent)
    log_change = hessian_change(direction) + weight_change
    ended: tuple[np.ndarray, GradientSums, np.ndarray, float] | None = None
    while n_passes < max_passes:
        looks = n_passes == 0 and 0.0 < log_change <= _WORTH_A_LOOK
        sums = problem.gradient_sums(theta, direction if looks else None)
        gradient, change = sums.gradient, sums.predictor_change
        n_passes += 1
        if looks:
            log_change = hessian_change(direction, change) + weight_change
        step = factor.solve(gradient)
        decrement = float(np.sqrt(max(gradient @ step, 0.0)))
        size = float(np.sqrt(max(theta @ factor.matrix @ theta, 0.0)))
        error = decrement / size if size > 0.0 else decrement
        if error <= target or (decrement >= 0.5 * before and error <= 1e-9):
            ended = theta, sums, step, log_change + hessian_change(theta - anchor)
            theta = theta - step
            break
        stale = decrement > 0.2 * before or moved > _FAR
        if stale and (weight_change or not np.array_equal(theta, reference)):
            reference, hessian = theta.copy(), problem.hessian(theta)
            factors, weight_change = problem.loss.class_weight, 0.0
            factor = Factor(problem.full(hessian))
            step = factor.solve(gradient)
            decrement = float(np.sqrt(max(gradient @ step, 0.0)))
            anchor, log_change = theta, 0.0
        here = theta
        moved = hessian_change(step)
        length = 1.0 if moved < 0.5 else step_length(problem, theta, step, gradient)
        theta = theta - length * step
        whole = log_change + hessian_change(theta - anchor)
        # A step with a factor that is off by this ratio leaves at most this share of the error,
        # so that a last pass to see it need not be made.
        contraction = math.expm1(min(whole, 50.0))
        if length == 1.0 and contraction * error <= target:
            error *= contraction
            ended = here, sums, step, log_change + hessian_change(here - anchor)
            break
        before = decrement
    if factor.flat.size:
        theta = _shortest(problem, theta, factor.flat)
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
    claim = Claim(np.inf, 1.0, np.full(theta.size, np.inf))
    if ended is not None and there.extent is not None:
        claim = _claim(problem, there, factor, *ended)
    return there, max(error, EPS), n_passes, claim


def _claim(
    problem: Problem,
    state: State,
    factor: Factor,
    before: np.ndarray,
    sums: GradientSums,
    step: np.ndarray,
    log_change: float,
) -> Claim:
    """Bound the distance to the optimum after a whole step with the factor.

    The step misses the optimum by what the factor differs from the Hessian between the point
    before and the optimum, times their distance, by the rounding of the gradient, and by its own.

    Parameters
    ----------
    problem : Problem
    state : State
        After the step.
    factor : Factor
        Of H at ``state.reference``.
    before : ndarray of shape (n_params,)
        The point before the step.
    sums : GradientSums
        There.
    step : ndarray of shape (n_params,)
        What was taken from it.
    log_change : float
        Bound on the logarithm of the change of H since `factor`, there.
    """
    theta, extent = state.theta, state.extent
    nothing = Claim(np.inf, 1.0, np.full(theta.size, np.inf))
    assert extent is not None
    largest = np.tile(extent.largest, theta.size // extent.largest.size)
    if not factor.definite or (largest[factor.empty] > 0.0).any():
        return nothing
    error, noise, reach = precision(problem, replace(state, theta=before), factor, sums, log_change)
    if not error < 0.5:
        return nothing
    decrement = math.sqrt(max(float(sums.gradient @ step), 0.0))
    nu = ((1.0 + 1e-8) * decrement + noise) / math.sqrt(1.0 - error)
    reach *= problem.loss.concordance
    bound, norm_ratio, _ = distance(reach, log_change, 1.0 / (1.0 - error), nu)
    bound *= norm_ratio / math.sqrt(1.0 - error)
    # Predictors move by at most this between the point before and the optimum.
    change = math.expm1(min(log_change + reach * bound, 50.0))
    rounded = EPS * np.abs(theta)
    bound = (2.0 * error + change) * bound + noise
    bound += math.sqrt(float(rounded @ np.abs(factor.matrix) @ rounded))
    bound *= 1.0 + 1e-6
    size = math.sqrt(max(float(theta @ factor.matrix @ theta), 0.0))
    spread = bound * np.sqrt(np.abs(factor.inverse.diagonal()) / (1.0 - error))
    spread[largest == 0.0] = 0.0
    bound *= math.exp(0.5 * min(change, 300.0)) / math.sqrt(1.0 - error)
    return Claim(bound, size, spread + rounded, change > _STALE)


def _shortest(problem: Problem, theta: np.ndarray, flat: np.ndarray) -> np.ndarray:
    """Go along flat directions to where weights are shortest, wherever the way began."""
    weights = np.ones(theta.size)
    if problem.loss.fit_intercept:
        weights[problem.X.shape[1] :: problem.X.shape[1] + 1] = 0.0
    along = np.linalg.lstsq(flat * weights[:, None], theta * weights, rcond=None)[0]
    return theta - flat @ along


def step_length(
    problem: Problem, theta: np.ndarray, step: np.ndarray, gradient: np.ndarray
) -> float:
    """Shorten a Newton step that is so long that it may not descend."""
    slope, here = float(gradient @ step), problem.value(theta)
    length = 1.0
    while length > 1e-10:
        there = problem.value(theta - length * step)
        if there <= here - 1e-4 * length * slope + 1e-12 * abs(here):
            break
        length *= 0.5
    return length


def warn_unless_solved(error: float, stacklevel: int) -> None:
    """Warn of a fit that ended too early."""
    if not error <= TOLERANCE:
        warnings.warn(
            f"The solver stopped at a relative error of {error:.1g}: raise max_iter, scale the "
            "columns, or penalise more if a hyperplane separates the classes.",
            ConvergenceWarning,
            stacklevel=stacklevel,
        )
