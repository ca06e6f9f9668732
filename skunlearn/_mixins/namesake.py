"""Transformers whose outputs scikit-learn's own class computes from the attributes of ours."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any, ClassVar

import numpy as np
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.utils.validation import check_is_fitted

from skunlearn._samples.tables import NO_ROWS, take
from skunlearn._unlearning.commit import Replacement
from skunlearn.base import UnlearnerMixin, reads_one_version


def equal_values(left: Any, right: Any) -> bool:
    """Tell whether arrays, or lists of arrays, are equal bit for bit, NaN equal to NaN."""
    if isinstance(left, list):
        return len(left) == len(right) and all(map(equal_values, left, right))
    if left is None or right is None:
        return left is right
    if left.shape != right.shape or left.dtype != right.dtype:
        return False
    return bool(np.all((left == right) | ((left != left) & (right != right))))


class NamesakeTransformer(UnlearnerMixin, TransformerMixin, BaseEstimator):
    """A transformer that fits and forgets, and leaves transforming to its namesake.

    The namesake of a class is the scikit-learn class of the same name.

    A subclass names that class in `_namesake_class`, and in `_decisive` the attributes on which the
    outputs depend.
    """

    _namesake_class: ClassVar[type]
    _decisive: ClassVar[tuple[str, ...]] = ()

    def _namesake(self) -> Any:
        """Return scikit-learn's transformer with this one's attributes, not copied."""
        namesake: Any = object.__new__(self._namesake_class)
        namesake.__dict__.update({key: v for key, v in self.__dict__.items() if key[0] != "_"})
        namesake.__dict__.update(self._extras())
        return namesake.set_output(transform="default")

    def _extras(self) -> dict[str, Any]:
        """Return private attributes that scikit-learn's transformer has as well."""
        return {}

    @reads_one_version
    def transform(self, X: Any) -> Any:
        """Transform rows.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Rows to transform; sparse where `fit` takes sparse rows.

        Returns
        -------
        X_tr : {ndarray, sparse matrix} of shape (n_samples, n_features_out)
            Transformed rows.
        """
        check_is_fitted(self)
        return self._namesake().transform(X)

    def _rows_held(self) -> Any:
        """Return the table of the rows held, the store's own where no slot is empty."""
        samples = self._samples
        return take(samples.X, samples.slots()) if samples.n_removed else samples.X

    def _edit(self, edit: Callable[[], None]) -> tuple[Replacement, ...]:
        """Wrap a change of a buffer in place, for the replacements of a removal."""
        return (Replacement(self, {}, NO_ROWS, edit),)

    def _keeps_outputs(self, after: Any, rows: np.ndarray) -> bool:
        return all(
            equal_values(getattr(self, name), getattr(after, name)) for name in self._decisive
        )

    def to_predictor(self) -> Any:
        """Return scikit-learn's own transformer for deployment.

        Returns
        -------
        predictor : transformer
            Of the class of the same name, fitted; holds no training row.
        """
        predictor = self._as_namesake(self._namesake_class)
        predictor.__dict__.update(copy.deepcopy(self._extras()))
        return predictor


class NamesMixin:
    """Adds `get_feature_names_out`, for those that make other columns than they take."""

    @reads_one_version
    def get_feature_names_out(self: Any, input_features: Any = None) -> np.ndarray:
        """Return the names of what comes out, as scikit-learn's transformer does.

        Parameters
        ----------
        input_features : array-like of str, default=None
            Names of the features; default those of `fit`, or x0, x1, ...

        Returns
        -------
        feature_names_out : ndarray of str
        """
        check_is_fitted(self)
        return self._namesake().get_feature_names_out(input_features)


class InverseMixin:
    """Adds `inverse_transform`, for those whose namesake has it."""

    @reads_one_version
    def inverse_transform(self: Any, X: Any) -> Any:
        """Bring transformed rows back to the original space.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features_out)
            Rows to transform back.

        Returns
        -------
        X_original : {ndarray, sparse matrix} of shape (n_samples, n_features)
            Rows in original units.
        """
        check_is_fitted(self)
        return self._namesake().inverse_transform(X)
