"""The influence foil errs as theory says, and is not taken for exact."""

from __future__ import annotations

import pickle

import numpy as np
import pytest
import sklearn.linear_model
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.datasets import load_iris

import skunlearn.linear_model
from skunlearn.exceptions import NotUnlearnableError
from skunlearn.linear_model import InfluenceUnlearner
from skunlearn.utils import get_unlearning_tags
from skunlearn.utils._difference import differ

# With every one a solver that reaches the optimum, without which rates of errors cannot be seen.
TIGHT = {"tol": 1e-12, "max_iter": 10_000}
MODELS = {
    "LogisticRegression": {"C": 0.1, **TIGHT},
    "LinearRegression": {},
    "Ridge": {"alpha": 3.0},
    "RidgeClassifier": {"alpha": 3.0},
    "PoissonRegressor": {"alpha": 0.1, **TIGHT},
    "GammaRegressor": {"alpha": 0.1, **TIGHT},
    "TweedieRegressor": {"alpha": 0.1, "power": 1.5, **TIGHT},
}


def model_of(name, **changes):
    parameters = MODELS[name] | changes
    if name in ("PoissonRegressor", "GammaRegressor", "TweedieRegressor"):
        parameters["solver"] = "newton-cholesky"
    return getattr(sklearn.linear_model, name)(**parameters)


def draw(name, rng, n=1200, n_classes=2, d=4):
    X = rng.normal(size=(n, d))
    scores = X @ rng.normal(size=(d, n_classes)) * 0.7
    if "Ridge" in name or "Linear" in name:
        y = scores[:, 0] + rng.normal(size=n)
    if name in ("LogisticRegression", "RidgeClassifier"):
        y = np.array(["a", "b", "c"])[(scores + rng.gumbel(size=(n, n_classes))).argmax(axis=1)]
    elif name.endswith("Regressor"):
        y = np.exp(0.3 * scores[:, 0]) * rng.gamma(2.0, 0.5, n) + 0.01
    return X, y


def parameters_of(model):
    return np.concatenate([np.ravel(model.coef_), np.ravel(model.intercept_)])


def errors(name, X, y, rows, order, weight=None, **parameters):
    """Measure how far the foil, and the model left alone, are from retraining."""
    weight = np.ones(len(X)) if weight is None else weight
    kept = np.setdiff1d(np.arange(len(X)), rows)
    foil = InfluenceUnlearner(model_of(name, **parameters), order=order).fit(X, y, weight)
    before = parameters_of(foil.estimator_)
    after = parameters_of(foil.unlearn(rows).estimator_)
    retrained = parameters_of(model_of(name, **parameters).fit(X[kept], y[kept], weight[kept]))
    return np.linalg.norm(after - retrained), np.linalg.norm(before - retrained)


def rate(name, X, y, rows, order):
    """Measure by what the error shrinks when all rows but those that go weigh twice as much."""
    found = []
    for times in (100.0, 200.0):
        weight = np.full(len(X), times)
        weight[rows] = 1.0
        strength = {}
        if "alpha" in MODELS[name] and not name.endswith("Regressor"):
            strength["alpha"] = 3.0 * times
        if name == "LogisticRegression":
            strength["C"] = 0.1 / times
        found.append(errors(name, X, y, rows, order, weight, **strength)[0])
    return found[0] / found[1]


@pytest.mark.fast
@pytest.mark.parametrize("name", MODELS)
def test_first_order_error_is_of_the_square_of_the_share_removed(name, global_random_seed):
    X, y = draw(name, np.random.default_rng(global_random_seed), n=300)
    rows = np.argsort(X[:, 0])[-60:]  # a group, so that influences add up
    assert rate(name, X, y, rows, 1) == pytest.approx(4.0, rel=0.1)
    error, moved = errors(name, X, y, rows[::6], 1)
    assert error < 0.5 * moved


@pytest.mark.fast
@pytest.mark.parametrize("name", ["LinearRegression", "Ridge", "RidgeClassifier"])
def test_second_order_error_of_squared_loss_is_of_the_cube(name, global_random_seed):
    X, y = draw(name, np.random.default_rng(global_random_seed), n=300)
    assert rate(name, X, y, np.argsort(X[:, 0])[-60:], 2) == pytest.approx(8.0, rel=0.1)


@pytest.mark.parametrize("name", MODELS)
def test_second_order_is_nearer_for_groups(name, global_random_seed):
    rng = np.random.default_rng(global_random_seed)
    ratios = []
    for _ in range(7):
        X, y = draw(name, rng)
        rows = rng.permutation(len(X))[:200]
        ratios.append(errors(name, X, y, rows, 2)[0] / errors(name, X, y, rows, 1)[0])
    assert np.median(ratios) < 0.6


