"""What forests that forget share: growing, forgetting, learning more, what a request would cost."""

from __future__ import annotations

import copy
from abc import ABCMeta, abstractmethod
from contextlib import AbstractContextManager, nullcontext
from numbers import Integral, Real
from typing import Any, ClassVar, Self

import numpy as np
from scipy import sparse
from sklearn.base import clone
from sklearn.utils.validation import (
    check_array,
    check_consistent_length,
    check_is_fitted,
    column_or_1d,
)

from skunlearn._array_api import to_host
from skunlearn._compat import Interval, RealNotInt, StrOptions
from skunlearn._kernels.forest.tree_parts import SQUARED_ERROR
from skunlearn._kernels.forest.trees import N_NODES
from skunlearn._locks import holding
from skunlearn._samples.ids import check_sample_ids, joined_ids
from skunlearn._samples.store import SampleStore
from skunlearn._samples.tables import NO_ROWS
from skunlearn._unlearning.commit import Removal, Replacement, commit, snapshot
from skunlearn._unlearning.cost import Foretold
from skunlearn._unlearning.first_use import announcing_compilation
from skunlearn._unlearning.hand_over import HandOver
from skunlearn._unlearning.stopwatch import Stopwatch
from skunlearn._unlearning.tags import UnlearningTags
from skunlearn.base import reads_one_version
from skunlearn.ensemble._forest.change import Change, ForestUnlearningCost
from skunlearn.ensemble._forest.forest import Forest
from skunlearn.ensemble._forest.rows import ForestRows
from skunlearn.exceptions import NotUnlearnableError


