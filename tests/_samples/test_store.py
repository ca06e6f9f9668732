"""The sample store: ids to rows, rows by value, removal, compaction, pickles."""

from __future__ import annotations

import copy
import pickle
import uuid

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import sparse

from skunlearn._samples.ids import SampleIds, as_keys, check_sample_ids
from skunlearn._samples.store import SampleStore
from skunlearn._samples.tables import own
from skunlearn.exceptions import UnknownSampleError

pytestmark = pytest.mark.fast


def remove(store, rows):
    state, wipe_rows = store.remove(rows)
    store.__dict__.update(state)
    wipe_rows()
    store.compact_if_sparse()


def make_store(ids=None, n_rows=None, kind=np.asarray, seed=0):
    n_rows = len(ids) if n_rows is None else n_rows
    rng = np.random.default_rng(seed)
    X = kind(rng.integers(0, 3, size=(n_rows, 2)).astype(float))
    ids = check_sample_ids(ids, X, n_rows)
    return SampleStore(X, rng.normal(size=n_rows), rng.random(n_rows), ids)


def resolve(store, request):
    n_ids, rows = store.resolve(request)
    assert rows.dtype == np.intp
    return n_ids, rows.tolist()


@pytest.mark.parametrize("n_before", [0, 3])
def test_default_ids_are_row_numbers(n_before):
    store = make_store(n_rows=10)
    remove(store, np.arange(n_before))
    assert store.ids.tolist() == list(range(n_before, 10))
    assert resolve(store, [7, 4, 7.0, np.int8(4)]) == (2, [4, 7])
    assert resolve(store, 9) == (1, [9])
    assert resolve(store, []) == (0, [])
    for unknown in (-1, 10, "4", 4.5, 2**70, *range(n_before)):
        with pytest.raises(UnknownSampleError):
            store.resolve([5, unknown])
    assert store.resolve([5, 10, -1], strict=False)[1].tolist() == [5]


@pytest.mark.parametrize(
    ("ids", "request_", "rows"),
    [
        (["ann", "bob", "cem"], "bob", [1]),
        (["ann", "bob", "cem"], ("cem", "ann"), [0, 2]),
        (["ann", 1, "1"], [1], [1]),
        (["ann", 1, "1"], ["1"], [2]),
        ([1.0, 2.5, 3.0], 1, [0]),
        ([1.0, 2.5, 3.0], np.float32(2.5), [1]),
        ([("a", 1), ("a", 2), ("b", 1)], ("a", 2), [1]),
        ([("a", 1), ("a", 2), ("b", 1)], [("b", 1), ("a", 1)], [0, 2]),
        ([("a", 1), ("a", 2), ("b", 1)], (("b", 1.0), ("a", 1)), [0, 2]),
        (np.array([2**63 + 5, 1, 2], dtype=np.uint64), 2**63 + 5, [0]),
        ([uuid.UUID(int=i) for i in range(3)], uuid.UUID(int=2), [2]),
        (np.array(["a", "bb", "a"]), "a", [0, 2]),
        ([5, 3, 5], {5}, [0, 2]),
        (np.array(["2024-01-01", "2024-01-02"], "M8[D]"), np.datetime64("2024-01-02T00"), [1]),
        (range(5, 8), range(6, 8), [1, 2]),
    ],
)
def test_requests_find_their_rows(ids, request_, rows):
    store = make_store(list(ids) if isinstance(ids, range) else ids, len(ids))
    assert resolve(store, request_)[1] == rows
    for _ in range(2):
        store = pickle.loads(pickle.dumps(store))
        assert resolve(store, request_)[1] == rows


def test_a_tuple_of_ids_is_a_collection_unless_ids_are_tuples():
    store = make_store(["ann", "bob", ("ann", "bob")])
    assert resolve(store, [("ann", "bob")])[1] == [2]
    assert resolve(store, ("ann", "bob"))[1] == [2]
    assert resolve(make_store(["ann", "bob"]), ("ann", "bob"))[1] == [0, 1]


@pytest.mark.parametrize("module", ["pandas", "polars"])
def test_series_are_requests(module):
    frames = pytest.importorskip(module)
    store = make_store([5, 3, 5, 8])
    assert resolve(store, frames.Series([5, 8, 5])) == (2, [0, 2, 3])
    store = make_store(frames.Series(["x", "y", "x"]), 3)
    assert resolve(store, frames.Series(["x"])) == (1, [0, 2])


