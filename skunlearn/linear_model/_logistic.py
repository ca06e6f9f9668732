"""Logistic regression that forgets rows."""

from __future__ import annotations

from numbers import Integral, Real
from typing import Any, ClassVar

import numpy as np
import sklearn.linear_model
from sklearn.utils import compute_class_weight
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import check_is_fitted

from skunlearn._array_api import is_foreign, to_device, to_host
from skunlearn._compat import Interval, StrOptions
from skunlearn._mixins.labels import (
    check_two_classes,
    check_two_remain,
    codes_of_queries,
    counts_without,
    encoded,
)
from skunlearn._mixins.scoring import ClassifierMixin
from skunlearn._unlearning.fit_task import fit_task
from skunlearn._validation import check_weights, validate_data
from skunlearn.linear_model._glm import newton_cg
from skunlearn.linear_model._glm.losses_array_api import single_loss, softmax_loss
from skunlearn.linear_model._glm.model import GLM
from skunlearn.linear_model._glm.pointwise_losses import LogisticLoss
from skunlearn.linear_model._glm.problem import Problem
from skunlearn.linear_model._logistic_classifier import LogisticClassifierMixin


class LogisticRegression(LogisticClassifierMixin, ClassifierMixin, GLM):
    """Logistic regression, binary or multinomial, that forgets rows.

    Same parameters, fitted attributes and predictions as
    :class:`sklearn.linear_model.LogisticRegression` solved to the optimum: models fitted here are
    exact to a relative 1e-12, where scikit-learn's default tolerance leaves about 1e-2.

    Parameters
    ----------
    penalty : {'l2', None}, default='deprecated'
        As in scikit-learn, where ``C=np.inf`` takes the place of None.

    C : float, default=1.0
        Inverse strength of the l2 penalty.

    l1_ratio : float or None, default=0.0
        Must be 0 (or None): an l1 penalty has no Hessian to unlearn with.

    dual : bool, default=False
        Must be False.

    tol : float, default=1e-4
        Kept for compatibility: the optimum is found to rounding.

    fit_intercept : bool, default=True
        Whether to fit an intercept, which is not penalised.

    intercept_scaling : float, default=1
        Kept for compatibility: only 'liblinear' uses it.

    class_weight : dict or 'balanced', default=None
        Weights of the classes; 'balanced' is chosen anew with each request.

    random_state : int, RandomState instance or None, default=None
        Kept for compatibility: nothing is random.

    solver : {'lbfgs', 'newton-cg', 'newton-cholesky', 'sag', 'saga'}, default='lbfgs'
        All have the same optimum, which is found here by Newton's method. 'liblinear', which
        penalises the intercept, raises.

    max_iter : int, default=100
        Passes over the rows that `fit` may take.

    verbose : int, default=0
        Kept for compatibility.

    warm_start : bool, default=False
        Kept for compatibility: the optimum does not depend on the start.

    n_jobs : int, default=None
        Kept for compatibility.

    unlearning : {'polished', 'bounded', 'newton'}, default='polished'
        'polished' goes to the optimum of the remaining rows, to rounding. 'bounded' takes one
        Newton step and one pass that proves how far the optimum can be. 'newton' makes no pass over
        the rows (binary, without 'balanced'); its bound grows with the requests, and turns into a
        pass where it would exceed `bound_budget`.

    bound_budget : float, default=0.1
        For 'bounded' and 'newton': the distance to the retrained optimum, in the norm of the
        Hessian, above which a request is polished. Half its square is the excess of the loss,
        summed over the rows.

    Attributes
    ----------
    classes_ : ndarray of shape (n_classes,)
        Class labels; a class whose last row is unlearned disappears.

    coef_ : ndarray of shape (1, n_features) or (n_classes, n_features)
        Weights.

    intercept_ : ndarray of shape (1,) or (n_classes,)
        Intercepts.

    n_iter_ : ndarray of shape (1,)
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
    Requests reuse a Hessian that was evaluated at an earlier solution. Until :meth:`purge` does so
    anew, the private state depends on former solutions: scope 'output'.

    With more than two classes and more than 800 parameters the Hessian is not formed. Newton's
    steps are found by conjugate gradients, with blocks of an earlier Hessian, one per class, as the
    preconditioner: the model holds ``4 * n_classes * n_features ** 2`` bytes, and `fit` and
    requests a float32 copy of the rows meanwhile. Bounds are as true but less tight, since the
    Hessian is bounded from below by the penalty and by what its rows have at least.

    Behind a :class:`skunlearn.preprocessing.StandardScaler` in a
    :class:`skunlearn.pipeline.Pipeline`, the rows stay as the scaler first made them, also until
    :meth:`purge`, and its changes become changes of the penalty and the intercept, which is exact.
    Without an intercept only the scale can be followed so; a scaler that also centres makes for
    a refit.

    References
    ----------
    .. [1] Guo, Goldstein, Hannun, van der Maaten: Certified data removal from machine learning
       models, ICML 2020, section 3 (the Newton removal step).
    .. [2] Sun, Tran-Dinh: Generalized self-concordant functions, Mathematical Programming 178,
       2019 (the class of losses for which the certificate holds).

    Examples
    --------
    >>> from sklearn.datasets import load_breast_cancer
    >>> from skunlearn.linear_model import LogisticRegression
    >>> X, y = load_breast_cancer(return_X_y=True)
    >>> X = (X - X.mean(axis=0)) / X.std(axis=0)
    >>> model = LogisticRegression(unlearning="bounded")
    >>> model = model.fit(X, y, sample_ids="row numbers").unlearn([17, 300])
    >>> bool(model.unlearning_report_.guarantee.bound < 1e-3)
    True
    """

    _takes_arrays = True
    _parameter_constraints: ClassVar[dict[str, Any]] = {
        "penalty": [StrOptions({"l1", "l2", "elasticnet", "deprecated"}), None],
        "C": [Interval(Real, 0, None, closed="right")],
        "l1_ratio": [Interval(Real, 0, 1, closed="both"), None],
        "dual": ["boolean"],
        "tol": [Interval(Real, 0, None, closed="left")],
        "fit_intercept": ["boolean"],
        "intercept_scaling": [Interval(Real, 0, None, closed="neither")],
        "class_weight": [dict, StrOptions({"balanced"}), None],
        "random_state": ["random_state"],
        "solver": [
            StrOptions({"lbfgs", "liblinear", "newton-cg", "newton-cholesky", "sag", "saga"})
        ],
        "max_iter": [Interval(Integral, 0, None, closed="left")],
        "verbose": ["verbose"],
        "warm_start": ["boolean"],
        "n_jobs": [None, Integral],
        "unlearning": [StrOptions({"polished", "bounded", "newton"})],
        "bound_budget": [Interval(Real, 0, None, closed="neither")],
    }
    _overwritten: ClassVar[tuple[str, ...]] = ("_n_per_class", "_n_weighing")

    def __init__(
        self,
        penalty: Any = "deprecated",
        *,
        C: float = 1.0,
        l1_ratio: float | None = 0.0,
        dual: bool = False,
        tol: float = 1e-4,
        fit_intercept: bool = True,
        intercept_scaling: float = 1,
        class_weight: Any = None,
        random_state: Any = None,
        solver: str = "lbfgs",
        max_iter: int = 100,
        verbose: int = 0,
        warm_start: bool = False,
        n_jobs: int | None = None,
        unlearning: str = "polished",
        bound_budget: float = 0.1,
    ):
        self.penalty = penalty
        self.C = C
        self.l1_ratio = l1_ratio
        self.dual = dual
        self.tol = tol
        self.fit_intercept = fit_intercept
        self.intercept_scaling = intercept_scaling
        self.class_weight = class_weight
        self.random_state = random_state
        self.solver = solver
        self.max_iter = max_iter
        self.verbose = verbose
        self.warm_start = warm_start
        self.n_jobs = n_jobs
        self.unlearning = unlearning
        self.bound_budget = bound_budget

    @fit_task(prefer_skip_nested_validation=True)
    def fit(
        self, X: Any, y: Any, sample_weight: Any = None, *, sample_ids: Any = None
    ) -> LogisticRegression:
        """Fit the model.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Training rows.

        y : array-like of shape (n_samples,)
            Class labels.

        sample_weight : array-like of shape (n_samples,), default=None
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
            If a parameter asks for what cannot be unlearned, or y has one class only.
        """
        self._refuse_unsupported()
        sources, labels_elsewhere = (X, None, sample_weight), is_foreign(y)
        X, y = validate_data(
            self, X, y, accept_sparse="csr", dtype=[np.float64, np.float32], order="C"
        )
        check_classification_targets(y)
        weight = check_weights(self, sample_weight, X, ensure_non_negative=True)
        classes, codes = encoded(y)
        self.classes_ = to_device(classes, X) if labels_elsewhere else classes
        check_two_classes(self, classes)
        self._n_per_class = np.bincount(codes)
        self._n_weighing = self._n_per_class
        if weight is not None:
            self._n_weighing = np.bincount(codes[weight != 0.0], minlength=classes.size)
        if (self._n_weighing > 0).sum() < 2:
            raise ValueError(
                "LogisticRegression needs rows of at least 2 classes whose sample_weight is not "
                "zero, but only one class has any."
            )
        self._solve(sources, X, codes.astype(np.float64), weight, sample_ids)
        return self

    def _refuse_unsupported(self) -> None:
        if self.penalty in ("l1", "elasticnet") or self.l1_ratio not in (0, None):
            raise ValueError(
                "LogisticRegression unlearns with an l2 penalty or none; for an l1 penalty use "
                "skunlearn.ensemble.SISAClassifier over scikit-learn's LogisticRegression."
            )
        if self.solver == "liblinear" or self.dual:
            raise ValueError(
                "solver='liblinear' and dual=True penalise the intercept, which is another "
                "optimum; use solver='lbfgs' and dual=False."
            )

    def _as_n_iter(self, n_passes: int) -> np.ndarray:
        return self._samples.publish(np.array([n_passes], dtype=np.int32))

    def _serves_without_pass(self) -> bool:
        return self._n_per_class.size == 2 and self.class_weight != "balanced"

    def _is_wide(self) -> bool:
        n_classes = self._n_per_class.size
        n_params = n_classes * (self.n_features_in_ + self.fit_intercept)
        return n_classes > 2 and n_params > newton_cg.WIDE

    def _problem(self, weights: np.ndarray) -> Problem:
        samples = self._rows()
        n_classes = self._n_per_class.size
        penalty = self._penalised(0.0 if self.penalty is None else 1.0 / self.C)
        n_each = penalty.size
        factors = self._class_factors(weights)
        if n_classes == 2:
            single = single_loss(samples.X)(LogisticLoss(), self.fit_intercept, factors)
            return Problem(single, samples.X, samples.y, weights, penalty)
        free = np.flatnonzero(penalty == 0.0)
        null: np.ndarray | None = None
        if free.size and not self._is_wide():
            # Softmax does not change when a constant is added to all predictors; unpenalised
            # intercepts may drift along that direction, which the optimum leaves open.
            null = np.zeros((n_classes, n_each, n_classes, n_each))
            null[:, free, :, free] = weights.sum() / n_classes**2
            null = null.reshape(n_classes * n_each, -1)
        loss = softmax_loss(samples.X)(n_classes, self.fit_intercept, factors)
        return Problem(loss, samples.X, samples.y, weights, np.tile(penalty, n_classes), null)

    def _class_factors(self, weights: np.ndarray) -> np.ndarray:
        n_classes = self._n_per_class.size
        if self.class_weight is None:
            return np.ones(n_classes)
        if self.class_weight != "balanced":
            classes = to_host(self.classes_)
            return compute_class_weight(self.class_weight, classes=classes, y=classes)
        totals = np.bincount(self._samples.y.astype(np.intp), weights, n_classes)
        return weights.sum() / (n_classes * totals)

    def _counts_without(self, rows: np.ndarray) -> dict[str, Any] | None:
        codes = self._samples.y[rows].astype(np.intp)
        remaining = weighing = counts_without(self._n_per_class, codes)
        if self._n_weighing is not self._n_per_class:
            codes = codes[self._weights()[rows] != 0.0]
            weighing = counts_without(self._n_weighing, codes)
        if np.count_nonzero(weighing) < 2:
            check_two_remain(self, to_host(self.classes_)[weighing > 0])
        if not remaining.all():
            return None
        return {"_n_per_class": remaining, "_n_weighing": weighing}

    def _attributes(self, theta: np.ndarray) -> dict[str, Any]:
        n_each = self.n_features_in_ + self.fit_intercept
        table = self._in_input_coordinates(theta).reshape(-1, n_each)
        if self._samples.X.dtype == np.float32:
            table = table.astype(np.float32)
        coef = table[:, : self.n_features_in_].copy()
        intercept = table[:, -1].copy() if self.fit_intercept else np.zeros(len(table))
        publish = self._samples.publish
        return {
            "coef_": publish(coef),
            "intercept_": publish(intercept.astype(coef.dtype, copy=False)),
        }

    def _fit_targets(self, rows: np.ndarray) -> np.ndarray:
        labels = to_host(self.classes_)[self._samples.y[rows].astype(np.intp)]
        return self._samples.publish(labels) if is_foreign(self.classes_) else labels

    def find_samples(self, X: Any, y: Any = None) -> np.ndarray:
        """Find the ids of training rows that equal the given rows.

        Parameters
        ----------
        X : array-like of shape (n_queries, n_features)
            Rows to look for.

        y : array-like of shape (n_queries,), default=None
            If given, labels must be equal as well.

        Returns
        -------
        sample_ids : ndarray of shape (n_found,)
            Distinct ids of the rows equal to any of the queries, in training order.
        """
        self._check_samples()
        if y is not None:
            y = codes_of_queries(self.classes_, y).astype(np.float64)
        return super().find_samples(X, y)

    def prediction_bound(self, X: Any) -> np.ndarray:
        """Bound by how much linear predictors can differ from the retrained model's.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Rows.

        Returns
        -------
        bounds : ndarray of shape (n_samples,)
            Proved bounds of ``|x w - x w*|`` with w* the optimum on the rows held; two classes
            only. Makes one pass over the rows held.

        Raises
        ------
        ValueError
            With more than two classes.
        """
        check_is_fitted(self)
        if self._n_per_class.size > 2:
            raise ValueError("prediction_bound is for models of two classes.")
        return self._prediction_bound(X)

    def to_predictor(self) -> sklearn.linear_model.LogisticRegression:
        """Return a predict-only estimator that holds no rows.

        Returns
        -------
        predictor : sklearn.linear_model.LogisticRegression
            Fitted, for deployment.
        """
        return self._without_parameters_of_ours(sklearn.linear_model.LogisticRegression)
