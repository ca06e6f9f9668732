"""ComplementNB that forgets rows."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
import sklearn.naive_bayes
from sklearn.utils.extmath import safe_sparse_dot
from sklearn.utils.validation import check_non_negative

from skunlearn.naive_bayes._discrete import BaseDiscreteNB


class ComplementNB(BaseDiscreteNB):
    """Naive Bayes for counts in classes of unequal size, that forgets rows.

    Same parameters, fitted attributes and output as :class:`sklearn.naive_bayes.ComplementNB`.
    A request reads the removed rows only and costs O(k d) for k of them with d features, plus
    O(c d) for c classes to derive the attributes.

    Parameters
    ----------
    alpha : float or array-like of shape (n_features,), default=1.0
        Additive smoothing; 0 for none.

    force_alpha : bool, default=True
        If False, an `alpha` below 1e-10 is raised to it.

    fit_prior : bool, default=True
        Only used where there is a single class.

    class_prior : array-like of shape (n_classes,), default=None
        Only used where there is a single class.

    norm : bool, default=False
        Whether to normalize the weights of each class once more.

    Attributes
    ----------
    class_count_ : ndarray of shape (n_classes,)
        Weight of the rows of each class.

    class_log_prior_ : ndarray of shape (n_classes,)
        Logarithm of the prior of each class.

    classes_ : ndarray of shape (n_classes,)
        Class labels; a class whose last row is unlearned disappears.

    feature_all_ : ndarray of shape (n_features,)
        Weighted sum of each feature over all rows.

    feature_count_ : ndarray of shape (n_classes, n_features)
        Weighted sum of each feature over the rows of each class.

    feature_log_prob_ : ndarray of shape (n_classes, n_features)
        Weights of the features, from the rows of the other classes.

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
    skunlearn.naive_bayes.MultinomialNB : Counts each class by itself.

    Notes
    -----
    The promise is 'bitwise': every fitted attribute equals that of a new fit on the remaining rows,
    whatever the values and weights; how, :class:`~skunlearn.naive_bayes.MultinomialNB` tells. The
    model is that of [1]_, table 4, steps 4 to 6 and, with `norm`, 7.

    References
    ----------
    .. [1] Rennie, Shih, Teevan, Karger: Tackling the poor assumptions of naive Bayes text
       classifiers, ICML 2003.

    Examples
    --------
    >>> from skunlearn.naive_bayes import ComplementNB
    >>> X, y = [[2, 0], [1, 1], [0, 3], [9, 0]], ["ham", "ham", "spam", "spam"]
    >>> model = ComplementNB().fit(X, y, sample_ids=["ann", "bob", "cem", "eve"])
    >>> model.predict([[1, 0]])
    array(['spam'], dtype='<U4')
    >>> model.unlearn("eve").predict([[1, 0]])
    array(['ham'], dtype='<U4')
    >>> model.feature_all_
    array([3., 4.])
    """

    _parameter_constraints: ClassVar[dict[str, Any]] = {
        **BaseDiscreteNB._parameter_constraints,
        "norm": ["boolean"],
    }

    def __init__(
        self,
        *,
        alpha: Any = 1.0,
        force_alpha: bool = True,
        fit_prior: bool = True,
        class_prior: Any = None,
        norm: bool = False,
    ):
        self.alpha = alpha
        self.force_alpha = force_alpha
        self.fit_prior = fit_prior
        self.class_prior = class_prior
        self.norm = norm

    def _threshold_for(self, X: Any) -> float:
        return np.nan

    def _check_values(self, X: Any, lowest: float) -> None:
        if lowest < 0:
            check_non_negative(X, "ComplementNB (input X)")

    def _feature_log_prob(
        self, feature_count: np.ndarray, class_count: np.ndarray, alpha: Any
    ) -> np.ndarray:
        others = feature_count.sum(axis=0) + alpha - feature_count
        log_part = np.log(others / others.sum(axis=1, keepdims=True))
        return log_part / log_part.sum(axis=1, keepdims=True) if self.norm else -log_part

    def _feature_attributes(
        self, feature_count: np.ndarray, class_count: np.ndarray
    ) -> dict[str, Any]:
        attributes = super()._feature_attributes(feature_count, class_count)
        return attributes | {"feature_all_": feature_count.sum(axis=0)}

    def _joint_log_likelihood(self, X: Any) -> np.ndarray:
        joint = safe_sparse_dot(X, self.feature_log_prob_.T)
        return joint + self.class_log_prior_ if self.classes_.size == 1 else joint

    def to_predictor(self) -> sklearn.naive_bayes.ComplementNB:
        """Return scikit-learn's own classifier for deployment.

        Returns
        -------
        predictor : sklearn.naive_bayes.ComplementNB
            Fitted; holds no training row.
        """
        return self._as_namesake(sklearn.naive_bayes.ComplementNB)

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.positive_only = True
        return tags
