import pytest

from skunlearn._demo._ways import MAX_GROUPS, group_ways, ways_of
from skunlearn.base import Guarantee, StepReport, UnlearningReport

pytestmark = pytest.mark.fast


def report(*steps, **counts):
    steps = tuple(StepReport(name, way, 0.0) for name, way in steps)
    return UnlearningReport("Model", 1, 1, 9, 0.1, Guarantee("bitwise"), steps=steps, **counts)


def test_innermost_steps_are_counted_the_cheapest_first():
    found = report(
        ("columns", "unlearned"),
        ("columns__numbers", "unlearned"),
        ("columns__numbers__scaler", "unlearned"),
        ("columns__texts", "unchanged"),
        ("model", "pushed through"),
        ("model2", "unlearned"),
    )
    assert ways_of(found) == "1 unchanged, 2 unlearned, 1 pushed through"


def test_models_without_steps():
    assert ways_of(report()) == "1 unlearned"
    assert ways_of(report(n_refitted=1)) == "1 refitted"
    assert ways_of(report(n_refitted=1, n_parts=5, part="shard")) == "1 of 5 shards refitted"
    assert ways_of(report(n_parts=5, part="shard")) == "1 unlearned"


def test_requests_of_one_way_are_grouped():
    cheap, dear = report(("a", "unlearned")), report(("a", "refitted"))
    groups = group_ways([dear, cheap, cheap], dear)
    assert [(g.ways, g.n_singles, g.batch) for g in groups] == [
        ("1 unlearned", 2, False),
        ("1 refitted", 1, True),
    ]
    groups = group_ways([cheap], dear)
    assert [(g.ways, g.n_singles, g.batch) for g in groups] == [
        ("1 unlearned", 1, False),
        ("1 refitted", 0, True),
    ]


def test_many_ways_are_cut_short():
    singles = [report(n_refitted=n, n_parts=9, part="tree") for n in range(1, 8)]
    groups = group_ways([singles[0], *singles], singles[0])
    assert len(groups) == MAX_GROUPS
    assert sum(g.n_singles for g in groups) == 8
    assert (groups[0].ways, groups[0].batch) == ("1 of 9 trees refitted", True)
    assert groups[-1].ways == "other ways"
