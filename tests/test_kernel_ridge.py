import copy
import gc
import pickle

import numpy as np
import pytest
import sklearn.kernel_ridge
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal
from scipy import sparse

from skunlearn._linalg.inverse import Factor
from skunlearn.kernel_ridge import KernelRidge


def draw_table(seed, n=70, d=3, targets=None):
    rng = np.random.default_rng(seed)
    X = rng.random((n, d)) + 0.1
    y = np.sin(3 * X.sum(1)) + rng.normal(size=(targets or 1, n))
    return X, y[0] if targets is None else y.T


def laplace(a, b, scale=1.0):
    return float(np.exp(-np.abs(a - b).sum() / scale))


def scikit_learn(model):
    return sklearn.kernel_ridge.KernelRidge(**model.get_params())


@pytest.mark.fast
@pytest.mark.parametrize(
    "params",
    [
        {},
        {"kernel": "rbf", "gamma": 0.7, "alpha": 0.01},
        {"kernel": "laplacian"},
        {"kernel": "poly", "degree": 2, "coef0": 0.5, "gamma": 0.3},
        {"kernel": "polynomial"},
        {"kernel": "sigmoid", "gamma": 0.01, "alpha": 20.0},
        {"kernel": "cosine"},
        {"kernel": "chi2", "gamma": 2.0},
        {"kernel": "additive_chi2", "alpha": 50.0},
        {"kernel": laplace, "kernel_params": {"scale": 2.0}},
    ],
    ids=lambda params: getattr(params.get("kernel"), "__name__", params.get("kernel", "default")),
)
def test_every_kernel_gives_what_scikit_learn_gives(params, global_random_seed):
    X, y = draw_table(global_random_seed)
    model = KernelRidge(**params).fit(X, y)
    for request in ([], [4], [5, 9, 60], list(range(20, 40))):
        model.unlearn(request)
        kept = model.sample_ids_
        namesake = scikit_learn(model).fit(X[kept], y[kept])
        assert_allclose(model.dual_coef_, namesake.dual_coef_, rtol=1e-7, atol=1e-8)
        assert_allclose(model.predict(X), namesake.predict(X), rtol=1e-7)
        assert_array_equal(model.X_fit_, X[kept])
    assert model.unlearning_report_.n_refitted == 0


@pytest.mark.fast
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("alpha", [0.3, [0.3, 2.0, 0.3]])
@pytest.mark.parametrize("as_sparse", [False, True])
def test_targets_weights_and_sparse_rows(weighted, alpha, as_sparse, global_random_seed):
    X, y = draw_table(global_random_seed, targets=3)
    X[X < 0.5] = 0.0
    weight = np.random.default_rng(global_random_seed).integers(0, 3, len(X)) / 2
    weight = weight if weighted else np.ones(len(X))
    table = sparse.csr_matrix(X) if as_sparse else X
    model = KernelRidge(alpha=alpha, kernel="rbf", gamma=0.5)
    model.fit(table, y, sample_weight=weight if weighted else None)
    for request in ([1], [2, 3], [10], list(range(30, 50))):
        model.unlearn(request)
        kept = model.sample_ids_
        namesake = scikit_learn(model).fit(X[kept], y[kept], sample_weight=weight[kept])
        assert_allclose(model.dual_coef_, namesake.dual_coef_, rtol=1e-9, atol=1e-10)
        assert_allclose(model.predict(table), namesake.predict(X), rtol=1e-9)
    assert sparse.issparse(model.X_fit_) == as_sparse


