import pickle

import numpy as np
import pytest
import sklearn.linear_model
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal
from scipy import sparse
from sklearn.datasets import load_breast_cancer, load_diabetes, load_linnerud

from skunlearn._kernels import least_squares as kernels
from skunlearn._statistics.joint_moments import JointMoments
from skunlearn.exceptions import NotUnlearnableError
from skunlearn.linear_model import LinearRegression, Ridge


def draw_table(rng, n=300, d=8, targets=None):
    X = rng.normal(size=(n, d)) @ rng.normal(size=(d, d)) + 10 * rng.normal(size=d)
    shape = (d,) if targets is None else (d, targets)
    y = X @ rng.normal(size=shape) + rng.normal(size=(n, *shape[1:])) + 7
    return X, y


def relative_gap(left, right):
    size = np.abs(right.coef_).max()
    gap = np.abs(left.coef_ - right.coef_).max() / size
    return max(gap, np.abs(np.asarray(left.intercept_) - right.intercept_).max() / (1 + size))


@pytest.mark.fast
@pytest.mark.parametrize("fit_intercept", [True, False])
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("targets", [None, 1, 3])
@pytest.mark.parametrize(
    ("ours", "namesake"),
    [
        (Ridge(alpha=0.7), sklearn.linear_model.Ridge(alpha=0.7)),
        (Ridge(alpha=0.0), sklearn.linear_model.Ridge(alpha=0.0)),
        (LinearRegression(), sklearn.linear_model.LinearRegression()),
        (LinearRegression(positive=True), sklearn.linear_model.LinearRegression(positive=True)),
        (
            Ridge(positive=True),
            sklearn.linear_model.Ridge(positive=True, tol=1e-8, max_iter=100_000),
        ),
    ],
    ids=["ridge", "ridge-0", "ols", "ols-positive", "ridge-positive"],
)
def test_equal_scikit_learn_before_and_after(
    ours, namesake, fit_intercept, weighted, targets, global_random_seed
):
    rng = np.random.default_rng(global_random_seed)
    X, y = draw_table(rng, targets=targets)
    weight = rng.random(len(X)) + 0.1 if weighted else None
    ours = ours.set_params(fit_intercept=fit_intercept).fit(X, y, sample_weight=weight)
    namesake = namesake.set_params(fit_intercept=fit_intercept).fit(X, y, sample_weight=weight)
    rtol = 1e-3 if isinstance(ours, Ridge) and ours.positive else 1e-9
    assert relative_gap(ours, namesake) < rtol
    assert ours.coef_.shape == namesake.coef_.shape
    assert np.shape(ours.intercept_) == np.shape(namesake.intercept_)
    gone = rng.choice(len(X), 60, replace=False)
    for part in np.split(gone, [1, 2, 50]):
        ours.unlearn(part)
    kept = np.setdiff1d(np.arange(len(X)), gone)
    namesake.fit(X[kept], y[kept], sample_weight=None if weight is None else weight[kept])
    assert relative_gap(ours, namesake) < rtol
    assert_allclose(ours.predict(X), namesake.predict(X), rtol=10 * rtol, atol=rtol)
    assert_array_equal(ours.sample_ids_, kept)


@pytest.mark.fast
@pytest.mark.parametrize("alpha", [0.1, 10.0])
def test_positive_ridge_meets_the_optimality_conditions(alpha, global_random_seed):
    rng = np.random.default_rng(global_random_seed)
    X, y = draw_table(rng)
    model = Ridge(alpha=alpha, positive=True).fit(X, y).unlearn([3, 4])
    X, y = np.delete(X, [3, 4], 0), np.delete(y, [3, 4])
    gradient = (X - X.mean(0)).T @ (model.predict(X) - y) + alpha * model.coef_
    size = np.abs((X - X.mean(0)).T @ y).max()
    assert (model.coef_ >= 0).all()
    assert (gradient >= -1e-9 * size).all()
    assert np.abs(gradient[model.coef_ > 0]).max(initial=0) <= 1e-9 * size


