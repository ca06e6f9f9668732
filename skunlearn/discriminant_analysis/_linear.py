"""LinearDiscriminantAnalysis that forgets rows."""

from __future__ import annotations

import warnings
from numbers import Integral, Real
from typing import Any, ClassVar

import numpy as np
import sklearn.discriminant_analysis
from scipy import special
from sklearn.base import ClassNamePrefixFeaturesOutMixin, TransformerMixin
from sklearn.utils.validation import check_is_fitted

from skunlearn._compat import HasMethods, Interval, StrOptions
from skunlearn._linalg.precision import EPS
from skunlearn._mixins.labels import encoded
from skunlearn._mixins.linear_classifier import LinearClassifierMixin
from skunlearn._statistics.class_moments import ClassMoments
from skunlearn._unlearning.commit import snapshot
from skunlearn._unlearning.fit_task import fit_task
from skunlearn._unlearning.tags import UnlearningTags
from skunlearn._validation import validate_data
from skunlearn.base import reads_one_version
from skunlearn.discriminant_analysis._base import DiscriminantAnalysis, Rows
from skunlearn.discriminant_analysis._lda_solvers import (
    TOLERANCE,
    Classes,
    covariance_within,
    solve_eigen,
    solve_lsqr,
    solve_svd,
    total_covariance,
    within_classes,
)


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
    >>> model = LinearDiscriminantAnalysis().fit(X, y, sample_ids="row numbers").unlearn(range(59))
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
        n_axes = limit if self.n_components is None else self.n_components
        means = np.stack([part.mean for part in moments])
        described = Classes(moments, counts, means, priors)
        more, error = self._solve(described, n_axes, rows if fresh else None)
        state: dict[str, Any] = {"means_": means, "priors_": priors} | more
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

    def _solve(
        self, classes: Classes, n_axes: int, rows: Rows | None
    ) -> tuple[dict[str, Any], float]:
        """Solve by moments, and by the rows where they are given and moments are not enough."""
        if self.solver == "svd":
            deviations = None if rows is None else lambda: self._deviations(rows(), classes.means)
            return solve_svd(classes, n_axes, self.tol, self.store_covariance, deviations)
        total = None
        if self._needs_rows:
            assert rows is not None
            kept = rows()
            positions = self._positions_of(kept)
            parts = [
                self._covariance_of(kept[positions == position])
                for position in range(classes.priors.size)
            ]
            within = within_classes(np.tensordot(classes.priors, np.stack(parts), axes=1), EPS)
        else:
            within = within_classes(*covariance_within(classes, self.shrinkage))
        if self.solver == "lsqr":
            return solve_lsqr(classes, within)
        if self._needs_rows:
            total = self._covariance_of(kept)
        elif self.priors is not None or self.shrinkage:
            total = total_covariance(classes, self.shrinkage)
        return solve_eigen(classes, n_axes, within, total)

    def _deviations(self, rows: np.ndarray, means: np.ndarray) -> np.ndarray:
        """Return rows less the means of their classes."""
        deviations = self._samples.X[rows].astype(np.float64)
        deviations -= means[self._positions_of(rows)]
        return deviations

    def _positions_of(self, rows: np.ndarray) -> np.ndarray:
        return encoded(self._fit_targets(rows))[1]

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
