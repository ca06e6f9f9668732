"""A foil: updating a linear model by the influence function of the rows that leave."""

from __future__ import annotations

import copy
from numbers import Integral
from typing import Any, ClassVar

import numpy as np
from scipy import linalg
from sklearn.base import BaseEstimator, MetaEstimatorMixin, clone, is_classifier
from sklearn.utils import column_or_1d, get_tags
from sklearn.utils.metaestimators import available_if
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import check_is_fitted

from skunlearn._compat import HasMethods, Options
from skunlearn._unlearning.commit import Removal, reads_one_version
from skunlearn._unlearning.cost import Foretold
from skunlearn._unlearning.fit_task import fit_task
from skunlearn._unlearning.tags import UnlearningTags
from skunlearn._validation import check_sample_weight, validate_data
from skunlearn.base import UnlearnerMixin
from skunlearn.exceptions import NotUnlearnableError
from skunlearn.linear_model._influence_objective import (
    Objective,
    check_supported,
    class_factors,
    encode,
    objective_of,
)

# What a solver found out about the rows on its way; it does not hold for an updated model.
_DIAGNOSTICS = ("n_iter_", "rank_", "singular_")


def _has(method: str) -> Any:
    def check(model: InfluenceUnlearner) -> bool:
        getattr(getattr(model, "estimator_", model.estimator), method)
        return True

    return check


