"""KBinsDiscretizer that forgets rows."""

from __future__ import annotations

import copy
import inspect
import warnings
from collections.abc import Iterator
from numbers import Integral
from typing import Any, ClassVar

import numpy as np
import sklearn.preprocessing
from threadpoolctl import threadpool_limits

from skunlearn._compat import Interval, Options, StrOptions
from skunlearn._mixins.namesake import InverseMixin, NamesakeTransformer, NamesMixin
from skunlearn._samples.subsample import NONE_OUTSIDE, subsample, touches
from skunlearn._statistics.extremes import Extremes, least_of, mirrored
from skunlearn._statistics.order_statistics import (
    Columns,
    OrderStatistics,
    UnsortedColumns,
    quantiles,
)
from skunlearn._unlearning.cost import Foretold
from skunlearn._unlearning.fit_task import fit_task
from skunlearn._unlearning.tags import UnlearningTags
from skunlearn._validation import check_weights, validate_data
from skunlearn.base import Removal
from skunlearn.exceptions import NotUnlearnableError

_NAMESAKE = sklearn.preprocessing.KBinsDiscretizer
_PARAMETERS = inspect.signature(_NAMESAKE).parameters
# Releases of scikit-learn without the parameter interpolate; some warn that the default changes.
_HAS_METHOD = "quantile_method" in _PARAMETERS
_METHOD = _PARAMETERS["quantile_method"].default if _HAS_METHOD else "linear"
_METHODS = {
    *("inverted_cdf", "averaged_inverted_cdf", "closest_observation", "hazen", "weibull"),
    *("interpolated_inverted_cdf", "linear", "median_unbiased", "normal_unbiased"),
}
_NARROW = 1e-8