def test_a_multi_index_and_aware_times_are_ids():
    pd = pytest.importorskip("pandas")
    pairs = pd.MultiIndex.from_tuples([("a", 1), ("a", 2)])
    assert resolve(make_store(pairs), ("a", 2))[1] == [1]
    assert resolve(make_store(pairs), pairs[:1])[1] == [0]
    times = pd.date_range("2024-01-01", periods=3, tz="Europe/Berlin")
    store = make_store(times)
    assert resolve(store, times[1])[1] == [1]
    assert resolve(store, times.tz_convert("Asia/Tokyo"))[1] == [0, 1, 2]
    assert list(store.ids) == list(times)


def test_unknown_ids_are_counted_and_named():
    store = make_store(["ann", "bob"])
    with pytest.raises(UnknownSampleError, match=r"2 of 3 requested ids.*'eve', 5") as error:
        store.resolve(["eve", "ann", 5, "eve"])
    assert error.value.n_unknown == 2


def test_a_million_ids_resolve():
    rng = np.random.default_rng(0)
    ids = rng.permutation(10**7)[: 10**6]
    X = np.zeros((10**6, 1))
    chosen = rng.permutation(10**6)[:1000]
    for held in (ids, ids.astype("U7")):
        store = SampleStore(X, None, None, SampleIds(held))
        np.testing.assert_array_equal(store.resolve(held[chosen])[1], np.sort(chosen))
        with pytest.raises(UnknownSampleError):
            store.resolve(10**7)
    store = SampleStore(X)
    np.testing.assert_array_equal(store.resolve(chosen)[1], np.sort(chosen))


def test_many_rows_under_one_id_are_discarded_together():
    store = make_store(["crowd"] * 30_000 + ["ann"])
    n_ids, rows = store.resolve("crowd")
    assert (n_ids, rows.size) == (1, 30_000)
    remove(store, rows)
    assert store.ids.tolist() == ["ann"]
    with pytest.raises(UnknownSampleError):
        store.resolve("crowd")


@pytest.mark.parametrize("kind", [np.asarray, sparse.csr_array])
@pytest.mark.parametrize("ids", [None, "words"])
def test_removed_rows_are_overwritten(kind, ids):
    ids = None if ids is None else np.array([f"person {i}" for i in range(8)])
    store = make_store(ids, 8, kind)
    X, y, weight = store.X, store.y, store.sample_weight
    store.resolve(store.ids[:1])
    store.find(store.X[[0]])
    kept = store.take(np.array([0, 2, 4, 6, 7]))
    gone = np.array([1, 3, 5])
    remove(store, gone)
    dense = X.toarray() if sparse.issparse(X) else X
    assert not dense[gone].any()
    assert not y[gone].any()
    assert not weight[gone].any()
    if ids is not None:
        assert (store.ids_of(gone) == "").all()
        assert "person 3" not in pickle.dumps(store).decode("latin1")
    assert store.n_samples == 5
    for ours, namesake in zip(store.take(store.slots()), kept, strict=True):
        difference = ours != namesake
        assert not (difference.nnz if sparse.issparse(difference) else difference.any())


def test_ids_returned_are_the_callers_own():
    for n_removed in (0, 1):
        store = make_store(["a", "b", "c"])
        remove(store, np.arange(n_removed))
        store.ids[:] = "z"
        assert "z" not in store.ids
    store = make_store(n_rows=3)
    store.ids[:] = 7
    assert store.ids.tolist() == [0, 1, 2]


@pytest.mark.parametrize("ids", [None, "words"])
def test_compaction_keeps_ids_and_rows(ids):
    ids = None if ids is None else [f"person {i}" for i in range(100)]
    store = make_store(ids, 100)
    X = store.X.copy()
    expected = store.ids
    for start in range(0, 60, 6):
        rows = store.resolve(expected[start : start + 6])[1]
        remove(store, rows)
        assert store.ids.tolist() == expected[start + 6 :].tolist()
        np.testing.assert_array_equal(store.take(store.slots())[0], X[start + 6 :])
    assert store.n_slots < 100
    store.compact()
    assert store.n_slots == store.n_samples == 40
    assert resolve(store, expected[60])[1] == [0]


def test_small_stores_are_compacted_on_request_and_in_pickles():
    store = make_store(list("abcdefgh"))
    remove(store, np.arange(6))
    assert store.n_slots == 8
    assert pickle.loads(pickle.dumps(store)).n_slots == 2
    assert copy.deepcopy(store).n_slots == 2
    assert store.n_slots == 8
    assert store.ids.tolist() == ["g", "h"]


def test_copies_are_independent():
    store = make_store(list("abc"))
    twin = copy.deepcopy(store)
    remove(twin, np.array([0]))
    assert store.ids.tolist() == list("abc")
    assert twin.lock is not store.lock


