"""What all selectors share: reading one version of the model, and when outputs stay."""

from __future__ import annotations

import functools
from abc import ABC, abstractmethod
from typing import Any

import numpy as np
from sklearn.base import BaseEstimator
from sklearn.feature_selection import SelectorMixin

from skunlearn._kernels.column_moments import PER_UPDATE
from skunlearn._linalg.precision import EPS
from skunlearn._samples.store import SampleStore
from skunlearn._statistics.column_moments import TOLERANCE
from skunlearn.base import UnlearnerMixin, reads_one_version

# Statistics nearer to each other than this, relatively, could swap ranks by rounding.
NEAR = 10.0 * TOLERANCE


def relative_error(peak: np.ndarray, remaining: np.ndarray, n_updates: np.ndarray) -> np.ndarray:
    """Estimate the relative rounding error of sums of squares, column by column.

    Parameters
    ----------
    peak : ndarray of shape (n_features,)
        Powers of two above the largest that each sum was since it was computed from rows.

    remaining : ndarray of shape (n_features,)
        The sums.

    n_updates : ndarray of shape (n_features,)
        Removals since then.

    Returns
    -------
    error : ndarray of shape (n_features,)
    """
    magnified = np.ones(remaining.shape)
    with np.errstate(divide="ignore"):
        np.divide(peak, remaining, out=magnified, where=peak > remaining)
        growth = np.multiply(
            n_updates, magnified, where=n_updates > 0, out=np.zeros(n_updates.shape)
        )
    return PER_UPDATE * EPS * (1.0 + growth)


class RemainingRows:
    """The rows that stay when some go: how many, and, where somebody asks, which.

    Parameters
    ----------
    samples : SampleStore

    rows : ndarray of dtype intp
        Slots of the rows that go.
    """

    def __init__(self, samples: SampleStore, rows: np.ndarray) -> None:
        self.samples = samples
        self.gone = rows
        self.size = samples.n_samples - rows.size

    @functools.cached_property
    def slots(self) -> np.ndarray:
        """Their slots, in training order."""
        return self.samples.slots_without(self.gone)


class BaseSelector(UnlearnerMixin, SelectorMixin, BaseEstimator, ABC):
    """A selector whose reading methods see one version of the model."""

    @abstractmethod
    def _get_support_mask(self) -> np.ndarray:
        """Return which features are selected, as a mask."""

    def _keeps_outputs(self, after: Any, rows: np.ndarray) -> bool:
        return np.array_equal(self._get_support_mask(), after._get_support_mask())

    @reads_one_version
    def get_support(self, indices: bool = False) -> np.ndarray:
        """Return which features are selected.

        Parameters
        ----------
        indices : bool, default=False
            Whether to return positions instead of a mask.

        Returns
        -------
        support : ndarray of shape (n_features,) or (n_selected,)
        """
        return super().get_support(indices)

    @reads_one_version
    def transform(self, X: Any) -> Any:
        """Reduce rows to the selected features.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Rows to transform.

        Returns
        -------
        X_r : {ndarray, sparse matrix} of shape (n_samples, n_selected)
            The selected columns.
        """
        return super().transform(X)

    @reads_one_version
    def inverse_transform(self, X: Any) -> Any:
        """Put selected features back into their columns, with zeros for the others.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_selected)
            Rows of selected features.

        Returns
        -------
        X_original : {ndarray, sparse matrix} of shape (n_samples, n_features)
            Rows of all features.
        """
        return super().inverse_transform(X)

    @reads_one_version
    def get_feature_names_out(self, input_features: Any = None) -> np.ndarray:
        """Return the names of the selected features.

        Parameters
        ----------
        input_features : array-like of str, default=None
            Names of all features; default those seen in `fit`, else ``x0``, ``x1``, ...

        Returns
        -------
        feature_names_out : ndarray of str objects
        """
        return super().get_feature_names_out(input_features)
