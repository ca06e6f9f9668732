"""RidgeCV: scikit-learn's results, penalties that are chosen anew."""

import numpy as np
import pytest
import sklearn
import sklearn.linear_model
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal
from scipy import sparse
from sklearn.datasets import load_diabetes
from sklearn.model_selection import KFold
from sklearn.utils.fixes import parse_version

from skunlearn.exceptions import NotUnlearnableError
from skunlearn.linear_model import RidgeCV
from skunlearn.pipeline import make_pipeline
from skunlearn.preprocessing import StandardScaler

CURRENT = parse_version(sklearn.__version__) >= parse_version("1.9")
ALPHAS = (0.01, 1.0, 30.0, 1000.0)


def draw_table(rng, n=80, d=5, targets=None):
    X = rng.normal(size=(n, d)) + 10 * rng.normal(size=d)
    shape = (d,) if targets is None else (d, targets)
    y = X @ rng.normal(size=shape) + 4 * rng.normal(size=(n, *shape[1:])) + 7
    return X, y


def assert_like(ours, namesake, rtol=1e-8):
    for name in ("alpha_", "best_score_", "coef_", "intercept_", "cv_results_"):
        assert hasattr(ours, name) == hasattr(namesake, name)
        if hasattr(ours, name):
            a, b = getattr(ours, name), getattr(namesake, name)
            assert np.shape(a) == np.shape(b), name
            assert_allclose(a, b, rtol=rtol, atol=rtol * np.abs(b).max(), err_msg=name)


@pytest.mark.fast
@pytest.mark.parametrize(
    ("parameters", "targets"),
    [
        (parameters, targets)
        for parameters in (
            {"store_cv_results": True},
            {"fit_intercept": False},
            {"alpha_per_target": True},
            {"scoring": "neg_mean_absolute_error", "store_cv_results": True},
            {"scoring": "r2", "alpha_per_target": True},
            {"cv": 4},
            {"cv": 3, "scoring": "neg_median_absolute_error", "fit_intercept": False},
        )
        for targets in (None, 1, 3)
        # scikit-learn itself fails on a score per target if there is one target.
        if targets is not None or parameters.get("scoring") != "r2"
    ],
    ids=str,
)
@pytest.mark.parametrize("weighted", [False, True])
def test_equals_scikit_learn(parameters, weighted, targets, global_random_seed):
    if weighted and not CURRENT and ("scoring" in parameters or "cv" in parameters):
        pytest.skip("this scikit-learn leaves weights out of its scores")
    rng = np.random.default_rng(global_random_seed)
    X, y = draw_table(rng, targets=targets)
    weight = rng.random(len(X)) + 0.1 if weighted else None
    ours = RidgeCV(ALPHAS, **parameters).fit(X, y, weight)
    for request in ([7], list(range(20, 50))):
        ours.unlearn(request)
    kept = ours.sample_ids_
    namesake = sklearn.linear_model.RidgeCV(ALPHAS, **parameters)
    namesake.fit(X[kept], y[kept], sample_weight=None if weight is None else weight[kept])
    assert_like(ours, namesake)
    assert_allclose(ours.predict(X), namesake.predict(X), rtol=1e-8)
    assert type(ours.to_predictor()) is type(namesake)
    assert not hasattr(ours.to_predictor(), "cv_results_")


@pytest.mark.fast
def test_the_penalty_follows_the_rows(global_random_seed):
    rng = np.random.default_rng(global_random_seed)
    X, y = draw_table(rng, n=300)
    y[200:] = 30 * rng.normal(size=100)
    X[200:] = rng.normal(size=(100, 5)) + X[:200].mean(axis=0)
    before = RidgeCV([1e-3, 100.0]).fit(X, y)
    assert before.alpha_ == 100.0
    assert before.unlearn(range(200, 300)).alpha_ == 1e-3


