"""Neighbours: requests against refitting the scikit-learn namesake."""

from types import SimpleNamespace

import numpy as np
import pytest
import sklearn.neighbors

from benchmarks.tools import scaled
from skunlearn.neighbors import KNeighborsClassifier, NearestCentroid


@pytest.mark.parametrize("algorithm", ["brute", "kd_tree"])
def test_k_neighbors_and_a_query(race, rng, algorithm):
    n = scaled(20_000)
    X = rng.normal(size=(n, 10))
    y = rng.integers(0, 2, n)
    model = KNeighborsClassifier(algorithm=algorithm).fit(X, y)
    namesake = sklearn.neighbors.KNeighborsClassifier(algorithm=algorithm)
    race(
        f"KNeighbors {n:,} x 10, {algorithm}, and a query",
        SimpleNamespace(unlearn=lambda i: model.unlearn(i).predict(X[:1])),
        rng.permutation(n)[:60].tolist(),
        lambda: namesake.fit(X, y).predict(X[:1]),
        mark=0.5,
        gap=lambda: np.mean(
            model.predict(X[:500])
            != namesake.fit(X[model.sample_ids_], y[model.sample_ids_]).predict(X[:500])
        ),
    )


def test_nearest_centroid(race, rng):
    n = scaled(100_000)
    y = rng.integers(0, 3, n)
    X = rng.normal(size=(n, 50)) + y[:, np.newaxis]
    model, namesake = NearestCentroid().fit(X, y), sklearn.neighbors.NearestCentroid()

    def gap():
        namesake.fit(X[model.sample_ids_], y[model.sample_ids_])
        return np.abs(model.centroids_ - namesake.centroids_).max()

    race(
        f"NearestCentroid {n:,} x 50, 1 row(s)",
        model,
        rng.permutation(n)[:900].tolist(),
        lambda: namesake.fit(X, y),
        mark=500,
        gap=gap,
    )
