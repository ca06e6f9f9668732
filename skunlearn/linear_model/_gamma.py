"""Gamma regression that forgets rows."""

from __future__ import annotations

import sklearn.linear_model

from skunlearn.linear_model._glm.log_link import LogLinkRegressor


class GammaRegressor(LogLinkRegressor):
    """Gamma regression with the log link that forgets rows.

    Same parameters, fitted attributes and predictions as
    :class:`sklearn.linear_model.GammaRegressor` solved to the optimum.

    Parameters
    ----------
    alpha : float, default=1.0
        Strength of the l2 penalty on the weights, in relation to the mean loss.

    fit_intercept : bool, default=True
        Whether to fit an intercept, which is not penalised.

    solver : {'lbfgs', 'newton-cholesky'}, default='lbfgs'
        Both have the same optimum, which is found here by Newton's method.

    max_iter : int, default=100
        Passes over the rows that `fit` may take.

    tol : float, default=1e-4
        Kept for compatibility: the optimum is found to rounding.

    warm_start : bool, default=False
        Kept for compatibility: the optimum does not depend on the start.

    verbose : int, default=0
        Kept for compatibility.

    unlearning : {'polished', 'bounded'}, default='polished'
        'polished' goes to the optimum of the remaining rows, to rounding. 'bounded' takes one
        Newton step and one pass that proves how far the optimum can be.

    bound_budget : float, default=0.1
        For 'bounded': the distance to the retrained optimum, in the norm of the Hessian of the
        summed loss, above which a request is polished.

    Attributes
    ----------
    coef_ : ndarray of shape (n_features,)
        Weights.

    intercept_ : float
        Intercept.

    n_iter_ : int
        Passes over the rows that `fit` took.

    sample_ids_ : ndarray of shape (n_samples,)
        Ids of the rows held.

    unlearning_report_ : UnlearningReport
        Outcome of the last request; ``report.guarantee.bound`` is the certificate.

    n_features_in_ : int
        Number of features seen during `fit`.

    feature_names_in_ : ndarray of shape (n_features,)
        Names of features seen during `fit`, where X has string names.

    Notes
    -----
    The penalty is in relation to the mean loss, as in scikit-learn, so that it changes when rows
    leave; the model follows. Requests reuse a Hessian that was evaluated at an earlier solution, so
    that the private state depends on former solutions until :meth:`purge`: scope 'output'.

    Examples
    --------
    >>> import numpy as np
    >>> from skunlearn.linear_model import GammaRegressor
    >>> X, y = np.arange(6.0)[:, None], [0.5, 1, 1, 3, 5, 90]
    >>> model = GammaRegressor(alpha=0.1).fit(X, y, sample_ids=list("abcdef")).unlearn("f")
    >>> model.unlearning_report_.n_remaining
    5
    """

    def __init__(
        self,
        *,
        alpha: float = 1.0,
        fit_intercept: bool = True,
        solver: str = "lbfgs",
        max_iter: int = 100,
        tol: float = 1e-4,
        warm_start: bool = False,
        verbose: int = 0,
        unlearning: str = "polished",
        bound_budget: float = 0.1,
    ):
        self.alpha = alpha
        self.fit_intercept = fit_intercept
        self.solver = solver
        self.max_iter = max_iter
        self.tol = tol
        self.warm_start = warm_start
        self.verbose = verbose
        self.unlearning = unlearning
        self.bound_budget = bound_budget

    def _power(self) -> float:
        return 2.0

    def to_predictor(self) -> sklearn.linear_model.GammaRegressor:
        """Return a predict-only estimator that holds no rows.

        Returns
        -------
        predictor : sklearn.linear_model.GammaRegressor
            Fitted, for deployment.
        """
        return self._without_parameters_of_ours(sklearn.linear_model.GammaRegressor)
