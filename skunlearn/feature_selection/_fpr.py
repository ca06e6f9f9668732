"""SelectFpr that forgets rows."""

from __future__ import annotations

from numbers import Real
from typing import Any, ClassVar

import numpy as np
import sklearn.feature_selection
from sklearn.feature_selection import f_classif

from skunlearn._compat import Interval
from skunlearn.feature_selection._univariate import BaseFilter, BasePvalueFilter


class SelectFpr(BasePvalueFilter):
    """Select the features whose p-values are below a level, and forget rows.

    Same parameters, fitted attributes and output as
    :class:`sklearn.feature_selection.SelectFpr`.

    Parameters
    ----------
    score_func : callable, default=f_classif
        Takes X and y and returns scores and p-values.

    alpha : float, default=5e-2
        Features with a p-value below it are selected.

    Attributes
    ----------
    scores_ : ndarray of shape (n_features,)
        Scores of the features.

    pvalues_ : ndarray of shape (n_features,)
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
    SelectFdr : Bounds the expected part of false discoveries.
    SelectFwe : Bounds the probability of any false discovery.

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
    refit, and the request takes as long as one.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from skunlearn.feature_selection import SelectFpr
    >>> X, y = load_iris(return_X_y=True)
    >>> selector = SelectFpr(alpha=1e-15).fit(X, y, sample_ids="row numbers")
    >>> selector.unlearn(range(100, 150)).get_support()
    array([ True, False,  True,  True])
    """

    _parameter_constraints: ClassVar[dict[str, Any]] = {
        **BaseFilter._parameter_constraints,
        "alpha": [Interval(Real, 0, 1, closed="both")],
    }

    def __init__(self, score_func: Any = f_classif, *, alpha: float = 5e-2):
        self.score_func = score_func
        self.alpha = alpha

    def _mask(self, scores: np.ndarray, pvalues: Any) -> np.ndarray:
        return pvalues < self.alpha

    def to_predictor(self) -> sklearn.feature_selection.SelectFpr:
        """Return scikit-learn's own selector for deployment.

        Returns
        -------
        predictor : sklearn.feature_selection.SelectFpr
            Fitted; holds no training row.
        """
        return self._as_namesake(sklearn.feature_selection.SelectFpr)
