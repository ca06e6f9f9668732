"""Frame tables: what goes in comes out, what is wiped is gone, what is looked for is found."""

import datetime
import pickle

import numpy as np
import pytest

from skunlearn._samples.tables import as_table, hash_rows, native, removal, rows_equal, take, wipe

pd = pytest.importorskip("pandas")

CANARY = 424242424242
NAME = "canary with a name that is longer than a view"


def pandas_columns():
    instants = pd.to_datetime(
        ["2020-01-01 00:00:00.0", "2042-04-02 04:24:42.424242424", None, "1999-12-31 00:00:00.0"]
    )
    return {
        "int": np.array([1, CANARY, 3, 4]),
        "uint8": np.array([1, 242, 3, 4], dtype=np.uint8),
        "float": np.array([1.5, CANARY + 0.5, np.nan, -0.0]),
        "float32": np.array([1.5, 4242.42, np.nan, 0.1], dtype=np.float32),
        "bool": np.array([True, False, True, True]),
        "complex": np.array([1j, CANARY, 3.0, 4.0]),
        "datetime": pd.Series(instants),
        "zoned": pd.Series(instants).dt.tz_localize("Europe/Paris"),
        "duration": pd.Series(instants) - pd.Timestamp("2020-01-01"),
        "object": pd.Series(["a", NAME, None, 4], dtype=object),
        "string": pd.Series(["a", NAME, None, "d"], dtype="string"),
        "category": pd.Series(["x", "y", None, "x"], dtype="category"),
        "ordered": pd.Categorical([1, 2, 3, 1], categories=[3, 2, 1], ordered=True),
        "Int64": pd.Series([1, CANARY, None, 4], dtype="Int64"),
        "Float32": pd.Series([1.5, 4242.42, None, 4.0], dtype="Float32"),
        "boolean": pd.Series([True, True, None, False], dtype="boolean"),
        "period": pd.Series(pd.PeriodIndex(["2020-01", "2042-04", None, "1999-12"], freq="M")),
        "interval": pd.Series(pd.interval_range(0, 4)),
        "sparse": pd.Series(pd.arrays.SparseArray([0.0, CANARY, 0.0, 2.0])),
    }


@pytest.fixture
def pandas_frame():
    return pd.DataFrame(pandas_columns()).set_axis(list("wxyz"), axis=0)


def polars_frame():
    pl = pytest.importorskip("polars")
    day = datetime.date(2042, 4, 2)
    instant = datetime.datetime(2042, 4, 2, 4, 24, 42, 424242)
    columns = {
        "int": pl.Series([1, CANARY, None, 4]),
        "int8": pl.Series([1, 42, 3, 4], dtype=pl.Int8),
        "float": pl.Series([1.5, CANARY + 0.5, None, float("nan")]),
        "float32": pl.Series([1.5, 4242.42, None, 0.1], dtype=pl.Float32),
        "bool": pl.Series([True, False, None, True]),
        "string": pl.Series(["a", NAME, None, "d"]),
        "category": pl.Series(["a", NAME, None, "d"], dtype=pl.Categorical),
        "enum": pl.Series(["a", "b", None, "a"], dtype=pl.Enum(["b", "a"])),
        "date": pl.Series([day, day, None, day]),
        "datetime": pl.Series([instant, instant, None, instant], dtype=pl.Datetime("ns")),
        "zoned": pl.Series([instant] * 4, dtype=pl.Datetime("us", "UTC")),
        "duration": pl.Series([datetime.timedelta(seconds=42), None] * 2, dtype=pl.Duration("ms")),
        "time": pl.Series([datetime.time(4, 2), None] * 2),
        "list": pl.Series([[1, 2], [CANARY], None, []], dtype=pl.List(pl.Int64)),
        "decimal": pl.Series(["1.5", "42.42", None, "3.0"]).cast(pl.Decimal(10, 2)),
        "null": pl.Series([None] * 4),
    }
    return pl.DataFrame(columns)


@pytest.mark.fast
def test_pandas_round_trip(pandas_frame):
    table = as_table(pandas_frame)
    assert table.shape == (4, 19)
    pd.testing.assert_frame_equal(native(table), pandas_frame.reset_index(drop=True))
    part, expected = native(take(table, np.array([2, 0]))), pandas_frame.iloc[[2, 0]]
    for name in ("category", "ordered"):
        expected = expected.assign(**{name: expected[name].cat.remove_unused_categories()})
    pd.testing.assert_frame_equal(part, expected.reset_index(drop=True))
    restored = pickle.loads(pickle.dumps(table))
    pd.testing.assert_frame_equal(native(restored), native(table))


