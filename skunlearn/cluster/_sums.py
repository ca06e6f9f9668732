"""Sums that add and subtract exactly, in the layout of :mod:`skunlearn._kernels.counts`."""

from __future__ import annotations

import numpy as np

from skunlearn._kernels.counts import count_rows, to_floats
from skunlearn._statistics.column_moments import UNIT_WEIGHTS

# Squared distances are summed in this unit: exact sums take terms below 2**40.
_UNIT = 2.0**30


def no_sums(n_labels: int, n_features: int) -> np.ndarray:
    """Make exact sums of no rows."""
    return np.zeros((3, n_labels, n_features + 1), dtype=np.int64)


def add_up(
    sums: np.ndarray, X: np.ndarray, labels: np.ndarray, rows: np.ndarray, sign: int = 1
) -> np.ndarray:
    """Add rows to exact sums per label, or take them out; returns new sums."""
    counts = np.zeros((2, sums.shape[1]), dtype=np.int64)
    return count_rows(sums, counts, X, UNIT_WEIGHTS, labels, rows, np.nan, sign)[0]


def add_up_gaps(
    sums: np.ndarray, gaps: np.ndarray, labels: np.ndarray | None = None, sign: int = 1
) -> np.ndarray:
    """Add squared distances, by columns and labels, to exact sums, or take them out."""
    n_rows = len(gaps)
    if labels is None:
        labels = np.zeros(n_rows, dtype=np.intp)
    return add_up(sums, np.ascontiguousarray(gaps / _UNIT), labels, np.arange(n_rows), sign)


def sums_of_gaps(sums: np.ndarray) -> np.ndarray:
    """Return sums of squared distances as floats, shape (n_labels, n_columns)."""
    return to_floats(sums)[0] * _UNIT
