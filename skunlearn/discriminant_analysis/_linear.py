"""LinearDiscriminantAnalysis that forgets rows."""

from __future__ import annotations

import warnings
from numbers import Integral, Real
from typing import Any, ClassVar

import numpy as np
import sklearn.discriminant_analysis
from scipy import linalg, special
from scipy.linalg import lapack
from sklearn.base import ClassNamePrefixFeaturesOutMixin, TransformerMixin
from sklearn.utils.validation import check_is_fitted

from skunlearn._compat import HasMethods, Interval, StrOptions
from skunlearn._linalg.eigenvectors import smallest_gap, with_steady_signs
from skunlearn._mixins.linear_classifier import LinearClassifierMixin
from skunlearn._statistics.class_moments import ClassMoments, pooled
from skunlearn._unlearning.commit import snapshot
from skunlearn._unlearning.fit_task import fit_task
from skunlearn._unlearning.tags import UnlearningTags
from skunlearn._validation import validate_data
from skunlearn.base import reads_one_version
from skunlearn.discriminant_analysis._base import (
    EPS,
    DiscriminantAnalysis,
    Rows,
    scatter_error,
    shrunk_towards_sphere,
    thin_svd,
)

# Relative float error above which moments are computed anew from the rows that are left.
TOLERANCE = 1e-9


