"""What Ridge and LinearRegression share: rows as joint moments, solved by normal equations."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from scipy import linalg, optimize
from scipy.linalg import lapack

from skunlearn._kernels.least_squares import assess, normal_equations
from skunlearn._linalg.precision import EPS
from skunlearn._samples.store import SampleStore
from skunlearn._samples.tables import dense, take
from skunlearn._statistics.joint_moments import JointMoments
from skunlearn.base import Removal
from skunlearn.exceptions import NotUnlearnableError
from skunlearn.linear_model._behind_map import moments_seen
from skunlearn.linear_model._moments_model import TOLERANCE, MomentsModel


class LeastSquares(MomentsModel):
    """Linear least squares with or without an l2 penalty.

    Subclasses give the penalty and say what happens where the normal equations are not to be
    trusted.
    """

    @abstractmethod
    def _penalties(self, n_targets: int) -> list[float]:
        """Return the penalty of each target."""

    @abstractmethod
    def _trusts(self, share: float, tolerance: float) -> bool:
        """Tell whether normal equations with these smallest pivots are good enough."""

    @abstractmethod
    def _solve_from_rows(self, X: np.ndarray, y: np.ndarray, penalties: list[float]) -> np.ndarray:
        """Solve on centred, weighted rows; returns shape (n_targets, n_features)."""

    def _refit(self, samples: SampleStore, rows: np.ndarray, affine_map: Any) -> Removal:
        """Solve anew on the given rows, as retraining does.

        Tables that are not longer than wide have no use for moments, and those of too large values
        have none that are finite.
        """
        weight = samples.sample_weight
        if weight is not None and not weight[rows].sum() > 0.0:
            raise NotUnlearnableError(
                "The sum of sample_weight of the remaining rows must be positive."
            )
        moments = None
        if rows.size > self.n_features_in_:
            moments = JointMoments.from_rows(samples.X, samples.y, weight, rows, self.fit_intercept)
        if moments is not None and np.isfinite(moments.scatter).all():
            penalties, chosen = self._choose_penalties(samples, moments, lambda: rows, affine_map)
            coef, _ = self._solve(moments, affine_map, penalties)
            if coef is not None:
                removal = self._removal(moments, coef, moments.mean, affine_map, EPS, refitted=True)
                removal.attributes.update(chosen)
                return removal
        else:
            moments = None
            penalties, chosen = self._choose_penalties(samples, None, lambda: rows, affine_map)
        X, y, mean = self._centred_rows(samples, rows, affine_map)
        coef = self._solve_from_rows(X, y, penalties)
        removal = self._removal(moments, coef, mean, affine_map, EPS, refitted=True)
        removal.attributes.update(chosen)
        return removal

    def _unlearn_mapped(self, samples: SampleStore, rows: np.ndarray, affine_map: Any) -> Removal:
        moments, weight = self._moments, samples.sample_weight
        if (
            moments is not None
            and samples.n_samples - rows.size > self.n_features_in_
            and (weight is None or weight[rows].sum() < (1.0 - 1e-6) * moments.weight)
        ):
            moments = moments.without(samples.X, samples.y, weight, rows, self.fit_intercept)
            penalties, chosen = self._choose_penalties(
                samples, moments, lambda: samples.slots_without(rows), affine_map
            )
            coef, error = self._solve(moments, affine_map, penalties)
            if coef is not None and error <= TOLERANCE:
                removal = self._removal(
                    moments, coef, moments.mean, affine_map, error, refitted=False
                )
                removal.attributes.update(chosen)
                return removal
        return self._refit(samples, samples.slots_without(rows), affine_map)

    def _choose_penalties(
        self,
        samples: SampleStore,
        moments: JointMoments | None,
        rows: Callable[[], np.ndarray],
        affine_map: Any,
    ) -> tuple[list[float], dict[str, Any]]:
        """Return the penalty of each target, and the attributes that tell of a choice.

        `rows` returns the slots of the rows that count, at the price of a pass over the ids;
        `moments` are theirs, None for a table that is not longer than wide.
        """
        return self._penalties(samples.y.shape[1]), {}

    def _solve(
        self, moments: JointMoments, affine_map: Any, penalties: list[float]
    ) -> tuple[np.ndarray | None, float]:
        """Solve the normal equations; the solution is None where they are not to be trusted."""
        n_features = self.n_features_in_
        moments, scale = moments_seen(moments, affine_map, n_features)
        n_targets = moments.mean.size - n_features
        scatter, peak, n_updates = moments.scatter, moments.peak, moments.n_updates
        if penalties.count(penalties[0]) == n_targets:
            return self._solve_with(penalties[0], scatter, peak, scale, n_updates)
        coef = np.empty((n_targets, n_features))
        error = 0.0
        for penalty in set(penalties):
            chosen = np.flatnonzero(np.equal(penalties, penalty))
            columns = np.concatenate([np.arange(n_features), n_features + chosen])
            part, part_error = self._solve_with(
                penalty, scatter[np.ix_(columns, columns)], peak[columns], scale, n_updates
            )
            if part is None:
                return None, np.inf
            coef[chosen] = part
            error = max(error, part_error)
        return coef, error

    def _solve_with(
        self,
        penalty: float,
        scatter: np.ndarray,
        peak: np.ndarray,
        scale: np.ndarray,
        n_updates: int,
    ) -> tuple[np.ndarray | None, float]:
        """Solve for the targets that have one penalty."""
        solution = solve_normal_equations(scatter, peak, scale, penalty, n_updates)
        if solution is None or not self._trusts(solution.share, solution.tolerance):
            return None, np.inf
        if self.positive:
            return _nonnegative(solution.factor, scatter, scale), solution.error
        return solution.coef, solution.error

    def _centred_rows(
        self, samples: SampleStore, rows: np.ndarray, affine_map: Any
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Return rows and targets less their mean, times the root of their weight, and the mean."""
        y, weight = self._taken(samples, rows)
        X = np.asarray(dense(samples.X, rows), dtype=np.float64)
        mean = np.zeros(X.shape[1] + y.shape[1])
        if self.fit_intercept:
            mean = np.average(np.hstack([X, y]), axis=0, weights=weight)
        X, y = X - mean[: X.shape[1]], y - mean[X.shape[1] :]
        if affine_map is not None:
            X = affine_map.steps(X)
        if weight is not None:
            root = np.sqrt(weight)[:, None]
            X, y = X * root, y * root
        return X, y, mean

    def _taken(
        self, samples: SampleStore, rows: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray | None]:
        """Copy targets of rows, shape (n_rows, n_targets), and weights."""
        return take(samples.y, rows), take(samples.sample_weight, rows)


