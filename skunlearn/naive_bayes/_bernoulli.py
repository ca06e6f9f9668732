"""BernoulliNB that forgets rows."""

from __future__ import annotations

from numbers import Real
from typing import Any, ClassVar

import numpy as np
import sklearn.naive_bayes
from scipy import sparse
from sklearn.utils.extmath import safe_sparse_dot

from skunlearn._compat import Interval
from skunlearn.naive_bayes._discrete import BaseDiscreteNB


class BernoulliNB(BaseDiscreteNB):
    """Naive Bayes for yes-or-no features that forgets rows.

    Same parameters, fitted attributes and output as :class:`sklearn.naive_bayes.BernoulliNB`. A
    request reads the removed rows only and costs O(k d) for k of them with d features, plus
    O(c d) for c classes to derive the attributes.

    Parameters
    ----------
    alpha : float or array-like of shape (n_features,), default=1.0
        Additive smoothing; 0 for none. An array is per feature (scikit-learn 1.9 refuses one
        unless it happens to be as long as `classes_`, and then takes it per class).

    force_alpha : bool, default=True
        If False, an `alpha` below 1e-10 is raised to it.

    binarize : float or None, default=0.0
        Values above it mean yes. None takes X to be zeros and ones already.

    fit_prior : bool, default=True
        Whether to learn class priors; if False they are uniform.

    class_prior : array-like of shape (n_classes,), default=None
        Priors of the classes, instead of learned ones.

    Attributes
    ----------
    class_count_ : ndarray of shape (n_classes,)
        Weight of the rows of each class.

    class_log_prior_ : ndarray of shape (n_classes,)
        Logarithm of the prior of each class.

    classes_ : ndarray of shape (n_classes,)
        Class labels; a class whose last row is unlearned disappears.

    feature_count_ : ndarray of shape (n_classes, n_features)
        Weight of the rows of each class that have the feature.

    feature_log_prob_ : ndarray of shape (n_classes, n_features)
        Logarithm of ``P(x_j = 1|c)``.

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
    skunlearn.naive_bayes.GaussianNB : For real-valued features.
    skunlearn.naive_bayes.MultinomialNB : For counts.

    Notes
    -----
    The promise is 'bitwise': every fitted attribute equals that of a new fit on the remaining rows,
    whatever the weights, which are added up as integers on a fixed grid of 2**-80 ([1]_,
    section 3). Weights from 2**40 on are refused.

    References
    ----------
    .. [1] Collange, Defour, Graillat, Iakymchuk: Numerical reproducibility for the parallel
       reduction on multi- and many-core architectures, Parallel Computing 49, 2015.

    Examples
    --------
    >>> from skunlearn.naive_bayes import BernoulliNB
    >>> X, y = [[1, 0], [1, 1], [0, 1], [0, 1]], [0, 0, 0, 1]
    >>> model = BernoulliNB().fit(X, y, sample_ids=["ann", "bob", "cem", "eve"])
    >>> model.unlearn(["bob", "cem"]).feature_count_
    array([[1., 0.],
           [0., 1.]])
    >>> model.predict([[0, 1]])
    array([1])
    """

    _parameter_constraints: ClassVar[dict[str, Any]] = {
        **BaseDiscreteNB._parameter_constraints,
        "binarize": [None, Interval(Real, 0, None, closed="left")],
    }

    def __init__(
        self,
        *,
        alpha: Any = 1.0,
        force_alpha: bool = True,
        binarize: float | None = 0.0,
        fit_prior: bool = True,
        class_prior: Any = None,
    ):
        self.alpha = alpha
        self.force_alpha = force_alpha
        self.binarize = binarize
        self.fit_prior = fit_prior
        self.class_prior = class_prior

    def _threshold_for(self, X: Any) -> float:
        if self.binarize is None:
            return np.nan
        return float(np.result_type(X.dtype, self.binarize, 0.0).type(self.binarize))

    def _feature_log_prob(
        self, feature_count: np.ndarray, class_count: np.ndarray, alpha: Any
    ) -> np.ndarray:
        smoothed = feature_count + alpha
        total = class_count[:, np.newaxis] + 2 * alpha
        log_prob = np.log(smoothed, out=smoothed)
        log_prob -= np.log(total)
        return log_prob

    def _check_X(self, X: Any) -> Any:
        X = super()._check_X(X)
        if self.binarize is None:
            return X
        if not sparse.issparse(X):
            return (self.binarize < X).astype(np.float64)
        X = X.copy()
        X.sum_duplicates()
        X.data = (self.binarize < X.data).astype(np.float64)
        return X

    def _joint_log_likelihood(self, X: Any) -> np.ndarray:
        log_yes = self.feature_log_prob_
        log_no = np.log(1 - np.exp(log_yes))
        joint = safe_sparse_dot(X, (log_yes - log_no).T)
        joint += self.class_log_prior_ + log_no.sum(axis=1)
        return joint

    def to_predictor(self) -> sklearn.naive_bayes.BernoulliNB:
        """Return scikit-learn's own classifier for deployment.

        Returns
        -------
        predictor : sklearn.naive_bayes.BernoulliNB
            Fitted; holds no training row.
        """
        return self._as_namesake(sklearn.naive_bayes.BernoulliNB)
