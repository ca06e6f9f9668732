import pickle

import numpy as np
import pytest
import sklearn.linear_model
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal
from scipy import optimize, sparse
from sklearn.datasets import load_breast_cancer, load_digits, load_iris

from skunlearn._kernels import glm as kernels
from skunlearn._samples.store import SampleStore
from skunlearn.exceptions import NotUnlearnableError
from skunlearn.linear_model import (
    GammaRegressor,
    LogisticRegression,
    PoissonRegressor,
    TweedieRegressor,
)
from skunlearn.linear_model._glm.losses import SingleLoss, SoftmaxLoss
from skunlearn.linear_model._glm.pointwise_losses import LogisticLoss, tweedie_loss


def name_of(loss):
    return type(loss).__name__


REGRESSORS = [
    (PoissonRegressor, {}),
    (GammaRegressor, {}),
    (TweedieRegressor, {}),
    (TweedieRegressor, {"power": 1.0}),
    (TweedieRegressor, {"power": 1.5}),
    (TweedieRegressor, {"power": 2.0}),
]


def draw_classes(rng, n=300, d=5, n_classes=2):
    X = rng.normal(size=(n, d))
    scores = X @ rng.normal(size=(d, n_classes)) + rng.gumbel(size=(n, n_classes))
    return X, np.array(["a", "b", "c", "d"])[:n_classes][scores.argmax(axis=1)]


def draw_amounts(rng, n=300, d=5):
    X = rng.normal(size=(n, d))
    mean = np.exp(0.3 * X @ rng.normal(size=d) + 1.0)
    return X, rng.poisson(mean) * rng.gamma(2.0, 1.0, n) + 0.01


def exact(namesake, **parameters):
    return getattr(sklearn.linear_model, namesake)(
        solver="newton-cholesky", tol=1e-12, max_iter=10_000, **parameters
    )


@pytest.mark.fast
@pytest.mark.parametrize("n_classes", [2, 4])
@pytest.mark.parametrize("fit_intercept", [True, False])
@pytest.mark.parametrize("class_weight", [None, "balanced", {"a": 3.0}])
@pytest.mark.parametrize("weighted", [False, True])
def test_logistic_equals_scikit_learn_before_and_after(
    n_classes, fit_intercept, class_weight, weighted, global_random_seed
):
    rng = np.random.default_rng(global_random_seed)
    X, y = draw_classes(rng, n_classes=n_classes)
    weight = rng.integers(1, 4, len(y)).astype(float) if weighted else None
    shared = {"C": 0.7, "fit_intercept": fit_intercept, "class_weight": class_weight}
    ours = LogisticRegression(**shared).fit(X, y, sample_weight=weight)
    kept = np.arange(len(y))
    for request in ([0], [7, 9], np.arange(20, 80)):
        ours.unlearn(request)
        kept = np.setdiff1d(kept, request)
        namesake = sklearn.linear_model.LogisticRegression(tol=1e-10, max_iter=10_000, **shared)
        namesake.fit(X[kept], y[kept], sample_weight=None if weight is None else weight[kept])
        if class_weight == "balanced" and weighted:
            # scikit-learn releases differ in whether sample weights balance classes too
            again = LogisticRegression(**shared).fit(X[kept], y[kept], sample_weight=weight[kept])
            assert_allclose(ours.coef_, again.coef_, rtol=1e-8, atol=1e-8)
            continue
        assert_allclose(ours.coef_, namesake.coef_, rtol=1e-4, atol=1e-4)
        assert_allclose(ours.predict_proba(X), namesake.predict_proba(X), atol=1e-4)
        assert_array_equal(ours.classes_, namesake.classes_)
        assert ours.coef_.shape == namesake.coef_.shape
        assert ours.intercept_.shape == namesake.intercept_.shape