@pytest.mark.fast
@pytest.mark.parametrize("order", [1, 2])
def test_one_step_by_brute_force(order, global_random_seed):
    rng = np.random.default_rng(global_random_seed)
    X, y = rng.normal(size=(60, 3)), rng.normal(size=60)
    weight = rng.random(60) + 0.5
    ridge = sklearn.linear_model.Ridge(alpha=2.0).fit(X, y, weight)
    Z = np.hstack([X, np.ones((60, 1))])
    H = Z.T @ (weight[:, None] * Z) + np.diag([2.0, 2.0, 2.0, 0.0])
    w = np.append(ridge.coef_, ridge.intercept_)
    S = [4, 9, 33]
    g = Z[S].T @ (weight[S] * (Z[S] @ w - y[S]))
    step = np.linalg.solve(H, g)
    if order == 2:
        step = step + np.linalg.solve(H, Z[S].T @ (weight[S][:, None] * Z[S]) @ step)
    foil = InfluenceUnlearner(sklearn.linear_model.Ridge(alpha=2.0), order=order)
    foil.fit(X, y, weight).unlearn(S)
    assert_allclose(parameters_of(foil.estimator_), w + step, rtol=1e-9)


@pytest.mark.fast
def test_several_targets_and_penalties_are_several_models(global_random_seed):
    rng = np.random.default_rng(global_random_seed)
    X, Y = rng.normal(size=(80, 3)), rng.normal(size=(80, 2))
    both = (
        InfluenceUnlearner(sklearn.linear_model.Ridge(alpha=np.array([1.0, 20.0])))
        .fit(X, Y)
        .unlearn([5])
    )
    for target, alpha in enumerate([1.0, 20.0]):
        one = InfluenceUnlearner(sklearn.linear_model.Ridge(alpha=alpha)).fit(X, Y[:, target])
        assert_allclose(one.unlearn(5).estimator_.coef_, both.estimator_.coef_[target])
        assert_allclose(one.estimator_.intercept_, both.estimator_.intercept_[target])


@pytest.mark.fast
@pytest.mark.parametrize("class_weight", [None, {"a": 3.0}, "balanced"])
@pytest.mark.parametrize("n_classes", [2, 3])
@pytest.mark.parametrize("name", ["LogisticRegression", "RidgeClassifier"])
def test_class_weights_and_classes(name, n_classes, class_weight, global_random_seed):
    rng = np.random.default_rng(global_random_seed)
    X, y = draw(name, rng, n_classes=n_classes)
    weights = class_weight
    if class_weight == "balanced":  # which the foil leaves as they were
        weights = dict(zip(*np.unique(y, return_counts=True), strict=True))
        weights = {label: len(y) / n_classes / count for label, count in weights.items()}
    error, moved = errors(name, X, y, [7, 8, 9], 1, class_weight=weights)
    assert error < 0.1 * moved
    foils = [
        InfluenceUnlearner(model_of(name, class_weight=c)).fit(X, y).unlearn([7, 8])
        for c in (class_weight, weights)
    ]
    assert_allclose(*(foil.estimator_.coef_ for foil in foils), rtol=1e-6)


@pytest.mark.fast
@pytest.mark.parametrize("order", [1, 2])
def test_it_is_caught(order, global_random_seed):
    rng = np.random.default_rng(global_random_seed)
    X, y = draw("LogisticRegression", rng, n=300)
    rows = np.argsort(X[:, 0])[-90:]
    exact = skunlearn.linear_model.LogisticRegression()
    foil = InfluenceUnlearner(exact, order=order).fit(X, y).unlearn(rows)
    retrained = exact.fit(np.delete(X, rows, 0), np.delete(y, rows))
    tolerance = get_unlearning_tags(exact).tolerance
    gap = np.linalg.norm(parameters_of(foil.estimator_) - parameters_of(retrained))
    assert gap > 1e5 * tolerance * np.linalg.norm(parameters_of(retrained))
    assert differ(foil.estimator_.coef_, retrained.coef_, rtol=100 * tolerance)
    assert foil.unlearning_report_.guarantee.kind == "none"
    assert get_unlearning_tags(foil).kind == "none"


