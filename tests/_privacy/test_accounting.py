import numpy as np
import pytest
from scipy import integrate, stats

from skunlearn._privacy.accounting import (
    epsilon_lower_bound,
    gaussian_delta,
    gaussian_epsilon,
    gaussian_mu,
)

pytestmark = pytest.mark.fast


@pytest.mark.parametrize("epsilon", [0.0, 0.3, 1.0, 4.0])
@pytest.mark.parametrize("mu", [0.1, 0.5, 2.0])
def test_delta_is_the_integral_of_what_epsilon_leaves(epsilon, mu):
    def excess(x):
        return max(stats.norm.pdf(x, mu) - np.exp(epsilon) * stats.norm.pdf(x), 0.0)

    start = epsilon / mu + mu / 2
    numeric = integrate.quad(excess, start, start + 40, points=[start + 1, start + 5])[0]
    assert gaussian_delta(epsilon, mu) == pytest.approx(numeric, rel=1e-6, abs=1e-12)


@pytest.mark.parametrize("epsilon", [1e-3, 0.1, 1.0, 3.0, 10.0, 50.0])
@pytest.mark.parametrize("delta", [1e-10, 1e-5, 0.1])
def test_inverses_are_on_the_safe_side(epsilon, delta):
    mu = gaussian_mu(epsilon, delta)
    assert gaussian_delta(epsilon, mu) <= delta
    assert gaussian_delta(epsilon, mu * (1 + 1e-6)) > delta
    there = gaussian_epsilon(delta, mu)
    assert there == pytest.approx(epsilon, rel=1e-5)
    assert gaussian_delta(there, mu) <= delta


def test_noise_multiplier_of_balle_and_wang():
    assert 1 / gaussian_mu(1.0, 1e-5) == pytest.approx(3.7306, abs=1e-4)


def test_no_distance_needs_no_noise():
    assert gaussian_delta(0.0, 0.0) == 0.0
    assert gaussian_epsilon(1e-5, 0.0) == 0.0


def test_lower_bounds_of_chance_are_zero_and_hold_for_the_gaussian(global_random_seed):
    assert epsilon_lower_bound(50, 100, 50, 100) == 0.0
    assert epsilon_lower_bound(0, 10, 10, 10) == 0.0
    rng = np.random.default_rng(global_random_seed)
    for epsilon in (0.5, 2.0):
        mu, n = gaussian_mu(epsilon, 1e-2), 20_000
        hits = (rng.normal(mu, 1, n) > 1.0).sum()
        alarms = (rng.normal(0, 1, n) > 1.0).sum()
        bound = epsilon_lower_bound(hits, n, alarms, n, delta=1e-2, alpha=1e-4)
        assert 0.0 <= bound <= epsilon
