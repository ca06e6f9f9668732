"""Moments of sparse columns are those of the same columns, dense, also far from zero."""

import numpy as np
import pytest
from scipy import sparse

from skunlearn._statistics import column_moments
from skunlearn._statistics.joint_moments import JointMoments


@pytest.fixture
def rows(global_random_seed):
    rng = np.random.default_rng(global_random_seed)
    X = rng.normal(size=(50, 3)) + np.array([0.0, 1.7e9, 3.0])
    X[:, 2] *= rng.random(50) < 0.5
    X = np.column_stack([X, np.full(50, 1e8 + 0.1)])
    return X, rng.normal(size=(50, 1)), rng.random(50) + 0.5, np.sort(rng.permutation(50)[:40])


def test_sparse_column_moments_far_from_zero(rows):
    X, _, weight, part = rows
    for w in (None, weight):
        dense = column_moments.from_rows(X, w, part)
        thin = column_moments.from_rows(sparse.csr_array(X), w, part)
        np.testing.assert_allclose(thin[:2], dense[:2], rtol=1e-14)
        np.testing.assert_allclose(thin[2, :3], dense[2, :3], rtol=1e-12)
        assert (thin[2, 3], dense[2, 3]) < (1e-12, 1e-12)


def test_sparse_joint_moments_far_from_zero(rows):
    X, y, weight, part = rows
    for w in (None, weight):
        dense = JointMoments.from_rows(X, y, w, part, True)
        thin = JointMoments.from_rows(sparse.csr_array(X), y, w, part, True)
        np.testing.assert_allclose(thin.mean, dense.mean, rtol=1e-14)
        np.testing.assert_allclose(thin.scatter, dense.scatter, rtol=1e-12, atol=1e-6)
        assert (thin.scatter[3, 3], dense.scatter[3, 3]) < (1e-12, 1e-12)
