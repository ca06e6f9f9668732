"""Training tables that a model owns: taking rows, overwriting rows, hashing rows.

A table is an ndarray, a CSR array or, where an estimator passes frames on to others, one of the
two frame tables below. Positions are stable: a removed row is overwritten and stays as an empty
slot until its table is rebuilt from the rows that are left.
"""

from __future__ import annotations

import hashlib
from typing import Any

import numpy as np
from scipy import sparse

from skunlearn._hashing import mix64

_BLANKS = {"O": None, "U": "", "S": b""}


def own(array: Any, source: Any) -> Any:
    """Return `array` in C order and in memory that nobody else holds.

    Parameters
    ----------
    array : ndarray, sparse array or None
        What validation made of `source`.

    source : object
        What the user passed.

    Returns
    -------
    owned : ndarray, CSR array or None
        `array` itself where validation already made a copy. A CSR array stores no entry twice.
    """
    if array is None:
        return None
    if sparse.issparse(array):
        table = sparse.csr_array(array, copy=True)
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
    """Copy rows of any kind that scikit-learn estimators accept into a table of ours."""
    if hasattr(X, "iloc") and hasattr(X, "columns"):
        return PandasTable.from_frame(X)
    if hasattr(X, "columns") and hasattr(X, "with_columns"):
        return PolarsTable(X)
    if sparse.issparse(X):
        return sparse.csr_array(X, copy=True)
    return np.array(X, order="C", copy=True)


class PandasTable:
    """A pandas frame held column by column in arrays that can be overwritten.

    Parameters
    ----------
    names : pandas Index
        Column labels.

    columns : list of ndarray or ExtensionArray
        One array per column, all of one length.
    """

    def __init__(self, names: Any, columns: list[Any]) -> None:
        self.names = names
        self.columns = columns

    @classmethod
    def from_frame(cls, frame: Any) -> PandasTable:
        """Copy every column of `frame`."""
        columns = []
        for place in range(frame.shape[1]):
            column = frame.iloc[:, place]
            if isinstance(column.dtype, np.dtype):
                columns.append(np.array(column.to_numpy(), copy=True))
            else:
                columns.append(column.array.copy())
        return cls(frame.columns, columns)

    @property
    def shape(self) -> tuple[int, int]:
        """Number of slots and of columns."""
        return (len(self.columns[0]) if self.columns else 0, len(self.columns))

    def take(self, rows: np.ndarray) -> PandasTable:
        """Copy the given rows into a table of their own."""
        return PandasTable(self.names, [column.take(rows) for column in self.columns])

    def wipe(self, rows: np.ndarray) -> None:
        """Overwrite the given rows."""
        for column in self.columns:
            if isinstance(column, np.ndarray):
                wipe(column, rows)
            else:
                column[rows] = column.dtype.na_value

    def native(self) -> Any:
        """Make the pandas frame that these columns describe, with a plain index."""
        import pandas as pd

        frame = pd.DataFrame(dict(enumerate(self.columns)))
        frame.columns = self.names
        return frame

    def rows_as_lists(self) -> list[list[Any]]:
        """List the rows as Python objects."""
        return [list(row) for row in zip(*(c.tolist() for c in self.columns), strict=True)]


class PolarsTable:
    """A polars frame; its immutable buffers are replaced, not overwritten, when rows go.

    Parameters
    ----------
    frame : polars DataFrame
        The rows.
    """

    def __init__(self, frame: Any) -> None:
        self.frame = frame

    @property
    def shape(self) -> tuple[int, int]:
        """Number of slots and of columns."""
        return self.frame.shape

    def take(self, rows: np.ndarray) -> PolarsTable:
        """Copy the given rows into a table of their own."""
        return PolarsTable(self.frame[rows.tolist()])

    def wipe(self, rows: np.ndarray) -> None:
        """Replace the given rows by nulls."""
        import polars as pl

        gone = np.zeros(self.frame.height, dtype=bool)
        gone[rows] = True
        blank = pl.when(pl.Series(gone)).then(None).otherwise(pl.all()).name.keep()
        self.frame = self.frame.with_columns(blank)

    def native(self) -> Any:
        """Return the polars frame."""
        return self.frame

    def rows_as_lists(self) -> list[list[Any]]:
        """List the rows as Python objects."""
        return [list(row) for row in self.frame.rows()]


