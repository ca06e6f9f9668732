"""ElasticNet and Lasso: scikit-learn's limit, the optimality conditions, the law."""

import warnings

import numpy as np
import pytest
import sklearn.linear_model
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal
from scipy import sparse
from sklearn.datasets import load_diabetes
from sklearn.exceptions import ConvergenceWarning

from skunlearn._kernels import coordinate_descent as kernels
from skunlearn.exceptions import NotUnlearnableError
from skunlearn.linear_model import ElasticNet, Lasso
from skunlearn.linear_model._elastic_net_solver import Problem
from skunlearn.pipeline import make_pipeline
from skunlearn.preprocessing import StandardScaler


def draw_table(rng, n=200, d=12, targets=None):
    X = rng.normal(size=(n, d)) @ (np.eye(d) + 0.2 * rng.normal(size=(d, d))) + rng.normal(size=d)
    shape = (d,) if targets is None else (d, targets)
    truth = rng.normal(size=shape) * (rng.random(shape) < 0.5)
    return X, X @ truth + rng.normal(size=(n, *shape[1:])) + 7


def assert_optimal(model, X, y, weight=None):
    """Check the optimality conditions of the objective that scikit-learn documents."""
    w = np.ones(len(y)) if weight is None else weight / weight.sum() * len(y)
    residual = w * (y - model.predict(X))
    slopes = X.T @ residual / len(y) - model.alpha * (1 - model.l1_ratio) * model.coef_
    l1 = model.alpha * model.l1_ratio
    size = np.abs(X.T @ (w * (y - y.mean()))).max() / len(y)
    used = model.coef_ != 0
    assert_allclose(slopes[used], l1 * np.sign(model.coef_[used]), atol=1e-9 * size)
    free = slopes[~used]
    assert (free if model.positive else np.abs(free)).max(initial=0) <= l1 + 1e-9 * size
    if model.fit_intercept:
        assert abs(residual.mean()) < 1e-9 * size
    if model.positive:
        assert model.coef_.min() >= 0


@pytest.mark.fast
@pytest.mark.parametrize("parameters", [{}, {"positive": True}, {"fit_intercept": False}], ids=str)
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("targets", [None, 1, 3])
@pytest.mark.parametrize("model", [Lasso(0.1), ElasticNet(0.3), ElasticNet(0.2, l1_ratio=0.0)])
def test_equals_scikit_learn(model, targets, weighted, parameters, global_random_seed):
    rng = np.random.default_rng(global_random_seed)
    X, y = draw_table(rng, targets=targets)
    weight = rng.random(len(X)) + 0.1 if weighted else None
    ours = sklearn.base.clone(model).set_params(**parameters).fit(X, y, weight)
    for request in ([7], [8, 9], list(range(40, 90))):
        ours.unlearn(request)
    kept = ours.sample_ids_
    predictor = ours.to_predictor()
    namesake = sklearn.base.clone(predictor).set_params(tol=1e-13, max_iter=100_000)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        namesake.fit(X[kept], y[kept], sample_weight=None if weight is None else weight[kept])
    rtol = 1e-6 if ours.l1_ratio else 1e-3
    size = np.abs(namesake.coef_).max()
    assert ours.coef_.shape == namesake.coef_.shape
    assert_allclose(ours.coef_, namesake.coef_, atol=rtol * size)
    assert_allclose(ours.intercept_, namesake.intercept_, atol=rtol * (1 + size))
    assert np.shape(ours.intercept_) == np.shape(namesake.intercept_)
    assert np.shape(ours.dual_gap_) == np.shape(namesake.dual_gap_)
    assert type(ours.n_iter_) is type(namesake.n_iter_)
    assert_array_equal(ours.sparse_coef_.toarray(), np.atleast_2d(ours.coef_))
    assert np.max(ours.dual_gap_) == 0.0
    if targets is None:
        assert_optimal(ours, X[kept], y[kept], None if weight is None else weight[kept])
    assert_allclose(predictor.predict(X), ours.predict(X), rtol=1e-12)


