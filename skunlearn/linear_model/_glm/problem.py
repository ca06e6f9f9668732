"""What is minimised, where a model stands, and the inverse of a Hessian.

Notation of the docstrings: F is the penalised loss summed over the rows held, H its Hessian, G its
gradient, ``||v||_H = sqrt(v' H v)``.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from scipy import linalg
from scipy.linalg import lapack

from skunlearn._linalg.precision import EPS
from skunlearn._samples.tables import overwrite
from skunlearn._statistics.column_moments import power_of_two_above
from skunlearn.linear_model._glm.extent import Extent
from skunlearn.linear_model._glm.losses import GradientSums


@dataclass(frozen=True)
class Problem:
    """A penalised loss over some rows.

    Parameters
    ----------
    loss : SingleLoss or SoftmaxLoss
        The loss of a row.

    X : ndarray or CSR array of shape (n_slots, n_features)
        Rows.

    y, weights : ndarray of shape (n_slots,)
        Targets and weights; a row of weight zero does not count.

    penalty : ndarray of shape (n_params,)
        The penalty is half the sum of penalty * theta^2.

    null_curvature : ndarray of shape (n_params, n_params) or None
        Curvature added along directions in which neither loss nor penalty changes.
    """

    loss: Any
    X: Any
    y: np.ndarray
    weights: np.ndarray
    penalty: np.ndarray
    null_curvature: np.ndarray | None = None

    def gradient_sums(self, theta: np.ndarray, direction: np.ndarray | None = None) -> GradientSums:
        """Compute the gradient of F and what bounds its rounding, in one pass.

        With `direction`, also find how much predictors change when it is added to `theta`.
        """
        sums = self.loss.gradient_sums(self.X, self.y, self.weights, theta, direction)
        return replace(sums, gradient=sums.gradient + self.penalty * theta)

    def value(self, theta: np.ndarray) -> float:
        """Compute F."""
        loss = self.loss.value(self.X, self.y, self.weights, theta)
        return loss + 0.5 * float(self.penalty @ theta**2)

    def hessian(self, theta: np.ndarray) -> np.ndarray:
        """Compute the rows' part of H."""
        return self.loss.hessian(self.X, self.y, self.weights, theta)

    def full(self, hessian: np.ndarray) -> np.ndarray:
        """Complete the rows' part of H by the penalty."""
        matrix = hessian.copy()
        matrix.flat[:: self.penalty.size + 1] += self.penalty
        if self.null_curvature is None:
            return matrix
        # Nothing has a direction in which parameters lie that no row depends on.
        used = matrix.diagonal() != 0.0
        return matrix + self.null_curvature * used * used[:, None]


@dataclass
class State:
    """Where a model stands.

    Parameters
    ----------
    theta : ndarray of shape (n_params,)
        Parameters.

    reference : ndarray of shape (n_params,)
        Where `hessian` was evaluated.

    hessian : ndarray of shape (n_params, n_params)
        The rows' part of H at `reference`.

    gram : ndarray of shape (n_params, n_params) or None
        Weighted sum of x x', kept where requests are served without a pass.

    radius : float
        A power of two above the norm of every row.

    penalty : ndarray of shape (n_params,)
        The penalty under which `theta` was found.

    gradient : ndarray of shape (n_params,)
        What is known of the gradient at `theta`; zero at an optimum.

    peak : ndarray of shape (n_params,)
        Powers of two above the diagonal of `hessian` when it was evaluated; they bound what
        taking rows out of it has lost since.

    residual : float
        Bound on what the gradient at `theta` differs from `gradient` by, in the norm of the inverse
        of H at `reference`; infinite where none is known.

    least : float
        Where the residual is known, a lower bound of the eigenvalues of H at `reference`.

    spread : float
        Where the residual is known, an upper bound of the eigenvalues of `gram` relative to H.

    n_out : int
        Rows taken out of `hessian` since it was evaluated.

    factors : ndarray of shape (n_classes,)
        Weights of classes with which it was evaluated.

    extent : Extent or None
        Bounds of the rows by column; None where no request has asked for them.

    worn : bool
        Whether rows have left that were most of `extent` in some column.
    """

    theta: np.ndarray
    reference: np.ndarray
    hessian: np.ndarray
    gram: np.ndarray | None
    radius: float
    penalty: np.ndarray
    gradient: np.ndarray
    peak: np.ndarray
    residual: float = np.inf
    least: float = 0.0
    spread: float = np.inf
    n_out: int = 0
    factors: np.ndarray = field(default_factory=lambda: np.ones(1))
    extent: Extent | None = None
    worn: bool = False

    def wipe(self) -> None:
        """Overwrite the state, when another takes its place."""
        overwrite(self.theta, self.reference, self.hessian, self.gram, self.gradient)
        self.residual = self.spread = np.inf
        self.least = 0.0


def state_at(problem: Problem, theta: np.ndarray, radius: float) -> State:
    """Evaluate the Hessian at a point."""
    hessian = problem.hessian(theta)
    peak = power_of_two_above(hessian.diagonal())
    here = theta.copy()
    return State(
        here,
        here.copy(),
        hessian,
        None,
        radius,
        problem.penalty,
        np.zeros(here.size),
        peak,
        factors=problem.loss.class_weight,
    )


class Factor:
    """The inverse of a positive definite matrix, or the pseudo-inverse of a semidefinite one.

    Parameters
    ----------
    matrix : ndarray of shape (n_params, n_params)
    """

    def __init__(self, matrix: np.ndarray) -> None:
        # A parameter that nothing depends on stays as it is.
        self.empty = matrix.diagonal() == 0.0
        if self.empty.any():
            matrix = matrix + np.diag(self.empty.astype(np.float64))
        self.matrix = matrix
        # The inverse itself, not only the factor: certificates need its norm and its diagonal.
        factor, failed = lapack.dpotrf(matrix.T)
        if not failed:
            inverse, failed = lapack.dpotri(factor, overwrite_c=True)
        self.definite = not failed
        self.flat = np.empty((len(matrix), 0))
        if failed:
            self.inverse, self.flat = _semidefinite(matrix)
        else:
            self.inverse = np.triu(inverse) + np.triu(inverse, 1).T

    def solve(self, right: np.ndarray) -> np.ndarray:
        """Solve for one right-hand side, with one step of refinement."""
        solution = self.inverse @ right
        return solution + self.inverse @ (right - self.matrix @ solution)

    @property
    def inverse_norm(self) -> float:
        """An upper bound of the spectral norm of the inverse; infinite if semidefinite."""
        size = float(np.linalg.norm(self.inverse))
        return size if self.definite and np.isfinite(size) else np.inf


def _semidefinite(matrix: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return a pseudo-inverse, and directions along which the matrix is flat, as columns."""
    diagonal = np.abs(matrix.diagonal())
    unit = 1.0 / np.sqrt(np.where(diagonal > 0.0, diagonal, 1.0))
    values, vectors = linalg.eigh(matrix * unit * unit[:, None])
    kept = values > EPS * values.size * max(values[-1], 0.0)
    vectors *= unit[:, None]
    return (vectors[:, kept] / values[kept]) @ vectors[:, kept].T, vectors[:, ~kept]


def norm(vector: np.ndarray) -> float:
    """Return the Euclidean norm."""
    return math.sqrt(vector @ vector)
