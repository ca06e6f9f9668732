"""Categories counted and targets added up, kept up to date request by request."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from skunlearn.preprocessing._category_columns import Codes, ColumnTable, codes_of, items
from skunlearn.preprocessing._category_counts import CategoryCounts, Removed
from skunlearn.preprocessing._target_sums import LARGEST, Taken, TargetSums


def numbered(y: np.ndarray, kind: str, classes: np.ndarray | None) -> tuple[np.ndarray, int, int]:
    """Return targets as `TargetSums` takes them, how many classes to count, and how many are."""
    if classes is not None:
        n_targets = classes.size if kind == "multiclass" else 1
        return codes_of(y, classes), n_targets, max(classes.size, n_targets + (kind == "binary"))
    y = y.astype(np.float64, copy=False)
    if np.abs(y).max(initial=0.0) > LARGEST:
        raise ValueError(f"Targets beyond {LARGEST:g} cannot be encoded. Rescale y.")
    return y, 0, 0


def _n_broken(y: np.ndarray) -> np.ndarray:
    """Count the targets that scikit-learn does not take for numbers of classes."""
    return np.array([np.count_nonzero((y != np.floor(y)) | (np.abs(y) >= 2.0**63))])


class TargetIndex(CategoryCounts):
    """Counts of the categories and, slot by slot, sums of the targets; one more slot for all rows.

    Made at `fit`, and at the first request after a copy; left out of pickles and copies.
    """

    sums: TargetSums

    def make_of(
        self,
        table: ColumnTable,
        slots: np.ndarray,
        y: np.ndarray,
        kind: str,
        classes: np.ndarray | None,
        categories: list[np.ndarray],
    ) -> None:
        """Count categories and add targets up."""
        positions = self.make(table, slots, categories)
        self.last = self.spans[-1].stop
        self._kind, self._labels = kind, None
        if classes is not None:
            self._labels = Codes(items(classes), range(classes.size))
        y, n_targets, n_classes = numbered(y, kind, classes)
        everywhere = np.full((positions.shape[0], 1), self.last, dtype=np.intp)
        positions = np.hstack([positions, everywhere])
        self.sums = TargetSums(positions, y, self.last + 1, n_targets, n_classes)
        if classes is None:
            self._spread = _n_broken(y)
        else:
            self._spread = np.bincount(y, minlength=classes.size)

    def as_numbers(self, y: np.ndarray) -> np.ndarray:
        """Return targets that go as `TargetSums` takes them."""
        return y.astype(np.float64, copy=False) if self._labels is None else self._labels.of(y)

    def _spread_of(self, y: np.ndarray) -> np.ndarray:
        """Count the rows of each class, or those whose target is no whole number."""
        if self._labels is None:
            return _n_broken(y)
        return np.bincount(y, minlength=self._spread.size)

    def changes_type(self, y: np.ndarray) -> bool:
        """Tell whether without these targets a class vanishes, or only whole numbers are left."""
        gone = self._spread_of(y)
        return bool(np.any((gone > 0) & (gone == self._spread)))

    def without(
        self, removed: Removed, taken: Taken, y: np.ndarray, *, forget_empty: bool
    ) -> Callable[[], None]:
        """Return what takes the rows out, once the new model is in force."""
        spread = self._spread - self._spread_of(y)

        def take_out() -> None:
            removed.take_out(forget_empty=forget_empty)
            taken.take_out()
            self._spread[:] = spread

        return take_out

    def wipe(self) -> None:
        """Overwrite counts and sums."""
        if self.is_made:
            self.sums.wipe()
        super().wipe()
