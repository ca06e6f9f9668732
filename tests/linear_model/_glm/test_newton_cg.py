import pickle

import array_api_strict
import numpy as np
import pytest
import sklearn.linear_model
from numpy.testing import assert_allclose, assert_array_equal
from scipy import sparse

from skunlearn._samples.device_table import DeviceTable
from skunlearn.linear_model import LogisticRegression
from skunlearn.linear_model._glm import class_blocks, newton_cg
from skunlearn.linear_model._glm.class_blocks import ClassBlocks
from skunlearn.linear_model._glm.losses import SoftmaxLoss
from skunlearn.linear_model._glm.softmax_curvature import ScaledRows, SoftmaxCurvature
from skunlearn.linear_model._glm.softmax_curvature_array_api import scaled_rows, softmax_curvature
from skunlearn.pipeline import make_pipeline
from skunlearn.preprocessing import StandardScaler


def draw_rows(rng, n=90, d=4, k=3):
    X = rng.normal(size=(n, d)) * np.arange(1, d + 1)
    y = (X @ rng.normal(size=(d, k)) / d + rng.gumbel(size=(n, k))).argmax(axis=1)
    y[:k] = np.arange(k)
    return X, y


def draw_curvature(rng, fit_intercept, as_sparse):
    X, y = draw_rows(rng)
    weights = rng.exponential(size=len(y)) * (rng.random(len(y)) < 0.8)
    loss = SoftmaxLoss(3, fit_intercept, np.array([1.0, 2.0, 0.5]))
    theta = rng.normal(size=(3, 4 + fit_intercept))
    theta -= theta.mean(axis=0)
    rows = sparse.csr_array(X) if as_sparse else X
    y = y.astype(float)
    here = SoftmaxCurvature(loss, rows, y, weights, theta.ravel())
    return here, (loss, rows, y, weights, theta.ravel())


@pytest.fixture
def every_model_is_wide(monkeypatch):
    monkeypatch.setattr(newton_cg, "WIDE", 0)


@pytest.mark.fast
@pytest.mark.parametrize("fit_intercept", [True, False])
@pytest.mark.parametrize("as_sparse", [True, False])
def test_the_operator_is_the_hessian(fit_intercept, as_sparse, global_random_seed):
    rng = np.random.default_rng(global_random_seed)
    here, (loss, X, y, weights, theta) = draw_curvature(rng, fit_intercept, as_sparse)
    hessian = loss.hessian(X, y, weights, theta)
    sums = loss.gradient_sums(X, y, weights, theta)
    assert_allclose(here.sums.gradient, sums.gradient, atol=1e-12)
    assert_allclose(here.sums.magnitude, sums.magnitude)
    assert here.sums.curvature <= sums.curvature
    assert_allclose(here.square, theta @ hessian @ theta)
    direction = rng.normal(size=(3, 4 + fit_intercept))
    exact = (hessian @ direction.ravel()).reshape(3, -1)
    assert_allclose(here.product(direction), exact, atol=1e-11)
    rows = ScaledRows(X, weights, fit_intercept)
    assert_allclose(rows.product(here, direction), exact, atol=1e-4 * np.abs(exact).max())


@pytest.mark.fast
@pytest.mark.parametrize("fit_intercept", [True, False])
def test_rows_elsewhere_have_the_same_curvature(fit_intercept, monkeypatch, global_random_seed):
    rng = np.random.default_rng(global_random_seed)
    here, (loss, X, y, weights, theta) = draw_curvature(rng, fit_intercept, as_sparse=False)
    monkeypatch.setattr(DeviceTable, "block_size", 40)
    table = DeviceTable(array_api_strict.asarray(X, device=array_api_strict.Device("device1")))
    there = softmax_curvature(table)(loss, table, y, weights, theta)
    assert_allclose(there.sums.gradient, here.sums.gradient, atol=1e-12)
    assert_allclose(there.sums.magnitude, here.sums.magnitude)
    assert_allclose(there.sums.curvature, here.sums.curvature)
    assert_allclose(there.square, here.square)
    direction, some = rng.normal(size=(3, 4 + fit_intercept)), rng.random(len(y))
    assert_allclose(there.product(direction), here.product(direction), atol=1e-11)
    assert_allclose(there.center(some), here.center(some), atol=1e-12)
    center, scale = rng.normal(size=(2, 4))
    assert_allclose(there.gram(some, center, scale), here.gram(some, center, scale), atol=1e-11)
    ours, theirs = (scaled_rows(rows)(rows, weights, fit_intercept) for rows in (X, table))
    assert_allclose(theirs.center, ours.center, atol=1e-12)
    assert_allclose(theirs.scale, ours.scale, rtol=1e-12)
    roots = np.sqrt(weights * some)
    assert_allclose(theirs.gram(roots), ours.gram(roots), rtol=1e-4, atol=1e-4)


