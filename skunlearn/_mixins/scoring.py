"""scikit-learn's scores for rows and predictions that may live outside NumPy."""

from __future__ import annotations

from typing import Any

import sklearn.base
from sklearn.metrics import accuracy_score, r2_score

from skunlearn._array_api import is_foreign, to_host
from skunlearn._validation import host_companion


def scored(estimator: Any, X: Any, y: Any, sample_weight: Any) -> tuple[Any, Any, Any]:
    """Return predictions, targets and weights on the host; all must come from where X is."""
    companions = {"y": y, "sample_weight": sample_weight}
    y, sample_weight = (
        None if values is None else host_companion(estimator, name, values, X)
        for name, values in companions.items()
    )
    return to_host(estimator.predict(X)), y, sample_weight


class RegressorMixin(sklearn.base.RegressorMixin):
    """A regressor that scores on the host."""

    def score(self, X: Any, y: Any, sample_weight: Any = None) -> float:
        """Return the coefficient of determination of the predictions.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Rows.

        y : array-like of shape (n_samples,) or (n_samples, n_targets)
            Targets.

        sample_weight : array-like of shape (n_samples,), default=None
            Weights of the rows.

        Returns
        -------
        score : float
            R^2, at most 1.
        """
        predicted, y, sample_weight = scored(self, X, y, sample_weight)
        return r2_score(y, predicted, sample_weight=sample_weight)


class ClassifierMixin(sklearn.base.ClassifierMixin):
    """A classifier that scores on the host."""

    def score(self, X: Any, y: Any, sample_weight: Any = None) -> float:
        """Return the accuracy of the predictions.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Rows.

        y : array-like of shape (n_samples,)
            Labels.

        sample_weight : array-like of shape (n_samples,), default=None
            Weights of the rows.

        Returns
        -------
        score : float
            Share of the rows that are predicted right.
        """
        if is_foreign(y):
            y = host_companion(self, "y", y, X)
        predicted, _, sample_weight = scored(self, X, None, sample_weight)
        return float(accuracy_score(y, predicted, sample_weight=sample_weight))
