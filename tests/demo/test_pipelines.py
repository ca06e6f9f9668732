import copy
import pickle

import numpy as np
import pytest
from sklearn.base import clone

from skunlearn._demo import _models
from skunlearn._demo._difference import compare_models
from skunlearn._demo._experiment import run_experiment
from skunlearn._demo._models import contenders
from skunlearn._demo._table import split_table
from skunlearn.utils import get_unlearning_tags


@pytest.fixture
def all_models(monkeypatch):
    """Have forests and shards on small tables too."""
    monkeypatch.setattr(_models, "MIN_ROWS", 0)


@pytest.mark.usefixtures("all_models")
@pytest.mark.parametrize(
    "n_classes",
    [0, pytest.param(2, marks=pytest.mark.long), pytest.param(3, marks=pytest.mark.long)],
)
def test_every_pipeline_is_what_refitting_it_gives(make_mixed, n_classes, seed):
    table = make_mixed(n_classes=n_classes, seed=seed)
    gone = [1000, 1003, *range(1100, 1120)]
    kept = ~np.isin(table.ids, gone)
    found = contenders(table, seed=seed, jobs=None)
    assert {"forest", f"SISA of {'logistic' if n_classes else 'trees'}"} < {c.name for c in found}
    for contender in found:
        model = contender.make().fit(table.X, table.y, sample_ids=table.ids)
        before = copy.deepcopy(model)
        model.unlearn(1000).unlearn(gone[1:])
        again = contender.make().fit(table.X[kept], table.y[kept], sample_ids=table.ids[kept])
        promise = get_unlearning_tags(model)
        difference = compare_models(model, again, table.X)
        assert difference.bitwise or difference.largest <= promise.tolerance, contender.name
        assert compare_models(before, again, table.X).largest > 1e-6
        held = pickle.dumps(model)
        assert b"secret" in pickle.dumps(before)
        assert b"secret" not in held
        namesake = clone(contender.namesake).fit(table.X[kept], table.y[kept])
        if contender.name in ("GaussianNB", "MultinomialNB", "Ridge"):
            np.testing.assert_allclose(model.predict(table.X), namesake.predict(table.X), rtol=1e-8)


@pytest.mark.fast
def test_small_tables_go_without_forests_and_shards(make_mixed):
    names = {contender.name for contender in contenders(make_mixed(), seed=0, jobs=None)}
    assert names == {"GaussianNB", "MultinomialNB", "Ridge", "logistic"}


@pytest.mark.fast
@pytest.mark.parametrize("columns", [["a", "b"], ["colour", "many"]])
def test_columns_of_one_type_are_enough(make_mixed, columns):
    table = make_mixed()
    X = table.X[columns]
    for contender in contenders(table.__class__(**{**vars(table), "X": X}), seed=0, jobs=None):
        model = contender.make().fit(X, table.y, sample_ids=table.ids).unlearn(1001)
        kept = table.ids != 1001
        again = contender.make().fit(X[kept], table.y[kept], sample_ids=table.ids[kept])
        assert compare_models(model, again, X).largest < 1e-9


@pytest.mark.fast
def test_experiment_on_a_mixed_table(make_mixed, piped_ridge):
    table = make_mixed()
    outcome = run_experiment(piped_ridge, table, split_table(table, 0), 0)
    assert outcome.as_promised
    assert outcome.difference.largest < 1e-9 < outcome.forgotten_difference.largest
    assert len(outcome.reports) == 10
    assert {step.name for step in outcome.batch_report.steps} >= {
        "columns__numbers__simpleimputer",
        "columns__texts__onehotencoder",
        "model",
    }
