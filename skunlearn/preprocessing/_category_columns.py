"""Columns of categories: validation, distinct values, codes, and how rows of them are held.

A column is a one-dimensional array of whatever scikit-learn's encoders make of it. Distinct values
are sorted, None and NaN come last, and equal values of different types (1 and True) count as one.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from numbers import Integral, Real
from typing import Any

import numpy as np
from sklearn.utils import check_array

from skunlearn._samples.dataframes import is_pandas, is_polars
from skunlearn._samples.frame_table import FrameTable

NUMERIC = "iufb"

# Integers this near to each other are looked up in a table of all numbers between.
_MAX_SPAN = 1 << 16


class ColumnTable(FrameTable):
    """Rows of categories, one array per column.

    Parameters
    ----------
    names : bool
        Whether the columns share one dtype, as those of an array do.

    dtypes : list
        What is left of a column's dtype when it holds no missing value any more: a NumPy dtype
        where missing values had widened it, else None.

    arrays : list of ndarray
        The columns.
    """

    @classmethod
    def copy_of(cls, columns: list[np.ndarray], source: Any) -> ColumnTable:
        """Copy validated columns of `source`."""
        arrays = [np.array(column, copy=True) for column in columns]
        dtypes = _narrow_dtypes(arrays, source)
        return cls(is_polars(source) and None not in dtypes, dtypes, arrays)

    def native(self) -> ColumnTable:
        """Return the table itself: the encoders take it as it is."""
        return self

    def like(self, rows: Any) -> ColumnTable:
        """Bring validated columns into this table's float dtypes; the rest keep their own."""
        arrays = [
            query.astype(held.dtype)
            if held.dtype.kind == "f" and query.dtype.kind in NUMERIC
            else query
            for query, held in zip(rows, self.arrays, strict=True)
        ]
        return ColumnTable(False, [None] * len(arrays), arrays)

    def rows_as_lists(self) -> list[list[Any]]:
        """List the rows as Python objects."""
        return [list(row) for row in zip(*map(items, self.arrays), strict=True)]

    def without_missing(self, changed: list[list[Any]], kept: np.ndarray) -> ColumnTable | None:
        """Narrow the columns whose last missing value goes.

        Parameters
        ----------
        changed : list of list
            The values that go, per column.

        kept : ndarray of dtype intp
            The slots that stay.

        Returns
        -------
        table : ColumnTable or None
            A copy; None if no dtype changes.
        """
        wide = [position for position, dtype in enumerate(self.dtypes) if dtype is not None]
        if not any(any(map(is_missing, changed[position])) for position in wide):
            return None
        full = [p for p in wide if not any(map(is_missing, items(self.arrays[p][kept])))]
        if not full or (self.names and full != wide):
            return None
        arrays, dtypes = [array.copy() for array in self.arrays], list(self.dtypes)
        for position in full:
            dtype, column = dtypes[position], self.arrays[position]
            narrow = np.zeros(column.size, dtype=dtype)
            narrow[kept] = column[kept].astype(dtype)
            arrays[position] = narrow.astype(object) if column.dtype.kind == "O" else narrow
            dtypes[position] = None
        return ColumnTable(self.names, dtypes, arrays)


def _narrow_dtypes(arrays: list[np.ndarray], source: Any) -> list[Any]:
    """Find out what each column's dtype would be if nothing in it were missing."""
    held = [array.dtype for array in arrays]
    if is_pandas(source):
        bare = [
            now if isinstance(dtype, np.dtype) else _dtype_of_none(source.iloc[:0, position])
            for position, (dtype, now) in enumerate(zip(source.dtypes, held, strict=True))
        ]
    elif is_polars(source):
        bare = [source.head(0).to_numpy().dtype] * len(arrays)
        if bare and bare[0].kind == "O":
            bare = [  # numbers among objects stay Python's
                np.dtype(np.int64) if dtype.is_integer() and column.null_count() else np.dtype("O")
                for dtype, column in zip(source.dtypes, source.get_columns(), strict=True)
            ]
    else:
        bare = held
    return [None if dtype == now else dtype for dtype, now in zip(bare, held, strict=True)]


