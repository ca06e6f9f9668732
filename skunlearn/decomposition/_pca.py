"""PCA that forgets rows."""

from __future__ import annotations

from numbers import Integral, Real
from typing import Any, ClassVar

import numpy as np
import sklearn.decomposition
from scipy import linalg, sparse
from sklearn.base import BaseEstimator, ClassNamePrefixFeaturesOutMixin, TransformerMixin
from sklearn.utils.validation import check_array, check_is_fitted

from skunlearn._compat import Interval, RealNotInt, StrOptions
from skunlearn._linalg.eigenvectors import smallest_gap, spectrum, with_steady_signs
from skunlearn._linalg.precision import EPS
from skunlearn._statistics.class_moments import moments_of, moments_without
from skunlearn._statistics.joint_moments import JointMoments
from skunlearn._unlearning.affine_map import AffineMap
from skunlearn._unlearning.cost import Foretold
from skunlearn._unlearning.fit_task import fit_task
from skunlearn._unlearning.tags import UnlearningTags
from skunlearn._validation import refuse_overflow, validate_data
from skunlearn.base import Guarantee, Removal, UnlearnerMixin, reads_one_version
from skunlearn.decomposition._generative_model import GenerativeModelMixin
from skunlearn.decomposition._minka import dimension_of_largest_evidence
from skunlearn.exceptions import NotUnlearnableError

# Relative float error above which the scatter is computed anew from the remaining rows.
TOLERANCE = 1e-8


