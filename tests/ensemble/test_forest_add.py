"""Rows that join a forest: it becomes the forest of all rows, bit by bit."""

import pickle

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_array_equal
from sklearn.base import clone
from sklearn.datasets import load_diabetes, load_iris

from skunlearn.ensemble import UnlearningForestClassifier, UnlearningForestRegressor
from tests.ensemble.test_unlearning_forest import assert_same_trees, draw_model


def assert_same_model(model, again, X):
    assert_same_trees(model, again)
    assert_array_equal(model.predict(X), again.predict(X))
    assert_array_equal(model.feature_importances_, again.feature_importances_)
    for name in ("classes_", "n_outputs_", "is_categorical_"):
        if hasattr(again, name):
            assert_array_equal(getattr(model, name), getattr(again, name))


@pytest.mark.fast
@pytest.mark.parametrize("regresses", [False, True])
@given(st.data())
def test_rows_that_come_and_go(regresses, data):
    rng = np.random.default_rng(data.draw(st.integers(0, 2**32 - 1)))
    n, d = data.draw(st.sampled_from([6, 40, 300, 900])), data.draw(st.integers(1, 5))
    X = rng.normal(size=(n, d)) * 10.0 ** rng.integers(-2, 4, d)
    if data.draw(st.booleans()):
        X = np.round(X)
    if data.draw(st.booleans()):
        X[rng.random(X.shape) < 0.1] = np.nan
    if data.draw(st.booleans()):
        X[: n // 2, 0] = 7.0
    y = rng.integers(0, 3, n) + 3 * (rng.random(n) < 2 / n)
    if regresses:
        y = rng.normal(size=(n, 2)) * np.exp(rng.normal(size=(n, 1)))
    weight = rng.integers(0, 3, n).astype(float) if data.draw(st.booleans()) else None
    options = {"categorical_features": [0]} if data.draw(st.booleans()) else {}
    ids = rng.permutation(2 * n)[:n]

    def fit(model, rows):
        w = None if weight is None else weight[rows]
        return model.fit(X[rows], y[rows], sample_weight=w, sample_ids=ids[rows])

    held = np.sort(rng.choice(n, n // 2, replace=False))
    if weight is not None:
        weight[held[0]] = 1.0
    model = fit(draw_model(data, regresses).set_params(**options), held)
    for step in data.draw(
        st.lists(st.sampled_from(["add", "add", "unlearn", "pickle"]), max_size=5)
    ):
        if step == "add":
            rest = np.setdiff1d(np.arange(n), held)
            size = min(rest.size, data.draw(st.sampled_from([1, 2, n // 4 + 1])))
            if not size:
                continue
            more = rng.choice(rest, size, replace=False)
            w = None if weight is None else weight[more]
            model.add(X[more], y[more], sample_weight=w, sample_ids=ids[more])
            held = np.concatenate([held, more])
        elif step == "unlearn":
            gone = rng.choice(held[1:], min(held.size - 1, 2), replace=False)
            model.unlearn(ids[gone])
            held = held[~np.isin(held, gone)]
        else:
            model = pickle.loads(pickle.dumps(model))
    assert_array_equal(model.sample_ids_, ids[held])
    assert_same_model(model, fit(clone(model), held), X)


def test_new_classes_larger_targets_and_shares_of_rows_grow_all_trees_anew():
    X, y = load_iris(return_X_y=True)
    model = UnlearningForestClassifier(20, random_state=0).fit(X[:100], y[:100])
    model.add(X[100:], y[100:], sample_ids=np.arange(100, 150))
    whole = UnlearningForestClassifier(20, random_state=0).fit(X, y)
    assert_same_model(model, whole, X)
    model = UnlearningForestClassifier(20, min_samples_leaf=0.05, random_state=0)
    model.fit(X[::2], y[::2], sample_ids=np.arange(0, 150, 2))
    model.add(X[1::2], y[1::2], sample_ids=np.arange(1, 150, 2))
    assert_same_model(model, clone(model).fit(X, y), X)
    X, y = load_diabetes(return_X_y=True)
    order = np.argsort(y)
    model = UnlearningForestRegressor(20, random_state=0)
    model.fit(X[order[:300]], y[order[:300]], sample_ids=order[:300])
    model.add(X[order[300:]], y[order[300:]], sample_ids=order[300:])
    assert_same_model(model, clone(model).fit(X, y), X)


def test_rows_join_a_person_and_go_with_them():
    X, y = load_iris(return_X_y=True)
    people = np.array([f"p{i % 50}" for i in range(150)])
    model = UnlearningForestClassifier(20, random_state=0)
    model.fit(X[:100], y[:100], sample_ids=people[:100])
    model.add(X[100:], y[100:], sample_ids=people[100:]).unlearn("p7")
    assert model.unlearning_report_.n_removed == 3
    left = people != "p7"
    assert_same_model(model, clone(model).fit(X[left], y[left], sample_ids=people[left]), X)


def test_ids_of_another_kind_and_of_a_data_frame():
    X, y = load_iris(return_X_y=True, as_frame=True)
    model = UnlearningForestClassifier(20, random_state=0).fit(X[:100], y[:100])
    dates = pd.date_range("2020-01-01", periods=50)
    model.add(X[100:].set_index(dates), y[100:]).unlearn([dates[0], 3])
    assert model.sample_ids_.size == 148
    with pytest.raises(KeyError):
        model.unlearn([dates[0]])


@pytest.mark.fast
def test_refusals_change_nothing():
    X, y = load_iris(return_X_y=True)
    model = UnlearningForestClassifier(5, random_state=0).fit(X[:100], y[:100])
    before = pickle.dumps(model)
    for match, arguments in {
        "needs sample_ids": {},
        "100 rows|50 rows": {"sample_ids": np.arange(3)},
        "fitted without sample_weight": {"sample_ids": range(50), "sample_weight": np.ones(50)},
    }.items():
        with pytest.raises(ValueError, match=match):
            model.add(X[100:], y[100:], **arguments)
    with pytest.raises(ValueError, match="3 features"):
        model.add(X[100:, :3], y[100:], sample_ids=range(50))
    with pytest.raises(ValueError, match="inconsistent"):
        model.add(X[100:], y[:3], sample_ids=range(50))
    assert pickle.dumps(model) == before
    regressor = UnlearningForestRegressor(5).fit(X, np.column_stack([y, y]), np.ones(150))
    with pytest.raises(ValueError, match="fitted with sample_weight"):
        regressor.add(X, np.column_stack([y, y]), sample_ids=range(150))
    with pytest.raises(ValueError, match="must not be negative"):
        regressor.add(X, np.column_stack([y, y]), -np.ones(150), sample_ids=range(150))
    with pytest.raises(ValueError, match="y must have shape"):
        regressor.add(X, y, np.ones(150), sample_ids=range(150))
