import copy
import pickle

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_array_equal
from scipy import sparse

from skunlearn._kernels import order_statistics as kernels
from skunlearn._statistics.order_statistics import (
    OrderStatistics,
    UnsortedColumns,
    medians,
    quantiles,
)

METHODS = (
    *("linear", "inverted_cdf", "averaged_inverted_cdf", "closest_observation", "hazen"),
    *("interpolated_inverted_cdf", "weibull", "median_unbiased", "normal_unbiased"),
)
PERCENTAGES = np.array([0.0, 1.0, 25.0, 100 / 3, 50.0, 77.0, 100.0])
FRACTIONS = np.true_divide(PERCENTAGES, 100)


def table(rng, n, dtype, missing=0.2):
    X = rng.normal(size=(n, 4)).astype(dtype)
    X[:, 1] = np.round(X[:, 1])
    X[:, 2] = 0.3
    X[rng.random(X.shape) < missing] = np.nan
    return X


def expected(X):
    """Return what NumPy computes column by column."""
    columns = [column[column == column] for column in X.T]
    return np.array(
        [
            np.percentile(column, PERCENTAGES) if column.size else np.full(PERCENTAGES.size, np.nan)
            for column in columns
        ]
    )


@pytest.mark.fast
@pytest.mark.parametrize("dtype", [np.float64, np.float32, np.int64])
@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("n", [1, 2, 7, 100])
def test_quantiles_are_those_of_numpy(method, dtype, n, global_random_seed):
    rng = np.random.default_rng(global_random_seed)
    X = (100 * rng.normal(size=(n, 3))).astype(dtype)
    percentages = np.concatenate([PERCENTAGES, np.linspace(0, 100, 6)])
    ours = quantiles(UnsortedColumns(X), np.true_divide(percentages, 100), method)
    namesake = np.percentile(X, percentages, axis=0, method=method).T
    assert_array_equal(ours, namesake)
    many = np.linspace(0, 100, 77)
    ours = quantiles(UnsortedColumns(X), np.true_divide(many, 100), method)
    assert_array_equal(ours, np.percentile(X, many, axis=0, method=method).T)


@pytest.mark.fast
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("n", [1, 2, 7, 599, 600, 601])
def test_medians_are_those_of_numpy(dtype, n, global_random_seed):
    rng = np.random.default_rng(global_random_seed)
    X = table(rng, n, dtype, missing=0.0)
    X[: n // 3, 3] = np.nan
    X[-1, 3] = np.finfo(dtype).max
    with np.errstate(over="ignore"):
        ours = medians(UnsortedColumns(X), doubled=n < 600)
        namesake = np.nanmedian(X, axis=0)
    assert ours.dtype == dtype
    assert_array_equal(ours, namesake)
    X[-1, 3] = 0.1
    masked = np.ma.median(np.ma.masked_invalid(X), axis=0)
    assert_array_equal(medians(UnsortedColumns(X), doubled=True), np.ma.getdata(masked))


@given(st.data())
def test_columns_without_rows_are_those_of_the_rows_left(data):
    rng = np.random.default_rng(data.draw(st.integers(0, 2**32)))
    n = data.draw(st.sampled_from([1, 2, 5, 40, 300, 3000]))
    dtype = data.draw(st.sampled_from([np.float64, np.float32]))
    X = table(rng, n, dtype, data.draw(st.sampled_from([0.0, 0.3, 1.0])))
    is_sparse = data.draw(st.booleans())
    if is_sparse:
        X[rng.random(X.shape) < 0.5] = 0.0
    order = OrderStatistics()
    whole = sparse.csr_array(X) if is_sparse else X
    order.build(whole)
    left = np.arange(n)
    for share in data.draw(st.lists(st.sampled_from([0.0, 0.02, 0.5, 0.9]), max_size=8)):
        gone = rng.choice(left, min(left.size, 1 + int(share * left.size)), replace=False)
        left = np.setdiff1d(left, gone)
        remaining = order.without(whole[gone])
        assert_array_equal(remaining.n_values, (X[left] == X[left]).sum(axis=0))
        assert_array_equal(quantiles(remaining, FRACTIONS), expected(X[left]) + 0.0)
        remaining.edit()()
        held = np.sort(order._values[order._values != 0])
        kept = X[left]
        assert_array_equal(held, np.sort(kept[(kept == kept) & (kept != 0)]))
        if not left.size:
            break


@pytest.mark.fast
def test_a_failed_edit_leaves_nothing_half_done():
    X = np.arange(12.0).reshape(6, 2)
    order = OrderStatistics()
    order.build(X)
    values = order._values
    edit = order.without(X[:2]).edit()
    edit()
    edit()  # as after an interruption, which may have come too late to matter
    assert not order.is_built
    assert not values.any()


@pytest.mark.fast
def test_copies_and_pickles_are_empty():
    order = OrderStatistics()
    order.build(np.arange(12.0).reshape(6, 2))
    assert not copy.deepcopy(order).is_built
    assert not pickle.loads(pickle.dumps(order)).is_built


def test_kernels_equal_their_python_functions(global_random_seed, monkeypatch):
    rng = np.random.default_rng(global_random_seed)
    X = rng.normal(size=(200, 3))
    X[rng.random(X.shape) < 0.2] = np.nan
    for name in ("_block_of", "_rank_of", "_shifted", "_pack"):
        assert hasattr(getattr(kernels, name), "py_func")
    order = OrderStatistics()
    order.build(sparse.csr_array(np.round(X)))
    values, starts, first, used, block = order._arrays()
    for size in (3, 150):
        gone = order.without(sparse.csr_array(np.round(X[:size])))
        ranks = np.array([[-1, 0, 5], [3, 4, 20], [0, 1, 2]])
        ours, namesake = np.zeros((3, 3)), np.zeros((3, 3))
        arguments = (gone._zeros, gone._gone, gone._cuts, ranks)
        kernels.values_at(*order._arrays(), *arguments, ours)
        state = [part.copy() for part in (values, starts, used)]
        kernels.take_out(state[0], state[1], first, state[2], block, gone._gone, gone._cuts)
        wanted = np.array([0.0, 1.0, -1.0, -1.0])
        cuts = np.array([0, 1, 2, 4])
        found = kernels.ranks_of(*order._arrays(), wanted, cuts)
        with monkeypatch.context() as patch:
            for name in ("_block_of", "_rank_of", "_shifted", "_pack"):
                patch.setattr(kernels, name, getattr(kernels, name).py_func)
            kernels.values_at.py_func(*order._arrays(), *arguments, namesake)
            again = [part.copy() for part in (values, starts, used)]
            kernels.take_out.py_func(
                again[0], again[1], first, again[2], block, gone._gone, gone._cuts
            )
            assert_array_equal(found, kernels.ranks_of.py_func(*order._arrays(), wanted, cuts))
        assert_array_equal(ours, namesake)
        for one, other in zip(state, again, strict=True):
            assert_array_equal(one, other)
