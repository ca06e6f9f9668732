"""Generalised linear models: requests against refitting the scikit-learn namesake."""

import numpy as np
import pytest
import sklearn.linear_model
import sklearn.pipeline
import sklearn.preprocessing
from sklearn.datasets import make_classification

from benchmarks.tools import scaled
from skunlearn.linear_model import HuberRegressor, LogisticRegression
from skunlearn.pipeline import make_pipeline
from skunlearn.preprocessing import StandardScaler


@pytest.fixture(scope="module")
def table():
    n = scaled(100_000)
    X, y = make_classification(n, 50, n_informative=20, random_state=0)
    return X / np.linalg.norm(X, axis=1).max(), y


def against(race, table, task, unlearning, refit, requests, mark):
    X, y = table
    C = 1.0 / (1e-4 * len(X))
    model = LogisticRegression(C=C, unlearning=unlearning).fit(X, y)
    namesake = sklearn.linear_model.LogisticRegression(C=C, **refit)

    def gap():
        kept = model.sample_ids_
        exact = sklearn.linear_model.LogisticRegression(
            C=C, solver="newton-cholesky", tol=1e-13, max_iter=1000
        ).fit(X[kept], y[kept])
        return np.abs(model.coef_ - exact.coef_).max() / np.abs(exact.coef_).max()

    race(task, model, requests, lambda: namesake.fit(X, y), mark=mark, gap=gap)


def test_without_a_pass(race, table, rng):
    rows = rng.permutation(len(table[1]))[:200].tolist()
    against(race, table, "Logistic, no pass, 1 row(s); default refit", "newton", {}, rows, 1000)


def test_certified_against_a_warm_refit(race, table, rng):
    rows = rng.permutation(len(table[1]))[:90].tolist()
    refit = {"solver": "newton-cholesky", "tol": 1e-10, "warm_start": True}
    against(race, table, "Logistic, certified; warm newton refit", "bounded", refit, rows, 20)


def test_polished_against_a_refit_at_equal_accuracy(race, table, rng):
    rows = rng.permutation(len(table[1]))[:90].tolist()
    refit = {"solver": "newton-cholesky", "tol": 1e-10}
    against(race, table, "Logistic, polished; refit to 1e-10", "polished", refit, rows, 40)


def test_one_percent(race, table, rng):
    batches = np.split(rng.permutation(len(table[1]))[: 10 * (len(table[1]) // 100)], 10)
    refit = {"solver": "newton-cholesky", "tol": 1e-10}
    task = "Logistic, bounded, 1 %; refit to 1e-10"
    against(race, table, task, "bounded", refit, batches, 33)


def test_behind_a_scaler(race, table, rng):
    X, y = table
    rows = rng.permutation(len(y))[:60].tolist()
    pipe = make_pipeline(StandardScaler(), LogisticRegression()).fit(X, y)

    def refit(kept=slice(None)):
        exact = sklearn.linear_model.LogisticRegression(solver="newton-cholesky", tol=1e-12)
        scaler = sklearn.preprocessing.StandardScaler()
        return sklearn.pipeline.make_pipeline(scaler, exact).fit(X[kept], y[kept])

    def gap():
        exact = refit(pipe.sample_ids_)[-1].coef_
        return np.abs(pipe[-1].coef_ - exact).max() / np.abs(exact).max()

    race("StandardScaler + Logistic; refit to 1e-12", pipe, rows, refit, mark=25, gap=gap)


@pytest.mark.parametrize(("size", "count"), [(1, 45), (1000, 18)])
def test_huber(race, rng, size, count):
    n = scaled(100_000)
    X = rng.normal(size=(n, 50))
    y = X @ rng.normal(size=50) + rng.standard_t(2, size=n)
    model, namesake = HuberRegressor().fit(X, y), sklearn.linear_model.HuberRegressor()

    def gap():
        namesake.fit(X[model.sample_ids_], y[model.sample_ids_])
        return np.abs(model.coef_ - namesake.coef_).max() / np.abs(namesake.coef_).max()

    ids = rng.permutation(n)[: size * count]
    race(
        f"Huber {n:,} x 50, {size:,} row(s); default refit",
        model,
        ids.tolist() if size == 1 else np.split(ids, count),
        lambda: namesake.fit(X, y),
        mark=3,
        gap=gap,
        refits=5,
    )
