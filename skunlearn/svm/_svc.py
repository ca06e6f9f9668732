"""Support vector classifier that forgets rows."""

from __future__ import annotations

from itertools import combinations
from typing import Any, ClassVar

import numpy as np
import sklearn.svm
from scipy import sparse
from sklearn.base import ClassifierMixin
from sklearn.utils.class_weight import compute_class_weight
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import check_is_fitted, column_or_1d

from skunlearn._compat import StrOptions
from skunlearn._mixins.labels import check_two_remain, encoded
from skunlearn._unlearning.fit_task import fit_task
from skunlearn.base import reads_one_version
from skunlearn.svm._base import BaseSVM, Problem, like_rows


class SVC(ClassifierMixin, BaseSVM):
    """C-support vector classification that forgets rows exactly.

    Same parameters, fitted attributes and predictions as :class:`sklearn.svm.SVC`, but the optimum
    itself, to an optimality residual of 1e-10, where libsvm stops at `tol`. A row that is no
    support vector leaves for nothing; the coefficient of another is brought to zero along the path
    on which all other rows stay optimal [1]_.

    Parameters
    ----------
    C : float, default=1.0
        Regularization, inverse to its strength.

    kernel : {'linear', 'poly', 'rbf', 'sigmoid'} or callable, default='rbf'
        A callable takes two tables and returns the matrix of kernel values. 'precomputed' raises.

    degree : int, default=3
        Degree of the polynomial kernel.

    gamma : {'scale', 'auto'} or float, default='scale'
        Coefficient of 'rbf', 'poly' and 'sigmoid'. 'scale' depends on the rows: every request then
        changes the kernel and the model is fitted anew; pass a number to forget fast.

    coef0 : float, default=0.0
        Constant term of 'poly' and 'sigmoid'.

    shrinking : bool, default=True
        Whether libsvm shrinks.

    probability : bool, default=False
        True raises: the calibration inside rests on a random cross-validation. Use
        :class:`sklearn.calibration.CalibratedClassifierCV`.

    tol : float, default=1e-3
        Where libsvm hands over to the active-set steps that reach the optimum.

    cache_size : float, default=200
        Kernel cache of libsvm, in MB.

    class_weight : dict or 'balanced', default=None
        Factors of C for each class; 'balanced' weights are chosen anew for the remaining rows,
        which means to fit anew.

    verbose : bool, default=False
        Whether libsvm prints.

    max_iter : int, default=-1
        Limit on libsvm's iterations; -1 for none.

    decision_function_shape : {'ovo', 'ovr'}, default='ovr'
        Whether `decision_function` returns a column per class or per pair of classes.

    break_ties : bool, default=False
        Whether `predict` breaks ties by confidence; needs ``decision_function_shape='ovr'``.

    random_state : int, RandomState instance or None, default=None
        Kept for compatibility: nothing is random.

    Attributes
    ----------
    class_weight_ : ndarray of shape (n_classes,)
        Factors of C.

    classes_ : ndarray of shape (n_classes,)
        Class labels.

    coef_ : ndarray of shape (n_pairs, n_features)
        Weights of the features; linear kernel only.

    dual_coef_ : ndarray or sparse matrix of shape (n_classes - 1, n_SV)
        Coefficients of the support vectors, laid out as by scikit-learn.

    fit_status_ : int
        0 if the optimum was reached, or libsvm converged.

    intercept_ : ndarray of shape (n_pairs,)
        Constants of the decision functions.

    n_support_ : ndarray of shape (n_classes,), dtype int32
        Number of support vectors of each class.

    n_iter_ : ndarray of shape (n_pairs,), dtype int32
        Ones: the optimum does not depend on how many steps led to it.

    shape_fit_ : tuple of int of shape (2,)
        Number of rows held and of features.

    support_ : ndarray of shape (n_SV,), dtype int32
        Positions of the support vectors among the rows held.

    support_vectors_ : {ndarray, sparse array} of shape (n_SV, n_features)
        Support vectors, by class; also for a callable kernel.

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
    SVR : For regression.

    Notes
    -----
    The promise is 'numerical' with relative tolerance 1e-7; the error in the report is the
    optimality residual times the norm of the inverse system of the rows on the margin. Where that
    passes the tolerance, where the optimum is not unique (equal rows on the margin), where many
    support vectors leave at once, or where `gamma`, a class weight or the classes change, the model
    is fitted anew on the remaining rows, and the report says so. Where rounding hides the optimum,
    as with coefficients of 1e12, libsvm's own solution stands, as in scikit-learn, and every
    request fits anew. libsvm holds kernel values in single precision, so that even with a small
    `tol` it agrees to six digits or so.

    The first request computes the kernel values of the rows on the margin and all rows; they are
    no part of copies and pickles, and :meth:`purge` drops them.

    References
    ----------
    .. [1] Cauwenberghs, Poggio: Incremental and decremental support vector machine learning,
       NeurIPS 2000.

    Examples
    --------
    >>> from sklearn.datasets import load_breast_cancer
    >>> from skunlearn.svm import SVC
    >>> X, y = load_breast_cancer(return_X_y=True)
    >>> model = SVC(gamma=1e-5).fit(X, y, sample_ids="row numbers").unlearn([7, 11, 13])
    >>> model.shape_fit_
    (566, 30)
    """

    _parameter_constraints: ClassVar[dict[str, Any]] = {
        **BaseSVM._parameter_constraints,
        "probability": ["boolean", StrOptions({"deprecated"})],
        "class_weight": [StrOptions({"balanced"}), dict, None],
        "decision_function_shape": [StrOptions({"ovr", "ovo"})],
        "break_ties": ["boolean"],
        "random_state": ["random_state"],
    }
    _namesake_class = sklearn.svm.SVC

    def __init__(
        self,
        *,
        C: float = 1.0,
        kernel: Any = "rbf",
        degree: int = 3,
        gamma: Any = "scale",
        coef0: float = 0.0,
        shrinking: bool = True,
        probability: Any = "deprecated",
        tol: float = 1e-3,
        cache_size: float = 200,
        class_weight: Any = None,
        verbose: bool = False,
        max_iter: int = -1,
        decision_function_shape: str = "ovr",
        break_ties: bool = False,
        random_state: Any = None,
    ):
        self.C = C
        self.kernel = kernel
        self.degree = degree
        self.gamma = gamma
        self.coef0 = coef0
        self.shrinking = shrinking
        self.probability = probability
        self.tol = tol
        self.cache_size = cache_size
        self.class_weight = class_weight
        self.verbose = verbose
        self.max_iter = max_iter
        self.decision_function_shape = decision_function_shape
        self.break_ties = break_ties
        self.random_state = random_state

    @fit_task(prefer_skip_nested_validation=True)
    def fit(self, X: Any, y: Any, sample_weight: Any = None, *, sample_ids: Any = None) -> SVC:
        """Fit the model.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Training rows.

        y : array-like of shape (n_samples,)
            Class labels.

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
            If `probability` is True, or the kernel is 'precomputed', fails, or gives values that
            are not finite.
        """
        if self.probability is True:
            raise ValueError(
                "probability=True rests on a random cross-validation inside libsvm, which cannot "
                "be unlearned from. Use sklearn.calibration.CalibratedClassifierCV(SVC())."
            )
        self._fit(X, y, sample_weight, sample_ids)
        return self

    def _check_targets(self, y: Any) -> np.ndarray:
        y = column_or_1d(y, warn=True)
        check_classification_targets(y)
        return y

    def _active(self, slots: np.ndarray) -> np.ndarray:
        active = super()._active(slots)
        if active.size < slots.size:
            weightless = np.setdiff1d(self._fit_targets(slots), self._fit_targets(active))
            if weightless.size:
                raise ValueError(
                    "Invalid input - all samples of these classes have zero or negative weights: "
                    f"{', '.join(map(str, weightless))}."
                )
        return active

    def _class_weights(self, slots: np.ndarray) -> dict[str, Any]:
        if not isinstance(self.class_weight, str):
            return {}
        y = self._fit_targets(slots)
        classes = np.unique(y)
        weights = compute_class_weight(self.class_weight, classes=classes, y=y)
        return {"class_weight": dict(zip(classes.tolist(), weights.tolist(), strict=True))}

    def _check_left(self, slots: np.ndarray) -> None:
        check_two_remain(self, np.unique(self._fit_targets(slots)))

    def _is_stale(self, slots: np.ndarray) -> bool:
        left = self._fit_targets(slots)
        classes = np.unique(left)
        if classes.size < self.classes_.size:
            return True
        weights = self._class_weights(slots).get("class_weight", {})
        if weights and [*weights.values()] != self.class_weight_.tolist():
            return True
        return super()._is_stale(slots)

    @staticmethod
    def _flips_sign(fitted: Any) -> bool:
        return len(fitted.classes_) == 2

    def _problems(self, slots: np.ndarray, fitted: Any) -> list[Problem]:
        weight = self._samples.sample_weight
        classes, codes = encoded(self._fit_targets(slots))
        problems = []
        for first, second in combinations(range(classes.size), 2):
            chosen = (codes == first) | (codes == second)
            members = slots[chosen]
            sign = np.where(codes[chosen] == first, 1.0, -1.0)
            if classes.size == 2:
                sign = -sign
            top = self.C * fitted.class_weight_[codes[chosen]]
            if weight is not None:
                top = top * weight[members]
            nodes = np.column_stack([np.minimum(sign * top, 0.0), np.maximum(sign * top, 0.0)])
            problems.append(Problem(members, nodes, sign[:, np.newaxis]))
        return problems

    def _thetas(self, slots: np.ndarray, fitted: Any) -> list[np.ndarray]:
        coef, support = _dense(fitted.dual_coef_), slots[fitted.support_]
        code = np.repeat(np.arange(len(fitted.n_support_)), fitted.n_support_)
        thetas = []
        for first, second in combinations(range(len(fitted.n_support_)), 2):
            theta = np.zeros(self._samples.n_slots)
            for one, other in ((first, second - 1), (second, first)):
                theta[support[code == one]] = coef[other, code == one]
            thetas.append(theta)
        return thetas

    def _settings(self, namesake: Any) -> dict[str, Any]:
        return {"class_weight_": namesake.class_weight_, "n_iter_": np.ones_like(namesake.n_iter_)}

    def _publish(
        self, slots: np.ndarray, thetas: list[np.ndarray], intercepts: list[float]
    ) -> dict[str, Any]:
        classes, codes = encoded(self._fit_targets(slots))
        coef = np.zeros((classes.size - 1, slots.size))
        pairs = combinations(range(classes.size), 2)
        for (first, second), theta in zip(pairs, thetas, strict=True):
            for one, other in ((first, second - 1), (second, first)):
                of_class = codes == one
                coef[other, of_class] = theta[slots[of_class]]
        support = np.flatnonzero(coef.any(axis=0))
        support = support[codes[support].argsort(kind="stable")]
        dual = coef.take(support, axis=1)
        vectors = self._samples.X[slots[support]]
        return {
            "classes_": classes,
            "dual_coef_": like_rows(dual, vectors),
            "intercept_": np.array(intercepts),
            "n_support_": np.bincount(codes[support], minlength=classes.size).astype(np.int32),
            "shape_fit_": (slots.size, vectors.shape[1]),
            "support_": support.astype(np.int32),
            "support_vectors_": vectors,
        }

    def _targets_of_support(self) -> np.ndarray:
        return self.classes_.repeat(self.n_support_)

    def _by_pair(self) -> tuple[np.ndarray, np.ndarray]:
        """Return the coefficients of the support vectors in each pair's decision function."""
        coef, n_classes = _dense(self.dual_coef_), self.classes_.size
        code = np.repeat(np.arange(n_classes), self.n_support_)
        pairs = list(combinations(range(n_classes), 2))
        by_pair = np.zeros((coef.shape[1], len(pairs)))
        for position, (first, second) in enumerate(pairs):
            for one, other in ((first, second - 1), (second, first)):
                by_pair[code == one, position] = coef[other, code == one]
        return by_pair, np.array(pairs)

    def _linear_weights(self) -> Any:
        weights = self._by_pair()[0].T @ self.support_vectors_
        return sparse.csr_matrix(weights) if sparse.issparse(self.dual_coef_) else weights

    def _pair_decisions(self, X: Any) -> tuple[np.ndarray, np.ndarray]:
        check_is_fitted(self)
        by_pair, pairs = self._by_pair()
        return self._products(X, by_pair) + self.intercept_, pairs

    def _class_decisions(self, decisions: np.ndarray, pairs: np.ndarray) -> np.ndarray:
        """Return votes of the pairs for each class, with confidence as the decimals."""
        n_classes = self.classes_.size
        votes, confidence = np.zeros((2, len(decisions), n_classes))
        for decision, (first, second) in zip(decisions.T, pairs, strict=True):
            confidence[:, first] += decision
            confidence[:, second] -= decision
            votes[:, first] += decision >= 0.0
            votes[:, second] += decision < 0.0
        return votes + confidence / (3.0 * (np.abs(confidence) + 1.0))

    @reads_one_version
    def decision_function(self, X: Any) -> np.ndarray:
        """Evaluate the decision functions.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Rows.

        Returns
        -------
        decisions : ndarray of shape (n_samples,), (n_samples, n_classes) or (n_samples, n_pairs)
            For two classes, positive for the second; else by `decision_function_shape`.
        """
        decisions, pairs = self._pair_decisions(X)
        if self.classes_.size == 2:
            return decisions[:, 0]
        if self.decision_function_shape == "ovo":
            return decisions
        return self._class_decisions(decisions, pairs)

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
        if self.break_ties and self.decision_function_shape == "ovo":
            raise ValueError("break_ties must be False when decision_function_shape is 'ovo'")
        decisions, pairs = self._pair_decisions(X)
        if self.classes_.size == 2:
            return self.classes_[(decisions[:, 0] >= 0.0).astype(np.intp)]
        if self.break_ties:
            return self.classes_[self._class_decisions(decisions, pairs).argmax(axis=1)]
        votes = np.zeros((len(decisions), self.classes_.size), dtype=np.intp)
        for decision, (first, second) in zip(decisions.T, pairs, strict=True):
            votes[:, first] += decision > 0.0
            votes[:, second] += decision <= 0.0
        return self.classes_[votes.argmax(axis=1)]

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        return tags


def _dense(coef: Any) -> np.ndarray:
    return coef.toarray() if sparse.issparse(coef) else coef
