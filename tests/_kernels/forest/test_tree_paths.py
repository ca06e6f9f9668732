"""The way of rows down trees, against one that tests node after node, and who takes which part."""

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from skunlearn._kernels.forest.grow import NODE
from skunlearn._kernels.forest.tree_parts import GINI, SQUARED_ERROR, goes_left
from skunlearn._kernels.forest.tree_paths import (
    block,
    decisive,
    find_leaves,
    step,
    step_with_categories,
    step_with_missing,
    vote,
)
from skunlearn.ensemble import UnlearningForestClassifier, UnlearningForestRegressor

# What there is among rows that makes steps longer.
NOTHING, MISSING, CATEGORIES = range(3)


def draw_trees(rng, n_trees, n_features, categorical):
    """Grow trees of random nodes, with nodes of no tree between them."""
    nodes, roots = [], []
    for _ in range(n_trees):
        roots.append(len(nodes))
        nodes.append((np.inf, len(nodes), -1))
        leaves = [roots[-1]]
        for _ in range(rng.integers(0, 60)):
            node = leaves.pop(rng.integers(len(leaves)))
            feature = int(rng.integers(n_features))
            threshold = np.float32(rng.choice([rng.normal(), 0.0, np.inf]))
            if categorical[feature]:
                threshold = rng.integers(1 << 30, dtype=np.uint32).view(np.float32)
            if rng.random() < 0.2:
                nodes.extend([(0.0, 0, 0)] * 2)
            nodes[node] = (threshold, len(nodes), feature if rng.random() < 0.5 else ~feature)
            leaves += [len(nodes), len(nodes) + 1]
            nodes.extend((np.inf, leaf, -1) for leaf in leaves[-2:])
    return np.array(nodes, dtype=NODE), np.array(roots, dtype=np.int32)


def draw_rows(rng, n, n_features, odd):
    X = np.round(rng.normal(size=(n, n_features)), int(rng.integers(0, 4))).astype(np.float32)
    if odd != NOTHING:
        X[rng.random(X.shape) < 0.2] = np.nan
    return X


def leaf_of(nodes, root, x, categorical):
    at = root
    while nodes["left"][at] != at:
        feature = nodes["feature"][at]
        by = ~feature if feature < 0 else feature
        left = goes_left.py_func(x[by], nodes["threshold"][at], feature < 0, categorical[by])
        at = nodes["left"][at] + (not left)
    return at


@pytest.mark.fast
@pytest.mark.parametrize("odd", [NOTHING, MISSING, CATEGORIES])
def test_rows_end_where_node_after_node_sends_them(odd, global_random_seed):
    rng = np.random.default_rng(global_random_seed)
    for n in (1, 7, 128, 300):
        d = int(rng.integers(1, 6))
        categorical = rng.random(d) < 0.5 if odd == CATEGORIES else np.zeros(d, dtype=bool)
        categorical[0] = odd == CATEGORIES
        nodes, roots = draw_trees(rng, 4, d, categorical)
        X = draw_rows(rng, n, d, odd)
        if odd == MISSING:
            X[-1, -1] = np.nan
        how = decisive(X, categorical)
        assert (how[0] is None) == (odd != CATEGORIES)
        assert how[1] == (odd == MISSING)
        stats = rng.integers(0, 9, (nodes.size, 3)) + 1
        stats[roots[1]] = 0
        shares = np.zeros((n, 3))
        means = np.zeros((n, 2))
        for tree, root in enumerate(roots):
            leaves = np.empty(n, dtype=np.int32)
            find_leaves(nodes, root, X, *how, block(), leaves)
            assert_array_equal(leaves, [leaf_of(nodes, root, x, categorical) for x in X])
            if tree != 1:
                mine = 0.5 * stats[leaves]
                shares += mine / mine.sum(axis=1, keepdims=True)
                means += 0.25 * stats[leaves, :2] / stats[leaves, 2:]
        for criterion, factors, expected in (
            (GINI, np.full(3, 0.5), shares / 3),
            (SQUARED_ERROR, np.full(2, 0.25), means / 3),
        ):
            out = np.empty_like(expected)
            arguments = (nodes, roots, stats, X, *how, criterion, factors)
            vote(*arguments, block(), leaves, out)
            assert_array_equal(out, expected)


def test_kernels_equal_their_python(global_random_seed):
    rng = np.random.default_rng(global_random_seed)
    d, n = 4, 20
    for kernel, odd in (
        (step, NOTHING),
        (step_with_missing, MISSING),
        (step_with_categories, CATEGORIES),
    ):
        categorical = np.arange(d) < (2 if odd == CATEGORIES else 0)
        nodes, roots = draw_trees(rng, 2, d, categorical)
        records = nodes.view(np.recarray)
        X, rows = draw_rows(rng, n, d, odd), np.arange(n, dtype=np.uint32)
        extra = (categorical, block()) if odd == CATEGORIES else ()
        ours, namesake = (np.full(n, roots[1], dtype=np.uint32) for _ in range(2))
        for _ in range(8):
            kernel(nodes, X, rows, ours, *extra)
            kernel.py_func(records, X, rows, namesake, *extra)
            assert_array_equal(ours, namesake)
        leaves = np.empty((2, n), dtype=np.int32)
        how = categorical if odd == CATEGORIES else None, odd == MISSING
        find_leaves(nodes, roots[1], X, *how, block(), leaves[0])
        find_leaves.py_func(records, roots[1], X, *how, block(), leaves[1])
        assert_array_equal(*leaves)
        stats = rng.integers(1, 9, (nodes.size, 2))
        out = np.empty((2, n, 2))
        arguments = (nodes, roots, stats, X, *how, GINI, np.ones(2), block(), leaves[0])
        assert vote(*arguments, out[0]) == vote.py_func(*arguments, out[1])
        assert_array_equal(*out)


@pytest.mark.parametrize("cls", [UnlearningForestClassifier, UnlearningForestRegressor])
def test_predictions_do_not_depend_on_threads_or_company(cls, global_random_seed):
    rng = np.random.default_rng(global_random_seed)
    X, y = rng.normal(size=(300, 5)), rng.integers(0, 3, 300)
    model = cls(20, max_samples=0.5, random_state=0).fit(X, y).unlearn(range(20))
    again = cls(20, max_samples=0.5, random_state=0).fit(X[20:], y[20:], sample_ids=range(20, 300))
    queries = rng.normal(size=(2100, 5))
    queries[7, 2] = np.nan
    predict = "predict" if cls is UnlearningForestRegressor else "predict_proba"
    predicted, leaves = getattr(model, predict)(queries), model.apply(queries)
    assert_array_equal(getattr(again, predict)(queries), predicted)
    assert_array_equal(again.apply(queries), leaves)
    for n_jobs, part in ((1, slice(5)), (2, slice(6, 9)), (3, slice(None)), (2, slice(1, None))):
        model.set_params(n_jobs=n_jobs)
        model._forest.n_jobs = n_jobs
        assert_array_equal(getattr(model, predict)(queries[part]), predicted[part])
        assert_array_equal(model.apply(queries[part]), leaves[part])
