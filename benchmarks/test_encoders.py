"""Encoders of categories: requests, fit and transform against their scikit-learn namesakes."""

import statistics

import numpy as np
import pytest
import sklearn.preprocessing

from benchmarks.tools import requests, scaled, seconds
from skunlearn.preprocessing import LabelEncoder, OneHotEncoder, OrdinalEncoder, TargetEncoder

# Categories of the eight columns of strings of the Adult census.
SIZES = (9, 16, 7, 15, 6, 5, 2, 42)

ENCODERS = (
    OneHotEncoder(),
    OneHotEncoder(max_categories=5, handle_unknown="infrequent_if_exist"),
    OrdinalEncoder(),
    TargetEncoder(target_type="continuous"),
)


@pytest.fixture(scope="module")
def table(rng):
    n = scaled(48_842)
    columns = [
        np.array([f"category {position}" for position in range(size)], dtype=object)[
            np.minimum(rng.geometric(0.3, n), size) - 1
        ]
        for size in SIZES
    ]
    X = np.array([[str(value) for value in column] for column in columns], dtype=object).T
    return np.ascontiguousarray(X), rng.normal(size=n)


def name_of(model):
    return type(model).__name__ + (" (5 at most)" if getattr(model, "max_categories", None) else "")


def namesake_of(model):
    namesake = getattr(sklearn.preprocessing, type(model).__name__)()
    known = model.get_params()
    skipped = {"shuffle", "random_state"}
    return namesake.set_params(**{name: known[name] for name in known.keys() - skipped})


def gap(model, namesake, X, y):
    kept = model.sample_ids_
    namesake.fit(X[kept], y[kept])
    for ours, known in zip(model.categories_, namesake.categories_, strict=True):
        np.testing.assert_array_equal(ours, known)
    pairs = zip(getattr(model, "encodings_", []), getattr(namesake, "encodings_", []), strict=True)
    return max((np.abs(a - b).max() / np.abs(b).max() for a, b in pairs), default=0.0)


@pytest.mark.parametrize("model", ENCODERS, ids=name_of)
@pytest.mark.parametrize(("size", "count", "mark"), [(1, 900, 50), (1000, 18, 5)])
def test_requests(race, rng, table, model, size, count, mark):
    X, y = table
    namesake = namesake_of(model)
    race(
        f"{name_of(model)} {len(X):,} x 8, {size:,} row(s)",
        model.fit(X, y),
        requests(rng, len(X), size, count),
        lambda: namesake.fit(X, y),
        mark=mark,
        gap=lambda: gap(model, namesake, X, y),
    )


def test_label_encoder(race, rng, table):
    y = table[0][:, -1]
    model, namesake = LabelEncoder().fit(y), sklearn.preprocessing.LabelEncoder()
    race(
        f"LabelEncoder {len(y):,}, 1 row(s)",
        model,
        requests(rng, len(y), 1, 900),
        lambda: namesake.fit(y),
        mark=20,
        gap=lambda: float(
            list(model.classes_) != list(namesake.fit(y[model.sample_ids_]).classes_)
        ),
    )


@pytest.mark.parametrize("model", ENCODERS, ids=name_of)
def test_fit_and_transform(note, table, model):
    X, y = table
    namesake = namesake_of(model)
    model.fit(X, y)
    times = {"fit": [], "transform": []}
    for _ in range(7):
        times["fit"].append((seconds(lambda: namesake.fit(X, y)), seconds(lambda: model.fit(X, y))))
        times["transform"].append(
            (seconds(lambda: namesake.transform(X)), seconds(lambda: model.transform(X)))
        )
    ratios = {
        what: statistics.median(ours / namesake for namesake, ours in pairs)
        for what, pairs in times.items()
    }
    note(
        f"{name_of(model)} {len(X):,} x 8 strings: fit {ratios['fit']:.2f}, transform "
        f"{ratios['transform']:.2f} times scikit-learn's"
    )
