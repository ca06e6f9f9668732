"""The trees of a forest: how they grow and answer in threads, and where rows are in them."""

from __future__ import annotations

from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np
from joblib import effective_n_jobs, parallel_config
from sklearn.utils.parallel import Parallel, delayed

from skunlearn._array_api import is_foreign
from skunlearn._kernels.forest.grow import EXTENT, GRAFT, NONE, Grown, grow
from skunlearn._kernels.forest.layout import number_nodes, place_rows, rows_by_tree
from skunlearn._kernels.forest.plan import plan
from skunlearn._kernels.forest.splits import space_for
from skunlearn._kernels.forest.tree_parts import TRIAL, Rules, Table
from skunlearn._kernels.forest.tree_paths import block, decisive, find_leaves, vote
from skunlearn._kernels.forest.trees import Trees
from skunlearn._samples.hashing import derive_seed
from skunlearn._samples.store import SampleStore
from skunlearn._samples.tables import NO_ROWS, overwrite, writable
from skunlearn._unlearning.commit import Replacement
from skunlearn.ensemble._forest import cuda
from skunlearn.ensemble._forest.change import Change, is_ready
from skunlearn.ensemble._forest.read_write_lock import ReadWriteLock

# Removed rows, counted in each of their trees, from which on a plan is made in threads.
_MANY = 2000

# Parts into which the trees of a thread are divided: few, as each takes some time, but not one, as
# threads are not equally fast.
_PARTS_PER_JOB = 10

# Rows that a thread predicts at once: at least so many, and otherwise so many bytes of them.
_FEWEST = 512
_PART_BYTES = 1 << 21


