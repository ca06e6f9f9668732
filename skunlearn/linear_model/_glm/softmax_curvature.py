"""Curvature of the multinomial loss as an operator, where H itself would be too large to hold.

Parameters are tables here, of shape (n_classes, n_each): a class's weights and then, with an
intercept, its intercept.
"""

from __future__ import annotations

from functools import cached_property
from typing import Any

import numpy as np
from scipy import sparse

from skunlearn.linear_model._glm.losses import BLOCK, GradientSums, SoftmaxLoss, block_size


class SoftmaxCurvature:
    """The rows' gradient at a point and their part of H there, by one pass over the rows.

    A row with probabilities p has the curvature ``S = diag(p) - p p'`` by its predictors, so that
    the probabilities are all that has to be kept of the point.

    Parameters
    ----------
    loss : SoftmaxLoss
    X : ndarray or CSR array of shape (n_slots, n_features)
        Rows.
    y, weights : ndarray of shape (n_slots,)
        Class numbers, and weights; rows of weight zero do not count.
    theta : ndarray of shape (n_params,)
        The point.

    Attributes
    ----------
    sums : GradientSums
        The gradient, and what bounds its rounding.
    square : float
        ``theta' J theta``, with J the rows' part of H.
    probabilities : ndarray of shape (n_slots, n_classes)
    weights : ndarray of shape (n_slots,)
        Weights of the rows, times those of their classes.
    """

    def __init__(
        self, loss: SoftmaxLoss, X: Any, y: np.ndarray, weights: np.ndarray, theta: np.ndarray
    ) -> None:
        self._loss, self._X = loss, X
        self.fit_intercept = loss.fit_intercept
        self.weights = loss.weights_of(y, weights)
        self.probabilities = np.empty((X.shape[0], loss.n_classes))
        gradient, magnitude, square = self._evaluate(y, theta.reshape(loss.n_classes, -1))
        curvature = float(self.weights @ self.largest_eigenvalues())
        self.sums = GradientSums(gradient.ravel(), magnitude, curvature)
        self.square = max(square, 0.0)

    def _evaluate(self, y: np.ndarray, table: np.ndarray) -> tuple[np.ndarray, float, float]:
        gradient, magnitude, square = np.zeros_like(table), 0.0, 0.0
        codes, coef = y.astype(np.intp), self._coef(table)
        for span in spans(self._X, block_size(self._X)):
            part, w = self._X[span], self.weights[span]
            eta = self._predictors(part, table, coef, w)
            mean = self._loss.pointwise.mean(eta)
            self.probabilities[span] = mean
            spread = np.einsum("ij,ij,ij->i", mean, eta, eta)
            square += float(w @ (spread - np.einsum("ij,ij->i", mean, eta) ** 2))
            mean[np.arange(w.size), codes[span]] -= 1.0
            mean *= w[:, None]
            self._collect(part, mean, gradient)
            magnitude += float(np.abs(mean).sum())
        return gradient, magnitude, square

    def _coef(self, table: np.ndarray) -> np.ndarray:
        # Rows are multiplied with a contiguous array in a third of the time.
        return np.ascontiguousarray(table[:, : self._X.shape[1]].T)

    def _predictors(
        self, part: Any, table: np.ndarray, coef: np.ndarray, weights: np.ndarray
    ) -> np.ndarray:
        eta = part @ coef
        if self.fit_intercept:
            eta += table[:, -1]
        eta[weights == 0.0] = 0.0  # those of a row that does not count may have overflowed
        return eta

    def _collect(self, part: Any, derivatives: np.ndarray, total: np.ndarray) -> None:
        n_features = part.shape[1]
        if sparse.issparse(part):
            total[:, :n_features] += (part.T @ derivatives).T
        else:
            total[:, :n_features] += derivatives.T @ part
        if self.fit_intercept:
            total[:, -1] += derivatives.sum(axis=0)

    def product(self, table: np.ndarray) -> np.ndarray:
        """Multiply the rows' part of H by a table of parameters, in one pass."""
        total, coef = np.zeros_like(table), self._coef(table)
        for span in spans(self._X, block_size(self._X)):
            part, mean, w = self._X[span], self.probabilities[span], self.weights[span]
            change = self._predictors(part, table, coef, w)
            change -= np.einsum("ij,ij->i", mean, change)[:, None]
            change *= mean
            change *= w[:, None]
            self._collect(part, change, total)
        return total

    @cached_property
    def single(self) -> tuple[np.ndarray, np.ndarray, float]:
        """Probabilities and, over a unit, weights times probabilities, as float32; the unit."""
        unit = float(self.weights.max())
        weighted = self.probabilities * (self.weights / unit)[:, None]
        return self.probabilities.astype(np.float32), weighted.astype(np.float32), unit

    def least_probabilities(self) -> np.ndarray:
        """Return the probability of each row's least probable class, shape (n_slots,)."""
        return self.probabilities.min(axis=1)

    def largest_eigenvalues(self) -> np.ndarray:
        """Bound the eigenvalues of each row's S from above, shape (n_slots,)."""
        # the trace, and what no variance under probabilities exceeds
        traces = 1.0 - np.einsum("ij,ij->i", self.probabilities, self.probabilities)
        return np.clip(traces + 1e-14, 0.0, 0.5)

    def center(self, weights: np.ndarray) -> np.ndarray:
        """Return the mean of rows weighted as given, shape (n_features,)."""
        total = weights.sum()
        return np.asarray(weights @ self._X, dtype=np.float64) / (total if total > 0.0 else 1.0)

    def gram(self, weights: np.ndarray, center: np.ndarray, scale: np.ndarray) -> np.ndarray:
        """Sum ``w z z'`` over rows z that are shifted, scaled and, maybe, followed by a one."""
        n_features = self._X.shape[1]
        n_each = n_features + self.fit_intercept
        total = np.zeros((n_each, n_each))
        for span in spans(self._X, block_size(self._X)):
            z = np.ones((weights[span].size, n_each))
            part = self._X[span]
            part = part.toarray() if sparse.issparse(part) else part
            z[:, :n_features] = (part - center) * scale
            z *= np.sqrt(weights[span])[:, None]
            total += z.T @ z
        return total


