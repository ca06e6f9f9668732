"""The most frequent value per column, and counts out of which rows are taken."""

from __future__ import annotations

from collections import Counter
from enum import Enum
from functools import partial
from typing import Any

import numpy as np

from skunlearn._statistics.cache_edit import CacheEdit


class NoMode(Enum):
    """Stands for the mode of a column without values, where None may be a value itself."""

    EMPTY = "empty"


class Modes:
    """How often each value of each column occurs, counted at the first request.

    Copies and pickles are empty.
    """

    def __init__(self) -> None:
        self._counts: list[Any] = []

    @property
    def is_built(self) -> bool:
        """Whether the values have been counted."""
        return bool(self._counts)

    def build(self, columns: list[np.ndarray], zeros: np.ndarray) -> None:
        """Count the values of columns, none of them missing, and zeros beside them."""
        self._counts = [count(column, n) for column, n in zip(columns, zeros.tolist(), strict=True)]

    def without(
        self, modes: list[Any], columns: list[np.ndarray], zeros: np.ndarray
    ) -> tuple[list[Any], Any]:
        """Find the modes when some values are gone.

        Parameters
        ----------
        modes : list
            The modes now; `NoMode.EMPTY` for a column without values.
        columns : list of ndarray
            What goes from each column.
        zeros : ndarray of shape (n_columns,)
            How many zeros go beside that.

        Returns
        -------
        modes : list
        edit : callable
            Brings the counts up to date.
        """
        gone = [count(column, n) for column, n in zip(columns, zeros.tolist(), strict=True)]
        after = list(modes)
        for j, (held, less) in enumerate(zip(self._counts, gone, strict=True)):
            if modes[j] in less:
                after[j] = held.mode(less)
        return after, CacheEdit(self, partial(self._take_out, gone))

    def _take_out(self, gone: list[Any]) -> None:
        for held, less in zip(self._counts, gone, strict=True):
            held.subtract(less)

    def wipe(self) -> None:
        """Forget all counts; they are made anew when needed."""
        for counts in self._counts:
            counts.wipe()
        self._counts = []

    def __reduce__(self) -> tuple[Any, ...]:
        return Modes, ()


def count(column: np.ndarray, zeros: int = 0) -> NumberCounts | ObjectCounts:
    """Count the values of a column."""
    return ObjectCounts(column) if column.dtype.kind == "O" else NumberCounts(column, zeros)


class NumberCounts:
    """Numbers and how often each occurs.

    Parameters
    ----------
    column : ndarray of shape (n_values,)
    zeros : int
        Zeros that are not in it.
    """

    def __init__(self, column: np.ndarray, zeros: int) -> None:
        if column.size == 1:
            self._values, self._times = column, np.ones(1, dtype=np.int64)
        else:
            self._values, self._times = np.unique(column, return_counts=True)
        if zeros:
            position = int(np.searchsorted(self._values, 0))
            if position == self._values.size or self._values[position] != 0:
                self._values = np.insert(self._values, position, 0)
                self._times = np.insert(self._times, position, 0)
            self._times[position] += zeros

    def __contains__(self, value: Any) -> bool:
        return value is not NoMode.EMPTY and value in self._values

    def mode(self, less: NumberCounts | None = None) -> Any:
        """Return the smallest most frequent value without some; `NoMode.EMPTY` if there is none."""
        times = self._times if less is None else self._times_without(less)
        if not times.any():
            return NoMode.EMPTY
        return self._values[times.argmax()] + self._values.dtype.type(0)

    def _times_without(self, less: NumberCounts) -> np.ndarray:
        times = self._times.copy()
        times[np.searchsorted(self._values, less._values)] -= less._times
        return times

    def subtract(self, less: NumberCounts) -> None:
        """Take values out; of those that no row has any more nothing is left."""
        if not less._values.size:
            return
        times = self._times_without(less)
        stay = times > 0
        if stay.all():
            self._times = times
            return
        former = self._values
        self._values, self._times = former[stay], times[stay]
        former.fill(0)

    def wipe(self) -> None:
        """Overwrite the values."""
        self._values.fill(0)


class ObjectCounts:
    """Hashable objects and how often each occurs.

    Parameters
    ----------
    column : ndarray of shape (n_values,), dtype object
    """

    def __init__(self, column: np.ndarray) -> None:
        self._times = Counter(column.tolist())

    def __contains__(self, value: Any) -> bool:
        return value in self._times

    def mode(self, less: ObjectCounts | None = None) -> Any:
        """Return the smallest most frequent value without some; `NoMode.EMPTY` if there is none."""
        gone: dict[Any, int] = {} if less is None else less._times
        times = {value: n - gone.get(value, 0) for value, n in self._times.items()}
        most = max(times.values(), default=0)
        if not most:
            return NoMode.EMPTY
        return _least([value for value, n in times.items() if n == most])

    def subtract(self, less: ObjectCounts) -> None:
        """Take values out; of those that no row has any more nothing is left."""
        for value, n in less._times.items():
            self._times[value] -= n
            if not self._times[value]:
                del self._times[value]

    def wipe(self) -> None:
        """Drop the values."""
        self._times.clear()


def _least(values: list[Any]) -> Any:
    """Return the least value; of values that do not compare, the one of the least type and text."""
    try:
        return min(values)
    except TypeError:
        return min(values, key=lambda value: (str(type(value)), str(value)))
