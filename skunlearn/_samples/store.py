"""Who is in a model: ids to rows, rows by value, removal and overwriting."""

from __future__ import annotations

import contextlib
import copy
from collections.abc import Callable
from typing import Any

import numpy as np

from skunlearn._locks import ForkSafeRLock
from skunlearn._samples import tables
from skunlearn._samples.hashing import hash_ids
from skunlearn._samples.ids import ROW_NUMBERS, SampleIds, as_keys, joined_ids, shown
from skunlearn._samples.row_ids import IdArray, Positions, RowIds, RowNumbers
from skunlearn._samples.strings import narrowed
from skunlearn._samples.tables import (
    NO_ROWS,
    hash_rows,
    rows_equal,
    take,
    wipe,
    wipe_arrays,
    writable,
)
from skunlearn.exceptions import UnknownSampleError


class SampleStore:
    """The training rows that a fitted model still holds, and the ids they go by.

    A removed row is overwritten at once and leaves an empty slot, so that the other rows keep
    their positions and a request costs what it removes. Empty slots are squeezed out when they
    are a quarter of all, on :meth:`compact`, and in every pickle.

    Parameters
    ----------
    X : ndarray, CSR array, DeviceTable or frame table of shape (n_samples, n_features)
        The rows, in memory that nobody else holds.

    y : ndarray of shape (n_samples,) or (n_samples, n_outputs), default=None
        Targets, likewise owned.

    sample_weight : ndarray of shape (n_samples,), default=None
        Weights, likewise owned.

    sample_ids : SampleIds, default=None
        From :func:`skunlearn._samples.ids.check_sample_ids`; None stands for ``0..n_samples-1``.

    Attributes
    ----------
    extras : dict of ndarray of shape (n_slots, ...)
        What else an estimator keeps per row, by name; overwritten and squeezed like the rows.

    id_source : {'sample_ids', 'index', 'row numbers'}
        Where the ids came from.

    ids_are_doubtful : bool
        Whether ids are row numbers that nobody said are meant.
    """

    def __init__(
        self,
        X: Any,
        y: Any = None,
        sample_weight: np.ndarray | None = None,
        sample_ids: SampleIds | None = None,
    ) -> None:
        ids, source, acknowledged = sample_ids or SampleIds(None, ROW_NUMBERS)
        self.X = X
        self.y = y
        self.sample_weight = sample_weight
        self.extras: dict[str, np.ndarray] = {}
        self.n_slots = X.shape[0]
        self.n_removed = 0
        self.id_source = source
        self._ids: RowIds = RowNumbers(self.n_slots) if ids is None else IdArray(ids)
        self.ids_are_doubtful = source == ROW_NUMBERS and not acknowledged
        self.has_warned = False  # that they are
        self._alive: np.ndarray | None = None
        self._by_value: Positions | None = None
        self._id_hashes: np.ndarray | None = None
        self._is_writable = False  # as far as is known
        self.lock = ForkSafeRLock()

    @property
    def n_samples(self) -> int:
        """Number of rows held."""
        return self.n_slots - self.n_removed

    @property
    def ids(self) -> np.ndarray:
        """The ids held, in training order; repeats included."""
        return self._ids.of(self.slots())

    def slots(self) -> np.ndarray:
        """Return the slots of the rows held, in training order."""
        if self._alive is None:
            return np.arange(self.n_slots)
        return np.flatnonzero(self._alive)

    def slots_without(self, rows: np.ndarray) -> np.ndarray:
        """Return the slots of the rows that stay when the slots `rows` go."""
        keep = np.ones(self.n_slots, dtype=bool) if self._alive is None else self._alive.copy()
        keep[rows] = False
        return np.flatnonzero(keep)

    def positions_without(self, rows: np.ndarray) -> np.ndarray:
        """Return where among the rows held those are that stay when the slots `rows` go."""
        keep = np.ones(self.n_slots, dtype=bool)
        keep[rows] = False
        return np.flatnonzero(keep if self._alive is None else keep[self._alive])

    def take(self, rows: np.ndarray) -> tuple[Any, Any, Any]:
        """Copy rows by slot.

        Returns
        -------
        X, y, sample_weight
            The latter two None where the model holds none.
        """
        X, y = narrowed(take(self.X, rows)), narrowed(take(self.y, rows))
        return X, y, take(self.sample_weight, rows)

    def ids_of(self, rows: np.ndarray) -> np.ndarray:
        """Return the ids of the given slots."""
        return self._ids.of(rows)

    def id_hashes(self) -> np.ndarray:
        """Return the hash of each slot's id, shape (n_slots,), dtype uint64; 0 for empty slots."""
        if self._id_hashes is None:
            slots = self.slots()
            ids = self.ids_of(slots)
            hashes = np.zeros(self.n_slots, dtype=np.uint64)
            hashes[slots] = hash_ids(ids if ids.dtype.kind == "i" else as_keys(ids))
            self._id_hashes = hashes
        return self._id_hashes

    def resolve(self, sample_ids: Any, *, strict: bool = True) -> tuple[int, np.ndarray]:
        """Find the rows that a request is about.

        Parameters
        ----------
        sample_ids : id or array-like of ids
            The request.

        strict : bool, default=True
            Whether an id that is not held is an error or passed over.

        Returns
        -------
        n_ids : int
            Number of distinct ids found.

        rows : ndarray of dtype intp
            Their slots, sorted.

        Raises
        ------
        UnknownSampleError
            If `strict` and an id is not held.
        ValueError
            If the request is no collection of ids.
        """
        n_ids, rows, unknown = self._ids.find(sample_ids, self._alive)
        if unknown and strict:
            raise UnknownSampleError(map(shown, unknown), n_ids + len(unknown), self.id_source)
        return n_ids, rows

    def publish(self, values: Any) -> Any:
        """Return fitted values as the user gets them: where the rows came from."""
        if isinstance(self.X, np.ndarray):  # most are; a request publishes several values
            return values
        return tables.publish(self.X, values)

    def find(self, X: Any, y: np.ndarray | None = None) -> np.ndarray:
        """Find the slots of the rows equal to any of the given rows.

        Parameters
        ----------
        X : table of the same kind and width as the one held
            The rows to look for.

        y : ndarray of shape (n_queries,) or (n_queries, n_outputs), default=None
            Where given, targets must be equal too.

        Returns
        -------
        rows : ndarray of dtype intp
            Sorted, without repeats.
        """
        if self._by_value is None:
            slots = self.slots()
            self._by_value = Positions(hash_rows(take(self.X, slots)).tolist(), slots.tolist())
        found = []
        for at, key in enumerate(hash_rows(X).tolist()):
            if key not in self._by_value:
                continue
            rows = self._by_value.find([key])[1]
            rows = rows[rows_equal(self.X, rows, X, at)]
            if y is not None and self.y is not None:
                rows = rows[[bool(np.all(self.y[row] == y[at])) for row in rows]]
            found.append(rows)
        return np.unique(np.concatenate(found)) if found else NO_ROWS

    def make_writable(self) -> None:
        """Copy what cannot be overwritten, such as a memory map, before rows are removed."""
        if self._is_writable:
            return
        self.X = writable(self.X)
        self._ids = self._ids.writable()
        if not all(array is None or array.flags.writeable for array in self._arrays()):
            self.y, self.sample_weight = writable(self.y), writable(self.sample_weight)
            self.extras = {name: writable(values) for name, values in self.extras.items()}
        if self._alive is not None:
            self._alive = writable(self._alive)
        self._is_writable = True

    def remove(self, rows: np.ndarray) -> tuple[dict[str, Any], Callable[[], None]]:
        """Remove rows and their ids, leaving their slots empty, once the result is in force.

        Parameters
        ----------
        rows : ndarray of dtype intp
            Slots that hold a row.

        Returns
        -------
        state : dict
            Attributes of the store once the rows are removed.

        wipe_rows : callable
            Overwrites them, when that state is in force; may be called repeatedly.
        """
        X = self.X
        alive = np.ones(self.n_slots, dtype=bool) if self._alive is None else self._alive
        arrays = [alive, *self._arrays()]
        ids, wipe_ids = self._ids.removal(rows)
        wipes = [wipe_ids]
        if isinstance(X, np.ndarray):
            arrays.append(X)
        else:
            X, wipe_table = tables.removal(X, rows)
            wipes.append(wipe_table)
        if self._by_value is not None:
            hashes = hash_rows(take(self.X, rows)).tolist()
            wipes.append(self._by_value.removal(hashes, rows.tolist()))

        def wipe_rows() -> None:
            wipe_arrays(arrays, rows)
            for wipe_part in wipes:
                wipe_part()

        n_removed = self.n_removed + rows.size
        state = {"X": X, "_ids": ids, "_alive": alive, "n_removed": n_removed}
        return self.__dict__ | state, wipe_rows

    def _arrays(self) -> tuple[np.ndarray | None, ...]:
        """Return what is held per row beside the table and the ids."""
        return self.y, self.sample_weight, self._id_hashes, *self.extras.values()

    def compact_if_sparse(self) -> None:
        """Squeeze out the empty slots if they are a quarter of all and there is memory for it."""
        if 4 * self.n_removed > self.n_slots > 64:
            with contextlib.suppress(MemoryError):
                self.compact()

    def compact(self) -> None:
        """Squeeze out the empty slots; positions change, ids do not."""
        if self.n_removed:
            self.__dict__.update(self._without_empty_slots())

    def laid_out_as(self, other: SampleStore) -> bool:
        """Tell whether the other store of a composition holds the same rows in the same slots.

        A part of a composition forgets at least what the whole forgets, so numbers tell.
        """
        return self.n_slots == other.n_slots and self.n_samples == other.n_samples

    def with_rows(self, X: Any) -> SampleStore:
        """Copy the store with other rows, as many as it holds, in the place of its own."""
        if not self.n_removed:
            return self.with_table(X)
        return self.with_table(tables.spread(X, self.slots(), self.n_slots))

    def with_table(self, X: Any) -> SampleStore:
        """Copy the store with another table in the place of X, slot for slot."""
        twin = SampleStore(X, copy.copy(self.y), copy.copy(self.sample_weight))
        twin.extras = {name: values.copy() for name, values in self.extras.items()}
        twin._ids = self._ids.copy()
        twin._alive = copy.copy(self._alive)
        twin.n_removed = self.n_removed
        twin.take_over(self)
        return twin

    def take_over(self, former: SampleStore) -> None:
        """Share the lock of the store whose place this one takes, and what it knows of the ids."""
        self.lock = former.lock
        self.take_id_source(former)

    def take_id_source(self, former: SampleStore) -> None:
        """Know of the ids what a former store of the same rows knew."""
        self.id_source = former.id_source
        self.ids_are_doubtful = former.ids_are_doubtful
        self.has_warned = former.has_warned

    def extended(
        self, X: np.ndarray, y: Any, sample_weight: np.ndarray | None, sample_ids: np.ndarray
    ) -> SampleStore:
        """Copy a store of arrays with more rows after its own, which keep their slots."""
        ids = joined_ids(self.ids_of(np.arange(self.n_slots)), sample_ids)
        if self._alive is not None:
            wipe(ids, np.flatnonzero(~self._alive))
        more = SampleStore(
            np.concatenate([self.X, X]),
            np.concatenate([self.y, y]),
            None if sample_weight is None else np.concatenate([self.sample_weight, sample_weight]),
            SampleIds(ids),
        )
        if self._alive is not None:
            more._alive = np.concatenate([self._alive, np.ones(len(X), dtype=bool)])
        more.n_removed = self.n_removed
        more.take_over(self)
        return more

    def paired_with(self, y: np.ndarray | None) -> SampleStore:
        """Return a view of the same rows with other targets."""
        view = object.__new__(SampleStore)
        view.__dict__.update(self.__dict__ | {"y": y, "_is_writable": False})
        return view

    def wipe(self) -> None:
        """Overwrite everything held, when another store takes this one's place."""
        every = np.arange(self.n_slots)
        for part in (self.X, *self._arrays()):
            wipe(part, every)
        self._ids.wipe()
        self._by_value = None

    def _without_empty_slots(self) -> dict[str, Any]:
        slots = self.slots()
        X, y, sample_weight = self.take(slots)
        return {
            "X": X,
            "y": y,
            "sample_weight": sample_weight,
            "extras": {name: take(values, slots) for name, values in self.extras.items()},
            "_ids": self._ids.of_only(slots),
            "n_slots": slots.size,
            "n_removed": 0,
            "_alive": None,
            "_by_value": None,
            "_id_hashes": None,
        }

    def __getstate__(self) -> dict[str, Any]:
        with self.lock:
            return self._state()

    def _state(self) -> dict[str, Any]:
        """Return attributes free of what is made when needed, and of empty slots."""
        state = self.__dict__ | {
            "_by_value": None,
            "_id_hashes": None,
            "has_warned": False,
            "_is_writable": False,
        }
        if self.n_removed:
            state |= self._without_empty_slots()
        state |= {name: narrowed(state[name]) for name in ("X", "y")}
        del state["lock"]
        return state

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self.lock = ForkSafeRLock()

    def __deepcopy__(self, memo: dict[int, Any]) -> SampleStore:
        twin = object.__new__(SampleStore)
        twin.__setstate__(copy.deepcopy(self._state(), memo))
        return twin

    def __sizeof__(self) -> int:
        arrays = (self.X, self.y, self.sample_weight, self._ids, *self.extras.values())
        return sum(getattr(array, "nbytes", 0) for array in arrays)
