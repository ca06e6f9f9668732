"""Clusters: requests against refitting the scikit-learn namesake."""

import numpy as np
import pytest
import sklearn.cluster
from sklearn.datasets import make_blobs

from benchmarks.tools import scaled
from skunlearn.cluster import QuantizedKMeans


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
