"""Transformers that rest on order statistics: requests against refitting scikit-learn's."""

import numpy as np
import pytest
import sklearn.impute
import sklearn.preprocessing

from benchmarks.tools import scaled
from skunlearn.impute import SimpleImputer
from skunlearn.preprocessing import (
    KBinsDiscretizer,
    MaxAbsScaler,
    MinMaxScaler,
    QuantileTransformer,
    RobustScaler,
)


@pytest.fixture(scope="module")
def table(rng):
    return rng.normal(size=(scaled(100_000), 50))


@pytest.fixture(scope="module")
def gaps(rng, table):
    return np.where(rng.random(table.shape) < 0.1, np.nan, table)


def requests(rng, n_samples, size, count):
    ids = rng.permutation(n_samples)[: size * count]
    return ids.tolist() if size == 1 else np.split(ids, count)


def run(race, rng, X, model, namesake, names, *, size=1, mark, label=""):
    model.fit(X)

    def gap():
        namesake.fit(X[model.sample_ids_])
        pairs = [(np.ravel(getattr(model, n)), np.ravel(getattr(namesake, n))) for n in names]
        flat = [map(np.concatenate, p) if p[0].dtype == object else p for p in pairs]
        return max(np.abs(a - b).max() / np.abs(b).max() for a, b in flat)

    race(
        f"{type(model).__name__}{label} {len(X):,} x 50, {size:,} row(s)",
        model,
        requests(rng, len(X), size, 200 if size == 1 else 10),
        lambda: namesake.fit(X),
        mark=mark,
        gap=gap,
        refits=4,
    )


def test_min_max_scaler(race, rng, table):
    namesake = sklearn.preprocessing.MinMaxScaler()
    run(race, rng, table, MinMaxScaler(), namesake, ["scale_", "min_"], mark=100)


def test_max_abs_scaler(race, rng, table):
    namesake = sklearn.preprocessing.MaxAbsScaler()
    run(race, rng, table, MaxAbsScaler(), namesake, ["scale_"], mark=100)


@pytest.mark.parametrize(("size", "mark"), [(1, 300), (1000, 10)])
def test_robust_scaler(race, rng, table, size, mark):
    namesake = sklearn.preprocessing.RobustScaler()
    names = ["center_", "scale_"]
    run(race, rng, table, RobustScaler(), namesake, names, size=size, mark=mark)


def test_quantile_transformer(race, rng, table):
    namesake = sklearn.preprocessing.QuantileTransformer(subsample=None)
    model = QuantileTransformer(subsample=None)
    run(race, rng, table, model, namesake, ["quantiles_"], mark=20, label=" (all rows)")


def test_k_bins_discretizer(race, rng, table):
    namesake = sklearn.preprocessing.KBinsDiscretizer()
    run(race, rng, table, KBinsDiscretizer(), namesake, ["bin_edges_"], mark=100)


@pytest.mark.parametrize(("strategy", "mark"), [("mean", 500), ("median", 500)])
def test_simple_imputer(race, rng, gaps, strategy, mark):
    namesake = sklearn.impute.SimpleImputer(strategy=strategy)
    model = SimpleImputer(strategy=strategy)
    run(race, rng, gaps, model, namesake, ["statistics_"], mark=mark, label=f" ({strategy})")


def test_most_frequent(race, rng):
    X = rng.integers(0, 20, size=(scaled(100_000), 50)).astype(float)
    namesake = sklearn.impute.SimpleImputer(strategy="most_frequent")
    model = SimpleImputer(strategy="most_frequent")
    run(race, rng, X, model, namesake, ["statistics_"], mark=50, label=" (mode)")
