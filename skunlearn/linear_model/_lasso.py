"""Lasso that forgets rows."""

from __future__ import annotations

from typing import Any, ClassVar

import sklearn.linear_model

from skunlearn.linear_model._elastic_net import ElasticNet


class Lasso(ElasticNet):
    """Linear regression with an l1 penalty that forgets rows exactly.

    Same parameters and fitted attributes as :class:`sklearn.linear_model.Lasso`, and the
    predictions to which its converge as `tol` goes to zero. See :class:`ElasticNet` for how a
    request is carried out and what it costs.

    Parameters
    ----------
    alpha : float, default=1.0
        Strength of the penalty.

    fit_intercept : bool, default=True
        Whether to fit an intercept.

    precompute : bool, default=False
        Kept for compatibility: the Gram matrix is always computed. An array raises, as it could not
        follow the rows.

    copy_X : bool, default=True
        Kept for compatibility: X is never overwritten.

    max_iter : int, default=1000
        Sweeps of coordinate descent at most.

    tol : float, default=1e-4
        A solution whose duality gap is larger than this share of the target's square gives a
        warning; all others are solved to rounding.

    warm_start : bool, default=False
        Kept for compatibility: the solution does not depend on the start.

    positive : bool, default=False
        Whether coefficients must be non-negative.

    random_state : int, RandomState instance or None, default=None
        Kept for compatibility: nothing is random.

    selection : {'cyclic'}, default='cyclic'
        Order of coordinates; 'random' raises, as its path depends on more than the rows.

    Attributes
    ----------
    coef_ : ndarray of shape (n_features,) or (n_targets, n_features)
        Weights.

    sparse_coef_ : CSR array of shape (n_targets, n_features)
        The same, sparse.

    intercept_ : float or ndarray of shape (n_targets,)
        Independent term; 0.0 if ``fit_intercept=False``.

    n_iter_ : int or list of int
        Sweeps of coordinate descent for each target; a request that starts from the present weights
        takes fewer than a fit.

    dual_gap_ : float or ndarray of shape (n_targets,)
        Bound on how much the objective exceeds its minimum, divided by the number of rows; 0.0
        where it is below 1e-9 of the target's square, as rounding is.

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
    ElasticNet : With an l2 penalty, too.

    References
    ----------
    .. [1] Tibshirani: Regression shrinkage and selection via the lasso, Journal of the Royal
       Statistical Society B 58(1), 1996.

    Examples
    --------
    >>> from sklearn.datasets import load_diabetes
    >>> from skunlearn.linear_model import Lasso
    >>> X, y = load_diabetes(return_X_y=True)
    >>> model = Lasso(alpha=0.5).fit(X, y, sample_ids="row numbers").unlearn([7, 11, 13])
    >>> model.coef_.nonzero()[0].tolist()
    [2, 3, 6, 8]
    """

    _parameter_constraints: ClassVar[dict[str, Any]] = {
        name: allowed
        for name, allowed in ElasticNet._parameter_constraints.items()
        if name != "l1_ratio"
    }
    l1_ratio = 1.0

    def __init__(
        self,
        alpha: float = 1.0,
        *,
        fit_intercept: bool = True,
        precompute: Any = False,
        copy_X: bool = True,
        max_iter: int = 1000,
        tol: float = 1e-4,
        warm_start: bool = False,
        positive: bool = False,
        random_state: Any = None,
        selection: str = "cyclic",
    ):
        self.alpha = alpha
        self.fit_intercept = fit_intercept
        self.precompute = precompute
        self.copy_X = copy_X
        self.max_iter = max_iter
        self.tol = tol
        self.warm_start = warm_start
        self.positive = positive
        self.random_state = random_state
        self.selection = selection

    def to_predictor(self) -> sklearn.linear_model.Lasso:
        """Return scikit-learn's own model for deployment.

        Returns
        -------
        predictor : sklearn.linear_model.Lasso
            Fitted; holds no training row.
        """
        predictor = self._as_namesake(sklearn.linear_model.Lasso)
        predictor.l1_ratio = self.l1_ratio
        return predictor
