"""Order statistics per column: from rows, and from sorted columns out of which rows are taken."""

from __future__ import annotations

from typing import Any, Protocol

import numpy as np
from scipy import sparse

from skunlearn._kernels.order_statistics import ranks_of, take_out, values_at
from skunlearn._statistics.cache_edit import CacheEdit

# Methods of `numpy.percentile` by what shifts a quantile's position, as Hyndman and Fan have it.
_CONTINUOUS = {
    "interpolated_inverted_cdf": (0, 1),
    "hazen": (0.5, 0.5),
    "weibull": (0, 0),
    "median_unbiased": (1 / 3.0, 1 / 3.0),
    "normal_unbiased": (3 / 8.0, 3 / 8.0),
}

# From so many ranks on, sorting a column is faster than selecting.
_MANY_RANKS = 32


class Columns(Protocol):
    """Columns of numbers, missing ones left out, that can be asked for order statistics."""

    n_values: np.ndarray

    def at(self, ranks: np.ndarray) -> np.ndarray:
        """Read values by rank.

        Parameters
        ----------
        ranks : ndarray of shape (n_columns, n_ranks), int64
            From 0; negative where there is none.

        Returns
        -------
        values : ndarray of shape (n_columns, n_ranks)
            In the dtype of the columns; NaN where there is none.
        """


def quantiles(columns: Columns, fractions: np.ndarray, method: str = "linear") -> np.ndarray:
    """Compute what `numpy.nanpercentile` gives for each column, bit for bit, zeros unsigned.

    Parameters
    ----------
    columns : Columns
    fractions : ndarray of shape (n_fractions,), float64
        Between 0 and 1: percentages, divided by 100 as NumPy divides them.
    method : str, default="linear"
        As in NumPy.

    Returns
    -------
    quantiles : ndarray of shape (n_columns, n_fractions)
        NaN for a column without values.
    """
    lower, upper, gamma = _positions(columns.n_values, fractions, method)
    both = columns.at(np.concatenate([lower, upper], axis=1))
    low, high = both[:, : fractions.size], both[:, fractions.size :]
    gap = high - low
    between = low + gap * gamma
    np.subtract(high, gap * (1 - gamma), out=between, where=gamma >= 0.5)
    return between + 0.0


