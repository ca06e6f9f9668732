import numpy as np
import pytest

from skunlearn._kernels.column_moments import (
    column_moments,
    gaussians_of,
    magnification,
    remove_labelled_rows,
)

UNIT_WEIGHTS = np.empty(0)


def state_of(X, weights, labels, n_classes):
    """Return moments and counts computed from rows."""
    parts = [np.flatnonzero(labels == c) for c in range(n_classes)] + [np.arange(len(X))]
    moments = np.stack(
        [
            column_moments(X, weights if c < n_classes else UNIT_WEIGHTS, part)
            for c, part in enumerate(parts)
        ]
    )
    counts = np.zeros((4, n_classes + 1))
    counts[0] = [part.size for part in parts]
    counts[1] = counts[0]
    counts[3] = moments[:, 0, 0]
    return moments, counts


@pytest.mark.fast
@pytest.mark.parametrize("weighted", [False, True])
def test_removal_gives_the_moments_of_the_remaining_rows(global_random_seed, weighted):
    rng = np.random.default_rng(global_random_seed)
    X = rng.normal(size=(50, 3))
    weights = rng.exponential(size=50) if weighted else UNIT_WEIGHTS
    labels = np.arange(50) % 3
    rows = np.sort(rng.choice(50, size=12, replace=False))
    keep = np.delete(np.arange(50), rows)
    before = state_of(X, weights, labels, 3)
    copies = [part.copy() for part in before]
    moments, counts = remove_labelled_rows(*before, X, weights, labels[rows], rows)
    expected, expected_counts = state_of(
        X[keep], weights[keep] if weighted else weights, labels[keep], 3
    )
    np.testing.assert_allclose(moments[:, :3], expected[:, :3], rtol=1e-12, atol=1e-13)
    np.testing.assert_array_equal(counts[:2], expected_counts[:2])
    np.testing.assert_array_equal(counts[2, :3], np.bincount(labels[rows], minlength=3) > 0)
    for part, copy in zip(before, copies, strict=True):
        np.testing.assert_array_equal(part, copy)
    plain = remove_labelled_rows.py_func(*before, X, weights, labels[rows], rows)
    np.testing.assert_allclose(plain[0], moments, rtol=1e-12, atol=1e-14)
    np.testing.assert_array_equal(plain[1], counts)
    for ours, python in zip(
        gaussians_of(moments, counts, 1e-9),
        gaussians_of.py_func(moments, counts, 1e-9),
        strict=True,
    ):
        np.testing.assert_allclose(ours, python, rtol=1e-14)


@pytest.mark.fast
def test_magnification():
    for function in (magnification, magnification.py_func):
        assert function(0.0, 0.0) == 1.0
        assert function(1.0, 2.0) == 1.0
        assert function(8.0, 2.0) == 4.0
        assert function(1.0, 0.0) == np.inf


@pytest.mark.fast
def test_moments_fresh_from_rows_are_never_taken_for_worn():
    X = np.array([[1.0, 5.0], [1.0, 5.0], [2.0, 5.0]])
    weights = np.array([1e-12, 1e-12, 1.0])
    moments, counts = state_of(X, weights, np.array([0, 0, 1]), 2)
    theta, var, *_, error = gaussians_of(moments, counts, 0.0)
    assert error.max() < 1e-14
    np.testing.assert_array_equal(theta, [[0.0, 0.0], [2.0, 5.0]])
    np.testing.assert_array_equal(var, np.zeros((2, 2)))