class BaseForest(ForestRows, metaclass=ABCMeta):
    """Randomised trees that are functions of a seed and the rows in them."""

    _parameter_constraints: ClassVar[dict[str, Any]] = {
        "n_estimators": [Interval(Integral, 1, 32767, closed="both")],
        "max_depth": [Interval(Integral, 1, None, closed="left"), None],
        "min_samples_split": [
            Interval(Integral, 2, None, closed="left"),
            Interval(RealNotInt, 0.0, 1.0, closed="right"),
        ],
        "min_samples_leaf": [
            Interval(Integral, 1, None, closed="left"),
            Interval(RealNotInt, 0.0, 1.0, closed="neither"),
        ],
        "max_features": [
            Interval(Integral, 1, None, closed="left"),
            Interval(RealNotInt, 0.0, 1.0, closed="right"),
            StrOptions({"sqrt", "log2"}),
            None,
        ],
        "max_samples": [Interval(Real, 0.0, 1.0, closed="right")],
        "n_candidates": [Interval(Integral, 1, 64, closed="both")],
        "categorical_features": ["array-like", StrOptions({"from_dtype"}), None],
        "n_jobs": [Integral, None],
        "random_state": ["random_state"],
    }
    _unlearning_tags = UnlearningTags("bitwise")
    _cost_class = ForestUnlearningCost
    _overwritten: ClassVar[tuple[str, ...]] = ("_forest", "_scales")

    n_estimators: int
    max_samples: float
    n_jobs: int | None
    random_state: Any

    @abstractmethod
    def _describe_without(self, rows: np.ndarray) -> dict[str, Any] | None:
        """Return attributes that describe targets, less rows; None if trees have to grow anew."""

    @abstractmethod
    def _describe_with(self, y: np.ndarray) -> dict[str, Any] | None:
        """Return attributes that describe targets, with more; None if trees have to grow anew."""

    @abstractmethod
    def _check_more_targets(self, y: Any) -> np.ndarray:
        """Validate targets of more rows."""

    @abstractmethod
    def _as_held(self, y: np.ndarray) -> np.ndarray:
        """Bring validated targets into the form in which they are held."""

    @abstractmethod
    def _fit_targets(self, rows: np.ndarray) -> np.ndarray:
        """Return targets as they were given to `fit`, by slots."""

    def _grow(self, X: Any, y: np.ndarray, weight: Any, source: Any, sample_ids: Any) -> None:
        """Hold validated rows and grow the trees."""
        samples = SampleStore(X, y, weight, check_sample_ids(sample_ids, source, X.shape[0]))
        seed = self._choose_seed(self.random_state)
        self._hold(samples)
        self._scales, self._n_at_top = self._choose_scales(samples, samples.slots())
        rows = self._weighing(samples, samples.slots())
        if not rows.size:
            raise ValueError("All rows have a weight of zero.")
        n_per_row = max(1, int(np.ceil(self.max_samples * self.n_estimators)))
        small = self._criterion() != SQUARED_ERROR and weight is None
        n_sums = self._n_sums() + (weight is not None)
        like = np.zeros(n_sums, dtype=np.int32 if small else np.int64)
        mask = np.zeros(X.shape[1], dtype=bool)
        if self.is_categorical_ is not None:
            mask |= self.is_categorical_
        self._forest = Forest(
            self._rules(rows.size),
            seed,
            self.n_estimators,
            n_per_row,
            like,
            mask,
            self.n_jobs,
        )
        with announcing_compilation(self):
            self._forest.grow(self._table(samples), samples, rows)

    def _at_top_without(self, rows: np.ndarray) -> tuple[int, int]:
        """Return how many rows are left that have the size by which scales were chosen."""
        n_targets, n_weights = self._n_at_top
        if not n_targets and not n_weights:
            return self._n_at_top
        scales, (n_fewer_targets, n_fewer_weights) = self._choose_scales(self._samples, rows)
        same_targets, same_weights = (scales == self._scales).tolist()
        return (
            n_targets - (n_fewer_targets if same_targets else 0),
            n_weights - (n_fewer_weights if same_weights else 0),
        )

    def _n_subtasks(self, rows: np.ndarray) -> int:
        return 1  # if anything has to be compiled

    def _unlearn(self, rows: np.ndarray) -> Removal:
        samples = self._samples
        described, at_top = self._outlined_without(rows)
        if described is None:
            kept = samples.slots_without(rows)
            X, _, weight = samples.take(kept)
            replacements = self._regrow(X, self._fit_targets(kept), weight, samples.ids_of(kept))
            return Removal(
                {},
                n_refitted=self.n_estimators,
                n_parts=self.n_estimators,
                part="tree",
                replacements=tuple(replacements),
                n_passes=self._n_passes_of_fit() * kept.size / samples.n_samples,
            )
        change = self._plan(rows)
        return Removal(
            described | {"_n_at_top": at_top},
            n_refitted=change.n_trees_changed,
            n_parts=self.n_estimators,
            part="tree",
            replacements=(self._forest.replacement(change),),
            n_passes=change.n_rows_rebuilt / samples.n_samples,
        )

    def _plan(self, rows: np.ndarray) -> Change:
        """Find out what changes in trees that do not all grow anew."""
        samples, forest = self._samples, self._forest
        with nullcontext() if forest.is_compiled else announcing_compilation(self):
            return forest.plan(self._table(samples), samples, self._weighing(samples, rows))

    def _outlined_without(self, rows: np.ndarray) -> tuple[dict[str, Any] | None, tuple[int, int]]:
        """Return attributes that describe targets, less rows, and what scales were chosen by.

        The former are None if all trees have to grow anew.
        """
        samples = self._samples
        described = self._describe_without(rows)
        weight = samples.sample_weight
        n_remaining = samples.n_samples - rows.size
        if weight is not None or not all(self._class_factors().tolist()):
            n_remaining = self._weighing(samples, samples.slots_without(rows)).size
            if not n_remaining:
                raise NotUnlearnableError("All remaining rows would have a weight of zero.")
        at_top = self._at_top_without(rows)
        chosen = self._n_at_top
        if (
            described is None
            or self._rules(n_remaining) != self._forest.rules
            or any(now == 0 < before for now, before in zip(at_top, chosen, strict=True))
        ):
            return None, at_top
        return described, at_top

    def _cost(self, rows: np.ndarray) -> Foretold:
        if self._outlined_without(rows)[0] is None:
            return self._cost_of_growing(rows), None
        with Stopwatch() as watch:
            change = self._plan(rows)
        return change.cost(self._samples.n_samples, watch.seconds), None

    def _cost_of_growing(self, rows: np.ndarray) -> ForestUnlearningCost:
        """Tell what growing all trees anew without some rows takes."""
        cost = self._cost_of_fit(rows, self.n_estimators, "tree")
        n_rebuilt = round(cost.n_passes * self._samples.n_samples)
        return ForestUnlearningCost(
            n_parts_touched=self.n_estimators,
            n_parts=self.n_estimators,
            part="tree",
            n_passes=cost.n_passes,
            seconds=cost.seconds,
            n_trees=self.n_estimators,
            n_nodes_rebuilt=int(self._forest.trees.used[N_NODES]),
            n_rows_rebuilt=n_rebuilt,
            share_of_fit=1.0 - rows.size / self._samples.n_samples,
        )

    def _n_passes_of_fit(self) -> float:
        return self._forest.n_per_row

    def _regrow(self, X: Any, y: Any, weight: Any, sample_ids: np.ndarray) -> list[Replacement]:
        """Fit a clone on rows as they are held, where no tree stays as it is."""
        handed = HandOver(self._forest.seed, is_categorical=self.is_categorical_, as_held=True)
        fresh = clone(self)._fit_from(handed, X, y, sample_weight=weight, sample_ids=sample_ids)
        names = self.__dict__.get("feature_names_in_")
        if names is not None:
            fresh.feature_names_in_ = names
        return self._adopt(fresh)

    def _handed_over(self) -> HandOver:
        return HandOver(self._forest.seed)

    def add(self, X: Any, y: Any, sample_weight: Any = None, *, sample_ids: Any = None) -> Self:
        """Learn more rows: the forest becomes the one that `fit` grows from all rows together.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Rows that follow those held.

        y : array-like of shape (n_samples,) or (n_samples, n_outputs)
            Their targets; there may be new classes among them.

        sample_weight : array-like of shape (n_samples,), default=None
            Their weights, if and only if `fit` was given weights.

        sample_ids : array-like of shape (n_samples,), default=None
            Their ids; default ``X.index`` for a pandas X that has one of its own. A row may have
            the id of a row held: both go when the id is unlearned.

        Returns
        -------
        self : object
            Forest of all rows.

        Raises
        ------
        ValueError
            If the rows do not fit those held, or there are no ids. Nothing is changed then.
        """
        held = self._check_samples()
        with held.lock:
            self._add(X, y, sample_weight, sample_ids)
        return self

    def _add(self, X: Any, y: Any, weight: Any, sample_ids: Any) -> None:
        samples = self._samples
        rows = self._as_numbers(X, ensure_all_finite="allow-nan")
        y = self._check_more_targets(y)
        check_consistent_length(rows, y)
        ids = check_sample_ids(sample_ids, X, len(rows))
        if ids.values is None:
            raise ValueError("add needs sample_ids, by which the new rows can be unlearned.")
        if (weight is None) != (samples.sample_weight is None):
            was = "without" if samples.sample_weight is None else "with"
            raise ValueError(f"This {type(self).__name__} was fitted {was} sample_weight.")
        if weight is not None:
            weight = column_or_1d(check_array(weight, dtype=np.float64, ensure_2d=False))
            check_consistent_length(rows, weight)
            if (weight < 0.0).any():
                raise ValueError("sample_weight must not be negative.")
        self._check_size(samples.n_samples + len(rows), weight is not None)
        described = self._describe_with(y)
        if described is not None:
            more = samples.extended(rows, self._as_held(y), weight, ids.values)
            every, new = more.slots(), np.arange(samples.n_slots, more.n_slots)
            scales, at_top = self._choose_scales(more, every)
            rules = self._rules(self._weighing(more, every).size)
            if rules == self._forest.rules and np.array_equal(scales, self._scales):
                with announcing_compilation(self):
                    change = self._forest.plan(
                        self._table(more), more, self._weighing(more, new), former=samples
                    )
                attributes = described | {"_samples": more, "_n_at_top": at_top}
                commit([Replacement(self, attributes, NO_ROWS), self._forest.replacement(change)])
                return
        kept = samples.slots()
        X_held, _, weight_held = samples.take(kept)
        commit(
            self._regrow(
                np.concatenate([X_held, rows]),
                np.concatenate([self._fit_targets(kept), y]),
                None if weight is None else np.concatenate([weight_held, weight]),
                joined_ids(samples.ids_of(kept), ids.values),
            )
        )

    def _adopt(self, fresh: Any) -> list[Replacement]:
        # The former trees are overwritten: nobody may be reading them, nor miss who reads the new.
        readers = fresh._forest.readers = self._forest.readers
        first, *others = super()._adopt(fresh)
        first = first._replace(lock=readers.writing, wait=readers.wait_for_readers)
        return [first, *others]

    def _read_locks(self) -> list[AbstractContextManager[Any]]:
        return [self._forest.readers.reading()] if "_forest" in self.__dict__ else []

    @reads_one_version
    def apply(self, X: Any) -> np.ndarray:
        """Find the leaf of each tree that each row falls into.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Rows, of CuPy where they are to be read on a GPU.

        Returns
        -------
        leaves : ndarray of shape (n_samples, n_estimators), dtype int32
            Numbers of nodes within each tree, in the order in which it grows from the root.
        """
        return self._forest.leaves(self._check_queries(X))

    @property
    def feature_importances_(self) -> np.ndarray:
        """Mean decrease of impurity by each feature, shape (n_features,), of sum 1 or 0."""
        check_is_fitted(self)
        shape = holding(self._read_locks(), self._forest.shape)
        tree, left, inner = shape.links()
        spread = self._spread(shape.stats)
        gain = spread[inner] - spread[left[inner]] - spread[left[inner] + 1]
        feature = shape.nodes["feature"][inner]
        feature = np.where(feature < 0, ~feature, feature)
        table = np.zeros((self.n_estimators, self.n_features_in_))
        np.add.at(table, (tree[inner], feature), np.maximum(gain, 0.0))
        sums = table.sum(axis=1)
        table = table[sums > 0.0] / sums[sums > 0.0, None]
        return table.mean(axis=0) if len(table) else np.zeros(self.n_features_in_)

    @abstractmethod
    def _spread(self, stats: np.ndarray) -> np.ndarray:
        """Return impurity times weight, of each node."""

    @reads_one_version
    def decision_path(self, X: Any) -> tuple[Any, np.ndarray]:
        """Find the nodes that each row passes.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Rows.

        Returns
        -------
        indicator : CSR array of shape (n_samples, n_nodes)
            Ones where a row passes a node, of any tree.

        n_nodes_ptr : ndarray of shape (n_estimators + 1,)
            Where the nodes of each tree begin.
        """
        leaves = to_host(self._forest.leaves(self._check_queries(X)))
        shape = self._forest.shape()
        _, left, inner = shape.links()
        parent = np.full(left.size, -1)
        parent[left[inner]] = parent[left[inner] + 1] = inner
        at = (leaves + shape.first_node[:-1]).ravel()
        row = np.repeat(np.arange(len(leaves)), self.n_estimators)
        rows, nodes = [], []
        while at.size:
            rows.append(row)
            nodes.append(at)
            above = parent[at]
            at, row = above[above >= 0], row[above >= 0]
        positions = (np.concatenate(rows), np.concatenate(nodes))
        ones = np.ones(positions[0].size, dtype=np.int8)
        return sparse.csr_array((ones, positions), shape=(len(leaves), left.size)), shape.first_node

    def _as_namesake(self, cls: type) -> Any:
        predictor = super()._as_namesake(cls)
        names = ("_forest", "_class_weight", "_scales", "_single")

        def copied() -> dict[str, Any]:
            state = vars(snapshot(self))
            return {name: copy.deepcopy(state[name]) for name in names if name in state}

        predictor.__dict__.update(holding(self._read_locks(), copied))
        return predictor

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = True
        return tags
