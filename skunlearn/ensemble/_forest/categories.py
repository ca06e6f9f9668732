"""Categorical columns: which they are, and the numbers that stand for their values.

A category becomes a float32 whose bits are a hash of its value. No list of categories is kept:
nothing has to be forgotten when the last row of a category goes.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy import sparse
from sklearn.utils import check_array

from skunlearn._array_api import is_foreign
from skunlearn._samples.dataframes import is_pandas, is_polars
from skunlearn._samples.hashing import hash_ids
from skunlearn._samples.ids import canonical_key

# How many positive float32 there are, from the least normal one on.
_FIRST, _N_SIZES = np.uint64(1 << 23), np.uint64(254 << 23)

# Beyond this, whole numbers are hashed as integers of any size.
_EXACT = 2.0**63

_REFUSED = "Categories are numbers, strings, times, pandas intervals, or tuples of these:"


def find_categorical(X: Any, categorical_features: Any) -> np.ndarray | None:
    """Find out which columns are categorical.

    Parameters
    ----------
    X : data frame or array-like of shape (n_samples, n_features)
        As the user passed it.

    categorical_features : array-like of bool, int or str, 'from_dtype' or None
        The estimators' parameter.

    Returns
    -------
    is_categorical : ndarray of shape (n_features,), bool, or None
        None if no column is, or if X is nothing that the estimators take.

    Raises
    ------
    ValueError
        If `categorical_features` does not fit the columns of X.
    """
    if categorical_features is None or sparse.issparse(X) or is_foreign(X):
        return None
    if isinstance(categorical_features, str):
        mask = np.array(_categorical_dtypes(X), dtype=bool)
    else:
        mask = _mask_of(X, np.asarray(categorical_features))
    return mask if mask.any() else None


def _categorical_dtypes(X: Any) -> list[bool]:
    if is_pandas(X):
        import pandas as pd

        return [isinstance(dtype, pd.CategoricalDtype) for dtype in X.dtypes]
    if is_polars(X):
        import polars as pl

        return [isinstance(dtype, pl.Categorical | pl.Enum) for dtype in X.dtypes]
    return []


def _mask_of(X: Any, chosen: np.ndarray) -> np.ndarray:
    shape = X.shape if hasattr(X, "shape") else np.shape(X)
    n_features = shape[1] if len(shape) == 2 else 0
    mask = np.zeros(n_features, dtype=bool)
    if not chosen.size or not n_features:
        return mask
    kind = chosen.dtype.kind
    if kind == "b":
        if chosen.shape != mask.shape:
            raise ValueError(
                f"A boolean mask as categorical_features needs shape ({n_features},), an entry "
                f"for each column of X; got shape {chosen.shape}."
            )
        return chosen.copy()
    if kind in "iu":
        if chosen.min() < 0 or chosen.max() >= n_features:
            raise ValueError(
                f"Positions in categorical_features must be in [0, {n_features - 1}]; got "
                f"{chosen.tolist()}."
            )
        mask[chosen] = True
        return mask
    if kind not in "UO" or not all(isinstance(name, str) for name in chosen.tolist()):
        raise ValueError(
            "categorical_features must be a boolean mask, positions or names of columns; got "
            f"{chosen.tolist()}."
        )
    if not hasattr(X, "columns"):
        raise ValueError(
            "Names in categorical_features need a data frame; X has no names of columns. Pass "
            "positions or a boolean mask."
        )
    names = list(X.columns)
    for name in chosen.tolist():
        if name not in names:
            raise ValueError(
                f"{name!r} in categorical_features is no column of X, which has {names}."
            )
        mask[names.index(name)] = True
    return mask


def as_numbers(
    X: Any, is_categorical: np.ndarray, estimator: Any, *, order: Any = "C", **checks: Any
) -> np.ndarray:
    """Turn rows with categorical columns into float32.

    Parameters
    ----------
    X : data frame or array-like of shape (n_samples, n_features)
        Lists and arrays of objects may hold strings and numbers.

    is_categorical : ndarray of shape (n_features,), bool

    estimator : object
        Whom errors name.

    order : {'C', 'F'}, default='C'
        Memory layout of the result.

    **checks : dict
        Of :func:`sklearn.utils.check_array`, for the other columns.

    Returns
    -------
    numbers : ndarray of shape (n_samples, n_features), float32
        In memory of its own; a missing value is NaN.

    Raises
    ------
    ValueError
        If another column is not numeric, or what `checks` say.
    TypeError
        If a category is of a type that has no hash that is the same everywhere.
    """
    if not (is_pandas(X) or is_polars(X)):
        kept = isinstance(X, np.ndarray)
        X = check_array(
            X, dtype=None if kept else object, ensure_all_finite=False, estimator=estimator
        )
    numbers = np.empty(X.shape, dtype=np.float32, order=order)
    others = np.flatnonzero(~is_categorical)
    if others.size:
        part = X.iloc[:, others] if is_pandas(X) else X[:, others.tolist()]
        numbers[:, others] = check_array(
            part, dtype=np.float32, estimator=estimator, input_name="X", **checks
        )
    for position in np.flatnonzero(is_categorical).tolist():
        numbers[:, position] = _numbers_of(_column(X, position))
    return check_array(numbers, dtype=None, ensure_all_finite=False, estimator=estimator)


def _column(X: Any, position: int) -> Any:
    """Return a column as an array of numbers, codes with a list of their values, or a list."""
    if is_pandas(X):
        column = X.iloc[:, position]
        if isinstance(column.dtype, np.dtype) and column.dtype.kind in "iufb":
            return column.to_numpy()
        if column.dtype.name != "category" or len(column.array.categories) > len(column):
            return column
        return column.array.codes, column.array.categories
    if is_polars(X):
        column = X.to_series(position)
        dtype, name = column.dtype, str(column.dtype)
        if name.startswith(("Categorical", "Enum")):
            codes = column.to_physical().cast(int).fill_null(-1).to_numpy()
            _, first, codes = np.unique(codes, return_index=True, return_inverse=True)
            return codes, column.gather(first).to_list()
        plain = dtype.is_float() or name == "Boolean" or (dtype.is_integer() and "128" not in name)
        return column.to_numpy() if plain and not column.null_count() else column.to_list()
    column = X[:, position]
    if column.dtype.kind in "iufb":
        return column
    return list(column) if column.dtype.kind in "mM" else column.tolist()


def _numbers_of(column: Any) -> np.ndarray:
    """Hash the values of a column to float32, each distinct one once unless they are numbers."""
    if isinstance(column, np.ndarray):
        hashes, known = _hash_numbers(column)
        return np.where(known, _as_floats(hashes), np.float32(np.nan))
    try:
        if isinstance(column, tuple):
            codes, values = column
        else:
            codes, values = _factorize(column) if isinstance(column, list) else column.factorize()
    except TypeError as error:
        raise TypeError(f"{_REFUSED} {error}") from None
    used = np.zeros(len(values) + 1, dtype=bool)  # the last stands for a code of -1
    used[codes] = True
    used[-1] = False
    keys = [_key(value) if used[code] else None for code, value in enumerate(values)]
    known = np.array([key is not None for key in keys] + [False])
    numbers = np.full(used.size, np.nan, dtype=np.float32)
    numbers[known] = _as_floats(hash_ids([key for key in keys if key is not None]))
    return numbers[codes]


def _factorize(values: list[Any]) -> tuple[np.ndarray, list[Any]]:
    """Give distinct values numbers, in the order of their appearance."""
    number = {value: code for code, value in enumerate(dict.fromkeys(values))}
    return np.fromiter(map(number.__getitem__, values), np.intp, len(values)), list(number)


def _hash_numbers(values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    if values.dtype.kind != "f":
        numbers = values.astype(np.int64) if values.dtype.kind == "b" else values
        return hash_ids(numbers), np.ones(values.size, dtype=bool)
    values = values.astype(np.float64, copy=False)
    known = ~np.isnan(values)
    whole = (np.floor(values) == values) & (np.abs(values) < _EXACT)
    hashes = np.zeros(values.size, dtype=np.uint64)
    hashes[whole] = hash_ids(values[whole].astype(np.int64))
    broken = known & ~whole
    distinct, codes = np.unique(values[broken], return_inverse=True)
    hashes[broken] = hash_ids([canonical_key(value) for value in distinct.tolist()])[codes]
    return hashes, known


def _key(value: Any) -> Any:
    """Return what to hash, equal for equal values of whatever type; None if it is missing."""
    kind = type(value).__name__
    if value is None or kind in ("NAType", "NaTType") or value != value:
        return None
    if isinstance(value, bool | np.bool_):
        return int(value)
    if kind == "Interval":
        return (kind, value.closed, canonical_key(value.left), canonical_key(value.right))
    try:
        return canonical_key(value)
    except ValueError:
        raise TypeError(f"{_REFUSED} got {kind} {value!r}") from None


def _as_floats(hashes: np.ndarray) -> np.ndarray:
    """Choose one of 2**31.99 normal float32 by each hash; they are equal only if their bits are."""
    sizes = (hashes >> np.uint64(1)) % _N_SIZES + _FIRST
    signs = (hashes & np.uint64(1)) << np.uint64(31)
    return (sizes | signs).astype(np.uint32).view(np.float32)
