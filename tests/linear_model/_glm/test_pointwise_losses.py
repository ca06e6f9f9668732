"""Losses of one row: derivatives, their bounds, and the kernels that compile the same formulas."""

import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy import special
from sklearn.metrics import mean_tweedie_deviance

from skunlearn._kernels import glm as kernels
from skunlearn.linear_model._glm.pointwise_losses import (
    GammaLoss,
    LogisticLoss,
    MultinomialLoss,
    NormalLoss,
    PoissonLoss,
    TweedieLoss,
    probabilities,
    tweedie_loss,
)

LOSSES = [LogisticLoss(), NormalLoss(), PoissonLoss(), GammaLoss(), TweedieLoss(1.3)]
each_loss = pytest.mark.parametrize("loss", LOSSES, ids=lambda loss: type(loss).__name__)


def draw(loss, seed, n=200):
    rng = np.random.default_rng(seed)
    y = rng.gamma(2.0, size=n) + 0.1
    if loss.kind == kernels.LOGISTIC:
        y = rng.integers(0, 2, n).astype(float)
    return rng.uniform(-4.0, 4.0, n), y


@each_loss
def test_derivatives_are_those_of_the_values(loss, global_random_seed):
    eta, y = draw(loss, global_random_seed)
    h = 1e-5
    for of, derivative in ((loss.values, loss.first), (loss.first, loss.second)):
        numeric = (of(eta + h, y) - of(eta - h, y)) / (2 * h)
        assert_allclose(derivative(eta, y), numeric, rtol=1e-6, atol=1e-6)


@each_loss
def test_the_third_derivative_is_bounded_by_the_second(loss, global_random_seed):
    eta, y = draw(loss, global_random_seed)
    h = 1e-5
    third = np.abs(loss.second(eta + h, y) - loss.second(eta - h, y)) / (2 * h)
    second = loss.second(eta, y)
    assert (third <= loss.concordance * second * (1 + 1e-6) + 1e-8).all()
    if loss.most_curvature is not None:
        assert (second <= loss.most_curvature).all()
    if loss.kind == kernels.LOGISTIC:
        assert (third <= loss.largest_third + 1e-8).all()


@each_loss
def test_kernels_compile_the_same_formulas(loss, global_random_seed):
    eta, y = draw(loss, global_random_seed)
    for compiled, of in ((kernels.first, loss.first), (kernels.second, loss.second)):
        expected = of(eta, y)
        for row in range(eta.size):
            inputs = loss.kind, loss.power, eta[row], y[row]
            assert_allclose(compiled(*inputs), expected[row], rtol=1e-14, atol=1e-15)
            assert_allclose(compiled.py_func(*inputs), expected[row], rtol=1e-14, atol=1e-15)


@pytest.mark.parametrize("power", [0.0, 1.0, 1.5, 2.0])
def test_a_tweedie_loss_is_half_the_deviance_up_to_a_constant(power, global_random_seed):
    loss = tweedie_loss(power)
    eta, y = draw(loss, global_random_seed)
    mean = np.exp(eta) if power else eta
    values = loss.values(eta, y)
    start = loss.values(np.zeros_like(eta), y)
    deviances = [
        mean_tweedie_deviance(y[i : i + 1], mean[i : i + 1], power=power)
        - mean_tweedie_deviance(y[i : i + 1], [1.0 if power else 0.0], power=power)
        for i in range(len(y))
    ]
    assert_allclose(values - start, np.array(deviances) / 2.0, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("y", [0.0, 1.0])
def test_logistic_derivatives_of_huge_predictors_are_their_limits(y):
    loss, eta = LogisticLoss(), np.array([-2000.0, 2000.0])
    with np.errstate(over="ignore"):
        assert loss.first(eta, np.full(2, y)).tolist() == [-y, 1.0 - y]
    assert loss.second(eta, np.full(2, y)).tolist() == [0.0, 0.0]
    assert kernels.first(kernels.LOGISTIC, 0.0, -2000.0, y) == -y


@each_loss
def test_inputs_stay_as_they_are(loss, global_random_seed):
    eta, y = draw(loss, global_random_seed)
    before = eta.copy(), y.copy()
    for function in (loss.values, loss.first, loss.second):
        assert function(eta, y) is not eta
        assert (eta == before[0]).all()
        assert (y == before[1]).all()


@each_loss
def test_other_namespaces_compute_the_same(loss, global_random_seed):
    strict = pytest.importorskip("array_api_strict")
    eta, y = draw(loss, global_random_seed)
    for function in (loss.values, loss.first, loss.second):
        other = function(strict.asarray(eta), strict.asarray(y))
        assert_allclose(np.from_dlpack(other), function(eta, y), rtol=1e-14, atol=1e-15)


def test_multinomial_loss(global_random_seed):
    rng = np.random.default_rng(global_random_seed)
    eta, codes, weights = rng.normal(size=(50, 3)), rng.integers(0, 3, 50), rng.random(50)
    rows, h = np.arange(50), 1e-5
    mean = MultinomialLoss.mean(eta)
    for a in range(3):
        shift = h * np.eye(3)[a]
        up, down = eta + shift, eta - shift
        values = [MultinomialLoss.values(side, side[rows, codes]) for side in (up, down)]
        assert_allclose(mean[:, a] - (codes == a), (values[0] - values[1]) / (2 * h), atol=1e-8)
        slopes = (MultinomialLoss.mean(up) - MultinomialLoss.mean(down)) / (2 * h)
        for b in range(3):
            second = MultinomialLoss.second(weights, mean, a, b)
            assert_allclose(second, weights * slopes[:, b], atol=1e-8)


def test_multinomial_loss_in_other_namespaces(global_random_seed):
    strict = pytest.importorskip("array_api_strict")
    eta = np.random.default_rng(global_random_seed).normal(size=(50, 3)) * 300.0
    other = strict.asarray(eta)
    assert_allclose(np.from_dlpack(MultinomialLoss.mean(other)), MultinomialLoss.mean(eta))
    values = MultinomialLoss.values(other, other[:, 0])
    assert_allclose(np.from_dlpack(values), MultinomialLoss.values(eta, eta[:, 0]), atol=1e-12)
    two = probabilities(strict.asarray(eta[:, 0]))
    assert_allclose(np.from_dlpack(two)[:, 1], special.expit(eta[:, 0]), atol=1e-300)
