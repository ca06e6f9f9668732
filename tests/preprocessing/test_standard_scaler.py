import pickle

import numpy as np
import pytest
import sklearn.preprocessing
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal
from scipy import sparse

from skunlearn._kernels import column_moments as kernels
from skunlearn._statistics import column_moments
from skunlearn.exceptions import NotUnlearnableError
from skunlearn.preprocessing import StandardScaler

ATTRIBUTES = ("mean_", "var_", "scale_", "n_samples_seen_")


def assert_same_scaler(left, right, rtol=1e-10):
    for name in ATTRIBUTES:
        a, b = getattr(left, name), getattr(right, name)
        if a is None or b is None:
            assert a is b, name
        else:
            spread = (
                np.sqrt(np.abs(right.var_)) if name == "mean_" and right.var_ is not None else 0.0
            )
            gap = np.abs(np.asarray(a, float) - np.asarray(b, float))
            limit = rtol * (np.abs(b) + spread) + 1e-16
            assert np.all((gap <= limit) | (np.isnan(a) & np.isnan(b))), name


@pytest.mark.fast
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("missing", [False, True])
@pytest.mark.parametrize(("with_mean", "with_std"), [(True, True), (True, False), (False, False)])
def test_fit_and_transform_equal_scikit_learn(
    dtype, weighted, missing, with_mean, with_std, global_random_seed
):
    rng = np.random.default_rng(global_random_seed)
    X = (rng.normal(size=(500, 6)) * 10.0 ** rng.integers(-3, 4, 6) + 5).astype(dtype)
    X[:, 2] = 0.1
    if missing:
        X[rng.random(X.shape) < 0.1] = np.nan
    weight = rng.random(500) * 3 if weighted else None
    namesake = sklearn.preprocessing.StandardScaler(with_mean=with_mean, with_std=with_std)
    ours = StandardScaler(with_mean=with_mean, with_std=with_std)
    with np.errstate(invalid="ignore"):  # scikit-learn's variance of a constant may be negative
        namesake.fit(X, sample_weight=weight)
    ours.fit(X, sample_weight=weight)
    assert_same_scaler(ours, namesake, 1e-12)
    rtol = 1e-5 if dtype == np.float32 else 1e-11
    # scikit-learn 1.6 subtracts a float64 mean, later releases one rounded to the rows' dtype.
    rounded = np.abs(namesake.mean_ / namesake.scale_).max() if with_mean and with_std else 0.0
    atol = max(rtol, np.finfo(dtype).eps * rounded)
    assert_allclose(ours.transform(X), namesake.transform(X), rtol=rtol, atol=atol)
    assert ours.transform(X).dtype == dtype
    back = ours.inverse_transform(ours.transform(X))
    assert_allclose(back, X, rtol=1e-3 if dtype == np.float32 else 1e-9)


@pytest.mark.fast
@pytest.mark.parametrize("with_std", [True, False])
@pytest.mark.parametrize("weighted", [False, True])
def test_sparse_rows_equal_scikit_learn_and_the_law(with_std, weighted, global_random_seed):
    rng = np.random.default_rng(global_random_seed)
    X = sparse.random(300, 7, density=0.3, format="csr", random_state=global_random_seed)
    weight = rng.random(300) if weighted else None
    namesake = sklearn.preprocessing.StandardScaler(with_mean=False, with_std=with_std)
    namesake.fit(X, sample_weight=weight)
    ours = StandardScaler(with_mean=False, with_std=with_std).fit(X, sample_weight=weight)
    assert_same_scaler(ours, namesake, 1e-12)
    gone = rng.choice(300, 40, replace=False)
    kept = np.setdiff1d(np.arange(300), gone)
    for part in np.array_split(gone, 5):
        ours.unlearn(part)
    namesake.fit(X[kept], sample_weight=None if weight is None else weight[kept])
    assert_same_scaler(ours, namesake)
    assert_allclose(ours.transform(X).toarray(), namesake.transform(X).toarray(), rtol=1e-9)


