"""What encoders have in common that may put infrequent categories into one group."""

from __future__ import annotations

from abc import ABCMeta, abstractmethod
from functools import partial
from numbers import Integral, Real
from typing import Any, Self

import numpy as np

from skunlearn._samples.tables import NO_ROWS, take
from skunlearn._unlearning.commit import Replacement
from skunlearn._unlearning.fit_task import fit_task
from skunlearn.base import Removal
from skunlearn.preprocessing._category_columns import ColumnTable, codes_of, count, is_nan
from skunlearn.preprocessing._category_counts import CategoryCounts, Removed
from skunlearn.preprocessing._category_encoder import CategoryEncoder, refusing


class GroupingEncoder(CategoryEncoder, metaclass=ABCMeta):
    """An encoder whose outputs follow from each category's position, or its group's.

    Categories are counted at the first request, or in `fit` where infrequent ones are grouped. A
    subclass says in `_settle` what else follows from categories and counts, and in `_destinations`
    where each category ends up in the output.
    """

    _ignores_missing = False  # when infrequent categories are grouped
    max_categories: int | None
    min_frequency: float | None

    @fit_task(prefer_skip_nested_validation=True)
    def fit(self, X: Any, y: Any = None, *, sample_ids: Any = None) -> Self:
        """Find the categories of each feature.

        Parameters
        ----------
        X : array-like or data frame of shape (n_samples, n_features)
            Training rows.

        y : None
            Ignored.

        sample_ids : array-like of shape (n_samples,), default=None
            Ids by which rows can be unlearned; default ``X.index`` for a pandas X, else
            ``0..n_samples-1``.

        Returns
        -------
        self : object
            Fitted encoder.
        """
        self._check_parameters()
        for name in ("_infrequent_indices", "_default_to_infrequent_mappings"):
            self.__dict__.pop(name, None)
        self._infrequent_enabled = (self.max_categories, self.min_frequency) != (None, None)
        samples = self._learn(X, sample_ids, self.handle_unknown)
        numbers = self._count(samples.X.arrays, self.categories_)
        self.__dict__.update(self._settle(self.categories_, numbers, samples.n_samples))
        self._counts = CategoryCounts()
        self._hold(samples)
        return self

    def _check_parameters(self) -> None:
        """Raise if parameters contradict each other."""

    def _count(
        self, columns: list[np.ndarray], categories: list[np.ndarray]
    ) -> list[np.ndarray] | None:
        """Count the rows of each category, where anything depends on it."""
        if not self._infrequent_enabled:
            return None
        return [count(column, known) for column, known in zip(columns, categories, strict=True)]

    def _settle(
        self, categories: list[np.ndarray], numbers: list[np.ndarray] | None, n_samples: int
    ) -> dict[str, Any]:
        """Return the attributes that follow from categories and how many rows are in each.

        Raises
        ------
        ValueError
            If `fit` refuses such rows.
        """
        state: dict[str, Any] = {"categories_": categories}
        if numbers is None:
            return state
        infrequent: list[Any] = []
        mappings: list[Any] = []
        for known, counted in zip(categories, numbers, strict=True):
            counted = self._considered(known, counted)
            rare = self._is_infrequent(counted, n_samples)
            if not rare.any():
                infrequent.append(None)
                mappings.append(None)
                continue
            mapping = np.cumsum(~rare) - 1
            mapping[rare] = counted.size - rare.sum()
            infrequent.append(np.flatnonzero(rare))
            mappings.append(mapping.astype(np.int64, copy=False))
        state["_infrequent_indices"] = infrequent
        state["_default_to_infrequent_mappings"] = mappings
        return state

    def _is_infrequent(self, counted: np.ndarray, n_samples: int) -> np.ndarray:
        """Tell which categories `min_frequency` and `max_categories` put into one group."""
        least, most = self.min_frequency, self.max_categories
        rare = np.zeros(counted.size, dtype=bool)
        if isinstance(least, Integral):
            rare = counted < least
        elif isinstance(least, Real):
            rare = counted < n_samples * least
        if most is not None and most < counted.size - rare.sum() + 1:
            order = np.argsort(counted, kind="stable")
            rare[order[: counted.size - (most - 1)]] = True
        return rare

    @property
    def infrequent_categories_(self) -> list[Any]:
        """Infrequent categories of each feature; None where there are none."""
        pairs = zip(self.categories_, self._infrequent_indices, strict=True)
        return [None if positions is None else known[positions] for known, positions in pairs]

    def _unlearn(self, rows: np.ndarray) -> Removal:
        samples = self._samples
        counts = self._counts
        if not counts.is_made:
            made = CategoryCounts()
            made.make(samples.X, samples.slots(), self.categories_)
            counts.take_over(made)
        removed = counts.taking(samples.X, rows)
        with refusing(self):
            table = None
            if any(samples.X.dtypes):
                kept = samples.slots_without(rows)
                table = samples.X.without_missing(removed.values, kept)
            if table is not None:
                return self._narrowed(table, rows)
            categories = self._categories_left(removed, rows)
            n_remaining = samples.n_samples - rows.size
            numbers = self._numbers_left(removed) if self._infrequent_enabled else None
            same = categories is self.categories_ and self._groups_as_before(numbers, n_remaining)
            state = {} if same else self._settle(categories, numbers, n_remaining)
        edit = partial(removed.take_out, forget_empty=self.categories == "auto")
        return Removal(state, replacements=(Replacement(self, {}, NO_ROWS, edit),))

    def _groups_as_before(self, numbers: list[np.ndarray] | None, n_remaining: int) -> bool:
        """Tell whether the same categories are infrequent as before, the categories being so."""
        if numbers is None:
            return True
        for known, counted, before in zip(
            self.categories_, numbers, self._infrequent_indices, strict=True
        ):
            rare = self._is_infrequent(self._considered(known, counted), n_remaining)
            if rare.any() != (before is not None):
                return False
            if before is not None and not (rare[before].all() and rare.sum() == before.size):
                return False
        return True

    def _considered(self, known: np.ndarray, counted: np.ndarray) -> np.ndarray:
        """Leave out the count of missing values where they are no infrequent category."""
        return counted[:-1] if self._ignores_missing and is_nan(known[-1]) else counted

    def _numbers_left(self, removed: Removed) -> list[np.ndarray]:
        """Return how many rows are left in each category left."""
        numbers = removed.numbers()
        parts = [numbers[span] for span in removed.counts.spans]
        return parts if self.categories != "auto" else [part[part > 0] for part in parts]

    def _narrowed(self, table: ColumnTable, rows: np.ndarray) -> Removal:
        """Fit anew where columns without missing values become columns of another dtype."""
        samples = self._samples
        kept = samples.slots_without(rows)
        columns = take(table, kept).arrays
        categories = self._find_categories(columns, self.handle_unknown)
        state = self._settle(categories, self._count(columns, categories), kept.size)
        state |= {"_samples": samples.with_table(table), "_counts": CategoryCounts()}
        return Removal(state, n_refitted=1, n_passes=kept.size / samples.n_samples)

    def _mappings(self) -> list[Any]:
        """Return, per column, the group of each category; None where there are no groups."""
        return self.__dict__.get("_default_to_infrequent_mappings", [None] * len(self.categories_))

    @abstractmethod
    def _destinations(self) -> list[np.ndarray]:
        """Return, per column, what becomes of each category, and last of an unknown value."""

    def _widths(self) -> list[int]:
        """Return the number of columns that come out for each one that goes in."""
        return [1] * self.n_features_in_

    def _keeps_outputs(self, after: Any, rows: np.ndarray) -> bool:
        if self._widths() != after._widths():
            return False
        given = self.categories != "auto"
        for old, new, before, now in zip(
            self.categories_,
            after.categories_,
            self._destinations(),
            after._destinations(),
            strict=True,
        ):
            if old is not new:
                before = np.append(before[codes_of(new, old)], before[-1])
            end = None if given else -1
            if not np.array_equal(before[:end], now[:end], equal_nan=before.dtype.kind == "f"):
                return False
        return True
