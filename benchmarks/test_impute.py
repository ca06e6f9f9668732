"""Imputers: requests against refitting the scikit-learn namesake."""

import numpy as np
import pytest
import sklearn.impute

from benchmarks.tools import largest_gap, requests, scaled
from skunlearn.impute import SimpleImputer


def run(race, rng, X, strategy, mark, label):
    model = SimpleImputer(strategy=strategy).fit(X)
    namesake = sklearn.impute.SimpleImputer(strategy=strategy)
    race(
        f"SimpleImputer ({label}) {len(X):,} x 50, 1 row(s)",
        model,
        requests(rng, len(X), 1, 200),
        lambda: namesake.fit(X),
        mark=mark,
        gap=lambda: largest_gap(model, namesake.fit(X[model.sample_ids_]), ["statistics_"]),
        refits=4,
    )


@pytest.mark.parametrize("strategy", ["mean", "median"])
def test_numbers(race, rng, strategy):
    X = rng.normal(size=(scaled(100_000), 50))
    X[rng.random(X.shape) < 0.1] = np.nan
    run(race, rng, X, strategy, 500, strategy)


def test_most_frequent(race, rng):
    X = rng.integers(0, 20, size=(scaled(100_000), 50)).astype(float)
    run(race, rng, X, "most_frequent", 50, "mode")
