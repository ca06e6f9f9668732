"""Parts of the solvers of linear discriminant analysis against plain definitions."""

import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy import linalg

from skunlearn._statistics.class_moments import class_moments
from skunlearn.discriminant_analysis import _lda_solvers as solvers


@pytest.fixture
def table(global_random_seed):
    rng = np.random.default_rng(global_random_seed)
    y = np.repeat([0, 1, 2], [30, 40, 50])
    X = rng.normal(size=(120, 4)) @ rng.normal(size=(4, 4)) + 2.0 * rng.normal(size=(3, 4))[y]
    moments = class_moments(X, y, 3, None, np.arange(120))
    means = np.stack([part.mean for part in moments])
    counts = np.array([30.0, 40.0, 50.0])
    return X, y, solvers.Classes(moments, counts, means, counts / 120.0)


def test_covariances_of_moments_are_those_of_the_rows(table):
    X, y, classes = table
    within, _ = solvers.covariance_within(classes, None)
    assert_allclose(within, np.cov(X - classes.means[y], rowvar=False, bias=True), atol=1e-12)
    total = solvers.total_covariance(classes, None)
    assert_allclose(total, np.cov(X, rowvar=False, bias=True), atol=1e-12)
    shrunk = solvers.total_covariance(classes, 0.25)
    assert_allclose(shrunk, 0.75 * total + 0.25 * total.trace() / 4 * np.eye(4), atol=1e-12)


def test_whitening_makes_the_covariance_the_identity(table):
    within = solvers.within_classes(*solvers.covariance_within(table[2], None))
    white = within.to_sphere.T @ within.covariance @ within.to_sphere
    assert_allclose(white, np.eye(4), atol=1e-10)
    std = np.sqrt(within.covariance.diagonal())
    inverse = np.linalg.inv(within.covariance / np.outer(std, std))
    assert np.linalg.norm(inverse, 2) <= within.condition * (1 + 1e-10)
    assert 0.0 < within.error < 1e-9


def test_whitening_leaves_constant_columns_out(table):
    covariance, _ = solvers.covariance_within(table[2], None)
    covariance[2] = covariance[:, 2] = 0.0
    within = solvers.within_classes(covariance, 1e-15)
    assert within.to_sphere.shape == (4, 3)
    assert not within.to_sphere[2].any()
    assert within.condition == np.inf


def test_whitening_from_rows_is_that_of_the_covariance(table):
    X, y, classes = table
    covariance, _ = solvers.covariance_within(classes, None)
    std = np.sqrt(covariance.diagonal())
    by_rows = solvers.whitening_from_rows(X - classes.means[y], std, 1e-10)
    assert_allclose(by_rows.T @ covariance @ by_rows, np.eye(4), atol=1e-10)


@pytest.mark.parametrize("by_rows", [False, True])
def test_svd_and_eigen_find_the_same_axes(table, by_rows):
    """Of eigen with and without the covariance of all rows, and of svd."""
    X, y, classes = table
    within = solvers.within_classes(*solvers.covariance_within(classes, None))
    total = solvers.total_covariance(classes, None) if by_rows else None
    eigen, error = solvers.solve_eigen(classes, 2, within, total)
    svd, _ = solvers.solve_svd(classes, 2, 1e-4, True, None)
    lsqr, _ = solvers.solve_lsqr(classes, within)
    assert by_rows or error < 1e-9
    ratios = [solution["explained_variance_ratio_"] for solution in (eigen, svd)]
    assert_allclose(ratios[0], ratios[1], rtol=1e-8)
    assert_allclose(svd["covariance_"], lsqr["covariance_"], atol=1e-12)
    axes, between = eigen["scalings_"], np.cov(classes.means[y], rowvar=False, bias=True)
    values = linalg.eigh(between, within.covariance, eigvals_only=True)[::-1]
    assert_allclose(axes.T @ within.covariance @ axes, np.eye(4), atol=1e-9)
    assert_allclose(axes.T @ between @ axes, np.diag(values), atol=1e-9)
    scores = [X @ solution["coef_"].T + solution["intercept_"] for solution in (eigen, svd, lsqr)]
    gaps = [score - score[:, :1] for score in scores]
    assert_allclose(gaps[0], gaps[1], atol=1e-8)
    assert_allclose(gaps[0], gaps[2], atol=1e-8)


def test_updated_moments_near_the_tolerance_ask_for_the_rows(table):
    X, y, classes = table
    attributes, error = solvers.solve_svd(classes, 2, 0.99, False, None)
    assert attributes == {}
    assert error == np.inf
    deviations = X - classes.means[y]
    attributes, _ = solvers.solve_svd(classes, 2, 0.99, False, lambda: deviations)
    assert attributes["coef_"].shape == (3, 4)


def test_completed_axes_are_a_basis(global_random_seed):
    rng = np.random.default_rng(global_random_seed)
    axes = linalg.qr(rng.normal(size=(5, 5)))[0][:2]
    basis = solvers.completed(axes)
    assert (basis[:2] == axes).all()
    assert_allclose(basis @ basis.T, np.eye(5), atol=1e-12)
    assert_allclose(solvers.completed(axes[:0]), np.eye(5))


def test_shares_of_no_variance_are_zero():
    assert solvers.shares_of_sum(np.array([3.0, 1.0]), 1).tolist() == [0.75]
    assert solvers.shares_of_sum(np.zeros(3), 2).tolist() == [0.0, 0.0]
