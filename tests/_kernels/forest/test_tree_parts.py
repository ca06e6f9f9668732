"""The parts that kernels of trees are made of: against their Python, and what they promise.

Kernels that work on records, or on the hashes of others, have no Python to compare with; they are
compared with the plain trees of :mod:`tests.ensemble.reference_trees`.
"""

from functools import cache
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numba import njit
from numpy.testing import assert_allclose, assert_array_equal

from skunlearn._kernels.forest import grow, plan, split_ratings, splits, tree_parts
from skunlearn._kernels.forest.layout import rows_by_tree, trees_of_rows
from skunlearn._kernels.forest.tree_parts import (
    SQUARED_ERROR,
    Rules,
    Table,
    goes_left,
    interval_of,
    lattice_of,
    order_threshold,
    position_in_order,
    threshold_at,
)

FLOATS = st.floats(width=32, allow_nan=False, allow_infinity=False)


def draw_table(rng, n, regresses, weighted):
    columns = rng.normal(size=(3, n)).astype(np.float32)
    columns[rng.random((3, n)) < 0.2] = np.nan
    columns[2] = 1.5
    return Table(
        columns.reshape(-1),
        1,
        n,
        np.array([False, True, False]),
        np.zeros(0, np.int32) if regresses else rng.integers(0, 3, n).astype(np.int32),
        rng.normal(size=(n, 2)) if regresses else np.zeros((0, 0)),
        rng.random(n) if weighted else np.zeros(0),
        np.zeros(0) if regresses else np.ones(3),
        np.array([2.0**20, 2.0**18]),
    )


@cache
def compiled(kernel):
    """Compile a kernel with an entrance for Python."""
    return njit(error_model="numpy")(kernel.py_func)


def calls(rng):
    """Yield kernels and arguments for them."""
    n = 40
    key = rng.integers(1 << 63, dtype=np.uint64)
    values = rng.normal(size=n).astype(np.float32)
    low, high = values.min(), values.max()
    rows = rng.permutation(n).astype(np.int32)
    holes, gone = np.where(rng.random(n) < 0.3, -1, rows).astype(np.int32), rng.random(n) < 0.3
    step, shift, first = lattice_of(low, high, key, 16)
    yield tree_parts.mix, key
    yield splits.range_of, values, n
    yield splits.range_of, np.where(values > 0, np.float32(np.nan), values), n
    for goes in (False, True):
        yield tree_parts.child_key, key, goes
    for value in values[:9]:
        yield threshold_at, step, shift, first + 3
        yield interval_of, value, 1.0 / step, shift, first
        yield order_threshold, key & tree_parts.NUMBERS, np.float32(1e5 * abs(value))
        yield position_in_order, value, key & tree_parts.NUMBERS
        for threshold in (np.float32(0.5), np.float32(np.inf), np.float32(1e-30)):
            for categorical in (False, True):
                yield goes_left, value, threshold, True, categorical
                yield goes_left, np.float32(np.nan), threshold, True, categorical
    parts, total = rng.integers(1, 9, (2, 3)), rng.integers(9, 20, 3)
    for criterion in (tree_parts.GINI, tree_parts.ENTROPY, SQUARED_ERROR):
        yield split_ratings.merit, parts, 1, total, 3, criterion, np.array([1.0, 0.5, 2.0])
    for left in (parts, np.array([[3, 0, 0], [0, 7, 0]])):
        yield split_ratings.is_perfect, left, 0, np.array([3, 7, 0]), 3
    for regresses in (False, True):
        for weighted in (False, True):
            table = draw_table(rng, n, regresses, weighted)
            width = 4 if weighted else 3
            columns = (table.labels, table.targets, table.weights, table.scales)
            for sign in (1, -1):
                yield tree_parts.count_in, np.zeros(9, np.int64), 2, width, 5, *columns, sign
            for feature, threshold in ((0, 0.1), (~0, np.inf), (1, 1e-30), (2, 1.0)):
                spare, order = np.empty(n, np.int32), rows.copy()
                limit = np.float32(threshold)
                yield grow.divide, table, order, 3, 30, feature, limit, True, spare
    table = draw_table(rng, n, True, False)
    table.targets[rows[:7]] = 1.0
    for some in (rows[:7], holes, rows[:0]):
        yield grow.targets_differ, table.targets, some, gone
        for rules in (Rules(SQUARED_ERROR, 1, 4, 5, 2, 1), Rules(0, 1, 4, 5, 20, 1)):
            arguments = (table.targets, rules, some, gone, 7, np.array([3, 4, 0]), 3)
            yield grow.is_decided, *arguments, 4
            yield grow.is_decided, *arguments, 5
    yield grow.copy_into, np.zeros((3, n), np.int32), 1, rows
    yield plan.kept_rows, holes, gone, np.empty(n, np.int32)
    yield plan.kept_rows, holes, gone[:0], np.empty(n, np.int32)


