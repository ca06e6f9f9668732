"""NearestCentroid: what retraining and scikit-learn give, to rounding."""

import inspect
import warnings

import numpy as np
import pytest
import sklearn.neighbors
from hypothesis import given
from hypothesis import strategies as st
from scipy import sparse
from sklearn.datasets import load_digits

from skunlearn.exceptions import NotUnlearnableError
from skunlearn.neighbors import NearestCentroid

SETTINGS = [
    {},
    {"metric": "manhattan"},
    {"shrink_threshold": 0.4},
    {"metric": "manhattan", "shrink_threshold": 0.4, "priors": "empirical"},
    {"priors": [0.2, 0.5, 0.3]},
]
METHODS = ["predict", "predict_proba", "predict_log_proba", "decision_function"]
all_settings = pytest.mark.parametrize("parameters", SETTINGS)


def blobs(seed, n_samples=90, n_features=4):
    rng = np.random.default_rng(seed)
    y = rng.permutation(np.arange(n_samples) % 3)
    return rng.normal(size=(n_samples, n_features)) + y[:, None] + 5.0, y, rng


def assert_close(model, other, X):
    np.testing.assert_array_equal(model.classes_, other.classes_)
    for name in ("centroids_", "class_prior_", "deviations_", "within_class_std_dev_"):
        mine, namesake = getattr(model, name), getattr(other, name)
        scale = np.abs(namesake).max()
        np.testing.assert_allclose(mine, namesake, rtol=0, atol=1e-10 * scale, err_msg=name)
    for method in METHODS:
        assert hasattr(model, method) == hasattr(other, method)
        if hasattr(other, method):
            namesake = getattr(other, method)(X)
            np.testing.assert_allclose(getattr(model, method)(X), namesake, rtol=1e-7, atol=1e-9)


def namesake_of(model):
    return sklearn.neighbors.NearestCentroid(**model.get_params())


@pytest.mark.fast
@all_settings
@pytest.mark.parametrize("form", [np.asarray, sparse.csr_array, sparse.csc_matrix])
def test_same_model_as_scikit_learn(parameters, form, global_random_seed):
    X, y, rng = blobs(global_random_seed)
    model = NearestCentroid(**parameters).fit(form(X), y)
    assert_close(model, namesake_of(model).fit(X, y), X)
    gone = rng.choice(90, size=30, replace=False)
    for part in np.array_split(gone, 7):
        model.unlearn(part)
    keep = np.setdiff1d(np.arange(90), gone)
    assert_close(model, namesake_of(model).fit(X[keep], y[keep]), X)
    assert_close(model.to_predictor(), namesake_of(model).fit(X[keep], y[keep]), X)


@pytest.mark.fast
@given(data=st.data())
def test_law(data):
    X, y, rng = blobs(data.draw(st.integers(0, 99)), n_samples=24)
    X[rng.integers(24, size=2)] *= data.draw(st.sampled_from([1.0, 1e3, 1e9]))
    gone = rng.permutation(24)[: data.draw(st.integers(0, 18))]
    keep = np.setdiff1d(np.arange(24), gone)
    model = NearestCentroid(data.draw(st.sampled_from(["euclidean", "manhattan"]))).fit(X, y)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        if len(set(y[keep])) < 2:
            with pytest.raises(NotUnlearnableError, match="greater than one"):
                model.unlearn(gone)
            return
        again = NearestCentroid(model.metric).fit(X[keep], y[keep])
    model.unlearn(gone[::2]).unlearn(gone[1::2])
    for name in ("centroids_", "within_class_std_dev_", "classes_"):
        namesake = getattr(again, name)
        np.testing.assert_allclose(
            getattr(model, name), namesake, atol=1e-10 * np.abs(namesake).max()
        )
    if model.metric == "manhattan":
        np.testing.assert_array_equal(model.centroids_, again.centroids_)


@pytest.mark.fast
def test_a_class_without_rows_vanishes():
    X, y, _ = blobs(0)
    for metric in ("euclidean", "manhattan"):
        model = NearestCentroid(metric, priors="empirical").fit(X, y)
        model.unlearn(np.flatnonzero(y == 1))
        assert_close(model, namesake_of(model).fit(X[y != 1], y[y != 1]), X)
        assert model.classes_.tolist() == [0, 2]


@pytest.mark.fast
def test_what_fit_refuses_is_refused():
    X, y, _ = blobs(0)
    model = NearestCentroid(priors=[0.2, 0.5, 0.3]).fit(X, y)
    with pytest.raises(NotUnlearnableError, match="3 values for 2 classes"):
        model.unlearn(np.flatnonzero(y == 1))
    with pytest.raises(NotUnlearnableError, match="got 1 class"):
        model.unlearn(np.flatnonzero(y > 0))
    for form in (np.asarray, sparse.csr_array):
        same = np.full((6, 2), 0.1)
        same[0] = 3.0
        model = NearestCentroid().fit(form(same), [0, 1] * 3)
        with pytest.raises(NotUnlearnableError, match="zero variance"):
            model.unlearn(0)
        with pytest.raises(ValueError, match="zero variance"):
            NearestCentroid().fit(form(same[1:]), [0, 1, 0, 1, 0])
    for bad in ([0.5, 0.5], [-0.5, 1.0, 0.5]):
        with pytest.raises(ValueError, match="priors"):
            NearestCentroid(priors=bad).fit(X, y)
    with pytest.warns(UserWarning, match="do not sum to 1"):
        assert NearestCentroid(priors=[1, 1, 2]).fit(X, y).class_prior_.tolist() == [
            0.25,
            0.25,
            0.5,
        ]


@pytest.mark.fast
def test_constant_features_warn_at_fit():
    X, y = load_digits(return_X_y=True)
    with pytest.warns(UserWarning, match="zero standard deviation"):
        model = NearestCentroid().fit(X, y)
    model.unlearn(range(50))
    with pytest.warns(UserWarning, match="zero standard deviation"):
        namesake = sklearn.neighbors.NearestCentroid().fit(X[50:], y[50:])
    np.testing.assert_allclose(model.centroids_, namesake.centroids_, rtol=1e-11)
    np.testing.assert_array_equal(model.predict(X), namesake.predict(X))


@pytest.mark.fast
def test_parameters_are_scikit_learns():
    namesake = sklearn.neighbors.NearestCentroid
    assert NearestCentroid().get_params() == namesake().get_params()
    assert list(inspect.signature(NearestCentroid).parameters) == list(
        inspect.signature(namesake).parameters
    )
