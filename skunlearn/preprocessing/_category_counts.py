"""How many of the rows held have each category, kept up to date request by request."""

from __future__ import annotations

from collections import Counter
from itertools import chain
from typing import Any

import numpy as np

from skunlearn._samples.tables import overwrite
from skunlearn.preprocessing._category_columns import (
    Codes,
    ColumnTable,
    as_objects,
    codes_of,
    is_nan,
    items,
)

_PLAIN = ({str}, {bytes}, {int}, {bool})


class CategoryCounts:
    """Slots, one per column and category, and the number of rows in each.

    The slots of a column lie side by side in the order of its categories. A category that vanishes
    leaves its slot empty, so that the other slots keep their numbers. Made at the first request,
    left out of pickles and copies.
    """

    def __init__(self) -> None:
        self.codes: list[Codes] = []
        self.numbers = np.empty(0, dtype=np.int64)
        self.spans: list[slice] = []
        self._mixed: list[bool] = []

    @property
    def is_made(self) -> bool:
        """Whether the counts are there."""
        return bool(self.codes)

    def make(
        self, table: ColumnTable, slots: np.ndarray, categories: list[np.ndarray]
    ) -> np.ndarray:
        """Count the rows of a table that are in some slots of it.

        Returns
        -------
        positions : ndarray of shape (n_rows, n_features), dtype intp
            The slot of each value; -1 where it is no category.
        """
        positions = np.empty((slots.size, len(categories)), dtype=np.intp)
        codes, numbers, spans, mixed, start = [], [], [], [], 0
        for column, array in enumerate(table.arrays):
            values, known = array[slots], categories[column]
            found = codes_of(values, known)
            positions[:, column] = np.where(found < 0, -1, found + start)
            numbers.append(np.bincount(found[found >= 0], minlength=known.size))
            spans.append(slice(start, start + known.size))
            codes.append(Codes(items(known), range(start, start + known.size)))
            mixed.append(values.dtype == object and _mixes_types(values))
            start += known.size
        self.numbers = np.concatenate(numbers).astype(np.int64, copy=False)
        self.spans, self._mixed, self.codes = spans, mixed, codes
        return positions

    def take_over(self, made: CategoryCounts) -> None:
        """Become what has been made elsewhere, at once."""
        self.__dict__.update(made.__dict__)

    def taking(self, table: ColumnTable, rows: np.ndarray) -> Removed:
        """Prepare to take rows out."""
        return Removed(self, [items(array[rows]) for array in table.arrays])

    def representatives(
        self, table: ColumnTable, column: int, values: list[Any], kept: np.ndarray
    ) -> dict[Any, Any]:
        """Find the first remaining row of each value, where equal values look different.

        Returns
        -------
        found : dict
            Maps the code of a value to the value as that row has it.
        """
        if not self._mixed[column]:
            return {}
        codes = self.codes[column]
        sought = {codes[value] for value in values} - {-1}
        found: dict[Any, Any] = {}
        array = table.arrays[column]
        for row in kept.tolist():
            if len(found) == len(sought):
                break
            code = codes[array[row]]
            if code in sought:
                found.setdefault(code, array[row])
        return found

    def wipe(self) -> None:
        """Overwrite the counts."""
        overwrite(self.numbers)
        for codes in self.codes:
            codes.clear()
        self.codes = []

    def __getstate__(self) -> dict[str, Any]:
        return {}

    def __setstate__(self, state: dict[str, Any]) -> None:
        CategoryCounts.__init__(self)


def _mixes_types(values: np.ndarray) -> bool:
    """Tell whether values may be equal and yet not the same."""
    missing = (type(None), float)
    types = set(map(type, values.tolist()))
    if types - set(missing) in _PLAIN and float in types:
        return any(value == value for value in values.tolist() if type(value) is float)
    return bool(types) and types - {type(None)} not in _PLAIN


class Removed:
    """Rows on their way out: what they take from each slot, nothing of it in force yet.

    Parameters
    ----------
    counts : CategoryCounts
        What they are taken from.

    values : list of list
        The values that go, per column.
    """

    def __init__(self, counts: CategoryCounts, values: list[list[Any]]) -> None:
        self.counts = counts
        self.values = values
        self.positions = [
            [codes[value] for value in column]
            for codes, column in zip(counts.codes, values, strict=True)
        ]
        taken = Counter(chain.from_iterable(self.positions))
        taken.pop(-1, None)
        self.slots = np.fromiter(taken, np.intp, len(taken))
        self.left = counts.numbers[self.slots] - np.fromiter(taken.values(), np.int64, len(taken))
        self._gone: set[int] = set()
        if not self.left.all():
            self._gone = set(self.slots[self.left == 0].tolist())

    @property
    def changes_categories(self) -> bool:
        """Whether a category vanishes or may come to be shown by another of equal values."""
        return bool(self._gone) or any(self.counts._mixed)

    def vanishing(self, column: int) -> list[int]:
        """Return the slots of a column that become empty."""
        if not self._gone:
            return []
        return [slot for slot in dict.fromkeys(self.positions[column]) if slot in self._gone]

    def numbers(self) -> np.ndarray:
        """Return the counts as they will be."""
        numbers = self.counts.numbers.copy()
        numbers[self.slots] = self.left
        return numbers

    def categories_left(self, column: int, categories: np.ndarray, kept: Any) -> np.ndarray:
        """Return what is left of the categories of a column, `kept()` being the remaining rows."""
        gone = self.vanishing(column)
        counts, span = self.counts, self.counts.spans[column]
        there = counts.numbers[span] > 0
        left = categories
        if gone:
            stays = there.copy()
            stays[np.array(gone) - span.start] = False
            left = categories[stays[there]]
            there = stays
        if counts._mixed[column]:
            left = self._shown(column, left, there, kept())
        return left

    def _shown(
        self, column: int, left: np.ndarray, there: np.ndarray, kept: tuple[ColumnTable, np.ndarray]
    ) -> np.ndarray:
        """Show each category touched as the first remaining one of the equal values looks."""
        start = self.counts.spans[column].start
        positions = {
            slot + start: position for position, slot in enumerate(np.flatnonzero(there).tolist())
        }
        found = self.counts.representatives(kept[0], column, self.values[column], kept[1])
        shown = left.tolist()
        for slot, value in found.items():
            if not is_nan(value):
                shown[positions[slot]] = value
        changed = any(new is not old for new, old in zip(shown, left.tolist(), strict=True))
        return as_objects(shown) if changed else left

    def take_out(self, *, forget_empty: bool) -> None:
        """Take the rows out, once the new model is in force.

        Parameters
        ----------
        forget_empty : bool
            Whether categories without rows are no categories any more.
        """
        self.counts.numbers[self.slots] = self.left
        if forget_empty and self._gone:
            for codes, column, positions in zip(
                self.counts.codes, self.values, self.positions, strict=True
            ):
                for value, slot in zip(column, positions, strict=True):
                    if slot in self._gone:
                        codes.forget(value)