def test_kernels_equal_their_python(global_random_seed):
    rng = np.random.default_rng(global_random_seed)
    for kernel, *arguments in calls(rng):
        same = [a.copy() if isinstance(a, np.ndarray) else a for a in arguments]
        with np.errstate(over="ignore"):
            ours, plain = compiled(kernel)(*arguments), kernel.py_func(*same)
        if kernel is split_ratings.merit:  # logarithms come from two libraries
            assert_allclose(ours, plain, rtol=1e-14)
        else:
            assert_array_equal(ours, plain, err_msg=kernel.__name__)
        for a, b in zip(arguments, same, strict=True):
            if isinstance(a, np.ndarray) and kernel not in (grow.divide, plan.kept_rows):
                assert_array_equal(a, b, err_msg=kernel.__name__)


@pytest.mark.parametrize("has_missing", [False, True])
@pytest.mark.parametrize("feature", [0, ~0])
def test_rows_on_a_threshold_go_left(feature, has_missing, global_random_seed):
    rng = np.random.default_rng(global_random_seed)
    table = draw_table(rng, 40, False, False)
    column = table.values[:40]
    column[:] = np.round(3.0 * rng.random(40))
    rows, spare = rng.permutation(40).astype(np.int32), np.empty(40, np.int32)
    for threshold in np.unique(column):
        ours = rows.copy()
        middle = compiled(grow.divide)(table, ours, 3, 37, feature, threshold, has_missing, spare)
        left = column[rows[3:37]] <= threshold
        assert middle == 3 + left.sum()
        assert_array_equal(ours[3:37], np.r_[rows[3:37][left], rows[3:37][~left]])
        assert_array_equal(np.r_[ours[:3], ours[37:]], np.r_[rows[:3], rows[37:]])


@pytest.mark.fast
@given(st.lists(FLOATS, min_size=2, max_size=30), st.integers(0, 2**64 - 1), st.integers(1, 64))
def test_intervals_are_those_of_the_thresholds(values, key, n_candidates):
    values = np.unique(np.array(values, dtype=np.float32) + np.float32(0.0))
    if values.size < 2:
        return
    step, shift, first = lattice_of(values[0], values[-1], np.uint64(key), n_candidates)
    share = (float(values[-1]) - float(values[0])) / step / n_candidates
    assert 0.5 <= share < 1.0
    thresholds = [threshold_at(step, shift, first + k) for k in range(n_candidates + 1)]
    assert np.all(np.diff(thresholds) >= 0)
    assert threshold_at(step, shift, first - 1) < values[0]
    for value in values:
        position = interval_of(value, 1.0 / step, shift, first)
        assert position == sum(value > t for t in thresholds) <= n_candidates


@pytest.mark.fast
@given(st.lists(FLOATS, min_size=4, max_size=30), st.integers(0, 2**64 - 1))
def test_a_lattice_stays_where_a_row_at_the_end_leaves(values, key):
    values = np.unique(np.array(values, dtype=np.float32) + np.float32(0.0))
    if values.size < 4:
        return
    whole = lattice_of(values[0], values[-1], np.uint64(key), 16)
    for low, high in ((values[1], values[-1]), (values[0], values[-2])):
        step, shift, first = lattice_of(low, high, np.uint64(key), 16)
        if step == whole[0]:
            assert shift == whole[1]
            assert first >= whole[2]


@pytest.mark.fast
def test_orders_of_categories_differ_and_can_be_cut_anywhere(global_random_seed):
    rng = np.random.default_rng(global_random_seed)
    categories = rng.integers(1 << 23, 1 << 30, 30).astype(np.uint32).view(np.float32)
    orders = set()
    for number in rng.integers(1 << 12, size=20) & int(tree_parts.NUMBERS):
        positions = [position_in_order(value, np.uint64(number)) for value in categories]
        orders.add(tuple(np.argsort(positions)))
        for cut in [*positions, 0]:
            threshold = order_threshold(np.uint64(number), np.float32(cut) + np.float32(0.25))
            assert np.isfinite(threshold)
            sides = [goes_left(value, threshold, False, True) for value in categories]
            assert sides == [position <= cut for position in positions]
    assert len(orders) > 10


