"""RidgeClassifier that forgets rows."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
import sklearn.linear_model
from sklearn.preprocessing import LabelBinarizer
from sklearn.utils.class_weight import compute_class_weight
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import column_or_1d

from skunlearn._array_api import is_foreign, to_host
from skunlearn._compat import StrOptions
from skunlearn._linalg.precision import EPS
from skunlearn._mixins.linear_classifier import LinearClassifierMixin
from skunlearn._mixins.scoring import ClassifierMixin
from skunlearn._samples.store import SampleStore
from skunlearn._samples.strings import narrowed
from skunlearn._statistics.class_moments import ClassMoments, class_moments, moments_without, pooled
from skunlearn._statistics.joint_moments import JointMoments
from skunlearn._unlearning.commit import snapshot
from skunlearn._unlearning.fit_task import fit_task
from skunlearn._validation import check_weights, validate_data
from skunlearn.base import Removal
from skunlearn.exceptions import NotUnlearnableError
from skunlearn.linear_model._base_ridge import BaseRidge
from skunlearn.linear_model._moments_model import TOLERANCE


class RidgeClassifier(LinearClassifierMixin, ClassifierMixin, BaseRidge):
    """Classification by ridge regression on targets of -1 and 1 that forgets rows exactly.

    Same parameters, fitted attributes and predictions as
    :class:`sklearn.linear_model.RidgeClassifier`. The model keeps mean and scatter of each class,
    of which those of the targets follow, so that weights of classes change and classes vanish
    without a pass over the rows: a request of k rows, c classes and d columns costs
    O(k d^2 + c d^2 + d^3 / 3).

    Parameters
    ----------
    alpha : float or array-like of shape (n_targets,), default=1.0
        Strength of the penalty, non-negative.

    fit_intercept : bool, default=True
        Whether to fit an intercept.

    copy_X : bool, default=True
        Kept for compatibility: X is never overwritten.

    max_iter : int, default=None
        Kept for compatibility: the solution is direct.

    tol : float, default=1e-4
        Kept for compatibility: the solution is direct.

    class_weight : dict or 'balanced', default=None
        Weights of the classes; 'balanced' for ``n_samples / (n_classes * n_samples_of_class)``,
        chosen anew for each request.

    solver : {'auto', 'svd', 'cholesky', 'lbfgs'}, default='auto'
        As in :class:`Ridge`.

    positive : bool, default=False
        Whether coefficients must be non-negative; dense X only.

    random_state : int, RandomState instance or None, default=None
        Kept for compatibility: nothing is random.

    Attributes
    ----------
    coef_ : ndarray of shape (n_features,) or (n_classes, n_features)
        Weights; one-dimensional for two classes.

    intercept_ : float or ndarray of shape (1,) or (n_classes,)
        Independent term; 0.0 if ``fit_intercept=False``.

    n_iter_ : None
        There are no iterations.

    classes_ : ndarray of shape (n_classes,)
        Class labels; a class whose last row is unlearned disappears.

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
    Ridge : For targets that are numbers.

    Notes
    -----
    The promise is 'numerical' with relative tolerance 1e-9, as for :class:`Ridge`. Rows have one
    label each; for rows with several fit :class:`Ridge` on targets of -1 and 1.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from skunlearn.linear_model import RidgeClassifier
    >>> X, y = load_iris(return_X_y=True)
    >>> model = RidgeClassifier(class_weight="balanced").fit(X, y, sample_ids="row numbers")
    >>> model.unlearn(range(50)).classes_
    array([1, 2])
    >>> round(model.score(X[50:], y[50:]), 2)
    0.97
    """

    _takes_arrays = True
    _parameter_constraints: ClassVar[dict[str, Any]] = {
        **BaseRidge._parameter_constraints,
        "class_weight": [dict, StrOptions({"balanced"}), None],
    }
    _overwritten: ClassVar[tuple[str, ...]] = ("_counts",)

    def __init__(
        self,
        alpha: Any = 1.0,
        *,
        fit_intercept: bool = True,
        copy_X: bool = True,
        max_iter: int | None = None,
        tol: float = 1e-4,
        class_weight: Any = None,
        solver: str = "auto",
        positive: bool = False,
        random_state: Any = None,
    ):
        self.alpha = alpha
        self.fit_intercept = fit_intercept
        self.copy_X = copy_X
        self.max_iter = max_iter
        self.tol = tol
        self.class_weight = class_weight
        self.solver = solver
        self.positive = positive
        self.random_state = random_state

    @fit_task(prefer_skip_nested_validation=True)
    def fit(
        self, X: Any, y: Any, sample_weight: Any = None, *, sample_ids: Any = None
    ) -> RidgeClassifier:
        """Fit the classifier.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Training rows.

        y : array-like of shape (n_samples,)
            Class labels.

        sample_weight : float or array-like of shape (n_samples,), default=None
            Weights of the rows.

        sample_ids : array-like of shape (n_samples,), default=None
            Ids by which rows can be unlearned; default ``X.index`` for a pandas X, else
            ``0..n_samples-1``.

        Returns
        -------
        self : object
            Fitted classifier.

        Raises
        ------
        ValueError
            If `solver` is iterative or does not go with `positive`, or rows have several labels.
        """
        self._check_solver()
        sources, labels_elsewhere = (X, y, sample_weight), is_foreign(y)
        X, y = validate_data(
            self,
            X,
            y,
            accept_sparse=False if self.positive else "csr",
            dtype=[np.float64, np.float32],
            multi_output=True,
        )
        if y.ndim == 2 and y.shape[1] > 1:
            raise ValueError(
                "RidgeClassifier takes one label per row. For rows with several labels use "
                "Ridge on targets of -1 and 1."
            )
        y = column_or_1d(y, warn=True)
        check_classification_targets(y)
        weight = check_weights(self, sample_weight, X, ensure_non_negative=True)
        if weight is not None and not weight.sum() > 0.0:
            raise ValueError("The sum of sample_weight must be positive.")
        self._single = False
        self._labels_elsewhere = labels_elsewhere
        self._hold_samples(X, y, weight, sources=sources, sample_ids=sample_ids)
        self._map = None
        self.__dict__.update(self._refit(self._samples, self._samples.slots(), None).attributes)
        self._name_solver()
        return self

    def _refit(self, samples: SampleStore, rows: np.ndarray, affine_map: Any) -> Removal:
        weight = samples.sample_weight
        if weight is not None and not weight[rows].sum() > 0.0:
            raise NotUnlearnableError(
                "The sum of sample_weight of the remaining rows must be positive."
            )
        classes, labels = np.unique(narrowed(samples.y[rows]), return_inverse=True)
        counts = np.bincount(labels)
        moments: ClassMoments | None = None
        if rows.size > self.n_features_in_:
            moments = class_moments(samples.X, labels, classes.size, weight, rows)
            joint = self._joined(moments, classes, counts)
            coef = None
            if np.isfinite(joint.scatter).all():
                penalties = self._penalties(len(joint.mean) - samples.X.shape[1])
                coef, _ = self._solve(joint, affine_map, penalties)
            else:
                moments = None
            if coef is not None:
                return self._classifying(
                    moments, classes, counts, coef, joint.mean, affine_map, None
                )
        X, y, mean = self._centred_rows(samples, rows, affine_map)
        coef = self._solve_from_rows(X, y, self._penalties(y.shape[1]))
        return self._classifying(moments, classes, counts, coef, mean, affine_map, None)

    def _unlearn_mapped(self, samples: SampleStore, rows: np.ndarray, affine_map: Any) -> Removal:
        weight, classes = samples.sample_weight, to_host(self.classes_)
        labels = classes.searchsorted(samples.y[rows])
        counts = self._counts - np.bincount(labels, minlength=classes.size)
        if self._moments is not None and counts.all() and counts.sum() > self.n_features_in_:
            moments = list(self._moments)
            for label in set(labels.tolist()):
                gone = rows[labels == label]
                lost = gone.size if weight is None else weight[gone].sum()
                if lost > (1.0 - 1e-6) * moments[label].weight:
                    break
                moments[label] = moments_without(moments[label], samples.X, weight, gone)
            else:
                joint = self._joined(tuple(moments), classes, counts)
                n_targets = len(joint.mean) - samples.X.shape[1]
                coef, error = self._solve(joint, affine_map, self._penalties(n_targets))
                if coef is not None and error <= TOLERANCE:
                    return self._classifying(
                        tuple(moments), classes, counts, coef, joint.mean, affine_map, error
                    )
        try:
            return self._refit(samples, samples.slots_without(rows), affine_map)
        except ValueError as error:
            raise NotUnlearnableError(
                f"RidgeClassifier cannot be fitted on the rows that would remain: {error}"
            ) from error

    def _classifying(
        self,
        moments: ClassMoments | None,
        classes: np.ndarray,
        counts: np.ndarray,
        coef: np.ndarray,
        mean: np.ndarray,
        affine_map: Any,
        error: float | None,
    ) -> Removal:
        removal = self._removal(
            moments, coef, mean, affine_map, EPS if error is None else error, refitted=error is None
        )
        removal.attributes.update(classes_=self._published(classes), _counts=counts)
        return removal

    def _weights_of(self, classes: np.ndarray, counts: np.ndarray) -> np.ndarray:
        if isinstance(self.class_weight, str):
            return counts.sum() / (classes.size * counts)
        return compute_class_weight(self.class_weight, classes=classes, y=classes)

    def _joined(
        self, moments: ClassMoments, classes: np.ndarray, counts: np.ndarray
    ) -> JointMoments:
        """Combine the moments of the classes into those of rows and targets."""
        shares = self._weights_of(classes, counts)
        weights = shares * [part.weight for part in moments]
        total = weights.sum()
        targets = _targets(np.arange(classes.size), classes.size)
        scatter, peak = pooled(moments, shares, "scatter"), pooled(moments, shares, "peak")
        means = np.stack([part.mean for part in moments])
        lows = np.stack([part.low for part in moments])
        mean = np.zeros(means.shape[1] + targets.shape[1])
        if self.fit_intercept:
            mean[: means.shape[1]] = weights @ means / total
            mean[means.shape[1] :] = weights @ targets / total
        gaps = np.hstack([means, targets]) - mean
        gaps[:, : means.shape[1]] += lows
        between = (weights[:, None] * gaps).T @ gaps
        n_features = means.shape[1]
        between[:n_features, :n_features] += scatter
        high = between.diagonal().copy()
        high[:n_features] += peak
        n_updates = max(part.n_updates for part in moments)
        return JointMoments(total, mean, np.zeros(mean.size), between, high, n_updates)

    def _taken(
        self, samples: SampleStore, rows: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray | None]:
        y, weight = super()._taken(samples, rows)
        classes, labels = np.unique(y, return_inverse=True)
        if self.class_weight is not None:
            shares = self._weights_of(classes, np.bincount(labels))[labels]
            weight = shares if weight is None else weight * shares
        return _targets(labels, classes.size), weight

    def _published(self, labels: np.ndarray) -> Any:
        """Return labels where they came from."""
        return self._samples.publish(labels) if self._labels_elsewhere else labels

    def _fit_targets(self, rows: np.ndarray) -> Any:
        return self._published(self._samples.y[rows])

    def _as_stored_targets(self, y: Any) -> np.ndarray:
        return np.asarray(to_host(y))

    def to_predictor(self) -> sklearn.linear_model.RidgeClassifier:
        """Return scikit-learn's own classifier for deployment.

        Returns
        -------
        predictor : sklearn.linear_model.RidgeClassifier
            Fitted; holds no training row.
        """
        view = snapshot(self)
        predictor = view._as_namesake(sklearn.linear_model.RidgeClassifier)
        binarizer = LabelBinarizer(pos_label=1, neg_label=-1)
        predictor._label_binarizer = binarizer.fit(to_host(view.classes_))
        return predictor


def _targets(labels: np.ndarray, n_classes: int) -> np.ndarray:
    """Encode classes as -1 and 1, two classes in one column, a single one as -1."""
    if n_classes <= 2:
        return np.where(labels[:, None] == 1, 1.0, -1.0)
    return np.where(labels[:, None] == np.arange(n_classes), 1.0, -1.0)
