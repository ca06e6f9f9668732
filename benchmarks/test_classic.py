"""Neighbours, clusters and counts: requests against refitting the scikit-learn namesake."""

from types import SimpleNamespace

import numpy as np
import pytest
import sklearn.cluster
import sklearn.naive_bayes
import sklearn.neighbors
from sklearn.datasets import make_blobs

from benchmarks.tools import scaled
from skunlearn.cluster import QuantizedKMeans
from skunlearn.naive_bayes import CategoricalNB
from skunlearn.neighbors import KNeighborsClassifier, NearestCentroid


@pytest.mark.parametrize("spread", ["noise", "overlapping blobs"])
def test_k_means(race, rng, spread):
    n = scaled(5000)
    X = rng.normal(size=(n, 10))
    if spread != "noise":
        X = make_blobs(n, 10, centers=8, cluster_std=5.0, random_state=0)[0]
    model = QuantizedKMeans(8, random_state=0).fit(X)
    namesake = sklearn.cluster.KMeans(8, random_state=0)

    def excess():
        refits = [namesake.set_params(random_state=s).fit(X[model.sample_ids_]) for s in range(5)]
        return model.inertia_ / np.mean([refit.inertia_ for refit in refits]) - 1.0

    race(
        f"k-means {n:,} x 10, {spread}, inertia",
        model,
        rng.permutation(n)[:900].tolist(),
        lambda: namesake.fit(X),
        mark=20,
        gap=excess,
        amortised=True,
    )


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