@pytest.mark.fast
@pytest.mark.parametrize("fit_intercept", [True, False])
@pytest.mark.parametrize("as_sparse", [True, False])
def test_blocks_are_inverse_to_those_of_the_hessian(
    fit_intercept, as_sparse, monkeypatch, global_random_seed
):
    monkeypatch.setattr(class_blocks, "_SHARE", 100)  # count every row
    rng = np.random.default_rng(global_random_seed)
    here, (loss, X, y, weights, theta) = draw_curvature(rng, fit_intercept, as_sparse)
    n_each = 4 + fit_intercept
    penalty = np.full(n_each, 0.3)
    if fit_intercept:
        penalty[-1] = 0.0
    blocks = ClassBlocks(here, ScaledRows(X, weights, fit_intercept), penalty)
    hessian = loss.hessian(X, y, weights, theta).reshape(3, n_each, 3, n_each)
    right = rng.normal(size=(3, n_each))
    exact = [np.linalg.solve(hessian[a, :, a] + np.diag(penalty), right[a]) for a in range(3)]
    exact -= np.mean(exact, axis=0)
    assert_allclose(blocks.solve(right), exact, rtol=1e-3, atol=1e-3 * np.abs(exact).max())


@pytest.mark.fast
def test_one_block_is_exact_where_all_classes_are_equally_probable(global_random_seed):
    rng = np.random.default_rng(global_random_seed)
    X, y = draw_rows(rng)
    loss, weights = SoftmaxLoss(3, True, np.ones(3)), rng.random(len(y))
    here = SoftmaxCurvature(loss, X, y.astype(float), weights, np.zeros(15))
    penalty = np.array([0.3, 0.3, 0.3, 0.3, 0.0])
    blocks = ClassBlocks(here, ScaledRows(X, weights, True), penalty, shared=True)
    direction = rng.normal(size=(3, 5))
    direction -= direction.mean(axis=0)
    image = here.product(direction) + penalty * direction
    assert_allclose(blocks.solve(image), direction, rtol=1e-3, atol=1e-3)


@pytest.mark.fast
def test_columns_without_curvature_have_an_inverse():
    X = np.array([[1e150, 0.0, 1.0], [1.0, 0.0, -1.0], [2.0, 0.0, 1.0], [0.5, 0.0, 3.0]])
    weights = np.array([0.0, 1.0, 1e-3, 1e10])
    loss, y = SoftmaxLoss(3, True, np.ones(3)), np.array([0.0, 1.0, 2.0, 0.0])
    here = SoftmaxCurvature(loss, X, y, weights, np.zeros(12))
    for shared in (True, False):
        blocks = ClassBlocks(here, ScaledRows(X, weights, True), np.zeros(4), shared=shared)
        right = here.sums.gradient.reshape(3, 4)
        assert np.isfinite(blocks.solve(right)).all()
        assert np.vdot(right, blocks.solve(right)) > 0.0


@pytest.mark.fast
@pytest.mark.usefixtures("every_model_is_wide")
@pytest.mark.parametrize("fit_intercept", [True, False])
@pytest.mark.parametrize("class_weight", [None, "balanced"])
@pytest.mark.parametrize("as_sparse", [True, False])
@pytest.mark.parametrize("C", [0.01, 10.0, np.inf])
def test_wide_models_equal_those_with_a_hessian(
    fit_intercept, class_weight, as_sparse, C, monkeypatch, global_random_seed
):
    rng = np.random.default_rng(global_random_seed)
    X, y = draw_rows(rng)
    table = sparse.csr_array(X) if as_sparse else X
    shared = {"C": C, "fit_intercept": fit_intercept, "class_weight": class_weight}
    wide = LogisticRegression(**shared).fit(table, y, sample_ids=np.arange(90))
    for request in ([5], np.arange(40, 50)):
        wide.unlearn(request)
        assert wide.unlearning_report_.guarantee.kind == "numerical"
        assert wide.unlearning_report_.guarantee.error <= 1e-9
    kept = wide.sample_ids_
    monkeypatch.setattr(newton_cg, "WIDE", 10**9)
    direct = LogisticRegression(**shared).fit(X[kept], y[kept], sample_ids=kept)
    assert_allclose(wide.coef_, direct.coef_, rtol=1e-8, atol=1e-9)
    assert_allclose(wide.intercept_, direct.intercept_, rtol=1e-8, atol=1e-9)


