"""Discriminant analysis: requests against refitting the scikit-learn namesake."""

import numpy as np
import pytest
import sklearn.discriminant_analysis

from benchmarks.tools import requests, two_classes
from skunlearn import discriminant_analysis


@pytest.fixture(scope="module")
def table(rng):
    return two_classes(rng)


@pytest.mark.parametrize(
    ("name", "size", "count", "mark"),
    [
        ("LinearDiscriminantAnalysis", 1, 450, 1000),
        ("LinearDiscriminantAnalysis", 1000, 18, 150),
        ("QuadraticDiscriminantAnalysis", 1, 450, 800),
        ("QuadraticDiscriminantAnalysis", 1000, 18, 100),
    ],
)
def test_requests(race, rng, table, name, size, count, mark):
    X, y = table
    model = getattr(discriminant_analysis, name)().fit(X, y)
    namesake = getattr(sklearn.discriminant_analysis, name)()

    def gap():
        namesake.fit(X[model.sample_ids_], y[model.sample_ids_])
        scores = namesake.decision_function(X[:1000])
        return np.abs(model.decision_function(X[:1000]) - scores).max() / np.abs(scores).max()

    race(
        f"{name} {len(X):,} x 50, {size:,} row(s)",
        model,
        requests(rng, len(X), size, count),
        lambda: namesake.fit(X, y),
        mark=mark,
        gap=gap,
    )
