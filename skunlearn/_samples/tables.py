"""Training tables that a model owns: taking rows, overwriting rows, hashing rows.

A table is an ndarray, a CSR array, an array of another library in a
:class:`~skunlearn._samples.device_table.DeviceTable` or, where an estimator passes frames on to
others, a frame table of :mod:`skunlearn._samples.dataframes`. Positions are stable: a removed row
is overwritten and stays as an empty slot until its table is rebuilt from the rows that are left.
"""

from __future__ import annotations

import hashlib
from typing import Any

import numpy as np
from scipy import sparse

from skunlearn._array_api import is_foreign, namespace, to_host
from skunlearn._samples.dataframes import FrameTable, PandasTable, PolarsTable, is_pandas, is_polars
from skunlearn._samples.device_table import DeviceTable
from skunlearn._samples.hashing import mix64

_BLANKS = {"O": None, "U": "", "S": b""}


def own(array: Any, source: Any) -> Any:
    """Return `array` in C order and in memory that nobody else holds.

    Parameters
    ----------
    array : array of any library, sparse array or None
        What validation made of `source`.

    source : object
        What the user passed.

    Returns
    -------
    owned : ndarray, CSR array, DeviceTable or None
        `array` itself where validation already made a copy. A CSR array stores no entry twice.
    """
    if array is None:
        return None
    if sparse.issparse(array):
        table = sparse.csr_array(array, copy=True)
        table.sum_duplicates()
        return table
    if is_foreign(array):
        return DeviceTable(namespace(array).asarray(array, copy=True))
    fresh = (
        isinstance(source, np.ndarray | list | tuple)
        and array.flags.owndata
        and array.flags.writeable
        and array.flags.c_contiguous
        and not (isinstance(source, np.ndarray) and np.may_share_memory(array, source))
    )
    return array if fresh else np.array(array, order="C", copy=True, subok=False)


def as_table(X: Any) -> Any:
    """Copy rows of any kind that scikit-learn estimators accept into a table of ours.

    Parameters
    ----------
    X : data frame, sparse matrix or array-like of shape (n_samples, ...)
        Left as it is; a list that holds strings becomes an array of objects.

    Returns
    -------
    table : FrameTable, CSR array, DeviceTable or ndarray
    """
    if is_pandas(X):
        return PandasTable.from_frame(X)
    if is_polars(X):
        return PolarsTable.from_frame(X)
    if sparse.issparse(X):
        return sparse.csr_array(X, copy=True)
    if is_foreign(X):
        return own(X, None)
    array = np.array(X, order="C", copy=True)
    if isinstance(X, list | tuple) and array.dtype.kind in "US":
        return np.array(X, dtype=object)
    return array


def native(table: Any) -> Any:
    """Return a table as what scikit-learn estimators take."""
    if isinstance(table, DeviceTable):
        return table.array
    return table.native() if isinstance(table, FrameTable) else table


def named(table: Any, names: Any) -> Any:
    """Return a table as what scikit-learn estimators take, with the column names they know."""
    if names is None or not isinstance(table, np.ndarray):
        return native(table)
    try:
        import pandas as frames
    except ImportError:
        import polars as frames
    return frames.DataFrame({name: table[:, position] for position, name in enumerate(names)})


def take(table: Any, rows: np.ndarray) -> Any:
    """Copy the given rows of a table (None stays None)."""
    if table is None:
        return None
    if isinstance(table, DeviceTable):
        return table.take(rows)
    return table.map(lambda array: array[rows]) if isinstance(table, FrameTable) else table[rows]


def dense(table: Any, rows: np.ndarray) -> np.ndarray:
    """Copy the given rows of a table of numbers to a dense array on the host."""
    if isinstance(table, DeviceTable):
        return table.fetch(rows)
    return table[rows].toarray() if sparse.issparse(table) else table[rows]


def for_kernel(X: Any, rows: np.ndarray, *others: Any) -> tuple[Any, ...]:
    """Return arguments for a kernel that reads some rows of a dense array.

    Parameters
    ----------
    X : ndarray, CSR array or DeviceTable of shape (n_slots, n_features)
        The table.

    rows : ndarray of shape (n_rows,), dtype intp
        What the kernel is to read.

    *others : ndarray of shape (n_slots, ...) or None
        What goes with the rows of X.

    Returns
    -------
    X, rows, *others
        The arguments themselves for an ndarray X; else the given rows of all, and where they now
        are.
    """
    if isinstance(X, np.ndarray):
        return X, rows, *others
    parts = (None if part is None else part[rows] for part in others)
    return dense(X, rows), np.arange(rows.size), *parts


def drop(table: Any, rows: np.ndarray) -> Any:
    """Copy the rows of a table other than the given ones, which are sorted and few."""
    if not isinstance(table, np.ndarray):
        keep = np.ones(table.shape[0], dtype=bool)
        keep[rows] = False
        if is_foreign(table):
            return DeviceTable(table).take(np.flatnonzero(keep)).array
        return take(table, np.flatnonzero(keep))
    starts = [0, *(rows + 1).tolist()]
    stops = [*rows.tolist(), len(table)]
    return np.concatenate([table[a:b] for a, b in zip(starts, stops, strict=True)])


