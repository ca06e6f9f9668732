import numpy as np
import pytest
import sklearn.preprocessing
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal
from scipy import sparse

from skunlearn.preprocessing import RobustScaler


def assert_same_scaler(ours, namesake):
    for name in ("center_", "scale_"):
        left, right = getattr(ours, name), getattr(namesake, name)
        if right is None:
            assert left is None
        else:
            assert_array_equal(left, right, err_msg=name)
            assert left.dtype == right.dtype


@given(st.data())
def test_law_for_any_rows_ids_and_order(data):
    rng = np.random.default_rng(data.draw(st.integers(0, 2**32)))
    n = data.draw(st.sampled_from([2, 3, 10, 60, 610]))
    X = rng.normal(size=(n, 4)).astype(data.draw(st.sampled_from([np.float64, np.float32])))
    X[:, 1] = rng.integers(-2, 3, n)
    X[:, 2] *= rng.random(n) < 0.5
    X[1:][rng.random((n - 1, 4)) < 0.2] = np.nan
    is_sparse = data.draw(st.booleans())
    parameters = {
        "with_centering": not is_sparse and data.draw(st.booleans()),
        "with_scaling": data.draw(st.booleans()),
        "unit_variance": data.draw(st.booleans()),
        "quantile_range": data.draw(st.sampled_from([(25.0, 75.0), (1, 90), (100 / 3, 50.0)])),
    }
    if is_sparse:
        X = sparse.csr_array(X)
    ids = rng.integers(0, max(2, n // 2), n)
    scaler = RobustScaler(**parameters).fit(X, sample_ids=ids)
    namesake = sklearn.preprocessing.RobustScaler(**parameters)
    assert_same_scaler(scaler, namesake.fit(X))
    order = data.draw(st.permutations(sorted(set((ids[ids != ids[0]]).tolist()))))
    for part in np.array_split(order, min(8, len(order))) if order else ():
        scaler.unlearn(part)
        left = X[np.isin(ids, scaler.sample_ids_)]
        assert_same_scaler(scaler, namesake.fit(left))
        assert_array_equal(scaler.sample_ids_, ids[np.isin(ids, scaler.sample_ids_)])


@pytest.mark.fast
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_transform_and_predictor_equal_scikit_learn(dtype, global_random_seed):
    rng = np.random.default_rng(global_random_seed)
    X = rng.normal(size=(100, 3)).astype(dtype)
    ours = RobustScaler().fit(X).unlearn([1, 2, 3])
    namesake = sklearn.preprocessing.RobustScaler().fit(X[ours.sample_ids_])
    for mine in (ours, ours.to_predictor()):
        assert_array_equal(mine.transform(X), namesake.transform(X))
        assert mine.transform(X).dtype == dtype
        assert_array_equal(mine.inverse_transform(X), namesake.inverse_transform(X))
    assert type(ours.to_predictor()) is sklearn.preprocessing.RobustScaler
    assert_allclose(ours._affine_map().of(X), namesake.transform(X), rtol=1e-4, atol=1e-6)


@pytest.mark.fast
def test_outputs_are_kept_where_the_middle_stays():
    X = np.array([[0.0], [1.0], [1.0], [1.0], [1.0], [1.0], [2.0]])
    scaler = RobustScaler().fit(X)
    rows = np.array([0])
    assert scaler._keeps_outputs(scaler._after(scaler._unlearn(rows)), rows)
    scaler = RobustScaler().fit(np.arange(7.0)[:, None])
    assert not scaler._keeps_outputs(scaler._after(scaler._unlearn(rows)), rows)


@pytest.mark.fast
def test_what_is_refused():
    with pytest.raises(ValueError, match="Cannot center sparse"):
        RobustScaler().fit(sparse.eye_array(3, format="csr"))
    with pytest.raises(ValueError, match="Invalid quantile range"):
        RobustScaler(quantile_range=(50, 20)).fit([[1.0], [2.0]])