@pytest.mark.fast
def test_ours_and_theirs_agree_and_nothing_fitted_holds_rows(global_random_seed):
    rng = np.random.default_rng(global_random_seed)
    for name in MODELS:
        X, y = draw(name, rng, n=200)
        ours = getattr(skunlearn.linear_model, name)(
            **{k: v for k, v in MODELS[name].items() if k not in TIGHT}
        )
        foils = [InfluenceUnlearner(e).fit(X, y).unlearn([1, 5]) for e in (ours, model_of(name))]
        assert_allclose(*(parameters_of(f.estimator_) for f in foils), rtol=1e-5, atol=1e-6)
        assert type(foils[0].estimator_) is type(foils[1].estimator_)
        assert_array_equal(foils[0].predict(X[:9]), foils[0].to_predictor().predict(X[:9]))


@pytest.mark.fast
def test_purge_evaluates_the_hessian_on_the_rows_left():
    X, y = load_iris(return_X_y=True)
    foil = InfluenceUnlearner(model_of("LogisticRegression")).fit(X, y)
    inverse = foil._inverse.copy()
    foil.unlearn([3, 60])
    assert_array_equal(foil._inverse, inverse)
    outputs = foil.predict_proba(X)
    foil.purge()
    assert_array_equal(foil.predict_proba(X), outputs)
    assert np.abs(foil._inverse - inverse).max() > 0


@pytest.mark.fast
def test_classes_vanish_by_refitting():
    X, y = load_iris(return_X_y=True)
    foil = InfluenceUnlearner(model_of("LogisticRegression")).fit(X, y)
    foil.unlearn(np.arange(50, 100))
    assert foil.classes_.tolist() == [0, 2]
    assert foil.unlearning_report_.n_refitted == 1
    again = model_of("LogisticRegression").fit(np.delete(X, range(50, 100), 0), y[y != 1])
    assert_allclose(foil.estimator_.coef_, again.coef_)
    before = pickle.dumps(foil)
    with pytest.raises(NotUnlearnableError, match="cannot be fitted"):
        foil.unlearn(np.arange(50))
    assert pickle.dumps(foil) == before


@pytest.mark.fast
def test_errors_before_anything_changes():
    X, y = load_iris(return_X_y=True)
    for estimator, message in (
        (sklearn.linear_model.Lasso(), "No influence function is known for Lasso"),
        (sklearn.linear_model.LogisticRegressionCV(), "No influence function is known"),
        (sklearn.linear_model.LogisticRegression(penalty="l1", solver="saga"), "l1"),
        (sklearn.linear_model.LogisticRegression(solver="liblinear"), "intercept"),
        (sklearn.linear_model.LogisticRegression(solver="liblinear", dual=True), "intercept"),
        (sklearn.linear_model.Ridge(positive=True), "constrained"),
        (sklearn.linear_model.TweedieRegressor(power=3), "from 1 to 2"),
        (sklearn.linear_model.TweedieRegressor(power=1, link="identity"), "from 1 to 2"),
    ):
        with pytest.raises(ValueError, match=message):
            InfluenceUnlearner(estimator).fit(X, y)
    balanced = model_of("LogisticRegression", class_weight="balanced")
    with pytest.raises(ValueError, match="multiply the weights"):
        InfluenceUnlearner(balanced).fit(X, y, np.ones(150))
    with pytest.raises(ValueError, match="order"):
        InfluenceUnlearner(sklearn.linear_model.Ridge(), order=3).fit(X, y)
    foil = InfluenceUnlearner(sklearn.linear_model.Ridge()).fit(X, y, (np.arange(150) < 2) * 1.0)
    before = pickle.dumps(foil)
    with pytest.raises(NotUnlearnableError, match="sample_weight of zero"):
        foil.unlearn([0, 1])
    assert pickle.dumps(foil) == before
    explosive = InfluenceUnlearner(model_of("PoissonRegressor"), order=2)
    wild = np.linspace(-1, 1, 20)[:, None] * 1e4
    explosive.fit(np.vstack([wild * 0, wild]), np.arange(40) % 3.0)
    explosive.estimator_.coef_ = np.array([1.0])
    before = pickle.dumps(explosive)
    with pytest.raises(NotUnlearnableError, match="range of floats"):
        explosive.unlearn([39])
    assert pickle.dumps(explosive) == before


@pytest.mark.fast
def test_methods_are_those_of_the_estimator():
    assert not hasattr(InfluenceUnlearner(sklearn.linear_model.Ridge()), "predict_proba")
    assert not hasattr(InfluenceUnlearner(sklearn.linear_model.RidgeClassifier()), "predict_proba")
    assert hasattr(InfluenceUnlearner(sklearn.linear_model.RidgeClassifier()), "decision_function")
    assert hasattr(InfluenceUnlearner(sklearn.linear_model.LogisticRegression()), "predict_proba")
