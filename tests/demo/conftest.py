import numpy as np
import pytest
import sklearn.linear_model

from skunlearn._demo._models import Contender
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
def no_op():
    return Contender("no-op", NoOpRidge, sklearn.linear_model.Ridge(), squared=True)