@given(st.data())
def test_law_and_error_estimate_for_any_penalty_and_order(data):
    rng = np.random.default_rng(data.draw(st.integers(0, 2**32)))
    n = data.draw(st.integers(3, 40))
    X = rng.normal(size=(n, 2))
    X[n // 2 :] = X[: n - n // 2] + data.draw(st.sampled_from([0.0, 1e-7, 1.0]))
    y, ids = rng.normal(size=n), rng.integers(0, n, n)
    alpha = 10.0 ** -data.draw(st.integers(-1, 7))
    model = KernelRidge(kernel="rbf", gamma=0.3, alpha=alpha).fit(X, y, sample_ids=ids)
    for i in data.draw(st.permutations(sorted(set(ids.tolist()))))[:-1]:
        model.unlearn(i)
        kept = np.isin(ids, model.sample_ids_)
        again = KernelRidge(kernel="rbf", gamma=0.3, alpha=alpha).fit(X[kept], y[kept])
        size = np.abs(again.dual_coef_).max()
        guarantee = model.unlearning_report_.guarantee
        assert np.abs(model.dual_coef_ - again.dual_coef_).max() <= 1e-8 * size
        if guarantee.kind == "numerical":
            assert guarantee.error <= guarantee.tolerance
        else:
            assert alpha <= 1e-4
            assert guarantee.bound > 0.0
        if data.draw(st.booleans()):
            model.purge()


@pytest.mark.fast
def test_scope_ends_where_the_inverse_is_worked_out(global_random_seed):
    X, y = draw_table(global_random_seed, n=101)
    model = KernelRidge().fit(X, y)
    scopes = [model.unlearn(i).unlearning_report_.guarantee.scope for i in range(60)]
    assert scopes[:24] == ["state", *["output"] * 10, "state", *["output"] * 10, "state", "output"]
    again = KernelRidge().fit(X[60:], y[60:])
    assert_allclose(model.dual_coef_, again.dual_coef_, rtol=1e-9, atol=1e-12)
    (inverse,) = model._inverses.values()
    assert len(inverse._matrix) < 50


@pytest.mark.fast
def test_purge_and_refit_overwrite_the_inverse():
    X, y = draw_table(0)
    model = KernelRidge(kernel="rbf").fit(X, y).unlearn([9]).unlearn([0]).unlearn([2])
    (inverse,) = model._inverses.values()
    matrix, taken = inverse._matrix, inverse._taken
    outputs = model.predict(X)
    assert taken[0].any()
    model.purge()
    assert not matrix[2].any()
    assert not matrix[:, 0].any()
    assert not taken.any()
    assert inverse.n_taken == 0
    assert_allclose(model.predict(X), outputs, rtol=1e-10)
    model.unlearn(np.arange(10, 60))
    assert model.unlearning_report_.n_refitted == 1
    assert not matrix.any()


@pytest.mark.fast
def test_copies_carry_no_inverse():
    X, y = draw_table(0, n=200)
    model = KernelRidge(kernel="rbf").fit(X, y).unlearn([0]).unlearn([1])
    assert len(pickle.dumps(model)) < 40_000
    twin = copy.copy(model).unlearn(2)
    assert twin.unlearning_report_.n_refitted == 1
    assert model.unlearn(2).unlearning_report_.n_refitted == 0
    assert_allclose(twin.dual_coef_, model.dual_coef_, rtol=1e-9)


@pytest.mark.fast
def test_a_kernel_that_fails_changes_nothing():
    X, y = draw_table(1, n=12)
    works = [True]

    def kernel(a, b):
        if not works[0]:
            raise KeyError("no such string")
        return float(a @ b)

    model = KernelRidge(kernel=kernel).fit(X, y)
    before = copy.deepcopy(vars(model))
    works[0] = False
    with pytest.raises(ValueError, match=r"kernel .* failed: 'no such string'"):
        model.unlearn(3)
    assert_array_equal(model.dual_coef_, before["dual_coef_"])
    assert_array_equal(model.sample_ids_, np.arange(12))
    with pytest.raises(ValueError, match=r"kernel .* failed"):
        KernelRidge(kernel=kernel).fit(X, y)
    works[0] = True
    model.unlearn(3)
    works[0] = False
    assert model.unlearn(4).unlearning_report_.n_remaining == 10


@pytest.mark.fast
@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"kernel": "precomputed"}, "Pass the kernel as a callable"),
        ({"kernel": lambda a, b: np.nan}, "not finite"),
        ({"alpha": [1.0, 2.0]}, "do not correspond: 2 != 1"),
        ({"kernel": "chi2"}, "negative"),
    ],
)
def test_what_fit_refuses(params, message):
    X, y = draw_table(0)
    with pytest.raises(ValueError, match=message):
        KernelRidge(**params).fit(X - 5.0, y)


@pytest.mark.fast
def test_negative_weights_are_refused():
    X, y = draw_table(0)
    with pytest.raises(ValueError, match=r"[Nn]egative"):
        KernelRidge().fit(X, y, sample_weight=np.linspace(-1, 1, len(X)))


def test_a_singular_matrix_is_solved_by_least_squares():
    X, y = draw_table(0, n=30)
    X[1] = X[0]
    model = KernelRidge(alpha=0.0, kernel="rbf")
    with pytest.warns(UserWarning, match="not positive definite"):
        model.fit(X, y)
    with pytest.warns(UserWarning, match="not positive definite"):
        model.unlearn(7)
    kept = model.sample_ids_
    with pytest.warns(UserWarning, match="not positive definite"):
        again = KernelRidge(alpha=0.0, kernel="rbf").fit(X[kept], y[kept])
    assert_array_equal(model.dual_coef_, again.dual_coef_)


def test_predictor_is_scikit_learns_own(global_random_seed):
    X, y = draw_table(global_random_seed)
    model = KernelRidge(kernel="poly").fit(X.astype(np.float32), y).unlearn(3)
    predictor = model.to_predictor()
    assert type(predictor) is sklearn.kernel_ridge.KernelRidge
    assert_array_equal(predictor.predict(X[:9]), model.predict(X[:9]))
    assert predictor.X_fit_.dtype == np.float32
    gc.collect()


@pytest.mark.fast
def test_factor_equals_numpy(global_random_seed):
    rng = np.random.default_rng(global_random_seed)
    root, right = rng.normal(size=(700, 700)), rng.normal(size=(700, 2))
    matrix = root @ root.T + np.eye(700)
    factor = Factor(matrix.copy())
    assert_allclose(factor.solve(right), np.linalg.solve(matrix, right), rtol=1e-6)
    assert_allclose(factor.solve(right[:, 0]), np.linalg.solve(matrix, right)[:, 0], rtol=1e-6)
    assert factor.log_determinant() == pytest.approx(np.linalg.slogdet(matrix)[1])
    quadratic = np.linalg.norm(factor.whiten(right), axis=0) ** 2
    assert_allclose(quadratic, (right * np.linalg.solve(matrix, right)).sum(0), rtol=1e-6)
    inverse = factor.inverse()
    assert_array_equal(inverse, inverse.T)
    assert_allclose(inverse @ matrix, np.eye(700), atol=1e-6)
    indefinite = Factor(np.array([[1.0, 2.0], [2.0, 1.0]]))
    assert indefinite.failed
    assert indefinite.error == np.inf