@given(st.data())
def test_law_for_any_rows_ids_and_order(data):
    n = data.draw(st.integers(2, 40))
    d = data.draw(st.integers(1, 4))
    rng = np.random.default_rng(data.draw(st.integers(0, 2**32)))
    X = rng.choice(
        [0.0, 1.0, -2.5, 1e6, 1e-6, np.nan], size=(n, d), p=[0.3, 0.2, 0.2, 0.1, 0.1, 0.1]
    )
    ids = rng.integers(0, max(2, n // 2), n)
    weight = rng.choice([0.0, 0.5, 1.0, 3.0], n) if data.draw(st.booleans()) else None
    if weight is not None:
        weight[0] = 1.0
    scaler = StandardScaler().fit(X, sample_weight=weight, sample_ids=ids)
    order = data.draw(st.permutations(sorted(set(ids.tolist()))))[:-1]
    for i in order:
        left = np.isin(ids, scaler.sample_ids_) & (ids != i)
        if weight is not None and not weight[left].any():
            with pytest.raises(NotUnlearnableError, match="zero"):
                scaler.unlearn(i)
            break
        scaler.unlearn([i, i])
        kept = np.isin(ids, scaler.sample_ids_)
        again = StandardScaler().fit(
            X[kept], sample_weight=None if weight is None else weight[kept], sample_ids=ids[kept]
        )
        assert_same_scaler(scaler, again, 1e-9)
        assert_array_equal(scaler.sample_ids_, again.sample_ids_)
        assert scaler.unlearning_report_.guarantee.error <= 1e-10


@pytest.mark.fast
@pytest.mark.parametrize("size", [1e3, 1e6, 1e9])
def test_removed_outliers_leave_no_rounding_error(size, global_random_seed):
    rng = np.random.default_rng(global_random_seed)
    X = rng.normal(size=(400, 5))
    X[:30] *= size
    scaler = StandardScaler().fit(X).unlearn(np.arange(30))
    exact = sklearn.preprocessing.StandardScaler().fit(X[30:])
    assert_allclose(scaler.var_, exact.var_, rtol=1e-10)
    assert_allclose(scaler.mean_, exact.mean_, atol=1e-10)


@pytest.mark.fast
def test_a_column_that_becomes_constant_gets_scale_one():
    X = np.array([[0.1, 1.0], [0.1, 2.0], [7.3, 3.0]])
    scaler = StandardScaler().fit(X).unlearn(2)
    assert scaler.scale_[0] == 1.0
    assert_allclose(scaler.transform(X[:2])[:, 0], 0.0, atol=1e-15)


def test_many_requests_do_not_wear_the_moments_out(global_random_seed):
    rng = np.random.default_rng(global_random_seed)
    X = rng.normal(size=(3000, 3)) + 1e4
    scaler = StandardScaler().fit(X)
    for i in rng.permutation(3000)[:2900]:
        scaler.unlearn(int(i))
    exact = sklearn.preprocessing.StandardScaler().fit(X[scaler.sample_ids_])
    assert_allclose(scaler.var_, exact.var_, rtol=1e-10)


def test_state_is_the_same_in_a_pickle_whatever_the_history():
    X = np.arange(40.0).reshape(20, 2)
    scaler = StandardScaler().fit(X).unlearn([3, 5])
    twin = pickle.loads(pickle.dumps(scaler)).unlearn([7])
    assert_array_equal(twin.sample_ids_, scaler.unlearn([7]).sample_ids_)
    assert_same_scaler(twin, scaler)


def test_kernels_equal_their_python_functions(global_random_seed):
    rng = np.random.default_rng(global_random_seed)
    X = rng.normal(size=(30, 3))
    X[rng.random(X.shape) < 0.2] = np.nan
    rows = np.arange(30)
    for weights in (column_moments.UNIT_WEIGHTS, rng.random(30)):
        moments = kernels.column_moments(X, weights, rows)
        assert_array_equal(moments, kernels.column_moments.py_func(X, weights, rows))
        left, loss = kernels.remove_rows(moments, X, weights, rows[:4])
        left_py, loss_py = kernels.remove_rows.py_func(moments, X, weights, rows[:4])
        assert_allclose(left, left_py, rtol=1e-14)
        assert_allclose(loss, loss_py, rtol=1e-14)
        for a, b in zip(kernels.scale_of(left), kernels.scale_of.py_func(left), strict=True):
            assert_allclose(a, b, rtol=1e-15)


@pytest.mark.fast
def test_no_rows_left_is_refused_and_changes_nothing():
    scaler = StandardScaler().fit([[1.0], [2.0]])
    before = pickle.dumps(scaler)
    with pytest.raises(NotUnlearnableError, match="all 2 training rows"):
        scaler.unlearn([0, 1])
    assert pickle.dumps(scaler) == before


def test_centring_sparse_rows_is_refused():
    with pytest.raises(ValueError, match="Cannot center sparse"):
        StandardScaler().fit(sparse.eye(3, format="csr"))


# The variance that scikit-learn updates may be negative by rounding.
@pytest.mark.fast
@pytest.mark.filterwarnings("ignore:invalid value encountered in sqrt")
@pytest.mark.parametrize("explicit", [True, False])
@pytest.mark.parametrize("scale", [0.5, 2.0, 1e9])
def test_weighted_sparse_columns_without_spread(explicit, scale, global_random_seed):
    rng = np.random.default_rng(global_random_seed)
    X = rng.normal(size=(90, 5)) * (rng.random((90, 5)) < 0.5)
    X[:, 0], X[:, 1], X[:, 2], X[5:, 3] = 100.0, 0.1, 0.0, 3.3
    X[:, 4] = np.where(rng.random(90) < 0.3, np.nan, 1e6)
    weights = scale * rng.uniform(size=90)
    table = sparse.csr_array(np.where(explicit & (X == 0.0), 7.0, X))
    table.data[table.data == 7.0] = 0.0
    ids = rng.permutation(90)
    ours = StandardScaler(with_mean=False).fit(table, sample_weight=weights, sample_ids=ids)
    for gone in ([], [0, 1, 2, 3, 4], np.flatnonzero(np.isnan(X[:, 4]))):
        ours.unlearn(ids[np.isin(ids, ours.sample_ids_) & np.isin(np.arange(90), gone)])
        kept = np.isin(ids, ours.sample_ids_)
        namesake = sklearn.preprocessing.StandardScaler(with_mean=False)
        namesake.fit(X[kept], sample_weight=weights[kept])
        assert_allclose(ours.scale_, namesake.scale_, rtol=1e-9)
        assert_allclose(ours.mean_, namesake.mean_, rtol=1e-9, atol=1e-12)
    assert_array_equal(ours.scale_[:3], 1.0)