class InfluenceUnlearner(MetaEstimatorMixin, UnlearnerMixin, BaseEstimator):
    """Heuristic without guarantee, for comparison only: forget by the influence function.

    `unlearn` moves the parameters of a linear model by the influence function of the removed rows
    and removes the rows. The outcome is near the retrained model for few ordinary rows and far
    from it for many or unusual ones, and nothing measures how far: it is a foil for audits to
    catch. To forget rows use the estimator of the same name in :mod:`skunlearn.linear_model`.

    Parameters
    ----------
    estimator : estimator
        A `LogisticRegression`, `LinearRegression`, `Ridge`, `RidgeClassifier`,
        `PoissonRegressor`, `GammaRegressor` or `TweedieRegressor`, of :mod:`sklearn.linear_model`
        or :mod:`skunlearn.linear_model`, without an l1 penalty.

    order : {1, 2}, default=1
        Terms of the expansion in the rows removed: 1 is the influence function [1]_, 2 adds the
        group term [2]_.

    Attributes
    ----------
    estimator_ : estimator
        The fitted model, of scikit-learn's class, without training rows.

    classes_ : ndarray of shape (n_classes,)
        Class labels, of a classifier.

    sample_ids_ : ndarray of shape (n_samples,)
        Ids of the rows held.

    unlearning_report_ : UnlearningReport
        Outcome of the last request.

    n_features_in_ : int
        Number of features seen during `fit`.

    feature_names_in_ : ndarray of shape (n_features,)
        Names of features seen during `fit`, where X has string names.

    Notes
    -----
    With F the penalised sum of losses over *all* rows that `fit` saw, H its Hessian at the
    solution, g and H_S the sums of the removed rows' gradients and Hessians at the present
    parameters w, a request for the rows S does

    * ``order=1``: w + H^-1 g;
    * ``order=2``: w + H^-1 g + H^-1 H_S H^-1 g, the expansion of [2]_ written for sums, without
      third derivatives, as there. These are the first two terms of the series of the Newton step
      (H - H_S)^-1 g of [3]_.

    H is not updated by requests. It depends on removed rows until :meth:`purge` evaluates it anew:
    scope 'output'. So do weights that ``class_weight='balanced'`` gives to classes. Where the mean
    loss is penalised (Poisson, Gamma, Tweedie), each row takes its share of the penalty along. A
    request that removes a whole class refits, since the shape of the model changes.

    References
    ----------
    .. [1] Koh, Liang: Understanding black-box predictions via influence functions, ICML 2017,
       section 2.1.
    .. [2] Basu, You, Feizi: On second-order group influence functions for black-box predictions,
       ICML 2020, section 4.
    .. [3] Guo, Goldstein, Hannun, van der Maaten: Certified data removal from machine learning
       models, ICML 2020, section 3.

    Examples
    --------
    >>> from sklearn.datasets import load_breast_cancer
    >>> from sklearn.linear_model import LogisticRegression
    >>> from skunlearn.linear_model import InfluenceUnlearner
    >>> X, y = load_breast_cancer(return_X_y=True)
    >>> X = (X - X.mean(axis=0)) / X.std(axis=0)
    >>> foil = InfluenceUnlearner(LogisticRegression())
    >>> foil = foil.fit(X, y, sample_ids="row numbers").unlearn(range(100))
    >>> foil.unlearning_report_.guarantee.kind
    'none'
    """

    _parameter_constraints: ClassVar[dict[str, Any]] = {
        "estimator": [HasMethods(["fit", "predict"])],
        "order": [Options(Integral, {1, 2})],
    }
    _unlearning_tags = UnlearningTags("none", "output")
    _overwritten: ClassVar[tuple[str, ...]] = ("_class_factors", "_inverse")

    def __init__(self, estimator: Any, *, order: int = 1):
        self.estimator = estimator
        self.order = order

    @fit_task(prefer_skip_nested_validation=False)
    def fit(
        self, X: Any, y: Any, sample_weight: Any = None, *, sample_ids: Any = None
    ) -> InfluenceUnlearner:
        """Fit the estimator and evaluate the Hessian.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Training rows; sparse where `estimator` takes sparse rows.

        y : array-like of shape (n_samples,) or (n_samples, n_targets)
            Class labels or targets, as `estimator` takes them.

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
            If no influence function is known for `estimator`.
        """
        check_supported(self.estimator)
        sources = (X, y, sample_weight)
        classifies = is_classifier(self.estimator)
        multi = get_tags(self.estimator).target_tags.multi_output and not classifies
        sparse = get_tags(self.estimator).input_tags.sparse
        X, y = validate_data(
            self,
            X,
            y,
            accept_sparse="csr" if sparse else False,
            dtype=[np.float64, np.float32],
            order="C",
            multi_output=multi,
            y_numeric=not classifies,
        )
        if classifies:
            check_classification_targets(y)
            y = column_or_1d(y)
        weight = None
        if sample_weight is not None:
            weight = check_sample_weight(sample_weight, X, dtype=np.float64)
            if getattr(self.estimator, "class_weight", None) == "balanced":
                raise ValueError(
                    "class_weight='balanced' together with sample_weight means different things in "
                    "different releases of scikit-learn: multiply the weights yourself."
                )
        model = clone(self.estimator).fit(X, y, sample_weight=weight)
        if hasattr(model, "to_predictor"):
            model = model.to_predictor()
        for name in _DIAGNOSTICS:
            if hasattr(model, name):
                delattr(model, name)
        self._hold_samples(X, y, weight, sources=sources, sample_ids=sample_ids)
        self.estimator_ = model
        if classifies:
            self.classes_ = model.classes_
        self.__dict__.update(self._curvature())
        return self

    def _objective(self) -> Objective:
        coef = np.atleast_2d(self.estimator_.coef_)
        return objective_of(self.estimator_, coef.shape[1], coef.shape[0])

    def _theta(self, objective: Objective) -> np.ndarray:
        """Return the parameters of the model, shape (n_sets, n_params)."""
        table = np.atleast_2d(self.estimator_.coef_).astype(np.float64)
        if self.estimator_.fit_intercept:
            side = np.reshape(self.estimator_.intercept_, (-1, 1))
            table = np.hstack([table, np.broadcast_to(side, (table.shape[0], 1))])
        return table.reshape(objective.fixed.shape)

    def _moved_to(self, theta: np.ndarray) -> Any:
        """Return a copy of the model with other parameters."""
        former = self.estimator_
        model = copy.copy(former)
        table = theta.reshape(np.atleast_2d(former.coef_).shape[0], -1)
        n_features = self.n_features_in_
        model.coef_ = table[:, :n_features].astype(former.coef_.dtype).reshape(former.coef_.shape)
        if self.estimator_.fit_intercept:
            like = np.asarray(former.intercept_)
            model.intercept_ = table[:, -1].astype(like.dtype).reshape(like.shape)[()]
        return model

    def _curvature(self) -> dict[str, Any]:
        """Evaluate the inverse Hessian on the rows held, where the model stands."""
        samples = self._samples
        rows = samples.slots()
        factors = None
        if hasattr(self, "classes_"):
            y: Any = samples.y
            factors = class_factors(self.estimator_, self.classes_, y[rows])
        objective = self._objective()
        theta = self._theta(objective)
        hessian = objective.hessian(theta, *self._terms(rows, factors))
        for matrix, penalty in zip(hessian, objective.fixed, strict=True):
            matrix.flat[:: penalty.size + 1] += penalty
        inverse = np.stack([linalg.pinvh(matrix) for matrix in hessian])
        return {"_inverse": inverse, "_class_factors": factors}

    def _terms(self, rows: np.ndarray, factors: Any) -> tuple[Any, np.ndarray, np.ndarray]:
        """Return rows, encoded targets and weights, classes' factors included."""
        X, y, weight = self._samples.take(rows)
        weight = np.ones(X.shape[0]) if weight is None else weight
        classes = getattr(self, "classes_", None)
        if classes is not None:
            weight = weight * factors[np.searchsorted(classes, y)]
        return X, encode(self.estimator_, y, classes), weight

    def _unlearn(self, rows: np.ndarray) -> Removal:
        samples = self._samples
        kept = samples.slots_without(rows)
        if samples.sample_weight is not None and not samples.sample_weight[kept].any():
            raise NotUnlearnableError("All remaining rows would have a sample_weight of zero.")
        if hasattr(self, "classes_"):
            y: Any = samples.y
            if np.unique(y[kept]).size < self.classes_.size:
                return self._refit(kept)
        objective = self._objective()
        theta = self._theta(objective)
        terms = self._terms(rows, self._class_factors)
        with np.errstate(over="ignore", invalid="ignore"):
            step = _solve(self._inverse, objective.gradient(theta, *terms))
            if self.order == 2:
                curvature = objective.hessian(theta, *terms)
                step = step + _solve(self._inverse, np.einsum("sij,sj->si", curvature, step))
        if not np.isfinite(theta + step).all():
            raise NotUnlearnableError("The influence of these rows is beyond the range of floats.")
        return Removal({"estimator_": self._moved_to(theta + step)})

    def _cost(self, rows: np.ndarray) -> Foretold:
        y: Any = self._samples.y
        if hasattr(self, "classes_"):
            kept = self._samples.slots_without(rows)
            if np.unique(y[kept]).size < self.classes_.size:
                return self._cost_of_fit(rows), None
        return super()._cost(rows)

    def _refit(self, kept: np.ndarray) -> Removal:
        """Fit a clone on the remaining rows, where the model changes its shape."""
        samples = self._samples
        X, y, weight = samples.take(kept)
        try:
            fresh = clone(self).fit(X, y, weight, sample_ids=samples.ids_of(kept))
        except ValueError as error:
            raise NotUnlearnableError(
                f"{type(self.estimator).__name__} cannot be fitted on what the request would "
                f"leave: {error}"
            ) from error
        names = self.__dict__.get("feature_names_in_")
        if names is not None:
            fresh.feature_names_in_ = names
        n_passes = kept.size / samples.n_samples
        replacements = tuple(self._adopt(fresh))
        return Removal({}, n_refitted=1, replacements=replacements, n_passes=n_passes)

    def _purge(self) -> dict[str, Any]:
        """Evaluate the Hessian on the rows held."""
        return self._curvature()

    def _delegate(self, method: str, X: Any) -> Any:
        check_is_fitted(self)
        sparse = get_tags(self.estimator).input_tags.sparse
        X = validate_data(self, X, accept_sparse="csr" if sparse else False, reset=False)
        return getattr(self.estimator_, method)(X)

    @reads_one_version
    def predict(self, X: Any) -> np.ndarray:
        """Predict with the model as it is.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Rows.

        Returns
        -------
        y_pred : ndarray of shape (n_samples,) or (n_samples, n_targets)
            Labels or values.
        """
        return self._delegate("predict", X)

    @available_if(_has("predict_proba"))
    @reads_one_version
    def predict_proba(self, X: Any) -> np.ndarray:
        """Predict class probabilities, where the estimator does.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Rows.

        Returns
        -------
        probabilities : ndarray of shape (n_samples, n_classes)
            Columns in the order of `classes_`.
        """
        return self._delegate("predict_proba", X)

    @available_if(_has("predict_log_proba"))
    @reads_one_version
    def predict_log_proba(self, X: Any) -> np.ndarray:
        """Predict logarithms of class probabilities, where the estimator does.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Rows.

        Returns
        -------
        log_probabilities : ndarray of shape (n_samples, n_classes)
            Columns in the order of `classes_`.
        """
        return self._delegate("predict_log_proba", X)

    @available_if(_has("decision_function"))
    @reads_one_version
    def decision_function(self, X: Any) -> np.ndarray:
        """Compute scores, where the estimator does.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Rows.

        Returns
        -------
        scores : ndarray of shape (n_samples,) or (n_samples, n_classes)
            For two classes that of the second.
        """
        return self._delegate("decision_function", X)

    @reads_one_version
    def score(self, X: Any, y: Any, sample_weight: Any = None) -> float:
        """Score as the estimator does.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Rows.

        y : array-like of shape (n_samples,) or (n_samples, n_targets)
            True labels or values.

        sample_weight : array-like of shape (n_samples,), default=None
            Weights of the rows.

        Returns
        -------
        score : float
            Accuracy, R^2 or D^2.
        """
        check_is_fitted(self)
        X = validate_data(self, X, accept_sparse="csr", reset=False)
        return self.estimator_.score(X, y, sample_weight)

    def to_predictor(self) -> Any:
        """Return the fitted model, which holds no rows.

        Returns
        -------
        predictor : estimator
            Of scikit-learn's class, for deployment.
        """
        self._check_samples()
        predictor = copy.deepcopy(self.estimator_)
        if hasattr(self, "feature_names_in_"):
            predictor.feature_names_in_ = self.feature_names_in_.copy()
        return predictor

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        inner = get_tags(self.estimator)
        tags.estimator_type = inner.estimator_type
        tags.classifier_tags = copy.copy(inner.classifier_tags)
        tags.regressor_tags = copy.copy(inner.regressor_tags)
        tags.input_tags = copy.copy(inner.input_tags)
        tags.target_tags = copy.copy(inner.target_tags)
        return tags


def _solve(inverse: np.ndarray, right: np.ndarray) -> np.ndarray:
    return np.einsum("sij,sj->si", inverse, right)
