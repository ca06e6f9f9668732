import pickle
import warnings

import numpy as np
import pytest
import sklearn.impute
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal
from scipy import sparse

from skunlearn.impute import SimpleImputer
from skunlearn.utils.estimator_checks import parametrize_with_unlearning_checks

pytestmark = [
    pytest.mark.filterwarnings("ignore:Skipping features", "ignore:Currently, when"),
]
STRATEGIES = ("mean", "median", "most_frequent", "constant", np.ptp)


def assert_same(ours, namesake, exact=True, rtol=1e-12):
    left, right = ours.statistics_, namesake.statistics_
    assert left.dtype == right.dtype
    if left.dtype.kind == "O":  # in which NaN equals NaN only as a text
        assert list(map(repr, left.tolist())) == list(map(repr, right.tolist()))
    elif exact:
        assert_array_equal(left, right)
    else:
        assert_allclose(left, right, rtol=rtol, atol=rtol)
    assert (ours.indicator_ is None) == (namesake.indicator_ is None)
    if namesake.indicator_ is not None:
        assert_array_equal(ours.indicator_.features_, namesake.indicator_.features_)


def assert_same_outputs(ours, namesake, exact=True):
    for left, right in ((ours, namesake),):
        if sparse.issparse(right):
            assert sparse.issparse(left)
            left, right = left.toarray(), right.toarray()
        assert left.dtype == right.dtype
        if right.dtype.kind == "O":
            assert left.tolist() == right.tolist()
        elif exact:
            assert_array_equal(left, right)
        else:
            assert_allclose(left, right, rtol=1e-5, atol=1e-5)


def draw_table(data, rng, n):
    """Draw rows and what is missing in them."""
    kind = data.draw(st.sampled_from(["float64", "float32", "marked", "sparse"]))
    X = np.round(rng.normal(size=(n, 4)), data.draw(st.integers(0, 3))) + 0.0
    X = X.astype(np.float32 if kind == "float32" else np.float64)
    X[:, 2] *= rng.random(n) < 0.5
    missing = -1.0 if kind == "marked" else np.nan
    gaps = rng.random((n, 4)) < data.draw(st.sampled_from([0.0, 0.2, 0.8]))
    gaps[:, 3] = False
    X[gaps] = missing
    if kind == "sparse":
        X[rng.random(X.shape) < 0.4] = 0.0
        X = sparse.csr_array(X)
    return X, missing


