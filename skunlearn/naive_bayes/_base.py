"""What all naive Bayes classifiers share: reading y and weights, predicting, losing classes."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any

import numpy as np
from sklearn.base import BaseEstimator
from sklearn.utils.multiclass import unique_labels
from sklearn.utils.validation import check_is_fitted

from skunlearn._array_api import is_foreign, labels_of, namespace, to_host
from skunlearn._mixins.scoring import ClassifierMixin
from skunlearn._samples.strings import narrowed
from skunlearn._validation import check_weights, validate_data
from skunlearn.base import UnlearnerMixin, reads_one_version
from skunlearn.exceptions import NotUnlearnableError

# Kept as they are in the rows held; anything else becomes float64.
_DTYPES = [
    *(np.float64, np.float32),
    *(np.int64, np.int32, np.int16, np.int8),
    *(np.uint64, np.uint32, np.uint16, np.uint8),
    np.bool_,
]


class BaseNB(UnlearnerMixin, ClassifierMixin, BaseEstimator, ABC):
    """Public predicting methods around two hooks, and the common parts of `fit` and `unlearn`."""

    _prior_parameter: str
    classes_: np.ndarray

    @abstractmethod
    def _check_X(self, X: Any) -> Any:
        """Validate rows to predict for."""

    @abstractmethod
    def _joint_log_likelihood(self, X: Any) -> np.ndarray:
        """Compute ``log P(c) + log P(x|c)`` for validated rows, shape (n_samples, n_classes)."""

    def _check_training(
        self, X: Any, y: Any, sample_weight: Any, **checks: Any
    ) -> tuple[Any, np.ndarray, np.ndarray | None, np.ndarray]:
        """Validate what `fit` was given.

        Returns
        -------
        X, y, sample_weight, classes
            Weights are float64, or None where none were given.
        """
        non_negative = checks.pop("non_negative_weights", False)
        X, y = validate_data(self, X, y, **{"dtype": _DTYPES} | checks)
        classes = unique_labels(y)
        weight = check_weights(self, sample_weight, X, dtype=None, ensure_non_negative=non_negative)
        if weight is not None and not weight.any():
            raise ValueError("Sample weights must contain at least one non-zero number.")
        return X, y, weight, classes

    def _check_prior_length(self, n_classes: int, error: type[ValueError]) -> None:
        prior = getattr(self, self._prior_parameter)
        if prior is not None and len(prior) != n_classes:
            raise error(
                "Number of priors must match number of classes: "
                f"{self._prior_parameter} has {len(prior)} values for {n_classes} classes."
            )

    def _classes_left(self, n_rows: np.ndarray, n_weighted: np.ndarray) -> np.ndarray | None:
        """Tell which classes keep a row; None stands for all of them.

        Parameters
        ----------
        n_rows, n_weighted : ndarray of shape (n_classes,)
            How many rows each class keeps, and how many of them with a weight other than zero.

        Raises
        ------
        NotUnlearnableError
            If `fit` would refuse the rows that stay.
        """
        if not n_weighted.any():
            raise NotUnlearnableError(
                "The request would leave only rows of weight zero, which no "
                f"{type(self).__name__} can be fitted on. Nothing was changed."
            )
        if n_rows.all():
            return None
        keep = n_rows > 0
        self._check_prior_length(int(keep.sum()), NotUnlearnableError)
        return keep

    def _labels_left(self, keep: np.ndarray) -> np.ndarray:
        """Return the classes that keep a row, in the dtype that `fit` would give them."""
        return narrowed(to_host(self.classes_)[keep])

    @reads_one_version
    def predict_joint_log_proba(self, X: Any) -> np.ndarray:
        """Compute the joint log probability ``log P(x, c) = log P(c) + log P(x|c)``.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Rows to predict for; sparse where `fit` takes sparse rows.

        Returns
        -------
        joint : ndarray of shape (n_samples, n_classes)
            Columns in the order of `classes_`.
        """
        check_is_fitted(self)
        return self._joint_log_likelihood(self._check_X(X))

    @reads_one_version
    def predict(self, X: Any) -> np.ndarray:
        """Predict the most probable class of each row.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Rows to predict for; sparse where `fit` takes sparse rows.

        Returns
        -------
        y : ndarray of shape (n_samples,)
            Labels from `classes_`.
        """
        return labels_of(self.predict_joint_log_proba(X), self.classes_)

    @reads_one_version
    def predict_log_proba(self, X: Any) -> np.ndarray:
        """Compute the log probability of each class.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Rows to predict for; sparse where `fit` takes sparse rows.

        Returns
        -------
        log_proba : ndarray of shape (n_samples, n_classes)
            Columns in the order of `classes_`.
        """
        joint = self.predict_joint_log_proba(X)
        if is_foreign(joint):
            return _normalised(joint)
        log_proba = np.ascontiguousarray(joint.T)
        top = log_proba.max(axis=0)
        top[~np.isfinite(top)] = 0.0
        log_proba -= top
        log_proba -= np.log(np.exp(log_proba).sum(axis=0))
        return log_proba.T

    @reads_one_version
    def predict_proba(self, X: Any) -> np.ndarray:
        """Compute the probability of each class.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Rows to predict for; sparse where `fit` takes sparse rows.

        Returns
        -------
        proba : ndarray of shape (n_samples, n_classes)
            Columns in the order of `classes_`.
        """
        log_proba = self.predict_log_proba(X)
        return namespace(log_proba).exp(log_proba)


def _normalised(joint: Any) -> Any:
    """Take from joint log probabilities of another library than NumPy what they sum to."""
    xp = namespace(joint)
    top = xp.max(joint, axis=1, keepdims=True)
    raised = joint - xp.where(xp.isfinite(top), top, xp.zeros_like(top))
    return raised - xp.log(xp.sum(xp.exp(raised), axis=1, keepdims=True))
