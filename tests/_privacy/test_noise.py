"""Noise from a key: its distribution, exactly, and that it is never the same for two purposes."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.testing import assert_array_equal
from scipy import stats

from skunlearn._privacy.noise import secret_geometric

pytestmark = pytest.mark.fast

KEY = bytes(range(32))


@pytest.mark.parametrize("epsilon", [0.003, 0.07, 0.5, 0.9, 1.0, 1.1, 2.0, 6.0])
def test_distribution(epsilon, global_random_seed):
    n = 40_000
    drawn = secret_geometric(KEY, b"%d" % global_random_seed, n, epsilon)
    alpha = np.exp(-epsilon)
    # P(z <= k) of the two-sided geometric distribution, at edges with many numbers in between
    edges = np.unique(np.round(np.linspace(-4.0, 4.0, 15) / epsilon))
    below = np.where(
        edges < 0,
        alpha ** np.abs(edges) / (1 + alpha),
        1 - alpha ** (edges + 1) / (1 + alpha),
    )
    expected = n * np.diff([0.0, *below, 1.0])
    observed = np.bincount(np.searchsorted(edges, drawn), minlength=edges.size + 1)
    enough = expected > 20.0
    observed = [*observed[enough], observed[~enough].sum()]
    expected = [*expected[enough], expected[~enough].sum()]
    statistic = np.sum((np.array(observed) - expected) ** 2 / np.maximum(expected, 1.0))
    assert stats.chi2.sf(statistic, len(observed) - 1) > 1e-6


def test_neighbouring_numbers_have_the_ratio_that_is_claimed():
    epsilon, n = 0.7, 400_000
    counts = np.bincount(np.abs(secret_geometric(KEY, b"", n, epsilon)))
    counts[0] *= 2
    for z in range(5):
        error = np.sqrt(1 / counts[z] + 1 / counts[z + 1])
        assert np.log(counts[z] / counts[z + 1]) == pytest.approx(epsilon, abs=5 * error)


def test_it_is_a_function_of_key_and_purpose():
    drawn = secret_geometric(KEY, b"a", 1000, 0.1)
    assert drawn.dtype == np.int64
    assert_array_equal(drawn, secret_geometric(KEY, b"a", 1000, 0.1))
    for other in (
        secret_geometric(KEY, b"b", 1000, 0.1),
        secret_geometric(KEY[::-1], b"a", 1000, 0.1),
    ):
        assert abs(np.corrcoef(drawn, other)[0, 1]) < 0.2


@pytest.mark.parametrize("epsilon", [1e-5, 50.0, 1e4])
def test_extreme_rates(epsilon):
    drawn = secret_geometric(KEY, b"", 500, epsilon)
    assert drawn.any() == (epsilon < 1.0)
    if epsilon < 1.0:
        assert np.abs(drawn).mean() == pytest.approx(1 / epsilon, rel=0.3)