class Shape(NamedTuple):
    """Trees as `fit` grows them, whatever was removed since.

    Parameters
    ----------
    nodes : ndarray of shape (n_nodes,), NODE
        Tree after tree; `left` counts from the tree's first.
    sizes : ndarray of shape (n_nodes,), int32
        Numbers of rows.
    stats : ndarray of shape (n_nodes, n_sums), int64
        Weights of classes; or sums of weighted targets, then the weight.
    first_node : ndarray of shape (n_trees + 1,), int64
        Where each tree begins.
    """

    nodes: np.ndarray
    sizes: np.ndarray
    stats: np.ndarray
    first_node: np.ndarray

    def links(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Return each node's tree and left child, counted through, and which nodes have any."""
        tree = np.repeat(np.arange(self.first_node.size - 1), np.diff(self.first_node))
        left = self.nodes["left"] + self.first_node[tree]
        return tree, left, np.flatnonzero(left != np.arange(left.size))


class Forest:
    """Trees, each a function of the seed, its number and the rows in it.

    Parameters
    ----------
    rules : Rules
        How they grow.

    seed : int
        The model's seed.

    n_trees : int

    n_per_row : int
        In how many trees a row is.

    like : ndarray of shape (width,)
        As wide as sums over rows, and of their type; see :func:`count_in`.

    is_categorical : ndarray of shape (n_features,), bool

    n_jobs : int or None
        Threads that grow trees.
    """

    trees: Trees

    def __init__(
        self,
        rules: Rules,
        seed: int,
        n_trees: int,
        n_per_row: int,
        like: np.ndarray,
        is_categorical: np.ndarray,
        n_jobs: int | None,
    ) -> None:
        self.rules = rules
        self.seed = seed
        self.n_trees = n_trees
        self.n_per_row = n_per_row
        self.like = like
        self.is_categorical = is_categorical
        self.n_jobs = n_jobs
        keys = [derive_seed(seed, "tree", tree) for tree in range(n_trees)]
        self.keys = np.array(keys, dtype=np.uint64)
        self.key_of_rows = np.uint64(derive_seed(seed, "trees"))
        self.n_slots = -1
        self.readers = ReadWriteLock()

    def members(self, samples: SampleStore, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return rows by tree, and where each tree's begin."""
        hashes = samples.id_hashes()[rows]
        return rows_by_tree(hashes, self.key_of_rows, rows, self.n_trees, self.n_per_row)

    def grow(self, table: Table, samples: SampleStore, rows: np.ndarray) -> None:
        """Grow all trees from the given rows."""
        in_trees, first = self.members(samples, rows)
        columns = np.array(samples.X.T, order="C")  # which large nodes read faster
        turned = table._replace(values=columns.reshape(-1), row_step=1, column_step=len(samples.X))
        parts = Parallel(n_jobs=self.n_jobs, require="sharedmem")(
            delayed(self._grow_some)(turned, part, in_trees, first) for part in self._parts()
        )
        columns.fill(0.0)
        grown = [part for part, _ in parts]
        nodes, extents, stats, trials, sums, rivals = (
            np.concatenate(arrays) for arrays in zip(*grown, strict=True)
        )
        n_nodes = np.concatenate([sizes for _, sizes in parts])
        first_node = _starts(n_nodes)
        nodes["left"] += np.repeat(first_node[:-1], n_nodes).astype(np.int32)
        first_cache = _starts(len(part.trials) for part in grown)
        part_of_node = np.repeat(np.arange(len(grown)), [part.nodes.size for part in grown])
        cached = extents["cache"] >= 0
        extents["cache"][cached] += first_cache[part_of_node[cached]].astype(np.int32)
        self.n_slots = samples.n_slots
        self.trees = Trees(
            nodes,
            extents,
            stats,
            trials,
            sums,
            rivals,
            in_trees,
            first_node[:-1].astype(np.int32),
            first,
            self.keys,
            np.zeros(nodes.size // 2 + 1, dtype=np.int32),
            np.zeros(len(trials), dtype=np.int32),
            np.array([nodes.size, 0, len(trials), 0]),
        )

    @property
    def is_compiled(self) -> bool:
        """Whether requests wait for no compiler."""
        return is_ready(self.like.dtype)

    def _n_threads(self) -> int:
        with parallel_config(backend="threading"):
            return effective_n_jobs(self.n_jobs)

    def _parts(self) -> list[slice]:
        """Divide the trees into parts, in each of which a thread works on one after the other."""
        n_parts = min(self.n_trees, _PARTS_PER_JOB * self._n_threads())
        return _slices(self.n_trees, n_parts)

    def _grow_some(
        self, table: Table, part: slice, in_trees: np.ndarray, first: np.ndarray
    ) -> tuple[Grown, np.ndarray]:
        """Grow some trees, given which rows are in them; returns as well how large they are."""
        begin, end = first[part.start], first[part.stop]
        roots = np.zeros(part.stop - part.start, dtype=GRAFT)
        roots["key"] = self.keys[part]
        roots["first_row"] = first[part] - begin
        roots["last_row"] = first[part.start + 1 : part.stop + 1] - begin
        longest = int((roots["last_row"] - roots["first_row"]).max())
        space = space_for(longest, table.is_categorical.size, self.rules, self.like)
        grown = grow(table, self.rules, in_trees[begin:end], roots, longest, space)
        return grown, roots["last_node"] - roots["first_node"]

    def plan(
        self,
        table: Table,
        samples: SampleStore,
        rows: np.ndarray,
        former: SampleStore | None = None,
    ) -> Change:
        """Find out what changes when rows leave, or join; nothing is changed yet.

        Parameters
        ----------
        table : Table
            Of `samples`.
        samples : SampleStore
            With the rows in it.
        rows : ndarray of shape (n_rows,), intp
            Their slots.
        former : SampleStore, default=None
            If they join, what was held without them.
        """
        self._find_rows(table, samples if former is None else former)
        leaving, first = self.members(samples, rows)
        gone = np.zeros(samples.n_slots, dtype=bool)
        gone[rows] = former is None
        sign = -1 if former is None else 1
        arguments = (first, leaving, gone, self.like)
        if leaving.size < _MANY:
            every = slice(0, self.n_trees)
            plans = [plan(table, self.rules, self.trees, sign, every, *arguments)]
        else:
            plans = Parallel(n_jobs=self.n_jobs, require="sharedmem")(
                delayed(plan)(table, self.rules, self.trees, sign, part, *arguments)
                for part in self._parts()
            )
        return Change(self.trees, table, plans, gone, sign, rows.size, first, self.like.size)

    def replacement(self, change: Change) -> Replacement:
        """Return the part of a change in a commit: it waits for readers and keeps others off."""
        former = self.trees

        def edit() -> None:
            change.carry_out()
            if change.sign > 0:
                self.n_slots = -1
            self.trees = change.trees
            pairs = zip(former, change.trees, strict=True)
            overwrite(*(old for old, new in pairs if old is not new))

        readers = self.readers
        return Replacement(self, {}, NO_ROWS, edit, readers.writing, readers.wait_for_readers)

    def _find_rows(self, table: Table, samples: SampleStore) -> None:
        """Find out where rows are, if that is not known or they have other slots by now."""
        if self.n_slots == samples.n_slots:
            return
        slots = rows_that_count(samples.slots(), table.weights, table.labels, table.class_weight)
        in_trees, first = self.members(samples, slots)
        trees = self.trees._replace(rows=np.empty_like(in_trees), first_row=first)
        space, spare = block(), np.empty(trees.nodes.size, dtype=np.int32)
        for tree in range(self.n_trees):
            rows = in_trees[first[tree] : first[tree + 1]]
            leaves = np.empty(rows.size, dtype=np.int32)
            X = read_only(samples.X[rows])
            how = decisive(X, self.is_categorical)
            find_leaves(trees.nodes, trees.roots[tree], X, *how, space, leaves)
            place_rows(trees, tree, rows, leaves, spare)
        self.trees = trees
        self.n_slots = samples.n_slots

    def vote(self, X: Any, factors: np.ndarray) -> Any:
        """Average what leaves say about rows, where they are; X is float32, in rows."""
        trees = self.trees
        if is_foreign(X):
            return cuda.vote(trees, self.is_categorical, factors, X)
        out = np.empty((len(X), factors.size))
        n_jobs = max(1, min(self._n_threads(), len(X) // _FEWEST))
        at_once = n_jobs * max(_FEWEST, _PART_BYTES // X[:1].nbytes)
        Parallel(n_jobs=n_jobs, require="sharedmem")(
            delayed(self._vote_some)(trees, read_only(X[part]), writable(factors), out[part])
            for part in _slices(len(X), n_jobs * -(-len(X) // at_once))
        )
        return out

    def _vote_some(self, trees: Trees, X: np.ndarray, factors: np.ndarray, out: np.ndarray) -> None:
        vote(
            trees.nodes,
            trees.roots,
            trees.stats,
            X,
            *decisive(X, self.is_categorical),
            self.rules.criterion,
            factors,
            block(),
            np.empty(len(X), dtype=np.int32),
            out,
        )

    def leaves(self, X: Any) -> Any:
        """Return the nodes at which rows end, by the numbers of :meth:`shape`, where rows are."""
        numbers = np.zeros(self.trees.nodes.size, dtype=np.int32)
        n_jobs = min(self._n_threads(), self.n_trees)
        parts = _slices(self.n_trees, n_jobs)
        in_threads = Parallel(n_jobs=n_jobs, require="sharedmem")
        in_threads(delayed(self._number)(part, numbers) for part in parts)
        if is_foreign(X):
            return cuda.leaves(self.trees, self.is_categorical, numbers, X)
        found = np.empty((self.n_trees, len(X)), dtype=np.int32)
        X = read_only(X)
        how = decisive(X, self.is_categorical)
        in_threads(delayed(self._find_leaves)(part, X, how, numbers, found[part]) for part in parts)
        return found.T

    def _number(self, part: slice, numbers: np.ndarray) -> None:
        """Give the nodes of some trees their numbers."""
        spare, stack = np.empty_like(numbers), np.empty_like(numbers)
        for tree in range(self.n_trees)[part]:
            number_nodes(self.trees, tree, numbers, spare, stack)

    def _find_leaves(
        self, part: slice, X: np.ndarray, how: Any, numbers: np.ndarray, found: np.ndarray
    ) -> None:
        """Send rows down some trees."""
        space = block()
        for root, its in zip(self.trees.roots[part], found, strict=True):
            find_leaves(self.trees.nodes, root, X, *how, space, its)
            its[:] = numbers[its]

    def shape(self) -> Shape:
        """Return the trees as `fit` on the remaining rows grows them."""
        trees = self.trees
        numbers = np.empty(trees.nodes.size, dtype=np.int32)
        found, stack = np.empty_like(numbers), np.empty_like(numbers)
        order, lefts, counts = [], [], []
        for tree in range(self.n_trees):
            n_found = number_nodes(trees, tree, numbers, found, stack)
            its = found[:n_found].copy()
            order.append(its)
            lefts.append(numbers[trees.nodes["left"][its]])
            counts.append(n_found)
        nodes = trees.nodes[np.concatenate(order)]
        nodes["left"] = np.concatenate(lefts)
        every = np.concatenate(order)
        return Shape(nodes, trees.extents["size"][every], trees.stats[every], _starts(counts))

    def wipe(self) -> None:
        """Overwrite the trees, when others take their place."""
        overwrite(*self.trees)

    def __getstate__(self) -> dict[str, Any]:
        with self.readers.reading():
            state = self.__dict__ | {"trees": self.shape(), "n_slots": -1}
        del state["readers"]
        return state

    def __setstate__(self, state: dict[str, Any]) -> None:
        shape = state["trees"]
        n_nodes = shape.nodes.size
        extents = np.zeros(n_nodes, dtype=EXTENT)
        extents["size"], extents["cache"] = shape.sizes, NONE
        nodes = np.array(shape.nodes)
        first = shape.first_node
        nodes["left"] += np.repeat(first[:-1], np.diff(first)).astype(np.int32)
        rules, like = state["rules"], state["like"]
        room = (0, rules.max_features)
        self.__dict__.update(state)
        for name in ("keys", "is_categorical", "like"):
            setattr(self, name, np.array(state[name]))
        self.readers = ReadWriteLock()
        self.trees = Trees(
            nodes,
            extents,
            np.array(shape.stats),
            np.zeros(room, dtype=TRIAL),
            np.zeros((0, rules.max_features * (rules.n_candidates + 2) * like.size), like.dtype),
            np.zeros(0),
            np.zeros(0, dtype=np.int32),
            first[:-1].astype(np.int32),
            np.zeros(self.n_trees + 1, dtype=np.int64),
            self.keys,
            np.zeros(n_nodes // 2 + 1, dtype=np.int32),
            np.zeros(0, dtype=np.int32),
            np.array([n_nodes, 0, 0, 0]),
        )

    def __sizeof__(self) -> int:
        return sum(array.nbytes for array in self.trees)


def rows_that_count(
    rows: np.ndarray, weights: np.ndarray, labels: np.ndarray, class_weight: np.ndarray
) -> np.ndarray:
    """Return those of the rows that have a weight; arguments are as in :class:`Table`."""
    if weights.size:
        rows = rows[weights[rows] > 0.0]
    if not all(class_weight.tolist()):
        rows = rows[class_weight[labels[rows]] > 0.0]
    return rows


def read_only(X: np.ndarray) -> np.ndarray:
    """View rows in one way, whether they can be written or not: kernels are compiled for each."""
    X = X.view(np.ndarray)
    X.flags.writeable = False
    return X


def _starts(sizes: Any) -> np.ndarray:
    return np.concatenate([[0], np.cumsum(list(sizes))]).astype(np.int64)


def _slices(n: int, n_parts: int) -> list[slice]:
    edges = np.linspace(0, n, n_parts + 1).astype(int)
    return [slice(a, b) for a, b in pairwise(edges)]
