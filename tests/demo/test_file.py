import gzip

import numpy as np
import pytest

from skunlearn._demo._file import read_file
from skunlearn._demo._pipelines import MAX_CATEGORIES
from skunlearn._demo._table import DemoError

pd = pytest.importorskip("pandas")


@pytest.fixture
def frame():
    rng = np.random.default_rng(0)
    n = 120
    return pd.DataFrame(
        {
            "who": [f"p{i // 2}" for i in range(n)],
            "age": rng.normal(40, 9, n).round(1),
            "city": rng.choice(["Rome", "Oslo", "Bonn"], n),
            "member": rng.choice([True, False], n),
            "bought": rng.choice(["yes", "no"], n),
        }
    )


@pytest.fixture
def write(tmp_path):
    def save(frame, name="shop.csv"):
        path = tmp_path / name
        frame.to_parquet(path) if name.endswith("parquet") else frame.to_csv(path, index=False)
        return path

    return save


def test_reads_numbers_categories_ids_and_target(frame, write):
    table = read_file(write(frame), "bought", "who")
    assert table.name == "shop"
    assert table.classes == ("no", "yes")
    assert list(table.X) == ["age", "city", "member"]
    assert [dtype.kind for dtype in table.X.dtypes] == ["f", "O", "f"]
    assert table.ids.tolist() == frame["who"].tolist()
    for name in table.X:
        np.testing.assert_array_equal(table.X[name], frame[name])
    np.testing.assert_array_equal(table.y, frame["bought"] == "yes")


@pytest.mark.parametrize("name", ["shop.csv.gz", "shop.parquet"])
def test_other_file_types_say_the_same(frame, write, name):
    pytest.importorskip("pyarrow")
    expected = read_file(write(frame), "bought", "who")
    table = read_file(write(frame, name), "bought", "who")
    pd.testing.assert_frame_equal(table.X, expected.X)
    np.testing.assert_array_equal(table.y, expected.y)
    assert table.ids.tolist() == expected.ids.tolist()


def test_rows_are_read_without_a_look_at_others(frame, write):
    frame.loc[[3, 50], "age"] = np.nan
    frame.loc[[4, 51], "city"] = None
    whole = read_file(write(frame), "bought", "who")
    frame.loc[60:, "age"] *= -1000
    frame.loc[60:, "city"] = "Nice"
    changed = read_file(write(frame), "bought", "who")
    pd.testing.assert_frame_equal(changed.X[:60], whole.X[:60])
    assert np.isnan(whole.X.loc[3, "age"])
    assert np.isnan(whole.X.loc[4, "city"])
    assert whole.X.isna().to_numpy().sum() == 4


def test_infinite_values_are_missing(frame, write):
    frame.loc[5, "age"] = np.inf
    table = read_file(write(frame), "bought", "who")
    assert np.flatnonzero(table.X["age"].isna()).tolist() == [5]
    assert "Column age: infinite values count as missing." in table.notes


def test_types_with_missing_values_of_their_own(frame, write):
    pytest.importorskip("pyarrow")
    frame["visits"] = pd.array([None, *range(119)], dtype="Int64")
    frame["vip"] = pd.array([None, *[True] * 119], dtype="boolean")
    frame["note"] = pd.array([None, *["a"] * 119], dtype="string")
    table = read_file(write(frame, "shop.parquet"), "bought", "who")
    for name in ("visits", "vip", "note"):
        assert np.flatnonzero(table.X[name].isna()).tolist() == [0]
    assert isinstance(table.X.loc[0, "note"], float)


def test_ignored_columns_are_left_out(frame, write):
    table = read_file(write(frame), "bought", "who", ignore=("city",))
    assert list(table.X) == ["age", "member"]
    assert "city" in " ".join(table.notes)


def test_without_id_column_rows_are_ids(frame, write):
    table = read_file(write(frame.drop(columns="who")), "bought")
    assert table.ids.tolist() == list(range(120))


def test_columns_of_many_texts_are_noted(frame, write):
    frame["shop"] = [f"shop {i % (MAX_CATEGORIES + 10)}" for i in range(len(frame))]
    table = read_file(write(frame), "bought", "who", ignore=("age", "city", "member"))
    assert table.X["shop"].tolist() == frame["shop"].tolist()
    assert "Column shop has 60 distinct texts: encoders keep the 49 most" in " ".join(table.notes)


def test_categorical_columns_are_read_as_their_values(frame, write):
    pytest.importorskip("pyarrow")
    path = write(frame.astype({"city": "category", "bought": "category"}), "shop.parquet")
    table = read_file(path, "bought", "who")
    assert table.classes == ("no", "yes")
    assert table.X["city"].tolist() == frame["city"].tolist()


