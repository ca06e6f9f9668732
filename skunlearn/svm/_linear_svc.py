"""Linear support vector classifier that forgets rows."""

from __future__ import annotations

from dataclasses import replace
from numbers import Integral, Real
from typing import Any, ClassVar

import numpy as np
import sklearn.svm
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.utils.class_weight import compute_class_weight
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import check_is_fitted, column_or_1d

from skunlearn._compat import Interval, StrOptions
from skunlearn._linalg.precision import EPS
from skunlearn._mixins.labels import check_two_classes, check_two_remain, codes_of
from skunlearn._unlearning.cost import Foretold
from skunlearn._unlearning.fit_task import fit_task
from skunlearn._unlearning.tags import UnlearningTags
from skunlearn._validation import check_sample_weight, validate_data
from skunlearn.base import Guarantee, Removal, UnlearnerMixin, reads_one_version
from skunlearn.exceptions import NotUnlearnableError
from skunlearn.svm._squared_hinge import augmented, distances, minimise

# Relative float error above which a solution that was started from the former one is not kept.
TOLERANCE = 1e-9

# Steps to a minimum that is not known to be exact, by gradients that are.
_MOST_REFINEMENTS = 3

# Share of the time of a fit that solving takes from where the model stands, measured.
_FROM_HERE = 0.5


