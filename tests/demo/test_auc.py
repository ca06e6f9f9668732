import numpy as np
import pytest

from skunlearn._demo._auc import auc, short, three_digits

pytestmark = pytest.mark.fast


@pytest.mark.parametrize("decimals", [0, 1, 6])
def test_is_the_share_of_pairs_in_the_right_order(seed, decimals):
    rng = np.random.default_rng(seed)
    forgotten, never = rng.normal(0.5, size=37).round(decimals), rng.normal(size=53).round(decimals)
    differences = forgotten[:, None] - never
    found = auc(forgotten, never)
    assert found.value == pytest.approx(np.mean((differences > 0) + 0.5 * (differences == 0)))
    assert found.ties == pytest.approx(np.mean(differences == 0))
    assert (found.n_forgotten, found.n_never_seen) == (37, 53)


def test_error_is_the_spread_of_repeated_measurements(seed):
    rng = np.random.default_rng(seed)
    found = [auc(rng.normal(0.6, size=60), rng.normal(size=80)) for _ in range(400)]
    spread = np.std([a.value for a in found])
    assert np.mean([a.error for a in found]) == pytest.approx(spread, rel=0.15)


def test_scores_without_information_are_like_chance(seed):
    rng = np.random.default_rng(seed)
    found = [auc(rng.normal(size=50), rng.normal(size=50)) for _ in range(200)]
    assert np.mean([a.like_chance for a in found]) > 0.88
    assert not any(a.far_from_chance for a in found[:50])


def test_equal_scores_tell_nothing():
    found = auc(np.ones(5), np.ones(7))
    assert (found.value, found.error, found.ties) == (0.5, 0, 1)
    assert found.like_chance


def test_perfect_scores():
    found = auc(np.array([3.0, 4.0]), np.array([1.0, 2.0]))
    assert found.value == 1
    assert not found.like_chance
    assert found.tpr_at(0.0) == 1


def test_roc_resolution():
    found = auc(np.arange(20.0), np.arange(200.0))
    assert found.smallest_fpr == pytest.approx(0.05)
    assert auc(np.ones(2), np.ones(3)).smallest_fpr == 1
    assert found.tpr_at(1.0) == 1
    assert found.tpr_at(0.5) == np.mean(np.arange(20.0) >= 100)


def test_short_numbers():
    assert [short(x) for x in (0.5, 0.0, 0.999, 1.0)] == [".50", ".00", "1.00", "1.00"]
    assert [three_digits(x) for x in (0.5, -0.25, 1.0, 0.9999, -1.5)] == [
        ".500",
        "-.250",
        "1.000",
        "1.000",
        "-1.500",
    ]
    assert str(auc(np.array([3.0, 2.0]), np.array([2.0, 1.0]))) == ".88±.18"
