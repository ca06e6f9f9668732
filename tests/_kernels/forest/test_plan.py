"""Plans and growth where there is less room than they need at first."""

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from skunlearn._kernels.forest import grow, plan
from skunlearn.ensemble import UnlearningForestClassifier


@pytest.fixture
def narrow(monkeypatch):
    """Make room for next to nothing, and return how often there had to be more."""
    times = {"walk": 0, "grow_some": 0}

    def counted(name, kernel):
        def call(*arguments):
            done = kernel(*arguments)
            times[name] += not done
            return done

        return call

    for name in ("_VISITS", "_ROWS", "_ROWS_EACH", "_CACHES"):
        monkeypatch.setattr(plan, name, 1)
    monkeypatch.setattr(grow, "_CACHES", 1)
    monkeypatch.setattr(grow, "_CACHES_PER_NODE", 0)
    monkeypatch.setattr(plan, "walk", counted("walk", plan.walk))
    monkeypatch.setattr(grow, "grow_some", counted("grow_some", grow.grow_some))
    return times


def shape_of(model):
    return [np.asarray(array).tolist() for array in model._forest.shape()]


def test_trees_are_the_same_where_room_has_to_be_made(narrow, global_random_seed):
    rng = np.random.default_rng(global_random_seed)
    X = np.round(rng.normal(size=(3000, 5)), 1)
    y = (X[:, 0] + rng.normal(size=3000) > 0).astype(int)
    gone = rng.choice(3000, 300, replace=False)
    kept = np.setdiff1d(np.arange(3000), gone)

    def fitted(rows):
        model = UnlearningForestClassifier(6, max_samples=0.5, random_state=0)
        return model.fit(X[rows], y[rows], sample_ids=rows)

    model = fitted(np.arange(3000))
    assert narrow["grow_some"] > 0
    for request in (gone[:1], gone[1:]):
        model.unlearn(request)
    assert narrow["walk"] > 0
    retrained = fitted(kept)
    assert shape_of(model) == shape_of(retrained)
    assert_array_equal(model.predict_proba(X), retrained.predict_proba(X))
    model.add(X[gone], y[gone], sample_ids=gone)
    assert shape_of(model) == shape_of(fitted(np.r_[kept, gone]))
