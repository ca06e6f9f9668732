"""How certified logistic regression forgets: bounds, noise, budget, account."""

from __future__ import annotations

import copy
import math
import secrets
from dataclasses import replace
from typing import Any, ClassVar

import numpy as np
from scipy.linalg import lapack

from skunlearn._linalg.precision import EPS
from skunlearn._privacy.accounting import gaussian_epsilon, gaussian_mu
from skunlearn._privacy.noise import digest, secret_normal
from skunlearn._samples.hashing import draw_seed
from skunlearn._statistics.column_moments import power_of_two_above
from skunlearn._unlearning.commit import Removal, Replacement
from skunlearn._unlearning.cost import Foretold
from skunlearn._unlearning.report import Guarantee
from skunlearn._unlearning.stopwatch import Stopwatch
from skunlearn._unlearning.tags import UnlearningTags
from skunlearn.exceptions import BudgetExhaustedError, NotUnlearnableError
from skunlearn.linear_model._certified_noise import (
    NORM_SLACK,
    SHARP_PASSES,
    TiltedProblem,
    distance,
    exchange,
    largest_eigenvalue,
    row_norms,
    shortened,
    sums_of_squares,
)
from skunlearn.linear_model._glm.certificate import certify, longest_row
from skunlearn.linear_model._glm.model import (
    LONGEST_STEP,
    MOST_HESSIAN_ERROR,
    reevaluated,
)
from skunlearn.linear_model._glm.newton import polish
from skunlearn.linear_model._glm.pointwise_losses import LogisticLoss
from skunlearn.linear_model._glm.problem import Factor, Problem, State, state_at
from skunlearn.linear_model._logistic import LogisticRegression

# Share of the distance that the noise covers which either side may use; the rest is for rounding.
_SHARE = 0.49

# Share of the gradient residual that the noise covers which the solver may use, on either side.
_SOLVER_SHARE = 0.01


