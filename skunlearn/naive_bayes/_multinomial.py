"""MultinomialNB that forgets rows."""

from __future__ import annotations

from typing import Any

import numpy as np
import sklearn.naive_bayes
from sklearn.utils.extmath import safe_sparse_dot
from sklearn.utils.validation import check_non_negative

from skunlearn.naive_bayes._discrete import BaseDiscreteNB


class MultinomialNB(BaseDiscreteNB):
    """Naive Bayes for counts, such as words in documents, that forgets rows.

    Same parameters, fitted attributes and output as :class:`sklearn.naive_bayes.MultinomialNB`.
    A request reads the removed rows only and costs O(k d) for k of them with d features, plus
    O(c d) for c classes to derive the attributes.

    Parameters
    ----------
    alpha : float or array-like of shape (n_features,), default=1.0
        Additive smoothing; 0 for none.

    force_alpha : bool, default=True
        If False, an `alpha` below 1e-10 is raised to it.

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
        Weighted sum of each feature over the rows of each class.

    feature_log_prob_ : ndarray of shape (n_classes, n_features)
        Logarithm of ``P(x_j|c)``.

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
    skunlearn.naive_bayes.GaussianNB : For real-valued features.

    Notes
    -----
    The promise is 'bitwise': every fitted attribute equals that of a new fit on the remaining rows,
    whatever the values and weights. Counts are sums of integers on a fixed grid of 2**-80 ([1]_,
    section 3), which is finer than float64 for values above 2**-27; so fractional input (tf-idf
    vectors, weights) adds and subtracts without rounding. Values from 2**40 on are refused.

    References
    ----------
    .. [1] Collange, Defour, Graillat, Iakymchuk: Numerical reproducibility for the parallel
       reduction on multi- and many-core architectures, Parallel Computing 49, 2015.

    Examples
    --------
    >>> from skunlearn.naive_bayes import MultinomialNB
    >>> X, y = [[2, 0], [1, 1], [0, 9], [0, 3]], ["ham", "ham", "ham", "spam"]
    >>> model = MultinomialNB().fit(X, y, sample_ids=["ann", "bob", "cem", "eve"])
    >>> model.predict([[0, 1]])
    array(['ham'], dtype='<U4')
    >>> model.unlearn("cem").predict([[0, 1]])
    array(['spam'], dtype='<U4')
    >>> model.feature_count_
    array([[3., 1.],
           [0., 3.]])
    """

    def __init__(
        self,
        *,
        alpha: Any = 1.0,
        force_alpha: bool = True,
        fit_prior: bool = True,
        class_prior: Any = None,
    ):
        self.alpha = alpha
        self.force_alpha = force_alpha
        self.fit_prior = fit_prior
        self.class_prior = class_prior

    def _threshold_for(self, X: Any) -> float:
        return np.nan

    def _check_values(self, X: Any, lowest: float) -> None:
        if lowest < 0:
            check_non_negative(X, "MultinomialNB (input X)")

    def _feature_log_prob(
        self, feature_count: np.ndarray, class_count: np.ndarray, alpha: Any
    ) -> np.ndarray:
        smoothed = feature_count + alpha
        total = smoothed.sum(axis=1, keepdims=True)
        log_prob = np.log(smoothed, out=smoothed)
        log_prob -= np.log(total)
        return log_prob

    def _joint_log_likelihood(self, X: Any) -> np.ndarray:
        return safe_sparse_dot(X, self.feature_log_prob_.T) + self.class_log_prior_

    def to_predictor(self) -> sklearn.naive_bayes.MultinomialNB:
        """Return scikit-learn's own classifier for deployment.

        Returns
        -------
        predictor : sklearn.naive_bayes.MultinomialNB
            Fitted; holds no training row.
        """
        return self._as_namesake(sklearn.naive_bayes.MultinomialNB)

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.positive_only = True
        return tags
