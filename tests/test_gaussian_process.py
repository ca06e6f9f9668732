import numpy as np
import pytest
import sklearn.gaussian_process
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.gaussian_process.kernels import RBF, ConstantKernel, DotProduct, Matern, WhiteKernel

from skunlearn._kernels.cholesky import without_row
from skunlearn.exceptions import NotUnlearnableError
from skunlearn.gaussian_process import GaussianProcessRegressor

KERNELS = [
    None,
    2.0 * RBF([0.5, 1.0, 2.0]) + WhiteKernel(0.1),
    Matern(1.0, nu=1.5),
    DotProduct() + WhiteKernel(0.5),
]
ATTRIBUTES = ("L_", "alpha_", "X_train_", "y_train_", "log_marginal_likelihood_value_")


def draw_table(seed, n=40, targets=None):
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n, 3))
    y = 5.0 + X[:, 0] + rng.normal(size=(targets or 1, n))
    return X, y[0] if targets is None else y.T


def make(kernel=None, **params):
    return GaussianProcessRegressor(kernel, **{"alpha": 0.3, "optimizer": None} | params)


def refit(model, X, y):
    params = model.get_params(deep=False)
    if model.kernel is None:  # before scikit-learn 1.9 another default
        params["kernel"] = ConstantKernel() * RBF()
    return sklearn.gaussian_process.GaussianProcessRegressor(**params).fit(X, y)


@pytest.mark.fast
@pytest.mark.parametrize("kernel", KERNELS, ids=str)
@pytest.mark.parametrize("targets", [None, 2])
@pytest.mark.parametrize("normalize_y", [False, True])
def test_equal_scikit_learn_before_and_after(kernel, targets, normalize_y, global_random_seed):
    X, y = draw_table(global_random_seed, targets=targets)
    model = make(kernel, normalize_y=normalize_y).fit(X, y)
    for request in ([], [39], [0], [20], [1, 2, 30]):
        model.unlearn(request)
        kept = model.sample_ids_
        namesake = refit(model, X[kept], y[kept])
        for name in ATTRIBUTES:
            assert_allclose(getattr(model, name), getattr(namesake, name), rtol=1e-8, atol=1e-9)
        for ours, other in zip(
            (*model.predict(X, return_std=True), model.predict(X, return_cov=True)[1]),
            (*namesake.predict(X, return_std=True), namesake.predict(X, return_cov=True)[1]),
            strict=True,
        ):
            assert_allclose(ours, other, rtol=1e-7, atol=1e-7)
        assert_allclose(model.sample_y(X[:3]), namesake.sample_y(X[:3]), atol=1e-5)
        theta = namesake.kernel_.theta + 0.1
        if theta.size:  # scikit-learn 1.6 cannot clone a kernel whose parameters are all fixed
            value, gradient = model.log_marginal_likelihood(theta, eval_gradient=True)
            other, other_gradient = namesake.log_marginal_likelihood(theta, eval_gradient=True)
            assert_allclose([value, *gradient], [other, *other_gradient])
        assert model.log_marginal_likelihood() == model.log_marginal_likelihood_value_


@given(st.data())
def test_law_and_error_estimate_for_any_noise_and_order(data):
    rng = np.random.default_rng(data.draw(st.integers(0, 2**32)))
    n = data.draw(st.integers(3, 30))
    X, y, ids = rng.normal(size=(n, 2)), rng.normal(size=n), rng.integers(0, n, n)
    model = make(RBF(1.0), alpha=10.0 ** -data.draw(st.integers(0, 9)), normalize_y=True)
    model.fit(X, y, sample_ids=ids)
    for i in data.draw(st.permutations(sorted(set(ids.tolist()))))[:-1]:
        model.unlearn(i)
        kept = np.isin(ids, model.sample_ids_)
        again = make(RBF(1.0), alpha=model.alpha, normalize_y=True).fit(X[kept], y[kept])
        for name in ATTRIBUTES:
            truth = getattr(again, name)
            gap = np.abs(getattr(model, name) - truth).max()
            assert gap <= 1e-8 * max(1.0, np.abs(truth).max())
        guarantee = model.unlearning_report_.guarantee
        assert guarantee.error <= guarantee.tolerance