@pytest.mark.fast
@pytest.mark.parametrize(("cls", "parameters"), REGRESSORS)
@pytest.mark.parametrize("weighted", [False, True])
def test_log_link_models_equal_scikit_learn(cls, parameters, weighted, global_random_seed):
    rng = np.random.default_rng(global_random_seed)
    X, y = draw_amounts(rng)
    weight = rng.random(len(y)) + 0.1 if weighted else None
    shared = {"alpha": 0.3, **parameters}
    ours = cls(**shared).fit(X, y, sample_weight=weight).unlearn([5]).unlearn(np.arange(50, 90))
    kept = ours.sample_ids_
    namesake = exact(cls.__name__, **shared)
    namesake.fit(X[kept], y[kept], sample_weight=None if weight is None else weight[kept])
    assert_allclose(ours.coef_, namesake.coef_, rtol=1e-6, atol=1e-8)
    assert_allclose(ours.intercept_, namesake.intercept_, rtol=1e-6)
    assert_allclose(ours.predict(X), namesake.predict(X), rtol=1e-6)
    assert ours.score(X, y) == pytest.approx(namesake.score(X, y), abs=1e-8)
    predictor = ours.to_predictor()
    assert type(predictor) is type(namesake)
    assert predictor.score(X, y) == pytest.approx(ours.score(X, y), abs=1e-12)


@given(st.data())
def test_law_of_polished_models(data):
    rng = np.random.default_rng(data.draw(st.integers(0, 2**32)))
    X, y = draw_classes(rng, n=data.draw(st.integers(12, 60)), d=3, n_classes=3)
    ids = rng.integers(0, len(y) // 2, len(y))
    model = LogisticRegression(C=data.draw(st.sampled_from([0.01, 1.0, 100.0])))
    if np.unique(y).size < 2:
        return
    model.fit(X, y, sample_ids=ids)
    for i in data.draw(st.permutations(sorted(set(ids.tolist())))):
        left = np.isin(ids, model.sample_ids_) & (ids != i)
        if np.unique(y[left]).size < 2:
            with pytest.raises(NotUnlearnableError):
                model.unlearn(i)
            break
        model.unlearn(i)
        again = LogisticRegression(C=model.C).fit(X[left], y[left], sample_ids=ids[left])
        assert_array_equal(model.classes_, again.classes_)
        assert_allclose(model.coef_, again.coef_, rtol=1e-7, atol=1e-7)
        assert_array_equal(model.sample_ids_, again.sample_ids_)


@pytest.mark.parametrize("cls", [LogisticRegression, PoissonRegressor])
def test_sparse_and_float32_rows(cls, global_random_seed):
    rng = np.random.default_rng(global_random_seed)
    X = sparse.random(200, 6, density=0.4, format="csr", random_state=global_random_seed)
    y = rng.integers(0, 2, 200)
    dense = cls().fit(X.toarray(), y).unlearn([3, 100])
    assert_allclose(cls().fit(X, y).unlearn([3, 100]).coef_, dense.coef_, rtol=1e-7, atol=1e-9)
    single = cls().fit(X.toarray().astype(np.float32), y).unlearn([3, 100])
    assert single.coef_.dtype == np.float32
    assert_allclose(single.coef_, dense.coef_, rtol=1e-3, atol=1e-4)


@pytest.mark.fast
def test_a_class_that_vanishes():
    X, y = load_iris(return_X_y=True)
    model = LogisticRegression().fit(X, y).unlearn(np.arange(50, 100))
    again = LogisticRegression().fit(np.delete(X, range(50, 100), 0), np.delete(y, range(50, 100)))
    assert model.classes_.tolist() == [0, 2]
    assert_allclose(model.coef_, again.coef_, rtol=1e-8)
    before = pickle.dumps(model)
    with pytest.raises(NotUnlearnableError, match="one class"):
        model.unlearn(np.arange(50))
    assert pickle.dumps(model) == before


@pytest.mark.fast
def test_classes_without_weight_do_not_count():
    X, y = load_iris(return_X_y=True)
    weight = (y < 2).astype(float)
    model = LogisticRegression().fit(X, y, sample_weight=weight)
    assert model.classes_.size == 3
    with pytest.raises(NotUnlearnableError, match="one class"):
        model.unlearn(np.arange(50))
    with pytest.raises(ValueError, match="only one class"):
        LogisticRegression().fit(X, y, sample_weight=(y == 1).astype(float))


@pytest.mark.fast
@pytest.mark.parametrize("unlearning", ["bounded", "newton"])
def test_steps_without_polish_come_close_and_purge_forgets_former_models(unlearning):
    X, y = load_breast_cancer(return_X_y=True)
    X = (X - X.mean(axis=0)) / X.std(axis=0)
    model = LogisticRegression(unlearning=unlearning).fit(X, y)
    former = model._state.reference.copy()
    model.unlearn([3]).unlearn([5, 100])
    again = LogisticRegression().fit(np.delete(X, [3, 5, 100], 0), np.delete(y, [3, 5, 100]))
    assert_allclose(model.predict_proba(X), again.predict_proba(X), atol=0.02)
    outputs = model.predict_proba(X)
    model.purge()
    assert_array_equal(model.predict_proba(X), outputs)
    assert former[0].tobytes() not in pickle.dumps(model)


@pytest.mark.fast
@pytest.mark.parametrize("n_classes", [2, 3])
def test_the_predictor_is_scikit_learns(n_classes, global_random_seed):
    X, y = draw_classes(np.random.default_rng(global_random_seed), n_classes=n_classes)
    model = LogisticRegression().fit(X, y).unlearn([3])
    predictor = model.to_predictor()
    assert type(predictor) is sklearn.linear_model.LogisticRegression
    assert_allclose(predictor.predict_proba(X), model.predict_proba(X), atol=1e-12)


def test_digits_with_a_full_softmax_hessian(global_random_seed):
    X, y = load_digits(return_X_y=True)
    X, y = X[:600] / 16, y[:600]
    model = LogisticRegression(C=0.1).fit(X, y).unlearn(np.arange(10))
    again = LogisticRegression(C=0.1).fit(X[10:], y[10:])
    assert_allclose(model.coef_, again.coef_, atol=1e-9)
    assert_allclose(model.coef_.sum(axis=0), 0.0, atol=1e-10)


@pytest.mark.fast
@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"penalty": "l1"}, "SISAClassifier"),
        ({"l1_ratio": 0.5}, "SISAClassifier"),
        ({"solver": "liblinear"}, "intercept"),
        ({"dual": True}, "intercept"),
    ],
)
def test_what_cannot_be_unlearned_is_refused_at_fit(parameters, message):
    X, y = load_iris(return_X_y=True)
    with pytest.raises(ValueError, match=message):
        LogisticRegression(**parameters).fit(X, y)


