"""Smallest and largest value of each column, and how many rows have them.

An array of shape (4, n_features): smallest, largest, rows at the smallest, rows at the largest.
NaN is passed over; where a column has nothing else, values are NaN and counts 0. A column is read
again only when the last row at an extreme leaves, which suits columns of few values, constant ones
above all; :mod:`skunlearn._statistics.extremes` keeps the next values at hand instead of counts.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy import sparse

from skunlearn._samples.tables import for_kernel, take
from skunlearn.feature_selection._selector import RemainingRows


def from_rows(X: Any, rows: np.ndarray) -> np.ndarray:
    """Find the extremes of some rows of a dense array or a CSR array."""
    part = X if rows.size == X.shape[0] else take(X, rows)
    if sparse.issparse(part):
        return _from_sparse(part)
    extremes = np.stack([np.fmin.reduce(part, axis=0), np.fmax.reduce(part, axis=0)])
    return np.concatenate([extremes, _count(part, extremes)])


def _from_sparse(part: Any) -> np.ndarray:
    indices, data = part.indices, part.data
    n_features = part.shape[1]
    blank = np.full((2, n_features), np.nan)
    extremes = np.where(part.shape[0] > np.bincount(indices, minlength=n_features), 0.0, blank)
    np.fmin.at(extremes[0], indices, data)
    np.fmax.at(extremes[1], indices, data)
    stored = [np.bincount(indices[data == e[indices]], minlength=n_features) for e in extremes]
    implicit = part.shape[0] - np.bincount(indices, minlength=n_features)
    return np.concatenate([extremes, np.stack(stored) + implicit * (extremes == 0.0)])


def _count(part: np.ndarray, extremes: np.ndarray) -> np.ndarray:
    return np.array([np.count_nonzero(part == extreme, axis=0) for extreme in extremes])


def without_rows(extremes: np.ndarray, X: Any, remaining: RemainingRows) -> np.ndarray:
    """Count rows out; columns that lose the last at an extreme are looked through."""
    part, positions = for_kernel(X, remaining.gone)
    extremes = extremes.copy()
    gone = _count(part[positions], extremes[:2])
    extremes[2:] -= gone
    columns = np.flatnonzero((gone > 0).any(axis=0) & (extremes[2:] == 0).any(axis=0))
    if columns.size:
        extremes[:, columns] = from_rows(X[:, columns], remaining.slots)
    return extremes