@pytest.mark.fast
@given(st.data())
def test_law_for_any_rows_ids_and_order(data):
    rng = np.random.default_rng(data.draw(st.integers(0, 2**32 - 1)))
    X, y = draw_table(rng, data.draw(st.integers(3, 40)), data.draw(st.integers(1, 8)))
    X *= 10.0 ** rng.integers(-1, 2, X.shape[1])
    X[rng.random(len(X)) < 0.1] *= data.draw(st.sampled_from([1.0, 1e3, 1e6]))
    if data.draw(st.booleans()):
        X[:, -1] = X[:, 0]
    weight = rng.choice([0.5, 1.0, 3.0], len(X)) if data.draw(st.booleans()) else None
    ids = rng.integers(0, max(2, len(X) // 2), len(X))
    model = ElasticNet(
        data.draw(st.sampled_from([0.01, 0.3])),
        l1_ratio=data.draw(st.sampled_from([0.5, 1.0])),
        positive=data.draw(st.booleans()),
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        model.fit(X, y, weight, sample_ids=ids)
        for i in data.draw(st.permutations(sorted(set(ids.tolist()))))[:-1]:
            model.unlearn([i, i])
            kept = np.isin(ids, model.sample_ids_)
            again = sklearn.base.clone(model)
            again.fit(X[kept], y[kept], None if weight is None else weight[kept])
            if again.dual_gap_ > 0.0:  # columns so collinear that descent gave up on them
                continue
            assert_allclose(model.predict(X[kept]), again.predict(X[kept]), rtol=1e-7, atol=1e-7)


@pytest.mark.fast
@pytest.mark.parametrize("size", [1e3, 1e6])
def test_removed_outliers_leave_no_rounding_error(size, global_random_seed):
    X, y = draw_table(np.random.default_rng(global_random_seed), n=400)
    X[:20] *= size
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        model = Lasso(0.1).fit(X, y)
        for i in range(20):
            model.unlearn(i)
            assert model.unlearning_report_.guarantee.error <= 1e-9
    assert_allclose(model.coef_, Lasso(0.1).fit(X[20:], y[20:]).coef_, rtol=1e-9, atol=1e-10)


@pytest.mark.fast
def test_weights_become_zero_and_others_do_not(global_random_seed):
    X, y = load_diabetes(return_X_y=True)
    order = np.random.default_rng(global_random_seed).permutation(442)
    model = Lasso(0.4).fit(X, y)
    supports = set()
    for request in np.split(order[:440], 44):
        model.unlearn(request)
        supports.add(tuple(model.coef_ != 0))
        assert_optimal(model, X[model.sample_ids_], y[model.sample_ids_])
    assert len(supports) > 3


@pytest.mark.fast
def test_wide_tables(global_random_seed):
    X, y = draw_table(np.random.default_rng(global_random_seed), n=30, d=60)
    model = Lasso(0.2).fit(X, y).unlearn([3, 4])
    assert_optimal(model, X[model.sample_ids_], y[model.sample_ids_])


def test_sparse_and_float32_tables(global_random_seed):
    rng = np.random.default_rng(global_random_seed)
    X, y = draw_table(rng)
    X[X < 0.5] = 0.0
    dense = ElasticNet(0.2).fit(X, y).unlearn([3, 4])
    rows = ElasticNet(0.2, positive=False).fit(sparse.csr_array(X), y).unlearn([3, 4])
    assert_allclose(rows.coef_, dense.coef_, rtol=1e-9, atol=1e-12)
    narrow = ElasticNet(0.2).fit(X.astype(np.float32), y).unlearn([3, 4])
    assert narrow.coef_.dtype == np.float32
    assert_allclose(narrow.coef_, dense.coef_, rtol=1e-3, atol=1e-4)


def test_a_scaler_in_front_is_pushed_through(global_random_seed):
    rng = np.random.default_rng(global_random_seed)
    X, y = draw_table(rng)
    X *= 10.0 ** rng.integers(-3, 4, X.shape[1])
    pipe = make_pipeline(StandardScaler(), Lasso(0.1)).fit(X, y)
    for request in ([1], list(range(50, 100))):
        pipe.unlearn(request)
        assert pipe.unlearning_report_.steps[1].way == "pushed through"
    again = make_pipeline(StandardScaler(), Lasso(0.1))
    again.fit(X[pipe.sample_ids_], y[pipe.sample_ids_])
    assert_allclose(pipe[-1].coef_, again[-1].coef_, rtol=1e-8, atol=1e-10)


@pytest.mark.fast
def test_refusals_and_warnings(monkeypatch):
    X, y = load_diabetes(return_X_y=True)
    with pytest.raises(ValueError, match="Use selection='cyclic'"):
        Lasso(selection="random").fit(X, y)
    with pytest.raises(ValueError, match="Use precompute=True"):
        Lasso(precompute=X.T @ X).fit(X, y)
    with pytest.warns(UserWarning, match="Use LinearRegression"):
        model = Lasso(alpha=0.0).fit(X, y)
    exact = sklearn.linear_model.LinearRegression().fit(X, y)
    assert_allclose(model.coef_, exact.coef_, rtol=1e-7)
    with monkeypatch.context() as patch:  # the search for signs would find the solution at once
        patch.setattr(Problem, "_search", lambda *_: None)
        with pytest.warns(ConvergenceWarning, match="Increase max_iter"):
            ElasticNet(1e-9, l1_ratio=0.01, max_iter=1, tol=1e-9).fit(np.hstack([X, -2 * X]), y)
    model = Lasso(0.1).fit(X, y, np.arange(442) < 3)
    with pytest.raises(NotUnlearnableError, match="must be positive"):
        model.unlearn(range(3))
    with pytest.raises(AttributeError):
        _ = Lasso().sparse_coef_


def loss(w, X, y):
    return 0.5 * ((y - X @ w) ** 2).sum() + 20.0 * np.abs(w).sum() + 0.5 * w @ w


def test_kernels_equal_their_python_functions(global_random_seed):
    X, y = draw_table(np.random.default_rng(global_random_seed), n=50, d=5)
    X, y = X - X.mean(0), y - y.mean()
    gram, right, square = X.T @ X, X.T @ y, float(y @ y)
    for positive in (False, True):
        inputs = (gram, right, square, np.zeros(5), 20.0, 1.0, positive, 1e-6 * square, 100)
        ours, plain = kernels.descend(*inputs), kernels.descend.py_func(*inputs)
        assert_allclose(ours[0], plain[0], rtol=1e-10, atol=1e-12)
        assert ours[2] == plain[2]
        w = ours[0]
        best = kernels.descend(*inputs[:-2], 0.0, 10_000)[0]
        for point in (w, w + 0.01, np.zeros(5)):
            gap = kernels.duality_gap(gram @ point, right, square, point, 20.0, 1.0, positive)
            plain = kernels.duality_gap.py_func(
                gram @ point, right, square, point, 20.0, 1.0, positive
            )
            assert_allclose(gap, plain, rtol=1e-8, atol=1e-8)
            assert gap >= loss(point, X, y) - loss(best, X, y) - 1e-9 * square