@pytest.mark.fast
@pytest.mark.parametrize("cls", [Ridge, LinearRegression])
def test_float32_stays_float32(cls, global_random_seed):
    rng = np.random.default_rng(global_random_seed)
    X, y = draw_table(rng)
    model = cls().fit(X.astype(np.float32), y.astype(np.float32)).unlearn([4])
    assert model.coef_.dtype == np.float32
    assert model.predict(X.astype(np.float32)).dtype == np.float32
    assert_allclose(model.coef_, cls().fit(X, y).unlearn([4]).coef_, rtol=1e-3, atol=1e-3)


@pytest.mark.fast
@pytest.mark.parametrize("cls", [Ridge, LinearRegression])
@pytest.mark.parametrize("fit_intercept", [True, False])
@pytest.mark.parametrize("weighted", [False, True])
def test_sparse_rows_give_what_dense_rows_give(cls, fit_intercept, weighted, global_random_seed):
    rng = np.random.default_rng(global_random_seed)
    X = sparse.random(200, 9, density=0.3, format="csr", random_state=global_random_seed)
    y = rng.normal(size=200)
    weight = rng.random(200) + 0.5 if weighted else None
    on_sparse = cls(fit_intercept=fit_intercept).fit(X, y, sample_weight=weight)
    on_dense = cls(fit_intercept=fit_intercept).fit(X.toarray(), y, sample_weight=weight)
    for request in ([5], list(range(20, 80))):
        on_sparse.unlearn(request)
        on_dense.unlearn(request)
        assert relative_gap(on_sparse, on_dense) < 1e-9
    assert_array_equal(on_sparse.find_samples(X[[100, 5]]), [100])


@pytest.mark.parametrize("alpha", [np.array([0.1, 10.0, 0.1]), [1.0], 0.0])
def test_each_target_has_its_own_penalty(alpha, global_random_seed):
    X, y = load_linnerud(return_X_y=True)
    ours = Ridge(alpha=alpha).fit(X, y).unlearn([2, 9])
    namesake = sklearn.linear_model.Ridge(alpha=alpha).fit(
        np.delete(X, [2, 9], 0), np.delete(y, [2, 9], 0)
    )
    assert relative_gap(ours, namesake) < 1e-9


def test_a_wrong_number_of_penalties_is_refused():
    X, y = load_linnerud(return_X_y=True)
    with pytest.raises(ValueError, match="do not correspond: 2 != 3"):
        Ridge(alpha=[1.0, 2.0]).fit(X, y)


@pytest.mark.fast
@pytest.mark.parametrize("size", [1e3, 1e6])
@pytest.mark.parametrize("where", ["X", "y", "both"])
@pytest.mark.parametrize("cls", [Ridge, LinearRegression])
def test_removed_outliers_leave_no_rounding_error(cls, where, size, global_random_seed):
    rng = np.random.default_rng(global_random_seed)
    X = rng.normal(size=(500, 6))
    y = X @ rng.normal(size=6) + rng.normal(size=500)
    X[:25] *= size if where != "y" else 1.0
    y[:25] *= size if where != "X" else 1.0
    model = cls().fit(X, y)
    for i in range(25):
        model.unlearn(i)
        assert model.unlearning_report_.guarantee.error <= 1e-9
    exact = getattr(sklearn.linear_model, cls.__name__)().fit(X[25:], y[25:])
    assert relative_gap(model, exact) <= 1e-10


@pytest.mark.fast
def test_badly_scaled_collinear_tables_equal_scikit_learn():
    X, y = load_breast_cancer(return_X_y=True)
    X = np.hstack([X, X[:, :1] - 2 * X[:, 1:2]])
    y = y.astype(float)
    model = LinearRegression().fit(X, y)
    namesake = sklearn.linear_model.LinearRegression()
    if hasattr(namesake, "tol"):
        namesake.set_params(tol=1e-6)
    for gone in ([0], [5, 300]):
        model.unlearn(gone)
    kept = model.sample_ids_
    namesake.fit(X[kept], y[kept])
    assert_allclose(model.predict(X), namesake.predict(X), atol=2e-2)
    assert model.unlearning_report_.n_refitted == 1
    again = LinearRegression().fit(X[kept], y[kept])
    assert_array_equal(model.coef_, again.coef_)


