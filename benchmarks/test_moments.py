"""Learners that rest on moments: requests against refitting the scikit-learn namesake."""

import numpy as np
import pytest
import sklearn.linear_model
import sklearn.naive_bayes
import sklearn.pipeline
import sklearn.preprocessing

from benchmarks.tools import scaled
from skunlearn.linear_model import LinearRegression, Ridge
from skunlearn.naive_bayes import GaussianNB
from skunlearn.pipeline import make_pipeline
from skunlearn.preprocessing import StandardScaler


def requests(rng, n_samples, size, count):
    ids = rng.permutation(n_samples)[: size * count]
    return ids.tolist() if size == 1 else np.split(ids, count)


def largest_gap(left, right, names):
    pairs = [(getattr(left, name), getattr(right, name)) for name in names]
    return max(np.abs(a - b).max() / np.abs(b).max() for a, b in pairs)


@pytest.fixture(scope="module")
def table(rng):
    n, d = scaled(100_000), 50
    X = rng.normal(size=(n, d)) @ rng.normal(size=(d, d)) / 7 + rng.normal(size=d)
    return X, X @ rng.normal(size=d) + rng.normal(size=n)


@pytest.mark.parametrize(("size", "count", "mark"), [(1, 900, 1000), (1000, 18, 250)])
def test_ridge(race, rng, table, size, count, mark):
    X, y = table
    model, namesake = Ridge().fit(X, y), sklearn.linear_model.Ridge()
    race(
        f"Ridge {len(X):,} x 50, {size:,} row(s)",
        model,
        requests(rng, len(X), size, count),
        lambda: namesake.fit(X, y),
        mark=mark,
        gap=lambda: largest_gap(
            model, namesake.fit(X[model.sample_ids_], y[model.sample_ids_]), ["coef_"]
        ),
    )


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
    X, y = table
    model, namesake = LinearRegression().fit(X, y), sklearn.linear_model.LinearRegression()
    race(
        f"LinearRegression {len(X):,} x 50, {size:,} row(s)",
        model,
        requests(rng, len(X), size, count),
        lambda: namesake.fit(X, y),
        mark=mark,
        gap=lambda: largest_gap(
            model, namesake.fit(X[model.sample_ids_], y[model.sample_ids_]), ["coef_"]
        ),
    )


def test_standard_scaler(race, rng, table):
    X, _ = table
    model, namesake = StandardScaler().fit(X), sklearn.preprocessing.StandardScaler()
    race(
        f"StandardScaler {len(X):,} x 50, 1 row(s)",
        model,
        requests(rng, len(X), 1, 900),
        lambda: namesake.fit(X),
        mark=2000,
        gap=lambda: largest_gap(model, namesake.fit(X[model.sample_ids_]), ["mean_", "var_"]),
    )


def test_standard_scaler_against_negative_weights(race, rng, table):
    X, _ = table
    model, namesake = StandardScaler().fit(X), sklearn.preprocessing.StandardScaler().fit(X)
    minus = np.array([-1.0])
    ids = iter(rng.permutation(len(X)))
    race(
        "  the same against partial_fit(weight -1)",
        model,
        requests(rng, len(X), 1, 900),
        lambda: namesake.partial_fit(X[[next(ids)]], sample_weight=minus),
        mark=10,
        gap=lambda: largest_gap(
            model,
            sklearn.preprocessing.StandardScaler().fit(X[model.sample_ids_]),
            ["mean_", "var_"],
        ),
        refits=100,
    )


def test_gaussian_naive_bayes(race, rng, table):
    X, y = table
    y = (y > np.median(y)).astype(int)
    model, namesake = GaussianNB().fit(X, y), sklearn.naive_bayes.GaussianNB()
    race(
        f"GaussianNB {len(X):,} x 50, 1 row(s)",
        model,
        requests(rng, len(X), 1, 900),
        lambda: namesake.fit(X, y),
        mark=2000,
        gap=lambda: largest_gap(
            model, namesake.fit(X[model.sample_ids_], y[model.sample_ids_]), ["theta_", "var_"]
        ),
    )


@pytest.mark.parametrize(("size", "count", "mark"), [(1, 900, 800), (1000, 18, 200)])
def test_standard_scaler_and_ridge(race, rng, table, size, count, mark):
    X, y = table
    model = make_pipeline(StandardScaler(), Ridge()).fit(X, y)
    namesake = sklearn.pipeline.make_pipeline(
        sklearn.preprocessing.StandardScaler(), sklearn.linear_model.Ridge()
    )

    def gap():
        namesake.fit(X[model.sample_ids_], y[model.sample_ids_])
        return largest_gap(model[-1], namesake[-1], ["coef_"])

    race(
        f"StandardScaler + Ridge {len(X):,} x 50, {size:,} row(s)",
        model,
        requests(rng, len(X), size, count),
        lambda: namesake.fit(X, y),
        mark=mark,
        gap=gap,
    )