@pytest.mark.fast
def test_pandas_columns_of_any_name():
    names = pd.MultiIndex.from_tuples([("a", 1), ("a", 2), ("a", 1)], names=["k", "l"])
    frame = pd.DataFrame(np.arange(6).reshape(2, 3), columns=names)
    pd.testing.assert_frame_equal(native(as_table(frame)), frame)
    frame = pd.DataFrame({0: [1], "b": ["x"]})
    pd.testing.assert_frame_equal(native(as_table(frame)), frame)


def test_polars_round_trip():
    assert_frame_equal = pytest.importorskip("polars.testing").assert_frame_equal
    frame = polars_frame()
    table = as_table(frame)
    assert table.shape == (4, 16)
    assert_frame_equal(native(table), frame)
    part = frame[[2, 0]].with_columns(
        frame["enum"][[2, 0]].cast(pytest.importorskip("polars").Enum(["a"]))
    )
    assert_frame_equal(native(take(table, np.array([2, 0]))), part)
    assert_frame_equal(native(pickle.loads(pickle.dumps(table))), frame)


@pytest.mark.parametrize("kind", ["pandas", "polars"])
def test_wiped_rows_are_overwritten_and_their_neighbours_are_not(kind, pandas_frame):
    frame = pandas_frame if kind == "pandas" else polars_frame()
    table = as_table(frame)
    held = list(table.arrays)
    traces = [NAME.encode(), np.float64(CANARY + 0.5).tobytes(), np.float32(4242.42).tobytes()]
    traces += [np.array(CANARY, dtype=d).tobytes() for d in (np.int64, np.float64)]
    before = pickle.dumps(table)
    assert sum(trace in before for trace in traces) >= 3
    wipe(table, np.array([1]))
    after = pickle.dumps(table)
    assert not [trace for trace in traces if trace in after]
    coded = table._coded()
    assert len(coded) == (2 if kind == "pandas" else 1)
    for at, (array, same) in enumerate(zip(table.arrays, held, strict=True)):
        assert array is same
        blank = -1 if at in coded else 0
        assert (array[1] or 0) == blank or array[1].astype(np.int64) == 0
    kept = np.array([0, 2, 3])
    assert repr(native(take(table, kept)).to_dict()) == repr(
        native(take(as_table(frame), kept)).to_dict()
    )


@pytest.mark.parametrize("kind", ["pandas", "polars"])
def test_tables_share_nothing_with_the_user(kind, pandas_frame):
    frame = pandas_frame if kind == "pandas" else polars_frame()
    before = repr(frame.to_dict())
    wipe(as_table(frame), np.arange(4))
    assert repr(frame.to_dict()) == before


@pytest.mark.parametrize("kind", ["pandas", "polars"])
def test_rows_are_found_by_value(kind, pandas_frame):
    frame = pandas_frame if kind == "pandas" else polars_frame()
    table = as_table(frame)
    hashes = hash_rows(table)
    assert len(set(hashes.tolist())) == 4
    for row in range(4):
        query = table.like(frame[row : row + 1])
        assert hash_rows(query).tolist() == [hashes[row]]
        assert rows_equal(table, np.arange(4), query, 0).tolist() == [i == row for i in range(4)]


@pytest.mark.fast
def test_queries_of_another_dtype_are_compared_as_stored():
    frame = pd.DataFrame(
        {"f": np.array([0.1, 2.0], dtype=np.float32), "i": [1, 2], "s": ["a", "b"]}
    )
    table = as_table(frame)
    for query in (
        pd.DataFrame({"f": [0.1], "i": [1.0], "s": ["a"]}),
        pd.DataFrame({"f": [0.1], "i": pd.array([1], dtype="Int8"), "s": pd.Categorical(["a"])}),
        [[0.1, 1, "a"]],
        np.array([[0.1, 1, "a"]], dtype=object),
    ):
        assert rows_equal(table, np.arange(2), table.like(query), 0).tolist() == [True, False]
        assert hash_rows(table.like(query))[0] == hash_rows(table)[0]
    other = table.like([[0.1, 1.5, "a"]])
    assert not rows_equal(table, np.arange(2), other, 0).any()
    with pytest.raises(ValueError, match="has 2 columns"):
        table.like([[0.1, 1]])


