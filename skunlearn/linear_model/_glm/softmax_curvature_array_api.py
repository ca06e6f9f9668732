"""Curvature of the multinomial loss where rows are arrays of other libraries.

Rows stay on their device; what comes back are sums, and the probabilities of classes.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from skunlearn._array_api import namespace, to_host
from skunlearn._samples.device_table import DeviceTable
from skunlearn.linear_model._glm.softmax_curvature import ScaledRows, SoftmaxCurvature


def softmax_curvature(X: Any) -> type[SoftmaxCurvature]:
    """Return the class of multinomial curvature that is for rows of this kind."""
    return SoftmaxCurvatureOnDevice if isinstance(X, DeviceTable) else SoftmaxCurvature


def scaled_rows(X: Any) -> type[ScaledRows]:
    """Return the class of scaled rows that is for rows of this kind."""
    return ScaledRowsOnDevice if isinstance(X, DeviceTable) else ScaledRows


class SoftmaxCurvatureOnDevice(SoftmaxCurvature):
    """:class:`SoftmaxCurvature` for rows in a :class:`DeviceTable`."""

    _X: DeviceTable

    def _evaluate(self, y: np.ndarray, table: np.ndarray) -> tuple[np.ndarray, float, float]:
        X, gradient, totals = self._X, np.zeros_like(table), np.zeros(2)
        targets, self._weights_there = X.send(y), X.send(self.weights)
        classes = X.send(np.arange(table.shape[0], dtype=np.float64))
        coef, xp = X.send(table.T.copy()), namespace(classes)
        self._means = []
        for span in X.spans():
            part, w = X.block(span), self._weights_there[span]
            eta = self._changes(part, coef, w)
            mean = self._loss.pointwise.mean(eta)
            self._means.append(mean)
            self.probabilities[span] = to_host(mean)
            spread = xp.sum(mean * eta**2, axis=1) - xp.sum(mean * eta, axis=1) ** 2
            chosen = xp.astype(targets[span][:, None] == classes, xp.float64)
            derivatives = w[:, None] * (mean - chosen)
            gradient += self._collected(part, derivatives)
            totals += to_host(xp.stack([xp.sum(xp.abs(derivatives)), xp.sum(w * spread)]))
        return gradient, float(totals[0]), float(totals[1])

    def _changes(self, part: Any, coef: Any, weights: Any) -> Any:
        n_features = part.shape[1]
        eta = part @ coef[:n_features, :]
        if self.fit_intercept:
            eta = eta + coef[n_features, :]
        xp = namespace(eta)
        return xp.where(weights[:, None] != 0.0, eta, xp.zeros_like(eta))

    def _collected(self, part: Any, derivatives: Any) -> np.ndarray:
        gradient = to_host(derivatives.T @ part)
        if not self.fit_intercept:
            return gradient
        sums = to_host(namespace(part).sum(derivatives, axis=0))
        return np.hstack([gradient, sums[:, None]])

    def product(self, table: np.ndarray) -> np.ndarray:
        """Multiply the rows' part of H by a table of parameters, in one pass."""
        total, coef = np.zeros_like(table), self._X.send(table.T.copy())
        xp = namespace(coef)
        for span, mean in zip(self._X.spans(), self._means, strict=True):
            part, w = self._X.block(span), self._weights_there[span]
            change = self._changes(part, coef, w)
            change = change - xp.sum(mean * change, axis=1)[:, None]
            total += self._collected(part, w[:, None] * mean * change)
        return total

    def center(self, weights: np.ndarray) -> np.ndarray:
        """Return the mean of rows weighted as given, shape (n_features,)."""
        return _mean_row(self._X, weights)

    def gram(self, weights: np.ndarray, center: np.ndarray, scale: np.ndarray) -> np.ndarray:
        """Sum ``w z z'`` over rows z that are shifted, scaled and, maybe, followed by a one."""
        return _weighted_gram(self._X, np.sqrt(weights), center, scale, self.fit_intercept)


class ScaledRowsOnDevice(ScaledRows):
    """:class:`ScaledRows` for rows in a :class:`DeviceTable`, which stay float64."""

    def __init__(
        self,
        X: DeviceTable,
        weights: np.ndarray,
        fit_intercept: bool,
        center: np.ndarray | None = None,
        scale: np.ndarray | None = None,
    ) -> None:
        self.fit_intercept = fit_intercept
        self._X = X
        if center is None or scale is None:
            center, scale = self.fitting(X, weights, fit_intercept)
        self.center, self.scale = center, scale

    @staticmethod
    def fitting(
        X: DeviceTable, weights: np.ndarray, fit_intercept: bool
    ) -> tuple[np.ndarray, np.ndarray]:
        """Find the center and scale that are used by default."""
        center = _mean_row(X, weights) if fit_intercept else np.zeros(X.shape[1])
        largest, there, counts = np.zeros(X.shape[1]), X.send(center), X.send(weights)
        xp = namespace(there)
        for span in X.spans():
            sizes = xp.abs(X.block(span) - there)
            sizes = xp.where(counts[span][:, None] != 0.0, sizes, xp.zeros_like(sizes))
            np.maximum(largest, to_host(xp.max(sizes, axis=0)), out=largest)
        return center, 1.0 / np.where(largest > 0.0, largest, 1.0)

    def product(self, curvature: SoftmaxCurvature, table: np.ndarray) -> np.ndarray:
        """Multiply the rows' part of H by a table of parameters."""
        return curvature.product(table)

    def gram(self, roots: np.ndarray) -> np.ndarray:
        """Sum ``r^2 z z'`` over scaled rows z."""
        gram = _weighted_gram(self._X, roots, self.center, self.scale, self.fit_intercept)
        return gram.astype(np.float32)


def _mean_row(X: DeviceTable, weights: np.ndarray) -> np.ndarray:
    """Return the mean of rows weighted as given, shape (n_features,)."""
    total, factors = np.zeros(X.shape[1]), X.send(weights)
    for span in X.spans():
        total += to_host(factors[span] @ X.block(span))
    return total / (weights.sum() or 1.0)


def _weighted_gram(
    X: DeviceTable, roots: np.ndarray, center: np.ndarray, scale: np.ndarray, fit_intercept: bool
) -> np.ndarray:
    """Sum ``r^2 z z'`` over rows z that are shifted, scaled and followed by a one."""
    n_each = center.size + fit_intercept
    total, factors = np.zeros((n_each, n_each)), X.send(roots)[:, None]
    shift, times = X.send(center), X.send(scale)
    xp = namespace(factors)
    for span in X.spans():
        root = factors[span, :]
        part = (X.block(span) - shift) * times * root
        if fit_intercept:
            part = xp.concat([part, root], axis=1)
        total += to_host(part.T @ part)
    return total
