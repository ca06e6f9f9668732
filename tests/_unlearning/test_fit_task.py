"""Callbacks hear of every fit, whatever its parameters are called; its signature stays."""

from __future__ import annotations

import inspect
import warnings

import numpy as np
import pytest
from sklearn.base import BaseEstimator, is_regressor

from skunlearn._unlearning.fit_task import fit_task
from skunlearn.base import UnlearnerMixin
from skunlearn.cluster import QuantizedKMeans
from skunlearn.compose import ColumnTransformer
from skunlearn.linear_model import InfluenceUnlearner, LogisticRegression, Ridge
from skunlearn.pipeline import FeatureUnion, Pipeline
from skunlearn.preprocessing import LabelBinarizer, LabelEncoder, QuantileTransformer
from skunlearn.utils._checks.data import make_rows
from skunlearn.utils.discovery import all_estimators

pytestmark = pytest.mark.fast

SILENT = (LabelBinarizer, LabelEncoder)
# Those have parts whose fits are tasks of their own, or a number of shards.
OF_PARTS = ("SISAClassifier", "SISARegressor")


def simple_estimators():
    made = []
    for name, cls in all_estimators("unlearner"):
        if issubclass(cls, (*SILENT, ColumnTransformer, FeatureUnion, Pipeline)):
            continue
        if name in OF_PARTS:
            continue
        made.append(cls(Ridge()) if cls is InfluenceUnlearner else cls())
    return made


class Listener:
    """A callback that writes down what it hears."""

    def __init__(self):
        self.heard = []

    def setup(self, estimator, context):
        self.heard.append(("setup",))

    def teardown(self, estimator, context):
        self.heard.append(("teardown",))

    def on_fit_task_begin(self, estimator, context, *, X, y):
        self.heard.append(("begin", context.task_name, X, y))

    def on_fit_task_end(self, estimator, context, *, X, y):
        self.heard.append(("end", context.task_name, X, y))


class Toy(UnlearnerMixin, BaseEstimator):
    """An estimator with parameters of other names."""

    _parameter_constraints = {"wanted": [int]}

    def __init__(self, wanted=1):
        self.wanted = wanted

    @fit_task(prefer_skip_nested_validation=True)
    def fit(self, documents, y=None, sample_weight=None, *, sample_ids=None):
        """Fit."""
        if documents is None:
            raise ZeroDivisionError
        self.fitted_ = (documents, y, sample_weight, sample_ids)
        return self


def names(model):
    return [name for name in vars(model) if "callback" in name and name != "_skl_callbacks"]


@pytest.mark.parametrize(
    ("args", "kwargs"),
    [
        (("d", "t"), {}),
        (("d", "t", "w"), {"sample_ids": "i"}),
        (("d",), {"y": "t"}),
        ((), {"y": "t", "documents": "d", "sample_weight": "w"}),
    ],
)
def test_rows_and_targets_are_found_however_they_are_passed(args, kwargs):
    pytest.importorskip("sklearn.callback", reason="callbacks need scikit-learn >= 1.9")
    listener = Listener()
    toy = Toy().set_callbacks(listener).fit(*args, **kwargs)
    expected = inspect.signature(Toy.fit).bind(toy, *args, **kwargs)
    expected.apply_defaults()
    assert toy.fitted_ == tuple(expected.arguments.values())[1:]
    assert listener.heard == [
        ("setup",),
        ("begin", "fit", "d", "t"),
        ("end", "fit", "d", "t"),
        ("teardown",),
    ]
    assert names(toy) == []


def test_a_fit_that_fails_has_no_end():
    pytest.importorskip("sklearn.callback", reason="callbacks need scikit-learn >= 1.9")
    listener = Listener()
    toy = Toy().set_callbacks(listener)
    with pytest.raises(ZeroDivisionError):
        toy.fit(None)
    assert [event[0] for event in listener.heard] == ["setup", "begin", "teardown"]
    assert names(toy) == []


def test_parameters_are_checked_before_anyone_hears():
    toy = Toy("nonsense")
    with pytest.raises(ValueError, match="wanted"):
        toy.fit("d")
    assert vars(toy) == {"wanted": "nonsense"}


def test_signature_docstring_and_metadata_stay():
    assert list(inspect.signature(Toy.fit).parameters) == [
        "self",
        "documents",
        "y",
        "sample_weight",
        "sample_ids",
    ]
    assert Toy.fit.__doc__ == "Fit."
    assert Toy.fit.__name__ == "fit"
    requests = Toy().get_metadata_routing().fit.requests
    assert requests == {"documents": None, "sample_weight": None, "sample_ids": True}


@pytest.mark.parametrize("model", simple_estimators(), ids=lambda model: type(model).__name__)
def test_every_estimator_announces_its_fit_once(model):
    pytest.importorskip("sklearn.callback", reason="callbacks need scikit-learn >= 1.9")
    rows = make_rows(model, 0)
    y = np.abs(rows.y) + 0.5 if is_regressor(model) else rows.y
    listener = Listener()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model.set_callbacks(listener).fit(rows.X, y)
    # Whoever comes first may have to compile kernels, which is a task within the fit.
    heard = [event for event in listener.heard if event[1:2] != ("compile",)]
    assert [event[0] for event in heard] == ["setup", "begin", "end", "teardown"]
    for _, task, X, heard_y in heard[1:-1]:
        assert task == "fit"
        assert X is rows.X
        assert heard_y is y
    assert names(model) == []


def test_warnings_of_a_fit_name_the_line_that_called_it():
    X = np.arange(8.0).reshape(-1, 1)
    separable = (X[:, 0] > 4).astype(int)
    for fit, match in (
        (lambda: QuantileTransformer().fit(X), "n_quantiles"),
        (lambda: QuantizedKMeans(3).fit(np.zeros_like(X)), "clusters have rows"),
        (lambda: LogisticRegression(C=np.inf, max_iter=2).fit(X, separable), "max_iter"),
    ):
        with pytest.warns(UserWarning, match=match) as caught:
            fit()
        assert {w.filename for w in caught} == {__file__}