@pytest.mark.parametrize("unlearning", ["polished", "bounded", "newton"])
def test_wide_rows_equal_scikit_learn(unlearning, global_random_seed):
    rng = np.random.default_rng(global_random_seed)
    X, y = draw_rows(rng, n=400, d=210, k=4)
    X /= np.linalg.norm(X, axis=1, keepdims=True)
    model = LogisticRegression(C=5.0, unlearning=unlearning)
    model.fit(X, y, sample_ids=np.arange(400))
    assert model._is_wide()
    model.unlearn(3).unlearn(np.arange(50, 60))
    kept = model.sample_ids_
    namesake = sklearn.linear_model.LogisticRegression(C=5.0, tol=1e-10, max_iter=10_000)
    namesake.fit(X[kept], y[kept])
    atol = 1e-5 if unlearning == "polished" else 0.2
    assert_allclose(model.coef_, namesake.coef_, atol=atol)
    assert_allclose(model.predict_proba(X), namesake.predict_proba(X), atol=atol)
    claim = model.unlearning_report_.guarantee
    if unlearning == "polished":
        again = LogisticRegression(C=5.0).fit(X[kept], y[kept], sample_ids=kept)
        assert_allclose(model.coef_, again.coef_, rtol=1e-9, atol=1e-10)
    else:
        assert claim.kind == "bounded"
        assert claim.bound <= model.bound_budget


@pytest.mark.fast
@pytest.mark.usefixtures("every_model_is_wide")
def test_purged_models_hold_what_their_rows_make(global_random_seed):
    rng = np.random.default_rng(global_random_seed)
    X, y = draw_rows(rng)
    X[7] *= 1e4
    model = LogisticRegression().fit(X, y, sample_ids=np.arange(90)).unlearn(7).purge()
    kept = model.sample_ids_
    again = LogisticRegression().fit(X[kept], y[kept], sample_ids=kept).purge()
    assert model._state.radius == again._state.radius
    assert model._blocks is None
    model.unlearn(9)
    again.unlearn(9)
    assert_allclose(model._blocks.center, again._blocks.center, rtol=1e-12, atol=1e-12)
    assert_allclose(model._blocks.scale, again._blocks.scale, rtol=1e-12)
    assert_allclose(model.coef_, again.coef_, rtol=1e-9, atol=1e-10)


@pytest.mark.fast
@pytest.mark.usefixtures("every_model_is_wide")
def test_blocks_outlive_requests_and_are_overwritten_when_replaced(global_random_seed):
    X, y = draw_rows(np.random.default_rng(global_random_seed))
    model = LogisticRegression().fit(X, y, sample_ids=np.arange(90))
    blocks = model._blocks
    model.unlearn(3)
    assert model._blocks is blocks
    model.purge()
    assert model._blocks is None
    assert not blocks.center.any()
    assert not blocks._inverses.any()
    model.unlearn(8)
    again = pickle.loads(pickle.dumps(model)).unlearn([20, 21])
    assert_array_equal(again.coef_, model.unlearn([20, 21]).coef_)


@pytest.mark.fast
@pytest.mark.usefixtures("every_model_is_wide")
def test_requests_that_change_most_of_the_model_renew_the_blocks(global_random_seed):
    rng = np.random.default_rng(global_random_seed)
    X, y = draw_rows(rng, n=400)
    X[:200] *= 1e3
    y[:200] = rng.integers(0, 3, 200)
    ids = np.arange(400)
    model = LogisticRegression().fit(X, y, sample_ids=ids).unlearn(np.arange(200))
    again = LogisticRegression().fit(X[200:], y[200:], sample_ids=ids[200:])
    assert model.unlearning_report_.guarantee.kind == "numerical"
    assert_allclose(model.coef_, again.coef_, rtol=1e-8, atol=1e-9)


@pytest.mark.fast
@pytest.mark.usefixtures("every_model_is_wide")
@pytest.mark.parametrize("C", [1.0, np.inf])
def test_wide_models_follow_a_scaler(C, global_random_seed):
    X, y = draw_rows(np.random.default_rng(global_random_seed))
    ids = np.arange(90)
    pipe = make_pipeline(StandardScaler(), LogisticRegression(C=C)).fit(X, y, sample_ids=ids)
    pipe.unlearn([3, 4, 5])
    kept = pipe[-1].sample_ids_
    again = make_pipeline(StandardScaler(), LogisticRegression(C=C))
    again.fit(X[kept], y[kept], sample_ids=kept)
    assert_allclose(pipe[-1].coef_, again[-1].coef_, rtol=1e-8, atol=1e-9)
    pipe.purge()
    pipe.unlearn([17])
    kept = pipe[-1].sample_ids_
    again.fit(X[kept], y[kept], sample_ids=kept)
    assert_allclose(pipe[-1].coef_, again[-1].coef_, rtol=1e-8, atol=1e-9)
