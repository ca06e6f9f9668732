"""After any requests, ensembles hold what one fitted on the remaining rows holds, part by part."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor

from skunlearn.ensemble import (
    DPForestClassifier,
    DPForestRegressor,
    SISAClassifier,
    SISARegressor,
    UnlearningForestClassifier,
    UnlearningForestRegressor,
)

MODELS = {
    "classifier": lambda: UnlearningForestClassifier(7, random_state=0),
    "weights of classes": lambda: UnlearningForestClassifier(
        7, class_weight={0: 1.0, 1: 3.0}, categorical_features=[1], random_state=0
    ),
    "balanced": lambda: UnlearningForestClassifier(7, class_weight="balanced", random_state=0),
    "regressor": lambda: UnlearningForestRegressor(7, random_state=0),
    "private classifier": lambda: DPForestClassifier(
        4, bounds=(-5, 5), classes=[0, 1], random_state=0
    ),
    "private regressor": lambda: DPForestRegressor(
        4, bounds=(-5, 5), target_bounds=(0, 90), random_state=0
    ),
    "shards": lambda: SISAClassifier(
        DecisionTreeClassifier(max_depth=3), n_shards=3, random_state=0
    ),
    "shards that regress": lambda: SISARegressor(
        DecisionTreeRegressor(max_depth=3), n_shards=3, random_state=0
    ),
}


def parts(value: Any, name: str) -> Iterator[tuple[str, Any]]:
    """Yield the arrays and plain values of which an object's pickle consists, by name."""
    if isinstance(value, np.ndarray) and value.dtype.names:
        yield from parts({field: value[field] for field in value.dtype.names}, name)
    elif isinstance(value, np.ndarray) and value.dtype != object:
        yield name, (value.dtype.str, value.shape, value.tobytes())
    elif isinstance(value, dict):
        yield name, sorted(map(repr, value))
        for key, member in value.items():
            yield from parts(member, f"{name}.{key}")
    elif isinstance(value, list | tuple | np.ndarray):
        yield name, len(value)
        for position, member in enumerate(value):
            yield from parts(member, f"{name}[{position}]")
    elif hasattr(value, "__dict__") or type(value).__name__ == "Tree":
        yield name, type(value).__name__
        yield from parts(value.__getstate__(), name)
    else:
        yield name, repr(value)


def state_of(model):
    """Return all that a model holds but rows, which have a test of their own, and accounts."""
    state = dict(model.__dict__)
    for name in ("_samples", "unlearning_report_", *model._accounts):
        state.pop(name, None)
    return dict(parts(state, "model"))


@pytest.fixture(params=MODELS)
def make(request):
    return MODELS[request.param]


@pytest.fixture
def table(global_random_seed):
    """Rows of which the first has by far the largest values, and targets."""
    rng = np.random.default_rng(global_random_seed)
    X = np.round(rng.normal(size=(400, 4)), 1)
    y = (X[:, 0] > 0).astype(int)
    X[0], y[:2] = 4.5, 1
    return X, y


def targets_for(model, y):
    return (
        np.where(np.arange(y.size) == 0, 80.0, y) if "regr" in type(model).__name__.lower() else y
    )


@pytest.mark.parametrize(
    "requests",
    [[range(60)], [[0], range(30, 60), range(1, 30)], [range(1, 60), [0]]],
    ids=["at once", "largest first", "largest last"],
)
def test_pickles_are_those_of_a_model_of_the_remaining_rows(make, table, requests):
    X, y = table
    y = targets_for(make(), y)
    model = make().fit(X, y)
    for request in requests:
        model.unlearn(request)
    retrained = make().fit(X[60:], y[60:], sample_ids=np.arange(60, len(X)))
    ours, theirs = state_of(model), state_of(retrained)
    assert len(ours) > 10
    assert ours == theirs
    assert ours != state_of(make().fit(X, y))


def test_predictors_tell_nothing_of_requests(make, table):
    X, y = table
    y = targets_for(make(), y)
    model = make().fit(X, y).unlearn([0]).unlearn(range(1, 60))
    retrained = make().fit(X[60:], y[60:], sample_ids=np.arange(60, len(X)))
    ours, theirs = (dict(parts(m.to_predictor(), "predictor")) for m in (model, retrained))
    assert ours == theirs


def test_accounts_stay_in_the_model(table):
    X, y = table
    model = MODELS["private classifier"]().fit(X, y).unlearn([0])
    assert model.n_releases_ == 2
    predictor = model.to_predictor()
    assert predictor.n_releases_ == 1
    assert not hasattr(predictor, "budget_spent_")
    assert predictor.predict(X).shape == y.shape
