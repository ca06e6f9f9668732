import numpy as np
import pytest
import sklearn.preprocessing
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_array_equal
from scipy import sparse

from skunlearn.preprocessing import QuantileTransformer
from skunlearn.utils._checks.hygiene import check_nothing_stays_behind
from skunlearn.utils._checks.inputs import check_law_sparse

# NumPy warns of columns without values.
pytestmark = pytest.mark.filterwarnings("ignore:n_quantiles", "ignore:All-NaN slice")


def assert_same(ours, namesake):
    assert ours.n_quantiles_ == namesake.n_quantiles_
    assert_array_equal(ours.references_, namesake.references_)
    assert_array_equal(ours.quantiles_, namesake.quantiles_)


def table(rng, n, dtype=np.float64):
    X = rng.normal(size=(n, 4)).astype(dtype)
    X[:, 1] = rng.integers(0, 3, n)
    X[:, 2] *= rng.random(n) < 0.5
    X[1:][rng.random((n - 1, 4)) < 0.2] = np.nan
    return X


@given(st.data())
def test_law_without_a_subsample(data):
    rng = np.random.default_rng(data.draw(st.integers(0, 2**32)))
    n = data.draw(st.sampled_from([2, 10, 60, 300]))
    X = table(rng, n, data.draw(st.sampled_from([np.float64, np.float32])))
    parameters = {"n_quantiles": data.draw(st.sampled_from([1, 4, 50])), "subsample": None}
    if data.draw(st.booleans()):
        X = sparse.csr_array(np.abs(X))
        X.data[::5] = 0.0
        parameters["ignore_implicit_zeros"] = data.draw(st.booleans())
    ids = rng.integers(0, max(2, n // 2), n)
    ours = QuantileTransformer(**parameters).fit(X, sample_ids=ids)
    namesake = sklearn.preprocessing.QuantileTransformer(**parameters)
    assert_same(ours, namesake.fit(X))
    order = data.draw(st.permutations(sorted(set((ids[ids != ids[0]]).tolist()))))
    for part in np.array_split(order, min(6, len(order))) if order else ():
        ours.unlearn(part)
        assert_same(ours, namesake.fit(X[np.isin(ids, ours.sample_ids_)]))


@given(st.data())
def test_law_with_a_subsample(data):
    rng = np.random.default_rng(data.draw(st.integers(0, 2**32)))
    X = table(rng, 80)
    ids = rng.integers(0, data.draw(st.sampled_from([20, 10**6])), 80)
    model = QuantileTransformer(n_quantiles=7, subsample=25, random_state=3)
    ours = model.fit(X, sample_ids=ids)
    for part in np.array_split(data.draw(st.permutations(sorted(set(ids[1:].tolist())))), 8)[:-1]:
        ours.unlearn(part)
        kept = np.isin(ids, ours.sample_ids_)
        again = QuantileTransformer(n_quantiles=7, subsample=25, random_state=3)
        assert_same(ours, again.fit(X[kept], sample_ids=ids[kept]))
        shuffled = rng.permutation(np.flatnonzero(kept))
        if len(set(ids[kept].tolist())) == kept.sum():
            assert_same(ours, again.fit(X[shuffled], sample_ids=ids[shuffled]))


@pytest.mark.fast
def test_the_subsample_is_drawn_from_all_rows(global_random_seed):
    X = np.arange(4000.0)[:, None]
    model = QuantileTransformer(n_quantiles=5, subsample=1000, random_state=global_random_seed)
    model.fit(X)
    assert np.abs(model.quantiles_.ravel() - [0, 1000, 2000, 3000, 4000]).max() < 350
    untouched = [not model._unlearn(np.array([i])).attributes for i in range(50)]
    assert 20 <= sum(untouched) < 50


@pytest.mark.fast
@pytest.mark.parametrize("distribution", ["uniform", "normal"])
def test_transform_equals_scikit_learn(distribution, global_random_seed):
    rng = np.random.default_rng(global_random_seed)
    X = table(rng, 200)
    parameters = {"n_quantiles": 20, "output_distribution": distribution}
    ours = QuantileTransformer(**parameters).fit(X).unlearn([3, 4])
    namesake = sklearn.preprocessing.QuantileTransformer(**parameters).fit(X[ours.sample_ids_])
    for mine in (ours, ours.to_predictor()):
        assert_array_equal(mine.transform(X), namesake.transform(X))
        assert_array_equal(mine.inverse_transform(X), namesake.inverse_transform(X))


@pytest.mark.fast
def test_outputs_are_kept_where_no_quantile_moves():
    X = np.array([[0.0], [1.0], [1.0], [1.0], [1.0], [1.0], [2.0], [2.0]])
    model = QuantileTransformer(n_quantiles=3).fit(X)
    for row, keeps in ((6, True), (0, False)):
        rows = np.array([row])
        assert model._keeps_outputs(model._after(model._unlearn(rows)), rows) is keeps


class Positive(QuantileTransformer):
    """Has the checks make rows that may be sparse."""

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.positive_only = True
        return tags


@pytest.mark.parametrize("check", [check_nothing_stays_behind, check_law_sparse])
def test_contract_of_sparse_rows(check):
    check("QuantileTransformer", Positive(n_quantiles=5))
    check("QuantileTransformer", Positive(n_quantiles=5, subsample=20))


@pytest.mark.fast
def test_what_is_refused_or_warned_of():
    X = [[1.0], [2.0], [3.0]]
    with pytest.raises(ValueError, match="cannot be greater than"):
        QuantileTransformer(n_quantiles=9, subsample=5).fit(X)
    with pytest.raises(ValueError, match="non-negative sparse"):
        QuantileTransformer(n_quantiles=2).fit(-sparse.eye_array(3, format="csr"))
    with pytest.warns(UserWarning, match="greater than the total"):
        QuantileTransformer(n_quantiles=9).fit(X)
    with pytest.warns(UserWarning, match="only with sparse"):
        QuantileTransformer(n_quantiles=2, ignore_implicit_zeros=True).fit(X)
