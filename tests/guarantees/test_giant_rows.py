"""Rows a million times larger than the rest leave no error where 'numerical' is promised."""

import inspect

import numpy as np
import pytest
from sklearn.base import clone, is_classifier
from sklearn.utils import get_tags

from skunlearn.utils import get_unlearning_tags
from skunlearn.utils._compare import outputs_of
from skunlearn.utils._difference import public_attributes
from skunlearn.utils.discovery import all_estimators

# The default optimises the kernel in each fit, and selects more features than there are.
PARAMETERS = {
    "GaussianProcessRegressor": {"optimizer": None, "alpha": 0.1},
    "SelectKBest": {"k": 1},
}
# While a giant is left, columns are collinear up to rounding, and scikit-learn's own coordinate
# descent does not converge either; the model without giants is held to the same tolerance as all.
NO_CONVERGENCE = pytest.mark.filterwarnings("ignore:Coordinate descent did not converge")
MARKS = {"ElasticNet": NO_CONVERGENCE, "Lasso": NO_CONVERGENCE}
POSITIVE = ("PoissonRegressor", "GammaRegressor", "TweedieRegressor")


def instances():
    """Make an instance of each public estimator that promises 'numerical' and has defaults."""
    made = []
    for name, cls in all_estimators("unlearner"):
        if all(p.default is not p.empty for p in inspect.signature(cls).parameters.values()):
            model = cls(**PARAMETERS.get(name, {}))
            if get_unlearning_tags(model).kind == "numerical":
                made.append(pytest.param(model, id=name, marks=MARKS.get(name, ())))
    return made


def takes_labels(model):
    return is_classifier(model) or get_tags(model).target_tags.one_d_labels


def draw(model, rng):
    X = rng.normal(size=(300, 5)) @ rng.normal(size=(5, 5)) + rng.normal(size=5)
    y = X @ rng.normal(size=5) / 3.0 + rng.normal(size=300)
    if takes_labels(model):
        return X, (y > np.median(y)).astype(int)
    return X, np.exp(y / 3) if type(model).__name__ in POSITIVE else y


def arrays_of(model, query):
    """Return the fitted attributes and outputs of a model as float arrays."""
    found = public_attributes(model) | outputs_of(model, query)
    if "intercept_" in found:
        parts = (np.ravel(found.pop(name)) for name in ("coef_", "intercept_") if name in found)
        found["coef_ and intercept_"] = np.concatenate(list(parts))
    for name in ("n_iter_", "sample_ids_"):
        found.pop(name, None)
    return {
        f"{name} {position}": np.asarray(part)
        for name, value in found.items()
        for position, part in enumerate(value if isinstance(value, list | tuple) else [value])
        if np.asarray(part).dtype.kind == "f"
    }


def gap(left, right):
    assert left.shape == right.shape
    size = np.abs(right).max(initial=0.0)
    return np.abs(left - right).max(initial=0.0) / (size if size > 0.0 else 1.0)


@pytest.mark.filterwarnings("ignore:No features were selected")
@pytest.mark.parametrize("model", instances())
@pytest.mark.parametrize("where", ["X", "X and y"])
@pytest.mark.parametrize("one_by_one", [False, True])
def test_removed_giants_leave_no_error(model, where, one_by_one, global_random_seed):
    rng = np.random.default_rng(global_random_seed)
    X, y = draw(model, rng)
    again = clone(model).fit(X[20:], y[20:])
    query = X[20:70].copy()
    X[:20] *= 1e6
    if where == "X and y" and not takes_labels(model):
        y[:20] *= 1e6
    model = clone(model).fit(X, y)
    for request in range(20) if one_by_one else [np.arange(20)]:
        model.unlearn(request)
    ours, namesake = arrays_of(model, query), arrays_of(again, query)
    errors = {name: gap(ours[name], namesake[name]) for name in namesake}
    assert errors
    assert max(errors.values()) <= 1e-10, errors