def medians(columns: Columns, *, doubled: bool) -> np.ndarray:
    """Compute the median of each column in its dtype, zeros unsigned.

    Parameters
    ----------
    columns : Columns
    doubled : bool
        Whether the middle of an odd number of values is taken twice and halved, as `numpy.ma`
        does; it matters where twice the value overflows.

    Returns
    -------
    medians : ndarray of shape (n_columns,)
        NaN for a column without values.
    """
    n_values = columns.n_values
    upper = np.where(n_values > 0, n_values // 2, -1)
    lower = np.where(n_values % 2 == 1, upper, upper - (n_values > 0))
    low, high = columns.at(np.stack([lower, upper], axis=1)).T
    middle = np.true_divide(low + high, 2, dtype=low.dtype)
    return (middle if doubled else np.where(lower == upper, low, middle)) + low.dtype.type(0)


def _positions(
    n_values: np.ndarray, fractions: np.ndarray, method: str
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return between which ranks each quantile lies, and how far from the lower one.

    References
    ----------
    Hyndman, Fan: Sample quantiles in statistical packages, The American Statistician 50(4), 1996.
    """
    n = n_values[:, np.newaxis]
    if method in ("inverted_cdf", "closest_observation"):
        # Which of two candidates it is has changed between releases of NumPy.
        counts, which = np.unique(n_values, return_inverse=True)
        by_numpy: Any = np.percentile
        found = [by_numpy(np.arange(m), 100 * fractions, method=method) for m in counts]
        lower = np.array(found, dtype=np.int64)[which]
        return lower, lower, np.zeros(lower.shape)
    if method == "linear":
        position = (n - 1) * fractions
    elif method == "averaged_inverted_cdf":
        position = n * fractions - 1
    else:
        alpha, beta = _CONTINUOUS[method]
        position = n * fractions + (alpha + fractions * (1 - alpha - beta)) - 1
    lower = np.floor(position)
    gamma = position - lower
    if method == "averaged_inverted_cdf":
        gamma = np.where(gamma == 0, 0.5, 1.0)
    last = np.maximum(n - 1, 0)
    upper = np.where(position < 0, 0, np.minimum(lower + 1, last))
    lower = np.where(position >= n - 1, last, np.maximum(lower, 0))
    none = n == 0
    return (
        np.where(none, -1, lower).astype(np.int64),
        np.where(none, -1, upper).astype(np.int64),
        gamma,
    )


def _parts(table: Any, implicit_zeros: bool) -> tuple[list[np.ndarray], np.ndarray, np.ndarray]:
    """Split a table into columns without missing values and, of a sparse one, without zeros.

    Returns
    -------
    columns : list of ndarray
    zeros, n_values : ndarray of shape (n_columns,), int64
        Zeros that were left out, and how many values there are with them.
    """
    if not sparse.issparse(table):
        columns = [column[column == column] for column in np.ascontiguousarray(table.T)]
        sizes = np.array([column.size for column in columns], dtype=np.int64)
        return columns, np.zeros(sizes.size, dtype=np.int64), sizes
    table = table.tocsc()
    columns, zeros = [], np.empty(table.shape[1], dtype=np.int64)
    for j in range(table.shape[1]):
        stored = table.data[table.indptr[j] : table.indptr[j + 1]]
        columns.append(stored[(stored != 0) & (stored == stored)])
        n_stored = stored.size if not implicit_zeros else table.shape[0]
        zeros[j] = n_stored - columns[-1].size - np.count_nonzero(stored != stored)
    return columns, zeros, zeros + np.array([column.size for column in columns], dtype=np.int64)


class UnsortedColumns:
    """Columns of a table, asked once: by `fit`.

    Parameters
    ----------
    table : ndarray or sparse array of shape (n_samples, n_columns)
        NaN is missing.
    implicit_zeros : bool, default=True
        Whether what a sparse table does not store counts as zero.

    Attributes
    ----------
    n_values : ndarray of shape (n_columns,), int64
    """

    def __init__(self, table: Any, *, implicit_zeros: bool = True) -> None:
        self._columns, self._zeros, self.n_values = _parts(table, implicit_zeros)
        self._dtype = table.dtype

    def at(self, ranks: np.ndarray) -> np.ndarray:
        """Read values by rank, see :class:`Columns`."""
        out = _blank(ranks.shape, self._dtype)
        for j, (column, zeros) in enumerate(zip(self._columns, self._zeros.tolist(), strict=True)):
            known = ranks[j] >= 0
            wanted = ranks[j][known]
            below = np.count_nonzero(column < 0) if zeros else 0
            absent = (wanted >= below) & (wanted < below + zeros)
            positions = np.where(wanted >= below + zeros, wanted - zeros, wanted)
            positions[absent] = 0
            if column.size:
                if positions.size > _MANY_RANKS:
                    column.sort()
                elif positions.size:
                    column.partition(np.unique(positions))
                out[j, known] = np.where(absent, 0, column[positions])
            else:
                out[j, known] = 0
        return out


def _blank(shape: tuple[int, ...], dtype: np.dtype) -> np.ndarray:
    return np.full(shape, np.nan, dtype) if dtype.kind == "f" else np.zeros(shape, dtype)


class OrderStatistics:
    """Sorted columns of the rows that a model holds, built at the first request.

    It holds what the rows hold and can be made of them at any time, so that copies and pickles
    are empty. A value is found by bisection and taken out of a block of about the square root of
    the number of rows; slots that fall free are overwritten.
    """

    def __init__(self) -> None:
        self._values: np.ndarray | None = None

    @property
    def is_built(self) -> bool:
        """Whether the columns are there."""
        return self._values is not None

    @staticmethod
    def takes(dtype: np.dtype) -> bool:
        """Tell whether columns of a dtype can be held: no half or extended precision."""
        return dtype.kind in "iub" or dtype in (np.float32, np.float64)

    def build(self, table: Any, *, implicit_zeros: bool = True) -> None:
        """Sort the columns of a table; see :class:`UnsortedColumns` for the arguments."""
        columns, self._zeros, self._n_values = _parts(table, implicit_zeros)
        sizes = np.array([column.size for column in columns], dtype=np.int64)
        block = max(32, 1 << int(np.ceil(np.log2(max(sizes.max(), 1)) / 2)))
        used = -(-sizes // block)
        first = np.concatenate([[0], np.cumsum(np.maximum(used, 1))])
        values = np.zeros(first[-1] * block, dtype=table.dtype)
        starts = np.zeros(first[-1] + len(columns), dtype=np.int64)
        for j, column in enumerate(columns):
            column.sort()
            values[first[j] * block :][: column.size] = column
            at = first[j] + j
            starts[at : at + used[j] + 1] = np.minimum(np.arange(used[j] + 1) * block, column.size)
        self._starts, self._first, self._used, self._block = starts, first, used, block
        self._implicit_zeros = implicit_zeros
        self._values = values

    def without(self, table: Any) -> Remaining:
        """Return the columns as they are without some rows, which are among those held."""
        zeros: Any = 0
        if sparse.issparse(table):
            columns, zeros, n_values = _parts(table, self._implicit_zeros)
            sizes = n_values - zeros
            wanted = np.concatenate([np.sort(column) for column in columns])
        else:
            ordered = np.sort(table.T, axis=1)
            known = ordered == ordered
            sizes = n_values = known.sum(axis=1)
            wanted = ordered[known]
        cuts = np.zeros(sizes.size + 1, dtype=np.int64)
        np.cumsum(sizes, out=cuts[1:])
        gone = ranks_of(*self._arrays(), wanted, cuts)
        return Remaining(self, gone, cuts, self._zeros - zeros, self._n_values - n_values)

    def _arrays(self) -> tuple[Any, ...]:
        return self._values, self._starts, self._first, self._used, self._block

    def wipe(self) -> None:
        """Overwrite the columns; they are built anew when needed."""
        if self._values is not None:
            self._values.fill(0)
            self._values = None

    def __reduce__(self) -> tuple[Any, ...]:
        return OrderStatistics, ()

    def __sizeof__(self) -> int:
        return 0 if self._values is None else self._values.nbytes + self._starts.nbytes


class Remaining:
    """Columns as they will be when some of their values have been taken out.

    Attributes
    ----------
    n_values : ndarray of shape (n_columns,), int64
    """

    def __init__(
        self,
        order: OrderStatistics,
        gone: np.ndarray,
        cuts: np.ndarray,
        zeros: np.ndarray,
        n_values: np.ndarray,
    ) -> None:
        self._order, self._gone, self._cuts = order, gone, cuts
        self._zeros, self.n_values = zeros, n_values

    def at(self, ranks: np.ndarray) -> np.ndarray:
        """Read values by rank, see :class:`Columns`."""
        parts = self._order._arrays()
        out = _blank(ranks.shape, parts[0].dtype)
        values_at(*parts, self._zeros, self._gone, self._cuts, ranks, out)
        return out

    def edit(self) -> CacheEdit:
        """Return what takes the values out; columns are built anew where it is interrupted."""
        return CacheEdit(self._order, self._take_out)

    def _take_out(self) -> None:
        take_out(*self._order._arrays(), self._gone, self._cuts)
        self._order._zeros, self._order._n_values = self._zeros, self.n_values
