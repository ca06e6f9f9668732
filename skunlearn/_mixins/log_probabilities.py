"""Logarithms of predicted probabilities."""

from __future__ import annotations

from abc import abstractmethod
from typing import Any

import numpy as np

from skunlearn._array_api import namespace


class LogProbabilityMixin:
    """`predict_log_proba` of a classifier that has `predict_proba`."""

    @abstractmethod
    def predict_proba(self, X: Any) -> Any:
        """Predict class probabilities."""

    def predict_log_proba(self, X: Any) -> Any:
        """Predict logarithms of class probabilities.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Rows to predict for, of all kinds that `predict_proba` takes.

        Returns
        -------
        log_probabilities : ndarray of shape (n_samples, n_classes)
            Columns in the order of `classes_`; minus infinity for classes of no chance.
        """
        probabilities = self.predict_proba(X)
        with np.errstate(divide="ignore"):
            return namespace(probabilities).log(probabilities)