def _dtype_of_none(column: Any) -> Any:
    return check_array(column, ensure_2d=False, dtype=None, ensure_min_samples=0).dtype


def check_columns(X: Any) -> list[np.ndarray]:
    """Validate rows of categories as scikit-learn's encoders do.

    Parameters
    ----------
    X : data frame or array-like of shape (n_samples, n_features), or ColumnTable

    Returns
    -------
    columns : list of ndarray of shape (n_samples,)
        They may share memory with X.
    """
    if isinstance(X, ColumnTable):
        return X.arrays
    checks: dict[str, Any] = {"dtype": None, "ensure_all_finite": "allow-nan"}
    if hasattr(X, "iloc") and getattr(X, "ndim", 0) == 2:
        columns = [X.iloc[:, position] for position in range(X.shape[1])]
        return [check_array(column, ensure_2d=False, **checks) for column in columns]
    table = check_array(X, **checks)
    if not hasattr(X, "dtype") and table.dtype.kind == "U":
        table = check_array(X, **checks | {"dtype": object})
    return list(table.T)


def items(values: np.ndarray) -> list[Any]:
    """List values as Python objects, times as NumPy's."""
    return list(values) if values.dtype.kind in "mM" else values.tolist()


def is_nan(value: Any) -> bool:
    """Tell whether a value is a number that is not one."""
    return isinstance(value, Real) and not isinstance(value, Integral) and bool(value != value)


def is_missing(value: Any) -> bool:
    """Tell whether a value is None or NaN."""
    return value is None or is_nan(value)


class Codes(dict):
    """Codes of values; any NaN stands for NaN, and what is not there has the code -1.

    Parameters
    ----------
    values : iterable
        Distinct values.

    codes : iterable of int
        Their codes.
    """

    def __init__(self, values: Iterable[Any], codes: Iterable[int]) -> None:
        super().__init__(zip(values, codes, strict=True))
        self.nan = next((code for value, code in self.items() if is_nan(value)), -1)

    def __missing__(self, value: Any) -> int:
        return self.nan if is_nan(value) else -1

    def __reduce__(self) -> tuple[Any, ...]:
        return (Codes, (list(self), list(self.values())))

    def forget(self, value: Any) -> None:
        """Take a value out, if it is there."""
        if is_nan(value):
            for key in [key for key in self if is_nan(key)]:
                del self[key]
            self.nan = -1
        else:
            self.pop(value, None)

    def of(self, values: np.ndarray) -> np.ndarray:
        """Return the codes of values."""
        return np.fromiter(map(self.__getitem__, items(values)), np.intp, values.size)


def codes_of(values: np.ndarray, categories: np.ndarray) -> np.ndarray:
    """Find values among distinct ones, which are sorted if they are numbers.

    Returns
    -------
    codes : ndarray of shape (n_samples,), dtype intp
        Positions in `categories`; -1 for values that are not there.
    """
    if values.dtype.kind not in NUMERIC or categories.dtype.kind not in NUMERIC:
        return Codes(items(categories), range(categories.size)).of(values)
    if values.dtype.kind == categories.dtype.kind == "i":
        first, last = int(categories[0]), int(categories[-1])
        if last - first < min(values.size, _MAX_SPAN):
            return _codes_of_near_numbers(values, categories, first, last)
    positions = np.searchsorted(categories, values)
    np.minimum(positions, categories.size - 1, out=positions)
    found = categories[positions]
    known = found == values
    if not known.all():
        known |= (found != found) & (values != values)
        positions[~known] = -1
    return positions


def _codes_of_near_numbers(
    values: np.ndarray, categories: np.ndarray, first: int, last: int
) -> np.ndarray:
    table = np.full(last - first + 2, -1, dtype=np.intp)
    table[categories.astype(np.int64) - first] = np.arange(categories.size)
    inside = (values >= first) & (values <= last)
    shifts = values.astype(np.int64) - first
    return table[shifts if inside.all() else np.where(inside, shifts, -1)]


