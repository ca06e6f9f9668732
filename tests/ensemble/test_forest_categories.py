"""Categorical columns of forests: what stands for a value, the law, frames of all kinds, errors."""

import pickle

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import clone
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OrdinalEncoder

from skunlearn.ensemble import UnlearningForestClassifier, UnlearningForestRegressor
from skunlearn.ensemble._forest.categories import as_numbers, find_categorical
from skunlearn.utils._compare import broken_promise

pd = pytest.importorskip("pandas")

WORDS = ["ant", "bee", "cat", "dog", "", "ant ", "é"]


def numbers_of(column):
    """Return what stands for the values of one column."""
    X = column.to_frame() if hasattr(column, "to_frame") else np.asarray(column)[:, None]
    return as_numbers(X, np.array([True]), UnlearningForestClassifier())[:, 0]


def assert_same_trees(model, again):
    for ours, namesake in zip(model._forest.shape(), again._forest.shape(), strict=True):
        assert_array_equal(ours, namesake)


def mixed_frame(rng, n):
    frame = pd.DataFrame(
        {
            "word": rng.choice(WORDS, n),
            "size": rng.normal(size=n),
            "code": rng.integers(-3, 3, n),
            "day": pd.Timestamp("2020-02-28") + pd.to_timedelta(rng.integers(0, 4, n), "D"),
        }
    )
    frame = frame.astype({"word": "category", "code": "category", "day": "category"})
    frame.loc[rng.random(n) < 0.1, "word"] = None
    frame.loc[rng.random(n) < 0.1, "size"] = np.nan
    return frame


@pytest.mark.fast
@given(st.lists(st.integers(0, 2**64 - 1), min_size=1, max_size=50))
def test_categories_are_normal_numbers(values):
    numbers = numbers_of(np.array(values, dtype=np.uint64))
    assert np.isfinite(numbers).all()
    assert (np.abs(numbers) >= np.finfo(np.float32).tiny).all()
    assert np.unique(numbers).size == np.unique(numbers.view(np.uint32)).size


@pytest.mark.fast
def test_numbers_are_the_same_everywhere():
    expected = {
        "ant": 0xC620BB72,
        "": 0x684224F3,
        "é": 0x3AE4DBDD,
        0: 0xE90EE6D7,
        3: 0x9300C7F6,
        -1: 0x03329610,
        2.5: 0x9095C60D,
        10**30: 0x7309D5DB,
        b"ant": 0x04A49469,
    }
    bits = numbers_of(np.array(list(expected), dtype=object)).view(np.uint32)
    assert_array_equal(bits, list(expected.values()))


def test_distinct_values_have_distinct_numbers_but_for_a_few():
    texts = np.array([f"user{i}" for i in range(100_000)], dtype=object)
    for values in (texts, np.arange(100_000), np.arange(100_000) + 0.5):
        assert np.unique(numbers_of(values)).size > 100_000 - 12


@pytest.mark.fast
def test_equal_values_have_equal_numbers_however_they_are_held():
    words = ["b", "a", "b", None, "c"]
    expected = numbers_of(pd.Series(words, dtype="category"))
    assert np.isnan(expected[3])
    assert np.unique(expected[[0, 1, 4]]).size == 3
    assert expected[0] == expected[2]
    columns = [
        pd.Series(words, dtype=object),
        pd.Series(words, dtype="string"),
        pd.Series(words, dtype=pd.CategoricalDtype(["z", "c", "b", "a"], ordered=True)),
        pd.Series(["b", "a", "b", pd.NA, "c"], dtype=object),
        np.array(["b", "a", "b", np.nan, "c"], dtype=object),
    ]
    for column in columns:
        assert_array_equal(numbers_of(column), expected)
    assert_array_equal(numbers_of(np.array(["b", "a"])), expected[:2])
    values = [3, 1, -2, 1, 2**40]
    expected = numbers_of(np.array(values))
    columns = [
        np.array(values, dtype=float),
        np.array(values, dtype=object),
        np.array([3.0, True, np.int8(-2), np.float32(1), 2**40], dtype=object),
        pd.Series(values, dtype="Int64"),
        pd.Series(values, dtype="category"),
        pd.Series(np.array(values, dtype=float), dtype="category"),
    ]
    for column in columns:
        assert_array_equal(numbers_of(column), expected)
    assert_array_equal(numbers_of(np.array([True, False])), numbers_of(np.array([1, 0])))
    assert_array_equal(
        numbers_of(np.array([2.5, -0.0, np.inf, np.nan])),
        numbers_of(np.array([2.5, 0, float("inf"), None], dtype=object)),
    )
    assert numbers_of(np.array(["3"])) != numbers_of(np.array([3]))