def native(table: Any) -> Any:
    """Return a table as what scikit-learn estimators take."""
    return table.native() if isinstance(table, PandasTable | PolarsTable) else table


def named(table: Any, names: Any) -> Any:
    """Return a table as what scikit-learn estimators take, with the column names they know."""
    if names is None or not isinstance(table, np.ndarray):
        return native(table)
    try:
        import pandas as frames
    except ImportError:
        import polars as frames
    return frames.DataFrame({name: table[:, place] for place, name in enumerate(names)})


def take(table: Any, rows: np.ndarray) -> Any:
    """Copy the given rows of a table (None stays None)."""
    if table is None:
        return None
    return table.take(rows) if isinstance(table, PandasTable | PolarsTable) else table[rows]


def wipe(table: Any, rows: np.ndarray) -> None:
    """Overwrite the given rows of a table in place (None is left alone)."""
    if isinstance(table, np.ndarray):
        table[rows] = _BLANKS.get(table.dtype.kind, 0)
    elif sparse.issparse(table):
        for row in rows.tolist():
            span = slice(table.indptr[row], table.indptr[row + 1])
            table.data[span] = 0
            table.indices[span] = 0
    elif table is not None:
        table.wipe(rows)


def hash_rows(table: Any) -> np.ndarray:
    """Hash every row by value; rows that compare equal have equal hashes.

    Parameters
    ----------
    table : ndarray of shape (n_samples, n_features), CSR array or frame table
        Negative zero equals zero and NaN equals NaN.

    Returns
    -------
    hashes : ndarray of shape (n_samples,), dtype uint64
    """
    if sparse.issparse(table):
        return _hash_sparse_rows(table)
    if isinstance(table, PandasTable | PolarsTable) or table.dtype.kind not in "iufb":
        rows = table.tolist() if isinstance(table, np.ndarray) else table.rows_as_lists()
        digests = [hashlib.blake2b(_row_bytes(row), digest_size=8).digest() for row in rows]
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
    stored = table.data != 0
    with np.errstate(over="ignore"):
        parts = mix64(mix64(table.indices.astype(np.uint64)) ^ _bits(table.data))
        totals = np.zeros(stored.size + 1, dtype=np.uint64)
        np.cumsum(np.where(stored, parts, 0), out=totals[1:])
        return totals[table.indptr[1:]] - totals[table.indptr[:-1]]


def _row_bytes(row: list[Any]) -> bytes:
    return repr([_plain(value) for value in row]).encode("utf-8", "surrogatepass")


def _plain(value: Any) -> Any:
    if value is None or value != value or type(value).__name__ in ("NAType", "NaTType"):
        return None
    if isinstance(value, float) and value.is_integer():
        return int(value)
    return value


def rows_equal(table: Any, rows: np.ndarray, query: Any, at: int) -> np.ndarray:
    """Tell which of the given rows of `table` equal row `at` of `query`, NaN equal to NaN."""
    if isinstance(table, PandasTable | PolarsTable) or (
        isinstance(table, np.ndarray) and table.dtype.kind not in "iufb"
    ):
        here, there = take(table, rows), take(query, np.array([at]))
        listed = [
            [_plain(v) for v in row]
            for part in (here, there)
            for row in (part.tolist() if isinstance(part, np.ndarray) else part.rows_as_lists())
        ]
        return np.array([row == listed[-1] for row in listed[:-1]], dtype=bool)
    stored, wanted = table[rows], query[[at]]
    if sparse.issparse(table):
        stored, wanted = stored.toarray(), wanted.toarray()
    return ((stored == wanted) | ((stored != stored) & (wanted != wanted))).all(axis=1)
