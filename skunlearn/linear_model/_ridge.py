"""Ridge regression that forgets rows."""

from __future__ import annotations

from typing import Any

import sklearn.linear_model
from sklearn.base import MultiOutputMixin

from skunlearn._mixins.scoring import RegressorMixin
from skunlearn._unlearning.fit_task import fit_task
from skunlearn.linear_model._base_ridge import BaseRidge


class Ridge(MultiOutputMixin, RegressorMixin, BaseRidge):
    """Linear least squares with l2 regularization that forgets rows exactly.

    Same parameters, fitted attributes and predictions as :class:`sklearn.linear_model.Ridge`. The
    model keeps the joint scatter of features and targets; a request of k rows and d columns costs
    O(k d^2) to update it and O(d^3 / 3) to solve, whatever the number of remaining rows.

    Parameters
    ----------
    alpha : float or array-like of shape (n_targets,), default=1.0
        Strength of the penalty, non-negative; an array gives each target its own.

    fit_intercept : bool, default=True
        Whether to fit an intercept.

    copy_X : bool, default=True
        Kept for compatibility: X is never overwritten.

    max_iter : int, default=None
        Kept for compatibility: the solution is direct.

    tol : float, default=1e-4
        Kept for compatibility: the solution is direct.

    solver : {'auto', 'svd', 'cholesky', 'lbfgs'}, default='auto'
        All give the same solution here. 'lbfgs' needs ``positive=True``. The iterative solvers of
        scikit-learn ('lsqr', 'sparse_cg', 'sag', 'saga') stop short of the solution at a point that
        depends on more than the rows; they raise.

    positive : bool, default=False
        Whether coefficients must be non-negative; dense X only.

    random_state : int, RandomState instance or None, default=None
        Kept for compatibility: nothing is random.

    Attributes
    ----------
    coef_ : ndarray of shape (n_features,) or (n_targets, n_features)
        Weights.

    intercept_ : float or ndarray of shape (n_targets,)
        Independent term; 0.0 if ``fit_intercept=False``.

    n_iter_ : None
        There are no iterations.

    solver_ : str
        The solver named by `solver`; 'cholesky' for 'auto', 'lbfgs' if ``positive=True``.

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
    LinearRegression : Without the penalty.
    skunlearn.pipeline.Pipeline : Forgets in a scaler in front, too.

    Notes
    -----
    The promise is 'numerical' with relative tolerance 1e-9. The error estimate of each request is
    machine epsilon times the number of updates times the largest ratio of a column's former scatter
    to what the other columns leave of it now; where it would pass the tolerance, as after the
    removal of an outlier that dominated a column, the scatter is computed anew from the remaining
    rows. Tables with no more rows than columns are solved in their dual form and solved anew for
    each request.

    References
    ----------
    .. [1] Hoerl, Kennard: Ridge regression: biased estimation for nonorthogonal problems,
       Technometrics 12(1), 1970.

    Examples
    --------
    >>> from sklearn.datasets import load_diabetes
    >>> from skunlearn.linear_model import Ridge
    >>> X, y = load_diabetes(return_X_y=True)
    >>> model = Ridge(alpha=0.1).fit(X, y, sample_ids="row numbers").unlearn([7, 11, 13])
    >>> model.unlearning_report_.n_remaining
    439
    >>> bool(abs(model.coef_ - Ridge(alpha=0.1).fit(X[14:], y[14:]).coef_).max() > 1)
    True
    """

    _takes_arrays = True

    def __init__(
        self,
        alpha: Any = 1.0,
        *,
        fit_intercept: bool = True,
        copy_X: bool = True,
        max_iter: int | None = None,
        tol: float = 1e-4,
        solver: str = "auto",
        positive: bool = False,
        random_state: Any = None,
    ):
        self.alpha = alpha
        self.fit_intercept = fit_intercept
        self.copy_X = copy_X
        self.max_iter = max_iter
        self.tol = tol
        self.solver = solver
        self.positive = positive
        self.random_state = random_state

    @fit_task(prefer_skip_nested_validation=True)
    def fit(self, X: Any, y: Any, sample_weight: Any = None, *, sample_ids: Any = None) -> Ridge:
        """Fit the model.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Training rows.

        y : array-like of shape (n_samples,) or (n_samples, n_targets)
            Targets.

        sample_weight : float or array-like of shape (n_samples,), default=None
            Weights of the rows.

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
            If `solver` is iterative, or does not go with `positive`.
        """
        self._check_solver()
        self._fit(X, y, sample_weight, sample_ids)
        self._name_solver()
        return self

    def to_predictor(self) -> sklearn.linear_model.Ridge:
        """Return scikit-learn's own model for deployment.

        Returns
        -------
        predictor : sklearn.linear_model.Ridge
            Fitted; holds no training row.
        """
        return self._as_namesake(sklearn.linear_model.Ridge)