def test_polars_queries_of_another_kind():
    pl = pytest.importorskip("polars")
    frame = pl.DataFrame({"f": [0.1, None], "i": [1, 2], "s": ["a", "b"]})
    frame = frame.with_columns(pl.col("f").cast(pl.Float32))
    table = as_table(frame)
    for query in (frame.cast({"f": pl.Float64, "i": pl.Int8}), [[0.1, 1, "a"]], frame.to_pandas()):
        assert rows_equal(table, np.arange(2), table.like(query), 0).tolist() == [True, False]
    assert rows_equal(table, np.arange(2), table.like([[None, 2, "b"]]), 0).tolist() == [
        False,
        True,
    ]
    with pytest.raises(ValueError, match="columns"):
        table.like(frame.rename({"s": "t"}))


def categories_of(kind, values, categories, *, ordered=False):
    """Make a frame of one column with categories."""
    if kind == "pandas":
        return pd.DataFrame({"c": pd.Categorical(values, categories, ordered=ordered)})
    pl = pytest.importorskip("polars")
    return pl.DataFrame({"c": pl.Series(values, dtype=pl.Enum(categories))})


def removed(table, rows):
    after, wipe_rows = removal(table, rows)
    wipe_rows()
    return after


def described(table):
    """List all that a table tells: its dtypes with their categories, and its arrays."""
    names = [getattr(dtype, "categories", None) for dtype in table.dtypes]
    return (
        [None if known is None else list(known) for known in names],
        [getattr(dtype, "ordered", None) for dtype in table.dtypes],
        [(array.dtype, array.tolist()) for array in table.arrays],
    )


@pytest.mark.parametrize("kind", ["pandas", "polars"])
@pytest.mark.parametrize("ordered", [False, True])
def test_categories_vanish_with_their_last_row(kind, ordered, global_random_seed):
    rng = np.random.default_rng(global_random_seed)
    categories = [f"{NAME} {number}" for number in rng.permutation(300)]
    values = rng.choice(categories[:200], size=250).tolist()
    values[3] = None
    frame = categories_of(kind, values, categories, ordered=ordered)
    table = as_table(frame)
    assert len(table.dtypes[0].categories) == len(set(values) - {None}) < 200
    order, gone = rng.permutation(250), np.empty(0, dtype=int)
    for request in np.split(order, [1, 3, 100, 248]):
        kept = np.sort(np.setdiff1d(np.arange(250), np.append(gone, request)))
        table = removed(table, np.sort(request))
        gone = np.append(gone, request)
        fresh = as_table(frame[kept.tolist()] if kind == "polars" else frame.iloc[kept])
        assert described(take(table, kept)) == described(fresh)
        assert described(table)[:2] == described(fresh)[:2]
        held = set(np.array(values, dtype=object)[kept]) - {None}
        pickled = pickle.dumps(table)
        assert {name for name in categories if f"{name}".encode() in pickled} >= held
        for name in set(categories) - held:
            assert not any(f"{name}{end}".encode() in pickled for end in ("q", "\x94", "r"))
        if kept.size:
            assert native(take(table, kept)).equals(native(fresh))


@pytest.mark.parametrize("kind", ["pandas", "polars"])
def test_a_removal_that_is_not_carried_out_keeps_categories(kind):
    frame = categories_of(kind, ["a", "b", "a"], ["c", "b", "a"])
    table, untouched = as_table(frame), as_table(frame)
    after, wipe_rows = removal(table, np.array([1]))
    assert pickle.dumps(table) == pickle.dumps(untouched)
    assert native(table).equals(native(untouched))
    for _ in range(2):  # as after an interruption
        wipe_rows()
        assert list(after.dtypes[0].categories) == ["a"]
        assert table.arrays[0].tolist() == [-1, -1, -1]


@pytest.mark.parametrize("kind", ["pandas", "polars"])
def test_rows_handed_on_do_not_depend_on_other_rows(kind):
    one = categories_of(kind, ["a", "b", "a"], ["b", "a"])
    other = categories_of(kind, ["a", "c", "a"], ["c", "x", "a"])
    rows = np.array([0, 2])
    assert described(take(as_table(one), rows)) == described(take(as_table(other), rows))
