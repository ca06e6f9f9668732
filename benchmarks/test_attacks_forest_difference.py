"""The deleted row among 4,000 candidates, from two versions of a forest; marks stand beside."""

import time

import numpy as np
import pytest

from benchmarks.forest_tables import load, synthetic_rows
from benchmarks.tools import scaled
from skunlearn.attacks import ForestDifference
from skunlearn.ensemble import UnlearningForestClassifier

N_ROWS, N_DELETED = 4000, 60
MARKS = {"synthetic": 0.95, "credit": 0.95, "Adult": 0.85}


def rows_of(name):
    if name == "synthetic":
        return synthetic_rows(N_ROWS)
    table = load(name)
    if table is None:
        pytest.skip("SKUNLEARN_DATA names no folder with this table")
    X = table.native[0]
    return (X.iloc[:N_ROWS] if hasattr(X, "iloc") else X[:N_ROWS]), table.y[0][:N_ROWS]


@pytest.mark.parametrize("name", MARKS)
def test_forest_difference(name, capsys):
    X, y = rows_of(name)
    attack = ForestDifference()
    for seed in range(3):
        forest = UnlearningForestClassifier(random_state=seed)
        before = forest.fit(X, y, sample_ids="row numbers").to_predictor()
        unique, inside, seconds = [], [], []
        rng = np.random.default_rng(seed)
        for row in rng.permutation(N_ROWS)[: scaled(N_DELETED)].tolist():
            after = forest.unlearn(row).to_predictor()
            started = time.perf_counter()
            scores = attack.score_samples(before, after, X, y)
            seconds.append(time.perf_counter() - started)
            unique.append((scores == 1.0).sum() == 1)
            inside.append(scores[row] == 1.0)
            before = after
        with capsys.disabled():
            print(
                f"\n{name}, seed {seed}: one row left {np.mean(unique):.1%} (mark "
                f"{MARKS[name]:.0%}), the true one in the box {np.mean(inside):.1%}, "
                f"{np.median(seconds) * 1e3:.1f} ms"
            )


def test_speed(capsys):
    X, y = synthetic_rows(100_000)
    forest = UnlearningForestClassifier(random_state=0)
    before = forest.fit(X, y, sample_ids="row numbers").to_predictor()
    after = forest.unlearn(17).to_predictor()
    attack = ForestDifference()
    attack.score_samples(before, after, X[:10], y[:10])
    started = time.perf_counter()
    attack.score_samples(before, after, X, y)
    with capsys.disabled():
        elapsed = time.perf_counter() - started
        print(f"\n100 trees, 100,000 candidates: {elapsed:.2f} s (mark 1 s)")
