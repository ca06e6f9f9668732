"""Newton steps without a pass over the rows, and a bound of what they miss."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
from scipy import linalg
from scipy.linalg import lapack

from skunlearn._linalg.precision import EPS
from skunlearn.linear_model._glm.certificate import Certificate, distance, hessian_error
from skunlearn.linear_model._glm.pointwise_losses import LogisticLoss
from skunlearn.linear_model._glm.problem import Factor, Problem, State, norm

# Share of the curvature that rows may take with them.
_MOST_LEVERAGE = 0.25


def measured(problem: Problem, state: State, factor: Factor, found: Certificate) -> State:
    """Note what steps without a pass start from, where the state keeps the sum of x x'."""
    state = replace(state, gradient=found.gradient, residual=np.inf)
    if state.gram is not None and factor.definite:
        least = float(np.linalg.eigvalsh(factor.matrix)[0]) - hessian_error(problem, state)
        if least > 0.0:
            relative = linalg.eigh(state.gram, factor.matrix, eigvals_only=True)
            state.least, state.spread = least, float(relative[-1]) * (1.0 + 1e-5)
            state.residual = found.gradient_error / math.sqrt(least)
    return state


def step_without_pass(
    problem: Problem,
    state: State,
    rows: np.ndarray,
    parts: tuple[np.ndarray, np.ndarray | None, np.ndarray],
) -> tuple[State, float] | None:
    """Take a Newton step, and bound the distance to the optimum without a pass over the rows.

    A step s from theta misses the zero of the gradient by the integral of ``(H - H~) s`` along it.
    A logistic row's curvature changes by at most a constant times the change of its predictor, so
    that in the norm of the inverse of H~ this is at most ``sqrt(m s'Ks)`` times the constant, the
    rows' norm, and the distance from where H~ was evaluated; K is the weighted sum of ``x x'``, m
    its largest eigenvalue relative to H~. Where rows leave, H~ shrinks by no more than a factor of
    1 plus what they have of curvature, measured by the new H~.

    Parameters
    ----------
    problem : Problem
        With the weights as before; of a logistic loss.
    state : State
        With a known residual.
    rows : ndarray of dtype intp
        Rows to remove.
    parts : tuple of ndarray
        From the loss's ``take_apart``.

    Returns
    -------
    state, bound : (State, float) or None
        None where the step cannot be trusted.
    """
    hessian, gram, right_sides = parts
    assert gram is not None
    right = right_sides.copy()
    right[0] = state.gradient - right_sides[0]
    kept = 1.0 - 1e-5
    if not np.array_equal(problem.penalty, state.penalty):
        right[0] += (problem.penalty - state.penalty) * state.theta
        penalised = state.penalty > 0.0
        ratios = problem.penalty[penalised] / state.penalty[penalised]
        kept *= min(1.0, ratios.min(initial=1.0))
    _, solution, failed = lapack.dposv(
        problem.full(hessian).T, right.T, overwrite_a=True, overwrite_b=True
    )
    leverage = float(np.vdot(right_sides[1:], solution.T[1:]))
    if failed or not leverage <= _MOST_LEVERAGE:
        return None
    kept /= 1.0 + leverage
    least, spread = kept * state.least, state.spread / kept
    error = hessian_error(problem, state)
    if not error <= 1e-6 * least:
        return None
    step = solution[:, 0]
    theta = state.theta - step
    radius, length = state.radius, norm(step)
    size = norm(theta) + length
    weight = float(problem.weights[rows].sum() * problem.loss.class_weight.max())
    # From the reference to the middle of the step: where H is needed, and where it was evaluated.
    predictor_change = radius * (norm(state.theta - state.reference) + 0.5 * length)
    missed = LogisticLoss.largest_third * predictor_change
    missed *= math.sqrt(spread * max(float(step @ gram @ step), 0.0))
    rounded = error * (length + size)
    rounded += EPS * (theta.size + 12 + rows.size) * radius * (1.0 + radius * size) * weight
    residual = state.residual / math.sqrt(kept) + missed + rounded / math.sqrt(least)
    self_concordance = problem.loss.concordance * radius
    log_change = self_concordance * norm(theta - state.reference)
    bound = distance(self_concordance, log_change, 1.0 / least, residual)[0]
    after = State(
        theta,
        state.reference.copy(),
        hessian,
        gram,
        radius,
        problem.penalty,
        np.zeros(theta.size),
        state.peak,
        residual,
        least,
        spread,
        state.n_out + rows.size,
        state.factors,
    )
    return after, bound
