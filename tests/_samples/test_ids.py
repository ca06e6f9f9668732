"""What is an id, and which ids are the same."""

from __future__ import annotations

import datetime
import uuid

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from skunlearn._samples.ids import (
    Kind,
    as_keys,
    canonical_key,
    check_sample_ids,
    joined_ids,
    shown,
)

pytestmark = pytest.mark.fast

PERSON = uuid.UUID(int=5)
NOON = datetime.datetime(2024, 2, 29, 12, 0)
BERLIN = datetime.timezone(datetime.timedelta(hours=1))


@pytest.mark.parametrize(
    "same",
    [
        [1, np.int8(1), np.uint64(1), 1.0, np.float32(1.0)],
        ["1", np.str_("1")],
        [b"1", np.bytes_(b"1")],
        [0.5, np.float64(0.5), np.float32(0.5)],
        [0, -0.0],
        [2**70, float(2**70)],
        [PERSON, uuid.UUID(str(PERSON))],
        [
            NOON,
            np.datetime64(NOON),
            np.datetime64("2024-02-29T12"),
            np.datetime64("2024-02-29T12:00:00.000000000"),
            NOON.replace(tzinfo=datetime.UTC),
            datetime.datetime(2024, 2, 29, 13, 0, tzinfo=BERLIN),
        ],
        [datetime.date(2024, 2, 29), datetime.datetime(2024, 2, 29), np.datetime64("2024-02-29")],
        [datetime.date(2024, 2, 1), np.datetime64("2024-02")],
        [datetime.timedelta(seconds=2), np.timedelta64(2, "s"), np.timedelta64(2 * 10**9, "ns")],
        [("a", 1), ("a", 1.0), (np.str_("a"), np.int64(1))],
        [(NOON, (1,)), (np.datetime64(NOON), (1.0,))],
    ],
)
def test_equal_ids_share_a_key(same):
    keys = [canonical_key(value) for value in same]
    assert len(set(keys)) == 1
    assert len({type(key) for key in keys}) == 1


def test_different_ids_have_different_keys():
    ids = [
        1,
        "1",
        b"1",
        1.5,
        (1,),
        ("1",),
        (1, 2),
        ((1,), 2),
        PERSON,
        str(PERSON),
        np.datetime64(1, "ns"),
        np.timedelta64(1, "ns"),
        np.inf,
        -np.inf,
        "",
        (),
    ]
    assert len({canonical_key(value) for value in ids}) == len(ids)


def test_times_beyond_64_bits_of_nanoseconds_stay_distinct():
    far = np.array(["3000-01-01", "2415-06-09T00:25:26.290448384"], dtype="datetime64[us]")
    assert as_keys(far) == [canonical_key(value) for value in far]
    assert as_keys(far)[0][1] == 32503680000 * 10**9
    assert canonical_key(datetime.datetime(3000, 1, 1)) == as_keys(far)[0]
    assert shown(as_keys(far)[0]) == "3000-01-01T00:00:00"


@pytest.mark.parametrize(
    "missing",
    [None, np.nan, np.float32("nan"), np.datetime64("NaT"), np.timedelta64("NaT"), ("a", None)],
)
def test_missing_values_are_no_ids(missing):
    with pytest.raises(ValueError, match="missing"):
        canonical_key(missing)
    with pytest.raises(ValueError, match="missing"):
        as_keys([1, missing])
    with pytest.raises(ValueError, match="missing"):
        check_sample_ids([1, missing], None, 2)


def test_pandas_missing_values_are_no_ids():
    pd = pytest.importorskip("pandas")
    for missing in (pd.NA, pd.NaT):
        with pytest.raises(ValueError, match="missing"):
            canonical_key(missing)
    for series in (pd.Series([1, None], dtype="Int64"), pd.Series(["a", None])):
        with pytest.raises(ValueError, match="missing"):
            as_keys(series)
        with pytest.raises(ValueError, match="missing"):
            check_sample_ids(series, None, 2)


def test_masked_entries_are_missing():
    masked = np.ma.array([1, 2], mask=[False, True])
    for action in (as_keys, lambda ids: check_sample_ids(ids, None, 2)):
        with pytest.raises(ValueError, match="missing"):
            action(masked)
    assert as_keys(np.ma.array([1, 2])) == [1, 2]


@pytest.mark.parametrize("value", [True, np.True_, 1j, object(), [1], {"a": 1}, range(2)])
def test_other_things_are_no_ids(value):
    with pytest.raises(ValueError, match="id"):
        canonical_key(value)


