"""k nearest neighbours: bit for bit what retraining and scikit-learn give, and no index left."""

import inspect
import pickle
import warnings
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import sklearn.neighbors
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy import sparse
from sklearn.base import clone
from sklearn.exceptions import DataConversionWarning

from skunlearn._compat import search_buffers
from skunlearn.neighbors import KNeighborsClassifier, KNeighborsRegressor
from skunlearn.pipeline import make_pipeline
from skunlearn.preprocessing import StandardScaler
from skunlearn.utils._difference import differ

MODELS = [KNeighborsClassifier, KNeighborsRegressor]
both = pytest.mark.parametrize("Model", MODELS)


def namesake_of(model):
    # Cloned, as scikit-learn's predict_proba writes into metric_params.
    return clone(getattr(sklearn.neighbors, type(model).__name__)(**model.get_params()))


def assert_same_model(model, other, X):
    for name in (name for name in vars(other) if name.endswith("_") and name[0] != "_"):
        assert differ(getattr(model, name), getattr(other, name), where=name) is None
    for method in ("kneighbors", "predict", "predict_proba"):
        if hasattr(other, method):
            ours, namesake = getattr(model, method)(X), getattr(other, method)(X)
            assert differ(ours, namesake, where=method) is None


def halves(distances):
    return 1.0 / (1.0 + distances)


def manhattan(a, b):
    return np.abs(a - b).sum()


def blobs(seed, n_samples=60, n_features=3):
    rng = np.random.default_rng(seed)
    return rng.normal(size=(n_samples, n_features)), rng.integers(0, 3, n_samples), rng


@pytest.mark.fast
@both
@given(data=st.data())
def test_law_where_many_distances_are_equal(Model, data):
    n_samples = data.draw(st.integers(3, 40))
    X = data.draw(arrays(np.float64, (n_samples, 2), elements=st.integers(-2, 2)))
    y = data.draw(arrays(np.int64, n_samples, elements=st.integers(0, 3)))
    n_neighbors = data.draw(st.integers(1, 2))
    order = data.draw(st.permutations(range(n_samples)))
    gone = order[: data.draw(st.integers(0, n_samples - n_neighbors - 1))]
    cut = data.draw(st.integers(0, len(gone)))
    parameters = {
        "weights": data.draw(st.sampled_from(["uniform", "distance", halves])),
        "algorithm": data.draw(st.sampled_from(["brute", "kd_tree", "ball_tree", "auto"])),
        "p": data.draw(st.sampled_from([1, 2, 3])),
        "leaf_size": 2,
    }
    model = Model(n_neighbors, **parameters).fit(X, y).unlearn(gone[:cut])
    model.predict(X)
    model.unlearn(gone[cut:])
    left = np.delete(X, gone, axis=0), np.delete(y, gone)
    assert_same_model(model, namesake_of(model).fit(*left), X)
    assert_same_model(model, Model(n_neighbors, **parameters).fit(*left), X)
    for a, b in zip(model.kneighbors(), namesake_of(model).fit(*left).kneighbors(), strict=True):
        np.testing.assert_array_equal(a, b)


@both
@pytest.mark.parametrize(
    "parameters",
    [
        {},
        {"weights": None},
        {"algorithm": "brute", "metric": "cosine"},
        {"algorithm": "ball_tree", "metric": manhattan},
        {"metric": "minkowski", "p": 3, "metric_params": {"w": np.array([1.0, 2.0, 0.5])}},
        {"metric": "seuclidean", "metric_params": {"V": np.array([1.0, 2.0, 0.5])}},
        {"metric": "nan_euclidean"},
    ],
)
@pytest.mark.parametrize("dtype", ["f8", "f4"])
def test_parameters_and_dtypes(Model, parameters, dtype, global_random_seed):
    X, y, rng = blobs(global_random_seed)
    X = X.astype(dtype)
    queries = X[::4].copy()
    if parameters.get("metric") == "nan_euclidean":
        X[::7, 1] = queries[::3, 0] = np.nan
    gone = rng.choice(60, size=20, replace=False)
    model = Model(**parameters).fit(X, y)
    assert_same_model(model, namesake_of(model).fit(X, y), queries)
    model.unlearn(gone)
    keep = np.delete(np.arange(60), gone)
    assert_same_model(model, namesake_of(model).fit(X[keep], y[keep]), queries)
    assert_same_model(model.to_predictor(), namesake_of(model).fit(X[keep], y[keep]), queries)


@pytest.mark.fast
@both
def test_sparse_rows(Model, global_random_seed):
    X, y, _ = blobs(global_random_seed, n_features=8)
    X = sparse.csr_array(np.where(np.abs(X) < 1, 0, X))
    model = Model(algorithm="brute").fit(X, y)
    assert_same_model(model, namesake_of(model).fit(X, y), X)
    model.unlearn(range(10))
    assert_same_model(model, namesake_of(model).fit(X[10:], y[10:]), X)
    graph = namesake_of(model).fit(X[10:], y[10:]).kneighbors_graph(X, 4, "distance")
    assert abs(model.kneighbors_graph(X, 4, "distance") - graph).max() == 0


