"""QuadraticDiscriminantAnalysis that forgets rows."""

from __future__ import annotations

from numbers import Real
from typing import Any, ClassVar, NamedTuple

import numpy as np
import sklearn.discriminant_analysis
from scipy import linalg, special
from sklearn.utils.validation import check_is_fitted

from skunlearn._compat import HasMethods, Interval, StrOptions
from skunlearn._linalg.eigenvectors import smallest_gap, spectrum, with_steady_signs
from skunlearn._linalg.precision import EPS
from skunlearn._statistics.class_moments import ClassMoments, moments_of
from skunlearn._statistics.joint_moments import JointMoments
from skunlearn._unlearning.fit_task import fit_task
from skunlearn._unlearning.tags import UnlearningTags
from skunlearn._validation import validate_data
from skunlearn.base import reads_one_version
from skunlearn.discriminant_analysis._base import (
    DiscriminantAnalysis,
    Rows,
    shrunk_towards_sphere,
)

# Relative float error above which a class is computed anew from the remaining rows.
TOLERANCE = 1e-8


_ATTRIBUTES = {"scaling": "scalings_", "rotation": "rotations_", "covariance": "covariance_"}


class _Gaussian(NamedTuple):
    """One class: variances along its axes (columns of `rotation`), the largest first."""

    scaling: np.ndarray
    rotation: np.ndarray
    covariance: np.ndarray | None
    error: float


