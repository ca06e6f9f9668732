"""Inverses that are brought up to date, against inverses worked out afresh."""

import numpy as np
import pytest

from skunlearn._linalg.inverse import Factor, Inverse
from skunlearn._unlearning.commit import commit


@pytest.fixture
def matrix(global_random_seed):
    rng = np.random.RandomState(global_random_seed)
    rows = rng.normal(size=(60, 80))
    return rows @ rows.T / 80 + np.eye(60)


def inverse_of(matrix):
    factor = Factor(matrix.copy())
    return Inverse(factor.inverse(), factor.error)


@pytest.mark.parametrize(("size", "n_in_full"), [(1, 0), (3, 1), (5, 2)])
def test_each_request_starts_from_what_the_last_one_left(
    matrix, size, n_in_full, global_random_seed
):
    """Seven rows are kept beside the inverse; with more it is worked out in full."""
    rng = np.random.RandomState(global_random_seed)
    inverse, kept = inverse_of(matrix), np.arange(60)
    target = rng.normal(size=60)
    solution = np.linalg.solve(matrix, target)
    scopes = []
    for _ in range(5):
        ranks = np.sort(rng.choice(kept.size, size, replace=False))
        downdate = inverse.take_out(ranks)
        kept, gone = np.delete(kept, ranks), solution[ranks]
        solution = np.delete(solution, ranks) - downdate.correction(gone)
        change, scope = downdate.replacement()
        commit([change])
        expected = np.linalg.solve(matrix[np.ix_(kept, kept)], target[kept])
        np.testing.assert_allclose(solution, expected, rtol=1e-9, atol=1e-12)
        assert inverse.positions.size == kept.size
        scopes.append(scope)
    assert scopes.count("state") == n_in_full
