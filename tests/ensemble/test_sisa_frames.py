"""SISA over pipelines that take data frames of mixed types."""

import pickle

import joblib
import numpy as np
import pytest
from sklearn.compose import make_column_selector, make_column_transformer
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from skunlearn.ensemble import SISAClassifier, SISARegressor

pd = pytest.importorskip("pandas")


def table(kind, seed, n=160):
    rng = np.random.default_rng(seed)
    columns = {
        "age": np.where(rng.random(n) < 0.2, np.nan, rng.integers(18, 90, n)),
        "income": rng.integers(0, 50_000, n),
        "town": rng.choice(np.array(["Ulm", "Bonn", "Köln", None], dtype=object), n).tolist(),
        "member": (rng.random(n) < 0.5).tolist(),
        "kind": rng.choice(["a", "b", "c"], n).tolist(),
    }
    y = np.where(columns["income"] + 9000 * rng.normal(size=n) > 25_000, "rich", "poor")
    if kind == "pandas":
        frame = pd.DataFrame(columns).astype({"kind": "category"})
        frame["visits"] = pd.Series(rng.integers(0, 5, n)).astype("Int64").mask(rng.random(n) < 0.1)
        frame["day"] = pd.Timestamp("2020-01-01") + pd.to_timedelta(np.arange(n), unit="D")
        return frame, y
    pl = pytest.importorskip("polars")
    return pl.DataFrame(columns, strict=False), y


def rows(frame, keep):
    return frame.iloc[keep] if hasattr(frame, "iloc") else frame[keep.tolist()]


def base(last):
    numbers = make_pipeline(SimpleImputer(), StandardScaler())
    words = make_pipeline(
        SimpleImputer(strategy="constant", fill_value="none", missing_values=None),
        OneHotEncoder(handle_unknown="ignore"),
    )
    columns = make_column_transformer(
        (numbers, ["age", "income"]),
        (words, ["town"]),
        (OneHotEncoder(handle_unknown="ignore"), ["kind"]),
        ("passthrough", ["member"]),
    )
    return make_pipeline(columns, last)


@pytest.mark.parametrize("seed", [0, *(pytest.param(s, marks=pytest.mark.long) for s in (1, 2))])
@pytest.mark.parametrize(
    "kind", [pytest.param("pandas", marks=pytest.mark.fast), pytest.param("polars")]
)
@pytest.mark.filterwarnings("ignore:Found unknown categories:UserWarning")
def test_law_over_mixed_columns(kind, seed):
    frame, y = table(kind, seed)
    if kind == "pandas":
        frame["town"] = frame["town"].astype(object).where(frame["town"].notna(), None)
    ids = np.array([f"p{i}" for i in range(160)], dtype=object)
    keep = np.arange(25, 160)
    for model, target in (
        (SISAClassifier(base(LogisticRegression()), n_shards=3, random_state=seed), y),
        (SISARegressor(base(Ridge()), n_shards=3, random_state=seed), (y == "rich") * 1.5),
    ):
        model.fit(frame, target, sample_ids=ids)
        model.unlearn(ids[:5]).unlearn(ids[5:25])
        oracle = type(model)(**model.get_params(deep=False))
        oracle.fit(rows(frame, keep), target[keep], sample_ids=ids[keep])
        for one, other in zip(model.estimators_, oracle.estimators_, strict=True):
            assert joblib.hash(one) == joblib.hash(other)
        np.testing.assert_array_equal(model.predict(frame), oracle.predict(frame))
        assert model.feature_names_in_.tolist() == list(frame.columns)
        model.purge()
        assert joblib.hash(model._samples.X.arrays) == joblib.hash(oracle._samples.X.arrays)


@pytest.mark.fast
def test_categorical_columns_reach_the_base():
    frame, y = table("pandas", 0)
    frame = frame[["age", "kind"]]
    model = SISAClassifier(
        HistGradientBoostingClassifier(max_iter=3, categorical_features="from_dtype"), n_shards=2
    ).fit(frame, y)
    assert [e.is_categorical_.tolist() for e in model.estimators_] == [[False, True]] * 2
    model.unlearn(range(10))
    assert [e.is_categorical_.tolist() for e in model.estimators_] == [[False, True]] * 2


@pytest.mark.fast
def test_ids_are_the_index_of_a_pandas_frame():
    frame, y = table("pandas", 0)
    index = pd.Index([f"p{i // 2}" for i in range(160)])
    model = SISAClassifier(base(LogisticRegression()), n_shards=2, random_state=0)
    model.fit(frame.set_index(index).fillna({"town": "x"}), y)
    model.unlearn("p7")
    assert model.unlearning_report_.n_removed == 2
    assert model.sample_ids_.size == 158


@pytest.mark.parametrize("kind", ["pandas", "polars"])
def test_rows_are_found(kind):
    frame, y = table(kind, 3)
    model = SISAClassifier(selects_numbers(), n_shards=2, random_state=0).fit(frame, y)
    queries = rows(frame, np.array([4, 9, 100]))
    assert model.find_samples(queries).tolist() == [4, 9, 100]
    assert model.find_samples(queries, y[[4, 9, 100]]).tolist() == [4, 9, 100]
    wrong = np.where(y[[4, 9, 100]] == "rich", "poor", "rich")
    assert model.find_samples(queries, wrong).tolist() == []
    model.unlearn(9)
    assert model.find_samples(queries).tolist() == [4, 100]


def selects_numbers():
    columns = make_column_transformer((SimpleImputer(), ["age", "income"]))
    return make_pipeline(columns, LogisticRegression(max_iter=1000))


@pytest.mark.parametrize("kind", ["pandas", "polars"])
def test_no_canary_in_the_pickle_of_a_frame(kind):
    frame, y = table(kind, 4)
    name = "canary with a long name that fills a buffer"
    columns = {c: list(frame[c]) for c in ("age", "income", "town", "member")}
    columns["income"][7], columns["age"][7], columns["town"][7] = 424242424242, 4242.4242, name
    frame = pd.DataFrame(columns) if kind == "pandas" else type(frame)(columns)
    traces = [np.int64(424242424242).tobytes(), np.float64(4242.4242).tobytes(), name.encode()]
    model = SISAClassifier(selects_numbers(), n_shards=2, random_state=0).fit(frame, y)
    assert all(trace in pickle.dumps(model) for trace in traces)
    model.unlearn(7)
    after = pickle.dumps(model)
    assert not [trace for trace in traces if trace in after]
    held = pickle.dumps(model._samples.X)
    assert not [trace for trace in traces if trace in held]


@pytest.mark.fast
def test_columns_are_checked():
    frame, y = table("pandas", 5)
    model = SISAClassifier(selects_numbers(), random_state=0).fit(frame, y)
    with pytest.raises(ValueError, match="feature names should match"):
        model.predict(frame.rename(columns={"age": "years"}))
    numbers = make_column_transformer(
        (SimpleImputer(), make_column_selector(dtype_include="number"))
    )
    model = SISAClassifier(make_pipeline(numbers, LogisticRegression(max_iter=2000)), n_shards=2)
    model.fit(frame, y)
    assert model.unlearn(range(40)).n_features_in_ == 7