def test_preparing_a_removal_changes_nothing(monkeypatch):
    store = make_store(list("abcd"))
    store.resolve("a")
    store.find(store.X)
    before = pickle.dumps(store)
    state, wipe_rows = store.remove(np.array([1, 2]))
    assert pickle.dumps(store) == before
    assert resolve(store, "b")[1] == [1]
    store.__dict__.update(state)
    for _ in range(2):  # as after an interruption
        wipe_rows()
        assert store.ids.tolist() == ["a", "d"]


def test_a_failure_to_compact_is_no_failure_to_remove(monkeypatch):
    store = make_store(n_rows=100)

    def fail(self):
        raise MemoryError

    monkeypatch.setattr(SampleStore, "compact", fail)
    remove(store, np.arange(50))
    assert store.ids.tolist() == list(range(50, 100))


@pytest.mark.parametrize("kind", [np.asarray, sparse.csr_array])
def test_rows_are_found_by_value_and_target(kind):
    X = np.array([[1.0, 2.0], [0.0, np.nan], [1.0, 2.0], [-0.0, np.nan], [3.0, 0.0]])
    y = np.array([0.0, 1.0, 2.0, 1.0, 0.0])
    store = SampleStore(kind(X.copy()), y)
    assert store.find(kind(X[:1])).tolist() == [0, 2]
    assert store.find(kind(X[:1]), y[:1]).tolist() == [0]
    assert store.find(kind(X[1:2])).tolist() == [1, 3]
    assert store.find(kind(np.array([[9.0, 9.0]]))).size == 0
    remove(store, np.array([0]))
    assert store.find(kind(X[:1])).tolist() == [2]
    assert store.find(kind(X)).tolist() == [1, 2, 3, 4]


@given(
    ids=st.lists(st.one_of(st.integers(0, 6), st.sampled_from("abc")), min_size=1, max_size=90),
    data=st.data(),
)
def test_a_store_behaves_like_a_list_of_pairs(ids, data):
    store = make_store(ids)
    rows = [tuple(row) for row in store.X]
    model = list(zip(as_keys(ids), rows, strict=True))
    while model:
        held = sorted({i for i, _ in model}, key=str)
        request = data.draw(st.lists(st.sampled_from(held), min_size=1, max_size=2))
        n_ids, slots = store.resolve(request)
        assert n_ids == len(set(request))
        assert [tuple(row) for row in store.X[slots]] == [r for i, r in model if i in request]
        assert slots.size + store.slots_without(slots).size == len(model)
        target = data.draw(st.sampled_from(rows))
        found = store.find(np.array([target]))
        assert as_keys(store.ids_of(found)) == [i for i, r in model if r == target]
        remove(store, slots)
        model = [(i, r) for i, r in model if i not in request]
        assert as_keys(store.ids) == [i for i, _ in model]
        if data.draw(st.booleans()):
            store = pickle.loads(pickle.dumps(store))


def test_size_counts_every_array():
    store = make_store(n_rows=1000)
    assert store.__sizeof__() == store.X.nbytes + store.y.nbytes + store.sample_weight.nbytes


def parts_of(thing, path=""):
    """List all that a pickle of an object holds, part by part."""
    if sparse.issparse(thing):
        thing = {k: v for k, v in vars(thing).items() if k not in ("maxprint", "_maxprint")}
    if isinstance(thing, np.ndarray):
        return [(path, thing.dtype, thing.shape, thing.flags.c_contiguous, thing.tolist())]
    state = thing.__getstate__() if hasattr(thing, "__dict__") else thing
    if isinstance(state, dict):
        return [part for key in sorted(state) for part in parts_of(state[key], f"{path}.{key}")]
    if isinstance(state, list):
        return [part for at, item in enumerate(state) for part in parts_of(item, f"{path}[{at}]")]
    return [(path, type(thing), repr(thing))]


IDS = {
    "numbers": np.array([7, 3, 99, 4, 7, 12, 5, 8]),
    "words": np.array(["a", "bb", "Eve-Canary", "d", "bb", "f", "g", "h"]),
    "bytes": np.array([b"a", b"bb", b"Eve-Canary", b"d", b"bb", b"f", b"g", b"h"]),
    "a word among numbers": np.array([1, 2, "Eve-Canary", 4, 1, 6, 7, 8], dtype=object),
    "a large number": [1, 2, 2**63, 4, 1, 6, 7, 8],
    "a fraction": [1, 2, 2.5, 4, 1, 6, 7, 8],
    "a tuple": [1, 2, ("Eve", 1), "d", 1, 6, 7, 8],
    "tuples": [(1, 2), (3, 4), ("Eve", 1), (5, 6), (1, 2), (7, 8), (9, 10), (11, 12)],
    "times": np.array([f"2024-01-0{day}" for day in range(1, 9)], dtype="M8[D]"),
}
TABLES = {
    "dense": np.ascontiguousarray,
    "sparse": sparse.csr_array,
    "objects": lambda X: X.astype(object),
}


