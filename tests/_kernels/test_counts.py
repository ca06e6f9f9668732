import math
from fractions import Fraction

import numpy as np
import pytest
from scipy import sparse

from skunlearn._kernels.counts import carry, count_entries, count_rows, to_floats

UNIT_WEIGHTS = np.empty(0)


def start(n_classes, n_features):
    return (
        np.zeros((3, n_classes, n_features + 1), dtype=np.int64),
        np.zeros((2, n_classes), dtype=np.int64),
    )


def problem(seed, n_samples=60, n_features=4, n_classes=3):
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n_samples, n_features)) * 10.0 ** rng.integers(-15, 11, n_features)
    X[rng.random(X.shape) < 0.3] = 0.0
    weights = rng.exponential(size=n_samples)
    weights[::7] = 0.0
    return X, weights, rng.integers(0, n_classes, n_samples)


@pytest.mark.fast
@pytest.mark.parametrize("threshold", [np.nan, 0.0, 0.5])
def test_dense_sparse_and_plain_python_agree_bit_for_bit(global_random_seed, threshold):
    X, weights, labels = problem(global_random_seed)
    rows = np.arange(len(X))
    S = sparse.csr_array(X)
    for w in (weights, UNIT_WEIGHTS):
        rest = (w, labels, rows, threshold, 1)
        results = [
            count_rows(*start(3, 4), X, *rest),
            count_rows.py_func(*start(3, 4), X, *rest),
            count_entries(*start(3, 4), S.data, S.indices, S.indptr, *rest),
            count_entries.py_func(*start(3, 4), S.data, S.indices, S.indptr, *rest),
        ]
        for totals, counts in results[1:]:
            np.testing.assert_array_equal(totals, results[0][0])
            np.testing.assert_array_equal(counts, results[0][1])
        for ours, plain in zip(to_floats(totals), to_floats.py_func(totals), strict=True):
            np.testing.assert_array_equal(ours, plain)


@pytest.mark.fast
def test_totals_are_the_exact_sum_of_the_cut_values(global_random_seed):
    X, weights, labels = problem(global_random_seed, n_features=2)
    totals, counts = count_rows(*start(3, 2), X, weights, labels, np.arange(len(X)), np.nan, 1)
    grid = Fraction(1, 2**80)
    for label in range(3):
        mine = labels == label
        assert counts[:, label].tolist() == [mine.sum(), np.count_nonzero(weights[mine])]
        for j, values in enumerate([*(X * weights[:, None]).T, weights]):
            exact = sum(Fraction(v) for v in values[mine])
            whole, middle, low = (int(part) for part in totals[:, label, j])
            total = whole + Fraction(middle, 2**40) + Fraction(low, 2**80)
            assert 0 <= middle < 2**40
            assert 0 <= low < 2**40
            assert abs(total - exact) <= mine.sum() * grid


def test_order_and_split_leave_no_trace_across_blocks(global_random_seed):
    rng = np.random.default_rng(global_random_seed)
    n_samples = 9000
    X = rng.random((n_samples, 3)) * 2.0**39
    labels = rng.integers(0, 2, n_samples)
    order = rng.permutation(n_samples)
    whole = count_rows(*start(2, 3), X, UNIT_WEIGHTS, labels, np.arange(n_samples), np.nan, 1)
    state = start(2, 3)
    for rows in np.array_split(order, 5):
        state = count_rows(*state, X, UNIT_WEIGHTS, labels[rows], rows, np.nan, 1)
    np.testing.assert_array_equal(state[0], whole[0])
    for rows in np.array_split(rng.permutation(n_samples), 4):
        state = count_rows(*state, X, UNIT_WEIGHTS, labels[rows], rows, np.nan, -1)
    assert not state[0].any()
    assert not state[1].any()
    counts = to_floats(whole[0])[0]
    for label in range(2):
        expected = [math.fsum(column) for column in X[labels == label].T]
        np.testing.assert_allclose(counts[label], expected, rtol=1e-15)


@pytest.mark.fast
def test_carry_makes_the_representation_unique():
    totals = np.zeros((3, 1, 2), dtype=np.int64)
    totals[:, 0, 0] = 5, -1, -(2**40) - 3
    before = 5 * 2**80 - 2**40 + (-(2**40) - 3)
    for function in (carry, carry.py_func):
        after = totals.copy()
        function(after, 0)
        whole, middle, low = after[:, 0, 0].tolist()
        assert whole * 2**80 + middle * 2**40 + low == before
        assert 0 <= middle < 2**40
        assert 0 <= low < 2**40


@pytest.mark.parametrize(
    "dtype",
    [
        *("f8", "f4", "i8", "?"),
        *(
            pytest.param(d, marks=pytest.mark.long)
            for d in ("i4", "i2", "i1", "u8", "u4", "u2", "u1")
        ),
    ],
)
def test_every_kept_dtype_counts_like_float64(dtype):
    rng = np.random.default_rng(0)
    X = rng.integers(0, 2, (20, 3)).astype(dtype)
    labels = rng.integers(0, 2, 20)
    rest = (rng.random(20), labels, np.arange(20), np.nan, 1)
    totals, _ = count_rows(*start(2, 3), X, *rest)
    expected, _ = count_rows(*start(2, 3), X.astype(np.float64), *rest)
    np.testing.assert_array_equal(totals, expected)
