"""What generalised linear models share: fit, three ways to unlearn, the certificate."""

from __future__ import annotations

from abc import ABCMeta, abstractmethod
from copy import copy
from dataclasses import replace
from typing import Any, ClassVar

import numpy as np
from scipy import sparse
from sklearn.base import BaseEstimator, clone

from skunlearn._array_api import to_host
from skunlearn._linalg.precision import EPS
from skunlearn._samples.centred_table import Rows, centred, far_origin
from skunlearn._samples.tables import dense, native, take
from skunlearn._unlearning.commit import Removal, snapshot
from skunlearn._unlearning.hand_over import HandOver
from skunlearn._unlearning.report import Guarantee
from skunlearn._unlearning.stopwatch import Seconds, Stopwatch
from skunlearn._unlearning.tags import UnlearningTags
from skunlearn._validation import validate_data
from skunlearn.exceptions import NotUnlearnableError
from skunlearn.linear_model._glm.certificate import (
    Certificate,
    certify,
    log_hessian_change,
    longest_row,
)
from skunlearn.linear_model._glm.cost import TellsPasses
from skunlearn.linear_model._glm.extent import Extent, extent_of
from skunlearn.linear_model._glm.newton import (
    TOLERANCE,
    Claim,
    polish,
    polish_and_claim,
    warn_unless_solved,
)
from skunlearn.linear_model._glm.newton_cg import WideState, curvature_at
from skunlearn.linear_model._glm.no_pass_step import measured, step_without_pass
from skunlearn.linear_model._glm.problem import Factor, Problem, State, state_at
from skunlearn.linear_model._glm.wide_model import SolvesByProducts

# Relative error of a downdated Hessian from which on it is evaluated anew.
MOST_HESSIAN_ERROR = 1e-9

# Change of a predictor from which on a Newton step could leave the range of floats.
LONGEST_STEP = 30.0

# Relative error at which the Hessian is evaluated once more, to serve the requests to come.
_NEAR = 1e-4

# A fit starts from the optimum on every step-th row, if the step is at least this long.
_LEAST_STEP = 8


