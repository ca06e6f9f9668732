"""What the encoders of categories have in common."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, ClassVar

import numpy as np
from sklearn.base import BaseEstimator, TransformerMixin

from skunlearn._samples.ids import check_sample_ids
from skunlearn._samples.store import SampleStore
from skunlearn._unlearning.tags import UnlearningTags
from skunlearn._validation import validate_data
from skunlearn.base import UnlearnerMixin
from skunlearn.exceptions import NotUnlearnableError
from skunlearn.preprocessing._category_columns import (
    ColumnTable,
    check_categories,
    check_columns,
    codes_of,
    distinct,
    unknown_values,
)
from skunlearn.preprocessing._category_counts import CategoryCounts, Removed


class CategoryEncoder(UnlearnerMixin, TransformerMixin, BaseEstimator):
    """Base of the encoders: holds rows as columns, and knows their categories."""

    _unlearning_tags = UnlearningTags("bitwise")
    _overwritten: ClassVar[tuple[str, ...]] = ("_counts",)

    categories: Any
    handle_unknown: str
    categories_: list[np.ndarray]
    _counts: CategoryCounts

    def _learn(self, X: Any, sample_ids: Any, handle_unknown: str) -> SampleStore:
        """Validate rows and find their categories; return the rows, not yet held."""
        validate_data(self, X, reset=True, skip_check_array=True)
        columns = check_columns(X)
        ids = check_sample_ids(sample_ids, X, columns[0].size)
        if self.categories != "auto" and len(self.categories) != len(columns):
            raise ValueError(
                "Shape mismatch: if categories is an array, it has to be of shape (n_features,)."
            )
        self.categories_ = self._find_categories(columns, handle_unknown)
        return SampleStore(ColumnTable.copy_of(columns, X), sample_ids=ids)

    def _find_categories(self, columns: list[np.ndarray], handle_unknown: str) -> list[np.ndarray]:
        if self.categories == "auto":
            return [distinct(column) for column in columns]
        return [
            check_categories(given, column, position, handle_unknown)
            for position, (given, column) in enumerate(zip(self.categories, columns, strict=True))
        ]

    def _categories_left(self, removed: Removed, rows: np.ndarray) -> list[np.ndarray]:
        """Return the categories after a request; the list itself if none goes."""
        if self.categories != "auto" or not removed.changes_categories:
            return self.categories_
        samples = self._samples
        return [
            removed.categories_left(column, known, lambda: (samples.X, samples.slots_without(rows)))
            for column, known in enumerate(self.categories_)
        ]

    def _codes(self, X: Any, handle_unknown: str) -> tuple[list[np.ndarray], list[int]]:
        """Validate rows and find the position of each value among the categories.

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
        for position, (column, known) in enumerate(zip(columns, self.categories_, strict=True)):
            found = codes_of(column, known)
            if found.size and found.min() < 0:
                if handle_unknown == "error":
                    raise ValueError(
                        f"Found unknown categories {unknown_values(column, found)} in column "
                        f"{position} during transform"
                    )
                strange.append(position)
            codes.append(found)
        return codes, strange

    def _as_stored(self, X: Any) -> ColumnTable:
        columns = check_columns(X)
        validate_data(self, X, reset=False, skip_check_array=True)
        return self._samples.X.like(columns)

    def _to_namesake(self, cls: type, *private: str) -> Any:
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