@pytest.mark.fast
def test_targets_out_of_range_are_refused():
    with pytest.raises(ValueError, match="out of the valid range"):
        PoissonRegressor().fit([[0.0], [1.0]], [-1.0, 1.0])
    with pytest.raises(ValueError, match="out of the valid range"):
        GammaRegressor().fit([[0.0], [1.0]], [0.0, 1.0])
    for parameters in ({"power": 3}, {"power": 0, "link": "log"}, {"power": 1, "link": "identity"}):
        with pytest.raises(ValueError, match="from 1 to 2"):
            TweedieRegressor(**parameters).fit([[0.0], [1.0]], [0.0, 1.0])


@pytest.mark.fast
@pytest.mark.parametrize(
    "pointwise", [LogisticLoss(), *map(tweedie_loss, [0.0, 1.0, 1.3, 2.0])], ids=name_of
)
def test_derivatives_of_sums_of_losses(pointwise, global_random_seed):
    rng = np.random.default_rng(global_random_seed)
    X, y = rng.normal(size=(20, 3)), rng.integers(0, 2, 20) + float(pointwise.kind == kernels.GAMMA)
    loss, weights = SingleLoss(pointwise, True, np.array([1.0, 2.0])), rng.random(20)
    theta = rng.normal(size=4)
    sums = loss.gradient_sums(X, y, weights, theta)
    assert_allclose(
        sums.gradient,
        optimize.approx_fprime(theta, lambda t: loss.value(X, y, weights, t)),
        atol=1e-4,
    )
    numeric = optimize.approx_fprime(theta, lambda t: loss.gradient_sums(X, y, weights, t).gradient)
    assert_allclose(loss.hessian(X, y, weights, theta), numeric, atol=1e-4)


