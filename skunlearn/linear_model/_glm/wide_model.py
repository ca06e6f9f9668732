"""The part of a generalised linear model that finds and proves optima where no Hessian is held."""

from __future__ import annotations

import math
from abc import abstractmethod
from typing import Any

import numpy as np

from skunlearn._linalg.precision import EPS
from skunlearn._unlearning.commit import Removal
from skunlearn._unlearning.report import Guarantee
from skunlearn._unlearning.stopwatch import Seconds, Stopwatch
from skunlearn.linear_model._glm.certificate import longest_row
from skunlearn.linear_model._glm.least_curvature import certify_by_products
from skunlearn.linear_model._glm.newton import TOLERANCE, warn_unless_solved
from skunlearn.linear_model._glm.newton_cg import WideState, newton_cg
from skunlearn.linear_model._glm.problem import Problem
from skunlearn.linear_model._glm.push_through import FollowsTransformer
from skunlearn.linear_model._glm.softmax_curvature import SoftmaxCurvature


class SolvesByProducts(FollowsTransformer):
    """A generalised linear model whose Hessian may be too large to hold."""

    max_iter: int
    unlearning: str
    bound_budget: Any
    _blocks: Any
    _state: Any

    @abstractmethod
    def _attributes(self, theta: np.ndarray) -> dict[str, Any]:
        """Turn parameters into public attributes."""

    @abstractmethod
    def _as_n_iter(self, n_passes: int) -> Any:
        """Return a number of passes as the namesake does."""

    @abstractmethod
    def _guess(self, problem: Problem) -> np.ndarray:
        """Return parameters to start from."""

    @abstractmethod
    def _weights_without(self, rows: np.ndarray) -> np.ndarray:
        """Return the rows' weights, zero for those removed and for the given ones."""

    def _solve_wide(self, problem: Problem) -> None:
        """Find the optimum where the Hessian is too large to hold."""
        former, radius = self._taken_over.start, longest_row(problem)
        theta = self._guess(problem)
        if former is not None and former.size == theta.size and problem.penalty.any():
            theta = former
        with Stopwatch() as watch:
            found = newton_cg(problem, theta, radius, max_passes=max(self.max_iter, 1))
        self._seconds_per_pass = Seconds(watch.seconds / found.n_passes)
        warn_unless_solved(found.error, stacklevel=7)
        self.__dict__.update(
            {
                "_state": WideState(found.theta, problem.penalty, radius),
                "_blocks": found.blocks,
                "n_iter_": self._as_n_iter(found.n_passes),
                **self._attributes(found.theta),
            }
        )

    def _unlearn_wide(self, rows: np.ndarray, counts: dict[str, Any]) -> Removal:
        """Take Newton steps by conjugate gradients, and prove where they ended."""
        problem, state = self._problem(self._weights_without(rows)), self._state
        budget = 0.0 if self.unlearning == "polished" else self.bound_budget
        found = newton_cg(problem, state.theta, state.radius, self._blocks, budget=budget)
        guarantee, radius = self._proved_wide(problem, found.curvature, found.theta, state.radius)
        attributes = {
            "_state": WideState(found.theta, problem.penalty, radius),
            "_blocks": found.blocks,
            **counts,
            **self._attributes(found.theta),
        }
        return Removal(attributes, guarantee, n_refitted=int(found.n_passes > 2))

    def _proved_wide(
        self, problem: Problem, curvature: SoftmaxCurvature, theta: np.ndarray, radius: float
    ) -> tuple[Guarantee, float]:
        """Return what is proved of a point, and the bound of rows' norms that it took."""
        size = math.sqrt(curvature.square + float(problem.penalty @ theta**2))
        for attempt in range(2):
            if attempt:
                radius = longest_row(problem)
            found = certify_by_products(problem, curvature, theta, radius, sharply=bool(attempt))
            bound = found.bound
            if self.unlearning != "polished":
                if bound <= self.bound_budget:
                    break
                continue
            error = max(EPS, bound / size if size > 0.0 else bound)
            if error <= TOLERANCE:
                return Guarantee("numerical", "output", TOLERANCE, error), radius
        return Guarantee("bounded", "output", bound=bound), radius
