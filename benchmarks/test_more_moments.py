"""What rests on moments, one set or one per class, against refitting the namesakes."""

import numpy as np
import pytest
import sklearn.base
import sklearn.decomposition
import sklearn.discriminant_analysis
import sklearn.linear_model

from benchmarks.tools import scaled
from skunlearn.decomposition import PCA
from skunlearn.discriminant_analysis import (
    LinearDiscriminantAnalysis,
    QuadraticDiscriminantAnalysis,
)
from skunlearn.linear_model import ElasticNet, Lasso, RidgeClassifier, RidgeCV

SIZES = [(1, 450), (1000, 18)]


@pytest.fixture(scope="module")
def table(rng):
    n, d = scaled(100_000), 50
    y = rng.integers(0, 2, n)
    X = rng.normal(size=(n, d)) @ rng.normal(size=(d, d)) / 7 + rng.normal(size=(2, d))[y]
    return X, y


def requests(rng, n_samples, size, count):
    ids = rng.permutation(n_samples)[: size * count]
    return ids.tolist() if size == 1 else np.split(ids, count)


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


def score_gap(X):
    def gap(ours, namesake):
        scores = namesake.decision_function(X)
        return np.abs(ours.decision_function(X) - scores).max() / np.abs(scores).max()

    return gap


@pytest.mark.parametrize(("size", "count", "mark"), [(*SIZES[0], 1000), (*SIZES[1], 150)])
def test_linear_discriminant_analysis(race, rng, table, size, count, mark):
    model = LinearDiscriminantAnalysis()
    namesake = sklearn.discriminant_analysis.LinearDiscriminantAnalysis()
    run(race, rng, table, model, namesake, size, count, mark, score_gap(table[0][:1000]))


@pytest.mark.parametrize(("size", "count", "mark"), [(*SIZES[0], 800), (*SIZES[1], 100)])
def test_quadratic_discriminant_analysis(race, rng, table, size, count, mark):
    model = QuadraticDiscriminantAnalysis()
    namesake = sklearn.discriminant_analysis.QuadraticDiscriminantAnalysis()
    run(race, rng, table, model, namesake, size, count, mark, score_gap(table[0][:1000]))


@pytest.mark.parametrize(("size", "count", "mark"), [(*SIZES[0], 80), (*SIZES[1], 10)])
def test_pca(race, rng, table, size, count, mark):
    def gap(ours, namesake):
        return np.abs(ours.components_ - namesake.components_).max()

    run(race, rng, table, PCA(10), sklearn.decomposition.PCA(10), size, count, mark, gap)


@pytest.mark.parametrize(("size", "count", "mark"), [(*SIZES[0], 800), (*SIZES[1], 50)])
def test_ridge_classifier(race, rng, table, size, count, mark):
    model = RidgeClassifier(class_weight="balanced")
    namesake = sklearn.linear_model.RidgeClassifier(class_weight="balanced")
    run(race, rng, table, model, namesake, size, count, mark, score_gap(table[0][:1000]))


@pytest.mark.parametrize(("cv", "mark"), [(None, 2), (5, 8)])
def test_ridge_cv(race, rng, table, cv, mark):
    X = table[0]
    y = X @ rng.normal(size=50) + rng.normal(size=len(X))

    def gap(ours, namesake):
        return np.abs(ours.coef_ - namesake.coef_).max() / np.abs(namesake.coef_).max()

    namesake = sklearn.linear_model.RidgeCV(cv=cv)
    run(race, rng, (X, y), RidgeCV(cv=cv), namesake, 1, 20, mark, gap)


@pytest.mark.parametrize("model", [Lasso(0.05), ElasticNet(0.05)])
@pytest.mark.parametrize(("size", "count", "mark"), [(*SIZES[0], 300), (*SIZES[1], 50)])
def test_elastic_net(race, rng, table, model, size, count, mark):
    X = table[0]
    truth = rng.normal(size=50) * (rng.random(50) < 0.4)
    y = X @ truth + rng.normal(size=len(X))

    def gap(ours, namesake):
        kept = ours.sample_ids_
        exact = sklearn.base.clone(namesake).set_params(tol=1e-10, precompute=True)
        exact.fit(X[kept], y[kept])
        return np.abs(ours.coef_ - exact.coef_).max() / np.abs(exact.coef_).max()

    namesake = getattr(sklearn.linear_model, type(model).__name__)(model.alpha)
    run(race, rng, (X, y), model, namesake, size, count, mark, gap)
