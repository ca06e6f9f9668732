"""What the encoders of labels have in common."""

from __future__ import annotations

from functools import partial
from typing import Any, ClassVar

import numpy as np
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.utils import column_or_1d
from sklearn.utils.validation import check_is_fitted

from skunlearn._samples.ids import check_sample_ids
from skunlearn._samples.store import SampleStore
from skunlearn._samples.tables import NO_ROWS
from skunlearn._unlearning.commit import Replacement
from skunlearn._unlearning.tags import UnlearningTags
from skunlearn.base import Removal, UnlearnerMixin
from skunlearn.preprocessing._category_columns import ColumnTable, codes_of
from skunlearn.preprocessing._category_counts import CategoryCounts, Removed


# mypy does not see the argument that scikit-learn gives classes: outputs stay as they are.
class LabelCounter(UnlearnerMixin, TransformerMixin, BaseEstimator, auto_wrap_output_keys=None):  # type: ignore[call-arg]
    """Base of the encoders of labels: holds them as a column, counts them at the first request."""

    _unlearning_tags = UnlearningTags("bitwise")
    _overwritten: ClassVar[tuple[str, ...]] = ("_counts",)

    classes_: np.ndarray

    def _hold_labels(self, labels: np.ndarray, source: Any, sample_ids: Any) -> None:
        """Hold validated labels."""
        ids = check_sample_ids(sample_ids, source, labels.shape[0])
        table = ColumnTable(False, [None], [np.array(labels, copy=True)])
        self._list_given = not hasattr(source, "dtype")
        self._counts = CategoryCounts()
        self._hold(SampleStore(table, None, None, ids))

    def _shown(self, classes: np.ndarray) -> np.ndarray:
        """Give strings from a list the width of the longest, as an array made of the list has."""
        if self._list_given and classes.dtype.kind in "US":
            return np.array(classes.tolist())
        return classes

    def _unlearn(self, rows: np.ndarray) -> Removal:
        samples = self._samples
        removed = self._taken(rows)
        classes = removed.categories_left(
            0, self.classes_, lambda: (samples.X, samples.slots_without(rows))
        )
        state = {} if classes is self.classes_ else {"classes_": self._shown(classes)}
        edit = partial(removed.take_out, forget_empty=True)
        return Removal(state, replacements=(Replacement(self, {}, NO_ROWS, edit),))

    def _taken(self, rows: np.ndarray) -> Removed:
        """Look removed labels up, in counts that are made now if there are none."""
        samples = self._samples
        if not self._counts.is_made:
            made = CategoryCounts()
            made.make(samples.X, samples.slots(), [self.classes_])
            self._counts.take_over(made)
        return self._counts.taking(samples.X, rows)

    def _keeps_outputs(self, after: Any, rows: np.ndarray) -> bool:
        """Tell whether remaining labels keep their codes: those that go come after all others."""
        old, new = self.classes_, after.classes_
        return old is new or np.array_equal(codes_of(new, old), np.arange(new.size))

    def _outputs_at(self, positions: np.ndarray) -> Any:
        return self.transform(self._before_map(positions).arrays[0])

    # Labels are the rows here, so that there are no targets beside them.
    def find_samples(self, y: Any) -> np.ndarray:  # type: ignore[override]
        """Find the ids of labels that equal the given ones.

        Parameters
        ----------
        y : array-like of shape (n_queries,)
            Labels to look for.

        Returns
        -------
        sample_ids : ndarray of shape (n_found,)
            Distinct ids of the labels equal to any of the queries, in training order.
        """
        return super().find_samples(y)

    def _as_stored(self, X: Any) -> ColumnTable:
        check_is_fitted(self)
        return self._samples.X.like([column_or_1d(X)])

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.two_d_array = False
        tags.target_tags.one_d_labels = True
        return tags
