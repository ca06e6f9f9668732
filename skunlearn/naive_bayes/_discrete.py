"""Naive Bayes on exact counts: `fit` adds rows, `unlearn` takes them out, by the same kernel."""

from __future__ import annotations

import warnings
from abc import abstractmethod
from numbers import Real
from typing import Any, ClassVar, Self

import numpy as np
from scipy import sparse

from skunlearn._compat import Interval
from skunlearn._kernels.counts import count_entries, count_rows, to_floats
from skunlearn._statistics.column_moments import UNIT_WEIGHTS
from skunlearn._unlearning.fit_task import fit_task
from skunlearn._unlearning.tags import UnlearningTags
from skunlearn._validation import NotFinite, validate_data
from skunlearn.base import Removal
from skunlearn.exceptions import NotUnlearnableError
from skunlearn.naive_bayes._base import BaseNB

_LARGEST = 2.0**40
_LARGEST_SUM = 2.0**62
_LEAST_ALPHA = 1e-10
# Sums drop what is finer than 2**-80, of the weight of a row at most that part of it on average.
_LEAST_WEIGHT = 2.0**-40


class BaseDiscreteNB(BaseNB):
    """Counts per class and feature, smoothed by `alpha`; a subclass says what counts are for."""

    _parameter_constraints: ClassVar[dict[str, Any]] = {
        "alpha": [Interval(Real, 0, None, closed="left"), "array-like"],
        "force_alpha": ["boolean"],
        "fit_prior": ["boolean"],
        "class_prior": ["array-like", None],
    }
    _unlearning_tags = UnlearningTags("bitwise")
    _overwritten: ClassVar[tuple[str, ...]] = ("_counts", "_totals")
    _prior_parameter = "class_prior"
    alpha: Any
    force_alpha: bool
    fit_prior: bool
    class_prior: Any

    @abstractmethod
    def _threshold_for(self, X: Any) -> float:
        """Return the value above which an entry of X counts as 1; NaN to take entries as is."""

    @abstractmethod
    def _feature_log_prob(
        self, feature_count: np.ndarray, class_count: np.ndarray, alpha: Any
    ) -> np.ndarray:
        """Compute ``log P(x_j|c)`` from counts, shape (n_classes, n_features)."""

    def _check_values(self, X: Any, lowest: float) -> None:
        """Refuse entries that cannot be counted; `lowest` is the least of them, or zero."""

    @fit_task(prefer_skip_nested_validation=True)
    def fit(self, X: Any, y: Any, sample_weight: Any = None, *, sample_ids: Any = None) -> Self:
        """Fit the classifier.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Training rows. In a sparse matrix, entries stored twice are added up.

        y : array-like of shape (n_samples,)
            Class labels.

        sample_weight : array-like of shape (n_samples,), default=None
            Weights of the rows.

        sample_ids : array-like of shape (n_samples,), default=None
            Ids by which rows can be unlearned; default ``X.index`` for a pandas X, else
            ``0..n_samples-1``.

        Returns
        -------
        self : object
            Fitted classifier.

        Raises
        ------
        ValueError
            If an entry of X times its weight is 2**40 or more, or the sum may reach 2**62, or if
            the weights of a class, where not zero, are less than 2**-40 on average.
        """
        sources = (X, y, sample_weight)
        X, y, weight, classes = self._check_training(X, y, sample_weight, accept_sparse="csr")
        threshold = self._threshold_for(X)
        self._check_size(X, weight, threshold)
        self._check_prior_length(classes.size, ValueError)
        self._checked_alpha()
        self._warn_of_small_alpha()
        self._hold_samples(X, y, weight, sources=sources, sample_ids=sample_ids)
        self._threshold = threshold
        totals = self._zeros(classes.size)
        counts = np.zeros((2, classes.size), dtype=np.int64)
        rows = self._samples.slots()
        labels = classes.searchsorted(self._fit_targets(rows))
        totals, counts = self._count(totals, counts, labels, rows, sign=1)
        self._check_weights(totals, counts, ValueError)
        self.__dict__.update(self._attributes(totals, counts, classes))
        return self

    def _check_size(self, X: Any, weight: np.ndarray | None, threshold: float) -> None:
        entries = X.data if sparse.issparse(X) else X
        largest = 1.0
        if np.isnan(threshold):
            lowest = float(entries.min(initial=0))
            self._check_values(X, lowest)
            largest = max(1.0, -lowest, float(entries.max(initial=0)))
        if weight is not None:
            largest *= float(np.abs(weight).max())
        if largest >= _LARGEST or largest * X.shape[0] >= _LARGEST_SUM:
            raise ValueError(
                f"{type(self).__name__} adds up entries of X times sample_weight exactly, for "
                f"which each must be below 2**40 (1.1e12) and their sum below 2**62; here they "
                f"reach {largest:.3g} in {X.shape[0]} rows. Rescale X or sample_weight."
            )

    def _zeros(self, n_classes: int) -> np.ndarray:
        """Make totals of no rows."""
        return np.zeros((3, n_classes, self.n_features_in_ + 1), dtype=np.int64)

    def _count(
        self,
        totals: np.ndarray,
        counts: np.ndarray,
        labels: np.ndarray,
        rows: np.ndarray,
        sign: int,
    ) -> tuple[np.ndarray, np.ndarray]:
        """Add rows held to totals, or take them out; returns new arrays."""
        X, weights = self._samples.X, self._samples.sample_weight
        if weights is None:
            weights = UNIT_WEIGHTS
        rest = (weights, labels, rows, self._threshold, sign)
        if sparse.issparse(X):
            return count_entries(totals, counts, X.data, X.indices, X.indptr, *rest)
        return count_rows(totals, counts, X, *rest)

    def _unlearn(self, rows: np.ndarray) -> Removal:
        classes = self.classes_
        labels = classes.searchsorted(self._fit_targets(rows))
        totals, counts = self._count(self._totals, self._counts, labels, rows, sign=-1)
        keep = self._classes_left(*counts)
        if keep is not None:
            classes = self._labels_left(keep)
            totals = totals.compress(keep, axis=1)
            counts = counts.compress(keep, axis=1)
        self._check_weights(totals, counts, NotUnlearnableError)
        return Removal(self._attributes(totals, counts, classes))

    def _check_weights(
        self, totals: np.ndarray, counts: np.ndarray, error: type[ValueError]
    ) -> None:
        """Refuse classes whose weights are too small to be added up."""
        n_weighted = counts[1]
        average = np.abs(to_floats(totals)[1]) / np.maximum(1, n_weighted)
        least = average[n_weighted > 0].min()
        if least < _LEAST_WEIGHT:
            raise error(
                f"{type(self).__name__} adds up weights exactly, for which those of a class must "
                f"be at least 2**-40 (9.1e-13) on average; here they are {least:.3g}. Rescale "
                "sample_weight."
            )

    def _attributes(
        self, totals: np.ndarray, counts: np.ndarray, classes: np.ndarray
    ) -> dict[str, Any]:
        feature_count, class_count = to_floats(totals)
        if self._samples.sample_weight is not None:
            self._check_counts(feature_count, class_count)
        return {
            "_totals": totals,
            "_counts": counts,
            "classes_": classes,
            "class_count_": class_count,
            "class_log_prior_": self._class_log_prior(class_count),
            **self._feature_attributes(feature_count, class_count),
        }

    def _check_counts(self, feature_count: np.ndarray, class_count: np.ndarray) -> None:
        """Refuse counts of weighted rows that have no logarithm."""
        least = feature_count.min(initial=0.0) + np.min(self._checked_alpha())
        if least < 0.0 or class_count.min() < 0.0 or not class_count.any():
            raise NotFinite(
                f"{type(self).__name__} cannot be fitted on these weights: classes weigh "
                f"{class_count.tolist()}. No class, and no feature of one, may weigh less than "
                "zero, and what of a weight is below 2**-80 is dropped."
            )

    def _feature_attributes(
        self, feature_count: np.ndarray, class_count: np.ndarray
    ) -> dict[str, Any]:
        alpha = self._checked_alpha()
        return {
            "feature_count_": feature_count,
            "feature_log_prob_": self._feature_log_prob(feature_count, class_count, alpha),
        }

    def _class_log_prior(self, class_count: np.ndarray) -> np.ndarray:
        n_classes = class_count.size
        self._check_prior_length(n_classes, ValueError)
        if self.class_prior is not None:
            return np.log(self.class_prior)
        if not self.fit_prior:
            return np.full(n_classes, -np.log(n_classes))
        with np.errstate(divide="ignore", invalid="ignore"):
            return np.log(class_count) - np.log(class_count.sum())

    def _checked_alpha(self) -> Any:
        """Return the smoothing parameter as a number or an array of shape (n_features,)."""
        alpha = self.alpha
        if not isinstance(alpha, Real):
            alpha = np.asarray(alpha)
            if alpha.shape != (self.n_features_in_,):
                raise ValueError(
                    "An array-like alpha needs one value per feature: got shape "
                    f"{alpha.shape} for {self.n_features_in_} features."
                )
            if alpha.min() < 0:
                raise ValueError("All values in alpha must be at least 0.")
        return alpha if self.force_alpha else np.maximum(alpha, _LEAST_ALPHA)

    def _warn_of_small_alpha(self) -> None:
        if not self.force_alpha and np.min(self.alpha) < _LEAST_ALPHA:
            warnings.warn(
                "alpha too small will result in numeric errors, setting alpha = "
                f"{_LEAST_ALPHA:.1e}. Use `force_alpha=True` to keep alpha unchanged.",
                stacklevel=5,
            )

    def _check_X(self, X: Any) -> Any:
        return validate_data(self, X, accept_sparse="csr", reset=False)

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        tags.classifier_tags.poor_score = True
        return tags
