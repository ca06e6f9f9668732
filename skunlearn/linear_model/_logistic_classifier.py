"""Predicting classes, and how probable they are, by logistic models."""

from __future__ import annotations

from typing import Any

from skunlearn._mixins.linear_classifier import LinearClassifierMixin
from skunlearn._mixins.log_probabilities import LogProbabilityMixin
from skunlearn._unlearning.commit import reads_one_version
from skunlearn.linear_model._glm.pointwise_losses import probabilities


class LogisticClassifierMixin(LogProbabilityMixin, LinearClassifierMixin):
    """Predictions of a binary or multinomial logistic model with `coef_` and `intercept_`."""

    @reads_one_version
    def predict_proba(self, X: Any) -> Any:
        """Predict class probabilities.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Rows to predict for.

        Returns
        -------
        probabilities : ndarray of shape (n_samples, n_classes)
            Columns in the order of `classes_`.
        """
        return probabilities(self.decision_function(X))
