"""Selectors, power transforms and texts: requests, fit and transform against scikit-learn's."""

import numpy as np
import pytest
import sklearn.feature_extraction.text
import sklearn.feature_selection
import sklearn.preprocessing

from benchmarks.tools import scaled, seconds
from skunlearn.feature_extraction.text import CountVectorizer, TfidfTransformer, TfidfVectorizer
from skunlearn.feature_selection import (
    SelectKBest,
    VarianceThreshold,
    chi2,
    f_classif,
    f_regression,
)
from skunlearn.preprocessing import PowerTransformer


def worst_gap(ours, namesake, name):
    a, b = np.asarray(getattr(ours, name)), np.asarray(getattr(namesake, name))
    return float(np.abs(a - b).max() / np.abs(b).max())


def note_ratios(note, task, ours, namesake, X, y=None, *, times=3):
    """Say how long `fit` and `transform` take as a part of scikit-learn's."""
    ours.fit(X, y)
    fit, refit = (
        min(seconds(lambda m=m: m.fit(X, y)) for _ in range(times)) for m in (ours, namesake)
    )
    mine, namesake = (
        min(seconds(lambda m=m: m.transform(X)) for _ in range(times)) for m in (ours, namesake)
    )
    note(f"{task}: fit {fit / refit:.2f}x, transform {mine / namesake:.2f}x of scikit-learn's time")


@pytest.fixture(scope="module")
def table(rng):
    n, d = scaled(100_000), 50
    y = rng.integers(0, 3, n)
    X = rng.normal(size=(n, d)) + np.outer(y, np.linspace(0.0, 0.1, d)) + rng.normal(size=d)
    return X, y


@pytest.fixture(scope="module")
def texts(rng):
    """Write documents of which a few words make up most, as in natural language."""
    words = np.array([f"word{i:x}" for i in range(200_000)])
    return [
        " ".join(words[np.minimum(rng.zipf(1.3, size=size), words.size) - 1])
        for size in rng.integers(20, 300, scaled(8_000))
    ]


@pytest.mark.parametrize("threshold", [0.0, 0.5])
def test_variance_threshold(race, note, rng, table, threshold):
    X, _ = table
    model = VarianceThreshold(threshold)
    namesake = sklearn.feature_selection.VarianceThreshold(threshold)
    task = f"VarianceThreshold({threshold}) {len(X):,} x 50"
    note_ratios(note, task, model, namesake, X)
    race(
        f"{task}, 1 row",
        model.fit(X),
        rng.permutation(len(X))[:900].tolist(),
        lambda: namesake.fit(X),
        mark=100,
        gap=lambda: worst_gap(model, namesake.fit(X[model.sample_ids_]), "variances_"),
    )


@pytest.mark.parametrize("function", [f_classif, f_regression, chi2])
def test_select_k_best(race, note, rng, table, function):
    X, y = table
    X = np.floor(np.abs(X)) if function is chi2 else X
    model = SelectKBest(function)
    namesake = sklearn.feature_selection.SelectKBest(function)
    task = f"SelectKBest({function.__name__}) {len(X):,} x 50"
    note_ratios(note, task, model, namesake, X, y)

    def gap():
        kept = model.sample_ids_
        return worst_gap(model, namesake.fit(X[kept], y[kept]), "scores_")

    race(
        f"{task}, 1 row",
        model.fit(X, y),
        rng.permutation(len(X))[:900].tolist(),
        lambda: namesake.fit(X, y),
        mark=100,
        gap=gap,
    )


@pytest.mark.parametrize("method", ["yeo-johnson", "box-cox"])
def test_power_transformer(race, note, rng, method):
    X = rng.gamma(2.0, size=(scaled(10_000), 50))
    model = PowerTransformer(method)
    namesake = sklearn.preprocessing.PowerTransformer(method=method)
    task = f"PowerTransformer({method}) {len(X):,} x 50"
    note_ratios(note, task, model, namesake, X, times=1)
    race(
        f"{task}, 1 row",
        model.fit(X),
        rng.permutation(len(X))[:10].tolist(),
        lambda: namesake.fit(X),
        mark=5,
        gap=lambda: worst_gap(model, namesake.fit(X[model.sample_ids_]), "lambdas_"),
        refits=2,
    )


@pytest.mark.parametrize("name", ["CountVectorizer", "TfidfVectorizer"])
@pytest.mark.parametrize("min_df", [1, 5])
def test_vectorizers(race, note, rng, texts, name, min_df):
    model = {"CountVectorizer": CountVectorizer, "TfidfVectorizer": TfidfVectorizer}[name](
        min_df=min_df
    )
    namesake = getattr(sklearn.feature_extraction.text, name)(min_df=min_df)
    task = f"{name}(min_df={min_df}) {len(texts):,}"
    note_ratios(note, task, model, namesake, texts, times=2)

    def gap():
        namesake.fit([texts[i] for i in model.sample_ids_])
        return 0.0 if namesake.vocabulary_ == model.vocabulary_ else np.inf

    race(
        f"{task}, 1 document",
        model.fit(texts),
        rng.permutation(len(texts))[:100].tolist(),
        lambda: namesake.fit(texts),
        mark=20,
        gap=gap,
        refits=3,
    )


def test_tfidf_transformer(race, note, rng, texts):
    counts = sklearn.feature_extraction.text.CountVectorizer().fit_transform(texts)
    model = TfidfTransformer()
    namesake = sklearn.feature_extraction.text.TfidfTransformer()
    task = f"TfidfTransformer {len(texts):,}"
    note_ratios(note, task, model, namesake, counts)
    race(
        f"{task}, 1 document",
        model.fit(counts),
        rng.permutation(len(texts))[:400].tolist(),
        lambda: namesake.fit(counts),
        mark=5,
        gap=lambda: worst_gap(model, namesake.fit(counts[model.sample_ids_]), "idf_"),
    )
