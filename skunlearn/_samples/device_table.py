"""Training rows that stay in another library than NumPy, on their device."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from skunlearn._array_api import is_foreign, namespace, to_device, to_host
from skunlearn._samples import tables

# Bytes of float64 that a pass works on at once: enough to keep a device busy.
_BLOCK_BYTES = 1 << 27


# From here on one mask is cheaper than a launch per row.
_MANY = 64


class DeviceTable:
    """Training rows in the namespace and on the device of the user's array.

    Parameters
    ----------
    array : array of shape (n_slots, n_features), float32 or float64
        Of any namespace of the array API but NumPy's, in memory that nobody else holds.

    Attributes
    ----------
    dtype : numpy.dtype
        NumPy's equivalent of the array's dtype.
    """

    def __init__(self, array: Any) -> None:
        self.array = array
        single = array.dtype == namespace(array).float32
        self.dtype = np.dtype(np.float32 if single else np.float64)

    @property
    def shape(self) -> tuple[int, int]:
        """Number of slots and of columns."""
        return self.array.shape

    @property
    def nbytes(self) -> int:
        """Bytes in the array."""
        return self.dtype.itemsize * self.shape[0] * self.shape[1]

    def __getitem__(self, span: slice) -> DeviceTable:
        return DeviceTable(self.array[span, :])

    def take(self, rows: np.ndarray) -> DeviceTable:
        """Copy rows, which stay on the device."""
        return DeviceTable(self._taken(rows))

    def fetch(self, rows: np.ndarray) -> np.ndarray:
        """Copy rows to the host."""
        return to_host(self._taken(rows))

    def wipe(self, rows: np.ndarray) -> None:
        """Overwrite rows in place."""
        if rows.size < _MANY:
            for row in rows.tolist():
                self.array[row, ...] = 0
        else:
            mask = np.zeros(self.shape[0], dtype=bool)
            mask[rows] = True
            self.array[to_device(mask, self.array)] = 0

    def send(self, values: Any) -> Any:
        """Copy host values to the device."""
        return to_device(np.asarray(values), self.array)

    @property
    def block_size(self) -> int:
        """Number of rows that a pass works on at once."""
        return max(1, min(self.shape[0], _BLOCK_BYTES // (8 * self.shape[1])))

    def spans(self, rows: np.ndarray | None = None) -> Iterator[Any]:
        """Divide rows into blocks to pass over, as slices where they are all there are."""
        n_slots, step = self.shape[0], self.block_size
        if rows is not None and rows.size < n_slots:
            yield from (rows[start : start + step] for start in range(0, rows.size, step))
        else:
            yield from (slice(s, min(s + step, n_slots)) for s in range(0, n_slots, step))

    def block(self, span: Any) -> Any:
        """Return one block as float64; it may be a view."""
        part = self.array[span, :] if isinstance(span, slice) else self._taken(span)
        xp = namespace(part)
        return xp.astype(part, xp.float64, copy=False)

    def squares(self) -> np.ndarray:
        """Return the squared norm of each row, on the host."""
        xp = namespace(self.array)
        blocks = map(self.block, self.spans())
        return np.concatenate([to_host(xp.sum(block * block, axis=1)) for block in blocks])

    def _taken(self, rows: np.ndarray) -> Any:
        return namespace(self.array).take(self.array, self.send(rows), axis=0)


@tables.opens(is_foreign)
def _open(X: Any) -> DeviceTable:
    return DeviceTable(namespace(X).asarray(X, copy=True))


@tables.native.register
def _(table: DeviceTable) -> Any:
    return table.array


@tables.publish.register
def _(table: DeviceTable, values: np.ndarray) -> Any:
    return table.send(values)


@tables.like.register
def _(table: DeviceTable, X: Any) -> np.ndarray:
    return np.asarray(to_host(X)).astype(table.dtype, copy=False)


@tables.take.register
def _(table: DeviceTable, rows: np.ndarray) -> DeviceTable:
    return table.take(rows)


@tables.dense.register
def _(table: DeviceTable, rows: np.ndarray) -> np.ndarray:
    return table.fetch(rows)


@tables.wipe.register
def _(table: DeviceTable, rows: np.ndarray) -> None:
    table.wipe(rows)


@tables.hash_rows.register
def _(table: DeviceTable) -> np.ndarray:
    blocks = (to_host(table[span].array) for span in table.spans())
    return np.concatenate([tables.hash_rows(block) for block in blocks])
