"""GenericUnivariateSelect that forgets rows."""

from __future__ import annotations

from numbers import Real
from typing import Any, ClassVar

import numpy as np
import sklearn.feature_selection
from sklearn.feature_selection import f_classif

from skunlearn._compat import Interval, StrOptions
from skunlearn.feature_selection._fdr import SelectFdr
from skunlearn.feature_selection._fpr import SelectFpr
from skunlearn.feature_selection._fwe import SelectFwe
from skunlearn.feature_selection._k_best import SelectKBest
from skunlearn.feature_selection._percentile import SelectPercentile
from skunlearn.feature_selection._scorers import Scorer
from skunlearn.feature_selection._univariate import BaseFilter

_MODES: dict[str, tuple[Any, str]] = {
    "percentile": (SelectPercentile, "percentile"),
    "k_best": (SelectKBest, "k"),
    "fpr": (SelectFpr, "alpha"),
    "fdr": (SelectFdr, "alpha"),
    "fwe": (SelectFwe, "alpha"),
}


class GenericUnivariateSelect(BaseFilter):
    """Select features by a strategy that is a parameter, and forget rows.

    Same parameters, fitted attributes and output as
    :class:`sklearn.feature_selection.GenericUnivariateSelect`.

    Parameters
    ----------
    score_func : callable, default=f_classif
        Takes X and y and returns scores and p-values, or scores alone.

    mode : {'percentile', 'k_best', 'fpr', 'fdr', 'fwe'}, default='percentile'
        The strategy.

    param : "all", float or int, default=1e-5
        The parameter of the strategy: `percentile`, `k` or `alpha`.

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
    SelectKBest : One of the strategies.
    SelectPercentile : Another.

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
    >>> from skunlearn.feature_selection import GenericUnivariateSelect
    >>> X, y = load_iris(return_X_y=True)
    >>> selector = GenericUnivariateSelect(mode="k_best", param=2)
    >>> selector = selector.fit(X, y, sample_ids="row numbers")
    >>> selector.unlearn(range(100, 150)).get_support()
    array([False, False,  True,  True])
    """

    _parameter_constraints: ClassVar[dict[str, Any]] = {
        **BaseFilter._parameter_constraints,
        "mode": [StrOptions(set(_MODES))],
        "param": [Interval(Real, 0, None, closed="left"), StrOptions({"all"})],
    }

    def __init__(self, score_func: Any = f_classif, *, mode: str = "percentile", param: Any = 1e-5):
        self.score_func = score_func
        self.mode = mode
        self.param = param

    def _strategy(self) -> BaseFilter:
        cls, parameter = _MODES[self.mode]
        return cls(self.score_func, **{parameter: self.param})

    def _check_selection(self, n_features: int) -> None:
        self._strategy()._check_selection(n_features)

    def _mask(self, scores: np.ndarray, pvalues: Any) -> np.ndarray:
        return self._strategy()._mask(scores, pvalues)

    def _undecided(self, scores: np.ndarray, pvalues: np.ndarray, scorer: Scorer) -> np.ndarray:
        return self._strategy()._undecided(scores, pvalues, scorer)

    def to_predictor(self) -> sklearn.feature_selection.GenericUnivariateSelect:
        """Return scikit-learn's own selector for deployment.

        Returns
        -------
        predictor : sklearn.feature_selection.GenericUnivariateSelect
            Fitted; holds no training row.
        """
        return self._as_namesake(sklearn.feature_selection.GenericUnivariateSelect)

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.transformer_tags.preserves_dtype = ["float64", "float32"]
        return tags
