"""Predicting classes by linear scores."""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.utils import get_tags
from sklearn.utils.validation import check_is_fitted

from skunlearn._array_api import affine, labels_of
from skunlearn._validation import validate_data
from skunlearn.base import reads_one_version


class LinearClassifierMixin:
    """`decision_function` and `predict` of a classifier with `coef_` and `intercept_`."""

    classes_: np.ndarray
    coef_: np.ndarray
    intercept_: np.ndarray

    @reads_one_version
    def decision_function(self, X: Any) -> np.ndarray:
        """Compute the score of each class.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Rows to predict for; sparse where `fit` takes sparse rows.

        Returns
        -------
        scores : ndarray of shape (n_samples,) or (n_samples, n_classes)
            For two classes that of the second, positive where it is predicted.
        """
        check_is_fitted(self)
        sparse = get_tags(self).input_tags.sparse
        X = validate_data(
            self, X, accept_sparse=["csr", "csc", "coo"] if sparse else False, reset=False
        )
        scores = affine(X, self.coef_, self.intercept_)
        return scores[:, 0] if scores.shape[1:] == (1,) else scores

    @reads_one_version
    def predict(self, X: Any) -> np.ndarray:
        """Predict the class of each row.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Rows to predict for; sparse where `fit` takes sparse rows.

        Returns
        -------
        y : ndarray of shape (n_samples,)
            Labels from `classes_`.
        """
        scores = self.decision_function(X)
        if self.classes_.shape[0] == 1:
            scores = scores[:, None]
        return labels_of(scores, self.classes_)
