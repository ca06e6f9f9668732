import numpy as np
import pytest
import sklearn.preprocessing
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_array_equal
from scipy import sparse

from skunlearn.preprocessing import MaxAbsScaler
from skunlearn.preprocessing._max_abs_scaler import _NAMESAKE_CLIPS


def assert_same_scaler(ours, namesake):
    for name in ("max_abs_", "scale_", "n_samples_seen_"):
        left, right = getattr(ours, name), getattr(namesake, name)
        assert_array_equal(left, right, err_msg=name)
        assert np.asarray(left).dtype == np.asarray(right).dtype


@given(st.data())
def test_law_for_any_rows_ids_and_order(data):
    rng = np.random.default_rng(data.draw(st.integers(0, 2**32)))
    n = data.draw(st.integers(2, 60))
    X = rng.normal(size=(n, 4)).astype(data.draw(st.sampled_from([np.float64, np.float32])))
    X[:, 1] = rng.integers(-2, 3, n)
    X[:, 2] *= rng.random(n) < 0.1
    X[1:][rng.random((n - 1, 4)) < 0.2] = np.nan
    if data.draw(st.booleans()):
        X = sparse.csr_array(X)
    ids = rng.integers(0, max(2, n // 2), n)
    scaler = MaxAbsScaler().fit(X, sample_ids=ids)
    assert_same_scaler(scaler, sklearn.preprocessing.MaxAbsScaler().fit(X))
    for i in data.draw(st.permutations(sorted(set((ids[ids != ids[0]]).tolist())))):
        scaler.unlearn([i, i])
        left = X[np.isin(ids, scaler.sample_ids_)]
        namesake = sklearn.preprocessing.MaxAbsScaler().fit(left)
        assert_same_scaler(scaler, namesake)
        outputs = scaler.transform(left) - namesake.transform(left)
        outputs = outputs.data if sparse.issparse(outputs) else outputs
        assert not np.nan_to_num(outputs).any()


@pytest.mark.fast
def test_outputs_are_kept_unless_the_largest_leaves():
    X = np.array([[0.0, -5.0], [1.0, 2.0], [1.0, 3.0], [9.0, 5.0]])
    scaler = MaxAbsScaler().fit(X)
    for row, keeps in enumerate((True, True, True, False)):
        rows = np.array([row])
        assert scaler._keeps_outputs(scaler._after(scaler._unlearn(rows)), rows) is keeps


@pytest.mark.fast
@pytest.mark.skipif(_NAMESAKE_CLIPS, reason="this scikit-learn can clip")
def test_clipping_needs_a_release_that_can():
    with pytest.raises(ValueError, match="needs a release"):
        MaxAbsScaler(clip=True).fit([[1.0], [2.0]])


@pytest.mark.fast
@pytest.mark.skipif(not _NAMESAKE_CLIPS, reason="this scikit-learn cannot clip")
def test_clipping():
    scaler = MaxAbsScaler(clip=True).fit([[1.0], [2.0]])
    assert_array_equal(scaler.transform([[-7.0], [1.0]]), [[-1.0], [0.5]])
    assert not hasattr(scaler, "_affine_map")
