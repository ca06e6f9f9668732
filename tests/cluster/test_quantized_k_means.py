"""QuantizedKMeans: bit for bit what its own retraining gives, about as good as scikit-learn's."""

import pickle

import numpy as np
import pytest
import sklearn.cluster
from hypothesis import given
from hypothesis import strategies as st
from sklearn.datasets import load_digits, make_blobs
from sklearn.exceptions import ConvergenceWarning

from skunlearn.cluster import QuantizedKMeans
from skunlearn.exceptions import NotUnlearnableError
from skunlearn.utils._difference import differ


def state(model):
    names = [name for name in vars(model) if name.endswith("_") and name != "unlearning_report_"]
    names += ["labels_", "inertia_", "_runs", "_sums"]
    return {name: getattr(model, name) for name in names}


def assert_bitwise(model, again):
    assert differ(state(model), state(again)) is None
    np.testing.assert_array_equal(model.sample_ids_, again.sample_ids_)


@pytest.mark.fast
@given(data=st.data())
@pytest.mark.filterwarnings("ignore:Only:sklearn.exceptions.ConvergenceWarning")
def test_law(data):
    rng = np.random.default_rng(data.draw(st.integers(0, 2**20)))
    n_samples, n_features = data.draw(st.integers(4, 120)), data.draw(st.integers(1, 4))
    n_clusters = data.draw(st.integers(1, 3))
    X = rng.normal(size=(n_samples, n_features)) * data.draw(st.sampled_from([1e-3, 1.0, 1e4]))
    X += data.draw(st.sampled_from([0.0, 50.0]))
    if data.draw(st.booleans()):
        X = np.round(X)
    ids = rng.integers(0, data.draw(st.sampled_from([10, 10**6])), n_samples)
    model = QuantizedKMeans(
        n_clusters,
        n_init=data.draw(st.integers(1, 2)),
        max_iter=data.draw(st.sampled_from([1, 3, 300])),
        quantum=data.draw(st.sampled_from([0.01, 0.5, 3.0])),
        random_state=data.draw(st.integers(0, 99)),
    )
    model.fit(X, sample_ids=ids)
    for _ in range(data.draw(st.integers(1, 4))):
        gone = rng.choice(np.unique(model.sample_ids_), data.draw(st.integers(1, 5)))
        if np.isin(model.sample_ids_, gone, invert=True).sum() < n_clusters:
            with pytest.raises(NotUnlearnableError, match=r"clusters|on none"):
                model.unlearn(gone)
            break
        model.unlearn(gone)
        keep = np.isin(ids, model.sample_ids_)
        again = QuantizedKMeans(**model.get_params()).fit(X[keep], sample_ids=ids[keep])
        assert_bitwise(model, again)


@pytest.mark.fast
@pytest.mark.parametrize("dtype", ["f8", pytest.param("f4", marks=pytest.mark.long)])
def test_one_by_one_in_batches_and_all_at_once(dtype, global_random_seed):
    rng = np.random.default_rng(global_random_seed)
    X = make_blobs(600, 4, centers=5, random_state=global_random_seed)[0].astype(dtype)
    gone = rng.choice(600, size=300, replace=False)
    kept = np.setdiff1d(np.arange(600), gone)
    again = QuantizedKMeans(5, random_state=1).fit(X[kept], sample_ids=kept)
    replayed = 0
    for split in (300, 7, 1):
        model = QuantizedKMeans(5, random_state=1).fit(X)
        for part in np.array_split(rng.permutation(gone), split):
            replayed += model.unlearn(part).unlearning_report_.n_refitted
        assert_bitwise(model, again)
    assert replayed < 150


@pytest.mark.fast
def test_seeds_and_their_rivals_can_leave(global_random_seed):
    X = np.random.default_rng(global_random_seed).normal(size=(200, 3))
    model = QuantizedKMeans(4, random_state=global_random_seed).fit(X)
    for _ in range(8):
        seeds = model._runs[0].seeding.candidates.reshape(-1, 3)
        model.unlearn(model.find_samples(seeds[:5]))
        kept = model.sample_ids_
        again = QuantizedKMeans(4, random_state=global_random_seed).fit(X[kept], sample_ids=kept)
        assert_bitwise(model, again)


@pytest.mark.fast
def test_a_new_spread_makes_a_new_lattice():
    X = np.random.default_rng(0).normal(size=(100, 2))
    X[:2] = 1e5, -1e5
    with pytest.warns(ConvergenceWarning, match="Only 2 of the 3 clusters"):
        model = QuantizedKMeans(3, random_state=0).fit(X)
    wide = model.spacing_
    model.unlearn([0, 1])
    assert model.unlearning_report_.n_refitted == 1
    assert model.spacing_ == 0.5 / 3**0.5 < wide
    assert_bitwise(model, QuantizedKMeans(3, random_state=0).fit(X[2:], sample_ids=range(2, 100)))


