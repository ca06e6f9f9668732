"""What requests take in a generalised linear model: passes are foretold, not made."""

from __future__ import annotations

import math
from copy import copy
from typing import Any

import numpy as np

from skunlearn._linalg.precision import EPS
from skunlearn._samples.tables import dense
from skunlearn._unlearning.cost import Foretold, TellsCost, UnlearningCost, cost_of
from skunlearn._unlearning.step_input import StepInput
from skunlearn._unlearning.stopwatch import Seconds, Stopwatch
from skunlearn.linear_model._glm.certificate import log_hessian_change, log_weight_change
from skunlearn.linear_model._glm.newton import TARGET
from skunlearn.linear_model._glm.problem import Factor, Problem, norm

# Rows that are looked at to tell by how much predictors change.
_N_LOOKED_AT = 256

# Passes of most requests where the Hessian is not held.
_WIDE = 4

# Passes of which nobody knows how many there will be, at most.
_MOST = 20


class TellsPasses(TellsCost):
    """Tells how many passes a request makes from the Newton step that it begins with.

    The step costs no pass. By how much it changes the predictors of some rows tells by how much the
    Hessian changes, hence what the step misses and how fast the steps after it contract.
    """

    _seconds_per_pass = Seconds("nan")

    @np.errstate(over="ignore", invalid="ignore")
    def _cost(self: Any, rows: np.ndarray) -> Foretold:
        counts = self._counts_without(rows)
        if counts is None:
            return self._cost_of_fit(rows), None
        if self._is_wide():
            return self._cost_of_passes(_WIDE, 0.0, refits=True), None
        if np.isfinite(self._state.residual):
            with Stopwatch() as watch:
                removal = self._unlearn_without_pass(rows, counts)
            if removal is not None:
                return cost_of(removal, watch.seconds), removal
        with Stopwatch() as watch:
            problem = self._problem(self._weights_without(rows))
            n_passes, missed = self._foreseen(problem, rows)
            refits = self.unlearning == "polished" or not missed <= self.bound_budget
            if self.unlearning != "polished":  # a certificate first, and after polishing another
                n_passes = 1 + refits * (n_passes + 3)
        return self._cost_of_passes(n_passes, watch.seconds, refits), None

    def _cost_behind(self: Any, rows: np.ndarray, step_input: StepInput) -> Foretold | None:
        source = self._source_of(step_input)
        view = None if source is None else self._behind(rows, source)
        return None if view is None else (view._cost(rows)[0], None)

    def _cost_of_passes(self: Any, n_passes: int, seconds: float, refits: bool) -> UnlearningCost:
        """Return the cost of some passes, and of what takes none."""
        seconds += n_passes * float(self._seconds_per_pass)
        return UnlearningCost(
            n_parts_touched=int(refits), n_passes=float(n_passes), seconds=seconds
        )

    def _n_passes_of_fit(self: Any) -> float:
        return max(1.0, float(np.max(self.n_iter_)))

    def _foreseen(self: Any, problem: Problem, rows: np.ndarray) -> tuple[int, float]:
        """Return how many passes polishing takes, and how far the first step will be off."""
        state = self._state
        loss = copy(problem.loss)
        loss.class_weight = state.factors
        hessian, _, removed_gradient = loss.take_out(
            self._rows(), rows, state.hessian, state.gram, state.theta, state.reference
        )
        factor = Factor(problem.full(hessian))
        change = (problem.penalty - state.penalty) * state.theta
        step = factor.solve(state.gradient + change - removed_gradient)
        there = state.theta - step
        weight_change = log_weight_change(problem, state)
        moved = self._log_change(problem, step) + weight_change
        log_change = self._log_change(problem, there - state.reference) + weight_change
        size = math.sqrt(max(float(there @ factor.matrix @ there), EPS))
        missed = 0.5 * math.expm1(min(moved, 2.0)) * math.sqrt(step @ factor.matrix @ step)
        return _n_passes(missed / size, math.expm1(min(log_change, 2.0))), missed

    def _log_change(self: Any, problem: Problem, direction: np.ndarray) -> float:
        """Estimate the logarithm of the change of H where parameters change by `direction`."""
        samples, loss = self._samples, problem.loss
        some = np.linspace(0, samples.n_samples - 1, min(_N_LOOKED_AT, samples.n_samples))
        X = dense(self._rows().X, samples.slots()[some.astype(np.intp)])
        each = direction.reshape(-1, X.shape[1] + loss.fit_intercept)
        changes = X @ each[:, : X.shape[1]].T + each[:, X.shape[1] :].sum(axis=1)
        change = float(np.sqrt((changes**2).sum(axis=1).max()))
        return log_hessian_change(problem, norm(direction), np.ones(1), change)


def _n_passes(error: float, contraction: float) -> int:
    """Return how many gradients bring a relative error to nothing at some rate per step."""
    for n_passes in range(1, _MOST):
        if not error * contraction > TARGET:
            return n_passes
        if contraction > 0.2:  # the Hessian is evaluated anew: another pass, and faster from there
            return n_passes + 1 + _n_passes(0.2 * error, 0.2 * error)
        error *= contraction
    return _MOST
