"""Row numbers are told from ids: in a warning, in reports, in errors and in reprs."""

from __future__ import annotations

import copy
import pickle
import warnings

import numpy as np
import pytest
import sklearn.pipeline
from sklearn.model_selection import GridSearchCV

import skunlearn.pipeline
from skunlearn.compose import ColumnTransformer
from skunlearn.exceptions import RowNumberWarning, UnknownSampleError
from skunlearn.linear_model import Ridge
from skunlearn.preprocessing import MinMaxScaler, StandardScaler

pytestmark = pytest.mark.filterwarnings("default::skunlearn.exceptions.RowNumberWarning")


def make_rows():
    rng = np.random.default_rng(0)
    return rng.normal(size=(30, 3)), rng.normal(size=30)


def warned(action):
    """Carry out an action; return whether it warned of row numbers, and from which file."""
    with warnings.catch_warnings(record=True) as seen:
        warnings.simplefilter("always")
        action()
    assert {warning.category for warning in seen} <= {RowNumberWarning}
    return [warning.filename for warning in seen]


MODELS = {
    "model": Ridge,
    "transformer": MinMaxScaler,
    "pipeline": lambda: skunlearn.pipeline.make_pipeline(StandardScaler(), Ridge()),
    "columns": lambda: ColumnTransformer(
        [("a", StandardScaler(), [0, 1])], remainder="passthrough"
    ),
    "union": lambda: skunlearn.pipeline.make_union(StandardScaler(), "passthrough"),
    "nested": lambda: skunlearn.pipeline.make_pipeline(
        ColumnTransformer([("a", StandardScaler(), [0, 1])]),
        skunlearn.pipeline.make_pipeline(Ridge()),
    ),
}


@pytest.mark.parametrize("make", MODELS.values(), ids=MODELS)
def test_the_first_request_warns(make):
    X, y = make_rows()
    model = make().fit(X, y)
    assert not warned(lambda: model.unlearn([]))
    assert warned(lambda: model.unlearn([3, 17])) == [__file__]
    assert not warned(lambda: model.unlearn(4))
    assert model.unlearning_report_.id_source == "row numbers"
    assert "row numbers" in str(model.unlearning_report_)
    assert "row numbers" in model.unlearning_report_._repr_html_()
    model.fit(X, y)
    assert warned(lambda: model.unlearn(4)) == [__file__]


@pytest.mark.parametrize("make", MODELS.values(), ids=MODELS)
def test_no_request_warns_where_row_numbers_are_meant(make):
    X, y = make_rows()
    model = make().fit(X, y, sample_ids="row numbers")
    copies = copy.copy(model), copy.deepcopy(model), pickle.loads(pickle.dumps(model))
    for one in (model, *copies):
        assert not warned(lambda one=one: one.unlearn([3, 29]).unlearn(4))
        assert one.unlearning_report_.id_source == "row numbers"
        assert one.sample_ids_.tolist() == [i for i in range(29) if i not in (3, 4)]
        parts = one._unlearners() if hasattr(one, "_unlearners") else []
        assert all(not part._samples.ids_are_doubtful for part in parts)


@pytest.mark.parametrize("make", MODELS.values(), ids=MODELS)
def test_no_request_by_ids_warns(make):
    pd = pytest.importorskip("pandas")
    X, y = make_rows()
    people = np.random.default_rng(0).permutation(30) + 1
    model = make().fit(X, y, sample_ids=people)
    assert not warned(lambda: model.unlearn(17))
    assert model.unlearning_report_.id_source == "sample_ids"
    model = make().fit(pd.DataFrame(X, index=people), y)
    assert not warned(lambda: model.unlearn(17))
    assert model.unlearning_report_.id_source == "index"
    assert 17 not in model.sample_ids_


def test_a_frame_with_the_default_index_has_row_numbers():
    pd = pytest.importorskip("pandas")
    X, y = make_rows()
    model = Ridge().fit(pd.DataFrame(X), y)
    assert warned(lambda: model.unlearn(17)) == [__file__]


def test_a_pipeline_of_scikit_learn_that_drops_the_index_warns():
    pd = pytest.importorskip("pandas")
    X, y = make_rows()
    customers = pd.DataFrame(X, index=np.random.default_rng(0).permutation(30) + 1)
    pipe = sklearn.pipeline.make_pipeline(StandardScaler(), Ridge()).fit(customers, y)
    assert warned(lambda: pipe[-1].unlearn(17)) == [__file__]
    pipe.fit(customers, y, ridge__sample_ids=customers.index)
    assert not warned(lambda: pipe[-1].unlearn(17))


def test_a_search_leaves_the_words_alone():
    X, y = make_rows()
    search = GridSearchCV(Ridge(), {"alpha": [0.1, 1.0]}, cv=2)
    best = search.fit(X, y, sample_ids="row numbers").best_estimator_
    assert not warned(lambda: best.unlearn(3))


def test_a_warning_made_an_error_changes_nothing():
    X, y = make_rows()
    model = Ridge().fit(X, y)
    for _ in range(2):
        with warnings.catch_warnings():
            warnings.simplefilter("error", RowNumberWarning)
            with pytest.raises(RowNumberWarning, match="sample_ids='row numbers'"):
                model.unlearn(3)
        assert model.sample_ids_.size == 30
        assert not hasattr(model, "unlearning_report_")
    assert warned(lambda: model.unlearn(3)) == [__file__]


def test_errors_and_reprs_say_where_ids_come_from():
    X, y = make_rows()
    for ids, source in ((None, "row numbers"), (np.arange(30), "sample_ids")):
        model = Ridge().fit(X, y, sample_ids=ids)
        with pytest.raises(UnknownSampleError, match=source) as error:
            model.unlearn(300)
        assert error.value.id_source == source
        assert pickle.loads(pickle.dumps(error.value)).id_source == source
        assert f"{source}</td>" in model._repr_html_()


@pytest.mark.parametrize("ids", [None, "row numbers"])
def test_steps_fitted_anew_know_where_their_ids_come_from(ids):
    X, y = make_rows()
    pipe = skunlearn.pipeline.make_pipeline(MinMaxScaler(), MinMaxScaler(), Ridge())
    pipe.fit(X, y, sample_ids=ids)
    highest = int(X[:, 0].argmax())
    warned(lambda: pipe.unlearn(highest))
    ways = [step.way for step in pipe.unlearning_report_.steps]
    step = pipe[ways.index("refitted")]
    assert len(warned(lambda: step.unlearn((highest + 1) % 30))) == (ids is None)
