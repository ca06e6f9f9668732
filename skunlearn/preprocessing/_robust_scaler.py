"""RobustScaler that forgets rows."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
import sklearn.preprocessing
from scipy import sparse, stats
from sklearn.base import OneToOneFeatureMixin

from skunlearn._mixins.namesake import InverseMixin, NamesakeTransformer
from skunlearn._samples.tables import take
from skunlearn._statistics.order_statistics import (
    Columns,
    OrderStatistics,
    UnsortedColumns,
    medians,
    quantiles,
)
from skunlearn._unlearning.affine_map import AffineMap
from skunlearn._unlearning.fit_task import fit_task
from skunlearn._unlearning.tags import UnlearningTags
from skunlearn._validation import validate_data
from skunlearn.base import Removal

# Up to so many rows `numpy.nanmedian` goes by `numpy.ma.median`.
_FEW_ROWS = 600


class RobustScaler(InverseMixin, OneToOneFeatureMixin, NamesakeTransformer):
    """Scale features by statistics that are robust to outliers, and forget rows.

    Same parameters, fitted attributes and output as :class:`sklearn.preprocessing.RobustScaler`.
    The first request sorts the columns, O(n d log n); each costs O(k d (log n + sqrt(n))) for k
    removed rows, n held ones and d columns, where sqrt(n) counts numbers that are moved up by one
    position.

    Parameters
    ----------
    with_centering : bool, default=True
        If True, subtract the median; not possible for sparse X.

    with_scaling : bool, default=True
        If True, divide by the range between two quantiles.

    quantile_range : tuple (q_min, q_max), 0.0 < q_min < q_max < 100.0, default=(25.0, 75.0)
        Between which percentiles the range is taken.

    copy : bool, default=True
        If False, try to transform in place.

    unit_variance : bool, default=False
        If True, divide such that normally distributed features get a variance of one.

    Attributes
    ----------
    center_ : ndarray of shape (n_features,) or None
        Median of each feature.

    scale_ : ndarray of shape (n_features,) or None
        Range of each feature between the two quantiles; 1 where it is almost zero.

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
    skunlearn.preprocessing.StandardScaler : Scales by mean and standard deviation.

    Notes
    -----
    The promise is 'bitwise'. Quantiles are interpolated as :func:`numpy.nanpercentile` does it.
    Sorted columns take as much memory as the rows; they are not in pickles. A negative zero is
    published as zero, since which of the two zeros is in the middle depends on the order of rows.

    Examples
    --------
    >>> from skunlearn.preprocessing import RobustScaler
    >>> X = [[0.0], [1.0], [2.0], [3.0], [400.0]]
    >>> scaler = RobustScaler().fit(X, sample_ids=["a", "b", "c", "d", "e"])
    >>> scaler.unlearn("e").center_
    array([1.5])
    """

    _parameter_constraints: ClassVar[dict[str, Any]] = {
        "with_centering": ["boolean"],
        "with_scaling": ["boolean"],
        "quantile_range": [tuple],
        "copy": ["boolean"],
        "unit_variance": ["boolean"],
    }
    _namesake_class = sklearn.preprocessing.RobustScaler
    _decisive = ("center_", "scale_")
    _unlearning_tags = UnlearningTags("bitwise")
    _overwritten: ClassVar[tuple[str, ...]] = ("_order",)

    def __init__(
        self,
        *,
        with_centering: bool = True,
        with_scaling: bool = True,
        quantile_range: tuple[float, float] = (25.0, 75.0),
        copy: bool = True,
        unit_variance: bool = False,
    ):
        self.with_centering = with_centering
        self.with_scaling = with_scaling
        self.quantile_range = quantile_range
        self.copy = copy
        self.unit_variance = unit_variance

    @fit_task(prefer_skip_nested_validation=True)
    def fit(self, X: Any, y: Any = None, *, sample_ids: Any = None) -> RobustScaler:
        """Compute the median and the quantiles of each feature.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Training rows; NaN entries are passed over.

        y : None
            Ignored.

        sample_ids : array-like of shape (n_samples,), default=None
            Ids by which rows can be unlearned; default ``X.index`` for a pandas X, else
            ``0..n_samples-1``.

        Returns
        -------
        self : object
            Fitted scaler.
        """
        source = X
        X = validate_data(
            self,
            X,
            accept_sparse="csr",
            dtype=[np.float64, np.float32],
            ensure_all_finite="allow-nan",
        )
        q_min, q_max = self.quantile_range
        if not 0 <= q_min <= q_max <= 100:
            raise ValueError(f"Invalid quantile range: {self.quantile_range}")
        if self.with_centering and sparse.issparse(X):
            raise ValueError(
                "Cannot center sparse matrices: use `with_centering=False` instead. See docstring "
                "for motivation and alternatives."
            )
        self._hold_samples(X, sources=(source, None, None), sample_ids=sample_ids)
        self._order = OrderStatistics()
        X = self._samples.X
        self.__dict__.update(self._attributes(UnsortedColumns(X), X.shape[0]))
        return self

    def _attributes(self, columns: Columns, n_samples: int) -> dict[str, Any]:
        center = scale = None
        if self.with_centering:
            center = medians(columns, doubled=n_samples < _FEW_ROWS)
        if self.with_scaling:
            fractions = np.true_divide(self.quantile_range, 100)
            low, high = quantiles(columns, fractions).T
            scale = high - low
            scale[scale < 10 * np.finfo(scale.dtype).eps] = 1.0
            if self.unit_variance:
                q_min, q_max = self.quantile_range
                scale = scale / (stats.norm.ppf(q_max / 100.0) - stats.norm.ppf(q_min / 100.0))
        return {"center_": center, "scale_": scale}

    def _unlearn(self, rows: np.ndarray) -> Removal:
        samples = self._samples
        if not self._order.is_built:
            self._order.build(self._rows_held())
        columns = self._order.without(take(samples.X, rows))
        attributes = self._attributes(columns, samples.n_samples - rows.size)
        return Removal(attributes, replacements=self._edit(columns.edit()))

    def _affine_map(self) -> AffineMap:
        """Return the map that `transform` is."""
        n_features = self.n_features_in_
        return AffineMap(
            np.zeros(n_features) if self.center_ is None else self.center_,
            np.ones(n_features) if self.scale_ is None else self.scale_,
        )

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = True
        tags.input_tags.sparse = not self.with_centering
        tags.transformer_tags.preserves_dtype = ["float64", "float32"]
        return tags