class KBinsDiscretizer(NamesMixin, InverseMixin, NamesakeTransformer):
    """Bin continuous features into intervals, and forget rows.

    Same parameters and fitted attributes as :class:`sklearn.preprocessing.KBinsDiscretizer`, and
    the same values where no subsample is drawn. For k removed rows, n held ones and d columns, a
    request costs O(k d (log n + sqrt(n))) for bins of equal numbers of rows, once the first has
    sorted the columns, and O(k d) for bins of equal width, unless an extreme leaves. Bins found by
    k-means, and bins of weighted rows, are found anew.

    Parameters
    ----------
    n_bins : int or array-like of shape (n_features,), default=5
        Number of bins.

    encode : {'onehot', 'onehot-dense', 'ordinal'}, default='onehot'
        How `transform` tells the bin of a value.

    strategy : {'uniform', 'quantile', 'kmeans'}, default='quantile'
        Bins of equal width, of equal numbers of rows, or around centres of one-dimensional k-means.

    quantile_method : str, default="averaged_inverted_cdf"
        Method of :func:`numpy.percentile` for 'quantile'. Its default is that of the release of
        scikit-learn, 'linear' where that has no such parameter. Weighted rows allow only
        'inverted_cdf' and 'averaged_inverted_cdf'.

    dtype : {np.float32, np.float64}, default=None
        Dtype of what comes out; None keeps that of the input.

    subsample : int or None, default=200_000
        Largest number of rows on which bins are computed; None for all. See Notes.

    random_state : int, RandomState instance or None, default=None
        Seed of the subsample.

    Attributes
    ----------
    bin_edges_ : ndarray of ndarray of shape (n_features,)
        Edges of the bins of each feature.

    n_bins_ : ndarray of shape (n_features,), dtype int
        Number of bins of each feature; narrow ones are joined.

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
    skunlearn.preprocessing.QuantileTransformer : Maps features to a distribution.

    Notes
    -----
    The promise is 'bitwise'. scikit-learn draws the subsample by position, and by weight; here it
    is made of the rows whose ids have the smallest hashes under the seed, so that a row that
    leaves is replaced by one other, whoever left before; their weights count afterwards.

    Examples
    --------
    >>> from skunlearn.preprocessing import KBinsDiscretizer
    >>> X = [[0.0], [1.0], [2.0], [4.0], [400.0]]
    >>> bins = KBinsDiscretizer(2, encode="ordinal", strategy="uniform")
    >>> bins.fit(X, sample_ids=["a", "b", "c", "d", "e"]).unlearn("e").bin_edges_[0]
    array([0., 2., 4.])
    """

    _parameter_constraints: ClassVar[dict[str, Any]] = {
        "n_bins": [Interval(Integral, 2, None, closed="left"), "array-like"],
        "encode": [StrOptions({"onehot", "onehot-dense", "ordinal"})],
        "strategy": [StrOptions({"uniform", "quantile", "kmeans"})],
        "quantile_method": [StrOptions(_METHODS | {_METHOD})],
        "dtype": [Options(type, {np.float64, np.float32}), None],
        "subsample": [Interval(Integral, 1, None, closed="left"), None],
        "random_state": ["random_state"],
    }
    _namesake_class = _NAMESAKE
    _unlearning_tags = UnlearningTags("bitwise")
    _overwritten: ClassVar[tuple[str, ...]] = ("_ends", "_extremes", "_order")

    def __init__(
        self,
        n_bins: Any = 5,
        *,
        encode: str = "onehot",
        strategy: str = "quantile",
        quantile_method: str = _METHOD,
        dtype: Any = None,
        subsample: int | None = 200_000,
        random_state: Any = None,
    ):
        self.n_bins = n_bins
        self.encode = encode
        self.strategy = strategy
        self.quantile_method = quantile_method
        self.dtype = dtype
        self.subsample = subsample
        self.random_state = random_state

    @fit_task(prefer_skip_nested_validation=True)
    def fit(
        self, X: Any, y: Any = None, sample_weight: Any = None, *, sample_ids: Any = None
    ) -> KBinsDiscretizer:
        """Find the bins of each feature.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Training rows.

        y : None
            Ignored.

        sample_weight : array-like of shape (n_samples,), default=None
            Weights of the rows.

        sample_ids : array-like of shape (n_samples,), default=None
            Ids by which rows can be unlearned; default ``X.index`` for a pandas X, else
            ``0..n_samples-1``.

        Returns
        -------
        self : object
            Fitted discretizer.
        """
        source = X
        X = validate_data(self, X, dtype="numeric")
        weight = check_weights(self, sample_weight, X)
        if weight is not None and not _HAS_METHOD and self.quantile_method != _METHOD:
            raise ValueError(
                "quantile_method of weighted rows needs a later release of scikit-learn: "
                "pip install -U scikit-learn"
            )
        self._seed = self._choose_seed(self.random_state)
        self._hold_samples(
            X, None, weight, sources=(source, None, sample_weight), sample_ids=sample_ids
        )
        self._order, self._extremes = OrderStatistics(), Extremes()
        self.__dict__.pop("_encoder", None)
        self.__dict__.update(self._recompute(self._samples.slots()))
        return self

    def _new_encoder(self, n_bins: np.ndarray) -> Any:
        """Return what encodes bins, the former one if their numbers are the same."""
        if self.encode == "ordinal":
            return None
        if "_encoder" in self.__dict__ and np.array_equal(self.n_bins_, n_bins):
            return self._encoder
        empty = np.flatnonzero(n_bins < 1)
        if empty.size:
            raise ValueError(
                f"Feature {empty[0]} has no bin that is wider than 1e-8. Rescale it, or use "
                "encode='ordinal'."
            )
        return sklearn.preprocessing.OneHotEncoder(
            categories=[np.arange(n) for n in n_bins],
            sparse_output=self.encode == "onehot",
            dtype=self._samples.X.dtype if self.dtype is None else self.dtype,
        ).fit(np.zeros((1, n_bins.size)))

    def _attributes(self, edges: np.ndarray, n_bins: np.ndarray) -> dict[str, Any]:
        encoder = self._new_encoder(n_bins)
        return {"bin_edges_": edges, "n_bins_": n_bins, "_encoder": encoder}

    def _by_namesake(self, X: Any, weight: np.ndarray | None = None) -> dict[str, Any]:
        """Have scikit-learn find the bins of some rows."""
        parameters = {name: getattr(self, name) for name in _PARAMETERS}
        alone = {"encode": "ordinal", "subsample": None, "random_state": None}
        namesake = _NAMESAKE(**parameters | alone)
        with threadpool_limits(1, user_api="openmp"):  # k-means adds up in the order of threads
            namesake.fit(X, sample_weight=weight)
        return self._attributes(namesake.bin_edges_, namesake.n_bins_)

    def _recompute(self, slots: np.ndarray) -> dict[str, Any]:
        """Find the bins of the rows in some slots."""
        samples = self._samples
        chosen, largest = subsample(samples, slots, self.subsample, self._seed)
        X = samples.X if chosen.size == samples.n_slots else samples.X[chosen]
        known: dict[str, Any] = {"_largest": largest, "_ends": None}
        if samples.sample_weight is not None:
            return known | self._by_namesake(X, samples.sample_weight[chosen])
        if self.strategy == "kmeans":
            return known | self._by_namesake(X)
        if self.strategy == "uniform":
            ends = np.stack([least_of(X), least_of(X, np.maximum)])
            return known | {"_ends": ends} | self._by_namesake(ends)
        return known | self._by_quantiles(UnsortedColumns(X))

    def _by_quantiles(self, columns: Columns) -> dict[str, Any]:
        """Find bins of equal numbers of rows."""
        n_features = self.n_features_in_
        wanted = _wanted_bins(self.n_bins, n_features)
        n_bins = wanted.copy()
        edges = np.empty(n_features, dtype=object)
        last = columns.n_values - 1
        low, high = columns.at(np.stack([np.zeros_like(last), last], axis=1)).T
        method = "linear" if self.quantile_method == "warn" else self.quantile_method
        for n in np.unique(wanted).tolist():
            found = quantiles(columns, np.true_divide(np.linspace(0, 100, n + 1), 100), method)
            found = found.astype(np.float64, copy=False)
            for j in np.flatnonzero(wanted == n).tolist():
                if low[j] == high[j]:
                    warnings.warn(
                        f"Feature {j} is constant and will be replaced with 0.", stacklevel=4
                    )
                    edges[j], n_bins[j] = np.array([-np.inf, np.inf]), 1
                    continue
                wide = np.ediff1d(found[j], to_begin=np.inf) > _NARROW
                edges[j] = found[j][wide]
                n_bins[j] = edges[j].size - 1
                if n_bins[j] != n:
                    warnings.warn(
                        f"Bins whose width are too small (i.e., <= 1e-8) in feature {j} are "
                        "removed. Consider decreasing the number of bins.",
                        stacklevel=4,
                    )
        return self._attributes(edges, n_bins)

    def _unlearn(self, rows: np.ndarray) -> Removal:
        with warnings.catch_warnings():  # of constant features and narrow bins: `fit` has its say
            warnings.simplefilter("ignore", UserWarning)
            try:
                return self._removal(rows)
            except ValueError as error:
                raise NotUnlearnableError(
                    f"{type(self).__name__} cannot be fitted on the rows that would be left: "
                    f"{error} Nothing was changed."
                ) from error

    def _removal(self, rows: np.ndarray) -> Removal:
        samples = self._samples
        X = samples.X
        if self._spares(rows):
            return Removal({})
        if self._is_computed_anew():
            kept = samples.slots_without(rows)
            n_passes = kept.size / samples.n_samples
            return Removal(self._recompute(kept), n_refitted=1, n_passes=n_passes)
        if self.strategy == "quantile":
            if not self._order.is_built:
                self._order.build(self._rows_held())
            columns = self._order.without(X[rows])
            return Removal(self._by_quantiles(columns), replacements=self._edit(columns.edit()))
        n_features = self.n_features_in_

        def columns_left(columns: list[int]) -> Iterator[np.ndarray]:
            kept = samples.slots_without(rows)
            for j in columns:
                column = X[kept, j % n_features]
                yield column if j < n_features else mirrored(column)

        gone = np.concatenate([X[rows], mirrored(X[rows])], axis=1)
        former = np.concatenate([self._ends[0], mirrored(self._ends[1])])
        least, edit = self._extremes.without(former, gone, columns_left)
        attributes = {}
        if least is not former:
            ends = np.stack(np.split(least, 2))
            ends[1] = mirrored(ends[1])
            attributes = {"_ends": ends} | self._by_namesake(ends)
        return Removal(attributes, replacements=self._edit(edit))

    def _spares(self, rows: np.ndarray) -> bool:
        """Tell whether edges come from a sample of the rows in which none of these is."""
        drawn = self._largest != NONE_OUTSIDE
        return drawn and not touches(self._samples, rows, self._seed, self._largest)

    def _is_computed_anew(self) -> bool:
        return (
            self._largest != NONE_OUTSIDE
            or self._samples.sample_weight is not None
            or self.strategy == "kmeans"
            or not OrderStatistics.takes(self._samples.X.dtype)
        )

    def _cost(self, rows: np.ndarray) -> Foretold:
        if self._is_computed_anew() and not self._spares(rows):
            return self._cost_of_fit(rows), None
        return super()._cost(rows)

    def _keeps_outputs(self, after: Any, rows: np.ndarray) -> bool:
        if self.encode != "ordinal" and not np.array_equal(self.n_bins_, after.n_bins_):
            return False
        samples = self._samples
        kept = None
        for j, (old, new) in enumerate(zip(self.bin_edges_, after.bin_edges_, strict=True)):
            old, new = old[1:-1], new[1:-1]
            if np.array_equal(old, new):
                continue
            kept = samples.slots_without(rows) if kept is None else kept
            values = samples.X[kept, j].astype(self._dtype_out, copy=False)
            before, now = (np.searchsorted(edges, values, side="right") for edges in (old, new))
            if not np.array_equal(before, now):
                return False
        return True

    @property
    def _dtype_out(self) -> Any:
        held = self._samples.X.dtype
        return self.dtype or (held if held in (np.float32, np.float64) else np.float64)

    def _extras(self) -> dict[str, Any]:
        return {} if self._encoder is None else {"_encoder": copy.copy(self._encoder)}


def _wanted_bins(n_bins: Any, n_features: int) -> np.ndarray:
    """Return the number of bins that each feature is to have."""
    if isinstance(n_bins, Integral):
        return np.full(n_features, n_bins, dtype=int)
    wanted = np.array(n_bins)
    if wanted.shape != (n_features,):
        raise ValueError("n_bins must be a scalar or array of shape (n_features,).")
    wrong = np.flatnonzero((wanted < 2) | (wanted != wanted.astype(int))).tolist()
    if wrong:
        raise ValueError(
            "KBinsDiscretizer received an invalid number of bins at indices "
            f"{', '.join(map(str, wrong))}. Number of bins must be at least 2, and must be an int."
        )
    return wanted.astype(int)