@pytest.mark.parametrize("parameters", [{}, {"cv": 3}], ids=str)
def test_wide_sparse_and_float32_tables(parameters, global_random_seed):
    rng = np.random.default_rng(global_random_seed)
    X, y = draw_table(rng, n=30, d=40)
    keep = np.delete(np.arange(30), [3, 4])
    ours = RidgeCV(ALPHAS, **parameters).fit(X, y).unlearn([3, 4])
    namesake = sklearn.linear_model.RidgeCV(ALPHAS, **parameters)
    assert_like(ours, namesake.fit(X[keep], y[keep]), rtol=1e-6)
    X, y = draw_table(rng)
    X[X < 5] = 0.0
    dense = RidgeCV(ALPHAS, **parameters).fit(X, y).unlearn([3, 4])
    rows = sparse.csr_array(X)
    assert_like(RidgeCV(ALPHAS, **parameters).fit(rows, y).unlearn([3, 4]), dense)
    narrow = RidgeCV(ALPHAS, **parameters).fit(X.astype(np.float32), y).unlearn([3, 4])
    assert narrow.coef_.dtype == np.float32
    assert_allclose(narrow.coef_, dense.coef_, rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize("parameters", [{}, {"cv": 3}], ids=str)
def test_a_scaler_in_front_is_pushed_through(parameters):
    X, y = load_diabetes(return_X_y=True, scaled=False)
    pipe = make_pipeline(StandardScaler(), RidgeCV(ALPHAS, **parameters)).fit(X, y)
    for request in ([1], list(range(100, 400))):
        pipe.unlearn(request)
        assert pipe.unlearning_report_.steps[1].way == "pushed through"
    again = make_pipeline(StandardScaler(), RidgeCV(ALPHAS, **parameters))
    kept = pipe.sample_ids_
    again.fit(X[kept], y[kept])
    assert_like(pipe[-1], again[-1])


@pytest.mark.fast
@given(st.data())
def test_law_for_any_rows_ids_and_order(data):
    rng = np.random.default_rng(data.draw(st.integers(0, 2**32 - 1)))
    X, y = draw_table(rng, data.draw(st.integers(5, 40)), data.draw(st.integers(1, 4)))
    X[rng.random(len(X)) < 0.1] *= data.draw(st.sampled_from([1.0, 1e3]))
    ids = rng.integers(0, max(3, len(X) // 2), len(X))
    model = RidgeCV(
        data.draw(st.sampled_from([ALPHAS, 1.0])), cv=data.draw(st.sampled_from([None, 2]))
    )
    model.fit(X, y, sample_ids=ids)
    for i in data.draw(st.permutations(sorted(set(ids.tolist()))))[:-1]:
        kept = np.isin(ids, model.sample_ids_) & (ids != i)
        if kept.sum() < 4:
            return
        model.unlearn([i, i])
        again = RidgeCV(model.alphas, cv=model.cv).fit(X[kept], y[kept])
        assert model.alpha_ == again.alpha_
        assert_allclose(model.predict(X[kept]), again.predict(X[kept]), rtol=1e-7, atol=1e-7)


@pytest.mark.fast
def test_refusals():
    X, y = load_diabetes(return_X_y=True)
    for cv in (KFold(3), [(np.arange(9), np.arange(9, 12))]):
        with pytest.raises(ValueError, match="Use a number of folds"):
            RidgeCV(cv=cv).fit(X, y)
    with pytest.raises(ValueError, match=r"must be > 0\.0"):
        RidgeCV([0.0, 1.0]).fit(X, y)
    with pytest.raises(ValueError, match=r"must be >= 0\.0"):
        RidgeCV([-1.0, 1.0], cv=3).fit(X, y)
    assert RidgeCV([0.0], cv=3).fit(X, y).alpha_ == 0.0
    for name in ("store_cv_results", "alpha_per_target"):
        with pytest.raises(ValueError, match=f"{name}=True are incompatible"):
            RidgeCV(cv=3, **{name: True}).fit(X, y)
    model = RidgeCV(cv=5).fit(X[:12], y[:12])
    with pytest.raises(NotUnlearnableError, match="number of splits"):
        model.unlearn(range(8))
    model = RidgeCV().fit(X[:4], y[:4])
    with pytest.raises(NotUnlearnableError, match="two rows or more"):
        model.unlearn(range(3))
    assert_array_equal(model.sample_ids_, range(4))


@pytest.mark.fast
@pytest.mark.parametrize("fit_intercept", [True, False])
@pytest.mark.parametrize("alpha", [1e-9, 1e-3, 10.0])
@pytest.mark.parametrize("n_features", [19, 20, 21, 60])
def test_leave_one_out_of_wide_tables(n_features, alpha, fit_intercept, global_random_seed):
    rng = np.random.default_rng(global_random_seed)
    X, y = draw_table(rng, 22, n_features)
    weights = rng.uniform(0.1, 2.0, 22)
    X = 1e3 * X
    ours = RidgeCV([alpha], fit_intercept=fit_intercept)
    ours.fit(X, y, weights, sample_ids=np.arange(22)).unlearn([4, 20])
    X, y, weights = X[ours.sample_ids_], y[ours.sample_ids_], weights[ours.sample_ids_]
    errors = np.empty(20)
    for row in range(20):
        others = np.delete(np.arange(20), row)
        ridge = sklearn.linear_model.Ridge(alpha, fit_intercept=fit_intercept, solver="svd")
        ridge.fit(X[others], y[others], weights[others])
        errors[row] = y[row] - ridge.predict(X[[row]])[0]
    assert_allclose(ours.best_score_, -np.mean(weights * errors**2), rtol=1e-6)
