"""By what the rows of a store go: their own numbers, or ids in an array."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any, Self

import numpy as np

from skunlearn._samples.ids import as_keys, is_tuple_id
from skunlearn._samples.tables import NO_ROWS, take, wipe_arrays

# In search of an id that needs the dtype of all, so many are looked at one by one, as most often
# all do; then so many at once.
_FEW = 8
_STRETCH = 4096


# What a look-up found: the number of distinct ids; their slots, sorted; and the canonical keys of
# the distinct ids that are not held.
Found = tuple[int, np.ndarray, list[Any]]


class RowIds(ABC):
    """The ids of all slots; which slots hold a row is told to the methods that need it."""

    @abstractmethod
    def of(self, slots: np.ndarray) -> np.ndarray:
        """Return the ids of the given slots; they may be a view."""

    @abstractmethod
    def find(self, request: Any, alive: np.ndarray | None) -> Found:
        """Look up a request among the slots that hold a row, all where `alive` is None."""

    @abstractmethod
    def removal(self, rows: np.ndarray) -> tuple[RowIds, Callable[[], None]]:
        """Return what is to take the place of these ids, and what overwrites those of rows then.

        The latter may be called repeatedly.
        """

    @abstractmethod
    def of_only(self, slots: np.ndarray) -> RowIds:
        """Return the ids of a store that holds the given slots and no others."""

    @abstractmethod
    def writable(self) -> RowIds:
        """Return what can be overwritten: the ids themselves, or a copy."""

    @abstractmethod
    def copy(self) -> Self:
        """Copy what a removal overwrites."""

    @abstractmethod
    def wipe(self) -> None:
        """Overwrite all ids."""

    @property
    @abstractmethod
    def nbytes(self) -> int:
        """Bytes in arrays."""


class RowNumbers(RowIds):
    """Ids that are the numbers of the slots.

    Parameters
    ----------
    n_slots : int
    """

    nbytes = 0

    def __init__(self, n_slots: int) -> None:
        self.n_slots = n_slots

    def of(self, slots: np.ndarray) -> np.ndarray:
        """Return the slots themselves."""
        return slots

    def find(self, request: Any, alive: np.ndarray | None) -> Found:
        """Look up a request among the slots that hold a row."""
        many = isinstance(request, np.ndarray) and request.ndim == 1 and request.size > 1
        if many and request.dtype.kind in "iu":
            rows = self._in_use(np.unique(request), alive)
            if rows is not None:
                return rows.size, rows, []
        keys = as_keys(request)
        if len(keys) > 1:
            keys = list(dict.fromkeys(keys))
        rows = self._slots(keys, alive)
        if rows is not None:
            return len(keys), rows, []
        unknown = [key for key in keys if self._slots([key], alive) is None]
        gone = set(unknown)
        rows = np.array([key for key in keys if key not in gone], dtype=np.intp)
        rows.sort()
        return rows.size, rows, unknown

    def _slots(self, keys: list[Any], alive: np.ndarray | None) -> np.ndarray | None:
        """Return keys as sorted slots if every one of them is a slot in use."""
        if len(keys) == 1:
            key = keys[0]
            found = type(key) is int and 0 <= key < self.n_slots
            return np.array(keys) if found and (alive is None or alive[key]) else None
        if not set(map(type, keys)) <= {int}:
            return None
        try:
            slots = np.array(keys, dtype=np.intp)
        except OverflowError:
            return None
        slots.sort()
        return self._in_use(slots, alive)

    def _in_use(self, numbers: np.ndarray, alive: np.ndarray | None) -> np.ndarray | None:
        """Return sorted integers as slots if every one of them is a slot in use."""
        if numbers.size and not 0 <= numbers[0] <= numbers[-1] < self.n_slots:
            return None
        slots = numbers.astype(np.intp, copy=False)
        return slots if alive is None or alive[slots].all() else None

    def removal(self, rows: np.ndarray) -> tuple[RowIds, Callable[[], None]]:
        """Prepare nothing: that a slot is empty is not said here."""
        return self, _nothing

    def of_only(self, slots: np.ndarray) -> RowIds:
        """Return the numbers that rows had; row numbers still if no row before another is gone."""
        if slots.size and slots[-1] >= slots.size:
            return IdArray(slots.astype(np.int64))
        return RowNumbers(slots.size)

    def writable(self) -> RowIds:
        """Return the same: nothing is ever overwritten."""
        return self

    def copy(self) -> Self:
        """Return the same: nothing is ever overwritten."""
        return self

    def wipe(self) -> None:
        """Overwrite nothing."""


class IdArray(RowIds):
    """Ids in an array, which are looked up in a dictionary made at the first request.

    The array's dtype is the one that the ids held have on their own: where only ids that go needed
    strings as wide, or objects instead of integers, the array is converted.

    Parameters
    ----------
    values : ndarray of shape (n_slots,)
        In memory that nobody else holds.
    """

    def __init__(self, values: np.ndarray) -> None:
        self.values = values
        self._positions: Positions | None = None
        kind, itemsize = values.dtype.kind, values.dtype.itemsize
        self._width = {"U": itemsize // 4, "S": itemsize}.get(kind, 0)  # of strings
        self._may_narrow = kind == "O" or self._width > 1
        self._witness = -1  # first slot whose id needs the dtype; -1 until it is looked for

    @property
    def nbytes(self) -> int:
        """Bytes in arrays."""
        return self.values.nbytes

    def of(self, slots: np.ndarray) -> np.ndarray:
        """Return the ids of the given slots."""
        return self.values[slots]

    def find(self, request: Any, alive: np.ndarray | None) -> Found:
        """Look up a request among the slots that hold a row."""
        if self._positions is None:
            slots = np.arange(self.values.size) if alive is None else np.flatnonzero(alive)
            self._positions = Positions(as_keys(self.values[slots]), slots.tolist())
        positions = self._positions
        keys = as_keys(request, tuples=positions.n_tuples > 0)
        if len(keys) > 1:
            keys = list(dict.fromkeys(keys))
        return positions.find(keys)

    def removal(self, rows: np.ndarray) -> tuple[RowIds, Callable[[], None]]:
        """Return what is to take the place of these ids, and what overwrites those of rows then."""
        discard = _nothing
        if self._positions is not None:
            discard = self._positions.removal(as_keys(self.values[rows]), rows.tolist())
        witness, after = -1, self
        if self._may_narrow and rows.size:
            witness = self._witness_without(rows)
            if witness < 0:
                after = IdArray(self._narrowed(rows))
                after._positions = self._positions

        def wipe_rows() -> None:
            discard()
            wipe_arrays([after.values], rows)
            after._witness = witness
            if after is not self:
                self.wipe()

        return after, wipe_rows

    def _witness_without(self, rows: np.ndarray) -> int:
        """Return the first slot but `rows` whose id needs the dtype of all; -1 if there is none."""
        if self._witness < 0:
            self._witness = self._next_witness(0, NO_ROWS)
        witness = self._witness
        if not rows[0] <= witness <= rows[-1] or rows[np.searchsorted(rows, witness)] != witness:
            return witness
        return self._next_witness(witness + 1, rows)

    def _next_witness(self, start: int, rows: np.ndarray) -> int:
        gone, stop = set(rows.tolist()), min(start + _FEW, self.values.size)
        for slot in range(start, stop):
            if slot not in gone and _needs_dtype_alone(self.values[slot], self._width):
                return slot
        for first in range(stop, self.values.size, _STRETCH):
            needs = np.flatnonzero(_needs_dtype(self.values[first : first + _STRETCH])) + first
            found = next((slot for slot in needs.tolist() if slot not in gone), None)
            if found is not None:
                return found
        return -1

    def _narrowed(self, rows: np.ndarray) -> np.ndarray:
        """Copy the ids, none of which but those of `rows` needs the dtype."""
        values = self.values.copy()
        wipe_arrays([values], rows)
        if values.dtype.kind == "O":
            return np.array([0 if value is None else value for value in values], dtype=np.int64)
        width = max(1, int(np.char.str_len(values).max()))
        return values.astype(f"{values.dtype.kind}{width}")

    def of_only(self, slots: np.ndarray) -> IdArray:
        """Return the ids of a store that holds the given slots and no others."""
        return IdArray(take(self.values, slots))

    def writable(self) -> RowIds:
        """Return ids in an array that can be overwritten."""
        return self if self.values.flags.writeable else self.copy()

    def copy(self) -> Self:
        """Copy the array."""
        return type(self)(self.values.copy())

    def wipe(self) -> None:
        """Overwrite all ids."""
        wipe_arrays([self.values], np.arange(self.values.size))
        self._positions = None

    def __getstate__(self) -> dict[str, Any]:
        return self.__dict__ | {"_positions": None, "_witness": -1}


def _needs_dtype(ids: np.ndarray) -> np.ndarray:
    """Tell which ids are strings of full width, or objects that are no 64-bit integers."""
    if ids.dtype.kind == "O":
        return np.array([_needs_dtype_alone(value, 0) for value in ids], dtype=bool)
    unit = np.uint32 if ids.dtype.kind == "U" else np.uint8
    return ids.view(unit).reshape(ids.size, -1)[:, -1] != 0


def _needs_dtype_alone(value: Any, width: int) -> bool:
    """Tell whether a string has full width, or an object of width 0 is no 64-bit integer."""
    if width:
        return len(value) == width
    return value is not None and not (type(value) is int and -(1 << 63) <= value < 1 << 63)


def _nothing() -> None:
    """Do nothing."""


class Positions:
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
        self.n_tuples = 0
        if tuple in set(map(type, self._slots)):
            self.n_tuples = sum(map(is_tuple_id, self._slots))

    def __contains__(self, key: Any) -> bool:
        return key in self._slots

    def find(self, keys: list[Any]) -> Found:
        """Look up distinct keys."""
        if len(keys) == 1 and type(slot := self._slots.get(keys[0])) is int:  # mostly
            return 1, np.array([slot], dtype=np.intp), []
        found = [*map(self._slots.get, keys)]
        unknown = []
        if None in found:
            unknown = [key for key, slot in zip(keys, found, strict=True) if slot is None]
            found = [slot for slot in found if slot is not None]
        n_ids = len(found)
        if list in map(type, found):
            found = [s for f in found for s in (f if type(f) is list else (f,))]
        rows = np.array(found, dtype=np.intp)
        if rows.size > 1:
            rows.sort()
        return n_ids, rows, unknown

    def removal(self, keys: list[Any], slots: list[int]) -> Callable[[], None]:
        """Prepare to forget that each key stood for its slot, which may be done repeatedly."""
        gone = set(slots)
        left: dict[Any, Any] = dict.fromkeys(keys)
        for key in left:
            held = self._slots[key]
            if type(held) is list:
                rest = [slot for slot in held if slot not in gone]
                # As if there had never been a twin.
                left[key] = rest[0] if len(rest) == 1 else rest or None
        n_tuples = self.n_tuples
        if n_tuples:
            n_tuples -= sum(is_tuple_id(key) for key, rest in left.items() if rest is None)

        def remove() -> None:
            for key, rest in left.items():
                if rest is None:
                    self._slots.pop(key, None)
                else:
                    self._slots[key] = rest
            self.n_tuples = n_tuples

        return remove
