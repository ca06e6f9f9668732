"""SISARegressor: sharded, isolated training of any regressor."""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.base import BaseEstimator, RegressorMixin, is_regressor
from sklearn.tree import DecisionTreeRegressor
from sklearn.utils import check_array, column_or_1d, get_tags

from skunlearn._compat import fit_context
from skunlearn.base import reads_one_version
from skunlearn.ensemble._sisa.base import BaseSISA


class SISARegressor(BaseSISA, RegressorMixin, BaseEstimator):
    """Regressor over any scikit-learn regressor that forgets by refitting one shard.

    Rows are divided into shards by a hash of their ids, one estimator is fitted in isolation on
    each shard, and predictions are averaged (SISA, [1]_). To forget a row is to refit the estimator
    of its shard on the rows that the shard keeps: about one part in `n_shards` of retraining.

    Parameters
    ----------
    estimator : regressor, default=None
        Any scikit-learn regressor, also a pipeline that takes data frames of mixed types; None
        means a :class:`~sklearn.tree.DecisionTreeRegressor`. Every shard gets a clone, in which
        each `random_state` is set from the shard's number.

    n_shards : int, default=5
        Number of shards. More shards forget faster; fewer learn more from the same rows.

    n_jobs : int, default=None
        Shards fitted at a time, in `fit` and `unlearn`, through joblib.

    random_state : int, RandomState instance or None, default=None
        Seed of the shards and of the estimators in them.

    Attributes
    ----------
    estimators_ : list of regressors
        Fitted estimators, one for each shard that has rows, by number of the shard.

    estimator_ : regressor
        The unfitted estimator that shards get clones of.

    n_samples_per_shard_ : ndarray of shape (n_shards,), dtype int64
        Rows on which each shard's estimator was fitted; those of weight zero do not count.

    sample_ids_ : ndarray of shape (n_samples,)
        Ids of the rows held.

    unlearning_report_ : UnlearningReport
        Outcome of the last request.

    n_features_in_ : int
        Number of features seen during `fit`, where X has columns.

    feature_names_in_ : ndarray of shape (n_features,)
        Names of features seen during `fit`, where X has string names.

    See Also
    --------
    SISAClassifier : The same over classifiers.

    Notes
    -----
    The promise is 'bitwise' provided that the estimator's `fit` gives the same result for the same
    rows in the same order, as scikit-learn's do once their `random_state` is set. All rows that
    share an id are in one shard. Estimators that keep training rows, as nearest neighbours do,
    keep those of their shard in `to_predictor()` too.

    References
    ----------
    .. [1] Bourtoule, Chandrasekaran, Choquette-Choo, Jia, Travers, Zhang, Lie, Papernot: Machine
       Unlearning, IEEE Symposium on Security and Privacy 2021, section IV.

    Examples
    --------
    >>> from sklearn.datasets import load_diabetes
    >>> from sklearn.linear_model import LinearRegression
    >>> from skunlearn.ensemble import SISARegressor
    >>> X, y = load_diabetes(return_X_y=True)
    >>> model = SISARegressor(LinearRegression(), n_shards=3, random_state=0)
    >>> model = model.fit(X, y, sample_ids="row numbers")
    >>> model.unlearn([3, 3, 99]).score(X, y) > 0.4
    True
    >>> model.unlearning_report_.n_removed
    2
    """

    def __init__(
        self,
        estimator: Any = None,
        *,
        n_shards: int = 5,
        n_jobs: int | None = None,
        random_state: Any = None,
    ):
        self.estimator = estimator
        self.n_shards = n_shards
        self.n_jobs = n_jobs
        self.random_state = random_state

    @fit_context(prefer_skip_nested_validation=False)
    def fit(
        self, X: Any, y: Any, sample_weight: Any = None, *, sample_ids: Any = None
    ) -> SISARegressor:
        """Fit one regressor per shard.

        Parameters
        ----------
        X : {array-like, sparse matrix, data frame} of shape (n_samples, n_features)
            Training rows, handed to the estimators as they are.

        y : array-like of shape (n_samples,) or (n_samples, n_outputs)
            Targets; several outputs where the estimator takes them.

        sample_weight : array-like of shape (n_samples,), default=None
            Weights of the rows, none of them negative, where the estimator's `fit` takes them; a
            row of weight zero is left out.

        sample_ids : array-like of shape (n_samples,), default=None
            Ids by which rows can be unlearned; default ``X.index`` for a pandas X, else
            ``0..n_samples-1``.

        Returns
        -------
        self : object
            Fitted regressor.

        Raises
        ------
        ValueError
            If the estimator is no regressor, takes no `sample_weight` though one is given, or
            refuses the rows of a shard.
        """
        return self._fit(X, y, sample_weight, sample_ids)

    def _base(self) -> Any:
        return DecisionTreeRegressor() if self.estimator is None else self.estimator

    def _check_base(self, base: Any) -> None:
        if not is_regressor(base):
            raise ValueError(
                f"SISARegressor needs a regressor as estimator, not {type(base).__name__}."
            )

    def _check_targets(self, y: Any, base: Any) -> np.ndarray:
        y = check_array(y, ensure_2d=False, input_name="y")
        multi_output = get_tags(base).target_tags.multi_output
        return y if multi_output else column_or_1d(y, warn=True)

    @reads_one_version
    def predict(self, X: Any) -> np.ndarray:
        """Predict targets: the mean over shards.

        Parameters
        ----------
        X : {array-like, sparse matrix, data frame} of shape (n_samples, n_features)
            Rows to predict for.

        Returns
        -------
        y : ndarray of shape (n_samples,) or (n_samples, n_outputs)
            Predicted targets.
        """
        self._check_queries(X)
        return np.mean([estimator.predict(X) for estimator in self.estimators_], axis=0)

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        base = get_tags(self._base()).target_tags
        tags.target_tags.multi_output = base.multi_output
        tags.target_tags.single_output = base.single_output
        return tags
