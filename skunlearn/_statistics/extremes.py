"""The smallest values per column, kept so that a minimum that leaves has a successor at hand."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import partial
from typing import Any

import numpy as np

from skunlearn._statistics.cache_edit import CacheEdit

# Distinct values that are kept of a column.
N_KEPT = 64

_WIDTH = 1024


class Extremes:
    """Buffers of the smallest values of some columns, each made when its minimum first leaves.

    A buffer holds the smallest distinct values of a column and how often each occurs. Where it is
    used up, it is made anew from the remaining rows. Copies and pickles are empty.
    """

    def __init__(self) -> None:
        self._buffers: dict[int, tuple[np.ndarray, np.ndarray]] = {}

    def without(
        self,
        least: np.ndarray,
        gone: np.ndarray,
        columns_left: Callable[[list[int]], Iterable[np.ndarray]],
    ) -> tuple[np.ndarray, Any]:
        """Find the minima of the columns when some rows are gone.

        Parameters
        ----------
        least : ndarray of shape (n_columns,)
            The minima now; NaN for a column without values.
        gone : ndarray of shape (n_gone, n_columns)
            The rows that go; NaN is no value.
        columns_left : callable
            Returns the given columns as they are without these rows.

        Returns
        -------
        minima : ndarray of shape (n_columns,)
            `least` itself if nothing has changed.
        edit : callable
            Brings the buffers up to date.
        """
        limits = least.copy()
        for j, (values, _) in self._buffers.items():
            limits[j] = values[-1]
        changed = {}
        used_up = []
        for j in np.flatnonzero((gone <= limits).any(axis=0)).tolist():
            held = self._buffers.get(j)
            left = None if held is None else _taken_out(*held, gone[:, j])
            if left is None:
                used_up.append(j)
            else:
                changed[j] = left
        if used_up:
            changed |= zip(used_up, map(_smallest, columns_left(used_up)), strict=True)
        minima = least
        if changed:
            minima = least.copy()
            for j, (values, _) in changed.items():
                minima[j] = values[0] if values.size else np.nan
        return minima, CacheEdit(self, partial(self._replace, changed))

    def _replace(self, changed: dict[int, tuple[np.ndarray, np.ndarray]]) -> None:
        for j, (values, times) in changed.items():
            former = self._buffers.pop(j, None)
            if former is not None:
                former[0].fill(0)
            if values.size:
                self._buffers[j] = values, times

    def wipe(self) -> None:
        """Overwrite all buffers."""
        for values, _ in self._buffers.values():
            values.fill(0)
        self._buffers = {}

    def __reduce__(self) -> tuple[Any, ...]:
        return Extremes, ()


def _taken_out(
    values: np.ndarray, times: np.ndarray, gone: np.ndarray
) -> tuple[np.ndarray, np.ndarray] | None:
    """Return a buffer without some values of its column; None where none would be left."""
    which = np.searchsorted(values, gone[gone <= values[-1]])
    times = times - np.bincount(which, minlength=values.size)
    stay = times > 0
    return (values[stay], times[stay]) if stay.any() else None


def _smallest(column: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Make the buffer of a column."""
    column = column[column == column]
    if column.size > 16 * N_KEPT:
        column = column[column <= np.partition(column, 4 * N_KEPT)[4 * N_KEPT]]
    values, times = np.unique(column, return_counts=True)
    return values[:N_KEPT].copy(), times[:N_KEPT].copy()


def mirrored(values: np.ndarray) -> np.ndarray:
    """Map values to others of their dtype in the opposite order, and back.

    Of integers that is the bitwise complement: the smallest has no negative, and unsigned ones and
    booleans have none at all.
    """
    return ~values if values.dtype.kind in "iub" else -values


def least_of(X: np.ndarray, of: np.ufunc = np.minimum) -> np.ndarray:
    """Return the minimum, or with `np.maximum` the maximum, of each column, NaN passed over.

    Several rows go side by side, since NumPy reduces few long rows faster than many short ones.
    """
    n_rows, width = X.shape
    fold = max(1, min(n_rows, _WIDTH // width))
    n_even = n_rows // fold * fold
    wide = of.reduce(X[:n_even].reshape(-1, fold * width), axis=0).reshape(fold, width)
    ends = of.reduce(np.concatenate([wide, X[n_even:]]), axis=0)
    absent = np.isnan(ends)
    if absent.any():
        passing = np.fmin if of is np.minimum else np.fmax
        ends[absent] = passing.reduce(X[:, absent], axis=0)
    return ends
