"""How far rows reach in each column, and the rounding errors that come of it.

Notation as in :mod:`skunlearn.linear_model._glm.problem`. Errors are bounded parameter by parameter
and measured by the inverse of H, so that neither the unit of a column nor that of the weights
matters.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import sparse

from skunlearn._array_api import namespace, to_host
from skunlearn._linalg.precision import EPS, heights_of, width_of
from skunlearn._samples.centred_table import CentredTable
from skunlearn._samples.device_table import DeviceTable
from skunlearn.linear_model._glm.losses import GradientSums, blocks, n_terms


@dataclass(frozen=True)
class Extent:
    """Bounds of the rows that weigh, as long as rows do nothing but leave.

    Parameters
    ----------
    largest : ndarray of shape (n_each,)
        Largest absolute value in each column; 1 for the intercept.

    squares : ndarray of shape (n_each,)
        Sums over rows of ``w x^2``, with the weights of rows alone.

    width : int
        Products that make a predictor.

    heights : ndarray of shape (n_each,)
        Products that make a column's part of a gradient.
    """

    largest: np.ndarray
    squares: np.ndarray
    width: int
    heights: np.ndarray

    def reach(self, direction: np.ndarray) -> float:
        """Bound the predictors of any row, in the Euclidean norm where there are several."""
        table = np.abs(direction).reshape(-1, self.largest.size)
        return float(np.linalg.norm(table @ self.largest))

    def dual_norm(self, size: np.ndarray) -> float:
        """Bound the predictors of any row along directions of norm 1.

        Parameters
        ----------
        size : ndarray of shape (n_params, n_params)
            Absolute values of the inverse of the matrix that makes the norm.
        """
        n_each = self.largest.size
        blocks = size.reshape(-1, n_each, size.shape[0] // n_each, n_each)
        own = np.einsum("kikj,i,j->", blocks, self.largest, self.largest)
        return math.sqrt(float(own))


def extent_of(problem: Any) -> Extent:
    """Measure the rows that weigh, in one pass over them."""
    X, weights = problem.X, problem.weights
    largest, squares = np.zeros(X.shape[1]), np.zeros(X.shape[1])
    for span in blocks(X):
        high, sums = _measured(X, span, weights[span])
        np.maximum(largest, high, out=largest)
        squares += sums
    table = X.table if isinstance(X, CentredTable) else X
    width, heights = width_of(table), heights_of(table)
    if problem.loss.fit_intercept:
        largest, squares = np.append(largest, 1.0), np.append(squares, weights.sum())
        heights = np.append(heights, X.shape[0])
    return Extent(largest, squares, width, heights)


@np.errstate(over="ignore", invalid="ignore")
def _measured(X: Any, span: slice, w: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the largest sizes of a block's columns, and weighted sums of their squares."""
    if isinstance(X, DeviceTable):
        part, weights = X.block(span), X.send(w)
        xp = namespace(part)
        size = xp.where(weights[:, None] != 0.0, xp.abs(part), xp.zeros_like(part))
        return to_host(xp.max(size, axis=0)), to_host(weights @ (size * size))
    part = X[span]
    if not w.all():
        part, w = part[w != 0.0], w[w != 0.0]
    if not w.size:
        return np.zeros(X.shape[1]), np.zeros(X.shape[1])
    part = abs(part)
    if sparse.issparse(part):
        high = part.max(axis=0).toarray().ravel()
        return high, np.asarray(part.multiply(part).T @ w).ravel()
    return part.max(axis=0), np.einsum("i,ij,ij->j", w, part, part)


def gradient_rounding(
    problem: Any, extent: Extent, sums: GradientSums, theta: np.ndarray
) -> tuple[np.ndarray, float]:
    """Bound the rounding errors of a gradient.

    A column's share of a sum over rows is bounded by that sum of squares and the column's own.
    What the predictors are off by passes through the curvature of the rows, of which the inverse
    of H leaves no more than there are predictors.

    Parameters
    ----------
    problem : Problem
    extent : Extent
    sums : GradientSums
        At `theta`.
    theta : ndarray of shape (n_params,)

    Returns
    -------
    errors : ndarray of shape (n_params,)
        Of the sums within a block and over blocks, and of derivatives that are not relative.
    noise : float
        Of the predictors and the derivatives, in the norm of the inverse of H at `theta`.
    """
    n_outputs = theta.size // extent.largest.size
    squares = np.tile(extent.squares, n_outputs) * (problem.loss.class_weight.max() * 1.01)
    terms = np.tile(np.minimum(extent.heights, n_terms(problem.X)), n_outputs) + 8
    errors = terms * np.sqrt(sums.squares * squares) + 4.0 * problem.penalty * np.abs(theta)
    most = problem.loss.pointwise.most_curvature
    if most is not None:
        # Where phi'' is bounded, so is phi', and it is computed to as many digits as its bound.
        errors += (n_outputs + 8) * np.sqrt(sums.curvature * most * squares)
    predictors = (extent.width + 4) * extent.reach(theta) + 8
    return EPS / 2 * errors, EPS / 2 * predictors * math.sqrt(sums.curvature)


def hessian_rounding(problem: Any, extent: Extent, state: Any) -> np.ndarray:
    """Bound the rounding errors of the Hessian and of its Cholesky factor.

    They come from the sums over rows, from the predictors, from taking rows out, and from the
    factorisation, each in proportion to what was summed.

    Returns
    -------
    errors : ndarray of shape (n_params,)
        The entry of two parameters is off by no more than the product of theirs.
    """
    n_outputs = state.theta.size // extent.largest.size
    terms = np.tile(np.minimum(extent.heights, n_terms(problem.X)), n_outputs)
    terms += state.n_out + 4 * state.theta.size + 16
    predictors = (extent.width + 4) * extent.reach(state.reference)
    summed = state.peak + problem.penalty
    if problem.null_curvature is not None:
        summed = summed + problem.null_curvature.diagonal()
    errors = (terms + problem.loss.concordance * predictors) * summed
    if n_outputs > 1:
        # A probability near 1 leaves nothing but rounding of what it is short of 1.
        most = problem.loss.class_weight.max() * 1.01
        errors += (2 * n_outputs + 8) * most * np.tile(extent.squares, n_outputs)
    return np.sqrt(EPS / 2 * errors)
