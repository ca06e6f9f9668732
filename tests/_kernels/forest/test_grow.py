"""The kernels of trees against trees grown in plain Python."""

import math

import numpy as np
import pytest

from skunlearn._kernels.forest.grow import GRAFT, grow
from skunlearn._kernels.forest.splits import space_for
from skunlearn._kernels.forest.tree_parts import ENTROPY, GINI, SQUARED_ERROR, Rules, Table
from tests.ensemble.reference_trees import Reference, nested

NO_LIMIT = np.iinfo(np.int32).max


def draw_rows(rng, n, d):
    X = rng.normal(size=(n, d)) * 10.0 ** rng.integers(-3, 4, d)
    if rng.random() < 0.5:
        X = np.round(X)
    if rng.random() < 0.4:
        X[rng.random(X.shape) < 0.2] = np.nan
    if rng.random() < 0.3:
        X[:, 0] = 3.0
    X[rng.random(n) < 0.2] = X[0]
    is_categorical = rng.random(d) < 0.3
    X[:, is_categorical] = np.round(np.abs(X[:, is_categorical])) % 6 + 1.5
    return X.astype(np.float32), is_categorical


def draw_rules(rng, criterion, d):
    return Rules(
        criterion,
        int(rng.integers(1, d + 1)),
        int(rng.choice([1, 3, 16])),
        int(rng.choice([2, NO_LIMIT])),
        int(rng.choice([2, 5])),
        int(rng.choice([1, 3])),
    )


def gini(weights):
    def merit(part, total):
        a = [w * p for w, p in zip(weights, part, strict=True)]
        b = [w * (t - p) for w, p, t in zip(weights, part, total, strict=True)]
        left, right = sum(a), sum(b)
        squares = sum(x * x for x in a), sum(x * x for x in b)
        return (squares[0] * right + squares[1] * left) / (left * right)

    return merit


def entropy(weights):
    def side(sums):
        return sum((x * math.log(x) for x in sums if x > 0.0), 0.0)

    def merit(part, total):
        a = [w * float(p) for w, p in zip(weights, part, strict=True)]
        b = [w * float(t - p) for w, p, t in zip(weights, part, total, strict=True)]
        left, right = sum(a), sum(b)
        return side(a) - left * math.log(left) + side(b) - right * math.log(right)

    return merit


def squares(part, total):
    left, right = float(part[-1]), float(total[-1] - part[-1])
    a = sum((float(p) * float(p) for p in part[:-1]), 0.0)
    b = sum((float(t - p) * float(t - p) for p, t in zip(part[:-1], total[:-1], strict=True)), 0.0)
    return (a * right + b * left) / (left * right)


def compare(table, rules, reference, n, key):
    rows = np.arange(n, dtype=np.int32)
    n_sums = len(reference.stats[0]) + (table.weights.size > 0)
    like = np.zeros(n_sums, dtype=np.int64)
    root = np.zeros(1, dtype=GRAFT)
    root["key"], root["last_row"] = key, n
    space = space_for(n, table.is_categorical.size, rules, like)
    nodes, extents, stats, *_ = grow(table, rules, rows, root, n, space)
    assert root["last_node"] == nodes.size

    def rows_of(node):
        return sorted(rows[extents["start"][node] : extents["stop"][node]].tolist())

    assert nested(nodes, stats, rows_of) == reference.grow(np.arange(n), key)


@pytest.mark.fast
@pytest.mark.parametrize("criterion", [GINI, ENTROPY])
def test_classification_trees_equal_plain_ones(criterion, global_random_seed):
    rng = np.random.default_rng(global_random_seed)
    for _ in range(12):
        n, d, n_classes = int(rng.integers(1, 60)), int(rng.integers(1, 6)), int(rng.integers(1, 5))
        X, is_categorical = draw_rows(rng, n, d)
        labels = rng.integers(0, n_classes, n).astype(np.int32)
        factors = rng.choice([1.0, 0.3, 2.0], n_classes)
        weights = rng.integers(1, 4, n).astype(float) if rng.random() < 0.5 else np.zeros(0)
        rules = draw_rules(rng, criterion, d)
        table = Table(
            X.reshape(-1),
            d,
            1,
            is_categorical,
            labels,
            np.zeros((0, 0)),
            weights,
            factors,
            np.ones(2),
        )
        stats = np.eye(n_classes, dtype=int)[labels] * (
            weights[:, None].astype(int) if weights.size else 1
        )
        merit = gini(factors) if criterion == GINI else entropy(factors)
        reference = Reference(
            X,
            is_categorical,
            stats.tolist(),
            labels,
            True,
            merit,
            rules,
        )
        compare(table, rules, reference, n, int(rng.integers(1 << 62)))


@pytest.mark.fast
def test_regression_trees_equal_plain_ones(global_random_seed):
    rng = np.random.default_rng(global_random_seed)
    for _ in range(12):
        n, d, n_outputs = int(rng.integers(1, 60)), int(rng.integers(1, 6)), int(rng.integers(1, 3))
        X, is_categorical = draw_rows(rng, n, d)
        targets = np.round(rng.normal(size=(n, n_outputs)), int(rng.integers(0, 3)))
        weights = rng.integers(1, 4, n).astype(float) if rng.random() < 0.5 else np.zeros(0)
        rules = draw_rules(rng, SQUARED_ERROR, d)
        table = Table(
            X.reshape(-1),
            d,
            1,
            is_categorical,
            np.zeros(0, dtype=np.int32),
            targets,
            weights,
            np.zeros(0),
            np.array([2.0**20, 1.0]),
        )
        w = weights.astype(int) if weights.size else np.ones(n, dtype=int)
        sums = np.column_stack([w[:, None] * np.rint(targets * 2**20).astype(int), w])
        reference = Reference(
            X,
            is_categorical,
            sums.tolist(),
            targets,
            False,
            squares,
            rules,
        )
        compare(table, rules, reference, n, int(rng.integers(1 << 62)))
