"""Discriminant analyses: scikit-learn's results, the law, classes that vanish, refusals."""

import pickle

import numpy as np
import pytest
import sklearn
import sklearn.discriminant_analysis
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal
from scipy.linalg import LinAlgError
from sklearn.covariance import OAS
from sklearn.datasets import load_digits, load_iris, load_wine
from sklearn.preprocessing import StandardScaler
from sklearn.utils.fixes import parse_version

from skunlearn.discriminant_analysis import (
    LinearDiscriminantAnalysis,
    QuadraticDiscriminantAnalysis,
)
from skunlearn.exceptions import NotUnlearnableError

PRIORS = [0.2, 0.3, 0.5]
LINEAR = [
    {},
    {"priors": PRIORS, "store_covariance": True, "n_components": 1},
    {"solver": "lsqr"},
    {"solver": "lsqr", "shrinkage": 0.3, "priors": PRIORS},
    {"solver": "lsqr", "shrinkage": "auto"},
    {"solver": "lsqr", "covariance_estimator": OAS()},
    {"solver": "eigen"},
    {"solver": "eigen", "shrinkage": 0.3},
    {"solver": "eigen", "priors": PRIORS},
    {"solver": "eigen", "shrinkage": "auto"},
]
QUADRATIC = [
    {"store_covariance": True},
    {"reg_param": 0.2, "store_covariance": True, "priors": PRIORS},
    {"solver": "eigen", "store_covariance": True},
    {"solver": "eigen", "shrinkage": 0.1},
    {"solver": "eigen", "shrinkage": "auto"},
    {"solver": "eigen", "covariance_estimator": OAS()},
]
# Ours follows 1.9 whatever is installed; before, scikit-learn divided otherwise, so that there ours
# is compared with the formulas only.
BIASED = parse_version(sklearn.__version__) >= parse_version("1.9")


def draw_table(rng, n=150, d=4, n_classes=3):
    y = rng.integers(0, n_classes, n)
    y[: 2 * n_classes] = np.repeat(np.arange(n_classes), 2)
    X = rng.normal(size=(n, d)) @ rng.normal(size=(d, d)) + rng.normal(size=(n_classes, d))[y]
    return X + 5 * rng.normal(size=d), y


def assert_like(ours, namesake, X, rtol=1e-8):
    for name in (
        *("coef_", "intercept_", "means_", "priors_", "covariance_", "xbar_"),
        *("explained_variance_ratio_", "scalings_"),
    ):
        assert hasattr(ours, name) == hasattr(namesake, name), name
        if name == "scalings_" and getattr(ours, "solver", "") == "eigen":
            continue  # the directions without variance between classes are anyone's choice
        if hasattr(ours, name):
            a, b = np.array(getattr(ours, name)), np.array(getattr(namesake, name))
            if name == "scalings_":
                a, b = np.abs(a), np.abs(b)
            assert_allclose(a, b, rtol=rtol, atol=rtol * np.abs(b).max(initial=0), err_msg=name)
    scores = namesake.decision_function(X)
    assert_allclose(ours.decision_function(X), scores, rtol=rtol, atol=rtol * np.abs(scores).max())
    assert_array_equal(ours.predict(X), namesake.predict(X))
    assert_allclose(ours.predict_proba(X), namesake.predict_proba(X), rtol=1e-5, atol=1e-7)
    assert_allclose(ours.predict_log_proba(X), namesake.predict_log_proba(X), rtol=1e-5, atol=1e-7)