class PCA(
    GenerativeModelMixin,
    UnlearnerMixin,
    ClassNamePrefixFeaturesOutMixin,
    TransformerMixin,
    BaseEstimator,
):
    """Principal component analysis that forgets rows exactly.

    Same parameters, fitted attributes and output as :class:`sklearn.decomposition.PCA` with one of
    its exact solvers. The model keeps mean and scatter of the columns; a request of k rows and d
    columns costs O(k d^2) to update them and O(d^3) to decompose, whatever the number of remaining
    rows.

    Parameters
    ----------
    n_components : int, float or 'mle', default=None
        Number of components; a float between 0 and 1 for as many as explain more than this share of
        the variance, 'mle' for the dimension that Minka's method finds; None for all. A number
        that depends on the rows is chosen anew for each request.

    copy : bool, default=True
        Kept for compatibility: X is never overwritten.

    whiten : bool, default=False
        Whether `transform` divides by the standard deviation of each component.

    svd_solver : {'auto', 'full', 'covariance_eigh'}, default='auto'
        All give the same solution here. scikit-learn's 'randomized' and 'arpack' stop short of it
        at a point that depends on more than the rows; they raise, and 'auto' never chooses them.
        Sparse X goes with 'auto' and 'covariance_eigh'.

    tol : float, default=0.0
        Kept for compatibility: only 'arpack' uses it.

    iterated_power : int or 'auto', default='auto'
        Kept for compatibility: only 'randomized' uses it.

    n_oversamples : int, default=10
        Kept for compatibility: only 'randomized' uses it.

    power_iteration_normalizer : {'auto', 'QR', 'LU', 'none'}, default='auto'
        Kept for compatibility: only 'randomized' uses it.

    random_state : int, RandomState instance or None, default=None
        Kept for compatibility: nothing is random.

    Attributes
    ----------
    components_ : ndarray of shape (n_components, n_features)
        Axes of largest variance, the largest entry of each positive.

    explained_variance_ : ndarray of shape (n_components,)
        Variance along each axis, with ``n_samples - 1`` degrees of freedom.

    explained_variance_ratio_ : ndarray of shape (n_components,)
        Its share of the total variance.

    singular_values_ : ndarray of shape (n_components,)
        Singular values of the centred rows.

    mean_ : ndarray of shape (n_features,)
        Mean of each column.

    n_components_ : int
        Number of components.

    n_samples_ : int
        Number of rows held.

    noise_variance_ : float
        Mean variance along the axes left out.

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
    skunlearn.pipeline.Pipeline : Forgets in the components and in all that follows them.

    Notes
    -----
    The promise is 'numerical' with relative tolerance 1e-8 of the largest entry of an attribute (of
    the spread of the rows for a smaller `mean_`). The error estimate of each request is
    machine epsilon times the number of updates, times the former scatter, divided by the smallest
    gap between the variance along an axis that is kept and any other. Where it would pass the
    tolerance (a removed outlier made up much of the scatter, or two axes have nearly the same
    variance and could be turned into each other) the model is fitted anew on the remaining
    rows, as are tables with no more rows than columns. Where two entries of an axis are tied for
    the largest, the first of them is made positive; scikit-learn leaves this case to rounding.

    References
    ----------
    .. [1] Tipping, Bishop: Mixtures of probabilistic principal component analyzers, Neural
       Computation 11(2), 1999.
    .. [2] Minka: Automatic choice of dimensionality for PCA, NIPS 2000, equation 30.

    Examples
    --------
    >>> from sklearn.datasets import load_wine
    >>> from skunlearn.decomposition import PCA
    >>> X, _ = load_wine(return_X_y=True)
    >>> model = PCA(n_components=2).fit(X, sample_ids="row numbers").unlearn(range(100))
    >>> model.transform(X[100:]).shape
    (78, 2)
    >>> bool(abs(model.components_ - PCA(n_components=2).fit(X[100:]).components_).max() < 1e-8)
    True
    """

    _parameter_constraints: ClassVar[dict[str, Any]] = {
        "n_components": [
            Interval(Integral, 0, None, closed="left"),
            Interval(RealNotInt, 0, 1, closed="neither"),
            StrOptions({"mle"}),
            None,
        ],
        "copy": ["boolean"],
        "whiten": ["boolean"],
        "svd_solver": [StrOptions({"auto", "full", "covariance_eigh", "arpack", "randomized"})],
        "tol": [Interval(Real, 0, None, closed="left")],
        "iterated_power": [StrOptions({"auto"}), Interval(Integral, 0, None, closed="left")],
        "n_oversamples": [Interval(Integral, 1, None, closed="left")],
        "power_iteration_normalizer": [StrOptions({"auto", "QR", "LU", "none"})],
        "random_state": ["random_state"],
    }
    _unlearning_tags = UnlearningTags("numerical", tolerance=TOLERANCE)
    _overwritten: ClassVar[tuple[str, ...]] = ("_moments",)

    def __init__(
        self,
        n_components: Any = None,
        *,
        copy: bool = True,
        whiten: bool = False,
        svd_solver: str = "auto",
        tol: float = 0.0,
        iterated_power: Any = "auto",
        n_oversamples: int = 10,
        power_iteration_normalizer: str = "auto",
        random_state: Any = None,
    ):
        self.n_components = n_components
        self.copy = copy
        self.whiten = whiten
        self.svd_solver = svd_solver
        self.tol = tol
        self.iterated_power = iterated_power
        self.n_oversamples = n_oversamples
        self.power_iteration_normalizer = power_iteration_normalizer
        self.random_state = random_state

    @fit_task(prefer_skip_nested_validation=True)
    def fit(self, X: Any, y: Any = None, *, sample_ids: Any = None) -> PCA:
        """Fit the model.

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
            Fitted model.

        Raises
        ------
        ValueError
            If `svd_solver` is not exact, or there are fewer rows or columns than components.
        TypeError
            If X is sparse and ``svd_solver='full'``.
        """
        if self.svd_solver in ("arpack", "randomized"):
            raise ValueError(
                f"svd_solver='{self.svd_solver}' stops short of the solution at a point that "
                "depends on more than the rows, so it cannot be unlearned from. Use "
                "svd_solver='auto', which is exact here."
            )
        if sparse.issparse(X) and self.svd_solver == "full":
            raise TypeError(
                "PCA takes sparse X with svd_solver='auto' and 'covariance_eigh', not with 'full'."
            )
        source = X
        X = validate_data(self, X, dtype=[np.float64, np.float32], accept_sparse="csr")
        self._hold_samples(X, sources=(source, None, None), sample_ids=sample_ids)
        self.__dict__.update(self._from_rows(self._samples.slots()))
        return self

    def _from_rows(self, rows: np.ndarray) -> dict[str, Any]:
        """Decompose anew, as retraining does.

        Tables that are not longer than wide have no use for the scatter.
        """
        X = self._samples.X
        if rows.size > X.shape[1]:
            moments = moments_of(X, None, rows)
            values, axes = spectrum(moments.scatter)
            state, error = self._attributes(moments, moments.mean, values, axes, rows.size)
            if error <= TOLERANCE or sparse.issparse(X):
                return state
        else:
            moments = None
        # The scatter squares singular values: the small ones keep half of their digits at most.
        part = X[rows]
        part = np.asarray(part.toarray() if sparse.issparse(part) else part, dtype=np.float64)
        mean = part.mean(axis=0)
        _, sizes, axes = linalg.svd(part - mean, full_matrices=False)
        return self._attributes(moments, mean, sizes**2, axes, rows.size)[0]

    def _unlearn(self, rows: np.ndarray) -> Removal:
        n_remaining = self._samples.n_samples - rows.size
        try:
            if self._moments is not None and n_remaining > self.n_features_in_:
                moments = moments_without(self._moments, self._samples.X, None, rows)
                values, axes = spectrum(moments.scatter)
                state, error = self._attributes(moments, moments.mean, values, axes, n_remaining)
                if error <= TOLERANCE:
                    return Removal(state, Guarantee("numerical", "state", TOLERANCE, error))
            state = self._from_rows(self._samples.slots_without(rows))
        except ValueError as error:
            raise NotUnlearnableError(
                f"PCA cannot be fitted on the rows that would remain: {error} Nothing was changed."
            ) from error
        n_passes = n_remaining / self._samples.n_samples
        guarantee = Guarantee("numerical", "state", TOLERANCE, EPS)
        return Removal(state, guarantee, n_refitted=1, n_passes=n_passes)

    def _cost(self, rows: np.ndarray) -> Foretold:
        n_remaining = self._samples.n_samples - rows.size
        if self._moments is None or n_remaining <= self.n_features_in_:
            return self._cost_of_fit(rows), None
        return super()._cost(rows)

    def _attributes(
        self,
        moments: JointMoments | None,
        mean: np.ndarray,
        values: np.ndarray,
        axes: np.ndarray,
        n_samples: int,
    ) -> tuple[dict[str, Any], float]:
        """Derive attributes from the spectrum of the scatter, and their relative error."""
        n_features = mean.size
        limit = min(n_samples, n_features)
        variance = values / max(1, n_samples - 1)
        refuse_overflow(self, variance)
        total = variance.sum()
        ratio = np.divide(variance, total, out=np.zeros_like(variance), where=total > 0.0)
        n_components = self._n_chosen(variance, ratio, n_samples, limit)
        noise = float(variance[n_components:].mean()) if n_components < limit else 0.0
        error = EPS
        if moments is not None:
            rounding = EPS * (4 + moments.n_updates) * float(moments.peak.sum())
            gap = smallest_gap(values, n_components) * values[0]
            # A singular value that is nearly zero keeps half the digits of its square.
            least = np.sqrt(values[0] * values[n_components - 1]) if n_components else 1.0
            gap = min(gap, 2.0 * least)
            if n_components < limit:
                gap = min(gap, float(values[n_components:].sum()))
            error = rounding / gap if gap > 0.0 else np.inf
        dtype = self._samples.X.dtype
        state = {
            "mean_": mean.astype(dtype),
            "components_": with_steady_signs(axes[:n_components].copy()).astype(dtype, copy=False),
            "explained_variance_": variance[:n_components].astype(dtype),
            "explained_variance_ratio_": ratio[:n_components].astype(dtype),
            "singular_values_": np.sqrt(values[:n_components]).astype(dtype),
            "noise_variance_": dtype.type(noise) if noise else 0.0,
            "n_components_": n_components,
            "n_samples_": n_samples,
            "_moments": moments,
        }
        return state, error

    def _n_chosen(self, variance: np.ndarray, ratio: np.ndarray, n_samples: int, limit: int) -> int:
        wanted = self.n_components
        if wanted is None:
            # As scikit-learn, whose own choice of solver for sparse rows leaves one out.
            leaves_one = sparse.issparse(self._samples.X) and self.svd_solver == "auto"
            return limit - 1 if leaves_one else limit
        if wanted == "mle":
            if n_samples < self.n_features_in_:
                raise ValueError("n_components='mle' is only supported if n_samples >= n_features")
            return dimension_of_largest_evidence(variance, n_samples)
        if not 0 <= wanted <= limit:
            raise ValueError(
                f"n_components={wanted} must be between 0 and min(n_samples, n_features)={limit} "
                f"with svd_solver={self.svd_solver!r}"
            )
        if 0 < wanted < 1:
            return min(limit, int(np.searchsorted(np.cumsum(ratio), wanted, side="right")) + 1)
        return int(wanted)

    @reads_one_version
    def transform(self, X: Any) -> np.ndarray:
        """Project rows on the components.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Rows to transform.

        Returns
        -------
        X_new : ndarray of shape (n_samples, n_components)
            Projections of the rows less the mean.
        """
        check_is_fitted(self)
        X = validate_data(
            self, X, dtype=[np.float64, np.float32], accept_sparse=["csr", "csc"], reset=False
        )
        projected = X @ self.components_.T
        projected -= self.mean_ @ self.components_.T
        if self.whiten:
            projected /= np.maximum(
                np.sqrt(self.explained_variance_), np.finfo(self.components_.dtype).eps
            )
        return projected

    @reads_one_version
    def inverse_transform(self, X: Any) -> np.ndarray:
        """Map projections back to the space of the rows.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_components)
            Projections.

        Returns
        -------
        X_original : ndarray of shape (n_samples, n_features)
            The points of which `X` are the projections.
        """
        check_is_fitted(self)
        X = check_array(X, input_name="X", dtype=[np.float64, np.float32])
        return X @ self._loadings() + self.mean_

    def _affine_map(self) -> AffineMap:
        """Return the map that `transform` is."""
        axes = self.components_
        if self.whiten:
            spread = np.sqrt(self.explained_variance_)
            axes = axes / np.maximum(spread, np.finfo(axes.dtype).eps)[:, None]
        return AffineMap(self.mean_, np.ones(self.mean_.size), axes)

    @property
    def _n_features_out(self) -> int:
        return len(self.components_)

    def to_predictor(self) -> sklearn.decomposition.PCA:
        """Return scikit-learn's own model for deployment.

        Returns
        -------
        predictor : sklearn.decomposition.PCA
            Fitted; holds no training row.
        """
        return self._as_namesake(sklearn.decomposition.PCA)

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.transformer_tags.preserves_dtype = ["float64", "float32"]
        tags.input_tags.sparse = self.svd_solver in ("auto", "covariance_eigh")
        return tags