class LinearSVC(UnlearnerMixin, ClassifierMixin, BaseEstimator):
    """Linear support vector classification that forgets rows exactly.

    Same parameters, fitted attributes and predictions as :class:`sklearn.svm.LinearSVC` with its
    default penalty and loss, but the optimum itself, where liblinear stops at `tol`. Rows beyond
    the margin of every class leave for nothing; else a few Newton steps from the former optimum
    reach the new one.

    Parameters
    ----------
    penalty : {'l2'}, default='l2'
        'l1' raises: its optimum need not be unique.

    loss : {'squared_hinge'}, default='squared_hinge'
        'hinge' raises; use ``SVC(kernel="linear")``.

    dual : 'auto' or bool, default='auto'
        Kept for compatibility: both problems have the same solution.

    tol : float, default=1e-4
        Kept for compatibility: the solution is exact.

    C : float, default=1.0
        Regularization, inverse to its strength.

    multi_class : {'ovr'}, default='ovr'
        One problem per class; 'crammer_singer' raises.

    fit_intercept : bool, default=True
        Whether to fit an intercept.

    intercept_scaling : float, default=1.0
        Value of the constant feature whose weight, penalised like the others, makes the intercept.

    class_weight : dict or 'balanced', default=None
        Factors of C for each class; 'balanced' weights are chosen anew for the remaining rows.

    verbose : int, default=0
        Kept for compatibility.

    random_state : int, RandomState instance or None, default=None
        Kept for compatibility: nothing is random.

    max_iter : int, default=1000
        Kept for compatibility: the solution takes finitely many steps.

    Attributes
    ----------
    coef_ : ndarray of shape (1, n_features) or (n_classes, n_features)
        Weights of the features; one line for two classes.

    intercept_ : ndarray of shape (1,) or (n_classes,), or float
        Constants; 0.0 if ``fit_intercept=False``.

    classes_ : ndarray of shape (n_classes,)
        Class labels.

    n_iter_ : int
        1: the optimum does not depend on how many steps led to it.

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
    SVC : With kernels, and with the hinge loss.

    Notes
    -----
    The promise is 'numerical' with relative tolerance 1e-9; the error reported bounds the distance
    to the exact minimum. Where that is above the tolerance, as for rows of very different size, the
    kind of the request is 'bounded'. The last Newton step is the least
    squares solution on the rows that have a loss, from those rows alone, so that nothing of the
    former model is left in it.

    References
    ----------
    .. [1] Keerthi, DeCoste: A modified finite Newton method for fast solution of large scale linear
       SVMs, Journal of Machine Learning Research 6, 2005.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from skunlearn.svm import LinearSVC
    >>> X, y = load_iris(return_X_y=True)
    >>> model = LinearSVC().fit(X, y, sample_ids="row numbers").unlearn([7, 11, 13])
    >>> model.coef_.shape
    (3, 4)
    """

    _parameter_constraints: ClassVar[dict[str, Any]] = {
        "penalty": [StrOptions({"l1", "l2"})],
        "loss": [StrOptions({"hinge", "squared_hinge"})],
        "dual": ["boolean", StrOptions({"auto"})],
        "tol": [Interval(Real, 0.0, None, closed="neither")],
        "C": [Interval(Real, 0.0, None, closed="neither")],
        "multi_class": [StrOptions({"ovr", "crammer_singer"})],
        "fit_intercept": ["boolean"],
        "intercept_scaling": [Interval(Real, 0, None, closed="neither")],
        "class_weight": [None, dict, StrOptions({"balanced"})],
        "verbose": ["verbose"],
        "random_state": ["random_state"],
        "max_iter": [Interval(Integral, 0, None, closed="left")],
    }
    _unlearning_tags = UnlearningTags("numerical", tolerance=TOLERANCE)
    _float_residue: ClassVar[tuple[str, ...]] = ("_error",)

    def __init__(
        self,
        penalty: str = "l2",
        loss: str = "squared_hinge",
        *,
        dual: Any = "auto",
        tol: float = 1e-4,
        C: float = 1.0,
        multi_class: str = "ovr",
        fit_intercept: bool = True,
        intercept_scaling: float = 1,
        class_weight: Any = None,
        verbose: int = 0,
        random_state: Any = None,
        max_iter: int = 1000,
    ):
        self.penalty = penalty
        self.loss = loss
        self.dual = dual
        self.tol = tol
        self.C = C
        self.multi_class = multi_class
        self.fit_intercept = fit_intercept
        self.intercept_scaling = intercept_scaling
        self.class_weight = class_weight
        self.verbose = verbose
        self.random_state = random_state
        self.max_iter = max_iter

    @fit_task(prefer_skip_nested_validation=True)
    def fit(
        self, X: Any, y: Any, sample_weight: Any = None, *, sample_ids: Any = None
    ) -> LinearSVC:
        """Fit the model.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Training rows.

        y : array-like of shape (n_samples,)
            Class labels.

        sample_weight : array-like of shape (n_samples,), default=None
            Factors of C for each row, none of them negative.

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
            If `penalty`, `loss` or `multi_class` is not supported, or there is a single class.
        """
        self._check_supported()
        sources = (X, y, sample_weight)
        X, y = validate_data(
            self,
            X,
            y,
            accept_sparse="csr",
            dtype=np.float64,
            order="C",
            accept_large_sparse=False,
        )
        y = column_or_1d(y)
        check_classification_targets(y)
        weight = None
        if sample_weight is not None:
            weight = check_sample_weight(sample_weight, X, ensure_non_negative=True)
            weight = weight.astype(np.float64)
            if not weight.any():
                raise ValueError("Sample weights must contain at least one non-zero number.")
        check_two_classes(self, np.unique(y))
        self._hold_samples(X, y, weight, sources=sources, sample_ids=sample_ids)
        self.__dict__.update(self._solve(self._samples.slots(), None)[0])
        return self

    def _check_supported(self) -> None:
        if self.penalty != "l2":
            raise ValueError("penalty='l1' need not have a unique optimum. Use penalty='l2'.")
        if self.loss != "squared_hinge":
            raise ValueError(
                "loss='hinge' is not supported. Use loss='squared_hinge', or "
                "skunlearn.svm.SVC(kernel='linear') for the hinge loss."
            )
        if self.multi_class != "ovr":
            raise ValueError("multi_class='crammer_singer' is not supported. Use 'ovr'.")

    def _scaling(self) -> float:
        return float(self.intercept_scaling) if self.fit_intercept else 0.0

    def _costs(self, y: np.ndarray, classes: np.ndarray, weight: Any) -> np.ndarray:
        """Return the cost of each row as its own class's, and as one of the others'."""
        codes = codes_of(classes, y)
        if isinstance(self.class_weight, str):
            totals = np.bincount(codes, weights=weight, minlength=classes.size)
            shares = totals * classes.size / totals.sum()
            factors = np.divide(1.0, shares, out=np.zeros_like(shares), where=shares > 0.0)
        else:
            factors = compute_class_weight(self.class_weight, classes=classes, y=y)
        own = self.C * factors[codes]
        others = own if classes.size == 2 else np.full(y.size, float(self.C))
        return np.stack([own, others]) * (1.0 if weight is None else weight)

    def _solve(
        self, slots: np.ndarray, starts: np.ndarray | None
    ) -> tuple[dict[str, Any], Guarantee]:
        """Solve for the rows in the given slots, from the given points or from zero."""
        X, y, weight = self._samples.take(slots)
        classes = np.unique(y)
        X = augmented(X, self._scaling())
        own, others = self._costs(y, classes, weight)
        positives = classes[1:] if classes.size == 2 else classes
        weights = np.empty((positives.size, X.shape[1]))
        error, bound = EPS, 0.0
        for position, label in enumerate(positives):
            belongs = y == label
            start = np.zeros(X.shape[1]) if starts is None else starts[position]
            problem = X, np.where(belongs, 1.0, -1.0), np.where(belongs, own, others)
            weights[position], apart, whole = self._settled(problem, minimise(*problem, start)[0])
            bound = max(bound, whole)
            error = max(error, self._relative(weights[position], apart))
        intercept: Any = 0.0
        coef = weights
        if self.fit_intercept:
            intercept = self.intercept_scaling * weights[:, -1]
            coef = weights[:, :-1].copy()
        attributes = {
            "classes_": classes,
            "coef_": coef,
            "intercept_": intercept,
            "n_iter_": 1,
            "_error": error,
        }
        if error <= TOLERANCE:
            return attributes, self._guarantee(error)
        return attributes, Guarantee("bounded", "state", bound=bound)

    def _settled(self, problem: Any, w: np.ndarray) -> tuple[np.ndarray, np.ndarray, float]:
        """Return a minimum and how far it can be from the exact one, by entry and in all."""
        X, signs, cost = problem
        apart, whole, step = distances(X, signs, cost, w)
        for _ in range(_MOST_REFINEMENTS):
            if self._relative(w, apart) <= TOLERANCE:
                break
            found = distances(X, signs, cost, w + step, sharply=True)
            if not found[1] < 0.5 * whole:
                break
            w = w + step
            apart, whole, step = found
        return w, apart, whole

    def _relative(self, w: np.ndarray, apart: np.ndarray) -> float:
        """Return the relative error of weights and of the intercept."""
        n_features = self.n_features_in_
        pairs = [(apart[:n_features].max(), np.abs(w[:n_features]).max())]
        if self.fit_intercept:
            pairs.append((apart[-1], np.abs(w).max()))
        errors = (part / whole if whole > 0.0 else part for part, whole in pairs)
        return float(np.max([EPS, *errors])) + EPS

    def _unlearn(self, rows: np.ndarray) -> Removal:
        samples = self._samples
        slots = samples.slots_without(rows)
        classes = np.unique(self._fit_targets(slots))
        check_two_remain(self, classes)
        weight = samples.sample_weight
        if weight is not None and not weight[slots].any():
            raise NotUnlearnableError("All remaining rows have a sample_weight of zero.")
        if classes.size == self.classes_.size:
            if self.class_weight != "balanced" and self._have_no_loss(rows):
                return Removal({}, self._guarantee(self._error))
            starts = self.coef_
            if self.fit_intercept:
                starts = np.column_stack([starts, self.intercept_ / self.intercept_scaling])
            attributes, guarantee = self._solve(slots, starts)
            if guarantee.kind == "numerical":
                return Removal(attributes, guarantee)
        return Removal(*self._solve(slots, None), n_refitted=1)

    def _cost(self, rows: np.ndarray) -> Foretold:
        slots = self._samples.slots_without(rows)
        classes = np.unique(self._fit_targets(slots))
        check_two_remain(self, classes)
        fit = self._cost_of_fit(rows)
        if classes.size < self.classes_.size:
            return fit, None
        if self.class_weight != "balanced" and self._have_no_loss(rows):
            return super()._cost(rows)
        return replace(fit, n_parts_touched=0, seconds=_FROM_HERE * fit.seconds), None

    def _have_no_loss(self, rows: np.ndarray) -> bool:
        """Tell whether rows have no loss at the exact minimum either, if that is known."""
        if not self._error <= TOLERANCE:
            return False
        X, y, weight = self._samples.take(rows)
        decisions = X @ self.coef_.T + self.intercept_
        positives = self.classes_[1:] if self.classes_.size == 2 else self.classes_
        margins = np.where(y[:, np.newaxis] == positives, decisions, -decisions).min(axis=1)
        reach = np.asarray(abs(X).sum(axis=1)).ravel() + np.abs(self.intercept_scaling)
        size = max(np.abs(self.coef_).max(), np.abs(self.intercept_ / self.intercept_scaling).max())
        enough = margins > 1.0 + (self._error + EPS * X.shape[1]) * size * reach
        return bool(enough[slice(None) if weight is None else weight > 0.0].all())

    @staticmethod
    def _guarantee(error: float) -> Guarantee:
        return Guarantee("numerical", "state", TOLERANCE, error)

    @reads_one_version
    def decision_function(self, X: Any) -> np.ndarray:
        """Evaluate the decision functions.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Rows.

        Returns
        -------
        decisions : ndarray of shape (n_samples,) or (n_samples, n_classes)
            For two classes, positive for the second.
        """
        check_is_fitted(self)
        X = validate_data(self, X, accept_sparse="csr", reset=False)
        decisions = X @ self.coef_.T + self.intercept_
        return decisions[:, 0] if self.classes_.size == 2 else decisions

    @reads_one_version
    def predict(self, X: Any) -> np.ndarray:
        """Predict classes.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Rows.

        Returns
        -------
        y_pred : ndarray of shape (n_samples,)
            Labels from `classes_`.
        """
        decisions = self.decision_function(X)
        if decisions.ndim == 1:
            return self.classes_[(decisions > 0.0).astype(np.intp)]
        return self.classes_[decisions.argmax(axis=1)]

    def to_predictor(self) -> sklearn.svm.LinearSVC:
        """Return scikit-learn's own model for deployment.

        Returns
        -------
        predictor : sklearn.svm.LinearSVC
            Fitted; holds no training row.
        """
        return self._as_namesake(sklearn.svm.LinearSVC)

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        return tags