def wipe(table: Any, rows: np.ndarray) -> None:
    """Overwrite the given rows of a table in place (None is left alone)."""
    if isinstance(table, np.ndarray):
        table[rows] = _BLANKS.get(table.dtype.kind, 0)
    elif sparse.issparse(table):
        for row in rows.tolist():
            span = slice(table.indptr[row], table.indptr[row + 1])
            table.data[span] = 0
            table.indices[span] = 0
    elif isinstance(table, DeviceTable):
        table.wipe(rows)
    elif table is not None:
        for array in table.arrays:
            wipe(array, rows)


def overwrite(*buffers: Any) -> None:
    """Overwrite arrays (None is left alone), unless they are memory that only can be read."""
    for buffer in buffers:
        if buffer is not None and buffer.flags.writeable:
            buffer.fill(np.zeros((), dtype=buffer.dtype)[()])


def writable(table: Any) -> Any:
    """Return a table itself (or None) if it can be written to, else a copy."""
    if isinstance(table, np.ndarray):
        return table if table.flags.writeable else np.array(table)
    if sparse.issparse(table):
        parts = (table.data, table.indices, table.indptr)
        if all(part.flags.writeable for part in parts):
            return table
        return sparse.csr_array(tuple(map(np.array, parts)), shape=table.shape)
    if isinstance(table, FrameTable):
        if all(array.flags.writeable for array in table.arrays):
            return table
        return table.map(np.array)
    return table


def hash_rows(table: Any) -> np.ndarray:
    """Hash every row by value; rows that compare equal have equal hashes.

    Parameters
    ----------
    table : ndarray of shape (n_samples, n_features), CSR array, DeviceTable or frame table
        Negative zero equals zero and NaN equals NaN.

    Returns
    -------
    hashes : ndarray of shape (n_samples,), dtype uint64
    """
    if sparse.issparse(table):
        return _hash_sparse_rows(table)
    if isinstance(table, DeviceTable):
        return np.concatenate([hash_rows(to_host(table[s].array)) for s in table.spans()])
    if not _is_numeric(table):
        texts = (repr(row).encode("utf-8", "surrogatepass") for row in _listed(table))
        digests = [hashlib.blake2b(text, digest_size=8).digest() for text in texts]
        return np.frombuffer(b"".join(digests), dtype=np.uint64)
    hashes = np.zeros(table.shape[0], dtype=np.uint64)
    for column in table.T:
        hashes = mix64(hashes ^ _bits(column))
    return hashes


def _bits(values: np.ndarray) -> np.ndarray:
    canonical = values.astype(np.float64) + 0.0
    canonical[np.isnan(canonical)] = np.nan
    return canonical.view(np.uint64)


def _hash_sparse_rows(table: Any) -> np.ndarray:
    if not table.has_canonical_format:
        table = table.copy()
        table.sum_duplicates()
    stored = table.data != 0
    with np.errstate(over="ignore"):
        parts = mix64(mix64(table.indices.astype(np.uint64)) ^ _bits(table.data))
        totals = np.zeros(stored.size + 1, dtype=np.uint64)
        np.cumsum(np.where(stored, parts, 0), out=totals[1:])
        return totals[table.indptr[1:]] - totals[table.indptr[:-1]]


def _is_numeric(table: Any) -> bool:
    return isinstance(table, DeviceTable | sparse.csr_array) or (
        isinstance(table, np.ndarray) and table.ndim == 2 and table.dtype.kind in "iufb"
    )


def _listed(table: Any) -> list[list[Any]]:
    """List rows as Python objects of which equal ones have equal texts."""
    rows = table.rows_as_lists() if isinstance(table, FrameTable) else table.tolist()
    if isinstance(table, np.ndarray) and table.ndim == 1:
        rows = [[value] for value in rows]
    return [[_plain(value) for value in row] for row in rows]


def _plain(value: Any) -> Any:
    if isinstance(value, np.bool_ | np.number):
        value = value.item()
    if value is None or type(value).__name__ in ("NAType", "NaTType"):
        return None
    if isinstance(value, float):
        if value != value:
            return None
        return int(value) if value.is_integer() else value
    return int(value) if isinstance(value, bool) else value


def rows_equal(table: Any, rows: np.ndarray, query: Any, at: int) -> np.ndarray:
    """Tell which of the given rows of `table` equal row `at` of `query`, NaN equal to NaN."""
    if not _is_numeric(table):
        (wanted,) = _listed(take(query, np.array([at])))
        return np.array([row == wanted for row in _listed(take(table, rows))], dtype=bool)
    stored, sought = dense(table, rows), dense(query, np.array([at]))
    return ((stored == sought) | ((stored != stored) & (sought != sought))).all(axis=1)
