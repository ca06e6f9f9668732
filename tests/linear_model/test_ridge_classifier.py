"""RidgeClassifier: scikit-learn's results, weights of classes that follow, classes that vanish."""

import numpy as np
import pytest
import sklearn.linear_model
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal
from scipy import sparse
from sklearn.datasets import load_breast_cancer, load_iris

from skunlearn.exceptions import NotUnlearnableError
from skunlearn.linear_model import RidgeClassifier
from skunlearn.pipeline import make_pipeline
from skunlearn.preprocessing import StandardScaler


def draw_table(rng, n=150, d=4, n_classes=3):
    y = np.arange(n) % n_classes
    rng.shuffle(y)
    X = rng.normal(size=(n, d)) @ rng.normal(size=(d, d)) + rng.normal(size=(n_classes, d))[y]
    return X + 5 * rng.normal(size=d), y


def assert_like(ours, namesake, X, rtol=1e-8):
    assert_array_equal(ours.classes_, namesake.classes_)
    assert ours.coef_.shape == namesake.coef_.shape
    assert np.shape(ours.intercept_) == np.shape(namesake.intercept_)
    size = np.abs(namesake.coef_).max()
    assert_allclose(ours.coef_, namesake.coef_, rtol=rtol, atol=rtol * size)
    scores = namesake.decision_function(X)
    assert_allclose(ours.decision_function(X), scores, rtol=rtol, atol=rtol * np.abs(scores).max())
    assert_array_equal(ours.predict(X), namesake.predict(X))


@pytest.mark.fast
@pytest.mark.parametrize("n_classes", [2, 3])
@pytest.mark.parametrize("class_weight", [None, "balanced", {0: 2.0, 1: 0.5, 2: 3.0}])
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("fit_intercept", [True, False])
@pytest.mark.parametrize("convert", [np.asarray, sparse.csr_array])
def test_equals_scikit_learn(
    n_classes, class_weight, weighted, fit_intercept, convert, global_random_seed
):
    rng = np.random.default_rng(global_random_seed)
    X, y = draw_table(rng, n_classes=n_classes)
    if class_weight == {} or (isinstance(class_weight, dict) and n_classes == 2):
        class_weight = {0: 2.0, 1: 0.5}
    weight = rng.random(len(y)) + 0.1 if weighted else None
    parameters = {"class_weight": class_weight, "fit_intercept": fit_intercept, "alpha": 0.3}
    ours = RidgeClassifier(**parameters).fit(convert(X), y, weight)
    for request in ([7], [8, 9], list(range(40, 90))):
        ours.unlearn(request)
    kept = ours.sample_ids_
    namesake = sklearn.linear_model.RidgeClassifier(**parameters)
    namesake.fit(X[kept], y[kept], None if weight is None else weight[kept])
    assert_like(ours, namesake, X)
    assert ours.unlearning_report_.n_refitted == 0
    predictor = ours.to_predictor()
    assert type(predictor) is type(namesake)
    assert_array_equal(predictor.predict(X), ours.predict(X))
    assert_array_equal(predictor.classes_, ours.classes_)
    assert_array_equal(ours.find_samples(convert(X[[0, 7]]), y[[0, 7]]), [0])