@given(st.data())
def test_law_for_any_rows_ids_and_order(data):
    rng = np.random.default_rng(data.draw(st.integers(0, 2**32)))
    n = data.draw(st.sampled_from([2, 10, 60]))
    X, missing = draw_table(data, rng, n)
    keep_empty = data.draw(st.booleans())
    strategy = data.draw(st.sampled_from(STRATEGIES if keep_empty else STRATEGIES[:4]))
    if callable(strategy):  # which need not take a column without values
        X = np.column_stack([rng.normal(size=n), np.arange(n)])
    parameters = {
        "strategy": strategy,
        "missing_values": missing,
        "add_indicator": data.draw(st.booleans()),
        "keep_empty_features": keep_empty,
    }
    ids = rng.integers(0, max(2, n // 2), n)
    ours = SimpleImputer(**parameters).fit(X, sample_ids=ids)
    namesake = sklearn.impute.SimpleImputer(**parameters)
    exact = strategy != "mean"
    rtol = 1e-5 if X.dtype == np.float32 else 1e-12  # they add up in the dtype of the rows
    assert_same(ours, namesake.fit(X), exact, rtol)
    order = data.draw(st.permutations(sorted(set((ids[ids != ids[0]]).tolist()))))
    for part in (order[:1], order[1:2], order[2:5], order[5:]):
        slots = ours._samples.resolve(part)[1]
        left = np.isin(ids, ours.sample_ids_) & ~np.isin(ids, part)
        before = ours.transform(X[left])
        keeps = bool(part) and ours._keeps_outputs(ours._after(ours._unlearn(slots)), slots)
        ours.unlearn(part)
        assert_same(ours, namesake.fit(X[left]), exact, rtol)
        outputs = ours.transform(X[left])
        assert_same_outputs(outputs, namesake.transform(X[left]), exact)
        assert_same_outputs(ours.to_predictor().transform(X[left]), outputs)
        if keeps:
            assert_same_outputs(outputs, before)


@given(st.data())
def test_law_for_objects(data):
    rng = np.random.default_rng(data.draw(st.integers(0, 2**32)))
    n = 30
    X = rng.choice(np.array(["ash", "oak", "elm", "fir"], dtype=object), (n, 3))
    missing = data.draw(st.sampled_from([None, np.nan, "oak"]))
    X[rng.random(X.shape) < 0.3] = missing
    X[4:, 1] = missing
    X[0] = "ash"
    parameters = {
        "strategy": data.draw(st.sampled_from(["most_frequent", "constant"])),
        "missing_values": missing,
        "add_indicator": data.draw(st.booleans()),
        "keep_empty_features": data.draw(st.booleans()),
    }
    ours = SimpleImputer(**parameters).fit(X)
    namesake = sklearn.impute.SimpleImputer(**parameters)
    order = data.draw(st.permutations(range(n)))
    for part in (order[:1], order[1:4], order[4:20], order[20:28]):
        ours.unlearn(part)
        left = X[ours.sample_ids_]
        assert_same(ours, namesake.fit(left))
        names = np.array(["a", "b", "c"], dtype=object)
        assert_array_equal(ours.get_feature_names_out(names), namesake.get_feature_names_out(names))
        assert_same_outputs(ours.transform(left), namesake.transform(left))


@pytest.mark.fast
def test_frames_of_pandas():
    pd = pytest.importorskip("pandas")
    frame = pd.DataFrame(
        {"tree": ["ash", None, "oak", "oak"], "size": [1.0, 2.0, np.nan, 9.0]},
        index=["a", "b", "c", "d"],
    )
    frame["tree"] = frame["tree"].astype(object).where(frame["tree"].notna(), np.nan)
    ours = SimpleImputer(strategy="most_frequent").fit(frame).unlearn("d")
    namesake = sklearn.impute.SimpleImputer(strategy="most_frequent").fit(frame.iloc[:3])
    assert ours.statistics_.tolist() == namesake.statistics_.tolist()
    shown = ours.set_output(transform="pandas").transform(frame)
    assert shown["tree"].tolist() == ["ash", "ash", "oak", "oak"]
    assert ours.find_samples(frame.iloc[:1]).tolist() == ["a"]


@pytest.mark.fast
@pytest.mark.parametrize("strategy", ["mean", "median", "most_frequent"])
def test_outputs_are_kept_where_no_row_left_misses_a_value(strategy):
    X = np.array([[1.0, 5.0], [1.0, np.nan], [2.0, 5.0], [3.0, 8.0], [2.0, 8.0], [2.0, 5.0]])
    imputer = SimpleImputer(strategy=strategy).fit(X)

    def keeps(*rows):
        rows = np.array(rows)
        after = imputer._after(imputer._unlearn(rows))
        assert not np.array_equal(after.statistics_, imputer.statistics_)
        return imputer._keeps_outputs(after, rows)

    assert keeps(2, 5) is False  # the second column moves, and row 1 misses it
    X[1, 1] = X[0, 1]
    imputer.fit(X)
    assert keeps(2, 5) is True


@pytest.mark.fast
def test_an_indicator_column_that_goes_changes_the_outputs():
    X = np.array([[1.0, 5.0], [1.0, np.nan], [1.0, 5.0]])
    rows = np.array([1])
    for indicates in (False, True):
        imputer = SimpleImputer(add_indicator=indicates).fit(X)
        assert imputer._keeps_outputs(imputer._after(imputer._unlearn(rows)), rows) != indicates


@pytest.mark.fast
def test_the_mean_of_a_column_that_an_outlier_dominated(global_random_seed):
    rng = np.random.default_rng(global_random_seed)
    X = rng.normal(size=(200, 2))
    X[7] = 1e17
    imputer = SimpleImputer().fit(X).unlearn(7)
    assert_allclose(imputer.statistics_, np.delete(X, 7, axis=0).mean(axis=0), rtol=1e-10)
    assert imputer.unlearning_report_.n_refitted == 1


@pytest.mark.fast
def test_way_back(global_random_seed):
    rng = np.random.default_rng(global_random_seed)
    X = rng.normal(size=(20, 3))
    X[rng.random(X.shape) < 0.3] = np.nan
    imputer = SimpleImputer(add_indicator=True).fit(X).unlearn([0, 1])
    assert_array_equal(imputer.inverse_transform(imputer.transform(X[2:])), X[2:])


@pytest.mark.fast
def test_what_is_refused():
    words = [["a"], ["b"]]
    with pytest.raises(ValueError, match="Cannot use mean strategy with non-numeric"):
        SimpleImputer().fit(words)
    with pytest.raises(ValueError, match="does not support data with dtype"):
        SimpleImputer(strategy="constant").fit(np.array(words))
    with pytest.raises(ValueError, match="both numerical"):
        SimpleImputer(missing_values="x").fit([[1.0]])
    with pytest.raises(ValueError, match="missing_values == 0"):
        SimpleImputer(missing_values=0).fit(sparse.eye_array(3, format="csr"))
    with pytest.raises(ValueError, match="cannot be cast"):
        SimpleImputer(strategy="constant", fill_value="x").fit([[1.0], [2.0]])
    with pytest.raises(ValueError, match="NaN"):
        SimpleImputer(missing_values=-1).fit([[np.nan], [2.0]])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        SimpleImputer(strategy="most_frequent").fit(words)


@parametrize_with_unlearning_checks(
    [
        SimpleImputer(strategy="median"),
        SimpleImputer(strategy="most_frequent", add_indicator=True),
        # Else the constant of a sparse column of zeros is NaN, as theirs.
        SimpleImputer(strategy="constant", fill_value=3.5, keep_empty_features=True),
    ]
)
def test_unlearning_contract(estimator, check):
    check(estimator)


VALUES = [["a", "b", None], ["a", None, np.nan], [None], [1, 2, None], [1.5, np.nan], [True, None]]


def same(left, right):
    """Tell whether arrays of objects hold the same, NaN and None included."""
    pairs = zip(np.ravel(left), np.ravel(right), strict=True)
    return all(a is b or a == b or (a != a and b != b) for a, b in pairs)


@pytest.mark.filterwarnings("ignore:Skipping features without any observed values")
@pytest.mark.parametrize("missing_values", [np.nan, None, "a"], ids=str)
@pytest.mark.parametrize("keep_empty_features", [True, False])
def test_none_among_values(missing_values, keep_empty_features, global_random_seed):
    rng = np.random.default_rng(global_random_seed)
    parameters = {
        "strategy": "most_frequent",
        "missing_values": missing_values,
        "keep_empty_features": keep_empty_features,
    }
    n_compared = 0
    for _ in range(40):
        X = np.empty((12, 3), dtype=object)
        for j, which in enumerate(rng.integers(0, len(VALUES), 3)):
            X[:, j] = [VALUES[which][k] for k in rng.integers(0, len(VALUES[which]), 12)]
        namesake = sklearn.impute.SimpleImputer(**parameters)
        ours = SimpleImputer(**parameters)
        try:
            namesake.fit(X)
        except ValueError:
            with pytest.raises(ValueError, match=r"missing_values|None|str|float|NaN"):
                ours.fit(X)
            continue
        ours.fit(X, sample_ids="row numbers")
        for gone in ([], [0, 4], [1, 2, 3, 5, 6, 7, 8]):
            pickle.loads(pickle.dumps(ours)).unlearn(gone)
            ours.unlearn(gone)
            kept = X[ours.sample_ids_]
            try:
                expected = namesake.fit(kept).transform(kept)
            except ValueError:
                break
            assert same(ours.statistics_, namesake.statistics_)
            outputs = ours.transform(kept)
            assert outputs.shape == expected.shape
            assert same(outputs, expected)
            n_compared += 1
    assert n_compared > 20
