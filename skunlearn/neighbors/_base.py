"""k nearest neighbours: the rows held, and a search index over them that never outlives one."""

from __future__ import annotations

import copy
import warnings
from contextlib import AbstractContextManager
from itertools import chain
from numbers import Integral, Real
from typing import Any, ClassVar, Self

import numpy as np
from sklearn.base import BaseEstimator, MultiOutputMixin
from sklearn.neighbors import VALID_METRICS
from sklearn.utils.validation import check_is_fitted

from skunlearn._compat import Interval, StrOptions, search_buffers
from skunlearn._locks import holding
from skunlearn._samples.ids import check_sample_ids
from skunlearn._samples.store import SampleStore
from skunlearn._samples.tables import overwrite, own
from skunlearn._unlearning.fit_task import fit_task
from skunlearn._unlearning.tags import UnlearningTags
from skunlearn._validation import validate_data
from skunlearn.base import Removal, UnlearnerMixin, reads_one_version


class SearchIndex:
    """Scikit-learn's estimator over the rows held; made where needed and overwritten with them.

    A search tree cannot forget in place: its boxes and the order of its rows tell of removed ones.
    So a request drops the index, and the next query makes another one, as a refit would.
    """

    def __init__(self) -> None:
        self._searcher: Any = None
        self._buffers: list[np.ndarray] = []

    def searcher(self, model: BaseKNeighbors, samples: SampleStore) -> Any:
        """Return scikit-learn's estimator with the model's parameters, fitted on the rows held."""
        if self._searcher is None:
            with warnings.catch_warnings():  # `fit` gave them already
                warnings.simplefilter("ignore")
                self.build(model, samples)
        return self._searcher.set_params(**self._parameters(model))

    def build(self, model: BaseKNeighbors, samples: SampleStore) -> Any:
        """Fit scikit-learn's estimator, which in the absence of empty slots copies no row."""
        rows = (samples.X, samples.y)
        if samples.n_removed:
            rows = samples.take(samples.slots())[:2]
        searcher = model._namesake_class(**self._parameters(model)).fit(*rows)
        if hasattr(model, "feature_names_in_"):
            searcher.feature_names_in_ = model.feature_names_in_
        shared = [held for held in (samples.X, samples.y) if isinstance(held, np.ndarray)]
        self._buffers = [
            buffer
            for buffer in search_buffers(searcher)
            if not any(np.may_share_memory(buffer, held) for held in shared)
        ]
        self._searcher = searcher
        return searcher

    @staticmethod
    def _parameters(model: BaseKNeighbors) -> dict[str, Any]:
        """Return a model's parameters; predict_proba of scikit-learn writes into metric_params."""
        parameters = model.get_params(deep=False)
        return parameters | {"metric_params": copy.copy(parameters["metric_params"])}

    def wipe(self) -> None:
        """Overwrite what the index does not share with the rows held."""
        overwrite(*self._buffers)
        self._searcher, self._buffers = None, []

    def __getstate__(self) -> dict[str, Any]:
        return SearchIndex().__dict__