@pytest.mark.parametrize(
    ("request_", "keys"),
    [
        (3, [3]),
        ("abc", ["abc"]),
        (b"abc", [b"abc"]),
        (np.int32(3), [3]),
        (np.array(3), [3]),
        (np.array("abc"), ["abc"]),
        (PERSON, [PERSON]),
        ([1, "a", 2.0, 2.5], [1, "a", 2, 2.5]),
        ((1, 2), [1, 2]),
        (range(3), [0, 1, 2]),
        ((i for i in "ab"), ["a", "b"]),
        ({7}, [7]),
        ({7: "x"}.keys(), [7]),
        (np.array([1, 2], dtype=np.uint64), [1, 2]),
        (np.array([2**63 + 1], dtype=np.uint64), [2**63 + 1]),
        (np.array([1.0, 2.5]), [1, 2.5]),
        (np.array(["a", "bc"]), ["a", "bc"]),
        (np.array([b"a"]), [b"a"]),
        (np.array([1, "a"], dtype=object), [1, "a"]),
        ([], []),
        (np.array([]), []),
        ([np.str_("a"), np.int8(1)], ["a", 1]),
    ],
)
def test_requests_become_lists_of_keys(request_, keys):
    assert as_keys(request_) == keys
    assert all(not isinstance(key, np.generic) for key in as_keys(keys))


@pytest.mark.parametrize("unit", ["Y", "M", "W", "D", "h", "m", "s", "ms", "us", "ns", "25s"])
@pytest.mark.parametrize("kind", ["datetime64", "timedelta64"])
def test_arrays_of_times_and_their_items_agree(kind, unit):
    times = np.array([0, 1, -3], dtype=f"{kind}[{unit}]")
    assert as_keys(times) == [canonical_key(time) for time in times]
    assert as_keys(times[1]) == as_keys(np.array(times[1])) == as_keys(times)[1:2]
    held = check_sample_ids(times, None, 3).values
    assert as_keys(held) == as_keys(times)
    assert as_keys(times)[0][0] is (Kind.INSTANT if kind == "datetime64" else Kind.DURATION)


def test_times_finer_than_nanoseconds_are_refused():
    with pytest.raises(ValueError, match="nanoseconds"):
        canonical_key(np.datetime64(1, "ps"))
    with pytest.raises(ValueError, match="nanoseconds"):
        canonical_key(np.timedelta64(1))


def test_a_lone_tuple_is_an_id_only_where_ids_are_tuples():
    assert as_keys(("a", 1)) == ["a", 1]
    assert as_keys(("a", 1), tuples=True) == [("a", 1)]
    assert as_keys((("a", 1), ("b", 2)), tuples=True) == [("a", 1), ("b", 2)]
    assert as_keys([("a", 1)]) == as_keys([("a", 1)], tuples=True) == [("a", 1)]


def test_pandas_objects_give_their_values():
    pd = pytest.importorskip("pandas")
    assert as_keys(pd.Series([3, 3, 1], index=["x", "y", "z"])) == [3, 3, 1]
    assert as_keys(pd.Index(["a", "b"])) == ["a", "b"]
    assert as_keys(pd.MultiIndex.from_tuples([("a", 1), ("b", 2)])) == [("a", 1), ("b", 2)]
    aware = pd.date_range("2024-02-29 13:00", periods=2, freq="h", tz="Europe/Berlin")
    assert as_keys(aware) == as_keys(list(aware)) == as_keys(aware.tz_convert("UTC"))
    assert as_keys(aware)[0] == canonical_key(NOON)
    assert as_keys(pd.Timestamp(NOON)) == [canonical_key(NOON)]
    waits = pd.to_timedelta([1, 2], unit="s")
    assert as_keys(waits) == as_keys(list(waits)) == [canonical_key(w) for w in waits]
    assert as_keys(check_sample_ids(waits, None, 2).values) == as_keys(waits)


def test_polars_series_give_their_values():
    pl = pytest.importorskip("polars")
    assert as_keys(pl.Series([1, 2])) == [1, 2]
    assert as_keys(pl.Series(["a", "b"])) == ["a", "b"]
    assert as_keys(pl.Series([NOON])) == [canonical_key(NOON)]
    assert check_sample_ids(pl.Series(["a", "b"]), None, 2).values.tolist() == ["a", "b"]


