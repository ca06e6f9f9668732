"""Least squares with every penalty: requests against refitting the scikit-learn namesake."""

import pytest
import sklearn.base
import sklearn.linear_model

from benchmarks.tools import correlated, largest_gap, requests, scaled, two_classes
from skunlearn.linear_model import (
    ElasticNet,
    Lasso,
    LinearRegression,
    Ridge,
    RidgeClassifier,
    RidgeCV,
)


@pytest.fixture(scope="module")
def table(rng):
    X = correlated(rng) + rng.normal(size=50)
    return X, X @ rng.normal(size=50) + rng.normal(size=len(X))


def run(race, rng, table, model, namesake, size, count, mark, gap):
    X, y = table
    model.fit(X, y)
    race(
        f"{type(model).__name__} {len(X):,} x 50, {size:,} row(s)",
        model,
        requests(rng, len(X), size, count),
        lambda: namesake.fit(X, y),
        mark=mark,
        gap=lambda: gap(model, namesake.fit(X[model.sample_ids_], y[model.sample_ids_])),
    )


def coef_gap(ours, namesake):
    return largest_gap(ours, namesake, ["coef_"])


@pytest.mark.parametrize(("size", "count", "mark"), [(1, 900, 1000), (1000, 18, 250)])
def test_ridge(race, rng, table, size, count, mark):
    run(race, rng, table, Ridge(), sklearn.linear_model.Ridge(), size, count, mark, coef_gap)


def test_ridge_many_columns(race, rng):
    n = scaled(20_000)
    X = rng.normal(size=(n, 500))
    y = X @ rng.normal(size=500) + rng.normal(size=n)
    model, namesake = Ridge().fit(X, y), sklearn.linear_model.Ridge()
    race(
        f"Ridge {n:,} x 500, 1 row(s)",
        model,
        requests(rng, n, 1, 90),
        lambda: namesake.fit(X, y),
        mark=30,
        gap=lambda: largest_gap(
            model, namesake.fit(X[model.sample_ids_], y[model.sample_ids_]), ["coef_"]
        ),
    )


@pytest.mark.parametrize(("size", "count", "mark"), [(1, 900, 1000), (1000, 18, 250)])
def test_linear_regression(race, rng, table, size, count, mark):
    namesake = sklearn.linear_model.LinearRegression()
    run(race, rng, table, LinearRegression(), namesake, size, count, mark, coef_gap)


@pytest.mark.parametrize(("cv", "mark"), [(None, 2), (5, 8)])
def test_ridge_cv(race, rng, table, cv, mark):
    namesake = sklearn.linear_model.RidgeCV(cv=cv)
    run(race, rng, table, RidgeCV(cv=cv), namesake, 1, 20, mark, coef_gap)


@pytest.mark.parametrize(("size", "count", "mark"), [(1, 450, 800), (1000, 18, 50)])
def test_ridge_classifier(race, rng, size, count, mark):
    X, y = two_classes(rng)
    model = RidgeClassifier(class_weight="balanced")
    namesake = sklearn.linear_model.RidgeClassifier(class_weight="balanced")
    run(race, rng, (X, y), model, namesake, size, count, mark, coef_gap)


@pytest.mark.parametrize("model", [Lasso(0.05), ElasticNet(0.05)])
@pytest.mark.parametrize(("size", "count", "mark"), [(1, 450, 300), (1000, 18, 50)])
def test_elastic_net(race, rng, table, model, size, count, mark):
    X = table[0]
    truth = rng.normal(size=50) * (rng.random(50) < 0.4)
    y = X @ truth + rng.normal(size=len(X))

    def gap(ours, namesake):
        kept = ours.sample_ids_
        exact = sklearn.base.clone(namesake).set_params(tol=1e-10, precompute=True)
        return coef_gap(ours, exact.fit(X[kept], y[kept]))

    namesake = getattr(sklearn.linear_model, type(model).__name__)(model.alpha)
    run(race, rng, (X, y), model, namesake, size, count, mark, gap)
