"""Tables of categories of every kind, and comparison of encoders, for the tests beside this."""

import warnings

import numpy as np
import pytest
import sklearn.preprocessing
from scipy import sparse

WORDS = ("red", "green", "blue", "ultramarine")


def words(rng, n, missing=()):
    """Draw words, rare ones included, as an array of objects."""
    values = np.array([*WORDS, *missing], dtype=object)
    weights = np.array([8.0, 4.0, 2.0, 1.0, *[1.0] * len(missing)])
    return rng.choice(values, n, p=weights / weights.sum())


def object_array(rng, n):
    return np.stack([words(rng, n), words(rng, n, [None]), words(rng, n, [np.nan])], axis=1)


def both_missing(rng, n):
    return np.stack([words(rng, n, [None, np.nan]), words(rng, n)], axis=1)


def string_array(rng, n):
    return np.stack([words(rng, n), words(rng, n)], axis=1).astype(str)


def bytes_array(rng, n):
    return string_array(rng, n).astype("S")


def integers(rng, n):
    return rng.integers(-2, 3, (n, 3))


def far_integers(rng, n):
    return rng.choice([-(10**12), 3, 10**12], (n, 2))


def booleans(rng, n):
    return rng.random((n, 2)) < 0.3


def floats(rng, n):
    return rng.choice([0.5, 0.0, np.nan, 7.25], (n, 3))


def narrow_floats(rng, n):
    return floats(rng, n).astype(np.float32)


def numbers_as_objects(rng, n):
    return rng.choice(np.array([1, 1.0, True, 2, np.nan, 2.5], dtype=object), (n, 2))


def pandas_frame(rng, n):
    pd = pytest.importorskip("pandas")
    frame = pd.DataFrame(
        {
            "word": words(rng, n),
            "missing": words(rng, n, [np.nan]),
            "integer": rng.integers(0, 3, n),
            "float": rng.choice([1.5, np.nan, 2.5], n),
            "flag": rng.random(n) < 0.5,
            "category": pd.Categorical(words(rng, n), categories=WORDS[::-1]),
            "number": pd.Categorical(rng.choice([3.0, 1.0, np.nan], n, p=[0.5, 0.4, 0.1])),
            "nullable": pd.array(rng.choice([1.0, 2.0, np.nan], n), dtype="Int64"),
        }
    )
    frame["number"] = frame["number"].cat.rename_categories([1, 3])
    return frame


def polars_frame(rng, n):
    pl = pytest.importorskip("polars")
    return pl.DataFrame({"word": words(rng, n).tolist(), "integer": rng.integers(0, 3, n)})


def polars_numbers(rng, n):
    pl = pytest.importorskip("polars")
    values = rng.integers(0, 3, n).tolist()
    values[-1] = None
    return pl.DataFrame({"a": values, "b": rng.integers(0, 3, n)})


def polars_missing(rng, n):
    pl = pytest.importorskip("polars")
    values = rng.integers(0, 3, n).tolist()
    values[-1] = None
    return pl.DataFrame({"a": values, "word": words(rng, n).tolist()})


TABLES = (
    object_array,
    both_missing,
    string_array,
    bytes_array,
    integers,
    far_integers,
    booleans,
    floats,
    narrow_floats,
    numbers_as_objects,
    pandas_frame,
    polars_frame,
    polars_numbers,
    polars_missing,
)


def pick(X, rows):
    """Take rows of a table of any kind."""
    rows = np.asarray(rows)
    return X.iloc[rows].reset_index(drop=True) if hasattr(X, "iloc") else X[rows]


def namesake_of(model):
    """Make scikit-learn's estimator with the same parameters."""
    namesake = getattr(sklearn.preprocessing, type(model).__name__)()
    known = namesake.get_params()
    return namesake.set_params(**{k: v for k, v in model.get_params().items() if k in known})


def assert_same_values(ours, namesake, what):
    """Compare arrays: dtypes, types of objects and values, NaN equal to NaN."""
    if ours is None or namesake is None:
        assert ours is namesake, what
        return
    assert ours.dtype == namesake.dtype, what
    assert ours.shape == namesake.shape, what
    for a, b in zip(ours.ravel().tolist(), namesake.ravel().tolist(), strict=True):
        assert type(a) is type(b), (what, a, b)
        assert a == b or (a != a and b != b), (what, ours, namesake)


def assert_same_encoder(ours, namesake):
    """Compare what two encoders have learnt."""
    for name in ("categories_", "infrequent_categories_"):
        assert hasattr(ours, name) == hasattr(namesake, name), name
        if hasattr(ours, name):
            for a, b in zip(getattr(ours, name), getattr(namesake, name), strict=True):
                assert_same_values(a, b, name)
    if getattr(namesake, "drop_idx_", None) is not None:
        assert ours.drop_idx_.dtype == namesake.drop_idx_.dtype
        assert ours.drop_idx_.tolist() == namesake.drop_idx_.tolist()
    elif hasattr(namesake, "drop_idx_"):
        assert ours.drop_idx_ is None
    assert ours.get_feature_names_out().tolist() == namesake.get_feature_names_out().tolist()


def outcome(call):
    """Return what a call returns, or the type of what it raises, with its warnings."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            result = call()
        except (ValueError, TypeError, IndexError) as error:
            result = type(error)
    return result, [str(warning.message) for warning in caught]


def assert_same_outputs(ours, namesake, X):
    (a, ours_said), (b, theirs_said) = (
        outcome(lambda m=m: m.transform(X)) for m in (ours, namesake)
    )
    # How unknown categories are encoded, scikit-learn 1.6 did not always say right.
    assert [text.split(" These")[0] for text in ours_said] == [
        text.split(" These")[0] for text in theirs_said
    ]
    assert type(a) is type(b)
    if isinstance(b, type):
        assert a is b
    elif sparse.issparse(b):
        assert a.dtype == b.dtype
        assert a.indices.dtype == b.indices.dtype
        assert a.shape == b.shape
        for part in ("data", "indices", "indptr"):
            np.testing.assert_array_equal(getattr(a, part), getattr(b, part))
    else:
        assert a.dtype == b.dtype
        np.testing.assert_array_equal(a, b)
    return b
