"""Support vector regression that forgets rows."""

from __future__ import annotations

from numbers import Real
from typing import Any, ClassVar

import numpy as np
import sklearn.svm
from scipy import sparse
from sklearn.base import RegressorMixin
from sklearn.utils.validation import check_is_fitted, column_or_1d

from skunlearn._compat import Interval
from skunlearn._unlearning.fit_task import fit_task
from skunlearn.base import reads_one_version
from skunlearn.svm._base import BaseSVM, Problem, like_rows


class SVR(RegressorMixin, BaseSVM):
    """Epsilon-support vector regression that forgets rows exactly.

    Same parameters, fitted attributes and predictions as :class:`sklearn.svm.SVR`, but the optimum
    itself, to an optimality residual of 1e-10, where libsvm stops at `tol`. A row inside the tube
    leaves for nothing; the coefficient of another is brought to zero along the path on which all
    other rows stay optimal.

    Parameters
    ----------
    kernel : {'linear', 'poly', 'rbf', 'sigmoid'} or callable, default='rbf'
        A callable takes two tables and returns the matrix of kernel values. 'precomputed' raises.

    degree : int, default=3
        Degree of the polynomial kernel.

    gamma : {'scale', 'auto'} or float, default='scale'
        Coefficient of 'rbf', 'poly' and 'sigmoid'. 'scale' depends on the rows: every request then
        changes the kernel and the model is fitted anew; pass a number to forget fast.

    coef0 : float, default=0.0
        Constant term of 'poly' and 'sigmoid'.

    tol : float, default=1e-3
        Where libsvm hands over to the active-set steps that reach the optimum.

    C : float, default=1.0
        Regularization, inverse to its strength.

    epsilon : float, default=0.1
        Half the width of the tube in which errors do not count.

    shrinking : bool, default=True
        Whether libsvm shrinks.

    cache_size : float, default=200
        Kernel cache of libsvm, in MB.

    verbose : bool, default=False
        Whether libsvm prints.

    max_iter : int, default=-1
        Limit on libsvm's iterations; -1 for none.

    Attributes
    ----------
    coef_ : ndarray of shape (1, n_features)
        Weights of the features; linear kernel only.

    dual_coef_ : ndarray or sparse matrix of shape (1, n_SV)
        Coefficients of the support vectors.

    fit_status_ : int
        0 if the optimum was reached, or libsvm converged.

    intercept_ : ndarray of shape (1,)
        Constant of the regression function.

    n_support_ : ndarray of shape (1,), dtype int32
        Number of support vectors.

    n_iter_ : int
        1: the optimum does not depend on how many steps led to it.

    shape_fit_ : tuple of int of shape (2,)
        Number of rows held and of features.

    support_ : ndarray of shape (n_SV,), dtype int32
        Positions of the support vectors among the rows held.

    support_vectors_ : {ndarray, sparse array} of shape (n_SV, n_features)
        Support vectors; also for a callable kernel.

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
    SVC : For classification; its notes hold here too.

    References
    ----------
    .. [1] Cauwenberghs, Poggio: Incremental and decremental support vector machine learning,
       NeurIPS 2000.

    Examples
    --------
    >>> from sklearn.datasets import load_diabetes
    >>> from skunlearn.svm import SVR
    >>> X, y = load_diabetes(return_X_y=True)
    >>> model = SVR(gamma=5.0, C=100.0).fit(X, y, sample_ids="row numbers").unlearn([7, 11, 13])
    >>> model.shape_fit_
    (439, 10)
    """

    _parameter_constraints: ClassVar[dict[str, Any]] = {
        **BaseSVM._parameter_constraints,
        "epsilon": [Interval(Real, 0.0, None, closed="left")],
    }
    _namesake_class = sklearn.svm.SVR

    def __init__(
        self,
        *,
        kernel: Any = "rbf",
        degree: int = 3,
        gamma: Any = "scale",
        coef0: float = 0.0,
        tol: float = 1e-3,
        C: float = 1.0,
        epsilon: float = 0.1,
        shrinking: bool = True,
        cache_size: float = 200,
        verbose: bool = False,
        max_iter: int = -1,
    ):
        self.kernel = kernel
        self.degree = degree
        self.gamma = gamma
        self.coef0 = coef0
        self.tol = tol
        self.C = C
        self.epsilon = epsilon
        self.shrinking = shrinking
        self.cache_size = cache_size
        self.verbose = verbose
        self.max_iter = max_iter

    @fit_task(prefer_skip_nested_validation=True)
    def fit(self, X: Any, y: Any, sample_weight: Any = None, *, sample_ids: Any = None) -> SVR:
        """Fit the model.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Training rows.

        y : array-like of shape (n_samples,)
            Targets.

        sample_weight : array-like of shape (n_samples,), default=None
            Factors of C for each row; rows without a positive one take no part.

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
            If the kernel is 'precomputed', fails, or gives values that are not finite.
        """
        self._fit(X, y, sample_weight, sample_ids, y_numeric=True)
        return self

    def _check_targets(self, y: Any) -> np.ndarray:
        return column_or_1d(y, warn=True).astype(np.float64)

    def _problems(self, slots: np.ndarray, fitted: Any) -> list[Problem]:
        weight, top = self._samples.sample_weight, np.full(slots.size, float(self.C))
        if weight is not None:
            top = self.C * weight[slots]
        y = self._samples.y[slots]
        nodes = np.column_stack([-top, np.zeros(slots.size), top])
        return [Problem(slots, nodes, np.column_stack([y + self.epsilon, y - self.epsilon]))]

    def _thetas(self, slots: np.ndarray, fitted: Any) -> list[np.ndarray]:
        coef = fitted.dual_coef_
        theta = np.zeros(self._samples.n_slots)
        theta[slots[fitted.support_]] = (coef.toarray() if sparse.issparse(coef) else coef)[0]
        return [theta]

    def _settings(self, namesake: Any) -> dict[str, Any]:
        return {"n_iter_": 1}

    def _publish(
        self, slots: np.ndarray, thetas: list[np.ndarray], intercepts: list[float]
    ) -> dict[str, Any]:
        theta = thetas[0][slots]
        support = np.flatnonzero(theta)
        dual = theta[support][np.newaxis]
        vectors = self._samples.X[slots[support]]
        return {
            "dual_coef_": like_rows(dual, vectors),
            "intercept_": np.array(intercepts),
            "n_support_": np.array([support.size], dtype=np.int32),
            "shape_fit_": (slots.size, vectors.shape[1]),
            "support_": support.astype(np.int32),
            "support_vectors_": vectors,
        }

    def _targets_of_support(self) -> np.ndarray:
        return np.arange(self.support_.size, dtype=np.float64)

    def _linear_weights(self) -> Any:
        return self.dual_coef_ @ self.support_vectors_

    @reads_one_version
    def predict(self, X: Any) -> np.ndarray:
        """Predict with the model.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Rows.

        Returns
        -------
        y_pred : ndarray of shape (n_samples,)
            Predicted values.
        """
        check_is_fitted(self)
        coef = self.dual_coef_
        coef = coef.toarray() if sparse.issparse(coef) else coef
        return self._products(X, coef.T)[:, 0] + self.intercept_

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        return tags
