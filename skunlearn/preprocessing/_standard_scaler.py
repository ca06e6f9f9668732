"""StandardScaler that forgets rows."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
import sklearn.preprocessing
from scipy import sparse
from sklearn.base import BaseEstimator, OneToOneFeatureMixin, TransformerMixin
from sklearn.utils.sparsefuncs import inplace_column_scale
from sklearn.utils.validation import check_is_fitted

from skunlearn._array_api import cast, to_host
from skunlearn._kernels.column_moments import nearly_uniform, rounding, scale_of
from skunlearn._statistics import column_moments
from skunlearn._unlearning.affine_map import AffineMap
from skunlearn._unlearning.fit_task import fit_task
from skunlearn._unlearning.tags import UnlearningTags
from skunlearn._validation import check_array, check_weights, refuse_overflow, validate_data
from skunlearn.base import Guarantee, Removal, UnlearnerMixin, reads_one_version
from skunlearn.exceptions import NotUnlearnableError

_SPARSE_CENTRING = (
    "Cannot center sparse matrices: pass `with_mean=False` instead. "
    "See docstring for motivation and alternatives."
)


class StandardScaler(UnlearnerMixin, OneToOneFeatureMixin, TransformerMixin, BaseEstimator):
    """Standardize features by removing the mean and scaling to unit variance, and forget rows.

    Same parameters, fitted attributes and output as
    :class:`sklearn.preprocessing.StandardScaler`. A request costs O(k d) for k removed rows and d
    columns; it reads no other row, except where rounding would show (see Notes).

    Parameters
    ----------
    copy : bool, default=True
        If False, try to transform in place.

    with_mean : bool, default=True
        If True, center the data; not possible for sparse X.

    with_std : bool, default=True
        If True, scale the data to unit variance.

    Attributes
    ----------
    scale_ : ndarray of shape (n_features,) or None
        Standard deviation of each feature; 1 for constant features.

    mean_ : ndarray of shape (n_features,) or None
        Mean of each feature.

    var_ : ndarray of shape (n_features,) or None
        Variance (``ddof=0``) of each feature.

    n_samples_seen_ : int, float or ndarray of shape (n_features,)
        Number of the values held, or their weight where `sample_weight` was given and matters; an
        array where it differs between features.

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
    skunlearn.pipeline.Pipeline : Forgets in the scaler and in all that follows it.

    Notes
    -----
    The promise is 'numerical' with relative tolerance 1e-10. Moments are updated by subtraction
    [1]_; the error estimate grows with the ratio of a column's former scatter to its present one,
    and where it would pass the tolerance (a removed outlier dominated the column, or the column
    became constant) the moments are computed anew from the remaining rows.

    References
    ----------
    .. [1] Chan, Golub, LeVeque: Algorithms for computing the sample variance, The American
       Statistician 37(3), 1983.

    Examples
    --------
    >>> from skunlearn.preprocessing import StandardScaler
    >>> scaler = StandardScaler().fit([[0.0], [2.0], [400.0]], sample_ids=["a", "b", "c"])
    >>> scaler.unlearn("c").transform([[0.0], [2.0]])
    array([[-1.],
           [ 1.]])
    """

    _parameter_constraints: ClassVar[dict[str, Any]] = {
        "copy": ["boolean"],
        "with_mean": ["boolean"],
        "with_std": ["boolean"],
    }
    _takes_arrays = True
    _float_residue = ("_moments", "_n_updates")
    _unlearning_tags = UnlearningTags("numerical", tolerance=column_moments.TOLERANCE)
    _overwritten: ClassVar[tuple[str, ...]] = ("_moments",)

    def __init__(self, *, copy: bool = True, with_mean: bool = True, with_std: bool = True):
        self.copy = copy
        self.with_mean = with_mean
        self.with_std = with_std

    @fit_task(prefer_skip_nested_validation=True)
    def fit(
        self, X: Any, y: Any = None, sample_weight: Any = None, *, sample_ids: Any = None
    ) -> StandardScaler:
        """Compute the mean and standard deviation of each feature.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Training rows; NaN entries are passed over.

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
        if sparse.issparse(X) and self.with_mean:
            raise ValueError(_SPARSE_CENTRING)
        weighs = self.with_mean or self.with_std or sparse.issparse(X)
        weight = check_weights(self, sample_weight, X) if weighs else None
        if weight is not None and not weight.sum() > 0.0:
            raise ValueError("The sum of sample_weight must be positive.")
        self._hold_samples(
            X, None, weight, sources=(source, None, sample_weight), sample_ids=sample_ids
        )
        self.__dict__.update(self._recompute(self._samples.slots()))
        return self

    def _recompute(self, rows: np.ndarray) -> dict[str, Any]:
        samples = self._samples
        moments = column_moments.from_rows(samples.X, samples.sample_weight, rows)
        refuse_overflow(self, moments[1])
        return self._attributes(moments, n_updates=0)

    def _attributes(self, moments: np.ndarray, n_updates: int) -> dict[str, Any]:
        mean, var, scale, uniform = scale_of(moments)
        total = moments[0]
        if self._samples.sample_weight is None:
            total = total.astype(np.int64)
        centred = self.with_std or (self.with_mean and not sparse.issparse(self._samples.X))
        publish = self._samples.publish
        return {
            "_moments": moments,
            "_n_updates": n_updates,
            "mean_": publish(mean) if centred else None,
            "var_": publish(var) if self.with_std else None,
            "scale_": publish(scale) if self.with_std else None,
            "n_samples_seen_": total[0] if uniform else publish(total.copy()),
        }

    def _unlearn(self, rows: np.ndarray) -> Removal:
        samples = self._samples
        left, loss = column_moments.without_rows(
            self._moments, samples.X, samples.sample_weight, rows
        )
        n_updates = self._n_updates + 1
        error = rounding(loss, n_updates)
        # Weights that are the same but for rounding are one number if they are summed anew.
        anew = samples.sample_weight is not None and nearly_uniform(left, column_moments.TOLERANCE)
        if error <= column_moments.TOLERANCE and not anew:
            return Removal(self._attributes(left, n_updates), self._guarantee(error))
        kept = samples.slots_without(rows)
        if samples.sample_weight is not None and not samples.sample_weight[kept].any():
            raise NotUnlearnableError("All remaining rows have a sample_weight of zero.")
        attributes = self._recompute(kept)
        n_passes = kept.size / samples.n_samples
        guarantee = self._guarantee(rounding(1.0, 0))
        return Removal(attributes, guarantee, n_refitted=1, n_passes=n_passes)

    @staticmethod
    def _guarantee(error: float) -> Guarantee:
        return Guarantee("numerical", "state", column_moments.TOLERANCE, error)

    @reads_one_version
    def transform(self, X: Any, copy: bool | None = None) -> Any:
        """Standardize rows by centering and scaling.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Rows to transform.

        copy : bool, default=None
            Overrides the parameter `copy`.

        Returns
        -------
        X_tr : {ndarray, sparse matrix} of shape (n_samples, n_features)
            Transformed rows.
        """
        check_is_fitted(self)
        X = validate_data(
            self,
            X,
            reset=False,
            accept_sparse="csr",
            copy=self.copy if copy is None else copy,
            dtype=[np.float64, np.float32],
            force_writeable=True,
            ensure_all_finite="allow-nan",
        )
        if sparse.issparse(X):
            if self.with_mean:
                raise ValueError(_SPARSE_CENTRING)
            if self.scale_ is not None:
                inplace_column_scale(X, 1 / self.scale_)
            return X
        if self.with_mean:
            X -= cast(self.mean_, X)
        if self.with_std:
            X /= cast(self.scale_, X)
        return X

    @reads_one_version
    def inverse_transform(self, X: Any, copy: bool | None = None) -> Any:
        """Scale rows back to the original representation.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Rows to transform back.

        copy : bool, default=None
            Overrides the parameter `copy`.

        Returns
        -------
        X_original : {ndarray, sparse matrix} of shape (n_samples, n_features)
            Rows in original units.
        """
        check_is_fitted(self)
        X = check_array(
            self,
            X,
            accept_sparse="csr",
            copy=self.copy if copy is None else copy,
            dtype=[np.float64, np.float32],
            force_writeable=True,
            ensure_all_finite="allow-nan",
        )
        if sparse.issparse(X):
            if self.with_mean:
                raise ValueError(_SPARSE_CENTRING)
            if self.scale_ is not None:
                inplace_column_scale(X, self.scale_)
            return X
        if self.with_std:
            X *= cast(self.scale_, X)
        if self.with_mean:
            X += cast(self.mean_, X)
        return X

    def _affine_map(self) -> AffineMap:
        """Return the map that `transform` is."""
        n_features = self.n_features_in_
        shift = to_host(self.mean_) if self.with_mean else np.zeros(n_features)
        scale = to_host(self.scale_) if self.with_std else np.ones(n_features)
        return AffineMap(shift, scale)

    def to_predictor(self) -> sklearn.preprocessing.StandardScaler:
        """Return scikit-learn's own scaler for deployment.

        Returns
        -------
        predictor : sklearn.preprocessing.StandardScaler
            Fitted; holds no training row.
        """
        return self._as_namesake(sklearn.preprocessing.StandardScaler)

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = True
        tags.input_tags.sparse = not self.with_mean
        tags.transformer_tags.preserves_dtype = ["float64", "float32"]
        return tags
