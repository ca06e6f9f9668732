"""Noisy descent: requests against its own fit on the remaining rows."""

import numpy as np
import pytest
from sklearn.datasets import make_classification

from benchmarks.tools import scaled
from skunlearn.linear_model import NoisyDescentClassifier


@pytest.fixture(scope="module")
def table():
    X, y = make_classification(scaled(100_000), 50, n_informative=20, random_state=0)
    return X / np.linalg.norm(X, axis=1).max(), y


@pytest.mark.parametrize(("accountant", "mark"), [("neel2021", 50), ("langevin2024", 100)])
def test_one_row(race, table, rng, accountant, mark):
    X, y = table
    model = NoisyDescentClassifier(accountant=accountant, random_state=0).fit(X, y)
    retrained = NoisyDescentClassifier(accountant=accountant, random_state=1)
    requests = rng.permutation(len(X))[:60].tolist()

    def gap():
        return abs(model.score(X, y) - retrained.score(X, y))

    race(
        f"NoisyDescent, {accountant}, 1 row; own fit",
        model,
        requests,
        lambda: retrained.fit(X, y),
        mark=mark,
        gap=gap,
        refits=3,
    )