@pytest.mark.fast
@pytest.mark.parametrize("name", ["digits", "blobs", "overlapping blobs", "noise"])
def test_inertia_is_about_scikit_learns(name):
    X = {
        "digits": lambda: load_digits().data,
        "blobs": lambda: make_blobs(2000, 10, centers=8, random_state=0)[0],
        "overlapping blobs": lambda: make_blobs(
            2000, 10, centers=8, cluster_std=5.0, random_state=0
        )[0],
        "noise": lambda: np.random.default_rng(0).normal(size=(2000, 10)),
    }[name]()
    seeds = range(5)
    ours = [QuantizedKMeans(8, random_state=s).fit(X).inertia_ for s in seeds]
    namesake = [sklearn.cluster.KMeans(8, n_init=1, random_state=s).fit(X).inertia_ for s in seeds]
    assert np.mean(ours) < 1.05 * np.mean(namesake)


@pytest.mark.fast
def test_methods_agree(global_random_seed):
    X = np.random.default_rng(global_random_seed).normal(size=(300, 3))
    model = QuantizedKMeans(4, random_state=0).fit(X)
    np.testing.assert_array_equal(model.predict(X), model.labels_)
    np.testing.assert_array_equal(model.transform(X).argmin(axis=1), model.labels_)
    np.testing.assert_array_equal(QuantizedKMeans(4, random_state=0).fit_predict(X), model.labels_)
    assert model.score(X) == pytest.approx(-model.inertia_)
    means = [X[model.labels_ == c].mean(axis=0) for c in range(4)]
    assert np.abs(means - model.cluster_centers_).max() < model.spacing_
    assert model.inertia_ == pytest.approx((model.transform(X).min(axis=1) ** 2).sum())
    read_only = X.copy()
    read_only.flags.writeable = False
    np.testing.assert_array_equal(model.predict(read_only), model.labels_)
    assert model.get_feature_names_out().tolist() == [f"quantizedkmeans{c}" for c in range(4)]


@pytest.mark.fast
def test_the_best_of_several_runs_counts(global_random_seed):
    X = make_blobs(300, 2, centers=6, cluster_std=0.3, random_state=global_random_seed)[0]
    model = QuantizedKMeans(6, n_init=4, random_state=global_random_seed).fit(X)
    assert len(model._runs) == 4
    least = min(run.inertia for run in model._runs)
    assert least == model._runs[[r.inertia for r in model._runs].index(least)].inertia
    model.unlearn(range(100))
    again = QuantizedKMeans(6, n_init=4, random_state=global_random_seed)
    assert_bitwise(model, again.fit(X[100:], sample_ids=range(100, 300)))


@pytest.mark.fast
def test_few_distinct_rows_are_warned_of():
    X = np.repeat([[0.0], [1.0]], 5, axis=0)
    with pytest.warns(ConvergenceWarning, match="Only 2 of the 3 clusters have rows"):
        model = QuantizedKMeans(3, random_state=0).fit(X)
    with pytest.warns(ConvergenceWarning, match="Only 1 of"):
        again = QuantizedKMeans(3, random_state=0).fit(X[5:], sample_ids=range(5, 10))
    assert_bitwise(model.unlearn(range(5)), again)


@pytest.mark.fast
def test_bad_input_is_refused():
    with pytest.raises(ValueError, match=r"below 2\*\*24 .* StandardScaler"):
        QuantizedKMeans(1).fit([[2.0**24], [0.0]])
    with pytest.raises(ValueError, match="n_samples=2 should be >= n_clusters=3"):
        QuantizedKMeans(3).fit([[1.0], [0.0]])
    model = QuantizedKMeans(2, random_state=0).fit([[1.0], [0.0], [5.0]])
    before = pickle.dumps(model)
    with pytest.raises(NotUnlearnableError, match="leave 1 rows for 2 clusters"):
        model.unlearn([0, 1])
    assert pickle.dumps(model) == before


@pytest.mark.fast
def test_parameters_set_since_fit_hold_as_in_a_new_fit(global_random_seed):
    X = np.random.default_rng(global_random_seed).normal(size=(200, 3))
    for changes in ({"n_clusters": 5}, {"n_init": 2}, {"max_iter": 1}, {"quantum": 0.1}):
        model = QuantizedKMeans(4, random_state=0).fit(X).set_params(**changes).unlearn(0)
        again = QuantizedKMeans(**model.get_params()).fit(X[1:], sample_ids=range(1, 200))
        assert_bitwise(model, again)
