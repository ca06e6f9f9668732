"""TargetEncoder that forgets rows."""

from __future__ import annotations

from numbers import Integral, Real
from typing import Any, ClassVar

import numpy as np
import sklearn.preprocessing
from sklearn.base import OneToOneFeatureMixin
from sklearn.utils import check_consistent_length, column_or_1d
from sklearn.utils.multiclass import type_of_target
from sklearn.utils.validation import check_is_fitted

from skunlearn._array_api import to_host
from skunlearn._compat import Interval, StrOptions, check_feature_names_in, check_y, wrap_output
from skunlearn._samples.hashing import hash_rows_for, mix64
from skunlearn._samples.strings import narrowed
from skunlearn._samples.tables import NO_ROWS, take
from skunlearn._unlearning.commit import Replacement
from skunlearn._unlearning.fit_task import fit_task
from skunlearn.base import Removal, reads_one_version
from skunlearn.preprocessing._category_columns import ColumnTable, codes_of, distinct
from skunlearn.preprocessing._category_encoder import CategoryEncoder, refusing
from skunlearn.preprocessing._target_index import TargetIndex, numbered
from skunlearn.preprocessing._target_sums import TargetSums, encode

_TYPES = ("binary", "multiclass", "continuous")


class TargetEncoder(OneToOneFeatureMixin, CategoryEncoder):
    """Encode categories by the mean of the target, shrunk to that of all rows, and forget rows.

    Same parameters and fitted attributes as :class:`sklearn.preprocessing.TargetEncoder`, same
    output of `transform`; `fit_transform` chooses its folds in another way (see Notes). A request
    costs a look-up per removed value and a pass over the categories.

    Parameters
    ----------
    categories : 'auto' or a list of array-like, default='auto'
        The categories of each feature; 'auto' finds them in the rows. Categories that are given
        stay, whatever is unlearned.

    target_type : {'auto', 'continuous', 'binary', 'multiclass'}, default='auto'
        Type of the target; 'auto' infers it from the targets, those left after a request included.

    smooth : 'auto' or float, default='auto'
        For how many rows the mean of all counts in the mean of a category; 'auto' is the empirical
        Bayes estimate.

    cv : int or None, default=5
        Number of folds in `fit_transform`; None is 5. Splitters name rows by their position, which
        changes when rows are forgotten, and are refused.

    shuffle : bool, default=True
        Must be True: folds are random.

    random_state : int, RandomState instance or None, default=None
        Seed of the folds.

    Attributes
    ----------
    encodings_ : list of ndarray
        For each feature, and within it for each class of a multiclass target, the encodings of its
        categories.

    categories_ : list of ndarray
        The categories of each feature, sorted; they change when the last row of one goes.

    target_type_ : str
        Type of the target.

    target_mean_ : float or ndarray of shape (n_classes,)
        Mean of the target, which stands for unknown categories.

    classes_ : ndarray or None
        Classes of a binary or multiclass target.

    sample_ids_ : ndarray of shape (n_samples,)
        Ids of the rows held.

    unlearning_report_ : UnlearningReport
        Outcome of the last request.

    n_features_in_ : int
        Number of features seen during `fit`.

    feature_names_in_ : ndarray of shape (n_features,)
        Names of features seen during `fit`, where X has string names.

    See Also
    --------
    skunlearn.preprocessing.OrdinalEncoder : Does without the target.

    Notes
    -----
    The promise is 'bitwise'. Targets are added up exactly (in integers, on a grid of powers of two)
    and rounded at the end, so that the sums do not depend on the order of the rows or on rows that
    are gone. Encodings may differ from scikit-learn's in the last digits. Where `categories` are
    given, rows of others count in none of them; scikit-learn counts them in the first.

    `fit_transform` encodes each row by the rows of other folds, as in scikit-learn. There the folds
    are cut from the rows in their order, shuffled, and stratified by class. Here the fold of a row
    is a function of the seed, of the row's id, and of how many rows before it bear the same id, so
    that a row stays in its fold when others go. Folds differ a little in size. In a pipeline, the
    steps that follow are fitted anew on what `fit_transform` would give for the remaining rows.

    The default of `shuffle` and `random_state` is that of scikit-learn before 1.9, which asks for a
    splitter instead.

    References
    ----------
    .. [1] Micci-Barreca: A preprocessing scheme for high-cardinality categorical attributes in
       classification and prediction problems, SIGKDD Explorations 3(1), 2001.

    Examples
    --------
    >>> from skunlearn.preprocessing import TargetEncoder
    >>> X, y = [["cat"], ["cat"], ["dog"], ["dog"]], [1.5, 2.5, 10.5, 90.5]
    >>> encoder = TargetEncoder(smooth=0.0).fit(X, y, sample_ids=["a", "b", "c", "d"])
    >>> encoder.unlearn("d").encodings_
    [array([ 2. , 10.5])]
    """

    _parameter_constraints: ClassVar[dict[str, Any]] = {
        "categories": [StrOptions({"auto"}), list],
        "target_type": [StrOptions({"auto", "continuous", "binary", "multiclass"})],
        "smooth": [StrOptions({"auto"}), Interval(Real, 0, None, closed="left")],
        "cv": ["cv_object"],
        "shuffle": ["boolean", StrOptions({"deprecated"})],
        "random_state": ["random_state", StrOptions({"deprecated"})],
    }
    _counts: TargetIndex

    def __init__(
        self,
        categories: Any = "auto",
        target_type: str = "auto",
        smooth: Any = "auto",
        cv: Any = 5,
        shuffle: Any = True,
        random_state: Any = None,
    ):
        self.categories = categories
        self.smooth = smooth
        self.target_type = target_type
        self.cv = cv
        self.shuffle = shuffle
        self.random_state = random_state

    @fit_task(prefer_skip_nested_validation=True)
    def fit(self, X: Any, y: Any, *, sample_ids: Any = None) -> TargetEncoder:
        """Learn the encodings from all rows.

        Use `fit_transform` for rows that a model is fitted on.

        Parameters
        ----------
        X : array-like or data frame of shape (n_samples, n_features)
            Training rows.

        y : array-like of shape (n_samples,)
            Targets.

        sample_ids : array-like of shape (n_samples,), default=None
            Ids by which rows can be unlearned; default ``X.index`` for a pandas X, else
            ``0..n_samples-1``.

        Returns
        -------
        self : object
            Fitted encoder.
        """
        self._fit_with_target(X, y, sample_ids)
        return self

    @fit_task(prefer_skip_nested_validation=True)
    def fit_transform(self, X: Any, y: Any, *, sample_ids: Any = None) -> np.ndarray:
        """Learn the encodings, and encode each row by the rows of other folds.

        Parameters
        ----------
        X : array-like or data frame of shape (n_samples, n_features)
            Training rows.

        y : array-like of shape (n_samples,)
            Targets.

        sample_ids : array-like of shape (n_samples,), default=None
            As in :meth:`fit`; they decide about the folds.

        Returns
        -------
        X_trans : ndarray of shape (n_samples, n_features) or (n_samples, n_features * n_classes)
            Encoded rows; not what ``fit(X, y).transform(X)`` gives.

        Raises
        ------
        ValueError
            If all rows, being few, fall into one fold.
        """
        self._fit_with_target(X, y, sample_ids)
        encoded = self._cross_fitted(self._samples.slots())
        return encoded

    def _fit_with_target(self, X: Any, y: Any, sample_ids: Any) -> None:
        if self.cv is not None and not isinstance(self.cv, Integral):
            raise ValueError(
                f"cv={self.cv!r} names rows by their position, which changes when rows are "
                "forgotten. Pass a number of folds."
            )
        if not self.shuffle:
            raise ValueError(
                "shuffle=False cuts folds by the position of rows, which changes when rows are "
                "forgotten. Use shuffle=True and an integer random_state."
            )
        y = to_host(y)
        check_consistent_length(X, y)
        samples = self._learn(X, sample_ids, "ignore")
        kind = self.target_type
        if kind == "auto":
            kind = _type_of(y)
        if kind == "continuous":
            y = check_y(y, y_numeric=True, estimator=self)
        else:
            y = column_or_1d(y, warn=kind == "binary")
        samples.y = np.array(y, copy=True)
        random_state = None if isinstance(self.random_state, str) else self.random_state
        self._seed = self._choose_seed(random_state)
        slots = samples.slots()
        self._hold(samples)
        self.__dict__.update(self._anew(samples.X, slots, self.categories_))

    def _anew(
        self, table: ColumnTable, slots: np.ndarray, categories: list[np.ndarray]
    ) -> dict[str, Any]:
        """Learn from the given rows alone."""
        y = narrowed(self._samples.y[slots])
        kind = _type_of(y) if self.target_type == "auto" else self.target_type
        classes = None
        if kind != "continuous":
            classes = distinct(y)
            if classes.dtype.kind == "O" and kind == "multiclass":
                classes = np.array(classes.tolist())  # as wide as the longest
            if kind == "binary" and classes.size > 2:
                raise ValueError(
                    f"target_type='binary' needs at most two classes; y has {classes.size}."
                )
            if kind == "multiclass" and classes.size < 3:
                raise ValueError(
                    f"target_type='multiclass' needs three classes or more; y has {classes.size}."
                )
        index = TargetIndex()
        index.make_of(table, slots, y, kind, classes, categories)
        state = {"categories_": categories, "target_type_": kind, "classes_": classes}
        every = [np.ones(known.size, dtype=bool) for known in categories]
        parts = (index.sums.numbers, index.sums.totals, index.sums.scatters)
        return state | self._encodings(kind, parts, index.spans, every) | {"_counts": index}

    def _encodings(
        self,
        kind: str,
        parts: tuple[np.ndarray, np.ndarray, np.ndarray],
        spans: list[slice],
        there: list[np.ndarray],
    ) -> dict[str, Any]:
        """Return the encodings of the categories that are there, and the mean of all targets."""
        encodings, mean = encode(*parts, self.smooth)
        return {
            "encodings_": [
                row[span][chosen]
                for span, chosen in zip(spans, there, strict=True)
                for row in encodings
            ],
            "target_mean_": mean[:, 0] if kind == "multiclass" else mean[0, 0],
        }

    def _unlearn(self, rows: np.ndarray) -> Removal:
        samples, index = self._samples, self._counts
        if not index.is_made:
            slots = samples.slots()
            made = TargetIndex()
            made.make_of(
                samples.X,
                slots,
                samples.y[slots],
                self.target_type_,
                self.classes_,
                self.categories_,
            )
            index.take_over(made)
        removed = index.taking(samples.X, rows)
        with refusing(self):
            if any(samples.X.dtypes):
                kept = samples.slots_without(rows)
                table = samples.X.without_missing(removed.values, kept)
                if table is not None:
                    columns = take(table, kept).arrays
                    categories = self._find_categories(columns, "ignore")
                    state = self._anew(table, kept, categories)
                    state["_samples"] = samples.with_table(table)
                    n_passes = kept.size / samples.n_samples
                    return Removal(state, n_refitted=1, n_passes=n_passes)
            categories = self._categories_left(removed, rows)
            y = index.as_numbers(samples.y[rows])
            if index.changes_type(y):
                kept = samples.slots_without(rows)
                state = self._anew(samples.X, kept, categories)
                n_passes = kept.size / samples.n_samples
                return Removal(state, n_refitted=1, n_passes=n_passes)
        positions = np.array([*removed.positions, [index.last] * rows.size], dtype=np.intp).T
        taken = index.sums.taking(positions, y)
        parts = taken.left()
        if self.categories == "auto":
            there = [parts[0][span] > 0 for span in index.spans]
        else:
            there = [np.ones(known.size, dtype=bool) for known in categories]
        state = self._encodings(self.target_type_, parts, index.spans, there)
        if categories is not self.categories_:
            state["categories_"] = categories
        edit = index.without(removed, taken, y, forget_empty=self.categories == "auto")
        return Removal(state, replacements=(Replacement(self, {}, NO_ROWS, edit),))

    def _keeps_outputs(self, after: Any, rows: np.ndarray) -> bool:
        return False

    def _outputs_at(self, positions: np.ndarray) -> Any:
        with refusing(self):
            return wrap_output(self, self._cross_fitted(self._samples.slots()[positions]))

    def _cross_fitted(self, slots: np.ndarray) -> np.ndarray:
        """Encode rows held, each by the rows of the other folds."""
        samples = self._samples
        codes = [
            codes_of(column, known)
            for column, known in zip(take(samples.X, slots).arrays, self.categories_, strict=True)
        ]
        sizes = [known.size for known in self.categories_]
        starts = np.cumsum([0, *sizes])
        positions = np.full((slots.size, len(codes) + 1), starts[-1], dtype=np.intp)
        for column, found in enumerate(codes):
            positions[:, column] = np.where(found < 0, -1, found + starts[column])
        y, n_targets, n_classes = numbered(samples.y[slots], self.target_type_, self.classes_)
        n_folds = 5 if self.cv is None else self.cv
        folds = self._folds(slots, n_folds)
        out = np.empty((slots.size, len(codes), max(n_targets, 1)))
        for fold in np.unique(folds).tolist():
            test = folds == fold
            if test.all():
                raise ValueError(
                    f"All {slots.size} rows fall into one of {n_folds} folds, so none is left to "
                    "encode them by. Cross-fitting needs more rows."
                )
            sums = TargetSums(positions[~test], y[~test], starts[-1] + 1, n_targets, n_classes)
            encodings, mean = encode(sums.numbers, sums.totals, sums.scatters, self.smooth)
            table = np.concatenate([encodings[:, :-1], mean], axis=1).T
            out[test] = table[positions[test][:, :-1]]
        return out.reshape(slots.size, -1)

    def _folds(self, slots: np.ndarray, n_folds: int) -> np.ndarray:
        """Choose the fold of each row by its id and by how many rows before it bear that id."""
        hashes = self._samples.id_hashes()[slots]
        order = np.argsort(hashes, kind="stable")
        steps = np.arange(order.size)
        starts = np.r_[True, hashes[order][1:] != hashes[order][:-1]]
        occurrence = np.empty(order.size, dtype=np.uint64)
        occurrence[order] = steps - np.maximum.accumulate(np.where(starts, steps, 0))
        numbers = hash_rows_for(self._seed, "fold", hashes ^ mix64(occurrence))
        return (numbers % np.uint64(n_folds)).astype(np.intp)

    @reads_one_version
    def transform(self, X: Any) -> np.ndarray:
        """Encode rows by the encodings learnt from all rows.

        Parameters
        ----------
        X : array-like or data frame of shape (n_samples, n_features)
            Rows to encode.

        Returns
        -------
        X_trans : ndarray of shape (n_samples, n_features) or (n_samples, n_features * n_classes)
            Encoded rows.
        """
        check_is_fitted(self)
        codes, _ = self._codes(X, "ignore")
        means = np.atleast_1d(self.target_mean_)
        out = np.empty((codes[0].size, len(self.encodings_)))
        for position, encoding in enumerate(self.encodings_):
            feature, target = divmod(position, means.size)
            out[:, position] = np.append(encoding, means[target])[codes[feature]]
        return out

    def get_feature_names_out(self, input_features: Any = None) -> np.ndarray:
        """Name the columns of the output.

        Parameters
        ----------
        input_features : array-like of str, default=None
            Names of the features; default those seen during `fit`, or ``x0``, ``x1``, ...

        Returns
        -------
        feature_names_out : ndarray of str objects
            Names of features; with a multiclass target ``feature_class``.
        """
        check_is_fitted(self, "n_features_in_")
        names = check_feature_names_in(self, input_features)
        if self.target_type_ != "multiclass":
            return names
        return np.asarray([f"{name}_{c}" for name in names for c in self.classes_], dtype=object)

    def to_predictor(self) -> sklearn.preprocessing.TargetEncoder:
        """Return scikit-learn's own encoder for deployment.

        Returns
        -------
        predictor : sklearn.preprocessing.TargetEncoder
            Fitted; holds no training row.
        """
        predictor = self._to_namesake(sklearn.preprocessing.TargetEncoder)
        predictor._infrequent_enabled = False
        return predictor

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.target_tags.required = True
        return tags


def _type_of(y: Any) -> str:
    kind = type_of_target(y, input_name="y")
    if kind not in _TYPES:
        raise ValueError(
            f"Unknown label type: Target type was inferred to be {kind!r}. Only {_TYPES} are "
            "supported."
        )
    return kind