@pytest.mark.fast
@pytest.mark.parametrize("parameters", LINEAR, ids=str)
def test_linear_equals_scikit_learn(parameters, global_random_seed):
    if not BIASED and "solver" not in parameters:
        pytest.skip("the solver 'svd' of this scikit-learn divides by n_samples - n_classes")
    X, y = draw_table(np.random.default_rng(global_random_seed))
    ours = LinearDiscriminantAnalysis(**parameters).fit(X, y)
    for request in ([7], [8, 9], list(range(40, 90))):
        ours.unlearn(request)
    kept = ours.sample_ids_
    namesake = sklearn.discriminant_analysis.LinearDiscriminantAnalysis(**parameters)
    assert_like(ours, namesake.fit(X[kept], y[kept]), X)
    if ours.solver != "lsqr":
        assert_allclose(np.abs(ours.transform(X)), np.abs(namesake.transform(X)), rtol=1e-6)
    predictor = ours.to_predictor()
    assert type(predictor) is type(namesake)
    assert_allclose(predictor.predict_proba(X), ours.predict_proba(X), rtol=1e-12)


@pytest.mark.skipif(not BIASED, reason="this scikit-learn divides by the number of rows less one")
@pytest.mark.parametrize("parameters", QUADRATIC, ids=str)
def test_quadratic_equals_scikit_learn(parameters, global_random_seed):
    X, y = draw_table(np.random.default_rng(global_random_seed))
    ours = QuadraticDiscriminantAnalysis(**parameters).fit(X, y)
    for request in ([7], [8, 9], list(range(40, 90))):
        ours.unlearn(request)
    kept = ours.sample_ids_
    namesake = sklearn.discriminant_analysis.QuadraticDiscriminantAnalysis(**parameters)
    assert_like(ours, namesake.fit(X[kept], y[kept]), X)
    assert_allclose(np.array(ours.scalings_), np.array(namesake.scalings_), rtol=1e-8)
    assert_allclose(
        np.abs(np.array(ours.rotations_)), np.abs(np.array(namesake.rotations_)), atol=1e-7
    )


@pytest.mark.fast
def test_quadratic_scores_are_gaussian_log_posteriors(global_random_seed):
    X, y = draw_table(np.random.default_rng(global_random_seed))
    model = QuadraticDiscriminantAnalysis(store_covariance=True).fit(X, y).unlearn([3, 40, 41])
    kept = model.sample_ids_
    for position in range(3):
        own = X[kept][y[kept] == position]
        covariance = np.cov(own.T, bias=True)
        gap = X - own.mean(axis=0)
        expected = np.log(len(own) / len(kept)) - 0.5 * (
            np.linalg.slogdet(covariance)[1] + (gap @ np.linalg.inv(covariance) * gap).sum(axis=1)
        )
        assert_allclose(model.covariance_[position], covariance, rtol=1e-9, atol=1e-9)
        assert_allclose(model.decision_function(X)[:, position], expected, rtol=1e-7, atol=1e-7)