@pytest.mark.parametrize("alpha", [1e-3, 1.0])
@pytest.mark.parametrize("positive", [False, True])
def test_wide_tables(alpha, positive, global_random_seed):
    rng = np.random.default_rng(global_random_seed)
    X, y = rng.normal(size=(20, 50)), rng.normal(size=20)
    ours = Ridge(alpha=alpha, positive=positive).fit(X, y).unlearn([3, 4])
    again = Ridge(alpha=alpha, positive=positive).fit(np.delete(X, [3, 4], 0), np.delete(y, [3, 4]))
    assert relative_gap(ours, again) < 1e-9
    if not positive:
        namesake = sklearn.linear_model.Ridge(alpha=alpha).fit(
            np.delete(X, [3, 4], 0), np.delete(y, [3, 4])
        )
        assert relative_gap(ours, namesake) < 1e-8


def test_a_table_that_becomes_wide_by_unlearning(global_random_seed):
    rng = np.random.default_rng(global_random_seed)
    X, y = rng.normal(size=(30, 12)), rng.normal(size=30)
    for model in (Ridge(), LinearRegression()):
        model.fit(X, y)
        for i in range(25):
            model.unlearn(i)
        again = type(model)().fit(X[25:], y[25:])
        assert relative_gap(model, again) < 1e-8