@pytest.mark.fast
def test_orders_of_categories_are_as_good_as_random(global_random_seed):
    rng = np.random.default_rng(global_random_seed)
    numbers = [n for n in range(1 << 12) if n & int(tree_parts.NUMBERS) == n]
    excess = []
    for n_categories in (3, 5, 9, 16) * 5:
        signs = rng.integers(2, size=n_categories) << 31
        bits = rng.integers(1 << 23, 0xFF << 23, n_categories) | signs
        categories = bits.astype(np.uint32).view(np.float32)
        positions = np.array(
            [[position_in_order(v, np.uint64(number)) for v in categories] for number in numbers]
        )
        a, b = np.triu_indices(n_categories, 1)
        before = (positions[:, a] < positions[:, b]).mean(axis=0)
        excess.append(np.mean((before - 0.5) ** 2) * 4 * len(numbers))  # 1 where orders are random
        ranks = positions.argsort(axis=1).argsort(axis=1) - (n_categories - 1) / 2
        likeness = np.corrcoef(ranks)[np.triu_indices(len(numbers), 1)]
        assert np.mean(likeness**2) * (n_categories - 1) < 1.01
    assert np.median(excess) < 2.0
    assert max(excess) < 12.0


@pytest.mark.fast
@pytest.mark.parametrize("n_per_row", [1, 4, 9])
def test_rows_are_in_trees_by_their_ids_alone(n_per_row, global_random_seed):
    rng = np.random.default_rng(global_random_seed)
    hashes, key = rng.integers(1 << 63, size=4000, dtype=np.uint64), np.uint64(5)
    rows = rng.permutation(4000)
    in_trees, first = rows_by_tree(hashes, key, rows, 9, n_per_row)
    members = [in_trees[a:b] for a, b in pairwise(first)]
    assert_array_equal(np.bincount(in_trees), n_per_row)
    assert all(np.unique(tree).size == tree.size for tree in members)
    assert np.ptp(np.diff(first)) <= 6 * np.sqrt(4000)
    again, first = rows_by_tree(hashes[::-1], key, rows[::-1], 9, n_per_row)
    for tree, (a, b) in zip(members, pairwise(first), strict=True):
        assert_array_equal(np.sort(tree), np.sort(again[a:b]))
    chosen = np.sort(trees_of_rows(hashes, 9, n_per_row), axis=1)
    assert (np.diff(chosen) > 0).all()
    assert_array_equal(np.unique(chosen), np.arange(9))


def plain_merit(left, total, weights):
    """Rate a division; of None for weights, of targets' sums and numbers of rows."""
    right = total - left
    if weights is None:
        (a, n_left), (b, n_right) = left.astype(float), right.astype(float)
        return (a * a * n_right + b * b * n_left) / (n_left * n_right)
    a, b = weights * left, weights * right
    if (left == 0).any() and (right == 0).any():
        return np.inf
    return ((a @ a) * b.sum() + (b @ b) * a.sum()) / (a.sum() * b.sum())


@pytest.mark.fast
@given(st.data())
def test_the_best_candidate_and_the_next(data):
    n_grid = data.draw(st.integers(1, 20))
    weights = data.draw(st.sampled_from([None, [1.0, 1.0], [0.3, 2.0]]))
    weights = None if weights is None else np.array(weights)
    counts = st.lists(st.integers(0, 3), min_size=2 * n_grid + 2, max_size=2 * n_grid + 2)
    sums = np.array(data.draw(counts), dtype=np.int32 if weights is not None else np.int64)
    if weights is None:
        sums[::2] -= 2 * sums[1::2]
        sums[::2][sums[1::2] == 0] = 0
    total = sums.reshape(-1, 2).sum(axis=0).astype(np.int64)
    size = int(total[1] if weights is None else total.sum())
    least = data.draw(st.integers(1, 3))
    merits = np.full(n_grid, -np.inf)
    for j in range(n_grid):
        left = sums[: 2 * j + 2].reshape(-1, 2).sum(axis=0)
        n_here, n_left = (c[1] if weights is None else c.sum() for c in (sums[2 * j :][:2], left))
        if n_here and min(n_left, size - n_left) >= least:
            merits[j] = plain_merit(left, total, weights)
    first = int(np.argmax(merits)) if merits.max() > -np.inf else -1
    others = np.delete(merits, first) if first >= 0 else merits
    factors = np.zeros(0) if weights is None else weights
    rate = split_ratings.rate_pairs
    for kernel in (compiled(rate), rate.py_func):
        lefts, found = np.empty((2, n_grid), dtype=np.int64), np.empty(n_grid)
        arguments = (sums, lefts, found, total, weights is not None, factors, size, least)
        with np.errstate(invalid="ignore", divide="ignore"):
            merit, j, rival = kernel(*arguments, np.inf, True)
            assert (merit, j) == (np.inf, -1)
            assert_allclose(rival, merits.max())
            merit, j, rival = kernel(*arguments, -np.inf, True)
        assert_allclose(merit, merits.max())
        assert_allclose(rival, max(others, default=-np.inf))
        if j != first:  # as good, but for rounding
            assert_allclose(merits[j], merit)
