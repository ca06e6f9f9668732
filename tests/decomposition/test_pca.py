"""PCA: scikit-learn's results with its exact solvers, the law, tables that become wide."""

import numpy as np
import pytest
import sklearn.decomposition
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal
from scipy import sparse
from sklearn.datasets import load_digits, load_wine

from skunlearn._linalg.eigenvectors import smallest_gap, spectrum, with_steady_signs
from skunlearn.decomposition import PCA
from skunlearn.exceptions import NotUnlearnableError
from skunlearn.linear_model import Ridge
from skunlearn.pipeline import make_pipeline

ATTRIBUTES = (
    *("components_", "explained_variance_", "explained_variance_ratio_", "singular_values_"),
    *("mean_", "noise_variance_", "n_components_", "n_samples_"),
)


def draw_table(rng, n=120, d=6):
    return rng.normal(size=(n, d)) @ rng.normal(size=(d, d)) + 5 * rng.normal(size=d)


def assert_like(ours, namesake, rtol=1e-8):
    for name in ATTRIBUTES:
        a, b = getattr(ours, name), getattr(namesake, name)
        size = np.abs(b).max(initial=0)
        if name == "mean_":
            size = max(size, namesake.singular_values_.max(initial=0))
        assert_allclose(a, b, rtol=rtol, atol=rtol * size, err_msg=name)


