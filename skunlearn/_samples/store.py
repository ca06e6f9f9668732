"""Who is in a model: ids to rows, rows by value, removal and overwriting."""

from __future__ import annotations

import contextlib
import copy
from collections.abc import Callable
from typing import Any

import numpy as np
from scipy import sparse

from skunlearn._locks import ForkSafeRLock
from skunlearn._samples.device_table import DeviceTable
from skunlearn._samples.hashing import hash_ids
from skunlearn._samples.ids import Kind, as_keys, joined_ids, shown
from skunlearn._samples.strings import narrowed
from skunlearn._samples.tables import hash_rows, rows_equal, take, wipe, writable
from skunlearn.exceptions import UnknownSampleError

_NO_ROWS = np.empty(0, dtype=np.intp)


def _is_tuple_id(key: Any) -> bool:
    return type(key) is tuple and not (key and isinstance(key[0], Kind))


class _Positions:
    """A dictionary from keys to slot numbers in which a key may stand for several slots.

    Parameters
    ----------
    keys : list
        The key of each slot.

    slots : sequence of int
        The slots, as many as keys.
    """

    def __init__(self, keys: list[Any], slots: Any) -> None:
        self._slots: dict[Any, Any] = dict(zip(keys, slots, strict=True))
        if len(self._slots) < len(keys):
            self._slots = {}
            for key, slot in zip(keys, slots, strict=True):
                held = self._slots.setdefault(key, slot)
                if type(held) is list:
                    held.append(slot)
                elif held != slot:
                    self._slots[key] = [held, slot]
        self.has_tuples = tuple in set(map(type, keys)) and any(map(_is_tuple_id, keys))

    def __contains__(self, key: Any) -> bool:
        return key in self._slots

    def slots(self, keys: list[Any]) -> np.ndarray:
        """Return the sorted slots of all the keys, each of which must be held."""
        table = self._slots
        found: list[Any] = [table[key] for key in keys]
        if list in set(map(type, found)):
            found = [s for f in found for s in (f if type(f) is list else (f,))]
        slots = np.array(found, dtype=np.intp)
        if slots.size > 1:
            slots.sort()
        return slots

    def discarding(self, keys: list[Any], slots: list[int]) -> Callable[[], None]:
        """Prepare to forget that each key stood for its slot, which may be done repeatedly."""
        gone = set(slots)
        left = {}
        for key in dict.fromkeys(keys):
            held = self._slots[key]
            left[key] = [s for s in held if s not in gone] if type(held) is list else []

        def discard() -> None:
            for key, rest in left.items():
                if rest:
                    self._slots[key] = rest
                else:
                    self._slots.pop(key, None)

        return discard


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

    sample_ids : ndarray of shape (n_samples,), default=None
        From :func:`skunlearn._samples.ids.check_sample_ids`; None stands for ``0..n_samples-1``.
    """

    def __init__(
        self,
        X: Any,
        y: Any = None,
        sample_weight: np.ndarray | None = None,
        sample_ids: np.ndarray | None = None,
    ) -> None:
        self.X = X
        self.y = y
        self.sample_weight = sample_weight
        self._ids = sample_ids
        self.n_slots = X.shape[0]
        self.n_removed = 0
        self._alive: np.ndarray | None = None
        self._by_id: _Positions | None = None
        self._by_value: _Positions | None = None
        self._id_hashes: np.ndarray | None = None
        self.lock = ForkSafeRLock()

    @property
    def n_samples(self) -> int:
        """Number of rows held."""
        return self.n_slots - self.n_removed

    @property
    def ids(self) -> np.ndarray:
        """The ids held, in training order; repeats included."""
        if self._ids is None:
            return self.slots()
        return self._ids.copy() if self._alive is None else self._ids[self._alive]

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
        return rows if self._ids is None else self._ids[rows]

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
        held = self._ids
        index = self._by_id
        if held is None and isinstance(sample_ids, np.ndarray) and sample_ids.dtype.kind in "iu":
            distinct = self._numbers_in_use(sample_ids)
            if distinct is not None:
                return distinct.size, distinct
        if held is not None and index is None:
            slots = self.slots()
            index = self._by_id = _Positions(as_keys(held[slots]), slots.tolist())
        keys = as_keys(sample_ids, tuples=index is not None and index.has_tuples)
        if len(keys) > 1:
            keys = list(dict.fromkeys(keys))
        if index is None:
            in_use = self._slots_in_use(keys)
            if in_use is not None:
                return len(keys), in_use
            unknown = [key for key in keys if self._slots_in_use([key]) is None]
        else:
            unknown = [key for key in keys if key not in index]
        if unknown:
            if strict:
                raise UnknownSampleError(map(shown, unknown), len(keys))
            gone = set(unknown)
            keys = [key for key in keys if key not in gone]
        return len(keys), (
            np.sort(np.array(keys, dtype=np.intp)) if index is None else index.slots(keys)
        )

    def _numbers_in_use(self, numbers: np.ndarray) -> np.ndarray | None:
        """Return integers as sorted slots without repeats if every one is a slot in use."""
        if numbers.shape == (1,):
            return self._slots_in_use(numbers.tolist())
        if numbers.ndim != 1:
            return None
        distinct = np.unique(numbers)
        return distinct.astype(np.intp, copy=False) if self._are_in_use(distinct) else None

    def _slots_in_use(self, keys: list[Any]) -> np.ndarray | None:
        """Return the numbers as sorted slots if every one of them is a slot in use."""
        if len(keys) == 1:
            key = keys[0]
            found = type(key) is int and 0 <= key < self.n_slots
            return np.array(keys) if found and (self._alive is None or self._alive[key]) else None
        if not set(map(type, keys)) <= {int}:
            return None
        try:
            slots = np.array(keys, dtype=np.intp)
        except OverflowError:
            return None
        slots.sort()
        return slots if self._are_in_use(slots) else None

    def _are_in_use(self, numbers: np.ndarray) -> bool:
        """Tell whether sorted integers are all slots in use."""
        if numbers.size and not 0 <= numbers[0] <= numbers[-1] < self.n_slots:
            return False
        return self._alive is None or bool(self._alive[numbers].all())

    def publish(self, values: Any) -> Any:
        """Return fitted values as the user gets them: where the rows came from."""
        return self.X.send(values) if isinstance(self.X, DeviceTable) else values

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
            self._by_value = _Positions(hash_rows(take(self.X, slots)).tolist(), slots.tolist())
        found = []
        for at, key in enumerate(hash_rows(X).tolist()):
            if key not in self._by_value:
                continue
            rows = self._by_value.slots([key])
            rows = rows[rows_equal(self.X, rows, X, at)]
            if y is not None and self.y is not None:
                rows = rows[[bool(np.all(self.y[row] == y[at])) for row in rows]]
            found.append(rows)
        return np.unique(np.concatenate(found)) if found else _NO_ROWS

    def make_writable(self) -> None:
        """Copy what cannot be overwritten, such as a memory map, before rows are removed."""
        parts = {
            name: getattr(self, name) for name in ("X", "y", "sample_weight", "_ids", "_alive")
        }
        self.__dict__.update({name: writable(part) for name, part in parts.items()})

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
        discards = []
        if self._by_id is not None:
            discards.append(self._by_id.discarding(as_keys(self.ids_of(rows)), rows.tolist()))
        if self._by_value is not None:
            hashes = hash_rows(take(self.X, rows)).tolist()
            discards.append(self._by_value.discarding(hashes, rows.tolist()))
        alive = np.ones(self.n_slots, dtype=bool) if self._alive is None else self._alive

        def wipe_rows() -> None:
            alive[rows] = False
            for discard in discards:
                discard()
            for table in self._tables():
                wipe(table, rows)

        return self.__dict__ | {"_alive": alive, "n_removed": self.n_removed + rows.size}, wipe_rows

    def _tables(self) -> list[Any]:
        """List all that is held per row."""
        parts = (self.X, self.y, self.sample_weight, self._ids, self._id_hashes)
        return [part for part in parts if part is not None]

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
        n_rows = X.shape[0]
        positions = np.full(self.n_slots, n_rows)
        positions[self.slots()] = np.arange(n_rows)
        if sparse.issparse(X):
            blank = sparse.csr_array((1, X.shape[1]), dtype=X.dtype)
            return self.with_table(sparse.vstack([X, blank], format="csr")[positions])
        table = take(X, np.minimum(positions, n_rows - 1))
        wipe(table, np.flatnonzero(positions == n_rows))
        return self.with_table(table)

    def with_table(self, X: Any) -> SampleStore:
        """Copy the store with another table in the place of X, slot for slot."""
        twin = SampleStore(
            X, copy.copy(self.y), copy.copy(self.sample_weight), copy.copy(self._ids)
        )
        twin._alive = copy.copy(self._alive)
        twin.n_removed = self.n_removed
        twin.lock = self.lock
        return twin

    def extended(
        self, X: np.ndarray, y: Any, sample_weight: np.ndarray | None, sample_ids: np.ndarray
    ) -> SampleStore:
        """Copy a store of arrays with more rows after its own, which keep their slots."""
        ids = self.ids_of(np.arange(self.n_slots))
        if self._ids is None and self._alive is not None:
            ids = np.where(self._alive, ids, 0)
        more = SampleStore(
            np.concatenate([self.X, X]),
            np.concatenate([self.y, y]),
            None if sample_weight is None else np.concatenate([self.sample_weight, sample_weight]),
            joined_ids(ids, sample_ids),
        )
        if self._alive is not None:
            more._alive = np.concatenate([self._alive, np.ones(len(X), dtype=bool)])
        more.n_removed = self.n_removed
        more.lock = self.lock
        return more

    def paired_with(self, y: np.ndarray | None) -> SampleStore:
        """Return a view of the same rows with other targets."""
        view = object.__new__(SampleStore)
        view.__dict__.update(self.__dict__ | {"y": y})
        return view

    def wipe(self) -> None:
        """Overwrite everything held, when another store takes this one's place."""
        every = np.arange(self.n_slots)
        for table in self._tables():
            wipe(table, every)
        self._by_id = self._by_value = None

    def _without_empty_slots(self) -> dict[str, Any]:
        slots = self.slots()
        X, y, sample_weight = self.take(slots)
        return {
            "X": X,
            "y": y,
            "sample_weight": sample_weight,
            "_ids": self.ids_of(slots),
            "n_slots": slots.size,
            "n_removed": 0,
            "_alive": None,
            "_by_id": None,
            "_by_value": None,
            "_id_hashes": None,
        }

    def __getstate__(self) -> dict[str, Any]:
        with self.lock:
            return self._state()

    def _state(self) -> dict[str, Any]:
        """Return attributes free of what is made when needed, and of empty slots."""
        state = self.__dict__ | dict.fromkeys(("_by_id", "_by_value", "_id_hashes"))
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
        arrays = (self.X, self.y, self.sample_weight, self._ids)
        return sum(getattr(array, "nbytes", 0) for array in arrays)
