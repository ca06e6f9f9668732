"""Newton's method with a stale factor.

Notation as in :mod:`skunlearn.linear_model._glm.problem`.
"""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np

from skunlearn._linalg.precision import EPS
from skunlearn._statistics.column_moments import power_of_two_above
from skunlearn.linear_model._glm.certificate import log_hessian_change, log_weight_change
from skunlearn.linear_model._glm.problem import Factor, Problem, State

# Relative Newton decrement at which a solution counts as exact.
TARGET = 1e-12

# Up to here knowing the change of predictors exactly may save a pass when a model is polished.
_WORTH_A_LOOK = 0.01


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
    direction = reference - theta
    factors, weight_change = state.factors, log_weight_change(problem, state)
    # H at theta differs from the factor's by at most exp(log_change), and from there on by what
    # the steps since `anchor` add.
    anchor = theta
    log_change = log_hessian_change(problem, state.radius, direction) + weight_change
    while n_passes < max_passes:
        looks = n_passes == 0 and 0.0 < log_change <= _WORTH_A_LOOK
        sums = problem.gradient_sums(theta, direction if looks else None)
        gradient, change = sums.gradient, sums.predictor_change
        n_passes += 1
        if looks:
            log_change = log_hessian_change(problem, state.radius, direction, change)
            log_change += weight_change
        step = factor.solve(gradient)
        decrement = float(np.sqrt(max(gradient @ step, 0.0)))
        size = float(np.sqrt(max(theta @ factor.matrix @ theta, 0.0)))
        error = decrement / size if size > 0.0 else decrement
        if error <= target or (decrement >= 0.5 * before and error <= 1e-9):
            break
        if decrement > 0.2 * before and (weight_change or not np.array_equal(theta, reference)):
            reference, hessian = theta.copy(), problem.hessian(theta)
            factors, weight_change = problem.loss.class_weight, 0.0
            factor = Factor(problem.full(hessian))
            step = factor.solve(gradient)
            anchor, log_change = theta, 0.0
        theta = descend(problem, theta, step, gradient, state.radius)
        whole = log_change + log_hessian_change(problem, state.radius, theta - anchor)
        # A step with a factor that is off by this ratio leaves at most this share of the error,
        # so that a last pass to see it need not be made.
        contraction = math.expm1(min(whole, 50.0))
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


def descend(
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
