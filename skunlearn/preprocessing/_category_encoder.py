"""What the encoders of categories have in common."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from numbers import Integral, Real
from typing import Any

import numpy as np
from sklearn.base import BaseEstimator, TransformerMixin

from skunlearn._ids import check_sample_ids
from skunlearn._sample_store import SampleStore
from skunlearn._swap import Swap
from skunlearn._tables import take
from skunlearn._tags import UnlearningTags
from skunlearn._validation import validate_data
from skunlearn.base import Removal, UnlearnerMixin
from skunlearn.exceptions import NotUnlearnableError
from skunlearn.preprocessing._category_counts import CategoryCounts, Removed
from skunlearn.preprocessing._columns import (
    ColumnTable,
    check_categories,
    check_columns,
    codes_of,
    count,
    distinct,
    is_nan,
    unknown_values,
)

NO_ROWS = np.empty(0, dtype=np.intp)


class CategoryEncoder(UnlearnerMixin, TransformerMixin, BaseEstimator):
    """Base of the encoders: holds rows as columns, counts their categories at the first request.

    A subclass says in `_settle` what follows from the categories and the counts, and in
    `_destinations` where each category ends up in the output.
    """

    _ignores_missing = False  # when infrequent categories are grouped
    _unlearning_tags = UnlearningTags("bitwise")

    categories: Any
    handle_unknown: str
    categories_: list[np.ndarray]
    _counts: CategoryCounts

    def _learn(self, X: Any, y: Any, sample_ids: Any, handle_unknown: str) -> SampleStore:
        """Validate rows and find their categories; return the rows, not yet held."""
        validate_data(self, X, reset=True, skip_check_array=True)
        columns = check_columns(X)
        ids = check_sample_ids(sample_ids, X, columns[0].size)
        if self.categories != "auto" and len(self.categories) != len(columns):
            raise ValueError(
                "Shape mismatch: if categories is an array, it has to be of shape (n_features,)."
            )
        self.categories_ = self._find_categories(columns, handle_unknown)
        return SampleStore(ColumnTable.copy_of(columns, X), y, None, ids)

    def _find_categories(self, columns: list[np.ndarray], handle_unknown: str) -> list[np.ndarray]:
        if self.categories == "auto":
            return [distinct(column) for column in columns]
        return [
            check_categories(given, column, place, handle_unknown)
            for place, (given, column) in enumerate(zip(self.categories, columns, strict=True))
        ]

    def _fit(self, X: Any, sample_ids: Any) -> None:
        """Fit an encoder that needs no target."""
        for name in ("_infrequent_indices", "_default_to_infrequent_mappings"):
            self.__dict__.pop(name, None)
        most, least = getattr(self, "max_categories", None), getattr(self, "min_frequency", None)
        self._infrequent_enabled = most is not None or least is not None
        samples = self._learn(X, None, sample_ids, self.handle_unknown)
        numbers = self._count(samples.X.arrays, self.categories_)
        self.__dict__.update(self._settle(self.categories_, numbers, samples.n_samples))
        self._counts = CategoryCounts()
        self._hold(samples)

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
        least, most = getattr(self, "min_frequency", None), getattr(self, "max_categories", None)
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
        return [None if places is None else known[places] for known, places in pairs]

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
            n_left = samples.n_samples - rows.size
            numbers = self._numbers_left(removed) if self._infrequent_enabled else None
            same = categories is self.categories_ and self._groups_as_before(numbers, n_left)
            state = {} if same else self._settle(categories, numbers, n_left)
        edit = removed.in_force(forget_empty=self.categories == "auto")
        return Removal(state, swaps=(Swap(self, {}, NO_ROWS, edit),))

    def _categories_left(self, removed: Removed, rows: np.ndarray) -> list[np.ndarray]:
        """Return the categories after a request; the list itself if none goes."""
        if self.categories != "auto" or not removed.changes_categories:
            return self.categories_
        samples = self._samples
        return [
            removed.categories_left(column, known, lambda: (samples.X, samples.slots_without(rows)))
            for column, known in enumerate(self.categories_)
        ]

    def _groups_as_before(self, numbers: list[np.ndarray] | None, n_left: int) -> bool:
        """Tell whether the same categories are infrequent as before, the categories being so."""
        if numbers is None:
            return True
        for known, counted, before in zip(
            self.categories_, numbers, self._infrequent_indices, strict=True
        ):
            rare = self._is_infrequent(self._considered(known, counted), n_left)
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
        return Removal(state, n_refitted=1)

    def _codes(self, X: Any, handle_unknown: str) -> tuple[list[np.ndarray], list[int]]:
        """Validate rows and find the place of each value among the categories.

        Returns
        -------
        codes : list of ndarray of shape (n_samples,)
            One per column; -1 for unknown values.

        strange : list of int
            The columns that hold unknown values.
        """
        columns = check_columns(X)
        if not isinstance(X, ColumnTable):
            validate_data(self, X, reset=False, skip_check_array=True)
        strange = []
        codes = []
        for place, (column, known) in enumerate(zip(columns, self.categories_, strict=True)):
            found = codes_of(column, known)
            if found.size and found.min() < 0:
                if handle_unknown == "error":
                    raise ValueError(
                        f"Found unknown categories {unknown_values(column, found)} in column "
                        f"{place} during transform"
                    )
                strange.append(place)
            codes.append(found)
        return codes, strange

    def _destinations(self) -> list[np.ndarray]:
        """Return, per column, what becomes of each category, and last of an unknown value."""
        raise NotImplementedError

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

    def _as_stored(self, X: Any) -> ColumnTable:
        columns = check_columns(X)
        validate_data(self, X, reset=False, skip_check_array=True)
        return self._samples.X.like(columns)

    def _namesake(self, cls: type, *private: str) -> Any:
        """Make a fitted instance of scikit-learn's class, with private attributes of its own."""
        with self._check_samples().lock:
            predictor = self._as_namesake(cls)
            for name in ("_infrequent_enabled", *private):
                if name in self.__dict__:
                    predictor.__dict__[name] = self.__dict__[name]
        return predictor

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.categorical = True
        tags.input_tags.allow_nan = True
        return tags


@contextmanager
def refusing(estimator: Any) -> Iterator[None]:
    """Turn what `fit` says against the rows that would be left into a refusal of the request."""
    try:
        yield
    except (ValueError, TypeError) as error:
        raise NotUnlearnableError(
            f"{type(estimator).__name__} cannot be fitted on the rows that would be left: {error} "
            "Nothing was changed."
        ) from error
