"""Rows seen from an origin amid them, where columns are far from zero.

A timestamp's digits are spent on what all rows have in common. A difference of such numbers is
exact, and a free intercept makes models of the differences the same models.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from scipy import sparse

from skunlearn._samples.device_table import DeviceTable
from skunlearn._samples.tables import dense

# A column is far from zero if its median is farther than so many times its spread.
_FAR = 16.0

# Rows that are looked at to tell.
_N_LOOKED_AT = 128


class CentredTable:
    """Rows less an origin, subtracted whenever they are read.

    Parameters
    ----------
    table : ndarray or CSR array of shape (n_slots, n_features)
        A CSR array stores all values of the columns in which `origin` is not zero.

    origin : ndarray of shape (n_features,), float64
    """

    def __init__(self, table: Any, origin: np.ndarray) -> None:
        self.table = table
        self.origin = origin
        self.shape = table.shape

    def __getitem__(self, rows: Any) -> Any:
        part = self.table[rows]
        if not sparse.issparse(part):
            return part - self.origin
        data = part.data - self.origin[part.indices]
        return sparse.csr_array((data, part.indices, part.indptr), shape=part.shape)


class CentredDeviceTable(DeviceTable):
    """:class:`CentredTable` of rows on a device.

    Parameters
    ----------
    array : array of shape (n_slots, n_features)
    origin : ndarray of shape (n_features,), float64
    """

    def __init__(self, array: Any, origin: np.ndarray) -> None:
        super().__init__(array)
        self.origin = origin
        self._there = self.send(origin)

    def __getitem__(self, span: slice) -> CentredDeviceTable:
        return CentredDeviceTable(self.array[span, :], self.origin)

    def block(self, span: Any) -> Any:
        """Return one block as float64."""
        return super().block(span) - self._there

    def fetch(self, rows: np.ndarray) -> np.ndarray:
        """Copy rows to the host."""
        return super().fetch(rows) - self.origin


class Rows(NamedTuple):
    """A table with its targets and weights, named as a model's samples name them."""

    X: Any
    y: np.ndarray
    sample_weight: np.ndarray


def centred(X: Any, origin: np.ndarray | None) -> Any:
    """Return rows as seen from an origin; None is zero."""
    if origin is None:
        return X
    if isinstance(X, DeviceTable):
        return CentredDeviceTable(X.array, origin)
    return CentredTable(X, origin)


@dense.register
def _(table: CentredTable, rows: np.ndarray) -> np.ndarray:
    part = table[rows]
    return part.toarray() if sparse.issparse(part) else part


def far_origin(X: Any, weights: np.ndarray) -> np.ndarray | None:
    """Return the medians of the columns that are far from zero, and zeros for the others.

    They are the medians of some rows, and values of rows, so that a constant column becomes zero.

    Parameters
    ----------
    X : ndarray, CSR array, DeviceTable or CentredTable of shape (n_slots, n_features)
        The columns of a CSR array that have entries to spare count as close to zero.

    weights : ndarray of shape (n_slots,)
        A row of weight zero does not count.

    Returns
    -------
    origin : ndarray of shape (n_features,) or None
        None if all columns are close to zero.
    """
    held = np.flatnonzero(weights)
    some = held[:: max(1, held.size // _N_LOOKED_AT)]
    table = X.table if isinstance(X, CentredTable) else X
    columns = np.arange(X.shape[1])
    if sparse.issparse(table):
        n_stored = np.bincount(table[held].indices, minlength=X.shape[1])
        columns = np.flatnonzero(n_stored == held.size)
        part = table[some][:, columns].toarray()
        part = part - X.origin[columns] if table is not X else part
    else:
        part = dense(X, some)
    part = np.sort(part.astype(np.float64), axis=0)
    n_rows = len(part)
    low, middle, high = part[n_rows // 20], part[n_rows // 2], part[-1 - n_rows // 20]
    with np.errstate(over="ignore"):
        far = np.abs(middle) > _FAR * (high - low)
    if not far.any():
        return None
    origin = np.zeros(X.shape[1])
    origin[columns[far]] = middle[far]
    return origin
