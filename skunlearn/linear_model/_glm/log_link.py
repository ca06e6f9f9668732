"""What Poisson, Gamma and Tweedie regression share."""

from __future__ import annotations

from abc import abstractmethod
from numbers import Integral, Real
from typing import Any, ClassVar

import numpy as np
from sklearn.base import RegressorMixin
from sklearn.metrics import d2_tweedie_score
from sklearn.utils.validation import check_is_fitted

from skunlearn._array_api import affine, namespace
from skunlearn._compat import Interval, StrOptions, with_loss
from skunlearn._mixins.scoring import scored
from skunlearn._unlearning.commit import reads_one_version
from skunlearn._unlearning.fit_task import fit_task
from skunlearn._validation import check_weights, validate_data
from skunlearn.linear_model._glm.losses_array_api import single_loss
from skunlearn.linear_model._glm.model import GLM
from skunlearn.linear_model._glm.pointwise_losses import tweedie_loss
from skunlearn.linear_model._glm.problem import Problem


class LogLinkRegressor(RegressorMixin, GLM):
    """A Tweedie regressor: log link, or squared error for power 0."""

    _parameter_constraints: ClassVar[dict[str, Any]] = {
        "alpha": [Interval(Real, 0.0, None, closed="left")],
        "fit_intercept": ["boolean"],
        "solver": [StrOptions({"lbfgs", "newton-cholesky"})],
        "max_iter": [Interval(Integral, 1, None, closed="left")],
        "tol": [Interval(Real, 0.0, None, closed="neither")],
        "warm_start": ["boolean"],
        "verbose": ["verbose"],
        "unlearning": [StrOptions({"polished", "bounded"})],
        "bound_budget": [Interval(Real, 0, None, closed="neither")],
    }
    alpha: float
    _takes_arrays = True

    @abstractmethod
    def _power(self) -> float:
        """Return the power of the variance function."""

    @fit_task(prefer_skip_nested_validation=True)
    def fit(
        self, X: Any, y: Any, sample_weight: Any = None, *, sample_ids: Any = None
    ) -> LogLinkRegressor:
        """Fit the model.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Training rows.

        y : array-like of shape (n_samples,)
            Targets.

        sample_weight : array-like of shape (n_samples,), default=None
            Weights of the rows.

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
            If y has values outside the range of the distribution.
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
        y = y.astype(np.float64)
        lowest = float(y.min())
        power = self._power()
        if power >= 1.0 and (lowest < 0.0 or (lowest == 0.0 and power >= 2.0)):
            raise ValueError(
                f"Some value(s) of y are out of the valid range of the loss of "
                f"{type(self).__name__}: the lowest is {lowest:g}."
            )
        weight = check_weights(self, sample_weight, X, ensure_non_negative=True)
        self._solve(sources, X, y, weight, sample_ids)
        return self

    def _problem(self, weights: np.ndarray) -> Problem:
        samples = self._rows()
        penalty = self._penalised(self.alpha * weights.sum())
        pointwise = tweedie_loss(self._power())
        loss = single_loss(samples.X)(pointwise, self.fit_intercept, np.ones(2))
        return Problem(loss, samples.X, samples.y, weights, penalty)

    def _guess(self, problem: Problem) -> np.ndarray:
        theta = super()._guess(problem)
        if self.fit_intercept:
            mean = np.average(problem.y, weights=problem.weights)
            theta[-1] = mean if self._power() == 0.0 else np.log(mean)
        return theta

    def _attributes(self, theta: np.ndarray) -> dict[str, Any]:
        theta = self._in_input_coordinates(theta)
        if self._samples.X.dtype == np.float32:
            theta = theta.astype(np.float32)
        publish = self._samples.publish
        intercept = publish(theta[-1]) if self.fit_intercept else 0.0
        return {"coef_": publish(theta[: self.n_features_in_].copy()), "intercept_": intercept}

    @reads_one_version
    def predict(self, X: Any) -> np.ndarray:
        """Predict the mean.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Rows.

        Returns
        -------
        y_pred : ndarray of shape (n_samples,)
            Predicted means; infinite where they exceed the range of floats.
        """
        check_is_fitted(self)
        X = validate_data(
            self,
            X,
            accept_sparse=["csr", "csc", "coo"],
            dtype=[np.float64, np.float32],
            reset=False,
        )
        eta = affine(X, self.coef_, self.intercept_)
        with np.errstate(over="ignore"):
            return eta if self._power() == 0.0 else namespace(eta).exp(eta)

    def prediction_bound(self, X: Any) -> np.ndarray:
        """Bound by how much linear predictors can differ from the retrained model's.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Rows.

        Returns
        -------
        bounds : ndarray of shape (n_samples,)
            Proved bounds of ``|log(prediction) - log(prediction*)|`` with the latter from the
            optimum on the rows held; without logarithms where the link is the identity. Makes one
            pass over the rows held.
        """
        return self._prediction_bound(X)

    def score(self, X: Any, y: Any, sample_weight: Any = None) -> float:
        """Return D^2, the share of the deviance explained.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Rows.

        y : array-like of shape (n_samples,)
            Targets.

        sample_weight : array-like of shape (n_samples,), default=None
            Weights of the rows.

        Returns
        -------
        score : float
            At most 1.
        """
        mean, y, sample_weight = scored(self, X, y, sample_weight)
        return float(d2_tweedie_score(y, mean, sample_weight=sample_weight, power=self._power()))

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.target_tags.positive_only = self._power() >= 1.0
        return tags

    def _without_parameters_of_ours(self, namesake: type) -> Any:
        return with_loss(super()._without_parameters_of_ours(namesake))
