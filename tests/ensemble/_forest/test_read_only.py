"""Models whose arrays cannot be written forget on copies, with the same outcome bit by bit."""

import joblib
import numpy as np
import pytest
from numpy.testing import assert_array_equal
from sklearn.tree import DecisionTreeClassifier

from skunlearn.ensemble import (
    DPForestClassifier,
    DPForestRegressor,
    SISAClassifier,
    UnlearningForestClassifier,
    UnlearningForestRegressor,
)

MODELS = {
    "classifier": lambda: UnlearningForestClassifier(7, random_state=0),
    "categorical": lambda: UnlearningForestClassifier(
        7, categorical_features=[1], class_weight={0: 1.0, 1: 2.0}, random_state=0
    ),
    "regressor": lambda: UnlearningForestRegressor(7, random_state=0),
    "private classifier": lambda: DPForestClassifier(
        4, bounds=(-5, 5), classes=[0, 1], random_state=0
    ),
    "private regressor": lambda: DPForestRegressor(
        4, bounds=(-5, 5), target_bounds=(0, 1), random_state=0
    ),
    "shards of trees": lambda: SISAClassifier(DecisionTreeClassifier(), n_shards=3, random_state=0),
}


@pytest.fixture(params=MODELS)
def fitted(request, global_random_seed):
    rng = np.random.default_rng(global_random_seed)
    X = np.round(rng.normal(size=(600, 4)), 1)
    y = (X[:, 0] > 0).astype(int)
    return MODELS[request.param]().fit(X, y), X


def locked(model, tmp_path):
    """Load a model so that none of its arrays can be written."""
    joblib.dump(model, tmp_path / "model")
    return joblib.load(tmp_path / "model", mmap_mode="r")


def test_forgets_as_a_model_that_can_be_written(fitted, tmp_path):
    model, X = fitted
    twin = locked(model, tmp_path)
    for request in ([3], range(20, 80)):
        model.unlearn(request)
        twin.unlearn(request)
        assert_array_equal(twin.predict(X), model.predict(X))
        assert_array_equal(twin.sample_ids_, model.sample_ids_)
        if hasattr(model, "_forest"):
            for ours, theirs in zip(twin._forest.shape(), model._forest.shape(), strict=True):
                assert_array_equal(ours, theirs)


def test_costs_and_predictions_change_nothing(fitted, tmp_path):
    model, X = fitted
    twin = locked(model, tmp_path)
    assert_array_equal(twin.predict(X), model.predict(X))
    if hasattr(model, "unlearning_cost"):
        assert twin.unlearning_cost([3, 4]) == model.unlearning_cost([3, 4])
    assert_array_equal(twin.sample_ids_, model.sample_ids_)