def distinct(values: np.ndarray) -> np.ndarray:
    """Return the distinct values of a column, sorted, in its dtype."""
    kind = values.dtype.kind
    if kind == "O":
        return as_objects(_in_order(values.tolist()))
    if kind in "US":
        return np.array(sorted(set(values.tolist())), dtype=values.dtype)
    found = np.unique(values)
    if kind == "f":  # which zero and which NaN is there first is not to tell the order of the rows
        found += 0.0
        if found.size and np.isnan(found[-1]):
            found[-1] = np.nan
    return found


def count(values: np.ndarray, categories: np.ndarray) -> np.ndarray:
    """Count how often each category is there."""
    if values.dtype.kind == "i":
        codes = codes_of(values, categories)
        return np.bincount(codes[codes >= 0] if codes.min() < 0 else codes, None, categories.size)
    if values.dtype.kind in NUMERIC:
        found, numbers = np.unique(values, return_counts=True)
        positions = codes_of(found, categories)
        counts = np.zeros(categories.size, dtype=np.int64)
        counts[positions[positions >= 0]] = numbers[positions >= 0]
        return counts
    counted = Counter(items(values))
    numbers = np.array([counted[category] for category in items(categories)], dtype=np.int64)
    if is_nan(categories[-1]):
        numbers[-1] = sum(number for value, number in counted.items() if is_nan(value))
    return numbers


def as_objects(values: list[Any]) -> np.ndarray:
    """Make an array of objects."""
    return np.fromiter(values, dtype=object, count=len(values))


def _in_order(values: list[Any]) -> list[Any]:
    try:
        different = set(values)
        missing = {value for value in different if is_missing(value)}
        ordered = sorted(different - missing)
    except TypeError:
        types = sorted({type(value).__qualname__ for value in values})
        raise TypeError(
            "Encoders require their input argument must be uniformly "
            f"strings or numbers. Got {types}"
        ) from None
    if None in missing:
        ordered.append(None)
        missing.discard(None)
    return [*ordered, np.nan] if missing else ordered


def unknown_values(values: np.ndarray, codes: np.ndarray) -> list[Any]:
    """List the distinct values whose code is -1, for an error message."""
    strange = values[codes < 0]
    if strange.dtype.kind in NUMERIC:
        return list(np.unique(strange))
    nans = [value for value in strange if is_nan(value)]
    found = [value for value in dict.fromkeys(strange) if value is not None and not is_nan(value)]
    return found + [None] * any(value is None for value in strange) + [np.nan] * bool(nans)


def check_categories(
    given: Any, column: np.ndarray, position: int, handle_unknown: str
) -> np.ndarray:
    """Validate the categories that a user gives for one column.

    Parameters
    ----------
    given : array-like of shape (n_categories,)

    column : ndarray of shape (n_samples,)
        The validated column.

    position : int
        Its number, for errors.

    handle_unknown : str
        If 'error', the column may hold no other value.

    Returns
    -------
    categories : ndarray of shape (n_categories,)
    """
    textual = np.issubdtype(column.dtype, np.str_)
    categories = np.array(given, dtype=object if textual else column.dtype)
    if categories.dtype == object and isinstance(categories[0], bytes) and column.dtype.kind != "S":
        raise ValueError(
            f"In column {position}, the predefined categories have type 'bytes' which is "
            f"incompatible with values of type '{type(column[0]).__name__}'."
        )
    if any(is_nan(category) for category in categories[:-1]):
        raise ValueError(
            "Nan should be the last element in user provided categories, see categories "
            f"{categories} in column #{position}"
        )
    if categories.size != distinct(categories).size:
        raise ValueError(
            f"In column {position}, the predefined categories contain duplicate elements."
        )
    if column.dtype.kind not in "OUS":
        in_order = np.sort(categories)
        numbers = slice(None, -1 if is_nan(in_order[-1]) else None)
        if np.any(in_order[numbers] != categories[numbers]):
            raise ValueError("Unsorted categories are not supported for numerical categories")
    if handle_unknown == "error":
        codes = codes_of(column, categories)
        if codes.min() < 0:
            raise ValueError(
                f"Found unknown categories {unknown_values(column, codes)} in column {position} "
                "during fit"
            )
    return categories
