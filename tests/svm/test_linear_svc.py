import numpy as np
import pytest
import sklearn.svm
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal
from scipy import sparse
from sklearn.base import clone

from skunlearn.exceptions import NotUnlearnableError
from skunlearn.svm import LinearSVC
from skunlearn.svm._squared_hinge import minimise, newton_point


def draw_table(seed, n=90, d=4, n_classes=2):
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n, d)) + 1.0
    score = X[:, 0] - 0.5 * X[:, 1] + 0.7 * rng.normal(size=n)
    return X, np.array(["a", "b", "c"])[score.argsort().argsort() * n_classes // n]


def refit(model, X, y, weight=None):
    params = model.get_params() | {"tol": 1e-12, "max_iter": 100_000, "dual": False}
    if model.class_weight == "balanced":  # before scikit-learn 1.7 without regard to the weights
        labels = np.unique(y)
        totals = [len(y) if weight is None else weight[y == label].sum() for label in labels]
        factors = sum(totals) / (len(labels) * np.array(totals))
        params["class_weight"] = dict(zip(labels, factors, strict=True))
    return sklearn.svm.LinearSVC(**params).fit(X, y, sample_weight=weight)


@pytest.mark.fast
@pytest.mark.parametrize("n_classes", [2, 3])
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize(
    "params",
    [
        {},
        {"C": 20.0, "intercept_scaling": 3.0},
        {"fit_intercept": False},
        {"class_weight": "balanced", "C": 0.1},
        {"class_weight": {"a": 4.0}},
    ],
    ids=str,
)
def test_equal_scikit_learn_before_and_after(params, weighted, n_classes, global_random_seed):
    X, y = draw_table(global_random_seed, n_classes=n_classes)
    weight = np.random.default_rng(global_random_seed).integers(0, 3, len(X)) / 2
    weight = weight if weighted else np.ones(len(X))
    for table in (X, sparse.csr_matrix(X)):
        model = LinearSVC(**params).fit(table, y, weight if weighted else None)
        for request in ([], [4], list(range(50, 70))):
            model.unlearn(request)
            kept = model.sample_ids_
            namesake = refit(model, X[kept], y[kept], weight[kept])
            assert_allclose(model.coef_, namesake.coef_, rtol=1e-5, atol=1e-5)
            assert_allclose(model.intercept_, namesake.intercept_, rtol=1e-5, atol=1e-5)
            assert np.shape(model.intercept_) == np.shape(namesake.intercept_)
            assert_array_equal(model.predict(table), namesake.predict(X))


@given(st.data())
def test_law_for_any_rows_ids_and_order(data):
    rng = np.random.default_rng(data.draw(st.integers(0, 2**32)))
    n = data.draw(st.integers(8, 40))
    X, y = draw_table(rng.integers(2**32), n=n, n_classes=data.draw(st.sampled_from([2, 3])))
    if data.draw(st.booleans()):
        X = np.round(X)
    ids = rng.integers(0, n, n)
    model = LinearSVC(C=data.draw(st.sampled_from([0.01, 1.0, 1e3]))).fit(X, y, sample_ids=ids)
    for i in data.draw(st.permutations(sorted(set(ids.tolist()))))[:-1]:
        kept = np.isin(ids, model.sample_ids_) & (ids != i)
        if len(set(y[kept])) < 2:
            with pytest.raises(NotUnlearnableError, match="one class only"):
                model.unlearn(i)
            continue
        model.unlearn(i)
        again = clone(model).fit(X[kept], y[kept])
        assert_allclose(model.coef_, again.coef_, rtol=1e-8, atol=1e-10)
        assert_allclose(model.intercept_, again.intercept_, rtol=1e-8, atol=1e-10)


@pytest.mark.fast
def test_all_rows_with_a_loss_may_go(global_random_seed):
    rng = np.random.default_rng(global_random_seed)
    y = np.arange(60) % 2
    X = rng.normal(size=(60, 3)) + 5.0 * y[:, np.newaxis]
    model = LinearSVC(C=1e3).fit(X, y)
    loses = model.decision_function(X) * (2 * y - 1) < 1.0
    model.unlearn(np.flatnonzero(loses))
    again = clone(model).fit(X[~loses], y[~loses])
    assert_allclose(model.coef_, again.coef_, rtol=1e-8)
    assert_allclose(model.intercept_, again.intercept_, rtol=1e-8)


@pytest.mark.fast
def test_rows_beyond_the_margin_leave_for_nothing(global_random_seed):
    X, y = draw_table(global_random_seed)
    model = LinearSVC().fit(X, y)
    margin = model.decision_function(X) * np.where(y == "b", 1, -1)
    before = model.coef_
    model.unlearn(np.flatnonzero(margin > 1.0))
    assert model.coef_ is before
    again = LinearSVC().fit(X[margin <= 1.0], y[margin <= 1.0])
    assert_allclose(again.coef_, before, rtol=1e-10)


@pytest.mark.fast
def test_many_columns(global_random_seed):
    rng = np.random.default_rng(global_random_seed)
    X = sparse.random(60, 1500, density=0.02, format="csr", random_state=global_random_seed)
    y = rng.integers(0, 2, 60)
    model = LinearSVC(fit_intercept=False).fit(X, y).unlearn([3, 4])
    kept = model.sample_ids_
    namesake = refit(model, X[kept], y[kept])
    assert_allclose(model.coef_, namesake.coef_, atol=1e-5)
    again = LinearSVC(fit_intercept=False).fit(X[kept], y[kept])
    assert_allclose(model.coef_, again.coef_, atol=1e-10)
    narrow = X[:40, :30]
    wide = sparse.csr_array(sparse.hstack([narrow, sparse.csr_array((40, 1000))], format="csr"))
    signs = np.where(y[:40] > 0, 1.0, -1.0)
    dense = newton_point(narrow, signs, np.ones(40), np.zeros(30))
    assert_allclose(newton_point(wide, signs, np.ones(40), np.zeros(1030))[:30], dense, atol=1e-11)


@pytest.mark.fast
def test_the_gradient_vanishes_for_badly_scaled_rows(global_random_seed):
    rng = np.random.default_rng(global_random_seed)
    X = rng.normal(size=(200, 5)) * 10.0 ** np.arange(-2, 3)
    signs = np.where(rng.random(200) < 0.5, 1.0, -1.0)
    cost = 10.0 ** rng.integers(-3, 4, 200)
    w, error = minimise(X, signs, cost, rng.normal(size=5))
    short = np.maximum(1.0 - signs * (X @ w), 0.0)
    parts = 2.0 * (cost * short * signs)[:, None] * X
    assert np.abs(w - parts.sum(axis=0)).max() <= 1e-11 * np.abs(parts).sum()
    assert error <= 1e-12


@pytest.mark.fast
def test_zero_weight_left_is_refused():
    X, y = draw_table(0)
    weight = (np.arange(90) < 40).astype(float)
    model = LinearSVC().fit(X, y, weight)
    with pytest.raises(NotUnlearnableError, match="sample_weight of zero"):
        model.unlearn(np.arange(40))
    with pytest.raises(ValueError, match="at least one non-zero"):
        LinearSVC().fit(X, y, np.zeros(90))


@pytest.mark.fast
def test_a_vanished_class_vanishes():
    X, y = draw_table(0, n_classes=3)
    model = LinearSVC().fit(X, y).unlearn(np.flatnonzero(y == "b"))
    again = LinearSVC().fit(X[y != "b"], y[y != "b"])
    assert_array_equal(model.coef_, again.coef_)
    assert model.classes_.tolist() == ["a", "c"]


@pytest.mark.fast
@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"penalty": "l1"}, "Use penalty='l2'"),
        ({"loss": "hinge"}, "Use loss='squared_hinge'"),
        ({"multi_class": "crammer_singer"}, "Use 'ovr'"),
    ],
)
def test_what_fit_refuses(params, message):
    X, y = draw_table(0)
    with pytest.raises(ValueError, match=message):
        LinearSVC(**params).fit(X, y)
    with pytest.raises(ValueError, match="only one class"):
        LinearSVC().fit(X, np.zeros(len(X)))


@pytest.mark.fast
def test_predictor_is_scikit_learns_own(global_random_seed):
    X, y = draw_table(global_random_seed, n_classes=3)
    model = LinearSVC().fit(X, y).unlearn(3)
    predictor = model.to_predictor()
    assert type(predictor) is sklearn.svm.LinearSVC
    assert_allclose(predictor.decision_function(X), model.decision_function(X), rtol=1e-12)
    assert_array_equal(predictor.predict(X), model.predict(X))
