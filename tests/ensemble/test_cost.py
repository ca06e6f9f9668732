"""What requests would take in ensembles: shards and trees that have to be fitted anew."""

import numpy as np
import pytest
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.tree import DecisionTreeClassifier

from skunlearn.ensemble import (
    SISAClassifier,
    UnlearningForestClassifier,
    UnlearningForestRegressor,
)
from skunlearn.exceptions import NotUnlearnableError

pytestmark = pytest.mark.fast


class Recorder(ClassifierMixin, BaseEstimator):
    """Writes down how many rows each fit gets."""

    n_rows = []

    def fit(self, X, y, sample_weight=None):
        self.n_rows.append(len(y))
        self.classes_ = np.unique(y)
        return self

    def predict(self, X):
        return np.full(len(X), self.classes_[0])


def draw(seed, n=200):
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n, 4))
    return X, (X[:, 0] + rng.normal(size=n) > 0).astype(int)


@pytest.mark.parametrize("weighted", [False, True])
def test_rows_that_shards_would_be_fitted_on(weighted, global_random_seed):
    X, y = draw(global_random_seed)
    rng = np.random.default_rng(global_random_seed)
    weight = rng.integers(0, 3, len(y)).astype(float) if weighted else None
    model = SISAClassifier(Recorder(), n_shards=6, voting="hard", random_state=global_random_seed)
    model.fit(X, y, weight, sample_ids=np.arange(len(y)))
    for n_ids in (1, 3, 30):
        ids = rng.choice(model.sample_ids_, n_ids, replace=False)
        n_held = model.sample_ids_.size
        Recorder.n_rows.clear()
        cost = model.unlearning_cost(ids)
        assert not Recorder.n_rows
        report = model.unlearn(ids).unlearning_report_
        assert cost.n_passes == pytest.approx(sum(Recorder.n_rows) / n_held)
        assert cost.n_parts_touched == len(Recorder.n_rows) == report.n_refitted
        assert (cost.n_parts, cost.part) == (report.n_parts, "shard")


def test_a_shard_that_took_longer_costs_more():
    X, y = draw(0)
    model = SISAClassifier(n_shards=4, random_state=0).fit(X, y, sample_ids=np.arange(200))
    times = np.array(model._times)
    assert (times > 0.0).all()
    model._times = [type(model._times[0])(t) for t in (1.0, 2.0, 3.0, 4.0)]
    costs = [model.unlearning_cost(row) for row in range(200)]
    parts = {cost.seconds for cost in costs}
    left = model.n_samples_per_shard_ - 1
    assert parts == {float(seconds) for seconds in left * [1.0, 2.0, 3.0, 4.0]}


def test_times_follow_their_shards():
    X, y = draw(0)
    model = SISAClassifier(n_shards=12, random_state=0).fit(X, y, sample_ids=np.arange(200))
    seconds = type(model._times[0])
    model._times = [seconds(1.0 + k) for k in range(len(model._times))]
    sizes = model.n_samples_per_shard_
    gone = next(row for row in range(200) if model.unlearning_cost(row).seconds > 6)
    whole = [r for r in range(200) if model.unlearning_cost(r) == model.unlearning_cost(gone)]
    assert len(whole) >= sizes.min()
    before = {
        id(estimator): t for estimator, t in zip(model.estimators_, model._times, strict=True)
    }
    model.unlearn(gone)
    for estimator, t in zip(model.estimators_, model._times, strict=True):
        assert before.get(id(estimator), t) == t


def test_only_weightless_rows_left_are_refused():
    X, y = draw(0)
    model = SISAClassifier(DecisionTreeClassifier(), random_state=0)
    model.fit(X, y, np.arange(200) < 3, sample_ids=np.arange(200))
    for doing in (model.unlearning_cost, model.unlearn):
        with pytest.raises(NotUnlearnableError, match="weight zero"):
            doing([0, 1, 2])


def test_trees_that_would_all_grow_anew(global_random_seed):
    X, y = draw(global_random_seed)
    y[:2] = 2
    model = UnlearningForestClassifier(7, random_state=0).fit(X, y, sample_ids=np.arange(200))
    cost = model.unlearning_cost([0, 1])
    assert cost.n_trees_changed == cost.n_trees == 7
    assert cost.share_of_fit == pytest.approx(0.99)
    assert cost.n_rows_rebuilt == 198 * model._forest.n_per_row
    assert cost.seconds == pytest.approx(model._seconds_per_row * 198)
    report = model.unlearn([0, 1]).unlearning_report_
    assert (report.n_refitted, report.n_parts) == (7, 7)
    assert int(model._forest.trees.first_row[-1]) == cost.n_rows_rebuilt


@pytest.mark.parametrize("cls", [UnlearningForestClassifier, UnlearningForestRegressor])
def test_passes_are_of_rows_that_grow_anew(cls, global_random_seed):
    X, y = draw(global_random_seed)
    model = cls(9, random_state=0).fit(X, y, sample_ids=np.arange(200))
    cost = model.unlearning_cost(range(20))
    removal = model._unlearn(np.arange(20))
    assert cost.n_passes == cost.n_rows_rebuilt / 200 == removal.n_passes
    assert cost.n_parts_touched == removal.n_refitted
