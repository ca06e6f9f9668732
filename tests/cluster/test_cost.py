"""Which runs of k-means a request would run again, and how often they would read the rows."""

import copy

import numpy as np
import pytest

from skunlearn.cluster import QuantizedKMeans, _run, _seeding
from skunlearn.exceptions import NotUnlearnableError

pytestmark = pytest.mark.fast


@pytest.fixture
def n_read(monkeypatch):
    """Return a list of how many rows each search for the nearest centre reads."""
    read = []

    def counting(function):
        def counted(X, rows, points):
            read.append(len(rows))
            return function(X, rows, points)

        return counted

    monkeypatch.setattr(_run, "nearest", counting(_run.nearest))
    monkeypatch.setattr(_seeding, "gaps_to", counting(_seeding.gaps_to))
    return read


@pytest.mark.filterwarnings("ignore:Only:sklearn.exceptions.ConvergenceWarning")
@pytest.mark.parametrize("n_init", [1, 3])
def test_passes_and_runs(n_init, n_read, global_random_seed):
    rng = np.random.default_rng(global_random_seed)
    X = rng.normal(size=(400, 2)) + rng.integers(0, 4, (400, 1)) * 4.0
    model = QuantizedKMeans(4, n_init=n_init, quantum=0.1, random_state=0)
    model.fit(X, sample_ids=np.arange(400))
    assert sum(n_read) == pytest.approx(model._n_passes_of_fit() * 400)
    ratios = []
    for n_ids in (1, 1, 1, 5, 20, 60):
        ids = rng.choice(model.sample_ids_, n_ids, replace=False)
        n_held = model.sample_ids_.size
        n_read.clear()
        cost = model.unlearning_cost(ids)
        assert not n_read or max(n_read) <= n_ids
        n_read.clear()
        report = copy.deepcopy(model).unlearn(ids).unlearning_report_
        assert (cost.n_parts_touched, cost.n_parts) == (report.n_refitted, report.n_parts)
        n_passes = sum(n for n in n_read if n > n_ids) / n_held
        assert (cost.n_passes > 0.0) == (n_passes > 0.0)
        if n_passes:
            ratios.append(cost.n_passes / n_passes)
            fit = model._seconds_of_fit(n_held - n_ids)
            share = cost.n_passes * n_held / (n_held - n_ids) / model._n_passes_of_fit()
            assert cost.seconds >= share * fit
    assert len(ratios) >= 2
    assert 0.2 < np.median(ratios) < 5.0


def test_too_few_rows_left_are_refused():
    X = np.arange(10.0)[:, None]
    model = QuantizedKMeans(3, random_state=0).fit(X, sample_ids=np.arange(10))
    for doing in (model.unlearning_cost, model.unlearn):
        with pytest.raises(NotUnlearnableError, match="2 rows for 3 clusters"):
            doing(range(8))