class GLM(TellsPasses, SolvesByProducts, BaseEstimator, metaclass=ABCMeta):
    """A penalised generalised linear model that holds its rows.

    Subclasses name the loss and the penalty. The rows' weights are always an array, in which a
    removed row weighs nothing, so that passes run over the whole table.
    """

    _overwritten: ClassVar[tuple[str, ...]] = ("_base", "_blocks", "_map", "_origin", "_state")

    max_iter: int
    unlearning: str
    bound_budget: Any  # a number, for subclasses also None

    @abstractmethod
    def _problem(self, weights: np.ndarray) -> Problem:
        """State the problem on the rows held, weighted as given."""

    @abstractmethod
    def _attributes(self, theta: np.ndarray) -> dict[str, Any]:
        """Turn parameters into public attributes."""

    def _counts_without(self, rows: np.ndarray) -> dict[str, Any] | None:
        """Return attributes that count rows, less the given ones; None if they force a refit."""
        return {}

    def _is_wide(self) -> bool:
        """Tell whether the Hessian is too large to hold."""
        return False

    def _serves_without_pass(self) -> bool:
        """Tell whether requests have a bound that needs no pass over the rows."""
        return False

    def _centre(self, X: Any, weights: np.ndarray) -> np.ndarray | None:
        """Choose what is subtracted from rows while they are worked on; None is zero."""
        return far_origin(X, weights) if self.fit_intercept and not self._is_wide() else None

    def _rows(self) -> Any:
        """Return rows less the origin, with their targets and weights."""
        samples = self._samples
        if self._origin is None:
            return samples
        return Rows(centred(samples.X, self._origin), samples.y, self._weights())

    def _as_n_iter(self, n_passes: int) -> Any:
        return n_passes

    @property
    def _unlearning_tags(self) -> UnlearningTags:
        if self.unlearning == "polished":
            return UnlearningTags("numerical", "output", TOLERANCE, pushes_affine=True)
        return UnlearningTags("bounded", "output", pushes_affine=True)

    def _solve(self, sources: Any, X: Any, y: np.ndarray, weight: Any, sample_ids: Any) -> None:
        """Hold validated rows and find the optimum."""
        if weight is None:
            weight = np.ones(X.shape[0])
        elif not weight.any():
            raise ValueError("Sample weights must contain at least one non-zero number.")
        self._hold_samples(X, y, weight, sources=sources, sample_ids=sample_ids)
        self._base = self._map = self._blocks = None
        self._origin = self._centre(self._samples.X, self._weights())
        problem = self._problem(self._weights())
        if self._is_wide():
            self._solve_wide(problem)
            return
        near, _, n_near = polish(
            problem, self._start(problem), target=_NEAR, max_passes=self.max_iter
        )
        near = reevaluated(problem, near)
        with Stopwatch() as watch:
            state, error, n_passes = polish(
                problem, near, max_passes=max(self.max_iter - n_near, 0)
            )
        self._seconds_per_pass = Seconds(watch.seconds / max(n_passes, 1))
        warn_unless_solved(error, stacklevel=6)
        self.__dict__.update(
            {
                "_state": self._measured(problem, state),
                "n_iter_": self._as_n_iter(n_near + n_passes),
                **self._attributes(state.theta),
            }
        )

    def _guess(self, problem: Problem) -> np.ndarray:
        return np.zeros(problem.penalty.size)

    @np.errstate(over="ignore", invalid="ignore")
    def _start(self, problem: Problem) -> State:
        """Start at a guess, or where a part of the rows has its optimum."""
        theta = self._guess(problem)
        former = self._taken_over.start
        radius = longest_row(problem)
        step = problem.X.shape[0] // max(2000, 30 * theta.size)
        if former is not None and former.size == theta.size and problem.penalty.any():
            theta = self._in_input_coordinates(former, self._origin)
        elif step >= _LEAST_STEP and problem.weights[::step].any():
            fewer = replace(
                problem,
                X=problem.X[::step],
                y=problem.y[::step],
                weights=problem.weights[::step] * step,
            )
            theta = polish(
                fewer, state_at(fewer, theta, radius), target=1e-3, max_passes=self.max_iter
            )[0].theta
        state = state_at(problem, theta, radius)
        if self.unlearning == "newton" and self._serves_without_pass():
            state.gram = self._gram(problem)
        return state

    @staticmethod
    def _gram(problem: Problem) -> np.ndarray:
        return problem.loss.gram(problem.X, problem.y, problem.weights, problem.penalty.size)

    def _measured(self, problem: Problem, state: State) -> State:
        """Measure the gradient, from which requests without a pass start."""
        if state.gram is None:
            return state
        factor = Factor(problem.full(state.hessian))
        return measured(problem, state, factor, certify(problem, state, factor))

    @np.errstate(over="ignore", invalid="ignore")
    def _unlearn(self, rows: np.ndarray) -> Removal:
        counts = self._counts_without(rows)
        if counts is None:
            return self._refit_without(rows)
        if self._is_wide():
            return self._unlearn_wide(rows, counts)
        if np.isfinite(self._state.residual):
            removal = self._unlearn_without_pass(rows, counts)
            if removal is not None:
                return removal
        return self._unlearn_with_pass(rows, counts)

    def _unlearn_without_pass(self, rows: np.ndarray, counts: dict[str, Any]) -> Removal | None:
        """Take a Newton step whose bound needs no pass; None if that is beyond the budget."""
        problem, state = self._problem(self._weights()), self._state
        parts = problem.loss.take_apart(
            self._rows(), rows, state.hessian, state.gram, state.theta, state.reference
        )
        found = step_without_pass(problem, state, rows, parts)
        if found is None or not found[1] <= self.bound_budget:
            return None
        return self._removal(found[0], counts, Guarantee("bounded", "output", bound=found[1]))

    def _unlearn_with_pass(self, rows: np.ndarray, counts: dict[str, Any]) -> Removal:
        problem, state = self._problem(self._weights_without(rows)), self._state
        loss = copy(problem.loss)
        loss.class_weight = state.factors
        samples = self._rows()
        hessian, gram, removed_gradient = loss.take_out(
            samples, rows, state.hessian, state.gram, state.theta, state.reference
        )
        reference, peak, n_out = state.reference.copy(), state.peak, state.n_out + rows.size
        factors = state.factors
        diagonal = hessian.diagonal() + problem.penalty
        rounding = EPS * diagonal.size * (peak + state.penalty)
        if not (rounding <= MOST_HESSIAN_ERROR * diagonal).all():
            here = state_at(problem, state.theta, state.radius)
            hessian, reference, peak = here.hessian, here.reference, here.peak
            n_out, factors = 0, here.factors
        factor = Factor(problem.full(hessian))
        change = (problem.penalty - state.penalty) * state.theta
        step = factor.solve(state.gradient + change - removed_gradient)
        if not log_hessian_change(problem, state.radius, step) < LONGEST_STEP:
            step = np.zeros(step.size)
        after = replace(
            state,
            theta=state.theta - step,
            reference=reference,
            hessian=hessian,
            peak=peak,
            n_out=n_out,
            factors=factors,
            gram=gram,
            penalty=problem.penalty,
            gradient=np.zeros(step.size),
            residual=np.inf,
            extent=extent_of(problem) if state.extent is None else state.extent,
            worn=state.worn or leaves_less(state.extent, samples, rows),
        )
        if self.unlearning != "polished":
            found = certify(problem, after, factor)
            if found.loose:
                after, factor, found = _certify_reevaluated(problem, after)
            if found.bound <= self.bound_budget:
                return self._certified(problem, after, factor, found, counts)
        after, _, _, claim = polish_and_claim(problem, after)
        if self.unlearning != "polished":
            after, factor, found = _certify_reevaluated(problem, after)
            return self._certified(problem, after, factor, found, counts, n_refitted=1)
        guarantee = self._polished_guarantee(after, claim)
        if guarantee.kind != "numerical" and claim.stale:
            after, _, _, claim = polish_and_claim(problem, reevaluated(problem, after))
            guarantee = self._polished_guarantee(after, claim)
        if guarantee.kind != "numerical" and (
            after.worn or self._centre(problem.X, problem.weights) is not None
        ):
            return self._refit_without(rows)
        return self._removal(after, counts, guarantee, n_refitted=1)

    def _polished_guarantee(self, state: State, claim: Claim) -> Guarantee:
        """Return what is known of a polished model; a bound where it is not exact to rounding."""
        error = self._relative_error(state.theta, claim)
        if error <= TOLERANCE:
            return Guarantee("numerical", "output", TOLERANCE, error)
        return Guarantee("bounded", "output", bound=claim.bound)

    @np.errstate(over="ignore", invalid="ignore")
    def _relative_error(self, theta: np.ndarray, claim: Claim) -> float:
        """Bound the error of predictors in the norm of H, of weights and of intercepts."""
        n_features = self.n_features_in_
        table = np.abs(self._in_input_coordinates(theta))
        table = table.reshape(-1, n_features + self.fit_intercept)
        spread = claim.spread.reshape(table.shape)
        weights_spread, path = spread[:, :n_features], self._path_of_origin()
        pairs = [(claim.bound, claim.size)]
        size = float(table[:, :n_features].max())
        affine_map = self._input_map
        scale = 1.0 if affine_map is None else affine_map.scale
        pairs.append((float((weights_spread * scale).max()), size))
        if self.fit_intercept:
            intercepts = spread[:, -1]
            if path is not None:
                rounded = (
                    (n_features + 1) * EPS * np.abs(theta.reshape(table.shape)[:, :n_features])
                )
                intercepts = intercepts + (weights_spread + rounded) @ np.abs(path)
            pairs.append((float(intercepts.max()), max(float(table[:, -1].max()), size)))
        errors = [EPS, *(part / whole if whole > 0.0 else part for part, whole in pairs)]
        return float(np.nan_to_num(np.max(errors), nan=np.inf, posinf=np.inf))

    def _certified(
        self,
        problem: Problem,
        state: State,
        factor: Factor,
        found: Certificate,
        counts: dict[str, Any],
        n_refitted: int = 0,
    ) -> Removal:
        state = measured(problem, state, factor, found)
        guarantee = Guarantee("bounded", "output", bound=found.bound)
        return self._removal(state, counts, guarantee, n_refitted)

    def _weights(self) -> np.ndarray:
        weights = self._samples.sample_weight
        assert weights is not None
        return weights

    def _weights_without(self, rows: np.ndarray) -> np.ndarray:
        weights = self._weights().copy()
        weights[rows] = 0.0
        if not weights.any():
            raise NotUnlearnableError("All remaining rows would have a sample_weight of zero.")
        return weights

    def _removal(
        self, state: State, counts: dict[str, Any], guarantee: Guarantee, n_refitted: int = 0
    ) -> Removal:
        attributes = {"_state": state, **counts, **self._attributes(state.theta)}
        return Removal(attributes, guarantee, n_refitted)

    def _handed_over(self) -> HandOver:
        start = self._in_input_coordinates(self._state.theta)
        return replace(super()._handed_over(), start=start)

    def _refit_without(self, rows: np.ndarray) -> Removal:
        """Fit a clone on the remaining rows, where the model changes its shape."""
        samples = self._samples
        kept = samples.slots_without(rows)
        X, affine_map = native(take(samples.X, kept)), self._input_map
        fresh = clone(self).fit(
            X if affine_map is None else affine_map.of(X),
            self._fit_targets(kept),
            sample_weight=samples.publish(self._weights()[kept]),
            sample_ids=samples.ids_of(kept),
        )
        names = self.__dict__.get("feature_names_in_")
        if names is not None:
            fresh.feature_names_in_ = names
        guarantee = fresh._guarantee_of_fit()
        return Removal({}, guarantee, n_refitted=1, replacements=tuple(self._adopt(fresh)))

    def _guarantee_of_fit(self) -> Guarantee:
        static = self._static_guarantee()
        if static.kind not in ("numerical", "bounded"):
            return static
        problem, state = self._problem(self._weights()), self._state
        if self._is_wide():
            here = curvature_at(problem, state.theta)
            return self._proved_wide(problem, here, state.theta, state.radius)[0]
        if static.kind == "numerical":
            state = replace(state, extent=extent_of(problem))
            state, _, _, claim = polish_and_claim(problem, state)
            self.__dict__.update({"_state": state, **self._attributes(state.theta)})
            return self._polished_guarantee(state, claim)
        found = certify(problem, state, Factor(problem.full(state.hessian)))
        return Guarantee("bounded", "output", bound=found.bound)

    def _purge(self) -> dict[str, Any]:
        """Evaluate the Hessian where the model stands, so that no former model is kept."""
        attributes: dict[str, Any] = {}
        view, state = self, self._state
        affine_map = self._input_map
        if affine_map is not None:
            view = snapshot(self)
            attributes = {"_samples": self._mapped_samples(affine_map), "_base": None, "_map": None}
            view.__dict__.update(attributes)
        origin = view._centre(view._samples.X, view._weights())
        if affine_map is not None or not _same(origin, self._origin):
            theta = self._in_input_coordinates(state.theta, origin)
            view = snapshot(view)
            view._origin = attributes["_origin"] = origin
            state = replace(state, theta=theta)
        problem = view._problem(view._weights())
        if self._is_wide():
            # blocks are evaluated by the next request
            state = WideState(state.theta, problem.penalty, longest_row(problem))
            return attributes | {"_state": state, "_blocks": None}
        gram = None if state.gram is None else view._gram(problem)
        state = replace(state, radius=longest_row(problem), gram=gram, extent=None, worn=False)
        return attributes | {"_state": view._measured(problem, reevaluated(problem, state))}

    def _prediction_bound(self, X: Any) -> np.ndarray:
        """Bound predictors' distance from the optimum's; one pass over the rows held."""
        self._check_samples()
        X = validate_data(self, X, accept_sparse="csr", reset=False)
        with self._samples.lock:
            problem, state = self._problem(self._weights()), self._state
            factor = Factor(problem.full(state.hessian))
            found = certify(problem, state, factor)
            if found.loose:
                state, factor, found = _certify_reevaluated(problem, state)
            affine_map = self._input_map
            rows = X.toarray() if sparse.issparse(X) else to_host(X)
            rows = np.asarray(rows, dtype=np.float64)
            if affine_map is not None:
                rows = rows * affine_map.scale + affine_map.shift
            if self._origin is not None:
                rows = rows - self._origin
        if self.fit_intercept:
            rows = np.hstack([rows, np.ones((rows.shape[0], 1))])
        sizes = np.sqrt(np.einsum("ij,ij->i", rows @ factor.inverse, rows))
        return self._samples.publish(found.bound * found.norm_ratio * sizes)

    def _without_parameters_of_ours(self, namesake: type) -> Any:
        """Make a fitted scikit-learn estimator of this one."""
        predictor = self._as_namesake(namesake)
        for name in ("unlearning", "bound_budget"):
            delattr(predictor, name)
        for name, value in namesake().get_params(deep=False).items():
            # parameters that a release of scikit-learn has yet, or already
            predictor.__dict__.setdefault(name, value)
        return predictor

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        return tags


def reevaluated(problem: Problem, state: State) -> State:
    """Evaluate the Hessian where the model stands."""
    here = state_at(problem, state.theta, state.radius)
    return replace(
        here,
        gram=state.gram,
        gradient=state.gradient.copy(),
        extent=state.extent,
        worn=state.worn,
    )


def leaves_less(extent: Extent | None, samples: Any, rows: np.ndarray) -> bool:
    """Tell whether rows are more than half of what all rows weigh in any column."""
    if extent is None:
        return False
    part = dense(samples.X, rows)
    sums = np.einsum("i,ij,ij->j", samples.sample_weight[rows], part, part)
    return bool((2.0 * sums > extent.squares[: sums.size]).any())


def _same(left: np.ndarray | None, right: np.ndarray | None) -> bool:
    return left is right or (left is not None and right is not None and np.array_equal(left, right))


def _certify_reevaluated(problem: Problem, state: State) -> tuple[State, Factor, Certificate]:
    """Certify with the Hessian evaluated where the model stands."""
    extent = extent_of(problem)
    state = replace(reevaluated(problem, state), radius=longest_row(problem), extent=extent)
    factor = Factor(problem.full(state.hessian))
    return state, factor, certify(problem, state, factor, sharply=True)
