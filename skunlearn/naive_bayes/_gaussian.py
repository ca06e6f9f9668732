"""GaussianNB that forgets rows."""

from __future__ import annotations

from numbers import Real
from typing import Any, ClassVar

import numpy as np
import sklearn.naive_bayes

from skunlearn._array_api import is_foreign, namespace, to_host
from skunlearn._compat import Interval
from skunlearn._kernels.column_moments import gaussians_of, remove_labelled_rows
from skunlearn._samples.tables import for_kernel, take
from skunlearn._statistics.column_moments import (
    TOLERANCE,
    UNIT_WEIGHTS,
    from_rows,
    power_of_two_above,
)
from skunlearn._unlearning.fit_task import fit_task
from skunlearn._unlearning.tags import UnlearningTags
from skunlearn._validation import refuse_overflow, validate_data
from skunlearn.base import Guarantee, Removal
from skunlearn.exceptions import NotUnlearnableError
from skunlearn.naive_bayes._base import BaseNB

# Rows predicted for at a time: their differences to a mean stay in the processor's cache.
_BLOCK = 1024


class GaussianNB(BaseNB):
    """Gaussian naive Bayes that forgets rows.

    Same parameters, fitted attributes and output as :class:`sklearn.naive_bayes.GaussianNB`. A
    request costs O(k d) for k removed rows and d features, plus O(c d) for c classes to derive the
    attributes; it reads no other row, except where rounding would show (see Notes).

    Parameters
    ----------
    priors : array-like of shape (n_classes,), default=None
        Priors of the classes, instead of learned ones.

    var_smoothing : float, default=1e-9
        Part of the largest variance of a feature that is added to all variances.

    Attributes
    ----------
    class_count_ : ndarray of shape (n_classes,)
        Weight of the rows of each class.

    class_prior_ : ndarray of shape (n_classes,)
        Prior of each class.

    classes_ : ndarray of shape (n_classes,)
        Class labels; a class whose last row is unlearned disappears.

    epsilon_ : float
        What was added to the variances.

    theta_ : ndarray of shape (n_classes, n_features)
        Mean of each feature in each class, in float64.

    var_ : ndarray of shape (n_classes, n_features)
        Variance of each feature in each class, in float64.

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
    skunlearn.naive_bayes.BernoulliNB : For yes-or-no features.
    skunlearn.naive_bayes.MultinomialNB : For counts.

    Notes
    -----
    The promise is 'numerical' with relative tolerance 1e-10: in `var_`, `class_count_` and
    `epsilon_`, and in `theta_` relative to the standard deviation where that is the larger. Moments
    per class are updated by subtraction [1]_; an error estimate grows with the ratio of their
    former size to their present one, and a class for which it would pass the tolerance (a removed
    outlier dominated it) is computed anew from its rows, as is the variance of all rows that
    `epsilon_` depends on. Weights must not be negative.

    References
    ----------
    .. [1] Chan, Golub, LeVeque: Algorithms for computing the sample variance, The American
       Statistician 37(3), 1983.

    Examples
    --------
    >>> from skunlearn.naive_bayes import GaussianNB
    >>> X, y = [[0.0], [2.0], [7.0], [9.0], [900.0]], [0, 0, 1, 1, 1]
    >>> model = GaussianNB().fit(X, y, sample_ids=["a", "b", "c", "d", "e"])
    >>> model.unlearn("e").theta_
    array([[1.],
           [8.]])
    >>> model.predict([[6.0]])
    array([1])
    """

    _parameter_constraints: ClassVar[dict[str, Any]] = {
        "priors": ["array-like", None],
        "var_smoothing": [Interval(Real, 0, None, closed="left")],
    }
    _takes_arrays = True
    _float_residue = ("_moments", "_counts")
    _unlearning_tags = UnlearningTags("numerical", tolerance=TOLERANCE)
    _overwritten: ClassVar[tuple[str, ...]] = ("_counts", "_moments")
    _prior_parameter = "priors"

    def __init__(self, *, priors: Any = None, var_smoothing: float = 1e-9):
        self.priors = priors
        self.var_smoothing = var_smoothing

    @fit_task(prefer_skip_nested_validation=True)
    def fit(
        self, X: Any, y: Any, sample_weight: Any = None, *, sample_ids: Any = None
    ) -> GaussianNB:
        """Fit the classifier.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Training rows.

        y : array-like of shape (n_samples,)
            Class labels.

        sample_weight : array-like of shape (n_samples,), default=None
            Weights of the rows, none of them negative.

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
            If the variance of a feature within a class is zero, also after smoothing.
        """
        sources, labels_elsewhere = (X, y, sample_weight), is_foreign(y)
        X, y, weight, classes = self._check_training(X, y, sample_weight, non_negative_weights=True)
        self._checked_priors(classes.size)
        self._labels_elsewhere = labels_elsewhere
        self._hold_samples(X, y, weight, sources=sources, sample_ids=sample_ids)
        moments = np.empty((classes.size + 1, 5, X.shape[1]))
        counts = np.empty((4, classes.size + 1))
        for part in range(classes.size + 1):
            self._recompute(moments, counts, part, classes, self._samples.slots())
        attributes = self._attributes(moments, counts, classes)[0]
        self._check_variances(attributes["var_"], ValueError)
        self.__dict__.update(attributes)
        return self

    def _check_variances(self, var: Any, error: type[ValueError]) -> None:
        """Refuse variances of zero, which no probability follows from."""
        if not (to_host(var) > 0.0).all():
            raise error(
                "A variance within a class is zero, after adding var_smoothing="
                f"{self.var_smoothing} times the largest variance of a feature, as it is if no "
                f"feature varies (in particular with n_samples=1). Rescale X or raise "
                "var_smoothing."
            )

    def _recompute(
        self, moments: np.ndarray, counts: np.ndarray, part: int, classes: np.ndarray, rows: Any
    ) -> None:
        """Fill in the moments of one class, or of all rows, from those of `rows` that it has."""
        samples = self._samples
        weights = None
        if part < classes.size:
            rows = rows[self._samples.y[rows] == classes[part]]
            weights = samples.sample_weight
        moments[part] = from_rows(samples.X, weights, rows)
        n_weighted = rows.size if weights is None else np.count_nonzero(weights[rows])
        counts[:, part] = rows.size, n_weighted, 0, power_of_two_above(moments[part, 0, 0])

    def _attributes(
        self, moments: np.ndarray, counts: np.ndarray, classes: np.ndarray
    ) -> tuple[dict[str, Any], np.ndarray]:
        """Derive attributes and the estimated relative error of each set of moments."""
        theta, var, class_count, class_prior, epsilon, error = gaussians_of(
            moments, counts, self.var_smoothing
        )
        refuse_overflow(self, var)
        if self.priors is not None:
            class_prior = self._checked_priors(classes.size)
        publish = self._samples.publish
        attributes = {
            "_moments": moments,
            "_counts": counts,
            "classes_": publish(classes) if self._labels_elsewhere else classes,
            "class_count_": publish(class_count),
            "class_prior_": publish(class_prior),
            "epsilon_": np.float64(epsilon),
            "theta_": publish(theta),
            "var_": publish(var),
        }
        return attributes, error

    def _checked_priors(self, n_classes: int) -> np.ndarray | None:
        self._check_prior_length(n_classes, ValueError)
        if self.priors is None:
            return None
        priors = np.array(self.priors, dtype=np.float64)
        if not np.isclose(priors.sum(), 1.0):
            raise ValueError("The sum of the priors should be 1.")
        if (priors < 0).any():
            raise ValueError("Priors must be non-negative.")
        return priors

    def _unlearn(self, rows: np.ndarray) -> Removal:
        samples, classes = self._samples, to_host(self.classes_)
        labels = classes.searchsorted(samples.y[rows])
        X, gone, weights = for_kernel(samples.X, rows, samples.sample_weight)
        weights = UNIT_WEIGHTS if weights is None else weights
        moments, counts = remove_labelled_rows(
            self._moments, self._counts, X, weights, labels, gone
        )
        keep = self._classes_left(counts[0, :-1], counts[1, :-1])
        if keep is not None:
            classes = self._labels_left(keep)
            parts = np.append(keep, True)
            moments, counts = moments.compress(parts, axis=0), counts.compress(parts, axis=1)
        attributes, error = self._attributes(moments, counts, classes)
        n_refitted = n_read = 0
        while error.max() > TOLERANCE:
            left = samples.slots_without(rows)
            for part in np.flatnonzero(error > TOLERANCE).tolist():
                self._recompute(moments, counts, part, classes, left)
                n_refitted += 1
                n_read += int(counts[0, part])
            attributes, error = self._attributes(moments, counts, classes)
        self._check_variances(attributes["var_"], NotUnlearnableError)
        guarantee = Guarantee("numerical", "state", TOLERANCE, float(error.max()))
        n_passes = n_read / samples.n_samples
        n_parts = len(moments)
        return Removal(attributes, guarantee, n_refitted, n_parts, "moment set", n_passes=n_passes)

    def _check_X(self, X: Any) -> np.ndarray:
        return validate_data(self, X, reset=False)

    def _fit_targets(self, rows: np.ndarray) -> Any:
        y = take(self._samples.y, rows)
        return self._samples.publish(y) if self._labels_elsewhere else y

    def _joint_log_likelihood(self, X: Any) -> Any:
        if is_foreign(X):
            return self._joint_on_device(X)
        with np.errstate(divide="ignore"):
            constant = np.log(self.class_prior_)
            constant = constant - 0.5 * np.log(2.0 * np.pi * self.var_).sum(axis=1)
        joint = np.empty((self.classes_.size, X.shape[0]))
        gaps = np.empty((min(_BLOCK, X.shape[0]), X.shape[1]))
        for start in range(0, X.shape[0], _BLOCK):
            block = X[start : start + _BLOCK]
            gap = gaps[: len(block)]
            for part, (theta, var) in enumerate(zip(self.theta_, self.var_, strict=True)):
                np.subtract(block, theta, out=gap)
                gap *= gap
                gap /= var
                joint[part, start : start + _BLOCK] = constant[part] - 0.5 * gap.sum(axis=1)
        return joint.T

    def _joint_on_device(self, X: Any) -> Any:
        xp = namespace(X)
        with np.errstate(divide="ignore"):
            spread = xp.sum(xp.log(2.0 * np.pi * self.var_), axis=1)
            constant = xp.log(self.class_prior_) - 0.5 * spread
        columns = []
        for part in range(constant.shape[0]):
            gap = X - self.theta_[part, :]
            columns.append(constant[part] - 0.5 * xp.sum(gap * gap / self.var_[part, :], axis=1))
        return xp.stack(columns, axis=1)

    def to_predictor(self) -> sklearn.naive_bayes.GaussianNB:
        """Return scikit-learn's own classifier for deployment.

        Returns
        -------
        predictor : sklearn.naive_bayes.GaussianNB
            Fitted; holds no training row.
        """
        return self._as_namesake(sklearn.naive_bayes.GaussianNB)