@pytest.mark.fast
def test_times_and_intervals_are_categories():
    days = pd.Series(pd.to_datetime(["2020-01-01", None, "2020-01-02"]))
    held = [days, days.astype("category"), days.to_numpy(), days.astype(object)]
    for column in held:
        assert_array_equal(numbers_of(column), numbers_of(days))
    assert_array_equal(np.isnan(numbers_of(days)), [False, True, False])
    parts = pd.cut(pd.Series([0.5, 1.5, 2.5, 0.7]), [0, 1, 2, 3])
    numbers = numbers_of(parts)
    assert np.unique(numbers).size == 3
    assert numbers[0] == numbers[3]
    assert_array_equal(numbers_of(parts.astype(object)), numbers)


@pytest.mark.fast
@pytest.mark.parametrize("regresses", [False, True])
@given(st.data())
def test_law(regresses, data):
    rng = np.random.default_rng(data.draw(st.integers(0, 2**32 - 1)))
    n = data.draw(st.sampled_from([5, 40, 700]))
    X = mixed_frame(rng, n)
    ids = rng.integers(0, n, n)
    held = data.draw(st.sampled_from(["category", "object", "array"]))
    chosen = "from_dtype" if held == "category" else [0, 2, 3]
    if held == "object":
        X = X.astype({"word": object, "code": object, "day": object})
    elif held == "array":
        X = X.to_numpy(dtype=object)
    options = {
        "n_estimators": 4,
        "max_features": data.draw(st.sampled_from([None, 1])),
        "max_samples": data.draw(st.sampled_from([0.3, 1.0])),
        "n_candidates": data.draw(st.sampled_from([1, 16])),
        "categorical_features": chosen,
        "random_state": data.draw(st.integers(0, 9)),
    }
    if regresses:
        model, y = UnlearningForestRegressor(**options), rng.normal(size=n)
    else:
        options["class_weight"] = data.draw(st.sampled_from([None, "balanced"]))
        model, y = UnlearningForestClassifier(**options), rng.integers(0, 3, n)
    model.fit(X, y, sample_ids=ids)
    for size in data.draw(st.lists(st.sampled_from([1, n // 10 + 1, n // 2]), max_size=4)):
        left = np.unique(model.sample_ids_)
        gone = rng.choice(left, min(size, left.size - 1), replace=False)
        kept = np.isin(ids, np.setdiff1d(left, gone))
        model.unlearn(gone)
        if data.draw(st.booleans()):
            model = pickle.loads(pickle.dumps(model))
        again = clone(model).fit(X[kept], y[kept], sample_ids=ids[kept])
        assert_same_trees(model, again)
        assert broken_promise(model, again, X) is None


@pytest.mark.fast
def test_a_category_without_rows_left_was_never_there(global_random_seed):
    rng = np.random.default_rng(global_random_seed)
    X = pd.DataFrame({"who": rng.choice(["ann", "bob", "eve"], 300), "x": rng.normal(size=300)})
    X["who"] = X["who"].astype("category")
    y = (X["who"] == "eve").to_numpy() ^ (rng.random(300) < 0.1)
    eve = (X["who"] == "eve").to_numpy()
    model = UnlearningForestClassifier(10, random_state=0).fit(X, y).unlearn(np.flatnonzero(eve))
    others = X[~eve].copy()
    others["who"] = others["who"].cat.remove_unused_categories()
    never = clone(model).fit(others, y[~eve])
    assert_same_trees(model, never)
    assert_array_equal(model.predict_proba(X), never.predict_proba(X))


def test_full_trees_find_the_mean_of_each_category(global_random_seed):
    rng = np.random.default_rng(global_random_seed)
    category = rng.integers(0, 30, 900)
    y = rng.normal(size=30)[category] + rng.normal(size=900)
    means = np.array([y[category == c].mean() for c in range(30)])
    options = {"n_estimators": 3, "max_samples": 1.0, "random_state": 0}
    names = np.array([f"c{c}" for c in range(30)])
    X = pd.DataFrame({"c": pd.Categorical(names[category])})
    ours = UnlearningForestRegressor(**options, n_candidates=64).fit(X, y)
    ordinal = UnlearningForestRegressor(**options).fit(category[:, None], y)
    one_hot = UnlearningForestRegressor(**options).fit(np.eye(30)[category], y)
    for predicted in (
        ours.predict(X),
        ordinal.predict(category[:, None]),
        one_hot.predict(np.eye(30)[category]),
    ):
        assert_allclose(predicted, means[category])


def test_few_cuts_separate_what_an_order_would_not(global_random_seed):
    rng = np.random.default_rng(global_random_seed)
    category = rng.integers(0, 12, 2000)
    y = rng.permutation(12)[category] % 2
    options = {"n_estimators": 30, "max_depth": 2, "random_state": 0}
    native = UnlearningForestClassifier(categorical_features=[0], **options)
    ordinal = UnlearningForestClassifier(categorical_features=None, **options)
    X = category[:, None]
    assert native.fit(X, y).score(X, y) > ordinal.fit(X, y).score(X, y)


def test_missing_categories_carry_information():
    X = pd.DataFrame({"c": pd.Categorical(["a", None, "b", None] * 50)})
    y = X["c"].isna().to_numpy()
    model = UnlearningForestClassifier(5, random_state=0).fit(X, y)
    assert model.score(X, y) == 1.0
    assert_array_equal(model.predict(X.astype(object)), y)


@pytest.mark.fast
def test_columns_are_named_masked_or_counted(global_random_seed):
    X = mixed_frame(np.random.default_rng(global_random_seed), 60)
    y = np.arange(60) % 2
    mask = [True, False, True, True]
    models = [
        UnlearningForestClassifier(3, random_state=0, categorical_features=chosen).fit(X, y)
        for chosen in ("from_dtype", mask, [0, 2, 3], ["day", "word", "code"], np.array(mask))
    ]
    for model in models:
        assert_array_equal(model.is_categorical_, mask)
        assert_array_equal(model.feature_names_in_, list(X))
        assert model.n_features_in_ == 4
        assert_same_trees(model, models[0])
    numbers = X[["size"]]
    for chosen in (None, "from_dtype", [], [False]):
        model = UnlearningForestClassifier(3, categorical_features=chosen).fit(numbers, y)
        assert model.is_categorical_ is None
    codes = X[["code"]].astype(object).astype({"code": "category"})
    ordered = UnlearningForestClassifier(3, categorical_features=None).fit(codes, y)
    assert ordered.is_categorical_ is None


@pytest.mark.fast
@pytest.mark.parametrize(
    ("chosen", "message"),
    [
        ([True, False], r"shape \(4,\)"),
        ([[True, False, True, True]], r"shape \(4,\)"),
        ([0, 4], r"in \[0, 3\]"),
        ([-1], r"in \[0, 3\]"),
        (["word", "place"], "'place' in categorical_features is no column"),
        ([0.5], "mask, positions or names"),
        (np.array(["word", 2], dtype=object), "mask, positions or names"),
    ],
)
def test_columns_that_are_not_there(chosen, message, global_random_seed):
    X = mixed_frame(np.random.default_rng(global_random_seed), 20)
    y = np.arange(20) % 2
    model = UnlearningForestClassifier(3).fit(X, y)
    trees = model._forest
    with pytest.raises(ValueError, match=message):
        model.set_params(categorical_features=chosen).fit(X, y)
    assert model._forest is trees
    assert_array_equal(model.is_categorical_, [True, False, True, True])


@pytest.mark.fast
def test_what_is_refused():
    X = np.array([["a", 1.0], ["b", 2.0], ["a", 3.0]], dtype=object)
    y = [0, 1, 0]
    model = UnlearningForestClassifier(3, categorical_features=[0])
    with pytest.raises(ValueError, match="need a data frame"):
        clone(model).set_params(categorical_features=["a"]).fit(X, y)
    with pytest.raises(ValueError, match="could not convert string to float: 'a'"):
        clone(model).set_params(categorical_features=[1]).fit(X, y)
    with pytest.raises(ValueError, match="could not convert string to float"):
        clone(model).set_params(categorical_features=None).fit(pd.DataFrame(X), y)
    with pytest.raises(ValueError, match="Expected 2D array"):
        clone(model).fit(np.arange(3.0), y)
    with pytest.raises(ValueError, match="infinity"):
        model.fit(np.array([["a", 1.0], ["b", np.inf], ["a", 3.0]], dtype=object), y)
    for value in ({"a"}, object(), 1j):
        with pytest.raises(TypeError, match="Categories are numbers, strings"):
            model.fit(np.array([["a", 1.0], [value, 2.0], ["a", 3.0]], dtype=object), y)
        with pytest.raises(TypeError, match="Categories are numbers, strings"):
            model.fit(pd.DataFrame([["a", 1.0], [value, 2.0], ["a", 3.0]]), y)
    model.fit(X, y)
    with pytest.raises(ValueError, match="3 features"):
        model.predict(np.array([["a", 1.0, 2.0]], dtype=object))
    with pytest.raises(ValueError, match="any features"):
        model.predict(X[0])
    with pytest.raises(ValueError, match="0 sample"):
        model.predict(X[:0])


@pytest.mark.fast
def test_lists_and_arrays_mean_the_same():
    X = [["a", 1.0], ["b", 2.0], ["a", None], [None, 0.5]] * 10
    y = [0, 1, 1, 0] * 10
    listed = UnlearningForestClassifier(5, categorical_features=[0], random_state=0).fit(X, y)
    array = clone(listed).fit(np.array(X, dtype=object), y)
    assert_same_trees(listed, array)
    assert_array_equal(listed.find_samples([["b", 2.0]]), np.arange(1, 40, 4))
    assert_array_equal(listed.find_samples([["a", np.nan]]), np.arange(2, 40, 4))
    assert listed.find_samples([["b", np.inf], ["c", 2.0]]).size == 0


@pytest.mark.fast
def test_a_frame_through_all_verbs(global_random_seed):
    X = mixed_frame(np.random.default_rng(global_random_seed), 200)
    X.index = [f"p{i}" for i in range(200)]
    y = (X["word"] == "cat").to_numpy().astype(float)
    model = UnlearningForestRegressor(8, random_state=0).fit(X, y)
    assert "p7" in model.find_samples(X.loc[["p7"]], y[[7]])
    assert model.unlearning_cost("p7").n_rows == 1
    model.unlearn(["p7", "p8"])
    assert "p7" not in model.find_samples(X.loc[["p7"]])
    predictor = model.to_predictor()
    twin = pickle.loads(pickle.dumps(predictor))
    expected = model.predict(X)
    for other in (predictor, twin):
        assert_array_equal(other.predict(X), expected)
        assert_array_equal(other.is_categorical_, model.is_categorical_)
    assert_array_equal(model.predict(X.astype(object)), expected)
    assert model.apply(X).shape == (200, 8)
    with pytest.raises(ValueError, match="feature names"):
        model.predict(X[["size", "word", "code", "day"]])


@pytest.mark.parametrize("dtype", ["Categorical", "Enum"])
def test_polars_frames(dtype, global_random_seed):
    pl = pytest.importorskip("polars")
    rng = np.random.default_rng(global_random_seed)
    words = rng.choice([*WORDS[:4], None], 200).tolist()
    kind = pl.Categorical if dtype == "Categorical" else pl.Enum(WORDS)
    X = pl.DataFrame(
        {
            "word": pl.Series(words, dtype=kind),
            "size": rng.normal(size=200),
            "code": rng.choice([1, 5, None], 200).tolist(),
            "flag": rng.random(200) < 0.5,
        }
    )
    y = rng.integers(0, 2, 200)
    model = UnlearningForestClassifier(8, random_state=0).fit(X, y)
    assert_array_equal(model.is_categorical_, [True, False, False, False])
    model.set_params(categorical_features=["word", "code", "flag"]).fit(X, y)
    model.unlearn(range(20))
    again = clone(model).fit(X[20:], y[20:], sample_ids=np.arange(20, 200))
    assert_same_trees(model, again)
    frames = [
        X.with_columns(pl.col("word").cast(pl.String), pl.col("code").cast(pl.Float64)),
        pd.DataFrame(X.to_dict(as_series=False)),
        pd.DataFrame(X.to_dict(as_series=False)).astype({"word": "category"}),
    ]
    expected = model.predict_proba(X)
    for frame in frames:
        assert_array_equal(model.predict_proba(frame), expected)
    assert 30 in model.find_samples(X[30])


def test_codes_of_an_encoder_are_numbers_as_ever(global_random_seed):
    X = mixed_frame(np.random.default_rng(global_random_seed), 100)[["word", "code"]]
    X["word"] = X["word"].cat.add_categories("none").fillna("none")
    y = np.arange(100) % 2
    pipeline = make_pipeline(OrdinalEncoder(), UnlearningForestClassifier(5, random_state=0))
    codes = OrdinalEncoder().fit_transform(X)
    alone = UnlearningForestClassifier(5, categorical_features=None, random_state=0).fit(codes, y)
    assert_same_trees(pipeline.fit(X, y)[-1], alone)


@pytest.mark.fast
def test_numbers_are_not_looked_at():
    X = np.random.default_rng(0).normal(size=(20, 3))
    assert find_categorical(X, "from_dtype") is None
    assert find_categorical(pd.DataFrame(X), "from_dtype") is None
    assert find_categorical(X, None) is None
