import numpy as np
import pytest

from skunlearn._demo import _bundled
from skunlearn._demo._bundled import bundled_tables, mixed_table

pytestmark = pytest.mark.fast

NUMBERS = [
    ("breast cancer", (569, 30), 2),
    ("digits", (1797, 64), 10),
    ("wine", (178, 13), 3),
    ("diabetes", (442, 10), 0),
]


def test_tables_are_real():
    pytest.importorskip("pandas")
    found = [(t.name, t.X.shape, len(t.classes)) for t in bundled_tables()]
    assert found == [("diabetes, mixed", (442, 10), 2), *NUMBERS]


def test_without_pandas_the_mixed_table_is_left_out(monkeypatch):

    def fail():
        raise ImportError("No module named 'pandas'")

    monkeypatch.setattr(_bundled, "mixed_table", fail)
    assert [t.name for t in bundled_tables()] == [name for name, *_ in NUMBERS]


def test_mixed_table_has_texts_and_gaps_and_is_the_same_each_time():
    pytest.importorskip("pandas")
    table = mixed_table()
    assert table.X.equals(mixed_table().X)
    assert [name for name in table.X if table.X[name].dtype == object] == [
        "sex",
        "weight",
        "pressure",
    ]
    gaps = table.X.isna().mean()
    assert sorted(gaps.index[gaps > 0]) == ["age", "pressure", "ratio", "weight"]
    assert 0.08 < gaps[gaps > 0].min() < gaps.max() < 0.17
    assert set(table.X["weight"].dropna()) == {"underweight", "normal", "overweight", "obese"}
    assert 0.4 < table.y.mean() < 0.6


def test_a_row_of_the_mixed_table_depends_on_that_row_alone(monkeypatch):
    pytest.importorskip("pandas")
    whole = mixed_table()
    load = _bundled.sklearn.datasets.load_diabetes

    def changed(**options):
        bunch = load(**options)
        bunch.data[100:] *= np.array([1.0, 1.0, *[1.5] * 8])
        return bunch

    monkeypatch.setattr(_bundled.sklearn.datasets, "load_diabetes", changed)
    assert mixed_table().X[:100].equals(whole.X[:100])