@given(st.data())
def test_law_for_any_rows_ids_and_order(data):
    rng = np.random.default_rng(data.draw(st.integers(0, 2**32)))
    n, d = data.draw(st.integers(4, 40)), data.draw(st.integers(1, 5))
    X = rng.normal(size=(n, d)) * 10.0 ** rng.integers(-2, 3, d)
    if data.draw(st.booleans()):
        X[:, 0] = rng.integers(0, 2, n)
    y = rng.normal(size=n)
    weight = rng.choice([0.5, 1.0, 3.0], n) if data.draw(st.booleans()) else None
    ids = rng.integers(0, max(2, n // 2), n)
    model = Ridge(alpha=data.draw(st.sampled_from([0.01, 1.0, 100.0])))
    model.fit(X, y, sample_weight=weight, sample_ids=ids)
    for i in data.draw(st.permutations(sorted(set(ids.tolist()))))[:-1]:
        model.unlearn([i, i])
        kept = np.isin(ids, model.sample_ids_)
        again = Ridge(alpha=model.alpha).fit(
            X[kept], y[kept], sample_weight=None if weight is None else weight[kept]
        )
        assert_allclose(model.predict(X), again.predict(X), rtol=1e-7, atol=1e-7)


@pytest.mark.fast
def test_zero_weight_left_is_refused():
    X, y = np.arange(6.0)[:, None], np.arange(6.0)
    model = Ridge().fit(X, y, sample_weight=[1, 1, 0, 0, 0, 0])
    before = pickle.dumps(model)
    with pytest.raises(NotUnlearnableError, match="must be positive"):
        model.unlearn([0, 1])
    assert pickle.dumps(model) == before
    assert model.unlearn(0).predict([[1.0]]) == pytest.approx(1.0)


@pytest.mark.parametrize("solver", ["lsqr", "sparse_cg", "sag", "saga"])
def test_iterative_solvers_are_refused(solver):
    with pytest.raises(ValueError, match="Use solver='auto'"):
        Ridge(solver=solver).fit([[0.0], [1.0]], [0.0, 1.0])


def test_rank_and_singular_values_follow(global_random_seed):
    X, y = load_diabetes(return_X_y=True)
    ours = LinearRegression().fit(X, y).unlearn([1, 2])
    namesake = sklearn.linear_model.LinearRegression().fit(X[ours.sample_ids_], y[ours.sample_ids_])
    assert ours.rank_ == namesake.rank_
    assert_allclose(ours.singular_, namesake.singular_, rtol=1e-10)
    with pytest.raises(AttributeError):
        _ = LinearRegression().rank_


def test_predictor_is_scikit_learns_own(global_random_seed):
    X, y = load_diabetes(return_X_y=True)
    for cls in (Ridge, LinearRegression):
        model = cls().fit(X, y).unlearn(3)
        predictor = model.to_predictor()
        assert type(predictor) is getattr(sklearn.linear_model, cls.__name__)
        assert_array_equal(predictor.predict(X), model.predict(X))
        assert len(pickle.dumps(predictor)) < X.nbytes / 10


def test_moments_equal_brute_force(global_random_seed):
    rng = np.random.default_rng(global_random_seed)
    X, y = draw_table(rng, n=100, d=4, targets=2)
    for weights in (None, rng.random(100)):
        w = np.ones(100) if weights is None else weights
        for centred in (True, False):
            moments = JointMoments.from_rows(X, y, weights, np.arange(100), centred)
            for gone in ([7], [8, 9], list(range(20, 70))):
                moments = moments.without(X, y, weights, np.array(gone), centred)
            kept = np.r_[:7, 10:20, 70:100]
            Z = np.hstack([X, y])[kept]
            if centred:
                Z = Z - np.average(Z, axis=0, weights=w[kept])
            assert_allclose(moments.weight, w[kept].sum())
            assert_allclose(moments.scatter, (Z * w[kept, None]).T @ Z, rtol=1e-10, atol=1e-9)


@pytest.mark.fast
@pytest.mark.parametrize("size", [1, 40])
def test_a_large_mean_does_not_wear_the_moments_out(size, global_random_seed):
    rng = np.random.default_rng(global_random_seed)
    X = rng.normal(size=(3000, 3)) + 1e5
    y = X @ rng.normal(size=3) + rng.normal(size=3000)
    model = LinearRegression().fit(X, y)
    order = rng.permutation(3000)[:2880]
    for request in np.split(order, len(order) // size):
        model.unlearn(request)
    assert model._moments.n_updates > 50
    exact = sklearn.linear_model.LinearRegression().fit(X[model.sample_ids_], y[model.sample_ids_])
    assert_allclose(model.coef_, exact.coef_, rtol=1e-9)
    assert_allclose(model.predict(X), exact.predict(X), rtol=1e-12)


def test_kernels_equal_their_python_functions(global_random_seed):
    rng = np.random.default_rng(global_random_seed)
    X, y = draw_table(rng, n=40, d=3, targets=2)
    moments = JointMoments.from_rows(X, y, None, np.arange(40), True)
    rows = np.array([3, 8])
    for weights in (np.empty(0), rng.random(40)):
        for kernel, table in (
            (kernels.remove_rows, (moments.scatter,)),
            (kernels.remove_batch, ()),
        ):
            inputs = (40.0, moments.mean, moments.low, *table, X, y, weights, rows, True)
            for a, b in zip(kernel(*inputs), kernel.py_func(*inputs), strict=True):
                assert_allclose(a, b, rtol=1e-12, atol=1e-12)
    scale = np.array([1.0, 2.0, 0.5])
    inputs = (moments.scatter, scale, 0.3)
    matrix, right = kernels.normal_equations(*inputs)
    for a, b in zip((matrix, right), kernels.normal_equations.py_func(*inputs), strict=True):
        assert_array_equal(a, b)
    factor = np.linalg.cholesky(matrix)
    solution = np.linalg.solve(matrix, right.T).T
    inputs = (factor, solution, moments.scatter, moments.peak, scale, 0.3)
    assert_allclose(kernels.assess(*inputs), kernels.assess.py_func(*inputs), atol=1e-12)
    assert kernels.assess(*inputs)[1] < 1e-12
