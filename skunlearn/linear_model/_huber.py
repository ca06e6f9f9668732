"""Huber regression that forgets rows."""

from __future__ import annotations

import warnings
from dataclasses import replace
from numbers import Integral, Real
from typing import Any, ClassVar

import numpy as np
import sklearn.linear_model
from scipy import sparse
from sklearn.base import BaseEstimator, RegressorMixin
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils.validation import check_is_fitted

from skunlearn._compat import Interval
from skunlearn._unlearning.cost import Foretold
from skunlearn._unlearning.fit_task import fit_task
from skunlearn._unlearning.tags import UnlearningTags
from skunlearn._validation import check_sample_weight, refuse_overflow, validate_data
from skunlearn.base import Guarantee, Removal, UnlearnerMixin, reads_one_version
from skunlearn.exceptions import NotUnlearnableError
from skunlearn.linear_model._huber_solver import (
    MAX_STEPS,
    Problem,
    State,
    cold,
    minimise,
    spread,
    without,
)

# Relative float error above which a solution that was started from the former one is not kept.
TOLERANCE = 1e-9

# Share of the time of a fit that solving takes from where the model stands, measured.
_FROM_HERE = 0.4

_NO_WEIGHT = "All remaining rows would have a sample_weight of zero."


class HuberRegressor(RegressorMixin, UnlearnerMixin, BaseEstimator):
    """Robust linear regression that forgets rows exactly.

    Same parameters, fitted attributes and predictions as
    :class:`sklearn.linear_model.HuberRegressor`, but the optimum itself, where L-BFGS stops at
    `tol`: a few Newton steps, from the former optimum when rows leave.

    Parameters
    ----------
    epsilon : float, default=1.35
        Residuals over `scale_` above which the loss is linear, at least 1.

    max_iter : int, default=100
        Newton steps that `fit` may take.

    alpha : float, default=0.0001
        Strength of the l2 penalty ``alpha * ||coef_||^2``, in relation to the summed loss.

    warm_start : bool, default=False
        Kept for compatibility: the optimum does not depend on the start.

    fit_intercept : bool, default=True
        Whether to fit an intercept, which is not penalised.

    tol : float, default=1e-5
        Kept for compatibility: the optimum is found to rounding.

    Attributes
    ----------
    coef_ : ndarray of shape (n_features,)
        Weights.

    intercept_ : float
        Intercept.

    scale_ : float
        The scale of the residuals, found jointly with the weights.

    outliers_ : ndarray of shape (n_samples,), dtype bool
        Which of the rows held, in the order of `sample_ids_`, have a linear loss.

    n_iter_ : int
        Newton steps that `fit` took.

    sample_ids_ : ndarray of shape (n_samples,)
        Ids of the rows held.

    unlearning_report_ : UnlearningReport
        Outcome of the last request; ``report.guarantee.error`` is the relative Newton decrement, or
        the error of the weights that rounding leaves. Where that is above the tolerance, the kind
        of the request is 'bounded', and nothing is proved.

    n_features_in_ : int
        Number of features seen during `fit`.

    feature_names_in_ : ndarray of shape (n_features,)
        Names of features seen during `fit`, where X has string names.

    Notes
    -----
    The promise is 'numerical' with relative tolerance 1e-9. The curvature is a sum over the rows
    that are no outliers; it is updated for rows that leave or change sides.

    Where a good part of the rows can be fitted exactly, or `epsilon` is close to 1, the best scale
    is zero and the weights are those of least absolute deviations. The scale is then held at 1e-9
    of the median of ``|y|``, where scikit-learn holds it at 2e-15; `fit` may need more steps than
    the default. There, and where the optimum is not unique, as without penalty on dependent
    columns, a request solves from scratch, as `fit` does.

    References
    ----------
    .. [1] Owen: A robust hybrid of lasso and ridge regression, Contemporary Mathematics 443, 2007,
       section 3.
    .. [2] Madsen, Nielsen: Finite algorithms for robust linear regression, BIT 30, 1990.

    Examples
    --------
    >>> import numpy as np
    >>> from skunlearn.linear_model import HuberRegressor
    >>> X = np.arange(8.0)[:, np.newaxis]
    >>> y = 2.0 * X[:, 0] + [0.1, -0.1, 0.0, 0.1, -0.1, 0.0, 90.0, -0.1]
    >>> model = HuberRegressor(epsilon=2.0).fit(X, y, sample_ids=list("abcdefgh"))
    >>> model.sample_ids_[model.outliers_].tolist()
    ['g']
    >>> bool(model.unlearn("g").outliers_.any())
    False
    """

    _parameter_constraints: ClassVar[dict[str, Any]] = {
        "epsilon": [Interval(Real, 1.0, None, closed="left")],
        "max_iter": [Interval(Integral, 0, None, closed="left")],
        "alpha": [Interval(Real, 0, None, closed="left")],
        "warm_start": ["boolean"],
        "fit_intercept": ["boolean"],
        "tol": [Interval(Real, 0.0, None, closed="left")],
    }
    _unlearning_tags = UnlearningTags("numerical", tolerance=TOLERANCE)
    _overwritten: ClassVar[tuple[str, ...]] = ("_state",)

    def __init__(
        self,
        *,
        epsilon: float = 1.35,
        max_iter: int = 100,
        alpha: float = 0.0001,
        warm_start: bool = False,
        fit_intercept: bool = True,
        tol: float = 1e-5,
    ):
        self.epsilon = epsilon
        self.max_iter = max_iter
        self.alpha = alpha
        self.warm_start = warm_start
        self.fit_intercept = fit_intercept
        self.tol = tol

    @fit_task(prefer_skip_nested_validation=True)
    def fit(
        self, X: Any, y: Any, sample_weight: Any = None, *, sample_ids: Any = None
    ) -> HuberRegressor:
        """Fit the model.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Training rows.

        y : array-like of shape (n_samples,)
            Targets.

        sample_weight : array-like of shape (n_samples,), default=None
            Weights of the rows, none of them negative.

        sample_ids : array-like of shape (n_samples,), default=None
            Ids by which rows can be unlearned; default ``X.index`` for a pandas X, else
            ``0..n_samples-1``.

        Returns
        -------
        self : object
            Fitted model.

        Raises
        ------
        ValueError
            If all weights are zero.
        """
        sources = (X, None, sample_weight)
        X, y = validate_data(
            self,
            X,
            y,
            accept_sparse="csr",
            dtype=[np.float64, np.float32],
            y_numeric=True,
            order="C",
        )
        entries = X.data if sparse.issparse(X) else X
        for part in (entries, y):  # the Hessian holds sums of their squares
            largest = max(float(part.max(initial=0.0)), -float(part.min(initial=0.0)))
            refuse_overflow(self, X.shape[0] * largest * largest)
        weight = np.ones(X.shape[0])
        if sample_weight is not None:
            weight = check_sample_weight(sample_weight, X, dtype=X.dtype, ensure_non_negative=True)
            weight = weight.astype(np.float64)
            if not weight.any():
                raise ValueError("Sample weights must contain at least one non-zero number.")
        self._hold_samples(X, y.astype(np.float64), weight, sources=sources, sample_ids=sample_ids)
        removal, self.n_iter_ = self._solve(self._samples.slots())
        self.__dict__.update(removal.attributes)
        return self

    def _problem(self, X: Any, y: np.ndarray, weight: np.ndarray) -> Problem:
        X = X.astype(np.float64, copy=False)
        return Problem(X, y, weight, float(self.epsilon), float(self.alpha), self.fit_intercept)

    def _solve(self, slots: np.ndarray) -> tuple[Removal, int]:
        """Solve from scratch on the rows in the given slots."""
        problem = self._problem(*self._samples.take(slots))
        state, error, _, n_steps = minimise(problem, cold(problem), self.max_iter)
        if not error <= TOLERANCE:
            warnings.warn(
                f"The solver stopped at a relative error of {error:.1g}: raise max_iter or scale "
                "the columns.",
                ConvergenceWarning,
                stacklevel=5,
            )
        outliers = self._outliers(problem, state)
        return self._removal(problem, state, outliers, error, refitted=True), n_steps

    def _outliers(self, problem: Problem, state: State) -> np.ndarray:
        sizes = np.abs(problem.y - problem.fitted(state.theta))
        return sizes > self.epsilon * state.scale

    def _unlearn(self, rows: np.ndarray) -> Removal:
        samples = self._samples
        assert samples.sample_weight is not None
        weight = samples.sample_weight.copy()
        weight[rows] = 0.0
        if not weight.any():
            raise NotUnlearnableError(_NO_WEIGHT)
        slots = samples.slots_without(rows)
        assert samples.y is not None
        held = self._problem(samples.X, samples.y, samples.sample_weight)
        problem = replace(held, weights=weight)
        if not problem.trusts(self._state.scale):
            return self._solve(slots)[0]
        inside = np.zeros(samples.n_slots, dtype=bool)
        inside[samples.slots()] = self._state.inside
        start = without(problem, replace(self._state, inside=inside), rows, held)
        state, error, unique, _ = minimise(problem, start, MAX_STEPS)
        if error <= TOLERANCE and unique:
            outliers = self._outliers(problem, state)[slots]
            state = replace(state, inside=state.inside[slots])
            return self._removal(problem, state, outliers, error, refitted=False)
        return self._solve(slots)[0]

    def _cost(self, rows: np.ndarray) -> Foretold:
        weight = self._samples.sample_weight
        assert weight is not None
        if not weight[self._samples.slots_without(rows)].any():
            raise NotUnlearnableError(_NO_WEIGHT)
        fit = self._cost_of_fit(rows)
        return replace(fit, n_parts_touched=0, seconds=_FROM_HERE * fit.seconds), None

    def _removal(
        self,
        problem: Problem,
        state: State,
        outliers: np.ndarray,
        error: float,
        *,
        refitted: bool,
    ) -> Removal:
        theta = state.theta
        refuse_overflow(self, theta, state.scale)
        error = max(error, spread(problem, state))
        guarantee = Guarantee("numerical", "state", TOLERANCE, error)
        if not error <= TOLERANCE:
            guarantee = Guarantee("bounded", "state", bound=np.inf)
        attributes = {
            "_state": state,
            "coef_": theta[: self.n_features_in_].copy(),
            "intercept_": theta[-1] if self.fit_intercept else 0.0,
            "scale_": state.scale,
            "outliers_": outliers,
        }
        return Removal(attributes, guarantee, int(refitted))

    @reads_one_version
    def predict(self, X: Any) -> np.ndarray:
        """Predict with the linear model.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Rows.

        Returns
        -------
        y_pred : ndarray of shape (n_samples,)
            Predicted values.
        """
        check_is_fitted(self)
        X = validate_data(self, X, accept_sparse=["csr", "csc", "coo"], reset=False)
        return X @ self.coef_ + self.intercept_

    def to_predictor(self) -> sklearn.linear_model.HuberRegressor:
        """Return scikit-learn's own model for deployment.

        Returns
        -------
        predictor : sklearn.linear_model.HuberRegressor
            Fitted; `outliers_` alone tells how many rows there were.
        """
        return self._as_namesake(sklearn.linear_model.HuberRegressor)

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        return tags
