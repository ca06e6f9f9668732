"""Areas under the curve, their intervals, and p-values: against brute force and by simulation."""

import numpy as np
import pytest
from scipy import stats
from sklearn.metrics import roc_auc_score

from skunlearn.attacks._auc import auc_of, clopper_pearson, permutation_p_value

pytestmark = pytest.mark.fast


def draw(seed, n=60, effect=0.5, n_levels=None):
    rng = np.random.default_rng(seed)
    truth = rng.random(n) < 0.4
    truth[:2] = [True, False]
    scores = rng.normal(size=n) + effect * truth
    return (scores if n_levels is None else np.round(scores * n_levels)), truth


def test_equals_brute_force(global_random_seed):
    for n_levels in (None, 1):
        scores, truth = draw(global_random_seed, n_levels=n_levels)
        found = auc_of(scores, truth)
        gaps = scores[truth][:, None] - scores[~truth]
        assert found.value == pytest.approx(np.mean((gaps > 0) + 0.5 * (gaps == 0)), abs=1e-12)
        assert found.value == pytest.approx(roc_auc_score(truth, scores), abs=1e-12)
        assert found.tie_mass == pytest.approx(np.mean(gaps == 0), abs=1e-12)


def test_infinite_scores_are_scores():
    scores = np.array([np.inf, 1.0, -np.inf, 0.0])
    assert auc_of(scores, np.array([True, True, False, False])).value == 1.0


@pytest.mark.parametrize("grouped", [False, True])
def test_intervals_cover(grouped, global_random_seed):
    rng = np.random.default_rng(global_random_seed)
    n_covered, n_runs = 0, 400
    for _ in range(n_runs):
        groups = np.repeat(np.arange(16), 20)
        truth = rng.random(320) < 0.5
        # What a model says of its members has a part of its own.
        shift = rng.normal(size=16)[groups] * truth if grouped else 0.0
        scores = rng.normal(size=320) + shift
        low, high = auc_of(scores, truth, groups if grouped else None).interval()
        n_covered += low <= 0.5 <= high
    assert stats.binomtest(n_covered, n_runs, 0.95).pvalue > 1e-4


def test_rows_of_one_model_depend_on_each_other(global_random_seed):
    """Without groups, intervals of such scores are far too narrow."""
    rng = np.random.default_rng(global_random_seed)
    n_covered = 0
    for _ in range(200):
        groups = np.repeat(np.arange(16), 20)
        truth = rng.random(320) < 0.5
        scores = rng.normal(size=320) + rng.normal(size=16)[groups] * truth
        low, high = auc_of(scores, truth).interval()
        n_covered += low <= 0.5 <= high
    assert n_covered < 160


def test_one_model_has_no_variation():
    scores, truth = draw(0)
    with pytest.raises(ValueError, match="one value"):
        auc_of(scores, truth, np.zeros(60))


def test_p_values_keep_their_level(global_random_seed):
    rng = np.random.default_rng(global_random_seed)
    low = 0
    for run in range(300):
        groups = np.repeat(np.arange(4), 10)
        truth = rng.permutation(np.arange(40) % 2 == 0)
        scores = np.round(rng.normal(size=40) + groups, 1)
        p = permutation_p_value(scores, truth, groups, n_permutations=99, random_state=run)
        low += p <= 0.05
    assert stats.binomtest(low, 300, 0.05).pvalue > 1e-4
    assert permutation_p_value(np.arange(40.0), np.arange(40) >= 20) == 0.001


def test_clopper_pearson_is_scipys():
    for n_hits, n in ((0, 10), (3, 10), (10, 10), (77, 301)):
        theirs = stats.binomtest(n_hits, n).proportion_ci(method="exact")
        assert clopper_pearson(n_hits, n) == pytest.approx((theirs.low, theirs.high), abs=1e-12)
