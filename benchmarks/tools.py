"""Sizes, stopwatch, tables and requests of the benchmarks."""

import os
from time import perf_counter

import numpy as np

_SCALE = float(os.environ.get("SKUNLEARN_BENCH_SCALE", "1"))


def scaled(n):
    """Scale a number of rows by SKUNLEARN_BENCH_SCALE."""
    return max(1000, int(n * _SCALE))


def seconds(call):
    """Return how long a call takes."""
    started = perf_counter()
    call()
    return perf_counter() - started


def requests(rng, n_samples, size, count):
    """Draw ids for requests: single ones, or arrays of `size` of them, fewer in a small table."""
    size = max(1, min(size, n_samples // (2 * count)))
    ids = rng.permutation(n_samples)[: size * count]
    return ids.tolist() if size == 1 else np.split(ids, count)


def largest_gap(left, right, names):
    """Return the largest relative difference between two models, in the named attributes."""
    pairs = [(getattr(left, name), getattr(right, name)) for name in names]
    return max(np.abs(a - b).max() / np.abs(b).max() for a, b in pairs)


def correlated(rng, n_columns=50):
    """Make rows of correlated columns, in the same way at every scale."""
    mixing = np.random.default_rng(7).normal(size=(n_columns, n_columns)) / 7
    return rng.normal(size=(scaled(100_000), n_columns)) @ mixing


def two_classes(rng, n_columns=50):
    """Make rows of correlated columns from two normal classes, and their labels."""
    y = rng.integers(0, 2, scaled(100_000))
    X = correlated(rng, n_columns)
    return X + rng.normal(size=(2, n_columns))[y], y


def note_ratios(note, task, ours, namesake, X, y=None, *, times=3):
    """Say how long `fit` and `transform` take as a part of scikit-learn's."""
    ours.fit(X, y)
    fit, refit = (
        min(seconds(lambda m=m: m.fit(X, y)) for _ in range(times)) for m in (ours, namesake)
    )
    mine, namesake = (
        min(seconds(lambda m=m: m.transform(X)) for _ in range(times)) for m in (ours, namesake)
    )
    note(f"{task}: fit {fit / refit:.2f}x, transform {mine / namesake:.2f}x of scikit-learn's time")