class ScaledRows:
    """The rows, centred and scaled to where float32 is fine enough to direct a search.

    Parameters
    ----------
    X : ndarray or CSR array of shape (n_slots, n_features)
    weights : ndarray of shape (n_slots,)
        Rows of weight zero are left out.
    fit_intercept : bool
        Whether parameters end with an intercept.
    center, scale : ndarray of shape (n_features,), default=None
        What is taken from each column, and by what it is multiplied then; by default they bring
        columns into [-1, 1], around zero if there is an intercept and rows are not sparse.
    """

    def __init__(
        self,
        X: Any,
        weights: np.ndarray,
        fit_intercept: bool,
        center: np.ndarray | None = None,
        scale: np.ndarray | None = None,
    ) -> None:
        self.fit_intercept = fit_intercept
        counts = weights != 0.0
        if center is None or scale is None:
            center, scale = self.fitting(X, weights, fit_intercept)
        self.center, self.scale = center, scale
        if sparse.issparse(X):
            factors = counts[:, None] * 1.0
            self._z = X.multiply(factors).multiply(scale).tocsr().astype(np.float32)
            return
        self._z = np.zeros(X.shape, dtype=np.float32)
        for span in spans(X, block_size(X)):
            part = X[span] - center
            part *= scale
            part[~counts[span]] = 0.0
            self._z[span] = part

    @staticmethod
    def fitting(X: Any, weights: np.ndarray, fit_intercept: bool) -> tuple[np.ndarray, np.ndarray]:
        """Find the center and scale that are used by default."""
        counts = weights != 0.0
        center, largest = np.zeros(X.shape[1]), np.zeros(X.shape[1])
        if fit_intercept and not sparse.issparse(X):
            center = np.asarray(weights @ X, dtype=np.float64) / weights.sum()
        for span in spans(X, block_size(X)):
            part = X[span][counts[span]]
            if part.shape[0]:
                size = np.abs(part if sparse.issparse(part) else part - center).max(axis=0)
                size = size.toarray().ravel() if sparse.issparse(size) else size
                np.maximum(largest, size, out=largest)
        return center, 1.0 / np.where(largest > 0.0, largest, 1.0)

    def product(self, curvature: SoftmaxCurvature, table: np.ndarray) -> np.ndarray:
        """Multiply the rows' part of H by a table of parameters, to the precision of float32."""
        n_features = self.center.size
        table = table.copy()
        if self.fit_intercept:
            table[:, -1] += table[:, :n_features] @ self.center
        table[:, :n_features] /= self.scale
        size = float(np.abs(table).max()) or 1.0
        coef = np.ascontiguousarray((table[:, :n_features] / size).T, dtype=np.float32)
        intercept = (table[:, -1] / size).astype(np.float32)
        p, weighted, unit = curvature.single
        total = np.zeros_like(table)
        # OpenBLAS multiplies up to a million triples without packing them first.
        for span in spans(self._z, max(64, min(2048, 1_000_000 // coef.size))):
            z = self._z[span]
            change = z @ coef
            if self.fit_intercept:
                change += intercept
            change -= np.einsum("ij,ij->i", p[span], change)[:, None]
            change *= weighted[span]
            if sparse.issparse(z):
                total[:, :n_features] += (z.T @ change).T
            else:
                total[:, :n_features] += change.T @ z
            if self.fit_intercept:
                total[:, -1] += change.sum(axis=0)
        total *= unit * size
        total[:, :n_features] /= self.scale
        if self.fit_intercept:
            total[:, :n_features] += total[:, -1:] * self.center
        return total

    def gram(self, roots: np.ndarray) -> np.ndarray:
        """Sum ``r^2 z z'`` over scaled rows z.

        Parameters
        ----------
        roots : ndarray of shape (n_slots,)
            The factors r; rows for which they are zero cost nothing.

        Returns
        -------
        gram : ndarray of shape (n_each, n_each), float32
        """
        n_features, counted = self.center.size, np.flatnonzero(roots)
        n_each = n_features + self.fit_intercept
        gram = np.zeros((n_each, n_each), dtype=np.float32)
        for start in range(0, counted.size, BLOCK):
            some = counted[start : start + BLOCK]
            part = self._z[some]
            z = np.ones((some.size, n_each), dtype=np.float32)
            z[:, :n_features] = part.toarray() if sparse.issparse(part) else part
            z *= roots[some].astype(np.float32)[:, None]
            gram += z.T @ z
        return gram


def spans(X: Any, size: int) -> list[slice]:
    """Divide rows into blocks of a size."""
    return [slice(start, start + size) for start in range(0, X.shape[0], size)]
