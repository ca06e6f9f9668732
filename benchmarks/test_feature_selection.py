"""Selectors: requests, fit and transform against those of the scikit-learn namesake."""

import numpy as np
import pytest
import sklearn.feature_selection

from benchmarks.tools import largest_gap, note_ratios, scaled
from skunlearn.feature_selection import (
    SelectKBest,
    VarianceThreshold,
    chi2,
    f_classif,
    f_regression,
)


@pytest.fixture(scope="module")
def table(rng):
    n, d = scaled(100_000), 50
    y = rng.integers(0, 3, n)
    X = rng.normal(size=(n, d)) + np.outer(y, np.linspace(0.0, 0.1, d)) + rng.normal(size=d)
    return X, y


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
        gap=lambda: largest_gap(model, namesake.fit(X[model.sample_ids_]), ["variances_"]),
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
        return largest_gap(model, namesake.fit(X[kept], y[kept]), ["scores_"])

    race(
        f"{task}, 1 row",
        model.fit(X, y),
        rng.permutation(len(X))[:900].tolist(),
        lambda: namesake.fit(X, y),
        mark=100,
        gap=gap,
    )
