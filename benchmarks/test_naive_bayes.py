"""Naive Bayes: requests against refitting the scikit-learn namesake."""

import numpy as np
import sklearn.naive_bayes

from benchmarks.tools import largest_gap, requests, scaled, two_classes
from skunlearn.naive_bayes import CategoricalNB, GaussianNB


def test_gaussian_naive_bayes(race, rng):
    X, y = two_classes(rng)
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


def test_categorical_naive_bayes(race, rng):
    n = scaled(100_000)
    X, y = rng.integers(0, 10, (n, 50)), rng.integers(0, 2, n)
    model, namesake = CategoricalNB().fit(X, y), sklearn.naive_bayes.CategoricalNB()

    def gap():
        namesake.fit(X[model.sample_ids_], y[model.sample_ids_])
        return np.abs(np.array(model.category_count_) - namesake.category_count_).max()

    race(
        f"CategoricalNB {n:,} x 50, 1 row(s)",
        model,
        rng.permutation(n)[:500].tolist(),
        lambda: namesake.fit(X, y),
        mark=100,
        gap=gap,
    )