@pytest.mark.parametrize(
    ("ids", "dtype"),
    [
        (np.array([1, 2], dtype=np.int8), np.int64),
        (np.array([1, 2], dtype=np.uint32), np.int64),
        (np.array([1, 2], dtype=np.uint64), np.int64),
        (np.array([1.0, 2.5], dtype=np.float32), np.float64),
        (np.array(["a", "bc"]), "<U2"),
        (np.array([b"a", b"bc"]), "S2"),
        (["a", "bc"], object),
        ([1, 2], np.int64),
        ([2**70, 1], object),
        (range(2), np.int64),
        ([PERSON, "a"], object),
        ([("a", 1), ("b", 2)], object),
        (np.array(["2024-01-01", "2024-01-02"], dtype="datetime64[D]"), "datetime64[D]"),
        (np.array([1, 2], dtype="timedelta64[s]"), "timedelta64[s]"),
    ],
)
def test_ids_are_held_in_their_own_kind_and_in_fresh_memory(ids, dtype):
    held = check_sample_ids(ids, None, 2).values
    assert held.dtype == np.dtype(dtype)
    assert held.shape == (2,)
    assert as_keys(held) == as_keys(ids)
    if isinstance(ids, np.ndarray):
        assert not np.may_share_memory(held, ids)


@pytest.mark.parametrize(
    "ids",
    [
        [1],
        [1, 2, 3],
        [[1, 2]],
        [[1], [2]],
        np.array([[1], [2]]),
        np.array([True, False]),
        [True, False],
        {1, 2},
        {1: "a", 2: "b"},
        "ab",
        b"ab",
        7,
        np.array(7),
        [1j, 2j],
        [object(), object()],
    ],
)
def test_fit_refuses_what_cannot_name_rows(ids):
    with pytest.raises(ValueError, match="sample"):
        check_sample_ids(ids, None, 2)


def test_a_single_row_still_needs_a_collection():
    with pytest.raises(ValueError, match="one id per row"):
        check_sample_ids(np.array(5), None, 1)


def test_default_ids_come_from_the_index():
    pd = pytest.importorskip("pandas")
    assert check_sample_ids(None, np.eye(2), 2).values is None
    assert check_sample_ids(None, [[1], [2]], 2).values is None
    assert check_sample_ids(None, pd.DataFrame({"a": [1, 2]}), 2).values is None
    frame = pd.DataFrame({"a": [1, 2]}, index=[5, 3])
    assert check_sample_ids(None, frame, 2).values.tolist() == [5, 3]
    assert check_sample_ids(None, frame.iloc[1:], 1).values.tolist() == [3]
    assert check_sample_ids(["x", "y"], frame, 2).values.tolist() == ["x", "y"]
    assert check_sample_ids(None, pd.DataFrame({"a": [1, 2]}).iloc[1:], 1).values.tolist() == [1]


def test_keys_are_shown_as_users_know_them():
    assert shown(canonical_key(np.datetime64("2024-01-01"))).startswith("2024-01-01")
    assert "2" in shown(canonical_key(np.timedelta64(2, "ns")))
    assert shown("a") == "a"
    assert shown(("a", 1)) == ("a", 1)


@given(st.lists(st.one_of(st.integers(), st.text(), st.floats(allow_nan=False), st.binary())))
def test_keys_are_hashable_and_stable(ids):
    keys = as_keys(ids)
    assert keys == as_keys(keys)
    assert len(keys) == len(ids)
    assert all(key == value for key, value in zip(keys, ids, strict=True))


def test_where_ids_come_from_is_known():
    pd = pytest.importorskip("pandas")
    frame = pd.DataFrame({"a": [1, 2]}, index=[5, 3])
    assert check_sample_ids(None, frame, 2).source == "index"
    assert check_sample_ids([1, 2], frame, 2).source == "sample_ids"
    for X in (np.eye(2), [[1], [2]], frame.reset_index(drop=True)):
        ids = check_sample_ids(None, X, 2)
        assert ids[1:] == ("row numbers", False)
        assert ids.for_parts() is None
        ids = check_sample_ids("row numbers", X, 2)
        assert ids == (None, "row numbers", True)
        assert ids.for_parts() == "row numbers"
    ids = check_sample_ids("row numbers", frame, 2)  # which name no row by its index then
    assert ids.values is None
    with pytest.raises(ValueError, match="'row numbers'; got 'rows'"):
        check_sample_ids("rows", frame, 2)


@pytest.mark.parametrize("kind", ["U", "S"])
def test_strings_are_held_as_wide_as_the_longest(kind):
    ids = np.array(["a", "bcd"]).astype(f"{kind}20")
    held = check_sample_ids(ids, None, 2).values
    assert held.dtype == np.dtype(f"{kind}3")
    assert (held == ids).all()
    assert check_sample_ids(np.array([""]).astype(f"{kind}9"), None, 1).values.dtype.itemsize < 9


def test_joined_ids_have_the_dtype_that_all_of_them_have():
    numbers, words = np.array([1, 2]), np.array(["a", "bb"])
    assert joined_ids(numbers, numbers).dtype == np.int64
    assert joined_ids(words, np.array(["abcdef"])).dtype == np.dtype("U6")
    mixed = joined_ids(numbers, words)
    assert mixed.dtype == object
    assert list(map(type, mixed)) == [int, int, str, str]
