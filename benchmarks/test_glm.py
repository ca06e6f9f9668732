"""Generalised linear models: requests against refitting the scikit-learn namesake."""

import numpy as np
import pytest
import sklearn.linear_model
import sklearn.pipeline
import sklearn.preprocessing
from sklearn.datasets import make_classification

from benchmarks.tools import scaled, seconds
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


def wide_rows(n_features, n_classes):
    """Make rows of unit length, as embeddings are, around a center for each class."""
    rng = np.random.default_rng(0)
    n = scaled(5000)
    centers = rng.normal(size=(n_classes, n_features))
    y = np.arange(n) % n_classes
    X = 0.25 * centers[y] + rng.normal(size=(n, n_features))
    return X / np.linalg.norm(X, axis=1, keepdims=True), y


@pytest.mark.parametrize(("n_features", "n_classes"), [(384, 8), (768, 20)])
@pytest.mark.parametrize("unlearning", ["polished", "bounded"])
@pytest.mark.parametrize("percent", [0, 1])
def test_wide_multinomial(race, rng, n_features, n_classes, unlearning, percent):
    X, y = wide_rows(n_features, n_classes)
    model = LogisticRegression(C=10.0, unlearning=unlearning)
    model.fit(X, y, sample_ids="row numbers")
    namesake = sklearn.linear_model.LogisticRegression(C=10.0, tol=1e-6, max_iter=10_000)

    def gap():
        kept = model.sample_ids_
        exact = sklearn.linear_model.LogisticRegression(C=10.0, tol=1e-10, max_iter=10_000)
        exact.fit(X[kept], y[kept])
        return np.abs(model.coef_ - exact.coef_).max() / np.abs(exact.coef_).max()

    rows = rng.permutation(len(y))
    size = len(y) // 100
    batches = rows[:9].tolist() if percent == 0 else np.split(rows[: 9 * size], 9)
    many = f"{percent} %" if percent else "1 row(s)"
    task = f"Softmax {n_features} x {n_classes}, {unlearning}, {many}; refit to 1e-6"
    race(task, model, batches, lambda: namesake.fit(X, y), mark=5, gap=gap, refits=3)


@pytest.mark.parametrize(("n_features", "n_classes"), [(384, 8), (768, 20)])
def test_fit_of_wide_multinomial(note, n_features, n_classes):
    X, y = wide_rows(n_features, n_classes)
    ours = LogisticRegression(C=10.0)
    times = {}
    for _ in range(3):
        for name, model in (
            ("ours", ours),
            ("scikit-learn to 1e-6", sklearn.linear_model.LogisticRegression(C=10.0, tol=1e-6)),
            ("scikit-learn to 1e-10", sklearn.linear_model.LogisticRegression(C=10.0, tol=1e-10)),
        ):
            model.set_params(max_iter=10_000)
            times.setdefault(name, []).append(seconds(lambda m=model: m.fit(X, y)))
            gap = np.abs(model.coef_ - ours.coef_).max() / np.abs(ours.coef_).max()
            times[name, "gap"] = gap
    each = (
        f"{name} {np.median(times[name]):.2f} s (rel. diff {times[name, 'gap']:.0e})"
        for name in ("ours", "scikit-learn to 1e-6", "scikit-learn to 1e-10")
    )
    note(f"Softmax {n_features} x {n_classes}, fit: " + ", ".join(each))


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