class BaseKNeighbors(UnlearnerMixin, MultiOutputMixin, BaseEstimator):
    """Holding, searching and forgetting; a subclass adds what neighbours say about targets."""

    _parameter_constraints: ClassVar[dict[str, Any]] = {
        "n_neighbors": [Interval(Integral, 1, None, closed="left"), None],
        "weights": [StrOptions({"uniform", "distance"}), callable, None],
        "algorithm": [StrOptions({"auto", "ball_tree", "kd_tree", "brute"})],
        "leaf_size": [Interval(Integral, 1, None, closed="left")],
        "p": [Interval(Real, 0, None, closed="right"), None],
        "metric": [StrOptions(set(chain(*VALID_METRICS.values()))), callable],
        "metric_params": [dict, None],
        "n_jobs": [Integral, None],
    }
    _unlearning_tags = UnlearningTags("bitwise", predicts_with_rows=True)
    _overwritten: ClassVar[tuple[str, ...]] = ("_index",)
    _namesake_class: ClassVar[type]
    _index: SearchIndex
    metric: Any

    def _describe(self, searcher: Any) -> dict[str, Any]:
        """Return further fitted attributes."""
        return {}

    def _describe_without(self, rows: np.ndarray) -> dict[str, Any]:
        """Return those of them that change when rows go."""
        return {}

    @fit_task(prefer_skip_nested_validation=False)
    def fit(self, X: Any, y: Any, *, sample_ids: Any = None) -> Self:
        """Fit the model: hold the rows and make the search index.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Training rows.

        y : array-like of shape (n_samples,) or (n_samples, n_outputs)
            Targets.

        sample_ids : array-like of shape (n_samples,), default=None
            Ids by which rows can be unlearned; default ``X.index`` for a pandas X, else
            ``0..n_samples-1``.

        Returns
        -------
        self : object
            Fitted model.

        Raises
        ------
        ValueError
            If `metric` is 'precomputed', or not one that `algorithm` can search by.
        """
        if isinstance(self.metric, str) and self.metric == "precomputed":
            raise ValueError(
                "metric='precomputed' is not supported: the columns of X would be rows to forget "
                "as well. Pass the rows themselves and the distance as a callable metric."
            )
        sources = (X, y)
        X, y = validate_data(
            self,
            X,
            y,
            accept_sparse="csr",
            multi_output=True,
            order="C",
            ensure_all_finite=self._finite(),
        )
        ids = check_sample_ids(sample_ids, sources[0], X.shape[0])
        samples = SampleStore(own(X, sources[0]), own(y, sources[1]), None, ids)
        index = SearchIndex()
        searcher = index.build(self, samples)
        self._hold(samples)
        self._index = index
        self.effective_metric_ = searcher.effective_metric_
        self.effective_metric_params_ = copy.copy(searcher.effective_metric_params_)
        self.n_samples_fit_ = searcher.n_samples_fit_
        self.__dict__.update(self._describe(searcher))
        return self

    def _finite(self) -> Any:
        return "allow-nan" if self.metric == "nan_euclidean" else True

    def _unlearn(self, rows: np.ndarray) -> Removal:
        return Removal(
            {
                "_index": SearchIndex(),
                "n_samples_fit_": self.n_samples_fit_ - rows.size,
                **self._describe_without(rows),
            }
        )

    def _read_locks(self) -> list[AbstractContextManager[Any]]:
        return self._locks()

    def _searcher(self) -> Any:
        check_is_fitted(self)
        return self._index.searcher(self, self._check_samples())

    @reads_one_version
    def kneighbors(
        self, X: Any = None, n_neighbors: int | None = None, return_distance: bool = True
    ) -> Any:
        """Find the nearest rows.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_queries, n_features), default=None
            Query points; None for the rows held, none of which is then its own neighbour.

        n_neighbors : int, default=None
            How many; None for the parameter of that name.

        return_distance : bool, default=True
            Whether to return distances, too.

        Returns
        -------
        neigh_dist : ndarray of shape (n_queries, n_neighbors)
            Distances, from near to far; only if `return_distance`.

        neigh_ind : ndarray of shape (n_queries, n_neighbors)
            Positions among the rows held: ``sample_ids_[neigh_ind]`` are the neighbours' ids.
        """
        return self._searcher().kneighbors(X, n_neighbors, return_distance)

    @reads_one_version
    def kneighbors_graph(
        self, X: Any = None, n_neighbors: int | None = None, mode: str = "connectivity"
    ) -> Any:
        """Find the nearest rows as a sparse matrix.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_queries, n_features), default=None
            Query points; None for the rows held, none of which is then its own neighbour.

        n_neighbors : int, default=None
            How many; None for the parameter of that name.

        mode : {'connectivity', 'distance'}, default='connectivity'
            Whether entries are ones or distances.

        Returns
        -------
        graph : CSR matrix of shape (n_queries, n_samples_fit)
            An entry for each neighbour, in columns in the order of `sample_ids_`.
        """
        return self._searcher().kneighbors_graph(X, n_neighbors, mode)

    def to_predictor(self) -> Any:
        """Return scikit-learn's own estimator for deployment.

        Returns
        -------
        predictor : estimator
            Fitted. It predicts from its training rows, so it holds those that this model holds
            (not their ids), and it cannot forget: make a new one after each request.
        """
        self._check_samples()
        return holding(self._locks(), lambda: copy.deepcopy(self._searcher()))

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        tags.input_tags.allow_nan = self.metric == "nan_euclidean"
        return tags
