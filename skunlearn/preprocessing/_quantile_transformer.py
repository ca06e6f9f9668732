"""QuantileTransformer that forgets rows."""

from __future__ import annotations

import warnings
from numbers import Integral
from typing import Any, ClassVar

import numpy as np
import sklearn.preprocessing
from scipy import sparse
from sklearn.base import OneToOneFeatureMixin

from skunlearn._compat import Interval, StrOptions
from skunlearn._mixins.namesake import InverseMixin, NamesakeTransformer
from skunlearn._samples.subsample import NONE_OUTSIDE, subsample, touches
from skunlearn._samples.tables import take
from skunlearn._statistics.order_statistics import (
    Columns,
    OrderStatistics,
    UnsortedColumns,
    quantiles,
)
from skunlearn._unlearning.cost import Foretold
from skunlearn._unlearning.fit_task import fit_task
from skunlearn._unlearning.tags import UnlearningTags
from skunlearn._validation import validate_data
from skunlearn.base import Removal


class QuantileTransformer(InverseMixin, OneToOneFeatureMixin, NamesakeTransformer):
    """Map each feature to a uniform or normal distribution by its quantiles, and forget rows.

    Same parameters and fitted attributes as :class:`sklearn.preprocessing.QuantileTransformer`, and
    the same values where no subsample is drawn. Then the first request sorts the columns, and each
    one costs O(k d (log n + sqrt(n)) + q d log n) for k removed rows, n held ones, d columns and q
    quantiles. Where a subsample is drawn, a request that is about none of its rows costs O(k), and
    one that is sorts the subsample anew.

    Parameters
    ----------
    n_quantiles : int, default=1000
        Number of quantiles; at most the number of rows held.

    output_distribution : {'uniform', 'normal'}, default='uniform'
        Distribution that features are mapped to.

    ignore_implicit_zeros : bool, default=False
        Whether what a sparse X does not store is left out of account.

    subsample : int or None, default=10_000
        Largest number of rows on which quantiles are computed; None for all. See Notes.

    random_state : int, RandomState instance or None, default=None
        Seed of the subsample.

    copy : bool, default=True
        If False, try to transform in place.

    Attributes
    ----------
    n_quantiles_ : int
        Number of quantiles in use.

    quantiles_ : ndarray of shape (n_quantiles, n_features)
        Values at the quantiles of reference, as many as `n_quantiles_`.

    references_ : ndarray of shape (n_quantiles,)
        Quantiles of reference.

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
    skunlearn.preprocessing.KBinsDiscretizer : Cuts features at quantiles.

    Notes
    -----
    The promise is 'bitwise'. scikit-learn draws the subsample by position; here it is made of the
    rows whose ids have the smallest hashes under the seed, so that a row that leaves is replaced
    by one other, whoever left before. Of sparse rows, too, whole rows are drawn.

    Examples
    --------
    >>> from skunlearn.preprocessing import QuantileTransformer
    >>> X = [[0.0], [1.0], [2.0], [400.0]]
    >>> mapping = QuantileTransformer(n_quantiles=3).fit(X, sample_ids=["a", "b", "c", "d"])
    >>> mapping.unlearn("d").quantiles_.ravel()
    array([0., 1., 2.])
    """

    _parameter_constraints: ClassVar[dict[str, Any]] = {
        "n_quantiles": [Interval(Integral, 1, None, closed="left")],
        "output_distribution": [StrOptions({"uniform", "normal"})],
        "ignore_implicit_zeros": ["boolean"],
        "subsample": [Interval(Integral, 1, None, closed="left"), None],
        "random_state": ["random_state"],
        "copy": ["boolean"],
    }
    _namesake_class = sklearn.preprocessing.QuantileTransformer
    _decisive = ("quantiles_", "references_")
    _unlearning_tags = UnlearningTags("bitwise")
    _overwritten: ClassVar[tuple[str, ...]] = ("_order",)

    def __init__(
        self,
        *,
        n_quantiles: int = 1000,
        output_distribution: str = "uniform",
        ignore_implicit_zeros: bool = False,
        subsample: int | None = 10_000,
        random_state: Any = None,
        copy: bool = True,
    ):
        self.n_quantiles = n_quantiles
        self.output_distribution = output_distribution
        self.ignore_implicit_zeros = ignore_implicit_zeros
        self.subsample = subsample
        self.random_state = random_state
        self.copy = copy

    @fit_task(prefer_skip_nested_validation=True)
    def fit(self, X: Any, y: Any = None, *, sample_ids: Any = None) -> QuantileTransformer:
        """Compute the quantiles of each feature.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Training rows; NaN entries are passed over. A sparse X must not be negative, unless
            `ignore_implicit_zeros` is set.

        y : None
            Ignored.

        sample_ids : array-like of shape (n_samples,), default=None
            Ids by which rows can be unlearned; default ``X.index`` for a pandas X, else
            ``0..n_samples-1``.

        Returns
        -------
        self : object
            Fitted transformer.
        """
        if self.subsample is not None and self.n_quantiles > self.subsample:
            raise ValueError(
                "The number of quantiles cannot be greater than the number of samples used. Got "
                f"{self.n_quantiles} quantiles and {self.subsample} samples."
            )
        source = X
        X = validate_data(
            self,
            X,
            accept_sparse="csr",
            dtype=[np.float64, np.float32],
            ensure_all_finite="allow-nan",
        )
        self._check_zeros(X)
        if self.n_quantiles > X.shape[0]:
            warnings.warn(
                f"n_quantiles ({self.n_quantiles}) is greater than the total number of samples "
                f"({X.shape[0]}). n_quantiles is set to n_samples.",
                stacklevel=4,
            )
        self._seed = self._choose_seed(self.random_state)
        self._hold_samples(X, sources=(source, None, None), sample_ids=sample_ids)
        self._order = OrderStatistics()
        self.__dict__.update(self._recompute(self._samples.slots()))
        return self

    def _check_zeros(self, X: Any) -> None:
        if not sparse.issparse(X):
            if self.ignore_implicit_zeros:
                warnings.warn(
                    "'ignore_implicit_zeros' takes effect only with sparse matrix. This parameter "
                    "has no effect.",
                    stacklevel=5,
                )
        elif not self.ignore_implicit_zeros and (X.data < 0).any():
            raise ValueError("QuantileTransformer only accepts non-negative sparse matrices.")

    def _recompute(self, slots: np.ndarray) -> dict[str, Any]:
        samples = self._samples
        chosen, largest = subsample(samples, slots, self.subsample, self._seed)
        X = samples.X if chosen.size == samples.n_slots else take(samples.X, chosen)
        columns = UnsortedColumns(X, implicit_zeros=not self.ignore_implicit_zeros)
        return self._attributes(columns, slots, largest)

    def _attributes(self, columns: Columns, slots: np.ndarray, largest: int) -> dict[str, Any]:
        n_quantiles = max(1, min(self.n_quantiles, slots.size))
        references = np.linspace(0, 1, n_quantiles, endpoint=True)
        # scikit-learn and NumPy multiply by 100 and divide by it.
        found = quantiles(columns, references * 100 / 100)
        empty = columns.n_values == 0
        if empty.any() and sparse.issparse(self._samples.X):
            stored = np.bincount(self._samples.X[slots].indices, minlength=empty.size)
            found[empty & (stored == 0)] = 0.0
        return {
            "_largest": largest,
            "n_quantiles_": n_quantiles,
            "references_": references,
            "quantiles_": np.ascontiguousarray(found.T),
        }

    def _unlearn(self, rows: np.ndarray) -> Removal:
        samples = self._samples
        kept = samples.slots_without(rows)
        if self._largest != NONE_OUTSIDE:
            if not touches(samples, rows, self._seed, self._largest):
                return Removal({})
            n_passes = kept.size / samples.n_samples
            return Removal(self._recompute(kept), n_refitted=1, n_passes=n_passes)
        if not self._order.is_built:
            implicit_zeros = not self.ignore_implicit_zeros
            self._order.build(self._rows_held(), implicit_zeros=implicit_zeros)
        columns = self._order.without(take(samples.X, rows))
        attributes = self._attributes(columns, kept, NONE_OUTSIDE)
        return Removal(attributes, replacements=self._edit(columns.edit()))

    def _cost(self, rows: np.ndarray) -> Foretold:
        drawn = self._largest != NONE_OUTSIDE
        if drawn and touches(self._samples, rows, self._seed, self._largest):
            return self._cost_of_fit(rows), None
        return super()._cost(rows)

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = True
        tags.input_tags.sparse = True
        return tags