def test_dates_count_in_days(frame, write):
    pytest.importorskip("pyarrow")
    frame["since"] = pd.Timestamp("1970-01-03") + pd.to_timedelta(np.arange(120), unit="D")
    frame["zoned"] = frame["since"].dt.tz_localize("UTC")
    path = write(frame, "shop.parquet")
    table = read_file(path, "bought", "who", ignore=("age", "city", "member"))
    np.testing.assert_allclose(table.X.to_numpy(), np.tile(np.arange(120.0)[:, None] + 2, 2))


def test_rows_without_target_and_rare_classes_are_left_out(frame, write):
    frame.loc[:2, "bought"] = None
    frame.loc[3, "bought"] = "maybe"
    table = read_file(write(frame), "bought", "who")
    assert len(table.X) == 116
    assert table.classes == ("no", "yes")
    notes = " ".join(table.notes)
    assert "3 rows without a value of bought were left out" in notes
    assert "fewer than 20 rows were left out: maybe" in notes


@pytest.mark.parametrize(
    ("values", "task", "n_classes"),
    [
        (np.arange(120) % 5, None, 5),
        (np.arange(120) % 5, "regression", 0),
        (np.arange(120) % 40, None, 0),
        (np.arange(120) / 7, None, 0),
        (np.arange(120) % 2 == 0, None, 2),
    ],
)
def test_task_goes_by_the_target(frame, write, values, task, n_classes):
    table = read_file(write(frame.assign(bought=values)), "bought", task=task)
    assert len(table.classes) == n_classes


@pytest.mark.parametrize(
    ("change", "arguments", "message"),
    [
        ({}, ("bougth", None), "no column 'bougth'; did you mean 'bought'.*who, age, city"),
        ({}, ("BOUGHT", None), "did you mean 'bought'"),
        ({}, ("bought", "person"), "no column 'person'"),
        ({"bought": "yes"}, ("bought", None), "column 'bought' has one class only: 'yes'"),
        ({"bought": 1.5}, ("bought", None), "column 'bought' has one value only: 1.5"),
        ({"bought": [f"c{i}" for i in range(120)]}, ("bought", None), "has 120 classes"),
        ({"bought": ["a"] * 110 + ["b"] * 10}, ("bought", None), "too few rows per class"),
        ({"bought": np.r_[np.inf, np.arange(119) / 7]}, ("bought", None), "infinite values"),
        ({"age": 1e31}, ("bought", None), "column 'age' has values beyond 1e\\+30"),
        ({}, ("bought", "bought"), "'bought' cannot be both target and id"),
        ({"who": [None, *"a" * 119]}, ("bought", "who"), "'who' is empty in 1 rows .*data row 1"),
    ],
)
def test_bad_columns_are_named(frame, write, change, arguments, message):
    with pytest.raises(DemoError, match=f"shop.csv: .*{message}"):
        read_file(write(frame.assign(**change)), *arguments)


def test_regression_needs_numbers(frame, write):
    with pytest.raises(DemoError, match="'bought' is not numeric"):
        read_file(write(frame), "bought", task="regression")


def test_ignoring_everything(frame, write):
    with pytest.raises(DemoError, match="no column is left"):
        read_file(write(frame), "bought", "who", ignore=("age", "city", "member"))


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.csv", b"", "cannot be read as csv"),
        ("a.csv", b"x,y\n1,2\n1,2,3,4\n", "cannot be read as csv: .*line 3"),
        ("a.csv", b"x,y\n\xff\xfe\n", "cannot be read as csv"),
        ("a.csv.gz", b"x,y\n1,2\n", "cannot be read as csv"),
        ("a.csv.gz", gzip.compress(b"x,y\n1,2\n" * 999, mtime=0)[:-20], "cannot be read as csv"),
        ("a.parquet", b"no parquet", "cannot be read as parquet"),
        ("a.csv", b"x,y\n", "the file has no rows"),
        ("a.csv", b"x;y\n1;2\n", "does not seem to be separated by commas"),
        ("a.xlsx", b"", "unknown file type"),
    ],
)
def test_unreadable_files_are_named(tmp_path, name, content, message):
    if "parquet" in name:
        pytest.importorskip("pyarrow")
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(DemoError, match=f"{name}: {message}|{name}: no column .*{message}"):
        read_file(path, "y")


def test_missing_file_and_directory(tmp_path):
    with pytest.raises(DemoError, match=r"nothing\.csv: no such file"):
        read_file(tmp_path / "nothing.csv", "y")
    with pytest.raises(DemoError, match="not a file"):
        read_file(tmp_path, "y")


def test_without_pandas_says_what_to_install(tmp_path, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "pandas", None)
    with pytest.raises(DemoError, match=r"pip install 'skunlearn\[frames\]'"):
        read_file(tmp_path / "a.csv", "y")
