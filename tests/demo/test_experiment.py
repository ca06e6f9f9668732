import copy

import numpy as np
import pytest

from skunlearn._demo._experiment import _told_by_loss, run_experiment
from skunlearn._demo._table import split_table

pytestmark = pytest.mark.fast


@pytest.mark.parametrize("n_classes", [0, 2])
def test_ridge_is_what_retraining_gives(make_table, ridge, n_classes, seed):
    table = make_table(n_classes=n_classes)
    split = split_table(table, seed)
    steps = []
    outcome = run_experiment(ridge, table, split, seed, lambda: steps.append(1))
    assert outcome.as_promised
    assert outcome.difference.largest < 1e-10 < outcome.forgotten_difference.largest
    assert outcome.score_after == pytest.approx(outcome.score_retrained)
    assert outcome.request_seconds.size == 10
    assert 3 <= outcome.refit_seconds.size <= 16
    assert len(steps) >= 10
    assert outcome.two_versions.value > 0.6
    assert (outcome.sorted_difference is None) == (n_classes == 0)


def test_no_op_is_found_out(make_table, no_op, seed):
    table = make_table()
    outcome = run_experiment(no_op, table, split_table(table, seed), seed)
    assert not outcome.as_promised
    assert outcome.difference == outcome.forgotten_difference
    assert outcome.loss_after.value == outcome.loss_before.value
    assert outcome.two_versions.value == 0.5


def test_forgotten_rows_look_never_seen_on_average(make_table, ridge, seed):
    gaps = []
    for number in range(25):
        table = make_table(seed=100 * seed + number)
        split = split_table(table, number)
        rows = split.train
        before = ridge.make().fit(table.X[rows], table.y[rows], sample_ids=table.ids[rows])
        model = copy.deepcopy(before).unlearn([*split.singles, *split.batch])
        _, after = _told_by_loss(ridge, before, model, table, split)
        gaps.append((after.value - 0.5) / after.error)
    assert abs(np.mean(gaps)) < 4 / 5