@pytest.mark.parametrize("kind", TABLES)
@pytest.mark.parametrize("ids", IDS.values(), ids=IDS)
@pytest.mark.parametrize("order", [[[2]], [[2], [4, 5]], [[4], [2, 5]], [[5, 4, 2]]])
def test_after_any_requests_a_store_holds_what_a_fresh_one_would(kind, ids, order):
    rng = np.random.default_rng(0)
    X = np.round(rng.normal(size=(8, 3)) * (rng.random((8, 3)) < 0.5), 2)
    weight, counts = rng.random(8), rng.integers(9, size=8)

    def made_of(rows):
        part = ids[rows] if isinstance(ids, np.ndarray) else [ids[row] for row in rows]
        table = own(TABLES[kind](X[rows]), None)
        held = check_sample_ids(part, table, len(rows))
        store = SampleStore(table, X[rows, 0].copy(), weight[rows], held)
        store.extras["counts"] = counts[rows].copy()
        return store

    every = np.arange(8)
    store = made_of(every)
    store.resolve(store.ids[0])
    store.find(own(TABLES[kind](X[:1]), None))
    store.id_hashes()
    for rows in order:
        remove(store, np.sort(rows))
    fresh = made_of(np.setdiff1d(every, np.concatenate(order)))
    assert store.ids.dtype == fresh.ids.dtype
    assert store.ids.tolist() == fresh.ids.tolist()
    assert parts_of(store) == parts_of(fresh)
    assert parts_of(pickle.loads(pickle.dumps(store))) == parts_of(fresh)
    lone = tuple(store.ids[:2].tolist())
    found = [s.resolve(lone, strict=False)[0] for s in (store, fresh)]
    assert found[0] == found[1]


def test_row_numbers_before_the_last_are_as_if_there_had_been_no_more_rows():
    store, fresh = make_store(n_rows=6), make_store(n_rows=5)
    remove(store, np.array([5]))
    assert parts_of(store._ids) != parts_of(fresh._ids)
    store.compact()
    assert parts_of(store._ids) == parts_of(fresh._ids)
    assert store.id_source == "row numbers"


def test_extras_are_overwritten_squeezed_and_copied_like_rows():
    store = make_store(n_rows=6)
    counts = store.extras["counts"] = np.arange(1, 7)
    assert store.with_table(store.X).extras["counts"] is not counts
    remove(store, np.array([1, 4]))
    assert counts.tolist() == [1, 0, 3, 4, 0, 6]
    assert pickle.loads(pickle.dumps(store)).extras["counts"].tolist() == [1, 3, 4, 6]
    store.compact()
    assert store.extras["counts"].tolist() == [1, 3, 4, 6]
    store.wipe()
    assert not store.extras["counts"].any()


def test_a_twin_leaves_no_mark():
    store = make_store(["ann", "bob", "ann", "bob", "ann"])
    store.resolve("ann")
    remove(store, np.array([2, 3, 4]))
    fresh = make_store(["ann", "bob"])
    fresh.resolve("ann")
    assert store._ids._positions._slots == fresh._ids._positions._slots


def test_a_store_knows_whether_its_ids_are_doubtful():
    for given_ids, source, doubtful in (
        (None, "row numbers", True),
        ("row numbers", "row numbers", False),
        (list("abc"), "sample_ids", False),
    ):
        store = make_store(given_ids, 3)
        remove(store, np.array([0]))
        for one in (store, pickle.loads(pickle.dumps(store)), store.with_table(store.X)):
            assert (one.id_source, one.ids_are_doubtful) == (source, doubtful)
            with pytest.raises(UnknownSampleError, match=source) as error:
                one.resolve("eve")
            assert error.value.id_source == source


def test_more_rows_keep_their_ids_in_the_dtype_of_all():
    more = {"y": np.zeros(2), "sample_weight": np.zeros(2), "sample_ids": np.array(["x", "yyy"])}
    for ids, dtype in ((list("abc"), object), (np.array(list("abc")), "U3"), (None, object)):
        store = make_store(ids, 3)
        remove(store, np.array([0]))
        both = store.extended(np.zeros((2, 2)), **more)
        assert both.ids.dtype == dtype
        assert both.ids.tolist() == [*store.ids.tolist(), "x", "yyy"]
        remove(both, np.array([3, 4]))
        assert both.ids.tolist() == store.ids.tolist()
        assert both.ids.dtype == store.ids.dtype