@pytest.mark.fast
@given(st.data())
def test_law_for_any_rows_ids_and_order(data):
    rng = np.random.default_rng(data.draw(st.integers(0, 2**32 - 1)))
    n, d = data.draw(st.integers(12, 50)), data.draw(st.integers(1, 4))
    X, y = draw_table(rng, n, d, data.draw(st.integers(2, 4)))
    X *= 10.0 ** rng.integers(-1, 3, d)
    if data.draw(st.booleans()):
        X[:, 0] = np.round(X[:, 0])
    X[rng.random(n) < 0.1] *= data.draw(st.sampled_from([1.0, 1e3, 1e6]))
    ids = rng.integers(0, n // 2, n)
    model = data.draw(
        st.sampled_from(
            [
                *(LinearDiscriminantAnalysis(solver=s) for s in ("svd", "lsqr")),
                LinearDiscriminantAnalysis("eigen", shrinkage=0.1),
                QuadraticDiscriminantAnalysis(reg_param=0.1),
            ]
        )
    )
    try:
        model.fit(X, y, sample_ids=ids)
    except ValueError:
        return
    for i in data.draw(st.permutations(sorted(set(ids.tolist()))))[:-1]:
        kept = np.isin(ids, model.sample_ids_) & (ids != i)
        again = sklearn.base.clone(model)
        try:
            again.fit(X[kept], y[kept])
        except ValueError:
            with pytest.raises(NotUnlearnableError):
                model.unlearn(i)
            return
        model.unlearn([i, i])
        assert_array_equal(model.classes_, again.classes_)
        scores = again.decision_function(X[kept])
        # where classes have one mean, all scores are rounding; their unit is a whitened one
        atol = 1e-6 * np.abs(scores).max() + 1e-12
        assert_allclose(model.decision_function(X[kept]), scores, rtol=1e-6, atol=atol)


@pytest.mark.fast
@pytest.mark.parametrize("size", [1e3, 1e6])
@pytest.mark.parametrize(
    "model",
    [LinearDiscriminantAnalysis(), QuadraticDiscriminantAnalysis(store_covariance=True)],
    ids=["linear", "quadratic"],
)
def test_removed_outliers_leave_no_rounding_error(model, size, global_random_seed):
    X, y = draw_table(np.random.default_rng(global_random_seed), n=400)
    X[:20] *= size
    model = sklearn.base.clone(model).fit(X, y)
    for i in range(20):
        model.unlearn(i)
        assert model.unlearning_report_.guarantee.error <= 1e-8
    again = sklearn.base.clone(model).fit(X[20:], y[20:])
    assert_allclose(model.predict_log_proba(X), again.predict_log_proba(X), rtol=1e-8, atol=1e-9)


def test_columns_that_do_not_vary_within_classes():
    X, y = load_digits(return_X_y=True)
    ours = LinearDiscriminantAnalysis().fit(X, y).unlearn(5).unlearn(range(100, 200))
    assert ours.unlearning_report_.n_refitted == 0
    kept = ours.sample_ids_
    namesake = sklearn.discriminant_analysis.LinearDiscriminantAnalysis().fit(X[kept], y[kept])
    assert_allclose(ours.coef_, namesake.coef_, atol=1e-7 * np.abs(namesake.coef_).max())


def test_collinear_columns_are_passed_over_as_in_scikit_learn():
    X, y = load_wine(return_X_y=True)
    X = np.hstack([X, X[:, :1] - X[:, 1:2]])
    ours = LinearDiscriminantAnalysis().fit(X, y).unlearn([5, 60])
    assert ours.unlearning_report_.n_refitted == 3
    kept = ours.sample_ids_
    namesake = sklearn.discriminant_analysis.LinearDiscriminantAnalysis().fit(X[kept], y[kept])
    assert_allclose(ours.decision_function(X), namesake.decision_function(X), rtol=1e-6, atol=1e-6)
    again = LinearDiscriminantAnalysis().fit(X[kept], y[kept])
    assert_array_equal(ours.coef_, again.coef_)


def test_wide_tables():
    X, y = load_digits(return_X_y=True)
    X, y = X[:50], y[:50] % 3
    ours = LinearDiscriminantAnalysis().fit(X, y).unlearn([5, 7])
    namesake = sklearn.discriminant_analysis.LinearDiscriminantAnalysis()
    namesake.fit(np.delete(X, [5, 7], 0), np.delete(y, [5, 7]))
    assert_allclose(ours.decision_function(X), namesake.decision_function(X), rtol=1e-6, atol=1e-6)


@pytest.mark.fast
def test_a_class_that_touches_no_request_is_left_alone(global_random_seed):
    X, y = draw_table(np.random.default_rng(global_random_seed))
    model = QuadraticDiscriminantAnalysis().fit(X, y)
    moments, rotations = model._moments, model.rotations_
    model.unlearn(np.flatnonzero(y == 1)[:3])
    for position in (0, 2):
        assert model._moments[position] is moments[position]
        assert model.rotations_[position] is rotations[position]
    assert not moments[1].scatter.any()
    assert moments[0].scatter.any()


@pytest.mark.fast
def test_classes_vanish_and_priors_must_follow():
    X, y = load_iris(return_X_y=True)
    names = np.array(["setosa", "versicolor", "virginica"])[y]
    for cls in (LinearDiscriminantAnalysis, QuadraticDiscriminantAnalysis):
        model = cls().fit(X, names).unlearn(np.flatnonzero(y == 1))
        assert model.classes_.tolist() == ["setosa", "virginica"]
        assert model.decision_function(X).shape == (150,)
        model = cls(priors=PRIORS).fit(X, y)
        before = pickle.dumps(model)
        with pytest.raises(NotUnlearnableError, match="3 values for 2 classes"):
            model.unlearn(np.flatnonzero(y == 1))
        assert pickle.dumps(model) == before
        with pytest.raises(ValueError, match="Number of priors"):
            cls(priors=[0.5, 0.5]).fit(X, y)


@pytest.mark.fast
def test_what_fit_would_refuse_is_refused():
    X, y = load_iris(return_X_y=True)
    model = LinearDiscriminantAnalysis(n_components=2).fit(X, y)
    with pytest.raises(NotUnlearnableError, match="n_components cannot be larger"):
        model.unlearn(range(50))
    model = LinearDiscriminantAnalysis().fit(X, y)
    with pytest.raises(NotUnlearnableError, match="more than the number of classes"):
        model.unlearn(np.delete(np.arange(150), [1, 60, 120]))
    model = QuadraticDiscriminantAnalysis().fit(X, y)
    with pytest.raises(NotUnlearnableError, match="only 1 sample in class 0"):
        model.unlearn(range(49))
    with pytest.raises(NotUnlearnableError, match="not full rank"):
        model.unlearn(range(47))
    assert model.unlearn(range(40)).priors_[0] == pytest.approx(10 / 110)
    constant = np.where(np.arange(4) == 2, 1.0, X)
    with pytest.raises(LinAlgError, match="Increase the value of `reg_param`"):
        QuadraticDiscriminantAnalysis().fit(constant, y)
    with pytest.raises(LinAlgError, match="Increase the value of `shrinkage`"):
        QuadraticDiscriminantAnalysis(solver="eigen").fit(constant, y)
    with pytest.raises(LinAlgError, match="Use solver='svd'"):
        LinearDiscriminantAnalysis("eigen").fit(constant, y)


@pytest.mark.fast
def test_bad_parameters():
    X, y = load_iris(return_X_y=True)
    for cls in (LinearDiscriminantAnalysis, QuadraticDiscriminantAnalysis):
        with pytest.raises(NotImplementedError, match="shrinkage not supported"):
            cls(shrinkage=0.5).fit(X, y)
        with pytest.raises(ValueError, match="not supported with solver='svd'"):
            cls(covariance_estimator=OAS()).fit(X, y)
        with pytest.raises(ValueError, match="Only one of the two"):
            cls(solver="eigen", shrinkage=0.1, covariance_estimator=OAS()).fit(X, y)
        with pytest.raises(ValueError, match="does not have a covariance_ attribute"):
            cls(solver="eigen", covariance_estimator=StandardScaler()).fit(X, y)
    with pytest.warns(UserWarning, match="Renormalizing"):
        model = LinearDiscriminantAnalysis(priors=[1, 1, 2]).fit(X, y)
    assert model.priors_.tolist() == [0.25, 0.25, 0.5]
    with pytest.raises(ValueError, match="non-negative"):
        LinearDiscriminantAnalysis(priors=[-1, 1, 1]).fit(X, y)
    with pytest.raises(NotImplementedError, match="use 'svd' or 'eigen'"):
        LinearDiscriminantAnalysis("lsqr").fit(X, y).transform(X)
    with pytest.raises(ValueError, match="No column of X varies"):
        LinearDiscriminantAnalysis().fit(y[:, None].astype(float), y)


def test_float32_stays_float32():
    X, y = load_wine(return_X_y=True)
    ours = LinearDiscriminantAnalysis().fit(X.astype(np.float32), y).unlearn(3)
    assert ours.coef_.dtype == ours.transform(X.astype(np.float32)).dtype == np.float32
    again = LinearDiscriminantAnalysis().fit(X, y).unlearn(3)
    assert_allclose(ours.coef_, again.coef_, rtol=1e-3, atol=1e-3)