@pytest.mark.fast
@given(st.data())
def test_law_for_any_rows_ids_and_order(data):
    rng = np.random.default_rng(data.draw(st.integers(0, 2**32 - 1)))
    n, d = data.draw(st.integers(4, 40)), data.draw(st.integers(1, 5))
    X, y = draw_table(rng, n, d, data.draw(st.integers(1, 4)))
    X *= 10.0 ** rng.integers(-1, 3, d)
    X[rng.random(n) < 0.1] *= data.draw(st.sampled_from([1.0, 1e3, 1e6]))
    weight = rng.choice([0.0, 0.5, 1.0, 3.0], n) if data.draw(st.booleans()) else None
    if weight is not None:
        weight[0] = 1.0
    ids = rng.integers(0, max(2, n // 2), n)
    model = RidgeClassifier(class_weight=data.draw(st.sampled_from([None, "balanced"])))
    model.fit(X, y, weight, sample_ids=ids)
    for i in data.draw(st.permutations(sorted(set(ids.tolist()))))[:-1]:
        kept = np.isin(ids, model.sample_ids_) & (ids != i)
        if weight is not None and not weight[kept].any():
            with pytest.raises(NotUnlearnableError):
                model.unlearn(i)
            return
        model.unlearn([i, i])
        again = RidgeClassifier(class_weight=model.class_weight)
        again.fit(X[kept], y[kept], None if weight is None else weight[kept])
        assert_array_equal(model.classes_, again.classes_)
        scores = again.decision_function(X[kept])
        assert_allclose(model.decision_function(X[kept]), scores, rtol=1e-7, atol=1e-7)


@pytest.mark.fast
@pytest.mark.parametrize("size", [1e3, 1e6])
def test_removed_outliers_leave_no_rounding_error(size, global_random_seed):
    X, y = draw_table(np.random.default_rng(global_random_seed), n=300)
    X[:20] *= size
    model = RidgeClassifier().fit(X, y)
    for i in range(20):
        model.unlearn(i)
    assert_like(model, sklearn.linear_model.RidgeClassifier().fit(X[20:], y[20:]), X[20:])


@pytest.mark.fast
def test_classes_vanish():
    X, y = load_iris(return_X_y=True)
    names = np.array(["setosa", "versicolor", "virginica"])[y]
    model = RidgeClassifier(class_weight="balanced").fit(X, names)
    for part in (range(50, 99), [99]):
        model.unlearn(part)
    assert model.classes_.tolist() == ["setosa", "virginica"]
    namesake = sklearn.linear_model.RidgeClassifier(class_weight="balanced")
    assert_like(
        model, namesake.fit(np.delete(X, range(50, 100), 0), np.delete(names, range(50, 100))), X
    )
    assert set(model.unlearn(range(50)).predict(X)) == {"virginica"}


def test_wide_tables_and_positive_weights(global_random_seed):
    X, y = draw_table(np.random.default_rng(global_random_seed), n=30, d=40)
    model = RidgeClassifier(class_weight="balanced").fit(X, y).unlearn([3, 4])
    namesake = sklearn.linear_model.RidgeClassifier(class_weight="balanced")
    assert_like(model, namesake.fit(np.delete(X, [3, 4], 0), np.delete(y, [3, 4])), X)
    X, y = load_breast_cancer(return_X_y=True)
    model = RidgeClassifier(positive=True).fit(X, y).unlearn([3, 4])
    again = RidgeClassifier(positive=True).fit(np.delete(X, [3, 4], 0), np.delete(y, [3, 4]))
    assert model.solver_ == "lbfgs"
    assert model.coef_.min() >= 0
    assert_allclose(model.coef_, again.coef_, rtol=1e-7, atol=1e-7 * again.coef_.max())


def test_a_scaler_in_front_is_pushed_through(global_random_seed):
    X, y = draw_table(np.random.default_rng(global_random_seed))
    pipe = make_pipeline(StandardScaler(), RidgeClassifier(class_weight="balanced")).fit(X, y)
    for request in ([1], [2, 3]):
        pipe.unlearn(request)
        assert [step.way for step in pipe.unlearning_report_.steps] == [
            "unlearned",
            "pushed through",
        ]
    again = make_pipeline(StandardScaler(), RidgeClassifier(class_weight="balanced"))
    again.fit(np.delete(X, [1, 2, 3], 0), np.delete(y, [1, 2, 3]))
    assert_allclose(pipe.decision_function(X), again.decision_function(X), rtol=1e-8, atol=1e-9)


@pytest.mark.fast
def test_refusals():
    X, y = load_iris(return_X_y=True)
    with pytest.raises(ValueError, match="Use solver='auto'"):
        RidgeClassifier(solver="sag").fit(X, y)
    with pytest.raises(ValueError, match="one label per row"):
        RidgeClassifier().fit(X, np.eye(3)[y])
    with pytest.raises(ValueError, match=r"must be positive|at least one non-zero"):
        RidgeClassifier().fit(X, y, np.zeros(150))
    model = RidgeClassifier().fit(X, y, np.arange(150) < 3)
    with pytest.raises(NotUnlearnableError, match="must be positive"):
        model.unlearn(range(3))
    assert model.sample_ids_.size == 150
