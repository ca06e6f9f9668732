"""SelectKBest that forgets rows."""

from __future__ import annotations

import warnings
from numbers import Integral
from typing import Any, ClassVar

import numpy as np
import sklearn.feature_selection
from sklearn.feature_selection import f_classif

from skunlearn._compat import Interval, StrOptions
from skunlearn.feature_selection._univariate import BaseFilter, BaseScoreFilter, comparable


class SelectKBest(BaseScoreFilter):
    """Select the features with the k highest scores, and forget rows.

    Same parameters, fitted attributes and output as
    :class:`sklearn.feature_selection.SelectKBest`.

    Parameters
    ----------
    score_func : callable, default=f_classif
        Takes X and y and returns scores and p-values, or scores alone.

    k : int or "all", default=10
        Number of features to select; "all" selects every one.

    Attributes
    ----------
    scores_ : ndarray of shape (n_features,)
        Scores of the features.

    pvalues_ : ndarray of shape (n_features,), or None
        p-values of the scores.

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
    SelectPercentile : Select a part of the features.
    VarianceThreshold : Drop features of low variance, without y.

    Notes
    -----
    Scores of `f_classif`, `f_regression` and `chi2` follow a request in O(k d) for k removed rows
    and d features; any other function is called anew on the remaining rows. That is bit for bit
    what a refit gives, and the promise is 'bitwise', if the function is known to make the same of
    the same rows: scikit-learn's `r_regression`, `mutual_info_classif` and `mutual_info_regression`
    with ``random_state`` set to an integer by `functools.partial`, or such a partial of one of
    those three. Of a function that is not known, which may draw random numbers, the promise is
    'distributional'. For those three themselves it is 'numerical': scores to 1e-10 of the largest
    (or of 1), from moments in float64 that are updated by subtraction and computed anew from the
    remaining rows, feature by feature, where rounding would show (sums for `chi2` are exact). Where
    rounding could decide what is selected, the features concerned take the scores of scikit-learn's
    own function on the remaining rows, if those agree up to rounding: the selection is that of a
    refit, and the request takes as long as one. Equal scores are told apart as in scikit-learn, by
    position.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from skunlearn.feature_selection import SelectKBest
    >>> X, y = load_iris(return_X_y=True)
    >>> selector = SelectKBest(k=2).fit(X, y, sample_ids="row numbers")
    >>> selector.unlearn(range(100, 150)).get_support()
    array([False, False,  True,  True])
    """

    _parameter_constraints: ClassVar[dict[str, Any]] = {
        **BaseFilter._parameter_constraints,
        "k": [StrOptions({"all"}), Interval(Integral, 0, None, closed="left")],
    }

    def __init__(self, score_func: Any = f_classif, *, k: Any = 10):
        self.score_func = score_func
        self.k = k

    def _check_selection(self, n_features: int) -> None:
        if not isinstance(self.k, str) and self.k > n_features:
            warnings.warn(
                f"k={self.k} is greater than n_features={n_features}. "
                "All the features will be returned.",
                stacklevel=5,
            )

    def _mask(self, scores: np.ndarray, pvalues: Any) -> np.ndarray:
        if self.k == "all":
            return np.ones(scores.size, dtype=bool)
        mask = np.zeros(scores.size, dtype=bool)
        if self.k > 0:
            mask[np.argsort(comparable(scores), kind="stable")[-self.k :]] = True
        return mask

    def to_predictor(self) -> sklearn.feature_selection.SelectKBest:
        """Return scikit-learn's own selector for deployment.

        Returns
        -------
        predictor : sklearn.feature_selection.SelectKBest
            Fitted; holds no training row.
        """
        return self._as_namesake(sklearn.feature_selection.SelectKBest)