@pytest.mark.fast
def test_ill_conditioned_and_large_requests_are_fitted_anew():
    X, y = draw_table(0)
    model = make(RBF(10.0), alpha=1e-8).fit(X, y).unlearn(3)
    assert model.unlearning_report_.n_refitted == 1
    model = make(RBF(1.0)).fit(X, y).unlearn(3)
    assert model.unlearning_report_.n_refitted == 0
    assert model.unlearn([4, 5]).unlearning_report_.n_refitted == 1


@pytest.mark.fast
@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"alpha": np.full(40, 0.1)}, "Pass a number"),
        ({"n_targets": 2}, "Got 1 != 2"),
        ({"kernel": DotProduct(), "alpha": 0.0}, "Increase `alpha`"),
    ],
)
def test_what_fit_refuses(params, message):
    X, y = draw_table(0)
    with np.errstate(invalid="ignore"), pytest.raises(ValueError, match=message):
        make(**params).fit(X, y)


@pytest.mark.fast
def test_hyper_parameters_are_chosen_anew_unless_fixed():
    X, y = draw_table(0, n=30)
    kernel = 2.0 * RBF(1.0) + WhiteKernel(1.0)
    params = {"optimizer": "fmin_l_bfgs_b", "n_restarts_optimizer": 1, "random_state": 0}
    model = make(kernel, **params).fit(X, y).unlearn([0, 1])
    assert model.unlearning_report_.n_refitted == 1
    namesake = refit(model, X[2:], y[2:])
    assert_allclose(model.kernel_.theta, namesake.kernel_.theta, atol=1e-3)
    again = make(kernel, **params).fit(X[2:], y[2:])
    assert_array_equal(model.kernel_.theta, again.kernel_.theta)
    fixed = make(RBF(1.0, "fixed"), optimizer="fmin_l_bfgs_b").fit(X, y).unlearn(0)
    assert fixed.unlearning_report_.n_refitted == 0


@pytest.mark.fast
def test_prior_without_fit():
    X, _ = draw_table(0)
    mean, std = GaussianProcessRegressor().predict(X, return_std=True)
    assert_array_equal(mean, 0.0)
    assert_array_equal(std, 1.0)


def test_a_covariance_that_fails_changes_nothing():
    X, y = draw_table(0)
    model = make(RBF(1.0)).fit(X, y)
    before = model.predict(X)
    model.set_params(alpha=-1.0)
    with pytest.raises(NotUnlearnableError, match=r"cannot be fitted: .* Increase `alpha`"):
        model.unlearn([1, 2])
    assert_array_equal(model.predict(X), before)
    assert len(model.sample_ids_) == 40


def test_predictor_is_scikit_learns_own(global_random_seed):
    X, y = draw_table(global_random_seed)
    model = make(RBF(1.0), normalize_y=True).fit(X, y).unlearn(3)
    predictor = model.to_predictor()
    assert type(predictor) is sklearn.gaussian_process.GaussianProcessRegressor
    for ours, namesake in zip(model.predict(X, True), predictor.predict(X, True), strict=True):
        assert_array_equal(ours, namesake)
    assert_array_equal(predictor.sample_y(X[:3]), model.sample_y(X[:3]))


@pytest.mark.fast
def test_factor_without_a_row_equals_numpy_and_python(global_random_seed):
    rng = np.random.default_rng(global_random_seed)
    root = rng.normal(size=(12, 12))
    matrix = root @ root.T + 0.1 * np.eye(12)
    lower = np.linalg.cholesky(matrix)
    for row in (0, 5, 11):
        keep = np.arange(12) != row
        left = without_row(lower, row)
        assert_allclose(left, np.linalg.cholesky(matrix[np.ix_(keep, keep)]), atol=1e-9)
        assert_allclose(left, without_row.py_func(lower, row), atol=1e-12)