class CertifiedRemoval(LogisticRegression):
    """The private part of certified logistic regression; its parameters come with the public one.

    With `mechanism` 'guo2020' the loss is tilted by a random linear term and the solution is
    published as it is; with 'output' the solution is kept secret and published with noise.
    """

    _overwritten: ClassVar[tuple[str, ...]] = ("_peak", "_squares", "_tilt")

    # What a LogisticRegression can choose and this model cannot.
    penalty = "deprecated"
    l1_ratio = 0.0
    dual = False
    solver = "lbfgs"
    unlearning = "newton"

    _takes_arrays = False

    epsilon: float
    delta: float
    mechanism: str
    max_norm: float | None
    on_exhausted: str

    _accounts = (
        *("n_releases_", "budget_spent_", "budget_left_", "requests_until_refit_"),
        *("_n_refits", "_n_steps"),
    )

    @property
    def _unlearning_tags(self) -> UnlearningTags:
        return UnlearningTags("certified", "output")

    def _refuse_unsupported(self) -> None:
        if self._is_tilted and self.class_weight == "balanced":
            raise ValueError(
                "class_weight='balanced' weighs all rows anew with each request, which has no "
                "bound without a pass over the rows; use mechanism='output', or a dict."
            )

    @property
    def _is_tilted(self) -> bool:
        return self.mechanism == "guo2020"

    def _serves_without_pass(self) -> bool:
        return self._is_tilted

    def _budget(self) -> float:
        if self.bound_budget is not None:
            return self.bound_budget
        return 1.0 if self._is_tilted else 0.01

    def _mu(self) -> float:
        """Return the budget in units of the noise's standard deviation."""
        mu = gaussian_mu(self.epsilon, self.delta)
        if self._is_tilted:
            mu = min(mu, self.epsilon / np.sqrt(2.0 * np.log(1.5 / self.delta)))
        return float(mu)

    def _solve(self, sources: Any, X: Any, y: np.ndarray, weight: Any, sample_ids: Any) -> None:
        if self.classes_.size > 2:
            raise ValueError(
                "Only binary classification is supported. For more classes use "
                "LogisticRegression(unlearning='bounded'), which proves how far it is from the "
                f"retrained model, without noise. The target has {self.classes_.size} classes."
            )
        X = self._within_norm(X)
        before = self._taken_over.seed
        self._seed = self._new_key() if before is None else digest(before, b"refit")
        self.noise_scale_ = self._budget() / self._mu()
        self._tilt = self._draw_tilt(b"fit", X.shape[1] + self.fit_intercept)
        self._terms = self._chosen()
        self._n_refits = 0
        self.n_releases_ = 0
        super()._solve(sources, X, y, weight, sample_ids)
        problem = self._problem(self._weights())
        state = self._state
        state.radius = min(state.radius, self._declared_radius())
        self.__dict__.update(self._sums(problem, state))
        spent = self._spent(problem, state, self._squares)
        if not spent <= self._limit():
            raise ValueError(
                f"After {int(self.n_iter_[0])} passes the solution is certified to {spent:.2g} of "
                f"the optimum, but the noise covers {self._limit():.2g}: scale the columns, "
                "declare a max_norm, penalise more, or raise max_iter or bound_budget."
            )
        self.__dict__.update(self._published(problem, state.theta, self._squares, b"fit"))
        self.__dict__.update(self._account(spent, 0, self._rate))

    def _new_key(self) -> bytes:
        if self.random_state is None:
            return secrets.token_bytes(32)
        return digest(str(draw_seed(self.random_state)).encode())

    def _draw_tilt(self, purpose: bytes, n_params: int) -> np.ndarray:
        if not self._is_tilted:
            return np.zeros(n_params)
        return self.noise_scale_ * secret_normal(self._seed, b"tilt " + purpose, n_params)

    def _chosen(self) -> tuple[Any, ...]:
        """Return the parameters to which noise and account are bound."""
        terms = (self.mechanism, self.epsilon, self.delta, self.bound_budget, self.max_norm)
        return (*terms, self.C, self.fit_intercept, copy.copy(self.class_weight))

    def _within_norm(self, X: Any) -> Any:
        """Shorten rows to the declared norm, or refuse rows that are longer."""
        if self.max_norm is not None:
            return shortened(X, self.max_norm)
        longest = row_norms(X).max(initial=0.0) if self._is_tilted else 0.0
        if longest > 1.0 + NORM_SLACK:
            raise ValueError(
                "mechanism='guo2020' takes rows of norm 1 at most, and one of X has norm "
                f"{longest:.3g}. Declare a max_norm, to which longer rows are shortened."
            )
        return X

    def _declared_radius(self) -> float:
        if self.max_norm is None and not self._is_tilted:
            return np.inf
        limit = (1.0 if self.max_norm is None else self.max_norm) * (1.0 + 2 * NORM_SLACK)
        return float(np.sqrt(limit**2 + self.fit_intercept))

    def _as_stored(self, X: Any) -> Any:
        return self._within_norm(super()._as_stored(X))

    def _centre(self, X: Any, weights: np.ndarray) -> np.ndarray | None:
        # The noise is for parameters as they are where the rows came from.
        return None

    def _problem(self, weights: np.ndarray, tilt: np.ndarray | None = None) -> Problem:
        plain = super()._problem(weights)
        if not self._is_tilted:
            return plain
        tilt = self._tilt if tilt is None else tilt
        penalty = np.full(plain.penalty.size, 1.0 / self.C)
        return TiltedProblem(plain.loss, plain.X, plain.y, weights, penalty, None, tilt)

    def _measured(self, problem: Problem, state: State) -> State:
        """Measure the gradient, from which steps without a pass start."""
        found = certify(problem, state, Factor(problem.full(state.hessian)))
        return replace(state, gradient=found.gradient, residual=found.residual)

    def _sums(self, problem: Problem, state: State) -> dict[str, Any]:
        """Return what is kept about the rows' sums besides the state.

        The diagonal of a sum of squares has no cancellation, so that it is the same, to rounding,
        however it was come by.
        """
        if not self._is_tilted:
            squares = sums_of_squares(problem)
            return {"_squares": squares, "_peak": power_of_two_above(squares), "_rate": np.inf}
        assert state.gram is not None
        squares = state.gram.diagonal().copy()
        spectrum = largest_eigenvalue(state.gram)
        # what requests for average rows spend if they move the solution at random
        inverse = Factor(problem.full(state.hessian)).inverse
        moves = np.trace(inverse) * np.sum(inverse * state.gram) / self._samples.n_samples**2
        rate = 2.0 / 3.0 * LogisticLoss.largest_third * state.radius
        rate *= float(np.sqrt(spectrum * moves))
        peak = power_of_two_above(squares)
        return {"_squares": squares, "_peak": peak, "_rate": rate, "_spectrum": spectrum}

    def _spent(self, problem: Problem, state: State, squares: np.ndarray) -> float:
        """Bound how far a solution is from the optimum, in the unit of the budget."""
        if self._is_tilted:
            return state.residual + _SOLVER_SHARE * self._budget()
        return distance(problem, state, _shape(problem, squares), self._limit())

    def _limit(self) -> float:
        """Return what a solution by the solver may spend."""
        return self._budget() * (2 * _SOLVER_SHARE if self._is_tilted else _SHARE)

    def _attributes(self, theta: np.ndarray) -> dict[str, Any]:
        """Publish nothing of a solution to which no noise has been added."""
        return {}

    def _published(
        self, problem: Problem, theta: np.ndarray, squares: np.ndarray, purpose: bytes
    ) -> dict[str, Any]:
        if not self._is_tilted:
            z = secret_normal(self._seed, b"release " + purpose, theta.size)
            theta = theta + self.noise_scale_ * z / np.sqrt(_shape(problem, squares))
        return super()._attributes(theta)

    def _account(self, spent: float, n_steps: int = 0, rate: float = np.inf) -> dict[str, Any]:
        """Return the attributes about the budget after some requests since the last refit.

        `rate` is what average rows spend, by the power 3/2 of their number.
        """
        total = self._budget() * (1.0 if self._is_tilted else _SHARE)
        until = np.inf
        if self._is_tilted:
            rate = max(spent - _SOLVER_SHARE * total + rate, EPS) / (n_steps**1.5 + 1.0)
            until = max((total / rate) ** (2.0 / 3.0) - n_steps, 0.0)
        return {
            "budget_spent_": spent,
            "budget_left_": max(total - spent, 0.0),
            "requests_until_refit_": float(until),
            "_n_steps": n_steps,
        }

    @np.errstate(over="ignore", invalid="ignore")
    def _unlearn(self, rows: np.ndarray) -> Removal:
        self._check_terms()
        counts = self._counts_without(rows)
        assert counts is not None
        if self._is_tilted:
            return self._unlearn_within_budget(rows, counts)
        problem = self._problem(self._weights_without(rows))
        state, sums = self._step_without(rows, problem)
        squares, n_refitted = sums["_squares"], 0
        spent = self._spent(problem, state, squares)
        while not spent <= self._limit() and n_refitted < 3:
            n_refitted += 1
            if n_refitted == 3:  # from too far away floats may not lead where `fit` gets from zero
                radius = min(longest_row(problem), self._declared_radius())
                state = state_at(problem, np.zeros_like(state.theta), radius)
            state = polish(problem, state, max_passes=max(self.max_iter, 1))[0]
            spent = self._spent(problem, state, squares)
        if not spent <= self._limit():
            raise NotUnlearnableError(
                f"The solution on the remaining rows is certified to {spent:.2g} of the optimum, "
                f"but the noise covers {self._limit():.2g}; fit would refuse them. Nothing was "
                "changed."
            )
        attributes = {**counts, **sums, **self._account(spent)}
        return self._release(problem, state, attributes, min(n_refitted, 1))

    def _check_terms(self) -> None:
        if self._terms != self._chosen():
            raise ValueError(
                "Parameters were set after fit, but the noise was drawn for the former ones: fit "
                "anew, or set them back. Nothing was changed."
            )

    @np.errstate(over="ignore", invalid="ignore")
    def _cost(self, rows: np.ndarray) -> Foretold:
        self._check_terms()
        self._counts_without(rows)  # which refuses where a class would be missing
        if not self._is_tilted:
            with Stopwatch() as watch:
                problem = self._problem(self._weights_without(rows))
                n_passes, missed = self._foreseen(problem, rows)
                missed *= exchange(
                    Factor(problem.full(self._state.hessian)), _shape(problem, self._squares)
                )
                refits = not missed <= self._limit()
            n_passes = 1 + refits * (SHARP_PASSES + n_passes + 1)
            return self._cost_of_passes(n_passes, watch.seconds, refits), None
        with Stopwatch() as watch:
            problem = self._problem(self._weights())
            state, sums = self._step_without(rows, problem)
            spent = self._spent(problem, state, sums["_squares"])
        if spent <= self._budget():
            return self._cost_of_passes(0, watch.seconds, False), None
        self._check_exhausted(spent)
        return self._cost_of_fit(rows), None

    def _check_exhausted(self, spent: float) -> None:
        if self.on_exhausted == "raise":
            raise BudgetExhaustedError(
                f"The request would bring what has been spent from {self.budget_spent_:.3g} to "
                f"{spent:.3g} of a budget of {self._budget():.3g}: fit the model anew on the "
                "remaining rows, or set on_exhausted='refit'. Nothing was changed."
            )

    def _unlearn_within_budget(self, rows: np.ndarray, counts: dict[str, Any]) -> Removal:
        problem = self._problem(self._weights())
        state, sums = self._step_without(rows, problem)
        spent = self._spent(problem, state, sums["_squares"])
        if spent <= self._budget():
            attributes = {**counts, **sums, **self._account(spent, self._n_steps + 1, self._rate)}
            return self._release(problem, state, attributes, 0)
        self._check_exhausted(spent)
        n_refits = self._n_refits + 1
        assert state.gram is not None
        purpose = digest(b"%d" % n_refits, self._state.theta.tobytes(), state.gram.tobytes())
        tilt = self._draw_tilt(purpose, state.theta.size)
        problem = self._problem(self._weights_without(rows), tilt)
        here = replace(state_at(problem, self._state.theta, state.radius), gram=state.gram)
        near = polish(problem, here, max_passes=max(self.max_iter, 1))[0]
        state = self._measured(problem, reevaluated(problem, near))
        sums = self._sums(problem, state)
        spent = self._spent(problem, state, sums["_squares"])
        if not spent <= self._limit():
            raise NotUnlearnableError(
                f"The solver left {spent:.2g} of the {self._limit():.2g} that the noise covers for "
                "it; fit would refuse the remaining rows. Nothing was changed."
            )
        attributes = {**counts, **sums, **self._account(spent, 0, sums["_rate"])}
        return self._release(problem, state, attributes | {"_tilt": tilt, "_n_refits": n_refits}, 1)

    def _step_without(self, rows: np.ndarray, problem: Problem) -> tuple[State, dict[str, Any]]:
        """Take rows out of the state and make one Newton step; what it misses is in the residual.

        Where subtraction would lose digits, or the weights of all rows change, the sums over rows
        are made anew.
        """
        before = self._state
        hessian, gram, removed_gradient = problem.loss.take_out(
            self._samples, rows, before.hessian, before.gram, before.theta, before.reference
        )
        state = replace(
            before, reference=before.reference.copy(), hessian=hessian, gram=gram, residual=np.inf
        )
        # Penalty and tilt stay as they are, so that the gradient changes by the rows' alone.
        gradient = before.gradient - removed_gradient
        sums = {"_squares": self._squares_without(rows, problem, gram)}
        rebalanced = self.class_weight == "balanced"
        if rebalanced or self._has_lost_digits(problem, state, sums["_squares"]):
            whole = self._problem(self._weights_without(rows))
            state, sums = self._summed_anew(whole, before)
            if rebalanced:
                gradient = whole.gradient_sums(before.theta).gradient
        matrix = problem.full(state.hessian)
        _, step, failed = lapack.dposv(matrix.T, gradient)
        length = math.sqrt(step @ step)
        if not failed and problem.loss.concordance * state.radius * length < LONGEST_STEP:
            if self._is_tilted:
                missed = matrix @ step - gradient
                state.residual = before.residual + math.sqrt(missed @ missed)
                state.residual += self._step_error(rows, state, step, length)
            state.theta = before.theta - step
        else:
            state.theta = before.theta.copy()
        state.gradient = np.zeros(step.size)
        return state, sums

    def _step_error(self, rows: np.ndarray, state: State, step: np.ndarray, length: float) -> float:
        """Bound the gradient that a Newton step leaves, and its rounding."""
        before, size = self._state, step.size
        change = before.theta - state.reference
        distance = math.sqrt(change @ change) + 0.5 * length
        across = math.sqrt(max(step @ state.gram @ step, 0.0))
        error = LogisticLoss.largest_third * state.radius * distance
        error = error * math.sqrt(self._spectrum) * across
        heaviest = float(self._problem(self._weights()).loss.class_weight.max())
        weight = float(self._weights()[rows].sum()) * heaviest
        predictors = state.radius * math.sqrt(before.theta @ before.theta) * size
        rounding = state.radius * weight * (rows.size + size + predictors)
        rounding += 4.0 * size * (float(state.peak.sum()) + size / self.C) * length
        return float(error + EPS * rounding)

    def _squares_without(
        self, rows: np.ndarray, problem: Problem, gram: np.ndarray | None
    ) -> np.ndarray:
        if gram is not None:
            return gram.diagonal().copy()
        X, y, weights = self._samples.take(rows)
        return self._squares - sums_of_squares(replace(problem, X=X, y=y, weights=weights))

    def _has_lost_digits(self, problem: Problem, state: State, squares: np.ndarray) -> bool:
        """Tell whether subtraction has cost the sums over rows too many digits."""
        unit = EPS * state.theta.size / MOST_HESSIAN_ERROR
        penalty = problem.penalty
        error = unit * (state.peak + penalty) > state.hessian.diagonal() + penalty
        return bool((error | (unit * self._peak > squares + 4.0 * penalty)).any())

    def _summed_anew(self, problem: Problem, state: State) -> tuple[State, dict[str, Any]]:
        """Sum over the rows at the state's parameters."""
        here = state_at(problem, state.theta, state.radius)
        here = replace(here, gradient=state.gradient.copy(), residual=state.residual)
        if self._is_tilted:
            here.gram = problem.loss.gram(problem.X, problem.y, problem.weights, here.theta.size)
        return here, self._sums(problem, here)

    def _release(
        self, problem: Problem, state: State, attributes: dict[str, Any], n_refitted: int
    ) -> Removal:
        n_releases = self.n_releases_ + 1
        squares = attributes["_squares"]
        purpose = b""
        if not self._is_tilted:
            purpose = digest(b"%d" % n_releases, state.theta.tobytes(), squares.tobytes())
        published = self._published(problem, state.theta, squares, purpose)
        guarantee = self._guarantee(n_releases, attributes["budget_spent_"])
        new = {"_state": state, "n_releases_": n_releases, **attributes, **published}
        return Removal(new, guarantee, n_refitted)

    def _guarantee(self, n_releases: int, bound: float | None) -> Guarantee:
        composed = None
        if n_releases and not self._is_tilted:
            composed = gaussian_epsilon(
                self.delta, self._budget() / self.noise_scale_ * n_releases**0.5
            )
            composed = max(composed, self.epsilon)
        return Guarantee(
            "certified",
            "output",
            bound=bound,
            epsilon=self.epsilon,
            delta=self.delta,
            n_releases=n_releases,
            composed_epsilon=composed,
        )

    def _static_guarantee(self) -> Guarantee:
        state = self.__dict__
        return self._guarantee(state.get("n_releases_", 0), state.get("budget_spent_"))

    def _adopt(self, fresh: Any) -> list[Replacement]:
        fresh.n_releases_ = self.n_releases_ + 1
        return super()._adopt(fresh)

    def _purge(self) -> dict[str, Any]:
        problem = self._problem(self._weights())
        radius = min(longest_row(problem), self._declared_radius())
        state, sums = self._summed_anew(problem, replace(self._state, radius=radius))
        return {"_state": state, **sums}


def _shape(problem: Problem, squares: np.ndarray) -> np.ndarray:
    """Return the inverse variances of the noise: the Hessian's diagonal is never above them."""
    return problem.penalty + 0.25 * squares
