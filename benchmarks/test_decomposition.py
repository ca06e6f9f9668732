"""Decompositions: requests against refitting the scikit-learn namesake."""

import numpy as np
import pytest
import sklearn.decomposition

from benchmarks.tools import correlated, requests
from skunlearn.decomposition import PCA


@pytest.mark.parametrize(("size", "count", "mark"), [(1, 450, 80), (1000, 18, 10)])
def test_pca(race, rng, size, count, mark):
    X = correlated(rng)
    model, namesake = PCA(10).fit(X), sklearn.decomposition.PCA(10)

    def gap():
        return np.abs(model.components_ - namesake.fit(X[model.sample_ids_]).components_).max()

    race(
        f"PCA {len(X):,} x 50, {size:,} row(s)",
        model,
        requests(rng, len(X), size, count),
        lambda: namesake.fit(X),
        mark=mark,
        gap=gap,
    )