class NormalSolution(NamedTuple):
    """Solution of normal equations, and what bounds its error (see `kernels.assess`)."""

    coef: np.ndarray
    factor: np.ndarray
    error: float
    share: float
    tolerance: float


def solve_normal_equations(
    scatter: np.ndarray, peak: np.ndarray, scale: np.ndarray, penalty: float, n_updates: int
) -> NormalSolution | None:
    """Solve the normal equations of features divided by `scale`; None if they are singular."""
    matrix, right = normal_equations(scatter, scale, penalty)
    factor, solution, failed = lapack.dposv(matrix.T, right.T, overwrite_a=True, overwrite_b=True)
    if failed:
        return None
    loss, residual, share, tolerance = assess(factor, solution.T, scatter, peak, scale, penalty)
    error = max(EPS * (4 + n_updates) * loss, residual)
    return NormalSolution(solution.T, factor, error, share, tolerance)


def _nonnegative(factor: np.ndarray, scatter: np.ndarray, scale: np.ndarray) -> np.ndarray:
    upper = np.triu(factor)
    right = scatter[len(factor) :, : len(factor)] / scale
    targets = linalg.solve_triangular(upper, right.T, trans="T")
    return np.stack([nnls(upper, target) for target in targets.T])


def nnls(matrix: np.ndarray, right: np.ndarray) -> np.ndarray:
    """Solve non-negative least squares, of which the tolerance takes numbers to be of size 1."""
    size, target_size = np.abs(matrix).max(initial=0.0), np.abs(right).max(initial=0.0)
    if not (size > 0.0 and target_size > 0.0):
        return np.zeros(matrix.shape[1])
    return optimize.nnls(matrix / size, right / target_size)[0] * (target_size / size)
