"""Mixed tables as numbers, for what has to compare rows or learn from them."""

from __future__ import annotations

from typing import Any, Self

import numpy as np
from scipy import sparse
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.utils.validation import check_is_fitted

from skunlearn._array_api import to_host
from skunlearn._samples.dataframes import is_pandas, is_polars

# Levels of a categorical column that have a column of their own, the most frequent.
_MOST_LEVELS = 50


def columns_of(X: Any) -> list[np.ndarray]:
    """Return the columns of a table, numbers as float64 with NaN for what is missing.

    Parameters
    ----------
    X : array-like or data frame of shape (n_rows, n_features)

    Returns
    -------
    columns : list of ndarray of shape (n_rows,)
        Of dtype float64, or object where a column holds anything but numbers.
    """
    if is_pandas(X):
        return [_as_numbers(X.iloc[:, j].to_numpy(dtype=object)) for j in range(X.shape[1])]
    if is_polars(X):
        return [_as_numbers(np.array(X[name].to_list(), dtype=object)) for name in X.columns]
    X = np.asarray(to_host(X))
    if X.ndim != 2:
        raise ValueError(f"Expected a table of shape (n_rows, n_features); got {X.shape}.")
    if X.dtype.kind in "biuf":
        return list(X.astype(np.float64).T)
    return [_as_numbers(column) for column in X.astype(object).T]


def _as_numbers(values: np.ndarray) -> np.ndarray:
    """Return values as float64, or as objects if any is no number."""
    numbers = np.empty(values.size)
    for position, value in enumerate(values):
        if value is None or type(value).__name__ in ("NAType", "NaTType"):
            numbers[position] = np.nan
        elif isinstance(value, int | float | np.number | np.bool_):
            numbers[position] = value
        else:
            return values
    return numbers


class TableEncoder(TransformerMixin, BaseEstimator):
    """Standardise columns of numbers, and give each level of another column a column of its own.

    Missing numbers count as the median; levels never seen, or rare ones of a column of many, have
    zeros.
    """

    def fit(self, X: Any, y: Any = None) -> Self:
        """Learn medians, scales and levels."""
        self.parts_: list[Any] = []
        if sparse.issparse(X):
            return self
        for column in columns_of(X):
            if column.dtype == object:
                levels, counts = np.unique(_texts(column), return_counts=True)
                self.parts_.append(levels[np.argsort(-counts, kind="stable")[:_MOST_LEVELS]])
                continue
            known = column[np.isfinite(column)]
            middle = float(np.median(known)) if known.size else 0.0
            scale = float(known.std()) if known.size else 0.0
            self.parts_.append((middle, scale if scale > 0.0 else 1.0))
        return self

    def transform(self, X: Any) -> Any:
        """Return numbers, shape (n_rows, n_columns); sparse rows stay as they are."""
        check_is_fitted(self, "parts_")
        if sparse.issparse(X):
            return sparse.csr_array(X)
        encoded = []
        for column, part in zip(columns_of(X), self.parts_, strict=True):
            if isinstance(part, tuple):
                middle, scale = part
                numbers = np.full(column.size, np.nan) if column.dtype == object else column
                gap = np.where(np.isfinite(numbers), (numbers - middle) / scale, 0.0)
                encoded.append(gap[:, np.newaxis])
            else:
                # Rows that differ in a level are as far apart as by one standard deviation.
                encoded.append((_texts(column)[:, np.newaxis] == part) / np.sqrt(2.0))
        return np.hstack(encoded)


def _texts(column: np.ndarray) -> np.ndarray:
    return np.array([str(value) for value in column])
