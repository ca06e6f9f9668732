from dataclasses import replace

import numpy as np
import pytest

from skunlearn._demo._table import DemoError, find_ids, split_table

pytestmark = pytest.mark.fast


@pytest.mark.parametrize("rows_per_id", [1, 3])
def test_all_rows_of_an_id_are_on_one_side(make_table, rows_per_id, seed):
    table = make_table(n=600, rows_per_id=rows_per_id)
    split = split_table(table, seed)
    sides = [set(table.ids[rows]) for rows in (split.train, split.heldout, split.attacker)]
    assert sum(map(len, sides)) == len(set(table.ids))
    assert len(set.union(*sides)) == len(set(table.ids))
    assert np.concatenate([split.train, split.heldout, split.attacker]).size == 600
    named = [*split.singles, *split.batch, *split.extra]
    assert len(set(named)) == len(named)
    assert set(named) <= sides[0]
    assert sorted(table.ids[split.never_seen]) == sorted(sides[1])


def test_one_percent_then_five_percent(make_table):
    split = split_table(make_table(n=8000), 0)
    assert (len(split.singles), len(split.batch), len(split.extra)) == (40, 200, 0)
    small = split_table(make_table(n=200), 0)
    assert (len(small.singles), len(small.batch)) == (10, 5)
    assert len(small.extra) == 70 - 15


def test_named_ids_are_trained_on_and_forgotten_first(make_table, seed):
    table = make_table()
    wanted = ["1150", "1003", "1150"]
    split = split_table(table, seed, forget=wanted)
    assert split.singles == [1150, 1003]
    assert {1150, 1003} <= set(table.ids[split.train])
    assert not {1150, 1003} & {*split.batch, *split.extra}


def test_unknown_id_is_named(make_table):
    with pytest.raises(DemoError, match=r"toy: id 'nobody' is not in the table .*1000"):
        find_ids(make_table(), ["1001", "nobody"])


def test_too_few_ids(make_table):
    with pytest.raises(DemoError, match=r"toy: 50 distinct ids .* at least 60"):
        split_table(make_table(n=100, rows_per_id=2), 0)


def test_every_class_is_on_every_side(make_table, seed):
    table = make_table(n=200, n_classes=5)
    split = split_table(table, seed)
    for rows in (split.train, split.heldout, split.attacker):
        assert set(table.y[rows]) == set(range(5))


def test_classes_are_forgotten_evenly(make_table, seed):
    table = make_table(n=400, n_classes=4)
    split = split_table(table, seed)
    forgotten = [table.row_of[i] for i in (*split.singles, *split.batch, *split.extra)]
    counts = np.bincount(table.y[forgotten])
    assert np.ptp(counts) <= 2


def test_forgetting_a_class(make_table):
    table = make_table(n=400)
    ids = table.ids[table.y == 1].astype(str).tolist()
    with pytest.raises(DemoError, match="would leave one class of target only"):
        split_table(table, 0, forget=ids)


def test_too_few_ids_of_a_class(make_table):
    table = make_table()
    table = replace(table, y=(np.arange(200) < 9).astype(int))
    with pytest.raises(DemoError, match="two classes of at least 10 ids"):
        split_table(table, 0)