class QuadraticDiscriminantAnalysis(DiscriminantAnalysis):
    """Quadratic discriminant analysis that forgets rows exactly.

    Same parameters, fitted attributes and predictions as
    :class:`sklearn.discriminant_analysis.QuadraticDiscriminantAnalysis` of scikit-learn 1.9, whose
    covariances are the biased ones. The model keeps mean and scatter of each class; a request of k
    rows and d columns costs O(k d^2), and O(d^3) for each class that it touches, whatever the
    number of remaining rows.

    Parameters
    ----------
    solver : {'svd', 'eigen'}, default='svd'
        'svd' takes `reg_param`, 'eigen' takes `shrinkage` and `covariance_estimator`.

    shrinkage : 'auto' or float, default=None
        Part of the sphere that is mixed into each covariance. 'auto' (Ledoit and Wolf) is no
        function of moments: each class that a request touches is estimated anew from its rows.

    priors : array-like of shape (n_classes,), default=None
        Priors of the classes, instead of their shares of the rows.

    reg_param : float, default=0.0
        Part of the identity that is mixed into each covariance.

    store_covariance : bool, default=False
        Whether to set `covariance_`.

    tol : float, default=1e-4
        A class with a variance of at most `tol` along one of its axes is refused.

    covariance_estimator : estimator, default=None
        Sets `covariance_` in its `fit`; a clone of it is fitted for each class that changes.

    Attributes
    ----------
    covariance_ : list of ndarray of shape (n_features, n_features)
        Covariance of each class, if ``store_covariance=True``.

    means_ : ndarray of shape (n_classes, n_features)
        Mean of each class.

    priors_ : ndarray of shape (n_classes,)
        Priors in use.

    rotations_ : list of ndarray of shape (n_features, n_features)
        For each class its axes as columns, the largest entry of each positive (scikit-learn leaves
        the sign to chance).

    scalings_ : list of ndarray of shape (n_features,)
        For each class the variances along its axes.

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
    LinearDiscriminantAnalysis : With one covariance for all classes.

    Notes
    -----
    The promise is 'numerical' with relative tolerance 1e-8. The error estimate of a class is
    machine epsilon times the number of its updates, times its former scatter, divided by its
    smallest variance and by the smallest gap between two of them; a class for which it would pass
    the tolerance is computed anew from its rows. A request that leaves a class with a covariance
    that is not of full rank is refused, as `fit` would refuse what is left.

    References
    ----------
    .. [1] Hastie, Tibshirani, Friedman: The Elements of Statistical Learning, 2nd edition, 2009,
       equation 4.12.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from skunlearn.discriminant_analysis import QuadraticDiscriminantAnalysis
    >>> X, y = load_iris(return_X_y=True)
    >>> model = QuadraticDiscriminantAnalysis(reg_param=0.1)
    >>> model = model.fit(X, y, sample_ids="row numbers").unlearn([7, 11])
    >>> model.priors_.round(3)
    array([0.324, 0.338, 0.338])
    >>> model.predict(X[[7, 60]])
    array([0, 1])
    """

    _parameter_constraints: ClassVar[dict[str, Any]] = {
        "solver": [StrOptions({"svd", "eigen"})],
        "shrinkage": [StrOptions({"auto"}), Interval(Real, 0, 1, closed="both"), None],
        "priors": ["array-like", None],
        "reg_param": [Interval(Real, 0, 1, closed="both")],
        "store_covariance": ["boolean"],
        "tol": [Interval(Real, 0, None, closed="left")],
        "covariance_estimator": [HasMethods("fit"), None],
    }
    _unlearning_tags = UnlearningTags("numerical", tolerance=TOLERANCE)
    _tolerance = TOLERANCE

    def __init__(
        self,
        *,
        solver: str = "svd",
        shrinkage: Any = None,
        priors: Any = None,
        reg_param: float = 0.0,
        store_covariance: bool = False,
        tol: float = 1e-4,
        covariance_estimator: Any = None,
    ):
        self.solver = solver
        self.shrinkage = shrinkage
        self.priors = priors
        self.reg_param = reg_param
        self.store_covariance = store_covariance
        self.tol = tol
        self.covariance_estimator = covariance_estimator

    @fit_task(prefer_skip_nested_validation=False)
    def fit(self, X: Any, y: Any, *, sample_ids: Any = None) -> QuadraticDiscriminantAnalysis:
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
            If the covariance of a class is not of full rank.
        """
        self._check_solver(self.solver)
        self._fit(X, y, sample_ids)
        return self

    def _derive(
        self,
        moments: ClassMoments,
        classes: np.ndarray,
        touched: list[int],
        rows: Rows,
        fresh: bool,
    ) -> tuple[dict[str, Any], float, int]:
        if classes.size < 2:
            raise ValueError(
                f"The number of classes has to be greater than one. Got {classes.size} class."
            )
        parts = list(moments)
        changed: dict[int, _Gaussian] = {}
        slots = rows() if fresh else None
        n_refitted = 0
        for position in touched:
            if parts[position].weight == 1.0:
                raise ValueError(
                    f"y has only 1 sample in class {classes[position]}, covariance is ill defined."
                )
            if not (fresh or self._needs_rows):
                gaussian = self._gaussian(parts[position])
                if gaussian.error <= TOLERANCE:
                    changed[position] = self._checked(gaussian, parts[position], classes[position])
                    continue
            if slots is None:
                slots = rows()
            own = slots[self._samples.y[slots] == classes[position]]
            if not fresh:
                parts[position] = moments_of(self._samples.X, None, own)
                n_refitted += 1
            gaussian = self._gaussian_from_rows(parts[position], own)
            changed[position] = self._checked(gaussian, parts[position], classes[position])
        state = {
            "_moments": tuple(parts),
            "classes_": classes,
            "means_": np.stack([part.mean for part in parts]),
            "priors_": self._priors_of(moments),
        }
        names = ["scaling", "rotation"] + ["covariance"] * self.store_covariance
        for name in names:
            held = [] if fresh else getattr(self, _ATTRIBUTES[name])
            state[_ATTRIBUTES[name]] = [
                getattr(changed[position], name) if position in changed else held[position]
                for position in range(len(parts))
            ]
        return state, max(gaussian.error for gaussian in changed.values()), n_refitted

    def _gaussian(self, part: JointMoments) -> _Gaussian:
        covariance = part.scatter / part.weight
        rounding = EPS * (4 + part.n_updates) * float(part.peak.sum()) / part.weight
        if self.solver == "eigen":
            covariance = shrunk_towards_sphere(covariance, self.shrinkage)
        return self._rotated(covariance, *spectrum(covariance), rounding)

    def _gaussian_from_rows(self, part: JointMoments, rows: np.ndarray) -> _Gaussian:
        """Derive a class from moments that were just computed, with its rows at hand."""
        if self._needs_rows:
            covariance = self._covariance_of(rows)
            gaussian = self._rotated(covariance, *spectrum(covariance), 0.0)
        else:
            gaussian = self._gaussian(part)
            ratio = gaussian.scaling[-1] / gaussian.scaling[0]
            if self.solver == "svd" and TOLERANCE * ratio <= 4.0 * EPS:
                gaps = self._samples.X[rows] - part.mean
                _, sizes, axes = linalg.svd(gaps, full_matrices=False)
                values = sizes**2 / part.weight
                gaussian = self._rotated((values * axes.T) @ axes, values, axes, 0.0)
        return gaussian._replace(error=EPS)

    def _rotated(
        self, covariance: np.ndarray, values: np.ndarray, axes: np.ndarray, rounding: float
    ) -> _Gaussian:
        gap = min(smallest_gap(values, values.size), 1.0) * values[0]
        if self.solver == "svd":
            values = (1.0 - self.reg_param) * values + self.reg_param
            if self.store_covariance and self.reg_param:
                covariance = (values * axes.T) @ axes
        axes = with_steady_signs(axes.copy())
        least = min(gap, values[-1])
        error = rounding / least if least > 0.0 else np.inf
        return _Gaussian(values, axes.T, covariance, error)

    def _checked(self, gaussian: _Gaussian, part: JointMoments, label: Any) -> _Gaussian:
        """Refuse a class whose covariance is not of full rank."""
        n_features = self.n_features_in_
        if (gaussian.scaling > self.tol).sum() == n_features and (
            self.solver == "eigen" or part.weight >= n_features
        ):
            return gaussian
        if self.solver == "svd" and part.weight <= n_features:
            raise linalg.LinAlgError(
                f"The covariance matrix of class {label} is not full rank. When using "
                "`solver='svd'` the number of samples in each class should be more than the number "
                f"of features, but class {label} has {part.weight:.0f} samples and {n_features} "
                "features. Try using `solver='eigen'` and setting the parameter `shrinkage` for "
                "regularization."
            )
        cure = "shrinkage" if self.solver == "eigen" else "reg_param"
        raise linalg.LinAlgError(
            f"The covariance matrix of class {label} is not full rank. Increase the value of "
            f"`{cure}` to reduce the collinearity."
        )

    def _joint_log_likelihood(self, X: Any) -> np.ndarray:
        check_is_fitted(self)
        X = validate_data(self, X, reset=False)
        joint = np.empty((len(X), self.classes_.size))
        for position, (mean, axes, values) in enumerate(
            zip(self.means_, self.rotations_, self.scalings_, strict=True)
        ):
            standard = (X - mean) @ (axes / np.sqrt(values))
            joint[:, position] = -0.5 * (
                np.einsum("ij,ij->i", standard, standard) + np.log(values).sum()
            )
        return joint + np.log(self.priors_)

    @reads_one_version
    def decision_function(self, X: Any) -> np.ndarray:
        """Compute the log posterior of each class, up to a constant.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Rows to predict for.

        Returns
        -------
        scores : ndarray of shape (n_samples,) or (n_samples, n_classes)
            For two classes the log odds of the second.
        """
        joint = self._joint_log_likelihood(X)
        return joint[:, 1] - joint[:, 0] if joint.shape[1] == 2 else joint

    @reads_one_version
    def predict(self, X: Any) -> np.ndarray:
        """Predict the most probable class of each row.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Rows to predict for.

        Returns
        -------
        y : ndarray of shape (n_samples,)
            Labels from `classes_`.
        """
        best = self._joint_log_likelihood(X).argmax(axis=1)
        return self.classes_[best]

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
        return special.log_softmax(self._joint_log_likelihood(X), axis=1)

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
        return special.softmax(self._joint_log_likelihood(X), axis=1)

    def to_predictor(self) -> sklearn.discriminant_analysis.QuadraticDiscriminantAnalysis:
        """Return scikit-learn's own model for deployment.

        Returns
        -------
        predictor : sklearn.discriminant_analysis.QuadraticDiscriminantAnalysis
            Fitted; holds no training row.
        """
        return self._as_namesake(sklearn.discriminant_analysis.QuadraticDiscriminantAnalysis)