@pytest.mark.fast
@both
def test_several_outputs(Model, global_random_seed):
    X, y, rng = blobs(global_random_seed)
    Y = np.column_stack([y, rng.integers(5, 7, len(y)), np.arange(len(y)) == 4])
    model = Model().fit(X, Y).unlearn(np.flatnonzero(y == 2))
    assert_same_model(model, namesake_of(model).fit(X[y != 2], Y[y != 2]), X)
    model.unlearn(model.sample_ids_[model.sample_ids_ == 4])
    keep = (y != 2) & (np.arange(len(y)) != 4)
    assert_same_model(model, namesake_of(model).fit(X[keep], Y[keep]), X)


@pytest.mark.fast
@pytest.mark.parametrize("labels", [["a", "bb", "ccc"], [0.0, 1.0, 2.0]])
def test_a_class_without_rows_vanishes(labels):
    X, y, _ = blobs(0)
    y = np.array(labels)[y]
    model = KNeighborsClassifier().fit(X, y).unlearn(np.flatnonzero(y == labels[1]))
    keep = y != labels[1]
    assert model.classes_.tolist() == [labels[0], labels[2]]
    assert_same_model(model, namesake_of(model).fit(X[keep], y[keep]), X)


@pytest.mark.fast
def test_a_column_of_targets():
    X, y, _ = blobs(0)
    with pytest.warns(DataConversionWarning, match="column-vector"):
        model = KNeighborsClassifier().fit(X, y[:, None])
    assert_same_model(
        model.unlearn(3), namesake_of(model).fit(np.delete(X, 3, 0), np.delete(y, 3)), X
    )
    regressor = KNeighborsRegressor().fit(X, y[:, None]).unlearn(3)
    assert regressor.predict(X).shape == (60, 1)


@pytest.mark.fast
@both
@pytest.mark.parametrize("algorithm", ["brute", "kd_tree", "ball_tree"])
@pytest.mark.parametrize("dtype", ["f8", "f4"])
def test_no_index_outlives_a_row(Model, algorithm, dtype):
    X, y, _ = blobs(0)
    model = Model(algorithm=algorithm).fit(X.astype(dtype), y)
    for gone in (7, 8, 9):
        model.predict(X)
        kept = search_buffers(model._index._searcher)
        canary = X.astype(dtype)[gone].astype("f8")
        model.unlearn(gone)
        for buffer in kept:
            if buffer.dtype.kind == "f":
                assert not np.isin(buffer, canary).any()
    assert model._index._searcher is None


@pytest.mark.fast
@both
def test_the_index_shares_the_rows_and_stays_out_of_pickles(Model):
    X, y, _ = blobs(0, n_samples=2000)
    model = Model().fit(X, y)
    searcher = model._index._searcher
    assert np.shares_memory(search_buffers(searcher)[0], model._samples.X)
    assert len(pickle.dumps(model)) < 1.1 * (X.nbytes + y.nbytes)
    twin = pickle.loads(pickle.dumps(model.unlearn(0)))
    assert_same_model(twin.unlearn(1), namesake_of(model).fit(X[2:], y[2:]), X[:50])


@pytest.mark.fast
@both
def test_what_scikit_learn_refuses_at_fit_is_refused_at_fit(Model):
    X, y, _ = blobs(0)
    for parameters, words in (
        ({"algorithm": "kd_tree", "metric": "cosine"}, "Metric 'cosine' not valid"),
        ({"algorithm": "kd_tree", "p": 0.5}, "does not support 0 < p < 1"),
        ({"n_neighbors": 0}, f"'n_neighbors' parameter of {Model.__name__} must be"),
        ({"metric": "nearly"}, f"'metric' parameter of {Model.__name__} must be"),
    ):
        model = Model(**parameters)
        for refusing in (model, namesake_of(model)):
            with pytest.raises(ValueError, match=words):
                refusing.fit(X, y)
        assert not hasattr(model, "sample_ids_")
    with pytest.raises(ValueError, match="callable metric"):
        Model(metric="precomputed").fit(np.eye(3), [0, 1, 0])
    with pytest.raises(ValueError, match="Expected n_neighbors <= n_samples_fit"):
        Model(5).fit(X, y).unlearn(range(56)).predict(X)


@pytest.mark.fast
@both
def test_a_warning_comes_once(Model):
    X, y, _ = blobs(0)
    with pytest.warns(UserWarning, match="not distance metrics"):
        model = Model(algorithm="brute", p=0.5).fit(X, y, sample_ids="row numbers")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        model.unlearn(0).predict(X)


@pytest.mark.fast
@both
def test_parameters_are_scikit_learns(Model):
    namesake = getattr(sklearn.neighbors, Model.__name__)
    assert Model().get_params() == namesake().get_params()
    assert list(inspect.signature(Model).parameters) == list(inspect.signature(namesake).parameters)
    X, y, _ = blobs(0)
    model, other = Model().fit(X, y), namesake().fit(X, y)
    for later in (model, other):
        later.set_params(n_neighbors=2, weights="distance")
    assert_same_model(model, other, X + 0.1)


def test_readers_of_a_pipeline_see_one_version(global_random_seed):
    X, y, _ = blobs(global_random_seed)
    X[0] = 1e3
    model = make_pipeline(StandardScaler(), KNeighborsRegressor(1))
    old = model.fit(X, y * 1.0).predict(X)
    new = model.unlearn(0).predict(X)
    with ThreadPoolExecutor(2) as pool:
        for _ in range(20):
            model.fit(X, y * 1.0)
            reads = [pool.submit(model.predict, X) for _ in range(4)]
            model.unlearn(0)
            for read in reads:
                assert any(np.array_equal(read.result(), version) for version in (old, new))
