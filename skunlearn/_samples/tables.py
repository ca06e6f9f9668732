"""Training tables that a model owns: taking rows, overwriting rows, hashing rows.

Each function here is a verb that every kind of table understands. ndarrays and CSR arrays are here;
another kind registers itself beside its class, with :func:`opens` for what users pass and with
``verb.register(Class)`` for what it does otherwise than an ndarray. Positions are stable: a
removed row is overwritten and stays as an empty slot until its table is rebuilt from the rows that
are left.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable
from typing import Any

import numpy as np
from scipy import sparse

from skunlearn._array_api import namespace, to_device
from skunlearn._samples.hashing import mix64
from skunlearn._samples.plain_rows import hash_lists, lists_equal

NO_ROWS = np.empty(0, dtype=np.intp)

_BLANKS = {"O": None, "U": "", "S": b""}
_OPENERS: list[tuple[Callable[[Any], bool], Callable[[Any], Any]]] = []


def opens(recognises: Callable[[Any], bool]) -> Callable[[Any], Any]:
    """Register how a table is made of rows that users pass.

    Parameters
    ----------
    recognises : callable
        Tells whether an object is of the kind in question, without importing its library.

    Returns
    -------
    decorator : callable
        For a function that takes such rows and copies them into a table.
    """

    def register(make: Callable[[Any], Any]) -> Callable[[Any], Any]:
        _OPENERS.append((recognises, make))
        return make

    return register


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
    if not isinstance(array, np.ndarray):
        table = as_table(array)
        if sparse.issparse(table):
            table.sum_duplicates()
        return table
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
    for recognises, make in _OPENERS:
        if recognises(X):
            return make(X)
    array = np.array(X, order="C", copy=True)
    if isinstance(X, list | tuple) and array.dtype.kind in "US":
        return np.array(X, dtype=object)
    return array


@opens(sparse.issparse)
def _open_sparse(X: Any) -> sparse.csr_array:
    return _knowing_its_format(sparse.csr_array(X, copy=True))


def _knowing_its_format(table: Any) -> Any:
    """Look at the order of entries now: what SciPy found out so far would show in a pickle."""
    table.has_canonical_format  # noqa: B018
    return table


@functools.singledispatch
def native(table: Any) -> Any:
    """Return a table as what scikit-learn estimators take."""
    return table


@functools.singledispatch
def publish(table: Any, values: np.ndarray) -> Any:
    """Return values of the host where the rows of a table came from."""
    return values


def named(table: Any, names: Any) -> Any:
    """Return a table as what scikit-learn estimators take, with the column names they know."""
    if names is None or not isinstance(table, np.ndarray):
        return native(table)
    try:
        import pandas as frames
    except ImportError:
        import polars as frames
    return frames.DataFrame({name: table[:, position] for position, name in enumerate(names)})


@functools.singledispatch
def like(table: Any, X: Any) -> Any:
    """Bring queries into the form in which a table holds rows.

    Parameters
    ----------
    table : ndarray, CSR array, DeviceTable or frame table
        Rows held.

    X : data frame, sparse matrix or array-like
        Queries, as users or scikit-learn's validation pass them.

    Returns
    -------
    queries : ndarray, CSR array or frame table
        For :func:`hash_rows` and :func:`rows_equal`.
    """
    X = native(as_table(X))
    X = X.toarray() if sparse.issparse(X) else np.asarray(X)
    return _in_dtype_of(table, X)


@like.register(sparse.csr_array)
def _(table: Any, X: Any) -> Any:
    X = native(as_table(X))
    X = sparse.csr_array(_in_dtype_of(table, X if sparse.issparse(X) else np.asarray(X)))
    X.sum_duplicates()
    return X


def _in_dtype_of(table: Any, X: Any) -> Any:
    kind = table.dtype.kind
    if kind == "f" or (kind in "iub" and X.dtype.kind == "O"):
        return X.astype(table.dtype, copy=False)
    return X


@functools.singledispatch
def take(table: Any, rows: np.ndarray) -> Any:
    """Copy the given rows of a table (None stays None)."""
    return table[rows]


@take.register(sparse.csr_array)
@take.register(sparse.csr_matrix)
def _(table: Any, rows: np.ndarray) -> Any:
    return _knowing_its_format(table[rows])


@take.register(type(None))
def _(table: None, rows: np.ndarray) -> None:
    return None


@functools.singledispatch
def dense(table: Any, rows: np.ndarray) -> np.ndarray:
    """Copy the given rows of a table of numbers to a dense array on the host."""
    return table[rows]


@dense.register(sparse.csr_array)
@dense.register(sparse.csr_matrix)
def _(table: Any, rows: np.ndarray) -> np.ndarray:
    return table[rows].toarray()


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


@functools.singledispatch
def drop(array: Any, rows: np.ndarray) -> Any:
    """Copy the rows of an array of any library other than the given ones, sorted and few."""
    kept = np.delete(np.arange(array.shape[0]), rows)
    return namespace(array).take(array, to_device(kept, array), axis=0)


@drop.register(np.ndarray)
def _(array: np.ndarray, rows: np.ndarray) -> np.ndarray:
    starts = [0, *(rows + 1).tolist()]
    stops = [*rows.tolist(), len(array)]
    return np.concatenate([array[a:b] for a, b in zip(starts, stops, strict=True)])


@drop.register(sparse.csr_array)
@drop.register(sparse.csr_matrix)
def _(array: Any, rows: np.ndarray) -> Any:
    return array[np.delete(np.arange(array.shape[0]), rows)]


@functools.singledispatch
def spread(table: Any, slots: np.ndarray, n_slots: int) -> Any:
    """Copy the rows of a table to the given slots, in order, of one with blank rows elsewhere."""
    positions = np.zeros(n_slots, dtype=np.intp)
    positions[slots] = np.arange(slots.size)
    copied = take(table, positions)
    wipe(copied, np.delete(np.arange(n_slots), slots))
    return copied


@spread.register(sparse.csr_array)
@spread.register(sparse.csr_matrix)
def _(table: Any, slots: np.ndarray, n_slots: int) -> sparse.csr_array:
    positions = np.full(n_slots, slots.size)
    positions[slots] = np.arange(slots.size)
    blank = sparse.csr_array((1, table.shape[1]), dtype=table.dtype)
    return sparse.vstack([table, blank], format="csr")[positions]


@functools.singledispatch
def wipe(table: Any, rows: np.ndarray) -> None:
    """Overwrite the given rows of a table in place (None is left alone).

    How many entries a CSR array stored in a row stays to be seen in memory until the table is
    rebuilt, and never in a pickle: moving all entries behind it would make each request as slow as
    the table is large.
    """
    wipe_arrays([table], rows)


def wipe_arrays(arrays: Iterable[np.ndarray | None], rows: np.ndarray) -> None:
    """Overwrite the given rows of arrays of NumPy in place (None is left alone)."""
    where = rows.item() if rows.size == 1 else rows  # NumPy is far quicker with a number
    for array in arrays:
        if array is not None:
            array[where] = _BLANKS.get(array.dtype.kind, 0)


@wipe.register(type(None))
def _(table: None, rows: np.ndarray) -> None:
    return None


@wipe.register(sparse.csr_array)
@wipe.register(sparse.csr_matrix)
def _(table: Any, rows: np.ndarray) -> None:
    for row in rows.tolist():
        span = slice(table.indptr[row], table.indptr[row + 1])
        table.data[span] = 0
        table.indices[span] = 0


def overwrite(*buffers: Any) -> None:
    """Overwrite arrays (None is left alone), unless they are memory that only can be read."""
    for buffer in buffers:
        if buffer is not None and buffer.flags.writeable:
            buffer.fill(_BLANKS.get(buffer.dtype.kind, 0))


@functools.singledispatch
def writable(table: Any) -> Any:
    """Return a table itself (or None) if it can be written to, else a copy."""
    return table


@writable.register
def _(table: np.ndarray) -> np.ndarray:
    return table if table.flags.writeable else np.array(table)


@writable.register(sparse.csr_array)
@writable.register(sparse.csr_matrix)
def _(table: Any) -> Any:
    parts = (table.data, table.indices, table.indptr)
    if all(part.flags.writeable for part in parts):
        return table
    return sparse.csr_array(tuple(map(np.array, parts)), shape=table.shape)


@functools.singledispatch
def removal(table: Any, rows: np.ndarray) -> tuple[Any, Callable[[], None]]:
    """Prepare to overwrite rows, and to forget what a table knew of these rows only.

    Returns
    -------
    after : table of the same kind
        What is to take the table's place; most kinds return the table itself.

    wipe_rows : callable
        Overwrites the rows, when that is in force; may be called repeatedly.
    """
    return table, functools.partial(wipe, table, rows)


@functools.singledispatch
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
    if not _is_numeric(table):
        return hash_lists(_as_lists(table))
    hashes = np.zeros(table.shape[0], dtype=np.uint64)
    for column in table.T:
        hashes = mix64(hashes ^ _bits(column))
    return hashes


@hash_rows.register(sparse.csr_array)
@hash_rows.register(sparse.csr_matrix)
def _(table: Any) -> np.ndarray:
    if not table.has_canonical_format:
        table = table.copy()
        table.sum_duplicates()
    stored = table.data != 0
    with np.errstate(over="ignore"):
        parts = mix64(mix64(table.indices.astype(np.uint64)) ^ _bits(table.data))
        totals = np.zeros(stored.size + 1, dtype=np.uint64)
        np.cumsum(np.where(stored, parts, 0), out=totals[1:])
        return totals[table.indptr[1:]] - totals[table.indptr[:-1]]


@functools.singledispatch
def rows_equal(table: Any, rows: np.ndarray, query: Any, at: int) -> np.ndarray:
    """Tell which of the given rows of `table` equal row `at` of `query`, NaN equal to NaN."""
    if isinstance(table, np.ndarray) and not _is_numeric(table):
        return lists_equal(_as_lists(table[rows]), _as_lists(query[[at]]))
    stored, sought = dense(table, rows), dense(query, np.array([at]))
    return ((stored == sought) | ((stored != stored) & (sought != sought))).all(axis=1)


def _bits(values: np.ndarray) -> np.ndarray:
    canonical = values.astype(np.float64) + 0.0
    canonical[np.isnan(canonical)] = np.nan
    return canonical.view(np.uint64)


def _is_numeric(table: np.ndarray) -> bool:
    return table.ndim == 2 and table.dtype.kind in "iufb"


def _as_lists(table: np.ndarray) -> list[list[Any]]:
    rows = table.tolist()
    return [[value] for value in rows] if table.ndim == 1 else rows
