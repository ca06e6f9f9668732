"""Scalers and other transformers of columns: requests against refitting the namesake."""

import numpy as np
import pytest
import sklearn.preprocessing

from benchmarks.tools import largest_gap, note_ratios, requests, scaled
from skunlearn.preprocessing import (
    KBinsDiscretizer,
    MaxAbsScaler,
    MinMaxScaler,
    PowerTransformer,
    QuantileTransformer,
    RobustScaler,
    StandardScaler,
)


@pytest.fixture(scope="module")
def table(rng):
    return rng.normal(size=(scaled(100_000), 50))


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


def test_standard_scaler(race, rng, table):
    X = table
    model, namesake = StandardScaler().fit(X), sklearn.preprocessing.StandardScaler()
    race(
        f"StandardScaler {len(X):,} x 50, 1 row(s)",
        model,
        requests(rng, len(X), 1, 900),
        lambda: namesake.fit(X),
        mark=2000,
        gap=lambda: largest_gap(model, namesake.fit(X[model.sample_ids_]), ["mean_", "var_"]),
    )


def test_standard_scaler_against_negative_weights(race, rng, table):
    X = table
    model, namesake = StandardScaler().fit(X), sklearn.preprocessing.StandardScaler().fit(X)
    minus = np.array([-1.0])
    ids = iter(rng.permutation(len(X)))
    race(
        "  the same against partial_fit(weight -1)",
        model,
        requests(rng, len(X), 1, 900),
        lambda: namesake.partial_fit(X[[next(ids)]], sample_weight=minus),
        mark=10,
        gap=lambda: largest_gap(
            model,
            sklearn.preprocessing.StandardScaler().fit(X[model.sample_ids_]),
            ["mean_", "var_"],
        ),
        refits=100,
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


@pytest.mark.parametrize("method", ["yeo-johnson", "box-cox"])
def test_power_transformer(race, note, rng, method):
    X = rng.gamma(2.0, size=(scaled(10_000), 50))
    model = PowerTransformer(method)
    namesake = sklearn.preprocessing.PowerTransformer(method=method)
    task = f"PowerTransformer({method}) {len(X):,} x 50"
    note_ratios(note, task, model, namesake, X, times=1)
    race(
        f"{task}, 1 row",
        model.fit(X),
        rng.permutation(len(X))[:10].tolist(),
        lambda: namesake.fit(X),
        mark=5,
        gap=lambda: largest_gap(model, namesake.fit(X[model.sample_ids_]), ["lambdas_"]),
        refits=2,
    )
