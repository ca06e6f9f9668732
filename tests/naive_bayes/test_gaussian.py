"""GaussianNB: the law to 1e-10, whatever is deleted."""

import numpy as np
import pytest
import sklearn.naive_bayes
from hypothesis import given
from hypothesis import strategies as st
from sklearn.datasets import load_digits, load_wine

from skunlearn.naive_bayes import GaussianNB

TOLERANCE = 1e-10


def assert_within_tolerance(model, again):
    np.testing.assert_array_equal(model.classes_, again.classes_)
    for name in ("var_", "class_count_", "class_prior_", "epsilon_"):
        np.testing.assert_allclose(
            getattr(model, name), getattr(again, name), rtol=TOLERANCE, err_msg=name
        )
    size = np.maximum(np.abs(again.theta_), np.sqrt(again.var_))
    assert (np.abs(model.theta_ - again.theta_) <= TOLERANCE * size).all()


@pytest.mark.fast
@given(data=st.data())
def test_law(data):
    rng = np.random.default_rng(data.draw(st.integers(0, 2**32 - 1)))
    n_samples, n_features = data.draw(st.integers(3, 40)), data.draw(st.integers(1, 4))
    X = rng.normal(size=(n_samples, n_features)) * 10.0 ** rng.integers(-4, 5, n_features)
    X += rng.normal(size=n_features)
    X[rng.random(n_samples) < 0.1] *= data.draw(st.sampled_from([1.0, 1e3, 1e6]))
    if data.draw(st.booleans()):
        X = np.round(X)
    y = rng.integers(0, data.draw(st.integers(1, 4)), n_samples)
    ids = rng.integers(0, n_samples, n_samples)
    weight = None
    if data.draw(st.booleans()):
        weight = rng.exponential(size=n_samples) * 10.0 ** rng.integers(-6, 7, n_samples)
    order = rng.permutation(np.unique(ids))[:-1]
    requests = np.array_split(order[: rng.integers(0, order.size + 1)], 3)
    model = GaussianNB(var_smoothing=data.draw(st.sampled_from([1e-9, 1e-3, 0.0])))
    model.fit(X, y, weight, sample_ids=ids)
    for request in requests:
        model.unlearn(request)
    kept = ~np.isin(ids, np.concatenate(requests))
    again = GaussianNB(var_smoothing=model.var_smoothing).fit(
        X[kept], y[kept], None if weight is None else weight[kept]
    )
    assert_within_tolerance(model, again)


@pytest.mark.fast
@pytest.mark.parametrize("weighted", [False, True])
def test_huge_outliers_leave_no_error(global_random_seed, weighted):
    rng = np.random.default_rng(global_random_seed)
    X, y = rng.normal(size=(400, 5)), rng.integers(0, 3, 400)
    weight = rng.exponential(size=400) if weighted else None
    outliers = rng.choice(400, size=15, replace=False)
    X[outliers] *= 1e6
    kept = np.delete(np.arange(400), outliers)
    again = sklearn.naive_bayes.GaussianNB()
    again.fit(X[kept], y[kept], None if weight is None else weight[kept])
    at_once = GaussianNB().fit(X, y, weight).unlearn(outliers)
    assert at_once.unlearning_report_.n_refitted == 4
    assert at_once.unlearning_report_.n_parts == 4
    assert_within_tolerance(at_once, again)
    one_by_one = GaussianNB().fit(X, y, weight)
    for row in outliers:
        one_by_one.unlearn(row)
    assert_within_tolerance(one_by_one, again)


def test_only_the_class_that_had_the_outlier_is_computed_anew(global_random_seed):
    rng = np.random.default_rng(global_random_seed)
    X, y = rng.normal(size=(300, 5)), np.arange(300) % 3
    X[:, 0] *= 1e6
    X[4, 1] = 1e4
    model = GaussianNB(var_smoothing=0.0).fit(X, y).unlearn(4)
    assert model.unlearning_report_.n_refitted == 1
    assert model.unlearning_report_.guarantee.error <= TOLERANCE
    assert_within_tolerance(
        model, GaussianNB(var_smoothing=0.0).fit(np.delete(X, 4, 0), np.delete(y, 4))
    )


def test_many_single_requests(global_random_seed):
    X, y = load_wine(return_X_y=True)
    rng = np.random.default_rng(global_random_seed)
    X, y = np.repeat(X, 10, axis=0) + rng.normal(size=(len(X) * 10, 1)), np.repeat(y, 10)
    rows = rng.choice(len(y), size=1500, replace=False)
    model = GaussianNB().fit(X, y)
    n_refitted = 0
    for row in rows:
        n_refitted += model.unlearn(row).unlearning_report_.n_refitted
    assert n_refitted < 20
    kept = np.delete(np.arange(len(y)), rows)
    again = sklearn.naive_bayes.GaussianNB().fit(X[kept], y[kept])
    assert_within_tolerance(model, again)
    np.testing.assert_allclose(model.predict_proba(X), again.predict_proba(X), rtol=1e-6, atol=1e-9)


@pytest.mark.parametrize("offset", [1e4, 1e8])
def test_columns_far_from_zero(global_random_seed, offset):
    rng = np.random.default_rng(global_random_seed)
    X, y = rng.normal(size=(2000, 3)) + offset, np.arange(2000) % 2
    rows = rng.permutation(2000)[:1900]
    model = GaussianNB(var_smoothing=0.0).fit(X, y)
    for row in rows:
        model.unlearn(row)
    kept = np.delete(np.arange(2000), rows)
    assert_within_tolerance(model, GaussianNB(var_smoothing=0.0).fit(X[kept], y[kept]))


def test_columns_that_become_constant():
    X, y = load_digits(return_X_y=True)
    model = GaussianNB().fit(X, y)
    rows = np.flatnonzero(X[:, 8] > 0)
    for row in rows:
        model.unlearn(row)
    kept = np.delete(np.arange(len(y)), rows)
    assert_within_tolerance(model, sklearn.naive_bayes.GaussianNB().fit(X[kept], y[kept]))


def test_float32_rows_give_float64_attributes():
    X, y = load_wine(return_X_y=True)
    X = X.astype(np.float32)
    model, namesake = GaussianNB().fit(X, y), sklearn.naive_bayes.GaussianNB().fit(X, y)
    assert model._samples.X.dtype == np.float32
    assert model.theta_.dtype == model.var_.dtype == np.float64
    np.testing.assert_allclose(model.theta_, namesake.theta_, rtol=1e-5)
    np.testing.assert_allclose(model.var_, namesake.var_, rtol=1e-4)
    model.unlearn(range(0, 178, 3))
    kept = np.arange(178) % 3 > 0
    assert_within_tolerance(model, GaussianNB().fit(X[kept], y[kept]))


@pytest.mark.fast
def test_bad_priors_and_weights():
    X, y = [[0.0], [1.0], [2.0]], [0, 1, 1]
    with pytest.raises(ValueError, match="sum of the priors should be 1"):
        GaussianNB(priors=[0.5, 0.6]).fit(X, y)
    with pytest.raises(ValueError, match="non-negative"):
        GaussianNB(priors=[1.5, -0.5]).fit(X, y)
    with pytest.raises(ValueError, match="Negative values"):
        GaussianNB().fit(X, y, [1.0, -1.0, 1.0])
    model = GaussianNB(priors=np.array([1.0, 0.0])).fit(X, y)
    assert model.predict(X).tolist() == [0, 0, 0]
