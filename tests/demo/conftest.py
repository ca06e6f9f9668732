from dataclasses import replace

import numpy as np
import pytest
import sklearn.linear_model

from skunlearn._demo._models import Contender
from skunlearn._demo._pipelines import prepared
from skunlearn._demo._table import Table
from skunlearn.base import Guarantee, UnlearningReport
from skunlearn.linear_model import Ridge


class NoOpRidge(sklearn.linear_model.Ridge):
    """Says it forgets, and does not."""

    def fit(self, X, y, sample_ids=None):
        self.sample_ids_ = np.asarray(sample_ids)
        return super().fit(X, y)

    def unlearn(self, sample_ids):
        gone = np.isin(self.sample_ids_, np.atleast_1d(sample_ids))
        self.sample_ids_ = self.sample_ids_[~gone]
        left, n_gone = gone.size - gone.sum(), gone.sum()
        guarantee = Guarantee("none")
        self.unlearning_report_ = UnlearningReport("NoOp", 1, n_gone, left, 0.0, guarantee)
        return self


@pytest.fixture(params=[0, 7])
def seed(request):
    return request.param


@pytest.fixture
def make_table():
    def make(n=200, n_classes=2, seed=0, rows_per_id=1, name="toy"):
        rng = np.random.default_rng(seed)
        X = rng.normal(size=(n, 4))
        signal = X[:, 0] + 0.5 * rng.normal(size=n)
        classes = tuple(f"class {c}" for c in range(n_classes))
        y = signal
        if n_classes:
            cuts = np.quantile(signal, np.arange(1, n_classes) / n_classes)
            y = np.searchsorted(cuts, signal)
        ids = np.arange(n) // rows_per_id + 1000
        return Table(name, "made for tests", X, y, ids, "target", classes)

    return make


@pytest.fixture
def ridge():
    return Contender("Ridge", Ridge, sklearn.linear_model.Ridge(), squared=True)


@pytest.fixture
def piped_ridge():
    return Contender(
        "piped Ridge",
        lambda: prepared("skunlearn", Ridge(), scaler="standard"),
        prepared("sklearn", sklearn.linear_model.Ridge(), scaler="standard"),
        squared=True,
    )


@pytest.fixture
def make_mixed(make_table):
    """Make tables of numbers and texts with missing values."""
    pd = pytest.importorskip("pandas")

    def make(n=300, n_classes=2, seed=0):
        table = make_table(n, n_classes, seed, rows_per_id=2, name="mixed")
        rng = np.random.default_rng([seed, 1])
        frame = pd.DataFrame(table.X, columns=list("abcd")).round({"b": 0})
        frame["empty"] = np.nan
        texts = {
            "colour": rng.choice(["red", "green", "blue"], n),
            "rare": np.where(np.arange(n) < 2, "secret", "common"),
            "many": np.array([f"shop {i % 70}" for i in range(n)]),
        }
        for name, values in texts.items():
            frame[name] = pd.Series(values, dtype=object)
        for name in ("b", "colour"):
            frame.loc[rng.random(n) < 0.1, name] = np.nan
        return replace(table, X=frame)

    return make


@pytest.fixture
def no_op():
    return Contender("no-op", NoOpRidge, sklearn.linear_model.Ridge(), squared=True)
