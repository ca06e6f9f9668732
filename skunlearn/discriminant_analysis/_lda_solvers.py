"""The solvers of linear discriminant analysis, as functions of what is known about classes.

Each returns fitted attributes and an estimate of their relative error, which is infinite where only
the rows themselves can tell. Directions without variance within classes count for nothing.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import linalg
from scipy.linalg import lapack

from skunlearn._linalg.eigenvectors import smallest_gap, with_steady_signs
from skunlearn._linalg.precision import EPS
from skunlearn._statistics.class_moments import ClassMoments, pooled
from skunlearn.discriminant_analysis._base import (
    scatter_error,
    shrunk_towards_sphere,
    thin_svd,
)

# Relative float error above which moments are computed anew from the remaining rows.
TOLERANCE = 1e-9


@dataclass(frozen=True)
class Classes:
    """Moments and priors of the classes.

    Parameters
    ----------
    moments : tuple of JointMoments
        One for each class.

    counts : ndarray of shape (n_classes,)
        Rows of each class.

    means : ndarray of shape (n_classes, n_features)

    priors : ndarray of shape (n_classes,)
    """

    moments: ClassMoments
    counts: np.ndarray
    means: np.ndarray
    priors: np.ndarray

    def pooled_over_rows(self, name: str) -> np.ndarray:
        """Return the mean over rows of 'scatter', or of 'peak'."""
        return pooled(self.moments, np.full(self.counts.size, 1.0 / self.counts.sum()), name)

    def pooled_by_priors(self, name: str) -> np.ndarray:
        """Return the mean over classes, by their priors, of 'scatter', or of 'peak'."""
        return pooled(self.moments, self.priors / self.counts, name)

    @property
    def between(self) -> np.ndarray:
        """A root of the covariance of the means, shape (n_classes, n_features)."""
        shares = self.counts / self.counts.sum()
        return np.sqrt(shares)[:, None] * (self.means - shares @ self.means)


@dataclass(frozen=True)
class Within:
    """The covariance within classes, and a map that makes it the identity.

    Parameters
    ----------
    covariance : ndarray of shape (n_features, n_features)

    to_sphere : ndarray of shape (n_features, n_varying)

    condition : float
        Bound on the norm of the inverse of the correlation matrix; infinite where the covariance is
        singular.

    error : float
        Relative error of solutions with it.
    """

    covariance: np.ndarray
    to_sphere: np.ndarray
    condition: float
    error: float


def within_classes(covariance: np.ndarray, error: float) -> Within:
    """Whiten a covariance whose entries have a known error, relative to the two variances."""
    variance = covariance.diagonal()
    varies = variance > 0.0
    to_sphere, condition = whitening(covariance, np.sqrt(np.where(varies, variance, 1.0)), varies)
    if not varies.all():
        condition = np.inf
    return Within(covariance, to_sphere, condition, condition * error)


def covariance_within(classes: Classes, shrinkage: float | None) -> tuple[np.ndarray, float]:
    """Return the covariance within classes by their moments, and its error."""
    covariance = shrunk_towards_sphere(classes.pooled_by_priors("scatter"), shrinkage)
    peak = classes.pooled_by_priors("peak")
    return covariance, scatter_error(classes.moments, peak, covariance.diagonal())


def total_covariance(classes: Classes, shrinkage: float | None) -> np.ndarray:
    """Return the covariance of all rows by the moments of their classes."""
    between = classes.between
    total = classes.pooled_over_rows("scatter") + between.T @ between
    return shrunk_towards_sphere(total, shrinkage)


def solve_svd(
    classes: Classes,
    n_axes: int,
    tol: float,
    store_covariance: bool,
    deviations: Callable[[], np.ndarray] | None,
) -> tuple[dict[str, Any], float]:
    """Solve without shrinkage, passing over directions in which classes do not vary.

    Parameters
    ----------
    classes : Classes
    n_axes : int
        Shares of variance to report.
    tol : float
        Singular values below count as zero.
    store_covariance : bool
        Whether the covariance within classes is an attribute.
    deviations : callable or None
        Returns the rows less the means of their classes, as an array that may be overwritten; None
        where moments have been updated, not computed from the rows.

    Returns
    -------
    attributes : dict
        Empty where the error is infinite for want of `deviations`.
    error : float
    """
    means, priors, n = classes.means, classes.priors, classes.counts.sum()
    covariance, peak = classes.pooled_over_rows("scatter"), classes.pooled_over_rows("peak")
    centre = priors @ means
    variance = covariance.diagonal()
    # What rounding of the mean alone can make of the variance of a constant column.
    floor = (EPS * n * np.abs(means).max(axis=0)) ** 2
    varies = variance > floor + n * EPS**2 * variance
    if not varies.any():
        raise ValueError("No column of X varies within classes.")
    std = np.sqrt(np.where(varies, variance, 1.0))
    to_sphere, condition = whitening(covariance, std, varies)
    error = condition * scatter_error(classes.moments, peak, np.maximum(variance, floor))
    # The covariance squares singular values: those near tol, or below the root of EPS, are lost.
    if condition * max(tol**2, 4.0 * EPS / TOLERANCE) >= 1.0:
        if deviations is None:
            return {}, np.inf
        to_sphere = whitening_from_rows(deviations(), std, tol)
    factor = np.sqrt(n * priors / max(1, len(means) - 1))
    sizes, axes = thin_svd((factor[:, None] * (means - centre)) @ to_sphere)
    rank = int((sizes > tol * sizes[0]).sum())
    scalings = with_steady_signs(axes[:rank] @ to_sphere.T).T
    coef = (means - centre) @ scalings
    intercept = -0.5 * (coef**2).sum(axis=1) + np.log(priors)
    coef = coef @ scalings.T
    attributes = {
        "xbar_": centre,
        "scalings_": scalings,
        "explained_variance_ratio_": shares_of_sum(sizes**2, n_axes),
        "coef_": coef,
        "intercept_": intercept - coef @ centre,
    }
    if store_covariance:
        attributes["covariance_"] = classes.pooled_by_priors("scatter")
    # Axes turn by the error of the covariance over the gap between their eigenvalues.
    gap = smallest_gap(sizes**2, rank)
    return attributes, error / gap if gap > 0.0 else np.inf


def solve_lsqr(classes: Classes, within: Within) -> tuple[dict[str, Any], float]:
    """Solve for the weights alone, by least squares where the covariance is near singular."""
    means = classes.means
    if within.condition * 4.0 * EPS < TOLERANCE:
        coef = (means @ within.to_sphere) @ within.to_sphere.T
    else:
        coef = linalg.lstsq(within.covariance, means.T)[0].T
    intercept = -0.5 * (means * coef).sum(axis=1) + np.log(classes.priors)
    attributes = {"covariance_": within.covariance, "coef_": coef, "intercept_": intercept}
    return attributes, within.error


def solve_eigen(
    classes: Classes, n_axes: int, within: Within, total: np.ndarray | None
) -> tuple[dict[str, Any], float]:
    """Solve for eigenvectors of the covariance between classes relative to that within.

    Parameters
    ----------
    classes : Classes
    n_axes : int
        Shares of variance to report.
    within : Within
        Of a regular covariance.
    total : ndarray of shape (n_features, n_features) or None
        Covariance of all rows; None where it is that within classes plus that of their means.

    Returns
    -------
    attributes : dict
    error : float
    """
    means, to_sphere = classes.means, within.to_sphere
    if not np.isfinite(within.condition):
        raise linalg.LinAlgError(
            "The covariance within classes is singular. Use solver='svd', or shrinkage."
        )
    if total is None:
        # The means span the eigenvectors that count; a decomposition of d columns is not needed.
        sizes, axes = thin_svd(classes.between @ to_sphere)
        n_between = min(len(means) - 1, sizes.size)
        axes = completed(with_steady_signs(axes[:n_between]))
        values = np.append(sizes**2, np.zeros(len(axes) - sizes.size))
        gap = smallest_gap(values, n_between)
    else:
        values, vectors = linalg.eigh(to_sphere.T @ (total - within.covariance) @ to_sphere)
        values, axes = values[::-1], with_steady_signs(vectors.T[::-1].copy())
        size = np.abs(values).max()
        gap = -np.diff(values).max(initial=-size) / size if size > 0.0 else 0.0
    scalings = to_sphere @ axes.T
    coef = (means @ scalings) @ scalings.T
    attributes = {
        "covariance_": within.covariance,
        "scalings_": scalings,
        "explained_variance_ratio_": shares_of_sum(values, n_axes),
        "coef_": coef,
        "intercept_": -0.5 * (means * coef).sum(axis=1) + np.log(classes.priors),
    }
    return attributes, within.error / gap if gap > 0.0 else np.inf


def whitening(
    covariance: np.ndarray, std: np.ndarray, varies: np.ndarray
) -> tuple[np.ndarray, float]:
    """Find a map that makes a covariance the identity, by Cholesky.

    Parameters
    ----------
    covariance : ndarray of shape (n_features, n_features)
    std : ndarray of shape (n_features,)
        By which columns are divided first.
    varies : ndarray of shape (n_features,), dtype bool
        Columns that count.

    Returns
    -------
    to_sphere : ndarray of shape (n_features, n_varying)
        Of no use where the condition is infinite.
    condition : float
        Bound on the norm of the inverse of the correlation matrix.
    """
    if not varies.any():
        return np.zeros((std.size, 0)), np.inf
    correlation = covariance / np.outer(std, std)
    if not varies.all():
        correlation = correlation[np.ix_(varies, varies)]
    factor, failed = lapack.dpotrf(correlation.T, lower=False)
    if failed:
        return np.zeros((std.size, 0)), np.inf
    inverse, failed = lapack.dtrtri(factor, lower=False)
    condition = np.inf if failed else float((inverse * inverse).sum())
    to_sphere = np.zeros((std.size, len(inverse)))
    to_sphere[varies] = inverse / std[varies, None]
    return to_sphere, condition


def whitening_from_rows(deviations: np.ndarray, std: np.ndarray, tol: float) -> np.ndarray:
    """Do without the covariance where squaring would lose the digits that tell the rank.

    `deviations` are overwritten.
    """
    deviations /= std * np.sqrt(len(deviations))
    _, values, axes = linalg.svd(deviations, full_matrices=False)
    rank = int((values > tol).sum())
    return (axes[:rank] / std).T / values[:rank]


def shares_of_sum(values: np.ndarray, n_axes: int) -> np.ndarray:
    """Return the first values as shares of all, which are zero where classes have one mean."""
    total = values.sum()
    return values[:n_axes] / total if total != 0.0 else np.zeros(n_axes)


def completed(axes: np.ndarray) -> np.ndarray:
    """Complete orthonormal rows to a basis that depends on them alone."""
    basis = linalg.qr(axes.T)[0].T if len(axes) else np.eye(axes.shape[1])
    return np.vstack([axes, basis[len(axes) :]])
