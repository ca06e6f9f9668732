"""NearestCentroid that forgets rows."""

from __future__ import annotations

import warnings
from numbers import Real
from typing import Any, ClassVar

import numpy as np
import sklearn.neighbors
from scipy import sparse
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.utils.metaestimators import available_if
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import check_is_fitted

from skunlearn._compat import Interval, StrOptions
from skunlearn._kernels.column_moments import remove_labelled_rows, rounding
from skunlearn._samples.strings import narrowed
from skunlearn._statistics.column_moments import TOLERANCE, UNIT_WEIGHTS, from_rows
from skunlearn._unlearning.fit_task import fit_task
from skunlearn._unlearning.tags import UnlearningTags
from skunlearn._validation import refuse_overflow, validate_data
from skunlearn.base import Guarantee, Removal, UnlearnerMixin, reads_one_version
from skunlearn.exceptions import NotUnlearnableError

_CONSTANT = "All features have zero variance. Division by zero."


def _is_euclidean(model: Any) -> bool:
    return model.metric == "euclidean"


class NearestCentroid(UnlearnerMixin, ClassifierMixin, BaseEstimator):
    """Classifier by the nearest class centre that forgets rows.

    Same parameters, fitted attributes and output as :class:`sklearn.neighbors.NearestCentroid`. A
    request for k rows with d features costs O(k d) and reads no other row, except where rounding
    would show; with ``metric="manhattan"`` it also takes the medians of the classes concerned anew.

    Parameters
    ----------
    metric : {'euclidean', 'manhattan'}, default='euclidean'
        Distance to a centre, which is the mean of a class or the median of each feature.

    shrink_threshold : float, default=None
        By how much centres are drawn to the centre of all rows, in units of their deviation.

    priors : {'uniform', 'empirical'} or array-like of shape (n_classes,), default='uniform'
        Priors of the classes.

    Attributes
    ----------
    centroids_ : ndarray of shape (n_classes, n_features)
        Centre of each class.

    class_prior_ : ndarray of shape (n_classes,)
        Prior of each class.

    classes_ : ndarray of shape (n_classes,)
        Class labels; a class whose last row is unlearned disappears.

    deviations_ : ndarray of shape (n_classes, n_features)
        Deviation of each centre from the centre of all rows, shrunk where asked for.

    within_class_std_dev_ : ndarray of shape (n_features,)
        Standard deviation about the centres.

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
    skunlearn.neighbors.KNeighborsClassifier : Asks the nearest rows.

    Notes
    -----
    The promise is 'numerical' with relative tolerance 1e-10 (medians are equal bit for bit).
    Moments of each class are updated by subtraction and computed anew from the remaining rows
    where the error estimate would pass the tolerance. Deviations are those of [1]_, equations 4
    to 7.

    References
    ----------
    .. [1] Tibshirani, Hastie, Narasimhan, Chu: Diagnosis of multiple cancer types by shrunken
       centroids of gene expression, PNAS 99(10), 2002.

    Examples
    --------
    >>> from skunlearn.neighbors import NearestCentroid
    >>> X, y = [[0.0], [1.0], [4.0], [5.0], [90.0]], [0, 0, 1, 1, 1]
    >>> model = NearestCentroid().fit(X, y, sample_ids=["ann", "bob", "cem", "dan", "eve"])
    >>> model.predict([[5.0]])
    array([0])
    >>> model.unlearn("eve").predict([[5.0]])
    array([1])
    """

    _parameter_constraints: ClassVar[dict[str, Any]] = {
        "metric": [StrOptions({"euclidean", "manhattan"})],
        "shrink_threshold": [Interval(Real, 0, None, closed="neither"), None],
        "priors": ["array-like", StrOptions({"uniform", "empirical"})],
    }
    _float_residue = ("_moments", "_counts")
    _unlearning_tags = UnlearningTags("numerical", tolerance=TOLERANCE)
    _overwritten: ClassVar[tuple[str, ...]] = ("_class_medians", "_counts", "_moments")
    classes_: np.ndarray

    def __init__(
        self,
        metric: str = "euclidean",
        *,
        shrink_threshold: float | None = None,
        priors: Any = "uniform",
    ):
        self.metric = metric
        self.shrink_threshold = shrink_threshold
        self.priors = priors

    @fit_task(prefer_skip_nested_validation=True)
    def fit(self, X: Any, y: Any, *, sample_ids: Any = None) -> NearestCentroid:
        """Fit the classifier.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Training rows.

        y : array-like of shape (n_samples,)
            Class labels, of two classes at least.

        sample_ids : array-like of shape (n_samples,), default=None
            Ids by which rows can be unlearned; default ``X.index`` for a pandas X, else
            ``0..n_samples-1``.

        Returns
        -------
        self : object
            Fitted classifier.
        """
        sources = (X, y, None)
        X, y = validate_data(self, X, y, accept_sparse="csr", dtype=[np.float64, np.float32])
        check_classification_targets(y)
        classes = np.unique(y)
        self._check_classes(classes, ValueError)
        self._hold_samples(X, y, sources=sources, sample_ids=sample_ids)
        rows = self._samples.slots()
        moments = np.empty((classes.size + 1, 5, X.shape[1]))
        counts = np.zeros((4, classes.size + 1))
        for part in range(classes.size + 1):
            self._recompute(moments, counts, part, classes, rows)
        self._check_spread(moments[-1], rows, ValueError)
        self.__dict__.update(
            self._attributes(moments, counts, classes, self._medians(classes, rows))
        )
        if (self.within_class_std_dev_ == 0).any():
            warnings.warn(
                "self.within_class_std_dev_ has at least 1 zero standard deviation. "
                "Inputs within the same classes for at least 1 feature are identical.",
                stacklevel=4,
            )
        return self

    def _check_classes(self, classes: np.ndarray, error: type[ValueError]) -> None:
        if classes.size < 2:
            raise error(
                f"The number of classes has to be greater than one; got {classes.size} class"
            )
        if not isinstance(self.priors, str) and len(self.priors) != classes.size:
            raise error(f"priors has {len(self.priors)} values for {classes.size} classes.")

    def _check_spread(self, moments: np.ndarray, rows: Any, error: type[ValueError]) -> None:
        """Refuse rows that are all the same; None stands for rows whose moments are precise."""
        total, mean, scatter = moments[:3]
        if rows is not None and (scatter <= total * (1e-12 * mean) ** 2).all():
            X = self._samples.take(rows)[0]
            gap = X.max(axis=0) - X.min(axis=0)
            if not (gap.toarray() if sparse.issparse(gap) else gap).any():
                raise error(_CONSTANT)

    def _recompute(
        self, moments: np.ndarray, counts: np.ndarray, part: int, classes: np.ndarray, rows: Any
    ) -> None:
        """Fill in the moments of one class, or of all rows, from those of `rows` that it has."""
        if part < classes.size:
            rows = rows[self._fit_targets(rows) == classes[part]]
        moments[part] = from_rows(self._samples.X, None, rows)
        counts[:, part] = rows.size, rows.size, 0, 0

    def _medians(self, classes: np.ndarray, rows: np.ndarray) -> np.ndarray | None:
        """Compute the medians of some classes, if that is what centres are."""
        if _is_euclidean(self):
            return None
        y = self._fit_targets(rows)
        parts = [self._samples.take(rows[y == label])[0] for label in classes]
        medians = [np.median(p.toarray() if sparse.issparse(p) else p, axis=0) for p in parts]
        return np.array(medians, dtype=np.float64).reshape(-1, self.n_features_in_)

    def _priors_of(self, n_rows: np.ndarray) -> np.ndarray:
        n_classes = n_rows.size
        if isinstance(self.priors, str):
            if self.priors == "empirical":
                return n_rows / n_rows.sum()
            return np.full(n_classes, 1 / n_classes)
        priors = np.array(self.priors, dtype=np.float64)
        if (priors < 0).any():
            raise ValueError("priors must be non-negative")
        if not np.isclose(priors.sum(), 1.0):
            warnings.warn(
                "The priors do not sum to 1. Normalizing such that it sums to one.", stacklevel=4
            )
            priors /= priors.sum()
        return priors

    def _attributes(
        self,
        moments: np.ndarray,
        counts: np.ndarray,
        classes: np.ndarray,
        medians: np.ndarray | None,
    ) -> dict[str, Any]:
        n_rows, mean, scatter = moments[:-1, 0], moments[:-1, 1], moments[:-1, 2]
        refuse_overflow(self, scatter)
        total = n_rows.sum(axis=0)
        with np.errstate(divide="ignore", invalid="ignore"):
            if medians is None:
                centroids = mean.copy()
            else:
                centroids = medians.copy()
                scatter = scatter + n_rows * (mean - medians) ** 2
            std = np.sqrt(scatter.sum(axis=0) / (total - classes.size))
            unit = np.sqrt(1.0 / n_rows - 1.0 / total) * (std + np.median(std))
            deviations = (centroids - moments[-1, 1]) / unit
        if self.shrink_threshold:
            left = np.maximum(np.abs(deviations) - self.shrink_threshold, 0.0)
            deviations = np.sign(deviations) * left
            centroids = moments[-1, 1] + unit * deviations
        return {
            "_moments": moments,
            "_counts": counts,
            "_class_medians": medians,
            "centroids_": centroids,
            "class_prior_": self._priors_of(n_rows[:, 0]),
            "classes_": classes,
            "deviations_": deviations,
            "within_class_std_dev_": std,
        }

    def _unlearn(self, rows: np.ndarray) -> Removal:
        samples, classes, medians = self._samples, self.classes_, self._class_medians
        labels = classes.searchsorted(self._fit_targets(rows))
        X, positions = samples.X, rows
        if sparse.issparse(X):
            X, positions = X[rows].toarray(), np.arange(rows.size)
        moments, counts = remove_labelled_rows(
            self._moments, self._counts, X, UNIT_WEIGHTS, labels, positions
        )
        held = counts[0] > 0
        touched = np.zeros(classes.size, dtype=bool)
        touched[labels] = True
        if not held.all():
            classes = narrowed(classes[held[:-1]])
            self._check_classes(classes, NotUnlearnableError)
            moments, counts = moments.compress(held, axis=0), counts.compress(held, axis=1)
            touched = touched[held[:-1]]
            medians = None if medians is None else medians[held[:-1]]
        imprecise = np.flatnonzero(_errors(moments, counts) > TOLERANCE)
        remaining: Any = None
        if imprecise.size or medians is not None:
            remaining = samples.slots_without(rows)
        for part in imprecise.tolist():
            self._recompute(moments, counts, part, classes, remaining)
        n_read = counts[0, imprecise].sum()
        self._check_spread(moments[-1], remaining, NotUnlearnableError)
        if medians is not None:
            medians = medians.copy()
            medians[touched] = self._medians(classes[touched], remaining)
            n_read += counts[0, :-1][touched].sum()
        guarantee = Guarantee("numerical", "state", TOLERANCE, _errors(moments, counts).max())
        return Removal(
            self._attributes(moments, counts, classes, medians),
            guarantee,
            imprecise.size,
            len(moments),
            "moment set",
            n_passes=float(n_read / samples.n_samples),
        )

    def _predictor(self) -> sklearn.neighbors.NearestCentroid:
        check_is_fitted(self)
        return self._as_namesake(sklearn.neighbors.NearestCentroid)

    @reads_one_version
    def predict(self, X: Any) -> np.ndarray:
        """Predict the class of each row.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Rows to predict for.

        Returns
        -------
        y : ndarray of shape (n_samples,)
            Labels from `classes_`.
        """
        return self._predictor().predict(X)

    @available_if(_is_euclidean)
    @reads_one_version
    def decision_function(self, X: Any) -> np.ndarray:
        """Compute the discriminant score of each class; only for ``metric="euclidean"``.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Rows to predict for.

        Returns
        -------
        scores : ndarray of shape (n_samples,) or (n_samples, n_classes)
            With two classes, the log of the ratio of the second's probability to the first's.
        """
        return self._predictor().decision_function(X)

    @available_if(_is_euclidean)
    @reads_one_version
    def predict_proba(self, X: Any) -> np.ndarray:
        """Compute the probability of each class; only for ``metric="euclidean"``.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Rows to predict for.

        Returns
        -------
        proba : ndarray of shape (n_samples, n_classes)
            Columns in the order of `classes_`.
        """
        return self._predictor().predict_proba(X)

    @available_if(_is_euclidean)
    @reads_one_version
    def predict_log_proba(self, X: Any) -> np.ndarray:
        """Compute the log probability of each class; only for ``metric="euclidean"``.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Rows to predict for.

        Returns
        -------
        log_proba : ndarray of shape (n_samples, n_classes)
            Columns in the order of `classes_`.
        """
        return self._predictor().predict_log_proba(X)

    def to_predictor(self) -> sklearn.neighbors.NearestCentroid:
        """Return scikit-learn's own classifier for deployment.

        Returns
        -------
        predictor : sklearn.neighbors.NearestCentroid
            Fitted; holds no training row.
        """
        return self._as_namesake(sklearn.neighbors.NearestCentroid)

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        return tags


def _errors(moments: np.ndarray, counts: np.ndarray) -> np.ndarray:
    """Estimate the relative rounding error of each set of moments."""
    scatter, peak = moments[:, 2], moments[:, 3]
    with np.errstate(divide="ignore", invalid="ignore"):
        loss = np.where(peak > scatter, peak / scatter, 1.0).max(axis=1)
    return np.array([rounding(*pair) for pair in zip(loss, counts[2], strict=True)])