@pytest.mark.fast
@pytest.mark.parametrize(
    "parameters",
    [
        {},
        {"n_components": 3},
        {"n_components": 3, "whiten": True},
        {"n_components": 0.8},
        {"n_components": "mle"},
        {"n_components": 2, "svd_solver": "full"},
        {"svd_solver": "covariance_eigh"},
    ],
    ids=str,
)
def test_equals_scikit_learn(parameters, global_random_seed):
    X = draw_table(np.random.default_rng(global_random_seed))
    ours = PCA(**parameters).fit(X)
    for request in ([7], [8, 9], list(range(40, 90))):
        ours.unlearn(request)
    kept = X[ours.sample_ids_]
    namesake = sklearn.decomposition.PCA(**{"svd_solver": "full"} | parameters).fit(kept)
    assert_like(ours, namesake)
    size = np.abs(namesake.transform(X)).max()
    assert_allclose(ours.transform(X), namesake.transform(X), rtol=1e-8, atol=1e-8 * size)
    assert_allclose(
        ours.inverse_transform(ours.transform(X)),
        namesake.inverse_transform(namesake.transform(X)),
        rtol=1e-8,
        atol=1e-8,
    )
    assert_allclose(ours.get_covariance(), namesake.get_covariance(), rtol=1e-8, atol=1e-8)
    assert_allclose(ours.get_precision() @ ours.get_covariance(), np.eye(6), atol=1e-6)
    assert_allclose(ours.score_samples(X), namesake.score_samples(X), rtol=1e-6)
    assert ours.score(X) == pytest.approx(namesake.score(X), rel=1e-6)
    assert_array_equal(ours.get_feature_names_out(), namesake.get_feature_names_out())
    assert type(ours.to_predictor()) is type(namesake)
    assert_allclose(ours.to_predictor().transform(X), ours.transform(X), rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("name", ["wine", "digits"])
@pytest.mark.parametrize("n_components", [5, "mle", None])
def test_real_tables(name, n_components):
    X = {"wine": load_wine, "digits": load_digits}[name]().data
    ours = PCA(n_components).fit(X).unlearn(3).unlearn(range(20, 40))
    kept = X[ours.sample_ids_]
    namesake = sklearn.decomposition.PCA(n_components, svd_solver="full").fit(kept)
    assert_like(ours, namesake)
    if ours.unlearning_report_.n_refitted:
        assert_array_equal(ours.components_, PCA(n_components).fit(kept).components_)


@pytest.mark.fast
@given(st.data())
def test_law_for_any_rows_ids_and_order(data):
    rng = np.random.default_rng(data.draw(st.integers(0, 2**32 - 1)))
    n, d = data.draw(st.integers(4, 40)), data.draw(st.integers(1, 5))
    X = draw_table(rng, n, d) * 10.0 ** rng.integers(-2, 3, d)
    X[rng.random(n) < 0.1] *= data.draw(st.sampled_from([1.0, 1e3, 1e6]))
    if data.draw(st.booleans()):
        X = np.round(X)
    ids = rng.integers(0, max(2, n // 2), n)
    model = PCA(data.draw(st.sampled_from([1, None, 0.7]))).fit(X, sample_ids=ids)
    for i in data.draw(st.permutations(sorted(set(ids.tolist()))))[:-1]:
        model.unlearn([i, i])
        kept = np.isin(ids, model.sample_ids_)
        if kept.sum() < 2:
            return
        again = PCA(model.n_components).fit(X[kept])
        if np.isfinite(again.explained_variance_ratio_).all():
            assert_like(model, again)


@pytest.mark.fast
@pytest.mark.parametrize("size", [1e3, 1e6])
def test_removed_outliers_leave_no_rounding_error(size, global_random_seed):
    X = draw_table(np.random.default_rng(global_random_seed), n=300)
    X[:20] *= size
    model = PCA().fit(X)
    for i in range(20):
        model.unlearn(i)
        assert model.unlearning_report_.guarantee.error <= 1e-8
    assert_like(model, sklearn.decomposition.PCA(svd_solver="full").fit(X[20:]))


@pytest.mark.fast
def test_signs_do_not_depend_on_rounding(global_random_seed):
    rng = np.random.default_rng(global_random_seed)
    X = rng.normal(size=(200, 2)) @ [[1.0, 0.5], [0.0, 1.0]]
    X = (X - X.mean(axis=0)) / X.std(axis=0)
    for scale in (1.0, 1.0 + 1e-14, 1.0 - 1e-14):
        components = PCA().fit(X * [1.0, scale]).components_
        assert_allclose(components, np.array([[1, 1], [1, -1]]) / np.sqrt(2), atol=1e-9)


def test_axes_that_could_be_turned_are_those_of_retraining():
    X = np.vstack([np.eye(4), -np.eye(4), 9 * np.eye(4)[:1]])
    model = PCA(2).fit(X).unlearn(8)
    assert model.unlearning_report_.n_refitted == 1
    assert_array_equal(model.components_, PCA(2).fit(X[:8]).components_)


@pytest.mark.fast
def test_wide_tables_and_tables_that_become_wide(global_random_seed):
    X = draw_table(np.random.default_rng(global_random_seed), n=30, d=12)
    model = PCA(4).fit(X)
    for i in range(25):
        model.unlearn(i)
    namesake = sklearn.decomposition.PCA(4, svd_solver="full").fit(X[25:])
    assert_like(model, namesake)
    with pytest.raises(NotUnlearnableError, match="n_components=4 must be between 0 and"):
        model.unlearn([25, 26])
    assert model.n_samples_ == 5
    assert_like(PCA(3).fit(X[:8]).unlearn(0), sklearn.decomposition.PCA(3).fit(X[1:8]))


def test_sparse_rows_give_what_dense_rows_give(global_random_seed):
    X = sparse.random(200, 9, density=0.3, format="csr", random_state=global_random_seed)
    on_sparse = PCA(3).fit(X).unlearn([5]).unlearn(range(20, 80))
    on_dense = PCA(3).fit(X.toarray()).unlearn([5]).unlearn(range(20, 80))
    assert_like(on_sparse, on_dense)
    assert_allclose(on_sparse.transform(X), on_dense.transform(X.toarray()), atol=1e-9)
    assert PCA().fit(X).n_components_ == 8
    assert PCA(svd_solver="covariance_eigh").fit(X).n_components_ == 9
    assert PCA(2).fit(X[:9]).unlearn(0).n_samples_ == 8


@pytest.mark.fast
def test_solvers_that_stop_short_are_refused():
    X = load_wine().data
    for solver in ("arpack", "randomized"):
        with pytest.raises(ValueError, match="Use svd_solver='auto'"):
            PCA(svd_solver=solver).fit(X)
    with pytest.raises(TypeError, match="not with 'full'"):
        PCA(svd_solver="full").fit(sparse.csr_array(X))
    with pytest.raises(ValueError, match="must be between 0 and"):
        PCA(14).fit(X)
    with pytest.raises(ValueError, match="only supported if n_samples >= n_features"):
        PCA("mle").fit(X[:5])


def test_float32_stays_float32():
    X = load_wine().data.astype(np.float32)
    model = PCA(2).fit(X).unlearn(3)
    assert model.components_.dtype == model.transform(X).dtype == np.float32
    assert_allclose(
        model.components_, PCA(2).fit(X.astype(float)).unlearn(3).components_, atol=1e-4
    )


def test_a_pipeline_turns_what_comes_after():
    X = load_wine().data
    y = X[:, 0] - X[:, 5]
    pipe = make_pipeline(PCA(3), Ridge()).fit(X, y).unlearn([1, 2])
    again = make_pipeline(PCA(3), Ridge()).fit(np.delete(X, [1, 2], 0), np.delete(y, [1, 2]))
    assert [step.way for step in pipe.unlearning_report_.steps] == ["unlearned", "pushed through"]
    assert_allclose(pipe.predict(X), again.predict(X), rtol=1e-8)


@pytest.mark.fast
def test_spectra(global_random_seed):
    rng = np.random.default_rng(global_random_seed)
    A = rng.normal(size=(20, 5))
    values, vectors = spectrum(A.T @ A)
    assert_allclose((vectors.T * values) @ vectors, A.T @ A, atol=1e-12)
    assert (np.diff(values) <= 0).all()
    steady = with_steady_signs(vectors.copy())
    assert_array_equal(steady[np.arange(5), np.abs(steady).argmax(axis=1)] > 0, True)
    assert_array_equal(with_steady_signs(-vectors.copy()), steady)
    assert smallest_gap(np.array([4.0, 2.0, 1.0]), 2) == 0.25
    assert smallest_gap(np.array([4.0, 2.0, 1.0]), 3) == 0.25
    assert smallest_gap(np.array([4.0, 2.0, 1.0]), 1) == 0.5
    assert smallest_gap(np.array([4.0]), 1) == 1.0
    assert smallest_gap(np.zeros(2), 2) == 0.0


@pytest.mark.parametrize("n_components", [None, 1, 0.5])
def test_rows_that_are_all_alike_explain_nothing(n_components):
    X = np.full((8, 3), 0.7)
    X[5:] = np.arange(9.0).reshape(3, 3)
    model = PCA(n_components).fit(X).unlearn([5, 6, 7])
    retrained = PCA(n_components).fit(X[:5])
    for each in (model, retrained):
        np.testing.assert_allclose(each.explained_variance_, 0.0, atol=1e-30)
        assert np.isfinite(each.explained_variance_ratio_).all()
        np.testing.assert_allclose(each.transform(X[:5]), 0.0, atol=1e-15)
    assert retrained.explained_variance_ratio_.tolist() == [0.0] * retrained.n_components_
