"""SimpleImputer that forgets rows."""

from __future__ import annotations

import numbers
import warnings
from collections.abc import Callable
from typing import Any, ClassVar

import numpy as np
import sklearn.impute
from scipy import sparse

from skunlearn._compat import MissingValues, StrOptions, fitted_indicator, missing_mask
from skunlearn._kernels.column_moments import rounding
from skunlearn._mixins.namesake import InverseMixin, NamesakeTransformer, NamesMixin
from skunlearn._samples.tables import take
from skunlearn._statistics import column_moments
from skunlearn._statistics.order_statistics import (
    Columns,
    OrderStatistics,
    UnsortedColumns,
    medians,
)
from skunlearn._unlearning.fit_task import fit_task
from skunlearn._unlearning.tags import UnlearningTags
from skunlearn._validation import refuse_overflow, validate_data
from skunlearn.base import Guarantee, Removal
from skunlearn.impute._modes import Modes, NoMode, count

_KINDS = (
    "SimpleImputer does not support data with dtype {}. Please provide either a numeric array (with"
    " a floating point or integer dtype) or categorical data represented either as an array with "
    "integer dtype or an array of string values with an object dtype."
)


class SimpleImputer(NamesMixin, InverseMixin, NamesakeTransformer):
    """Replace missing values by a statistic of each column, and forget rows.

    Same parameters, fitted attributes and output as :class:`sklearn.impute.SimpleImputer`. For k
    removed rows, n held ones and d columns, a request costs O(k d) for the mean, and for the median
    O(k d (log n + sqrt(n))) once the first has sorted the columns. For the most frequent value it
    looks at the counts of a column only where that value loses a row. A callable is called anew.

    Parameters
    ----------
    missing_values : int, float, str, np.nan, None or pandas.NA, default=np.nan
        What stands for a missing value.

    strategy : {'mean', 'median', 'most_frequent', 'constant'} or callable, default='mean'
        The statistic; of several most frequent values the smallest. A callable takes the values of
        a column that are not missing.

    fill_value : str or numerical value, default=None
        What 'constant' puts in; None is 0 for numbers, else "missing_value".

    copy : bool, default=True
        If False, try to impute in place.

    add_indicator : bool, default=False
        If True, columns that tell what was missing are added, for the features that had missing
        values in the rows held.

    keep_empty_features : bool, default=False
        If True, features of which no row held has a value are kept.

    Attributes
    ----------
    statistics_ : ndarray of shape (n_features,)
        What is put in for each feature; NaN for one that is dropped.

    indicator_ : sklearn.impute.MissingIndicator or None
        Makes the added columns.

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
    skunlearn.pipeline.Pipeline : Forgets in the imputer and in all that follows it.

    Notes
    -----
    The promise is 'bitwise'; for the mean it is 'numerical' with relative tolerance 1e-10, with the
    means of :class:`~skunlearn.preprocessing.StandardScaler`. What follows an imputer need not be
    brought up to date where a statistic moves in columns in which no remaining row misses a value.

    Examples
    --------
    >>> import numpy as np
    >>> from skunlearn.impute import SimpleImputer
    >>> X = [[1.0], [3.0], [np.nan], [500.0]]
    >>> imputer = SimpleImputer().fit(X, sample_ids=["a", "b", "c", "d"])
    >>> imputer.unlearn("d").transform(X[:3]).ravel()
    array([1., 3., 2.])
    """

    _parameter_constraints: ClassVar[dict[str, Any]] = {
        "missing_values": [MissingValues()],
        "strategy": [StrOptions({"mean", "median", "most_frequent", "constant"}), callable],
        "fill_value": "no_validation",
        "copy": ["boolean"],
        "add_indicator": ["boolean"],
        "keep_empty_features": ["boolean"],
    }
    _overwritten: ClassVar[tuple[str, ...]] = (
        "_empty",
        "_modes",
        "_moments",
        "_n_missing",
        "_order",
    )
    _namesake_class = sklearn.impute.SimpleImputer

    _float_residue = ("_moments", "_n_updates")

    def __init__(
        self,
        *,
        missing_values: Any = np.nan,
        strategy: str | Callable[[np.ndarray], Any] = "mean",
        fill_value: Any = None,
        copy: bool = True,
        add_indicator: bool = False,
        keep_empty_features: bool = False,
    ):
        self.missing_values = missing_values
        self.strategy = strategy
        self.fill_value = fill_value
        self.copy = copy
        self.add_indicator = add_indicator
        self.keep_empty_features = keep_empty_features

    @property
    def _unlearning_tags(self) -> UnlearningTags:
        if self.strategy == "mean":
            return UnlearningTags("numerical", tolerance=column_moments.TOLERANCE)
        return UnlearningTags("bitwise")

    @fit_task(prefer_skip_nested_validation=True)
    def fit(self, X: Any, y: Any = None, *, sample_ids: Any = None) -> SimpleImputer:
        """Compute the statistic of each feature.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Training rows.

        y : None
            Ignored.

        sample_ids : array-like of shape (n_samples,), default=None
            Ids by which rows can be unlearned; default ``X.index`` for a pandas X, else
            ``0..n_samples-1``.

        Returns
        -------
        self : object
            Fitted imputer.
        """
        source = X
        X = self._check_training(X)
        self._hold_samples(X, sources=(source, None, None), sample_ids=sample_ids)
        self._order, self._modes = OrderStatistics(), Modes()
        self.__dict__.pop("indicator_", None)
        X = self._samples.X
        mask = missing_mask(X, self.missing_values)
        self.__dict__.update(self._recompute(X), **self._missing(_per_column(mask)))
        return self

    def _check_training(self, X: Any) -> Any:
        """Validate what `fit` was given."""
        dtype: Any = [np.float64, np.float32]
        if self.strategy in ("most_frequent", "constant"):
            texts = isinstance(X, list) and any(isinstance(e, str) for row in X for e in row)
            dtype = object if texts else None
        marks_nan = self._marks_nan()
        try:
            X = validate_data(
                self,
                X,
                accept_sparse="csr",
                dtype=dtype,
                ensure_all_finite="allow-nan" if marks_nan else True,
            )
        except ValueError as error:
            if "could not convert" not in str(error):
                raise
            raise ValueError(
                f"Cannot use {self.strategy} strategy with non-numeric data:\n{error}"
            ) from None
        numeric = X.dtype.kind in "fiu"
        if numeric and not marks_nan and not isinstance(self.missing_values, numbers.Real):
            raise ValueError(
                "'X' and 'missing_values' types are expected to be both numerical. Got "
                f"X.dtype={X.dtype} and type(missing_values)={type(self.missing_values)}."
            )
        if not numeric and X.dtype.kind != "O":
            raise ValueError(_KINDS.format(X.dtype))
        if sparse.issparse(X) and not marks_nan and self.missing_values == 0:
            raise ValueError(
                "Imputation not possible when missing_values == 0 and input is sparse. Provide a "
                "dense array instead."
            )
        return X

    def _marks_nan(self) -> bool:
        """Tell whether NaN is missing."""
        missing = self.missing_values
        if type(missing).__name__ == "NAType":
            return True
        return isinstance(missing, float | np.floating) and bool(np.isnan(missing))

    def _missing(self, n_missing: np.ndarray) -> dict[str, Any]:
        """Return the attributes that follow from how many values each column misses."""
        former = self.__dict__.get("indicator_")
        indicator = None
        if self.add_indicator:
            has_missing = n_missing > 0
            same = former is not None and np.array_equal(self._n_missing > 0, has_missing)
            indicator = former if same else fitted_indicator(has_missing, self.missing_values)
        return {"_n_missing": n_missing, "indicator_": indicator}

    def _recompute(self, X: Any) -> dict[str, Any]:
        """Compute statistics from rows."""
        if self.strategy == "mean":
            moments = column_moments.from_rows(self._numbers(X), None, np.arange(X.shape[0]))
            refuse_overflow(self, moments[1])
            return self._means(moments, 0)
        if self.strategy == "median":
            return self._medians(UnsortedColumns(self._numbers(X)))
        columns, zeros = self._columns(X)
        if self.strategy == "most_frequent":
            pairs = zip(columns, zeros.tolist(), strict=True)
            return self._most_frequent([count(column, n).mode() for column, n in pairs])
        if self.strategy == "constant":
            return self._constants(np.array([not column.size for column in columns]))
        statistics = np.empty(len(columns))
        statistic: Any = self.strategy
        for j, column in enumerate(columns):
            if sparse.issparse(X):
                column = column[column != 0]
            empty = sparse.issparse(X) and not column.size and self.keep_empty_features
            statistics[j] = 0 if empty else statistic(column)
        return {"statistics_": statistics}

    def _numbers(self, X: Any) -> Any:
        """Return rows with NaN where a value is missing."""
        if self._marks_nan():
            return X
        if not sparse.issparse(X):
            is_missing = missing_mask(X, self.missing_values)
            return np.where(is_missing, X.dtype.type(np.nan), X)
        X = X.copy()
        X.data[X.data == self.missing_values] = np.nan
        return X

    def _columns(self, X: Any) -> tuple[list[np.ndarray], np.ndarray]:
        """Return what is stored of each column and not missing, and how much is not stored."""
        mask = missing_mask(X, self.missing_values)
        if not sparse.issparse(X):
            pairs = zip(np.ascontiguousarray(X.T), np.ascontiguousarray(~mask.T), strict=True)
            columns = [column[known] for column, known in pairs]
            return columns, np.zeros(X.shape[1], dtype=np.int64)
        X, mask = X.tocsc(), mask.tocsc()
        spans = [slice(*X.indptr[j : j + 2]) for j in range(X.shape[1])]
        return [X.data[s][~mask.data[s]] for s in spans], X.shape[0] - np.diff(X.indptr)

    def _means(self, moments: np.ndarray, n_updates: int) -> dict[str, Any]:
        means = np.where(moments[0] > 0, moments[1], 0.0 if self.keep_empty_features else np.nan)
        return {"_moments": moments, "_n_updates": n_updates, "statistics_": means}

    def _medians(self, columns: Columns) -> dict[str, Any]:
        is_sparse = sparse.issparse(self._samples.X)
        found = medians(columns, doubled=not is_sparse)
        if self.keep_empty_features:
            found[columns.n_values == 0] = 0
        return {"statistics_": found.astype(np.float64) if is_sparse else found}

    def _most_frequent(self, modes: list[Any]) -> dict[str, Any]:
        dtype = object if self._samples.X.dtype.kind == "O" else np.float64
        statistics = np.empty(len(modes), dtype=dtype)
        blank = 0 if self.keep_empty_features else np.nan
        for j, mode in enumerate(modes):
            statistics[j] = blank if mode is NoMode.EMPTY else mode
        return {"_found": modes, "statistics_": statistics}

    def _constants(self, empty: np.ndarray) -> dict[str, Any]:
        """Have scikit-learn tell what becomes of columns with values and of those without."""
        held = self._samples.X
        present = 2 if not self._marks_nan() and self.missing_values == 1 else 1
        rows = np.full((1, empty.size), present, dtype=held.dtype)
        if empty.any():
            rows[:, empty] = np.nan if self._marks_nan() else self.missing_values
        parameters = self.get_params(deep=False) | {"add_indicator": False}
        namesake = self._namesake_class(**parameters)
        namesake.fit(sparse.csc_matrix(rows) if sparse.issparse(held) else rows)
        return {"_empty": empty, "statistics_": namesake.statistics_}

    def _unlearn(self, rows: np.ndarray) -> Removal:
        samples = self._samples
        gone = take(samples.X, rows)
        lost = _per_column(missing_mask(gone, self.missing_values))
        missing = self._missing(self._n_missing - lost)
        if self.strategy == "mean":
            return self._without(self._numbers(gone), rows, missing)
        if self.strategy == "median":
            if not self._order.is_built:
                self._order.build(self._numbers(self._rows_held()))
            columns = self._order.without(self._numbers(gone))
            return Removal(
                self._medians(columns) | missing, replacements=self._edit(columns.edit())
            )
        if self.strategy == "most_frequent":
            if not self._modes.is_built:
                self._modes.build(*self._columns(self._rows_held()))
            found, edit = self._modes.without(self._found, *self._columns(gone))
            return Removal(self._most_frequent(found) | missing, replacements=self._edit(edit))
        if self.strategy == "constant" and not sparse.issparse(samples.X):
            empty = missing["_n_missing"] == samples.n_samples - rows.size
            if np.array_equal(empty, self._empty):
                return Removal(missing)
        with warnings.catch_warnings():  # of columns without values: `fit` has its say
            warnings.simplefilter("ignore", FutureWarning)
            kept = take(samples.X, samples.slots_without(rows))
            n_passes = kept.shape[0] / samples.n_samples
            return Removal(self._recompute(kept) | missing, n_refitted=1, n_passes=n_passes)

    def _without(self, gone: Any, rows: np.ndarray, missing: dict[str, Any]) -> Removal:
        """Take rows out of the means."""
        left, loss = column_moments.without_rows(
            self._moments, gone, None, np.arange(gone.shape[0])
        )
        n_updates = self._n_updates + 1
        error = rounding(loss, n_updates)
        n_refitted = int(error > column_moments.TOLERANCE)
        if n_refitted:
            error = rounding(1.0, 0)
            kept = take(self._samples.X, self._samples.slots_without(rows))
            means = self._recompute(kept)
        else:
            means = self._means(left, n_updates)
        guarantee = Guarantee("numerical", "state", column_moments.TOLERANCE, error)
        n_passes = n_refitted * (1.0 - rows.size / self._samples.n_samples)
        return Removal(means | missing, guarantee, n_refitted, n_passes=n_passes)

    def _keeps_outputs(self, after: Any, rows: np.ndarray) -> bool:
        old, new = self.statistics_, after.statistics_
        if old.dtype != new.dtype:
            return False
        absent, gone = missing_mask(old, np.nan), missing_mask(new, np.nan)
        if not np.array_equal(absent, gone):
            return False
        if self.add_indicator and not np.array_equal(self._n_missing > 0, after._n_missing > 0):
            return False
        moved = ~absent
        moved[moved] = (old[moved] != new[moved]).astype(bool)
        return not after._n_missing[moved].any()

    def _extras(self) -> dict[str, Any]:
        return dict.fromkeys(("_fit_dtype", "_fill_dtype"), self._samples.X.dtype)

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = self._marks_nan()
        tags.input_tags.sparse = True
        return tags


def _per_column(mask: Any) -> np.ndarray:
    """Count what is set in each column of a mask."""
    return np.asarray(mask.sum(axis=0)).ravel().astype(np.int64)
