"""What makes conjugate gradients with a multinomial Hessian short: the blocks of its classes.

Notation as in :mod:`skunlearn.linear_model._glm.softmax_curvature`.
"""

from __future__ import annotations

import numpy as np
from scipy.linalg import lapack

from skunlearn._samples.tables import overwrite
from skunlearn.linear_model._glm.softmax_curvature import ScaledRows, SoftmaxCurvature

# Numbers up to which each class has a block of its own; above, one serves all classes.
_MOST_NUMBERS = 1 << 27

# Rows, in multiples of the mean number per class, whose curvature by a class is counted each.
_SHARE = 2

# What is added to the diagonal of a block that has ones there, so that it can be factored.
_RIDGES = (1e-6, 1e-4, 1e-2)


class ClassBlocks:
    """Inverses of the diagonal blocks of H, as it was at some point.

    They are held as float32: they direct a search, and take no part in what it converges to.

    Parameters
    ----------
    curvature : SoftmaxCurvature
        At the point.
    rows : ScaledRows
    penalty : ndarray of shape (n_each,)
        Of the parameters of one class.
    shared : bool, default=False
        Whether one block, the mean over directions in which H is not zero, serves all classes; it
        is exact where all classes are equally probable, as they are at zero.
    """

    def __init__(
        self,
        curvature: SoftmaxCurvature,
        rows: ScaledRows,
        penalty: np.ndarray,
        *,
        shared: bool = False,
    ) -> None:
        p, w = curvature.probabilities, curvature.weights
        n_classes, n_each = p.shape[1], penalty.size
        self.shared = shared or n_classes * n_each**2 > _MOST_NUMBERS
        self.center, self.scale = rows.center.copy(), rows.scale.copy()
        unit = float(w.max())
        w = w / unit
        if self.shared:
            traces = np.maximum(1.0 - np.einsum("ij,ij->i", p, p), 0.0)
            blocks = rows.gram(np.sqrt(traces * w / (n_classes - 1)))[None]
        else:
            blocks = _blocks(p * (1.0 - p), w, rows)
        scaled_penalty = penalty / unit
        scaled_penalty[: self.scale.size] *= self.scale**2
        below = np.tri(n_each, k=-1, dtype=bool)
        for block in blocks:
            _invert(block, scaled_penalty, below)
        blocks /= np.float32(unit)
        self._inverses = blocks

    def solve(self, table: np.ndarray) -> np.ndarray:
        """Multiply by the inverses, within tables whose classes add up to zero."""
        n_features = self.center.size
        right = table.copy()
        if table.shape[1] > n_features:
            right[:, :n_features] -= right[:, -1:] * self.center
        right[:, :n_features] *= self.scale
        # float32 could not hold what has been scaled by more than its range
        size = np.abs(right).max()
        if not 0.0 < size < np.inf:
            return np.zeros_like(table)
        right = (right / size).astype(np.float32)
        if self.shared:
            solved = right @ self._inverses[0]
        else:
            solved = np.matmul(self._inverses, right[:, :, None])[:, :, 0]
        solution = solved * size
        solution[:, :n_features] *= self.scale
        if table.shape[1] > n_features:
            solution[:, -1] -= solution[:, :n_features] @ self.center
        return solution - solution.mean(axis=0)

    def wipe(self) -> None:
        """Overwrite the blocks, when others take their place."""
        overwrite(self.center, self.scale, self._inverses)


def _blocks(variances: np.ndarray, weights: np.ndarray, rows: ScaledRows) -> np.ndarray:
    """Sum the curvature of rows by each class, shape (n_classes, n_each, n_each).

    Most of a class's comes from few rows. The others are counted as if they had their mean, for
    which the Gram matrix of all rows serves every class.
    """
    counted = np.flatnonzero(weights)
    w, n_classes = weights[counted], variances.shape[1]
    gram = rows.gram(np.sqrt(weights))
    blocks = np.empty((n_classes, *gram.shape), dtype=np.float32)
    n_rest = max(0, counted.size - -(-_SHARE * counted.size // n_classes))
    for block, variance in zip(blocks, variances[counted].T, strict=True):
        rest = np.argpartition(variance, n_rest)[:n_rest]
        mean = float(w[rest] @ variance[rest] / w[rest].sum()) if n_rest else 0.0
        np.multiply(gram, np.float32(mean), out=block)
        excess = w * np.maximum(variance - mean, 0.0)
        excess[rest] = 0.0
        roots = np.zeros(weights.size)
        roots[counted] = np.sqrt(excess)
        block += rows.gram(roots)
    return blocks


def _invert(block: np.ndarray, penalty: np.ndarray, below: np.ndarray) -> None:
    """Invert a positive semidefinite block in place, after the penalty has been added.

    `below` is true below the diagonal, where LAPACK leaves what is not the inverse.
    """
    diagonal = block.diagonal() + penalty
    root = np.where(diagonal > 0.0, diagonal, 1.0).astype(np.float64) ** -0.5
    root = root.astype(np.float32)
    block *= root
    block *= root[:, None]
    for ridge in _RIDGES:
        np.fill_diagonal(block, 1.0 + ridge)
        factor, failed = lapack.spotrf(block.T)
        if not failed:
            inverse, failed = lapack.spotri(factor, overwrite_c=True)
        if not failed:
            break
    else:
        inverse = np.eye(penalty.size, dtype=np.float32)
    np.copyto(block, inverse)
    np.copyto(block, inverse.T, where=below)
    block *= root
    block *= root[:, None]
