import numpy as np
import pytest
import sklearn.feature_selection
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal
from scipy import sparse

from skunlearn.exceptions import NotUnlearnableError
from skunlearn.feature_selection import VarianceThreshold
from skunlearn.pipeline import make_pipeline
from skunlearn.preprocessing import StandardScaler


def make_table(seed, n=200):
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n, 7)) * [1, 30, 1e-3, 1, 5, 1, 1] + [0, 5, 1, -3, 0, 0, 2]
    X[:, 3] = 1.7
    X[:, 4] = rng.integers(0, 9, n)
    X[:, 5] = rng.random(n) < 0.05
    X[rng.random(n) < 0.1, 6] = np.nan
    return X, rng


@pytest.mark.fast
@pytest.mark.parametrize("threshold", [0.0, 0.5])
@pytest.mark.parametrize("form", [np.asarray, sparse.csr_array, sparse.csc_array])
def test_fit_and_requests_equal_scikit_learn(threshold, form, global_random_seed):
    X, rng = make_table(global_random_seed)
    ours, namesake = VarianceThreshold(threshold), sklearn.feature_selection.VarianceThreshold()
    namesake.set_params(threshold=threshold).fit(form(X))
    assert_allclose(ours.fit(form(X)).variances_, namesake.variances_, rtol=1e-11, atol=1e-25)
    gone = rng.permutation(200)[:150]
    for part in np.array_split(gone, 20):
        ours.unlearn(part)
        kept = ours.sample_ids_
        namesake.fit(form(X[kept]))
        assert_allclose(ours.variances_, namesake.variances_, rtol=1e-10, atol=1e-25)
        again = VarianceThreshold(threshold).fit(form(X[kept]))
        assert_allclose(ours.variances_, again.variances_, rtol=1e-10, atol=1e-25)
        assert_array_equal(ours.get_support(), namesake.get_support())
    if form is np.asarray:
        assert_array_equal(ours.transform(X), namesake.transform(X))
        assert_array_equal(ours.to_predictor().transform(X), namesake.transform(X))


@given(st.data())
def test_law_for_any_rows_ids_and_order(data):
    n, d = data.draw(st.integers(2, 30)), data.draw(st.integers(1, 4))
    rng = np.random.default_rng(data.draw(st.integers(0, 2**32)))
    values, share = [0.0, 1.0, -2.5, 1e6, 100.0, np.nan], [0.4, 0.2, 0.1, 0.1, 0.1, 0.1]
    X = rng.choice(values, size=(n, d), p=share)
    X[0] = np.arange(d) + 0.5
    X[1] = np.arange(d) - 0.5
    ids = rng.integers(0, max(2, n // 2), n)
    threshold = data.draw(st.sampled_from([0.0, 0.25, 10.0]))
    try:
        selector = VarianceThreshold(threshold).fit(X, sample_ids=ids)
    except ValueError:
        return
    for i in data.draw(st.permutations(sorted(set(ids.tolist()))))[:-1]:
        kept = np.isin(ids, selector.sample_ids_) & (ids != i)
        try:
            again = VarianceThreshold(threshold).fit(X[kept], sample_ids=ids[kept])
        except ValueError:
            before = selector.variances_.copy()
            with pytest.raises(NotUnlearnableError, match="variance threshold"):
                selector.unlearn(i)
            assert_array_equal(selector.variances_, before)
            continue
        selector.unlearn([i, i])
        assert_allclose(selector.variances_, again.variances_, rtol=1e-10)
        assert_array_equal(selector.get_support(), again.get_support())


@pytest.mark.fast
def test_a_column_that_becomes_constant_is_dropped_for_good():
    X = np.array([[0.1, 1.0], [0.1, 2.0], [0.1, 5.0], [7.3, 3.0]])
    selector = VarianceThreshold().fit(X)
    assert selector.get_support().tolist() == [True, True]
    assert selector.unlearn(3).variances_[0] == 0.0
    assert selector.get_support().tolist() == [False, True]


@pytest.mark.fast
def test_variances_at_the_threshold_are_judged_as_by_scikit_learn():
    flags = np.zeros((50, 3))
    flags[:10, 0] = 1.0
    flags[:40, 1] = 1.0
    flags[:25, 2] = 1.0
    X = np.vstack([flags, np.ones((1, 3))])
    namesake = sklearn.feature_selection.VarianceThreshold(0.8 * 0.2).fit(flags)
    ours = VarianceThreshold(0.8 * 0.2).fit(X).unlearn(50)
    assert_array_equal(ours.get_support(), namesake.get_support())


@pytest.mark.fast
def test_outputs_stay_while_the_same_columns_are_selected():
    X, _ = make_table(0)
    X = X[:, :6]
    selector = VarianceThreshold().fit(X)
    rows = np.array([3])
    assert selector._keeps_outputs(selector._after(selector._unlearn(rows)), rows)
    rows = np.flatnonzero(X[:, 5] == 1.0)
    assert not selector._keeps_outputs(selector._after(selector._unlearn(rows)), rows)
    pipe = make_pipeline(VarianceThreshold(), StandardScaler()).fit(X)
    pipe.unlearn(rows.tolist())
    again = make_pipeline(VarianceThreshold(), StandardScaler()).fit(np.delete(X, rows, axis=0))
    assert_allclose(pipe.transform(X), again.transform(X), rtol=1e-9)


@pytest.mark.fast
@pytest.mark.filterwarnings("ignore:Degrees of freedom", "ignore:All-NaN", "ignore:invalid value")
@pytest.mark.parametrize("threshold", [0.0, 0.3])
@pytest.mark.parametrize("make", [np.array, sparse.csr_array])
def test_columns_without_a_value(make, threshold, global_random_seed):
    rng = np.random.default_rng(global_random_seed)
    X = rng.normal(size=(30, 5))
    X[rng.random((30, 5)) < 0.3] = np.nan
    X[:, 1], X[2:, 2], X[2:, 3] = np.nan, np.nan, 1.0
    ids = rng.permutation(30)
    ours = VarianceThreshold(threshold).fit(make(X), sample_ids=ids)
    for gone in ([], [0, 1], [2, 9]):
        ours.unlearn(ids[gone])
        kept = np.isin(ids, ours.sample_ids_)
        namesake = sklearn.feature_selection.VarianceThreshold(threshold).fit(make(X[kept]))
        assert_allclose(ours.variances_, namesake.variances_, rtol=1e-9)
        assert_array_equal(ours.get_support(), namesake.get_support())
    assert np.isnan(ours.variances_[[1, 2]]).all()


def test_only_columns_without_a_value_are_refused():
    X = np.array([[np.nan, 1.0], [np.nan, 3.0], [np.nan, np.nan], [np.nan, np.nan]])
    ours = VarianceThreshold().fit(X, sample_ids=list("abcd"))
    with pytest.raises(NotUnlearnableError, match="No feature in X meets"):
        ours.unlearn(["a", "b"])
    with pytest.raises(ValueError, match="No feature in X meets"):
        VarianceThreshold().fit(X[2:])