class LinearDiscriminantAnalysis(
    LinearClassifierMixin,
    ClassNamePrefixFeaturesOutMixin,
    TransformerMixin,
    DiscriminantAnalysis,
):
    """Linear discriminant analysis that forgets rows exactly.

    Same parameters, fitted attributes and predictions as
    :class:`sklearn.discriminant_analysis.LinearDiscriminantAnalysis`. The model keeps mean and
    scatter of each class; a request of k rows, c classes and d columns costs O(k d^2 + c d^2 + d^3)
    whatever the number of remaining rows.

    Parameters
    ----------
    solver : {'svd', 'lsqr', 'eigen'}, default='svd'
        'svd' passes over directions in which classes do not vary; 'lsqr' and 'eigen' take
        `shrinkage` and `covariance_estimator`; 'lsqr' has no `transform`.

    shrinkage : 'auto' or float, default=None
        Part of the sphere that is mixed into the covariance. 'auto' (Ledoit and Wolf) is no
        function of moments: each request estimates it anew from the remaining rows.

    priors : array-like of shape (n_classes,), default=None
        Priors of the classes, instead of their shares of the rows.

    n_components : int, default=None
        Number of columns that `transform` returns, at most ``min(n_classes - 1, n_features)``,
        which is the default.

    store_covariance : bool, default=False
        Whether the solver 'svd' sets `covariance_`, as the others do.

    tol : float, default=1e-4
        Solver 'svd': singular values below count as zero.

    covariance_estimator : estimator, default=None
        Sets `covariance_` in its `fit`; a clone of it is fitted anew for each request.

    Attributes
    ----------
    coef_ : ndarray of shape (n_classes, n_features) or (1, n_features)
        Weights; one row for two classes.

    intercept_ : ndarray of shape (n_classes,) or (1,)
        Independent terms.

    covariance_ : ndarray of shape (n_features, n_features)
        Covariance within classes, weighted by the priors.

    explained_variance_ratio_ : ndarray of shape (n_components,)
        Share of the variance between classes; not with the solver 'lsqr'.

    means_ : ndarray of shape (n_classes, n_features)
        Mean of each class.

    priors_ : ndarray of shape (n_classes,)
        Priors in use.

    scalings_ : ndarray of shape (n_features, rank) or (n_features, n_features)
        Directions that `transform` projects on, the largest entry of each column positive
        (scikit-learn leaves the sign to chance); not with the solver 'lsqr'.

    xbar_ : ndarray of shape (n_features,)
        Mean of the means, weighted by the priors; solver 'svd' only.

    classes_ : ndarray of shape (n_classes,)
        Class labels; a class whose last row is unlearned disappears.

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
    QuadraticDiscriminantAnalysis : With a covariance for each class.

    Notes
    -----
    The promise is 'numerical' with relative tolerance 1e-9. The error estimate of each request is
    machine epsilon times the number of updates, times the largest ratio of a column's former
    scatter to its present one, times the condition of the covariance, divided by the gap between
    the axes of the means. Where it would pass the tolerance (a removed outlier dominated a class,
    columns are collinear within classes), the model is fitted anew on the remaining rows, as it is
    when a class vanishes; ``unlearning_report_.n_refitted`` tells.

    References
    ----------
    .. [1] Duda, Hart, Stork: Pattern Classification, 2nd edition, 2001, section 3.8.3.

    Examples
    --------
    >>> from sklearn.datasets import load_wine
    >>> from skunlearn.discriminant_analysis import LinearDiscriminantAnalysis
    >>> X, y = load_wine(return_X_y=True)
    >>> model = LinearDiscriminantAnalysis().fit(X, y).unlearn(range(59))
    >>> model.classes_
    array([1, 2])
    >>> model.transform(X).shape
    (178, 1)
    """

    _parameter_constraints: ClassVar[dict[str, Any]] = {
        "solver": [StrOptions({"svd", "lsqr", "eigen"})],
        "shrinkage": [StrOptions({"auto"}), Interval(Real, 0, 1, closed="both"), None],
        "n_components": [Interval(Integral, 1, None, closed="left"), None],
        "priors": ["array-like", None],
        "store_covariance": ["boolean"],
        "tol": [Interval(Real, 0, None, closed="left")],
        "covariance_estimator": [HasMethods("fit"), None],
    }
    _unlearning_tags = UnlearningTags("numerical", tolerance=TOLERANCE)
    _tolerance = TOLERANCE

    def __init__(
        self,
        solver: str = "svd",
        shrinkage: Any = None,
        priors: Any = None,
        n_components: int | None = None,
        store_covariance: bool = False,
        tol: float = 1e-4,
        covariance_estimator: Any = None,
    ):
        self.solver = solver
        self.shrinkage = shrinkage
        self.priors = priors
        self.n_components = n_components
        self.store_covariance = store_covariance
        self.tol = tol
        self.covariance_estimator = covariance_estimator

    @fit_task(prefer_skip_nested_validation=False)
    def fit(self, X: Any, y: Any, *, sample_ids: Any = None) -> LinearDiscriminantAnalysis:
        """Fit the model.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Training rows.

        y : array-like of shape (n_samples,)
            Class labels.

        sample_ids : array-like of shape (n_samples,), default=None
            Ids by which rows can be unlearned; default ``X.index`` for a pandas X, else
            ``0..n_samples-1``.

        Returns
        -------
        self : object
            Fitted model.

        Raises
        ------
        NotImplementedError
            If `shrinkage` does not go with the solver.
        scipy.linalg.LinAlgError
            If the covariance is singular and the solver 'eigen'.
        """
        self._check_solver(self.solver)
        self._fit(X, y, sample_ids)
        if self.priors is not None and abs(np.sum(self.priors) - 1.0) > 1e-5:
            warnings.warn("The priors do not sum to 1. Renormalizing", UserWarning, stacklevel=4)
        return self

    def _priors_of(self, moments: ClassMoments) -> np.ndarray:
        priors = super()._priors_of(moments)
        if (priors < 0).any():
            raise ValueError("priors must be non-negative")
        return priors / priors.sum() if abs(priors.sum() - 1.0) > 1e-5 else priors

    def _derive(
        self,
        moments: ClassMoments,
        classes: np.ndarray,
        touched: list[int],
        rows: Rows,
        fresh: bool,
    ) -> tuple[dict[str, Any], float, int]:
        if self._needs_rows and not fresh:
            return {}, np.inf, 0
        counts = np.array([part.weight for part in moments])
        if counts.sum() == classes.size:
            raise ValueError("The number of samples must be more than the number of classes.")
        n_features = self.n_features_in_
        limit = min(classes.size - 1, n_features)
        if self.n_components is not None and self.n_components > limit:
            raise ValueError("n_components cannot be larger than min(n_features, n_classes - 1).")
        priors = self._priors_of(moments)
        state: dict[str, Any] = {
            "means_": np.stack([part.mean for part in moments]),
            "priors_": priors,
        }
        n_axes = limit if self.n_components is None else self.n_components
        solve = {"svd": self._solve_svd, "lsqr": self._solve_lsqr, "eigen": self._solve_eigen}
        more, error = solve[self.solver](
            moments, counts, state["means_"], priors, n_axes, rows if fresh else None
        )
        state |= more
        if classes.size == 2 and more:
            state["coef_"] = state["coef_"][1:] - state["coef_"][:1]
            state["intercept_"] = state["intercept_"][1:] - state["intercept_"][:1]
        if self._samples.X.dtype == np.float32:
            state = {name: value.astype(np.float32) for name, value in state.items()}
        state |= {
            "_moments": moments,
            "_max_components": n_axes,
            "_n_features_out": n_axes,
            "classes_": classes,
        }
        return state, error, 0

    def _solve_svd(
        self,
        moments: ClassMoments,
        counts: np.ndarray,
        means: np.ndarray,
        priors: np.ndarray,
        n_axes: int,
        rows: Any,
    ) -> tuple[dict[str, Any], float]:
        n = counts.sum()
        covariance = pooled(moments, np.full(len(moments), 1.0 / n), "scatter")
        peak = pooled(moments, np.full(len(moments), 1.0 / n), "peak")
        centre = priors @ means
        variance = covariance.diagonal()
        floor = (EPS * n * np.abs(means).max(axis=0)) ** 2
        varies = variance > floor + n * EPS**2 * variance
        if not varies.any():
            raise ValueError("No column of X varies within classes.")
        std = np.sqrt(np.where(varies, variance, 1.0))
        to_sphere, condition = _whitening(covariance, std, varies)
        error = condition * scatter_error(moments, peak, np.maximum(variance, floor))
        if condition * max(self.tol**2, 4.0 * EPS / TOLERANCE) >= 1.0:
            if rows is None:
                return {}, np.inf
            to_sphere = self._whitening_from_rows(rows(), means, std)
        factor = np.sqrt(n * priors / max(1, len(moments) - 1))
        sizes, axes = thin_svd((factor[:, None] * (means - centre)) @ to_sphere)
        rank = int((sizes > self.tol * sizes[0]).sum())
        scalings = with_steady_signs(axes[:rank] @ to_sphere.T).T
        coef = (means - centre) @ scalings
        intercept = -0.5 * (coef**2).sum(axis=1) + np.log(priors)
        coef = coef @ scalings.T
        state = {
            "xbar_": centre,
            "scalings_": scalings,
            "explained_variance_ratio_": _shares(sizes**2, n_axes),
            "coef_": coef,
            "intercept_": intercept - coef @ centre,
        }
        if self.store_covariance:
            state["covariance_"] = pooled(moments, priors / counts, "scatter")
        gap = smallest_gap(sizes**2, rank)
        return state, error / gap if gap > 0.0 else np.inf

    def _whitening_from_rows(
        self, rows: np.ndarray, means: np.ndarray, std: np.ndarray
    ) -> np.ndarray:
        """Do without the scatter where squaring would lose the digits that tell the rank."""
        gaps = self._samples.X[rows].astype(np.float64)
        gaps -= means[self._positions_of(rows)]
        gaps /= std * np.sqrt(rows.size)
        _, values, axes = linalg.svd(gaps, full_matrices=False)
        rank = int((values > self.tol).sum())
        return (axes[:rank] / std).T / values[:rank]

    def _positions_of(self, rows: np.ndarray) -> np.ndarray:
        y = self._fit_targets(rows)
        return np.unique(y, return_inverse=True)[1].reshape(-1)

    def _within_classes(
        self, moments: ClassMoments, counts: np.ndarray, priors: np.ndarray, rows: Any
    ) -> tuple[np.ndarray, np.ndarray, float, float]:
        """Return the covariance within classes, its whitening, its condition and its error."""
        if self._needs_rows:
            kept = rows()
            positions = self._positions_of(kept)
            parts = [
                self._covariance_of(kept[positions == position]) for position in range(len(priors))
            ]
            within = np.tensordot(priors, np.stack(parts), axes=1)
            worn = EPS
        else:
            within = pooled(moments, priors / counts, "scatter")
            within = shrunk_towards_sphere(within, self.shrinkage)
            worn = scatter_error(
                moments, pooled(moments, priors / counts, "peak"), within.diagonal()
            )
        variance = within.diagonal()
        varies = variance > 0.0
        to_sphere, condition = _whitening(within, np.sqrt(np.where(varies, variance, 1.0)), varies)
        if not varies.all():
            condition = np.inf
        return within, to_sphere, condition, condition * worn

    def _solve_lsqr(
        self,
        moments: ClassMoments,
        counts: np.ndarray,
        means: np.ndarray,
        priors: np.ndarray,
        n_axes: int,
        rows: Any,
    ) -> tuple[dict[str, Any], float]:
        covariance, to_sphere, condition, error = self._within_classes(
            moments, counts, priors, rows
        )
        if condition * 4.0 * EPS < TOLERANCE:
            coef = (means @ to_sphere) @ to_sphere.T
        else:
            coef = linalg.lstsq(covariance, means.T)[0].T
        intercept = -0.5 * (means * coef).sum(axis=1) + np.log(priors)
        return {"covariance_": covariance, "coef_": coef, "intercept_": intercept}, error

    def _solve_eigen(
        self,
        moments: ClassMoments,
        counts: np.ndarray,
        means: np.ndarray,
        priors: np.ndarray,
        n_axes: int,
        rows: Any,
    ) -> tuple[dict[str, Any], float]:
        within, to_sphere, condition, error = self._within_classes(moments, counts, priors, rows)
        if not np.isfinite(condition):
            raise linalg.LinAlgError(
                "The covariance within classes is singular. Use solver='svd', or shrinkage."
            )
        shares = counts / counts.sum()
        spread = np.sqrt(shares)[:, None] * (means - shares @ means)
        if self.priors is None and not self.shrinkage and not self._needs_rows:
            sizes, axes = thin_svd(spread @ to_sphere)
            n_between = min(len(means) - 1, sizes.size)
            axes = _completed(with_steady_signs(axes[:n_between]))
            values = np.append(sizes**2, np.zeros(len(axes) - sizes.size))
            gap = smallest_gap(values, n_between)
        else:
            total = self._total_covariance(moments, counts, spread, rows)
            values, vectors = linalg.eigh(to_sphere.T @ (total - within) @ to_sphere)
            values, axes = values[::-1], with_steady_signs(vectors.T[::-1].copy())
            size = np.abs(values).max()
            gap = -np.diff(values).max(initial=-size) / size if size > 0.0 else 0.0
        scalings = to_sphere @ axes.T
        coef = (means @ scalings) @ scalings.T
        state = {
            "covariance_": within,
            "scalings_": scalings,
            "explained_variance_ratio_": _shares(values, n_axes),
            "coef_": coef,
            "intercept_": -0.5 * (means * coef).sum(axis=1) + np.log(priors),
        }
        return state, error / gap if gap > 0.0 else np.inf

    def _total_covariance(
        self, moments: ClassMoments, counts: np.ndarray, spread: np.ndarray, rows: Any
    ) -> np.ndarray:
        if self._needs_rows:
            return self._covariance_of(rows())
        total = pooled(moments, np.full(counts.size, 1.0 / counts.sum()), "scatter")
        return shrunk_towards_sphere(total + spread.T @ spread, self.shrinkage)

    @reads_one_version
    def predict_proba(self, X: Any) -> np.ndarray:
        """Compute the probability of each class.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Rows to predict for.

        Returns
        -------
        proba : ndarray of shape (n_samples, n_classes)
            Columns in the order of `classes_`.
        """
        scores = self.decision_function(X)
        if scores.ndim == 2:
            return special.softmax(scores, axis=1)
        if self.classes_.size == 1:
            return np.ones((scores.size, 1), dtype=scores.dtype)
        return np.stack([special.expit(-scores), special.expit(scores)], axis=1)

    @reads_one_version
    def predict_log_proba(self, X: Any) -> np.ndarray:
        """Compute the log probability of each class.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Rows to predict for.

        Returns
        -------
        log_proba : ndarray of shape (n_samples, n_classes)
            Columns in the order of `classes_`.
        """
        proba = self.predict_proba(X)
        return np.log(np.maximum(proba, np.finfo(proba.dtype).tiny))

    @reads_one_version
    def transform(self, X: Any) -> np.ndarray:
        """Project rows on the directions that separate the classes best.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Rows to transform.

        Returns
        -------
        X_new : ndarray of shape (n_samples, n_components)
            For the solver 'svd' of shape (n_samples, rank) if that is less.

        Raises
        ------
        NotImplementedError
            For the solver 'lsqr'.
        """
        if self.solver == "lsqr":  # it has no directions to project on; the error is the namesake's
            raise NotImplementedError(
                "transform not implemented for 'lsqr' solver (use 'svd' or 'eigen')."
            )
        check_is_fitted(self)
        X = validate_data(self, X, reset=False)
        if self.solver == "svd":
            X = X - self.xbar_
        return X @ self.scalings_[:, : self._max_components]

    def to_predictor(self) -> sklearn.discriminant_analysis.LinearDiscriminantAnalysis:
        """Return scikit-learn's own model for deployment.

        Returns
        -------
        predictor : sklearn.discriminant_analysis.LinearDiscriminantAnalysis
            Fitted; holds no training row.
        """
        view = snapshot(self)
        predictor = view._as_namesake(sklearn.discriminant_analysis.LinearDiscriminantAnalysis)
        predictor._max_components = predictor._n_features_out = view._max_components
        return predictor