def test_derivatives_of_the_softmax_loss(global_random_seed):
    rng = np.random.default_rng(global_random_seed)
    X, y, weights = rng.normal(size=(20, 3)), rng.integers(0, 3, 20).astype(float), rng.random(20)
    loss, theta = SoftmaxLoss(3, True, np.array([1.0, 2.0, 0.5])), rng.normal(size=12)
    assert_allclose(
        loss.gradient_sums(X, y, weights, theta).gradient,
        optimize.approx_fprime(theta, lambda t: loss.value(X, y, weights, t)),
        atol=1e-4,
    )
    numeric = optimize.approx_fprime(theta, lambda t: loss.gradient_sums(X, y, weights, t).gradient)
    assert_allclose(loss.hessian(X, y, weights, theta), numeric, atol=1e-4)


def test_kernel_takes_rows_out(global_random_seed):
    rng = np.random.default_rng(global_random_seed)
    X, y, weights = rng.normal(size=(30, 3)), rng.integers(0, 2, 30).astype(float), rng.random(30)
    loss = SingleLoss(LogisticLoss(), True, np.array([1.0, 2.0]))
    theta, reference, rows = rng.normal(size=4), rng.normal(size=4), np.array([3, 7])
    kept = np.setdiff1d(np.arange(30), rows)
    inputs = (
        loss.hessian(X, y, weights, reference),
        loss.gram(X, y, weights, 4),
        X,
        y,
        weights,
        rows,
        theta,
        reference,
        loss.pointwise.kind,
        loss.pointwise.power,
        loss.class_weight,
    )
    hessian, gram, right_sides = kernels.take_out(*inputs)
    assert_allclose(hessian, loss.hessian(X[kept], y[kept], weights[kept], reference), atol=1e-12)
    assert_allclose(gram, loss.gram(X[kept], y[kept], weights[kept], 4), atol=1e-12)
    assert_allclose(inputs[0] - right_sides[1:].T @ right_sides[1:], hessian, atol=1e-12)
    gone = loss.gradient_sums(X[rows], y[rows], weights[rows], theta).gradient
    assert_allclose(right_sides[0], gone)
    for a, b in zip((hessian, gram, right_sides), kernels.take_out.py_func(*inputs), strict=True):
        assert_allclose(a, b, atol=1e-13)


@pytest.mark.parametrize(
    "pointwise", [LogisticLoss(), tweedie_loss(0.0), tweedie_loss(1.5)], ids=name_of
)
@pytest.mark.parametrize("fit_intercept", [True, False])
def test_many_rows_are_taken_out_as_few_are(pointwise, fit_intercept, global_random_seed):
    rng = np.random.default_rng(global_random_seed)
    X, y, weights = rng.normal(size=(90, 3)), rng.integers(0, 2, 90).astype(float), rng.random(90)
    loss = SingleLoss(pointwise, fit_intercept, np.array([1.0, 2.0]))
    n_params = 3 + fit_intercept
    theta, reference = rng.normal(size=(2, n_params))
    sums = loss.hessian(X, y, weights, reference), loss.gram(X, y, weights, n_params)
    store, rows = SampleStore(X, y, weights), np.arange(0, 80, 2)
    many = loss.take_apart(store, rows, *sums, theta, reference)
    few = [*loss.take_apart(store, rows[:20], *sums, theta, reference)]
    few[:2] = loss.take_apart(store, rows[20:], *few[:2], theta, reference)[:2]
    assert_allclose(many[0], few[0], atol=1e-12)
    assert_allclose(many[1], few[1], atol=1e-12)
    assert_allclose(many[2][1:21], few[2][1:], atol=1e-12)
    gone = loss.gradient_sums(X[rows], y[rows], weights[rows], theta).gradient
    assert_allclose(many[2][0], gone, atol=1e-12)
    sparse_store = SampleStore(sparse.csr_array(X), y, weights)
    again = loss.take_apart(sparse_store, rows, *sums, theta, reference)
    assert_allclose(again[0], many[0], atol=1e-12)


def test_find_samples_by_row_and_label():
    X, y = load_iris(return_X_y=True)
    names = np.array(["s", "e", "v"])[y]
    model = LogisticRegression().fit(X, names)
    assert 3 in model.find_samples(X[[3]], ["s"])
    assert model.find_samples(X[[3]], ["v"]).size == 0
    assert model.find_samples(X[[3]], ["none"]).size == 0
