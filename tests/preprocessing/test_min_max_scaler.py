import pickle

import numpy as np
import pytest
import sklearn.preprocessing
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal
from scipy import sparse

from skunlearn._statistics import extremes
from skunlearn.linear_model import Ridge
from skunlearn.pipeline import make_pipeline
from skunlearn.preprocessing import MinMaxScaler

ATTRIBUTES = ("min_", "scale_", "data_min_", "data_max_", "data_range_", "n_samples_seen_")


def assert_same_scaler(ours, namesake):
    for name in ATTRIBUTES:
        left, right = getattr(ours, name), getattr(namesake, name)
        assert_array_equal(left, right, err_msg=name)
        assert np.asarray(left).dtype == np.asarray(right).dtype


@pytest.mark.fast
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("feature_range", [(0, 1), (-0.3, 0.1)])
@pytest.mark.parametrize("clip", [False, True])
def test_fit_and_transform_equal_scikit_learn(dtype, feature_range, clip, global_random_seed):
    rng = np.random.default_rng(global_random_seed)
    X = (rng.normal(size=(300, 5)) * 10.0 ** rng.integers(-3, 4, 5)).astype(dtype)
    X[:, 2] = 0.1
    X[rng.random(X.shape) < 0.1] = np.nan
    namesake = sklearn.preprocessing.MinMaxScaler(feature_range, clip=clip).fit(X)
    ours = MinMaxScaler(feature_range, clip=clip).fit(X)
    assert_same_scaler(ours, namesake)
    fresh = 2 * rng.normal(size=(50, 5)).astype(dtype)
    assert_array_equal(ours.transform(fresh), namesake.transform(fresh))
    assert_array_equal(ours.inverse_transform(fresh), namesake.inverse_transform(fresh))
    assert hasattr(ours, "_affine_map") is not clip
    if not clip:
        assert_allclose(
            ours._affine_map().of(fresh), namesake.transform(fresh), rtol=1e-3, atol=1e-3
        )


@given(st.data())
def test_law_for_any_rows_ids_and_order(data):
    rng = np.random.default_rng(data.draw(st.integers(0, 2**32)))
    n = data.draw(st.integers(2, 60))
    X = rng.normal(size=(n, 3))
    X[:, 1] = rng.integers(0, 3, n)
    X[1:][rng.random((n - 1, 3)) < 0.2] = np.nan
    ids = rng.integers(0, max(2, n // 2), n)
    kept_at_most = data.draw(st.sampled_from([1, 2, 64]))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(extremes, "N_KEPT", kept_at_most)
        scaler = MinMaxScaler().fit(X, sample_ids=ids)
        for i in data.draw(st.permutations(sorted(set((ids[ids != ids[0]]).tolist())))):
            scaler.unlearn([i, i])
            left = X[np.isin(ids, scaler.sample_ids_)]
            assert_same_scaler(scaler, sklearn.preprocessing.MinMaxScaler().fit(left))


@pytest.mark.fast
def test_extremes_that_leave_one_after_the_other(global_random_seed):
    rng = np.random.default_rng(global_random_seed)
    X = rng.normal(size=(2000, 2))
    scaler = MinMaxScaler().fit(X)
    for i in np.argsort(np.abs(X[:, 0] - 3.0))[:300].tolist():
        scaler.unlearn(i)
    assert_same_scaler(scaler, sklearn.preprocessing.MinMaxScaler().fit(X[scaler.sample_ids_]))
    assert not pickle.loads(pickle.dumps(scaler))._extremes._buffers


@pytest.mark.fast
def test_outputs_are_kept_unless_an_extreme_leaves():
    X = np.array([[0.0, 5.0], [1.0, 2.0], [1.0, 3.0], [4.0, 5.0], [9.0, 5.0]])
    scaler = MinMaxScaler().fit(X)
    for row, keeps in enumerate((False, False, True, True, False)):
        rows = np.array([row])
        assert scaler._keeps_outputs(scaler._after(scaler._unlearn(rows)), rows) is keeps


def test_a_linear_model_behind_it_is_pushed_through(global_random_seed):
    rng = np.random.default_rng(global_random_seed)
    X = rng.normal(size=(60, 3))
    y = X @ [1.0, 2.0, -1.0] + rng.normal(size=60)
    pipe = make_pipeline(MinMaxScaler((-1, 2)), Ridge()).fit(X, y)
    pipe.unlearn(np.argsort(X[:, 0])[:4])
    assert [step.way for step in pipe.unlearning_report_.steps] == ["unlearned", "pushed through"]
    again = make_pipeline(MinMaxScaler((-1, 2)), Ridge()).fit(
        X[pipe.sample_ids_], y[pipe.sample_ids_]
    )
    assert_allclose(pipe.predict(X), again.predict(X), rtol=1e-9)


def test_what_is_refused():
    with pytest.raises(TypeError, match="does not support sparse"):
        MinMaxScaler().fit(sparse.eye_array(3))
    with pytest.raises(ValueError, match="must be smaller than maximum"):
        MinMaxScaler((1, 1)).fit([[1.0], [2.0]])
