"""Per-column moments as a piece of model state: made from rows, updated, rebuilt when imprecise."""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy import sparse

from skunlearn._array_api import namespace, to_host
from skunlearn._kernels.column_moments import column_moments, remove_rows, two_sum
from skunlearn._samples.device_table import DeviceTable
from skunlearn._samples.tables import for_kernel

UNIT_WEIGHTS = np.empty(0)

# Relative error above which moments are computed anew from the remaining rows.
TOLERANCE = 1e-10


def power_of_two_above(values: np.ndarray) -> np.ndarray:
    """Round positive numbers up so far that they do not give away what made them; others to 0.

    What overflowed becomes infinite.
    """
    rounded = np.where(values > 0.0, np.ldexp(1.0, np.frexp(values)[1]), 0.0)
    return np.where(np.isfinite(values), rounded, np.inf)


def from_rows(X: Any, weights: np.ndarray | None, rows: np.ndarray) -> np.ndarray:
    """Compute per-column moments of some rows.

    Parameters
    ----------
    X : ndarray, CSR array or DeviceTable of shape (n_slots, n_features)
        NaN entries are passed over; in a sparse X what is not stored is zero.

    weights : ndarray of shape (n_slots,) or None
        None for unit weights.

    rows : ndarray of shape (n_rows,), dtype intp
        Which rows count.

    Returns
    -------
    moments : ndarray of shape (5, n_features), dtype float64
        As in :mod:`skunlearn._kernels.column_moments`.
    """
    if isinstance(X, DeviceTable):
        return _from_device_rows(X, weights, rows)
    if not sparse.issparse(X):
        return column_moments(X, UNIT_WEIGHTS if weights is None else weights, rows)
    part = X[rows]
    w = np.ones(rows.size) if weights is None else weights[rows]
    n_features = X.shape[1]
    entries = np.diff(part.indptr)
    w_entry = np.repeat(w, entries)
    values = part.data.astype(np.float64)
    absent = np.isnan(values)
    values[absent] = 0.0

    def per_column(entry: np.ndarray) -> np.ndarray:
        return np.bincount(part.indices, weights=entry, minlength=n_features)

    n_stored = np.bincount(part.indices, minlength=n_features)
    n_absent = np.bincount(part.indices[absent], minlength=n_features)
    if weights is None:
        total, outside = rows.size - n_absent.astype(np.float64), rows.size - n_stored
    else:
        total, outside = np.zeros((2, n_features))
        for piece in _summing_exactly(w):
            of_entry = np.repeat(piece, entries)
            total += piece.sum() - per_column(np.where(absent, of_entry, 0.0))
            outside += piece.sum() - per_column(of_entry)
        outside[n_stored == rows.size] = 0.0
        total[n_absent == rows.size] = 0.0
    share = np.divide(1.0, total, out=np.zeros(n_features), where=total != 0.0)
    mean = per_column(w_entry * values) * share
    gap = np.where(absent, 0.0, values - mean[part.indices])
    shift = per_column(w_entry * gap) - outside * mean
    mean, low = two_sum.py_func(mean, shift * share)
    gap = np.where(absent, 0.0, (values - mean[part.indices]) - low[part.indices])
    scatter = per_column(w_entry * gap * gap) + outside * mean**2
    return np.stack([total, mean, scatter, power_of_two_above(scatter), low])


def _summing_exactly(weights: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Split weights into multiples of one power of two, whose sums are exact, and small rests.

    What sparse columns do not store weighs the difference of two sums, of which rounding would
    leave something where every row is stored, and so give a constant column a spread.
    """
    largest = np.abs(weights).max(initial=0.0)
    unit = np.ldexp(1.0, int(np.frexp(largest)[1] + np.frexp(weights.size)[1]) - 52)
    coarse = np.rint(weights / unit) * unit
    return coarse, weights - coarse


def _from_device_rows(X: DeviceTable, weights: np.ndarray | None, rows: np.ndarray) -> np.ndarray:
    """Compute moments where the rows are, in the two passes of the kernel."""
    xp, zero = namespace(X.array), X.send(0.0)
    n_features = X.shape[1]
    w = np.ones(X.shape[0]) if weights is None else weights
    sums = np.zeros((4, n_features))
    total, mean, shift, scatter = sums
    for span in X.spans(rows):
        block, column = X.block(span), X.send(w[span][:, None])
        absent = xp.isnan(block)
        total += to_host(xp.sum(xp.where(absent, zero, column), axis=0))
        mean += to_host(xp.sum(xp.where(absent, zero, column * block), axis=0))
    np.divide(mean, total, out=mean, where=total != 0.0)
    centre = X.send(mean)
    for span in X.spans(rows):
        gap = X.block(span) - centre
        gap = xp.where(xp.isnan(gap), zero, gap)
        weighted = X.send(w[span][:, None]) * gap
        shift += to_host(xp.sum(weighted, axis=0))
        scatter += to_host(xp.sum(weighted * gap, axis=0))
    move = np.divide(shift, total, out=np.zeros(n_features), where=total != 0.0)
    scatter = np.maximum(scatter - shift * move, 0.0)
    mean, low = two_sum.py_func(mean, move)
    return np.stack([total, mean, scatter, power_of_two_above(scatter), low])


def without_rows(
    moments: np.ndarray, X: Any, weights: np.ndarray | None, rows: np.ndarray
) -> tuple[np.ndarray, float]:
    """Take rows out of per-column moments.

    Returns
    -------
    left : ndarray of shape (5, n_features)
        New moments; the argument is not changed.

    loss : float
        Factor by which the update magnifies rounding errors.
    """
    X, rows, weights = for_kernel(X, rows, weights)
    return remove_rows(moments, X, UNIT_WEIGHTS if weights is None else weights, rows)
