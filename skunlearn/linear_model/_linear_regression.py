"""Ordinary least squares that forgets rows."""

from __future__ import annotations

from numbers import Integral, Real
from typing import Any, ClassVar

import numpy as np
import sklearn.linear_model
from scipy import linalg, sparse
from sklearn.base import MultiOutputMixin

from skunlearn._array_api import to_host
from skunlearn._compat import Interval
from skunlearn._mixins.scoring import RegressorMixin
from skunlearn._unlearning.fit_task import fit_task
from skunlearn.linear_model._least_squares import LeastSquares, nnls


class LinearRegression(MultiOutputMixin, RegressorMixin, LeastSquares):
    """Ordinary least squares that forgets rows exactly.

    Same parameters, fitted attributes and predictions as
    :class:`sklearn.linear_model.LinearRegression`. The model keeps the joint scatter of features
    and targets; a request of k rows and d columns costs O(k d^2) to update it and O(d^3 / 3) to
    solve, whatever the number of remaining rows.

    Parameters
    ----------
    fit_intercept : bool, default=True
        Whether to fit an intercept.

    copy_X : bool, default=True
        Kept for compatibility: X is never overwritten.

    tol : float, default=1e-6
        Singular values below `tol` times the largest count as zero.

    n_jobs : int, default=None
        Kept for compatibility: the solution is direct.

    positive : bool, default=False
        Whether coefficients must be non-negative; dense X only.

    Attributes
    ----------
    coef_ : ndarray of shape (n_features,) or (n_targets, n_features)
        Weights; of all least-squares solutions the one of smallest norm.

    intercept_ : float or ndarray of shape (n_targets,)
        Independent term; 0.0 if ``fit_intercept=False``.

    rank_ : int
        Rank of the centred, weighted rows; computed on access, O(n d^2). Dense X only.

    singular_ : ndarray of shape (min(n_samples, n_features),)
        Their singular values, likewise.

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
    Ridge : With an l2 penalty.

    Notes
    -----
    The promise is 'numerical' with relative tolerance 1e-9, as for :class:`Ridge`. Where columns
    are nearly collinear or of very different size (normal equations would lose more than six
    digits, or singular values might fall below `tol`), each request is solved anew from the rows
    left, as scikit-learn does, at the price of a fit.

    Examples
    --------
    >>> import numpy as np
    >>> from skunlearn.linear_model import LinearRegression
    >>> X, y = np.array([[0.0], [1.0], [2.0], [3.0]]), np.array([1.0, 3.0, 5.0, 99.0])
    >>> model = LinearRegression().fit(X, y, sample_ids="row numbers").unlearn(3)
    >>> model.predict([[10.0]]).round(6)
    array([21.])
    """

    _takes_arrays = True
    _flattens_single_target = False
    _parameter_constraints: ClassVar[dict[str, Any]] = {
        "fit_intercept": ["boolean"],
        "copy_X": ["boolean"],
        "tol": [Interval(Real, 0, None, closed="left")],
        "n_jobs": [None, Integral],
        "positive": ["boolean"],
    }

    def __init__(
        self,
        *,
        fit_intercept: bool = True,
        copy_X: bool = True,
        tol: float = 1e-6,
        n_jobs: int | None = None,
        positive: bool = False,
    ):
        self.fit_intercept = fit_intercept
        self.copy_X = copy_X
        self.tol = tol
        self.n_jobs = n_jobs
        self.positive = positive

    @fit_task(prefer_skip_nested_validation=True)
    def fit(
        self, X: Any, y: Any, sample_weight: Any = None, *, sample_ids: Any = None
    ) -> LinearRegression:
        """Fit the model.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Training rows.

        y : array-like of shape (n_samples,) or (n_samples, n_targets)
            Targets.

        sample_weight : array-like of shape (n_samples,), default=None
            Non-negative weights of the rows.

        sample_ids : array-like of shape (n_samples,), default=None
            Ids by which rows can be unlearned; default ``X.index`` for a pandas X, else
            ``0..n_samples-1``.

        Returns
        -------
        self : object
            Fitted model.
        """
        self._fit(X, y, sample_weight, sample_ids)
        return self

    def _penalties(self, n_targets: int) -> list[float]:
        return [0.0] * n_targets

    def _trusts(self, share: float, tolerance: float) -> bool:
        return tolerance > 1e-6 and share > 1e4 * self.tol**2

    def _solve_from_rows(self, X: np.ndarray, y: np.ndarray, penalties: list[float]) -> np.ndarray:
        if self.positive:
            return np.stack([nnls(X, target) for target in y.T])
        return linalg.lstsq(X, y, cond=self.tol)[0].T

    @property
    def singular_(self) -> np.ndarray:
        """Singular values of the centred, weighted rows, shape (min(n_samples, n_features),)."""
        samples = self.__dict__.get("_samples")
        if samples is None or self.positive or sparse.issparse(samples.X):
            raise AttributeError(f"{type(self).__name__!r} object has no attribute 'singular_'")
        with samples.lock:
            X = self._centred_rows(self._samples, samples.slots(), self._map)[0]
        return samples.publish(linalg.svdvals(X))

    @property
    def rank_(self) -> int:
        """Rank of the centred, weighted rows."""
        singular = to_host(self.singular_)
        return int((singular > self.tol * singular[0]).sum())

    def to_predictor(self) -> sklearn.linear_model.LinearRegression:
        """Return scikit-learn's own model for deployment.

        Returns
        -------
        predictor : sklearn.linear_model.LinearRegression
            Fitted; holds no training row.
        """
        return self._as_namesake(sklearn.linear_model.LinearRegression)

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = not self.positive
        return tags
