"""KNeighborsRegressor that forgets rows."""

from __future__ import annotations

from typing import Any

import numpy as np
import sklearn.neighbors
from sklearn.base import RegressorMixin

from skunlearn.base import reads_one_version
from skunlearn.neighbors._base import BaseKNeighbors


class KNeighborsRegressor(RegressorMixin, BaseKNeighbors):
    """Mean of the k nearest neighbours that forgets rows.

    Same parameters, fitted attributes and output as
    :class:`sklearn.neighbors.KNeighborsRegressor`.

    Parameters
    ----------
    n_neighbors : int, default=5
        Number of neighbours.

    weights : {'uniform', 'distance'}, callable or None, default='uniform'
        How much each neighbour counts: the same (also None), the inverse of its distance, or what
        a function makes of the array of distances.

    algorithm : {'auto', 'ball_tree', 'kd_tree', 'brute'}, default='auto'
        How neighbours are searched for; sparse rows always by 'brute'.

    leaf_size : int, default=30
        Number of rows in a leaf of a tree.

    p : float, default=2
        Power of the Minkowski metric.

    metric : str or callable, default='minkowski'
        Distance between rows; all of scikit-learn's but 'precomputed'.

    metric_params : dict, default=None
        Further arguments of the metric.

    n_jobs : int, default=None
        Number of threads of a search.

    Attributes
    ----------
    effective_metric_ : str or callable
        The metric, Minkowski's by its own name where it has one.

    effective_metric_params_ : dict
        Arguments of that metric.

    n_samples_fit_ : int
        Number of rows held.

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
    skunlearn.neighbors.KNeighborsClassifier : The same for classes.

    Notes
    -----
    The rule is that of [1]_. The promise is 'bitwise': attributes, neighbours and predictions equal
    those of a new fit on the remaining rows, also where distances are equal. A request overwrites
    its rows and the search index, in O(k) time for k rows and the size of the index in memory; the
    next query makes the index anew, which takes what scikit-learn's `fit` does, so several requests
    in a row cost one index. (An index with the removed rows crossed out would be faster and still
    tell where they were.) Queries from several threads wait for each other.

    References
    ----------
    .. [1] Cover, Hart: Nearest neighbor pattern classification, IEEE Transactions on Information
       Theory 13(1), 1967.

    Examples
    --------
    >>> from skunlearn.neighbors import KNeighborsRegressor
    >>> X, y = [[0.0], [1.0], [2.0], [2.1]], [0.0, 1.0, 2.0, 99.0]
    >>> model = KNeighborsRegressor(2).fit(X, y, sample_ids=["ann", "bob", "cem", "eve"])
    >>> model.unlearn("eve").predict([[1.8]])
    array([1.5])
    """

    _namesake_class = sklearn.neighbors.KNeighborsRegressor

    def __init__(
        self,
        n_neighbors: int = 5,
        *,
        weights: Any = "uniform",
        algorithm: str = "auto",
        leaf_size: int = 30,
        p: float = 2,
        metric: Any = "minkowski",
        metric_params: dict[str, Any] | None = None,
        n_jobs: int | None = None,
    ):
        self.n_neighbors = n_neighbors
        self.weights = weights
        self.algorithm = algorithm
        self.leaf_size = leaf_size
        self.p = p
        self.metric = metric
        self.metric_params = metric_params
        self.n_jobs = n_jobs

    @reads_one_version
    def predict(self, X: Any) -> np.ndarray:
        """Predict the target of each row.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_queries, n_features) or None
            Rows to predict for; None for the rows held, none of which is its own neighbour.

        Returns
        -------
        y : ndarray of shape (n_queries,) or (n_queries, n_outputs)
            Weighted means of the neighbours' targets.
        """
        return self._searcher().predict(X)
