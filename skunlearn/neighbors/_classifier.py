"""KNeighborsClassifier that forgets rows."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
import sklearn.neighbors
from sklearn.base import ClassifierMixin

from skunlearn._samples.strings import narrowed
from skunlearn.base import reads_one_version
from skunlearn.neighbors._base import BaseKNeighbors


class KNeighborsClassifier(ClassifierMixin, BaseKNeighbors):
    """Vote of the k nearest neighbours that forgets rows.

    Same parameters, fitted attributes and output as
    :class:`sklearn.neighbors.KNeighborsClassifier`.

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
    classes_ : ndarray of shape (n_classes,) or list of such arrays
        Class labels, for each output; a class whose last row is unlearned disappears.

    effective_metric_ : str or callable
        The metric, Minkowski's by its own name where it has one.

    effective_metric_params_ : dict
        Arguments of that metric.

    n_samples_fit_ : int
        Number of rows held.

    outputs_2d_ : bool
        Whether `y` has several columns.

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
    skunlearn.neighbors.KNeighborsRegressor : The same for numbers.

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
    >>> from skunlearn.neighbors import KNeighborsClassifier
    >>> X, y = [[0.0], [1.0], [1.2], [5.0]], ["dog", "dog", "cat", "cat"]
    >>> model = KNeighborsClassifier(1).fit(X, y, sample_ids=["ann", "bob", "cem", "eve"])
    >>> model.predict([[1.15]])
    array(['cat'], dtype='<U3')
    >>> model.unlearn("cem").predict([[1.15]])
    array(['dog'], dtype='<U3')
    >>> model.sample_ids_[model.kneighbors([[2.0]], return_distance=False)]
    array([['bob']], dtype=object)
    """

    _overwritten: ClassVar[tuple[str, ...]] = ("_counts",)

    _namesake_class = sklearn.neighbors.KNeighborsClassifier
    classes_: Any
    outputs_2d_: bool

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

    def _describe(self, searcher: Any) -> dict[str, Any]:
        samples = self._samples
        if not searcher.outputs_2d_:
            samples.y = samples.y.reshape(-1)
        self.classes_ = searcher.classes_
        self.outputs_2d_ = searcher.outputs_2d_
        return {"_counts": self._count(samples.slots())}

    def _class_lists(self) -> list[np.ndarray]:
        return self.classes_ if self.outputs_2d_ else [self.classes_]

    def _count(self, rows: np.ndarray) -> np.ndarray:
        """Count the rows of each class, outputs one after the other."""
        y = self._fit_targets(rows).reshape(rows.size, -1)
        return np.concatenate(
            [
                np.bincount(classes.searchsorted(labels), minlength=classes.size)
                for classes, labels in zip(self._class_lists(), y.T, strict=True)
            ]
        )

    def _describe_without(self, rows: np.ndarray) -> dict[str, Any]:
        counts = self._counts - self._count(rows)
        held = counts > 0
        if held.all():
            return {"_counts": counts}
        lists = self._class_lists()
        ends = np.cumsum([classes.size for classes in lists])
        parts = np.split(held, ends[:-1])
        left = [narrowed(classes[part]) for classes, part in zip(lists, parts, strict=True)]
        return {"_counts": counts[held], "classes_": left if self.outputs_2d_ else left[0]}

    @reads_one_version
    def predict(self, X: Any) -> np.ndarray:
        """Predict the class of each row.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_queries, n_features) or None
            Rows to predict for; None for the rows held, none of which is its own neighbour.

        Returns
        -------
        y : ndarray of shape (n_queries,) or (n_queries, n_outputs)
            Labels from `classes_`.
        """
        return self._searcher().predict(X)

    @reads_one_version
    def predict_proba(self, X: Any) -> Any:
        """Compute the part of the neighbours' weight that each class has.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_queries, n_features) or None
            Rows to predict for; None for the rows held, none of which is its own neighbour.

        Returns
        -------
        proba : ndarray of shape (n_queries, n_classes) or list of such arrays
            For each output, columns in the order of `classes_`.
        """
        return self._searcher().predict_proba(X)

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.classifier_tags.multi_label = True
        return tags