def _whitening(
    covariance: np.ndarray, std: np.ndarray, varies: np.ndarray
) -> tuple[np.ndarray, float]:
    """Find a map that makes a covariance the identity, by Cholesky.

    Parameters
    ----------
    covariance : ndarray of shape (n_features, n_features)
    std : ndarray of shape (n_features,)
        By which columns are divided first.
    varies : ndarray of shape (n_features,), dtype bool
        Columns that count.

    Returns
    -------
    to_sphere : ndarray of shape (n_features, n_varying)
        Of no use where the condition is infinite.
    condition : float
        Bound on the norm of the inverse of the correlation matrix.
    """
    if not varies.any():
        return np.zeros((std.size, 0)), np.inf
    correlation = covariance / np.outer(std, std)
    if not varies.all():
        correlation = correlation[np.ix_(varies, varies)]
    factor, failed = lapack.dpotrf(correlation.T, lower=False)
    if failed:
        return np.zeros((std.size, 0)), np.inf
    inverse, failed = lapack.dtrtri(factor, lower=False)
    condition = np.inf if failed else float((inverse * inverse).sum())
    to_sphere = np.zeros((std.size, len(inverse)))
    to_sphere[varies] = inverse / std[varies, None]
    return to_sphere, condition


def _shares(values: np.ndarray, n_axes: int) -> np.ndarray:
    """Return the first values as shares of all, which are zero where classes have one mean."""
    total = values.sum()
    return values[:n_axes] / total if total != 0.0 else np.zeros(n_axes)


def _completed(axes: np.ndarray) -> np.ndarray:
    """Complete orthonormal rows to a basis that depends on them alone."""
    basis = linalg.qr(axes.T)[0].T if len(axes) else np.eye(axes.shape[1])
    return np.vstack([axes, basis[len(axes) :]])
