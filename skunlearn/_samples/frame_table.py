"""Columns of a data frame in NumPy arrays of our own, which can be overwritten when rows go.

The buffers behind a pandas or polars column may be immutable, shared with the user, or keep the
value under a missing entry; so every column is held in arrays and rebuilt when rows are taken out.
Of a column's categories a table keeps those that one of its rows has: the names of the others would
tell of rows that are gone.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any, Self

import numpy as np

from skunlearn._samples import tables
from skunlearn._samples.plain_rows import hash_lists, lists_equal


class FrameTable(ABC):
    """Columns of a data frame as arrays, and what it takes to make a frame of them again.

    Parameters
    ----------
    names : sequence
        Column labels, as the frame library holds them.

    dtypes : list
        The columns' dtypes in the frame library.

    arrays : list of ndarray
        What is held, all of one length; the subclass knows which array is part of which column.
    """

    # Of tables with codes: maps a dtype and a mask of its categories to one with these only.
    _with_categories: Callable[[Any, np.ndarray], Any]

    def __init__(self, names: Any, dtypes: list[Any], arrays: list[np.ndarray]) -> None:
        self.names = names
        self.dtypes = dtypes
        self.arrays = arrays
        self._counts: dict[int, np.ndarray] | None = None  # of categories, from the first request

    @property
    def shape(self) -> tuple[int, int]:
        """Number of slots and of columns."""
        return (len(self.arrays[0]) if self.arrays else 0, len(self.dtypes))

    @property
    def nbytes(self) -> int:
        """Bytes in the arrays."""
        return sum(array.nbytes for array in self.arrays)

    def take(self, rows: np.ndarray) -> Self:
        """Copy rows, with the categories that they have."""
        arrays = [array[rows] for array in self.arrays]
        taken = type(self)(self.names, list(self.dtypes), arrays)
        taken._leave_out_unused_categories()
        return taken

    def wipe(self, rows: np.ndarray) -> None:
        """Overwrite rows in place."""
        coded = self._coded()
        for at, array in enumerate(self.arrays):
            if at in coded:
                array[rows] = -1
            else:
                tables.wipe(array, rows)
        self._counts = None

    def removal(self, rows: np.ndarray) -> tuple[Self, Callable[[], None]]:
        """Prepare to overwrite rows, and the names of categories that only they have."""
        coded = self._coded()
        if self._counts is None:
            self._counts = {at: self._counted(at, column) for at, column in coded.items()}
        after = type(self)(self.names, list(self.dtypes), list(self.arrays))
        counts, renumbered = {}, []
        for at, column in coded.items():
            left = self._counts[at] - self._counted(at, column, rows)
            if left.size and not left.all():
                codes = self.arrays[at].copy()
                codes[rows] = -1
                codes, after.dtypes[column] = self._renumbered(codes, self.dtypes[column], left > 0)
                after.arrays[at] = codes
                renumbered.append(self.arrays[at])
            counts[at] = left[left > 0]
        after = after if renumbered else self

        def wipe_rows() -> None:
            for codes in renumbered:
                codes.fill(-1)
            after.wipe(rows)
            after._counts = counts

        return after, wipe_rows

    def writable(self) -> Self:
        """Return the table itself if it can be written to, else a copy."""
        if all(array.flags.writeable for array in self.arrays):
            return self
        return type(self)(self.names, list(self.dtypes), list(map(np.array, self.arrays)))

    def _leave_out_unused_categories(self) -> None:
        for at, column in self._coded().items():
            used = self._counted(at, column) > 0
            self.arrays[at], self.dtypes[column] = self._renumbered(
                self.arrays[at], self.dtypes[column], used
            )

    def _counted(self, at: int, column: int, rows: Any = slice(None)) -> np.ndarray:
        """Count the rows of each category."""
        codes = self.arrays[at][rows]
        return np.bincount(codes[codes >= 0], minlength=len(self.dtypes[column].categories))

    def _renumbered(self, codes: np.ndarray, dtype: Any, used: np.ndarray) -> tuple[Any, Any]:
        """Return codes and dtype of a column in which only some categories are used."""
        if not used.all():
            codes = np.append(np.cumsum(used) - 1, -1)[codes]
            dtype = self._with_categories(dtype, used)
        return codes.astype(np.min_scalar_type(-1 - used.sum()), copy=False), dtype

    def _coded(self) -> dict[int, int]:
        """Map arrays that hold codes of categories, -1 for none, to the columns they are."""
        return {}

    def __getstate__(self) -> dict[str, Any]:
        return self.__dict__ | {"_counts": None}

    @abstractmethod
    def native(self) -> Any:
        """Make the data frame that the arrays describe."""

    @abstractmethod
    def like(self, rows: Any) -> Self:
        """Bring other rows into this table's schema, as far as their values allow."""

    @abstractmethod
    def rows_as_lists(self) -> list[list[Any]]:
        """List the rows as Python objects."""


@tables.native.register
def _(table: FrameTable) -> Any:
    return table.native()


@tables.like.register
def _(table: FrameTable, X: Any) -> FrameTable:
    return table.like(tables.native(X))


@tables.take.register
def _(table: FrameTable, rows: np.ndarray) -> FrameTable:
    return table.take(rows)


@tables.wipe.register
def _(table: FrameTable, rows: np.ndarray) -> None:
    table.wipe(rows)


@tables.removal.register
def _(table: FrameTable, rows: np.ndarray) -> tuple[FrameTable, Callable[[], None]]:
    return table.removal(rows)


@tables.writable.register
def _(table: FrameTable) -> FrameTable:
    return table.writable()


@tables.hash_rows.register
def _(table: FrameTable) -> np.ndarray:
    return hash_lists(table.rows_as_lists())


@tables.rows_equal.register
def _(table: FrameTable, rows: np.ndarray, query: FrameTable, at: int) -> np.ndarray:
    sought = query.take(np.array([at])).rows_as_lists()
    return lists_equal(table.take(rows).rows_as_lists(), sought)
