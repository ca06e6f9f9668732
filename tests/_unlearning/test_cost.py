"""What a request would take: the record of it, and the question that every unlearner answers."""

import pickle
import threading

import numpy as np
import pytest
from sklearn.exceptions import NotFittedError

from skunlearn._unlearning.report import StepReport
from skunlearn.base import Removal, UnlearningCost
from skunlearn.ensemble import SISAClassifier, UnlearningForestClassifier
from skunlearn.exceptions import NotUnlearnableError, UnknownSampleError
from skunlearn.feature_selection import VarianceThreshold
from skunlearn.impute import SimpleImputer
from skunlearn.linear_model import Ridge
from skunlearn.naive_bayes import GaussianNB
from skunlearn.neighbors import NearestCentroid
from skunlearn.preprocessing import PowerTransformer, StandardScaler
from tests.utils._broken import Toy

pytestmark = pytest.mark.fast

COST = UnlearningCost(
    "Pipeline", 2, 1234, 1, 3, "part", 0.5, 0.0025, (StepReport("ridge", "refitted", 0.002),)
)


def draw(seed, n=80, d=3):
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n, d))
    return X, (X[:, 0] + rng.normal(size=n) > 0).astype(int)


def test_text():
    assert str(COST).splitlines() == [
        "Pipeline.unlearning_cost",
        "  ids requested   2",
        "  rows to remove  1,234",
        "  parts to refit  1 of 3",
        "  passes          0.5",
        "  time            2.5 ms",
        "  step ridge      refitted, 2 ms",
    ]
    assert "<caption" in COST._repr_html_()
    assert "1,234" in COST._repr_html_()


def test_frame_has_a_column_per_number():
    pytest.importorskip("pandas")
    frame = COST.to_frame()
    assert frame.shape == (1, 8)
    assert frame["n_rows"].iloc[0] == 1234
    assert frame["seconds"].iloc[0] == 0.0025


def test_costs_are_compared_but_for_times():
    assert UnlearningCost(n_rows=3, seconds=1.0) == UnlearningCost(n_rows=3, seconds=2.0)
    assert UnlearningCost(n_rows=3) != UnlearningCost(n_rows=4)
    assert pickle.loads(pickle.dumps(COST)) == COST


def test_an_estimator_that_says_nothing_is_asked_by_working_it_out(global_random_seed):
    X, y = draw(global_random_seed)
    cost = Toy(0).fit(X, y, sample_ids=np.arange(80)).unlearning_cost([3, 3, 5])
    assert cost == UnlearningCost("Toy", 2, 2, 1, 1)
    assert cost.seconds > 0.0


class CountsItsPasses(Toy):
    def _unlearn(self, rows):
        return Removal(self._model(self._samples.slots_without(rows)), n_refitted=1, n_passes=3.0)


def test_passes_are_those_of_the_removal(global_random_seed):
    X, y = draw(global_random_seed)
    model = CountsItsPasses(0).fit(X, y, sample_ids="row numbers")
    assert model.unlearning_cost(7).n_passes == 3.0


def test_an_empty_request_costs_nothing():
    X, y = draw(0)
    for model in (Ridge(), UnlearningForestClassifier(3), SISAClassifier()):
        cost = model.fit(X, y).unlearning_cost([])
        assert cost.n_ids == cost.n_rows == cost.n_parts_touched == cost.seconds == 0
        assert cost.estimator == type(model).__name__


def test_what_a_request_would_raise_is_raised():
    X, y = draw(0)
    model = Ridge().fit(X, y, sample_ids=np.arange(80))
    with pytest.raises(UnknownSampleError, match="81"):
        model.unlearning_cost([1, 81])
    with pytest.raises(NotUnlearnableError, match="all 80"):
        model.unlearning_cost(range(80))
    with pytest.raises(ValueError, match="boolean"):
        model.unlearning_cost(np.ones(80, dtype=bool))
    predictor = Toy(0).fit(X, y).to_predictor()
    with pytest.raises(NotUnlearnableError, match="no training rows"):
        predictor.unlearning_cost(0)
    with pytest.raises(NotFittedError):
        Ridge().unlearning_cost(0)


def test_callbacks_hear_nothing():
    pytest.importorskip("sklearn.callback", reason="callbacks need scikit-learn >= 1.9")
    from tests.ensemble.test_sisa_callbacks import Listener

    X, y = draw(0)
    for model in (
        SISAClassifier(random_state=0),
        UnlearningForestClassifier(3),
        PowerTransformer(),
    ):
        listener = Listener()
        model.set_callbacks(listener).fit(X, y)
        listener.heard.clear()
        model.unlearning_cost([1, 2])
        assert not listener.heard
        model.unlearn([1, 2])
        assert listener.heard


def test_a_refit_is_counted_and_not_made(monkeypatch, global_random_seed):
    X, _ = draw(global_random_seed)
    model = PowerTransformer().fit(X, sample_ids=np.arange(80))

    def refuse(*args):
        raise AssertionError("fitted")

    monkeypatch.setattr(PowerTransformer, "_attributes", refuse)
    cost = model.unlearning_cost([3, 4])
    assert (cost.n_parts_touched, cost.n_passes) == (1, 78 / 80)
    assert cost.seconds == pytest.approx(model._seconds_per_row * 78)


def test_it_is_asked_while_nobody_unlearns():
    X, y = draw(0)
    model = Ridge().fit(X, y, sample_ids=np.arange(80))
    told = []
    asking = threading.Thread(target=lambda: told.append(model.unlearning_cost(3)))
    with model._samples.lock:
        asking.start()
        asking.join(0.05)
        assert not told
    asking.join()
    assert told[0].n_rows == 1


def test_what_recomputes_from_rows_says_that_it_reads_them(global_random_seed):
    X, y = draw(global_random_seed)
    X[5] *= 1e9
    for model in (StandardScaler(), SimpleImputer(), GaussianNB(), VarianceThreshold()):
        model.fit(X, y, sample_ids=np.arange(80))
        plain, outlier = model.unlearning_cost(6), model.unlearning_cost(5)
        assert (plain.n_parts_touched, plain.n_passes) == (0, 0.0)
        assert outlier.n_parts_touched > 0
        assert outlier.n_passes >= 79 / 80
    model = NearestCentroid(metric="manhattan").fit(X, y, sample_ids=np.arange(80))
    n_of_class = np.count_nonzero(y == y[6])
    assert model.unlearning_cost(6).n_passes == pytest.approx((n_of_class - 1) / 80)
